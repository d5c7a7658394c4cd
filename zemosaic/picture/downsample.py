"""Large arrays to small ones by averaging whole blocks of pixels, a band of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.store.axis_order import AxisLayout, AxisOrder, Pixels, axis_layout

__all__ = ["MaskedPixels", "block_size", "downsampled", "sampled"]

STRIP_ROWS = 128
"""Rows that are averaged at a time."""
MAX_AT_ONCE = 4
"""Larger blocks are summed by rows first: sums of few numbers are rounded less."""


@dataclass(frozen=True)
class MaskedPixels:
    """Planes that are NaN outside of a mask, made only of the part that is read."""

    source: NDArray[np.float32]
    """Shape (planes, h, w)."""
    inside: NDArray[np.bool_]
    """Shape (h, w)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(planes, h, w)."""
        return self.source.shape

    def __getitem__(self, key: Any, /) -> NDArray[np.float32]:
        channels, rows, columns = key
        return np.where(self.inside[rows, columns], self.source[channels, rows, columns], np.float32(np.nan))


def block_size(height: int, width: int, max_px: int) -> int:
    """Return the side of the square blocks that bring the longer side to at most `max_px`.

    Parameters
    ----------
    height, width : int
        In pixels.
    max_px : int
        Longest side after averaging.
    """
    return max(1, -(-max(height, width) // max_px))


def downsampled(
    source: Pixels, max_px: int, *, axis_order: AxisOrder = "HWC", box: Box | None = None, empty: float = np.nan
) -> NDArray[np.float32]:
    """Average blocks of pixels so that nothing is skipped and noise falls as it should.

    Parameters
    ----------
    source : array-like
        1 or 3 planes; NaN where there is no data.
    max_px : int
        Longest side of the result.
    axis_order : {"HWC", "CHW", "HW"}
        Which axis of `source` is which.
    box : (y0, y1, x0, x1) or None
        The part to shrink.
    empty : float
        Value of blocks without data.

    Returns
    -------
    ndarray, shape (planes, h, w), float32
        Means of the finite pixels of each block; the last row and column of blocks may be cut.
    """
    layout = axis_layout(source, axis_order)
    y0, y1, x0, x1 = box or (0, layout.height, 0, layout.width)
    side = block_size(y1 - y0, x1 - x0, max_px)
    h, w = -(-(y1 - y0) // side), -(-(x1 - x0) // side)
    if side == 1:
        return _with_empty(np.empty((layout.planes, h, w), np.float32), layout, (y0, y1, x0, x1), empty)
    sums = np.zeros((layout.planes, h, w), np.float32)
    counts = np.zeros((layout.planes, h, w), np.float32)
    for start, stop in layout.bands(y0, y1):
        band = layout.rows(start, stop, x0, x1)
        for first, last in _whole_blocks(start - y0, stop - y0, side):
            rows = band[:, first + y0 - start : last + y0 - start].astype(np.float32, copy=False)
            blocks = np.s_[:, first // side : -(-last // side)]
            finite = np.isfinite(rows)
            if finite.all():
                sums[blocks] += _block_sums(rows, side, first)
                counts[blocks] += _block_sums(np.ones((1, *rows.shape[1:]), np.float32), side, first)
            else:
                sums[blocks] += _block_sums(np.where(finite, rows, np.float32(0)), side, first)
                counts[blocks] += _block_sums(finite.astype(np.float32), side, first)
    np.divide(sums, counts, out=sums, where=counts > 0)
    sums[counts == 0] = empty
    return sums


def sampled(
    source: Pixels, max_px: int, *, axis_order: AxisOrder = "HWC", box: Box | None = None
) -> NDArray[np.float32]:
    """Return single pixels in equal steps, so that noise is that of the source.

    The result has the shape that `downsampled` gives, but for a cut last row and column.

    Parameters
    ----------
    source : array-like
        1 or 3 planes; NaN where there is no data.
    max_px : int
        Longest side of the result.
    axis_order : {"HWC", "CHW", "HW"}
        Which axis of `source` is which.
    box : (y0, y1, x0, x1) or None
        The part to take pixels of; None for all.
    """
    layout = axis_layout(source, axis_order)
    y0, y1, x0, x1 = box or (0, layout.height, 0, layout.width)
    side = block_size(y1 - y0, x1 - x0, max_px)
    bands = []
    for start, stop in layout.bands(y0, y1):
        rows = layout.rows(start, stop, x0, x1)
        bands.append(rows[:, -(start - y0) % side :: side, ::side].astype(np.float32))
    return np.concatenate(bands, axis=1)


def _with_empty(into: NDArray[np.float32], layout: AxisLayout, box: Box, empty: float) -> NDArray[np.float32]:
    """Fill an array with the pixels of a source, with another value where there is no data."""
    y0, y1, x0, x1 = box
    for start, stop in layout.bands(y0, y1):
        rows = into[:, start - y0 : stop - y0]
        rows[:] = layout.rows(start, stop, x0, x1)
        rows[~np.isfinite(rows)] = empty
    return into


def _whole_blocks(start: int, stop: int, side: int) -> Iterator[tuple[int, int]]:
    """Divide rows into strips that end with a block, so that what is made of a band at a time takes little memory."""
    step = max(1, STRIP_ROWS // side) * side
    for first in range(start // step * step, stop, step):
        yield max(first, start), min(first + step, stop)


def _block_sums(rows: NDArray[np.float32], side: int, first: int) -> NDArray[np.float32]:
    """Return the sums of the blocks that rows from number `first` on touch, shape (planes, blocks, blocks)."""
    above = first % side
    below, beside = -(above + rows.shape[1]) % side, -rows.shape[2] % side
    shape = ((rows.shape[2] + beside) // side, (above + rows.shape[1] + below) // side)
    sums = np.empty((len(rows), shape[1], shape[0]), np.float32)
    for plane, into in zip(rows, sums, strict=True):
        whole = cv2.copyMakeBorder(plane, above, below, 0, beside, cv2.BORDER_CONSTANT, value=0.0)
        if side > MAX_AT_ONCE:
            whole = cv2.resize(whole, (shape[0], len(whole)), interpolation=cv2.INTER_AREA)
        cv2.resize(whole, shape, dst=into, interpolation=cv2.INTER_AREA)
    sums *= np.float32(side * side)
    return sums
