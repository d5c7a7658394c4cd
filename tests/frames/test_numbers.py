"""Frames whose files hold their numbers on another scale than the camera's others are brought to one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fits_files import SEESTAR, fits_bytes, unsigned_bytes, write

from zemosaic.frames.frame_files import scan_folder
from zemosaic.frames.pixels import open_pixels


def sky(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(1200.0, 30.0, (96, 80)).astype(np.uint16)


def cards(second: int) -> str:
    return SEESTAR.replace("54:22", f"54:{second}")


@pytest.mark.parametrize("kind", ["fraction", "no BZERO"])
@pytest.mark.parametrize("most", [True, False])
def test_numbers_on_another_scale(tmp_path: Path, kind: str, most: bool) -> None:
    for second in range(10, 16):
        values = sky(second)
        odd = second % 3 != 0 if most else second == 12
        if not odd:
            content = unsigned_bytes(values, cards(second))
        elif kind == "fraction":
            content = fits_bytes(values.astype(np.float32) / 65535, cards(second), -32)
        else:
            content = fits_bytes(values.astype(np.int32) - 32768, cards(second))
        write(tmp_path / f"{second}.fit", content)
    for frame in scan_folder(tmp_path).frames:
        second = int(Path(frame.path).stem)
        noted = {note.key for note in frame.notes} & {"note.fraction_scale", "note.bzero_missing"}
        assert bool(noted) == (second % 3 != 0 if most else second == 12)
        source = open_pixels(frame, None)
        np.testing.assert_allclose(source.read(3, 40, 5, 70), sky(second)[3:40, 5:70], atol=0.01)
        assert source.read_all().dtype == source.dtype
        if kind == "no BZERO":
            assert source.dtype == np.uint16


def test_one_kind_of_numbers_is_left_alone(tmp_path: Path) -> None:
    for second in (10, 20):
        write(tmp_path / f"{second}.fit", fits_bytes(sky(second).astype(np.float32) / 65535, cards(second), -32))
    for frame in scan_folder(tmp_path).frames:
        assert (frame.number_scale, frame.number_zero, frame.notes) == (1.0, 0.0, ())
