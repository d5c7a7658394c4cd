"""Constant borders and missing parts are no data; everything else is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fits_files import SEESTAR, noise, unsigned_bytes, write

from zemosaic.frames.frame_files import read_frame
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


def test_whole_and_constant_frames_are_left_alone(tmp_path: Path) -> None:
    black = np.zeros((96, 80), np.uint16)
    inner = noise()
    inner[20:40, 20:40] = 0
    for name, picture in (("black.fit", black), ("inner.fit", inner)):
        source = open_pixels(read_frame(write(tmp_path / name, unsigned_bytes(picture, SEESTAR))), None)
        assert source.dtype == np.uint16
        np.testing.assert_array_equal(source.read_all(), picture)
