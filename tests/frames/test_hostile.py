"""No file, however damaged, does more than lose itself."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from fits_files import DATA, SEESTAR, noise, sentence, unsigned_bytes, write
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.errors import FrameError
from zemosaic.frames.frame_files import read_frame
from zemosaic.frames.pixels import open_pixels

WCS = """\
CTYPE1  = 'RA---TAN-SIP'
CTYPE2  = 'DEC--TAN-SIP'
CRVAL1  = 192.9
CRVAL2  = 41.0
CRPIX1  = 32.5
CRPIX2  = 32.5
CD1_1   = -6.6E-04
CD1_2   = 1.0E-05
CD2_1   = 1.0E-05
CD2_2   = 6.6E-04
A_ORDER = 2
A_2_0   = 1.0E-07
B_ORDER = 2
B_0_2   = 1.0E-07
"""


def rice() -> bytes:
    """Return a Rice-compressed Seestar frame."""
    header = fits.Header.fromstring(SEESTAR, sep="\n")
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(noise((64, 64)), header, compression_type="RICE_1")]).writeto(
        out
    )
    return out.getvalue()


PLAIN = unsigned_bytes(noise((64, 64)), WCS + SEESTAR)
VALID = {"plain.fit": PLAIN, "zipped.fit.gz": gzip.compress(PLAIN, mtime=0), "tiled.fit.fz": rice()}


def survives(path: Path) -> None:
    """Read header and pixels: all that may come out is a frame or a reason with a sentence."""
    try:
        frame = read_frame(path)
        pixels = open_pixels(frame, None).read_all()
    except FrameError as problem:
        assert sentence(problem.reason) and sentence(problem.reason, "fr")
    else:
        assert pixels.shape[:2] == (frame.height, frame.width)
        assert all(sentence(note) and sentence(note, "fr") for note in frame.notes)


def test_the_whole_files_are_valid(tmp_path: Path) -> None:
    for name, content in VALID.items():
        pixels = open_pixels(read_frame(write(tmp_path / name, content)), None).read_all()
        np.testing.assert_array_equal(pixels, noise((64, 64)))


@pytest.mark.parametrize("name", VALID)
@given(data=st.data())
@settings(max_examples=120)
def test_random_damage(tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject) -> None:
    content = bytearray(VALID[name])
    for _ in range(data.draw(st.integers(0, 6))):
        # Half of the damage goes to the cards, where a byte does most.
        at = data.draw(st.one_of(st.integers(0, min(8000, len(content)) - 1), st.integers(0, len(content) - 1)))
        piece = data.draw(st.binary(min_size=1, max_size=12))
        content[at : at + len(piece)] = piece
    end = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    survives(write(tmp_path_factory.getbasetemp() / "damage" / name, bytes(content[:end])))


@given(
    key=st.sampled_from([line[:8] for line in (WCS + SEESTAR).splitlines()] + ["NAXIS1  ", "BITPIX  ", "NAXIS   "]),
    value=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60),
)
@settings(max_examples=150)
def test_random_values(tmp_path_factory: pytest.TempPathFactory, key: str, value: str) -> None:
    at = PLAIN.index(key.encode() + b"=")
    card = f"{key}= {value}"[:80].ljust(80).encode("latin-1")
    content = PLAIN[:at] + card + PLAIN[at + 80 :]
    survives(write(tmp_path_factory.getbasetemp() / "values" / "a.fit", content))


NUMBERS = ["0", "-1", "1E400", "-1E308", "1E-320", "9" * 60, "NaN", "inf", "0x10", "1_0", "T", "F", "''", "'", "1,5"]


@pytest.mark.parametrize("number", NUMBERS)
def test_odd_numbers_everywhere(tmp_path: Path, number: str) -> None:
    at = 0
    while not PLAIN.startswith(b"END ", at):
        if at:
            content = PLAIN[: at + 10] + number.ljust(70).encode() + PLAIN[at + 80 :]
            survives(write(tmp_path / "a.fit", content))
        at += 80


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_hostile_collection() -> None:
    paths = sorted(p for folder in DATA.glob("odd_*") for p in folder.rglob("*") if p.is_file())
    assert len(paths) > 100
    for path in paths:
        survives(path)
