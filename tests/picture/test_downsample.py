"""Averages of blocks of pixels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from zemosaic.picture.downsample import MaskedPixels, block_size, downsampled

BOXES = ((0, 301, 0, 233), (13, 296, 5, 230))


def plain(planes: NDArray[np.float32], side: int) -> NDArray[np.float64]:
    """Return the means of the finite pixels of blocks, block by block."""
    height, width = (-(-n // side) for n in planes.shape[1:])
    means = np.full((len(planes), height, width), np.nan)
    for row, column in np.ndindex(height, width):
        block = planes[:, row * side : (row + 1) * side, column * side : (column + 1) * side].reshape(len(planes), -1)
        for channel, values in enumerate(block.astype(np.float64)):
            finite = values[np.isfinite(values)]
            means[channel, row, column] = finite.mean() if len(finite) else np.nan
    return means


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("max_px", [301, 151, 90, 40, 12])
@pytest.mark.parametrize("holes", [False, True])
def test_blocks_are_the_means_of_their_finite_pixels(
    monkeypatch: pytest.MonkeyPatch, holes: bool, max_px: int, box: tuple[int, int, int, int]
) -> None:
    # Bands of a few rows begin and end in the midst of blocks.
    monkeypatch.setattr("zemosaic.store.axis_order.BAND_BYTES", 3 * 233 * 4 * 29)
    rng = np.random.default_rng(3)
    planes = rng.normal(1000.0, 5.0, (3, 301, 233)).astype(np.float32)
    if holes:
        planes[:, rng.random(planes.shape[1:]) < 0.3] = np.nan
        planes[:, :60, :60] = np.nan
    y0, y1, x0, x1 = box
    side = block_size(y1 - y0, x1 - x0, max_px)
    expected = plain(planes[:, y0:y1, x0:x1], side)
    np.testing.assert_allclose(downsampled(planes, max_px, axis_order="CHW", box=box), expected, rtol=3e-7)


def test_masked_pixels_count_for_nothing() -> None:
    planes = np.arange(3 * 6 * 8, dtype=np.float32).reshape(3, 6, 8)
    inside = np.ones((6, 8), bool)
    inside[:2, :2] = inside[2, 3] = False
    holed = np.where(inside, planes, np.float32(np.nan))
    found = downsampled(MaskedPixels(planes, inside), 4, axis_order="CHW")
    np.testing.assert_array_equal(found, downsampled(holed, 4, axis_order="CHW"))
    assert np.isnan(found[:, 0, 0]).all() and np.isfinite(found[:, 1, 1]).all()
