"""A decoder that dies or never ends costs one file, in a worker, in the process of the run and in the windows."""

from __future__ import annotations

import gzip
import io
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from zemosaic.compute.budget import PICTURE_BYTES, Budget, largest_picture, make_budget
from zemosaic.errors import FrameError, NothingUsable
from zemosaic.frames import tile_decoder
from zemosaic.frames.frame_files import read_frame, scan_folder
from zemosaic.frames.headers import header
from zemosaic.frames.pixels import open_pixels
from zemosaic.phases.picture_memory import frames_within_memory, refuse_beyond, usual_picture


def compressed(path: Path, zipped: bool = False) -> Path:
    """Write a Rice-compressed frame of random numbers."""
    values = np.random.default_rng(7).integers(0, 60_000, (64, 80), dtype=np.uint16)
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(values, compression_type="RICE_1")]).writeto(out)
    path.write_bytes(gzip.compress(out.getvalue()) if zipped else out.getvalue())
    return path


def dying(image: header.FitsImage) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def endless(image: header.FitsImage) -> None:
    while True:
        pass


class _Deadly(tile_decoder._Helper):
    """Starts processes whose decoder does something else."""

    def __init__(self, decode: object, limit_s: float) -> None:
        super().__init__()
        self.arguments = (decode, limit_s)

    def _started(self) -> object:
        if self._connection is None:
            spawn = tile_decoder.multiprocessing.get_context("spawn")
            self._connection, theirs = spawn.Pipe()
            self._process = spawn.Process(target=_serve_with, args=(theirs, *self.arguments), daemon=True)
            self._process.start()
            theirs.close()
        return self._connection


def _serve_with(connection: object, decode: object, limit_s: float) -> None:
    tile_decoder._decode, tile_decoder.MAX_DECODE_S = decode, limit_s
    tile_decoder._serve(connection)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="CPU time cannot be limited here")
@pytest.mark.parametrize(("decode", "code"), [(dying, "-9"), (endless, str(-getattr(signal, "SIGPROF", 27)))])
def test_a_file_that_kills_or_hangs_its_decoder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decode: object, code: str
) -> None:
    path = compressed(tmp_path / "a.fits.fz")
    helper = _Deadly(decode, 0.3)
    monkeypatch.setattr(tile_decoder, "_HELPER", helper)
    with pytest.raises(FrameError) as caught:
        open_pixels(read_frame(path), None)
    helper.close()
    assert caught.value.reason.key == "reason.decoder_killed" and code in caught.value.reason.params["detail"]
    assert caught.value.reason.params["file"] == "a.fits.fz"


def test_a_decoder_that_was_ended_from_outside_is_started_again(tmp_path: Path) -> None:
    frame = read_frame(compressed(tmp_path / "a.fits.fz"))
    first = open_pixels(frame, None).read_all()
    tile_decoder._HELPER._process.kill()
    np.testing.assert_array_equal(open_pixels(frame, None).read_all(), first)
    tile_decoder._HELPER.close()


def test_a_tiled_file_that_is_zipped_as_a_whole_is_unzipped_only_as_far_as_its_picture_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = compressed(tmp_path / "a.fits.fz.gz", zipped=True)
    image = header.find_image(path)
    assert image.gzipped and image.tiled
    monkeypatch.setattr(tile_decoder, "MAX_TRAILING_BYTES", 0)
    bomb = gzip.compress(gzip.decompress(path.read_bytes()) + bytes(50_000_000))
    path.write_bytes(bomb)
    assert len(tile_decoder._content(image)) <= image.data_offset + 2 * 64 * 80 * 2


def test_a_zipped_file_is_not_unzipped_for_ever_to_find_a_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header, "MAX_UNZIPPED_START_BYTES", 1 << 20)
    block = header_of(8, 1 << 40)
    path = tmp_path / "bomb.fit.gz"
    path.write_bytes(gzip.compress(block + bytes(4_000_000)))
    with pytest.raises(FrameError):
        header.find_image(path)


def header_of(bitpix: int, *axes: int) -> bytes:
    """Return the block of a FITS header."""
    values = {"SIMPLE": "T", "BITPIX": bitpix, "NAXIS": len(axes)}
    values |= {f"NAXIS{number}": axis for number, axis in enumerate(axes, 1)}
    cards = [f"{key:8}= {value:>20}" for key, value in values.items()]
    return "".join(card.ljust(80) for card in [*cards, "END"]).ljust(2880).encode()


def plain(path: Path, height: int, width: int) -> Path:
    """Write the header of a zipped frame, without its pixels."""
    block = header_of(16, width, height)
    with gzip.open(path, "wb", 1) as stream:
        stream.write(block)
    return path


def test_pictures_that_the_memory_limit_cannot_hold_are_refused_by_their_headers(tmp_path: Path) -> None:
    plain(tmp_path / "bomb.fit.gz", 20_000, 20_000)
    scan = scan_folder(tmp_path, refuse=refuse_beyond(1.5))
    assert [dropped.reason.key for dropped in scan.dropped] == ["reason.needs_memory"] and not scan.frames
    assert scan.dropped[0].reason.params["needed_gb"] == pytest.approx(12.0)
    assert largest_picture(1.5) > 6000 * 4000, "a frame of a camera with 24 million pixels fits"


def test_workers_are_as_many_as_can_hold_the_usual_picture_and_exceptions_are_refused(tmp_path: Path) -> None:
    def frame(number: int, side: int) -> SimpleNamespace:
        return SimpleNamespace(frame_id=number, path=f"/in/{number}.fit", width=side, height=side, planes=1)

    frames = [*(frame(k, 2000) for k in range(99)), frame(99, 9000)]
    assert usual_picture(frames) == 2000 * 2000 and usual_picture([]) == 0
    few, many = make_budget(3.0, 8, picture=6000 * 6000), make_budget(3.0, 8, picture=2000 * 2000)
    assert few.workers < many.workers and few.largest_picture >= 6000 * 6000
    dropped: list[object] = []
    context = SimpleNamespace(
        workers=SimpleNamespace(budget=Budget(1 << 31, 1, 1 << 28, share_bytes=5000 * 5000 * PICTURE_BYTES)),
        drop=dropped.append,
        reporter=SimpleNamespace(dropped=dropped),
        settings=SimpleNamespace(input_dir="/in"),
    )
    assert [kept.frame_id for kept in frames_within_memory(context, frames)] == list(range(99))
    assert [(drop.path, drop.reason.key) for drop in dropped] == [("/in/99.fit", "reason.needs_memory")]
    with pytest.raises(NothingUsable):
        frames_within_memory(context, frames[99:])
