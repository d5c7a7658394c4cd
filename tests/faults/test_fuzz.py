"""Files damaged at random, by seed: whatever they hold, a frame or a reason with a sentence comes out.

``ZEMOSAIC_FUZZ`` multiplies the numbers of files, and ``ZEMOSAIC_FUZZ_SEED`` chooses others than the usual ones.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from astropy.io import fits

from zemosaic.errors import FrameError, InputError, SettingsError
from zemosaic.frames import tile_decoder
from zemosaic.frames.frame_files import read_frame
from zemosaic.frames.pixels import open_pixels
from zemosaic.frames.selection import read_selection
from zemosaic.i18n import Translator, locales_folder
from zemosaic.phases.picture_memory import refuse_beyond
from zemosaic.provenance.report_file import read_report, records_in, settings_in
from zemosaic.settings.load import load_settings
from zemosaic.stars.response import known_response, read_responses
from zemosaic.zeanalyser.measure_frames import cut_off_level, measure

TIMES = int(os.environ.get("ZEMOSAIC_FUZZ", "1"))
SEED = int(os.environ.get("ZEMOSAIC_FUZZ_SEED", "20260101"))
MAX_FILE_S = 10.0
MAX_GROWTH_BYTES = 1 << 29
MEASURED_EACH = 5
CARDS = """\
CREATOR = 'ZWO Seestar S50'
FOCALLEN=                  250
XPIXSZ  =                 2.90
IMAGETYP= 'Light   '
EXPTIME =                  10.
CCD-TEMP=               23.375
RA      =           192.995835
DEC     =            40.978611
DATE-OBS= '2025-04-09T20:54:22.790113'
INSTRUME= 'Seestar S50'
BAYERPAT= 'GRBG    '
CTYPE1  = 'RA---TAN-SIP'
CTYPE2  = 'DEC--TAN-SIP'
CRVAL1  = 192.9
CRVAL2  = 41.0
CD1_1   = -6.6E-04
CD2_2   = 6.6E-04
A_ORDER = 2
A_2_0   = 1.0E-07
"""


def frame_of(codec: str = "") -> bytes:
    """Return a FITS file of sky and stars, compressed by a codec of astropy's where one is named."""
    rng = np.random.default_rng(3)
    values = rng.poisson(900, (96, 96)).astype(np.float64)
    yy, xx = np.mgrid[:96, :96]
    for x, y, light in rng.uniform((8, 8, 4e3), (88, 88, 3e4), (12, 3)):
        values += light / 10 * np.exp(-((xx - x) ** 2 + (yy - y) ** 2) / 4)
    header = fits.Header.fromstring(CARDS, sep="\n")
    numbers = values.clip(0, 30_000).astype(np.int16 if codec else np.uint16)
    out = io.BytesIO()
    hdus = [fits.PrimaryHDU(), fits.CompImageHDU(numbers, header, compression_type=codec)] if codec else None
    fits.HDUList(hdus or [fits.PrimaryHDU(numbers, header)]).writeto(out)
    return out.getvalue()


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return content with pieces overwritten, moved, cut out or cut off; half of it within the first bytes."""
    data = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        if not data:
            break
        at = rng.randrange(min(len(data), 6000) if rng.random() < 0.5 else len(data))
        size = rng.choice((1, 1, 2, 8, 80, 700))
        kind = rng.random()
        if kind < 0.5:
            data[at : at + size] = rng.randbytes(min(size, len(data) - at))
        elif kind < 0.7:
            digits = rng.choice((b"9" * 20, b"-1", b"NaN", b"1E400", b"0", b"'", b"\0" * 8, b"\xff" * 8, b"{", b"[[["))
            data[at : at + len(digits)] = digits
        elif kind < 0.8:
            del data[at : at + size]
        elif kind < 0.9:
            start = rng.randrange(len(data))
            data[at:at] = data[start : start + size]
        elif len(data) > 1:
            del data[rng.randrange(1, len(data)) :]
    return bytes(data) or b"\0"


def survive(name: str, content: bytes, count: int, folder: Path, read: Callable[[Path, int], None]) -> None:
    """Read `count` damaged copies; each takes its time at most, and together they leave the memory as it is."""
    rng = random.Random(f"{SEED} {name}")
    before = psutil.Process().memory_info().rss
    path = folder / name
    for number in range(count * TIMES):
        path.write_bytes(damaged(content, rng))
        began = time.process_time()
        try:
            read(path, number)
        except (FrameError, InputError, SettingsError):
            pass
        except Exception as fault:
            raise AssertionError(f"{name}, seed {SEED}, copy {number}: {type(fault).__name__}: {fault}") from fault
        assert time.process_time() - began < MAX_FILE_S, f"{name}, seed {SEED}, copy {number}"
    assert psutil.Process().memory_info().rss - before < MAX_GROWTH_BYTES


def read_and_measure(path: Path, number: int) -> None:
    frame = read_frame(path)
    refuse_beyond(1.0)(frame)
    pixels = open_pixels(frame, None).read_all()
    assert pixels.shape[:2] == (frame.height, frame.width)
    if number % MEASURED_EACH == 0 and pixels.size < 100_000:
        measure(frame, np.asarray(pixels, np.float32), cut_off_level(pixels))


PLAIN = frame_of()


@pytest.mark.parametrize("codec", ["", "RICE_1", "GZIP_1", "HCOMPRESS_1", "PLIO_1"])
def test_the_frames_are_sound_before_they_are_damaged(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.fits"
    path.write_bytes(frame_of(codec))
    read_and_measure(path, 0)


@pytest.mark.parametrize(
    ("name", "content", "count"),
    [
        ("plain.fit", PLAIN, 1400),
        ("zipped.fit.gz", gzip.compress(PLAIN, mtime=0), 300),
    ],
)
def test_damaged_frames(tmp_path: Path, name: str, content: bytes, count: int) -> None:
    survive(name, content, count, tmp_path, read_and_measure)


@pytest.mark.parametrize("codec", ["RICE_1", "GZIP_1", "HCOMPRESS_1", "PLIO_1"])
def test_damaged_compressed_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str) -> None:
    monkeypatch.setattr(tile_decoder, "MAX_WALL_RATIO", 2.0)
    survive(f"{codec}.fits.fz", frame_of(codec), 75, tmp_path, read_and_measure)


def test_damaged_settings(tmp_path: Path) -> None:
    content = json.dumps({"input_dir": "/in", "grid_tile_px": 512, "stacking_kappa_low": 3.0, "language": "fr"})
    survive("settings.json", content.encode(), 200, tmp_path, lambda path, _: load_settings({}, {}, path))


def test_what_mosaics_taught_of_cameras_is_forgotten_where_it_is_damaged(tmp_path: Path) -> None:
    slope = {"value": -0.4, "error": 0.02}
    field = {"camera": "S50", "filter_name": "IRCUT", "ra_deg": 10.0, "dec_deg": 41.0, "red": slope, "blue": slope}
    content = json.dumps({"fields": [field | {"stars": 30}, field | {"ra_deg": 200.0, "stars": 40}]})

    def read(path: Path, number: int) -> None:
        response = known_response(read_responses(path), "S50", "IRCUT", 100.0, 0.0)
        assert all(math.isfinite(slope.value) and slope.error > 0 for slope in (response.red, response.blue))

    survive("colour_responses.json", content.encode(), 300, tmp_path, read)
    for value in ('"steep"', "null", "[]", "0", "NaN", "1e999", "9" * 400):
        damaged = content.replace("0.02", value)
        (tmp_path / "responses.json").write_text(damaged, encoding="utf-8")
        read(tmp_path / "responses.json", 0)


def test_damaged_tables(tmp_path: Path) -> None:
    content = b"order,file_path,keep,group\n" + b"".join(b'%d,"/in/a_%d.fit",1,north\n' % (k, k) for k in range(30))
    survive("frames.csv", content, 200, tmp_path, lambda path, _: read_selection(path, tmp_path))


def test_damaged_locales(tmp_path: Path) -> None:
    (tmp_path / "en.json").write_bytes((locales_folder() / "en.json").read_bytes())
    content = json.dumps({"locale.name": "X", "reason.vanished": "{file} est parti", "locale.plural": "one"})

    def read(path: Path, number: int) -> None:
        Translator("xx", tmp_path, {}).text("reason.vanished", file="a")

    survive("xx.json", content.encode(), 100, tmp_path, read)


def test_damaged_reports(tmp_path: Path) -> None:
    frame = {"path": "/in/a.fit", "status": "used", "reason": {"key": "reason.vanished", "params": {"file": "a"}}}
    report = {"frames": [frame, frame | {"reason": None}], "settings": {"grid_tile_px": 512}, "pixel_record": "eJwr"}

    def read(path: Path, number: int) -> None:
        values = read_report(path)
        settings_in(values, path)
        records_in(values, path)

    survive("run_report.json", json.dumps(report).encode(), 300, tmp_path, read)
