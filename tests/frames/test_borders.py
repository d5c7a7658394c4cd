"""Constant borders and missing parts are no data; everything else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fits_files import SEESTAR, noise, unsigned_bytes, write

from zemosaic.errors import FrameError
from zemosaic.frames.frame_files import read_frame, scan_folder
from zemosaic.frames.pixels import open_pixels


@pytest.mark.parametrize("value", [0, 65535])
def test_borders_are_nan(tmp_path: Path, value: int) -> None:
    picture = noise()
    picture[:5] = picture[:, -7:] = value
    source = open_pixels(read_frame(write(tmp_path / "a.fit", unsigned_bytes(picture, SEESTAR))), None)
    whole = source.read_all()
    assert source.dtype == whole.dtype == np.float32
    assert np.isnan(whole[:5]).all() and np.isnan(whole[:, -7:]).all()
    np.testing.assert_array_equal(whole[5:, :-7], picture[5:, :-7])
    np.testing.assert_array_equal(source.read(3, 60, 40, 78), whole[3:60, 40:78])
    np.testing.assert_array_equal(source.read(90, 96, 75, 80), whole[90:96, 75:80])


def test_half_a_frame(tmp_path: Path) -> None:
    picture = noise()
    picture[60:] = 0
    whole = open_pixels(read_frame(write(tmp_path / "a.fit", unsigned_bytes(picture, SEESTAR))), None).read_all()
    assert np.isnan(whole[60:]).all() and np.isfinite(whole[:60]).all()


def test_a_file_that_was_not_copied_completely(tmp_path: Path) -> None:
    """Its complete rows are used, the others are no data; too few rows are refused by name."""
    picture = noise()
    content = unsigned_bytes(picture, SEESTAR)
    pixels_at = len(content) - -(-picture.nbytes // 2880) * 2880
    frame = read_frame(write(tmp_path / "a.fit", content[: pixels_at + 60 * 160 + 31]))
    assert [note.params["rows"] for note in frame.notes if note.key == "note.cut_short"] == [60]
    source = open_pixels(frame, None)
    whole = source.read_all()
    assert source.dtype == whole.dtype == np.float32
    assert np.isnan(whole[60:]).all()
    np.testing.assert_array_equal(whole[:60], picture[:60])
    for y0, y1 in ((0, 60), (50, 70), (60, 96), (70, 70)):
        np.testing.assert_array_equal(source.read(y0, y1, 3, 9), whole[y0:y1, 3:9])
    write(tmp_path / "complete.fit", content)
    scan = scan_folder(tmp_path)
    assert [Path(frame.path).name for frame in scan.frames] == ["complete.fit"], "no exposure counts twice"
    assert [item.reason.key for item in scan.dropped] == ["reason.same_exposure"]
    with pytest.raises(FrameError, match="truncated"):
        read_frame(write(tmp_path / "b.fit", content[: pixels_at + 20 * 160]))


def test_whole_and_constant_frames_are_left_alone(tmp_path: Path) -> None:
    black = np.zeros((96, 80), np.uint16)
    inner = noise()
    inner[20:40, 20:40] = 0
    for name, picture in (("black.fit", black), ("inner.fit", inner)):
        source = open_pixels(read_frame(write(tmp_path / name, unsigned_bytes(picture, SEESTAR))), None)
        assert source.dtype == np.uint16
        np.testing.assert_array_equal(source.read_all(), picture)
