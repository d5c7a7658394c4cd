"""Large arrays to small ones by averaging whole blocks of pixels, a band of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.store.axis_order import AxisLayout, AxisOrder, Pixels, axis_layout

__all__ = ["block_size", "downsampled", "sampled"]

STRIP_ROWS = 128
"""Rows that are averaged at a time."""


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
            finite = np.isfinite(rows)
            blocks = np.arange(first, last) // side
            firsts = np.flatnonzero(np.diff(blocks, prepend=-1))
            sums[:, blocks[firsts]] += _block_sums(np.where(finite, rows, np.float32(0)), side, firsts)
            counts[:, blocks[firsts]] += _block_sums(finite.astype(np.float32), side, firsts)
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


def _block_sums(rows: NDArray[np.float32], side: int, firsts: NDArray[np.intp]) -> NDArray[np.float32]:
    """Sum `side` columns each, and the rows from each of `firsts` to the next."""
    missing = -rows.shape[2] % side
    whole = np.pad(rows, ((0, 0), (0, 0), (0, missing))) if missing else rows
    columns = whole[:, :, ::side].copy()
    for offset in range(1, side):
        columns += whole[:, :, offset::side]
    return np.add.reduceat(columns, firsts, axis=1)
