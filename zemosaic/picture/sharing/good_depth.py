"""The part of a mosaic that is worth showing: the largest rectangle of good depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.picture.downsample import block_size, downsampled
from zemosaic.store.axis_order import Pixels

__all__ = ["deep_box", "largest_rectangle"]

MAP_PX = 400
GOOD_DEPTH = 0.35
"""Pixels with so many frames, as a part of the median number, are deep enough."""


def deep_box(coverage: Pixels, box: Box) -> Box:
    """Return the largest rectangle within a box whose pixels all have a good part of the usual number of frames.

    Parameters
    ----------
    coverage : array-like, shape (height, width)
        Frames per pixel.
    box : (y0, y1, x0, x1)
        Where to look.

    Returns
    -------
    (y0, y1, x0, x1)
        The whole box where nothing is covered.
    """
    y0, y1, x0, x1 = box
    frames = downsampled(coverage, MAP_PX, axis_order="HW", box=box, empty=0.0)[0]
    covered = frames[frames > 0]
    if not covered.size:
        return box
    top, bottom, left, right = largest_rectangle(frames >= GOOD_DEPTH * float(np.median(covered)))
    if top == bottom:
        return box
    side = block_size(y1 - y0, x1 - x0, MAP_PX)
    return y0 + top * side, min(y0 + bottom * side, y1), x0 + left * side, min(x0 + right * side, x1)


def largest_rectangle(good: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Return (row0, row1, column0, column1), half open, of the largest rectangle of true cells; zeros without any.

    For each row, columns are bars as high as their run of true cells upwards; of the largest rectangle under bars
    those to the left that are not lower are held on a stack.
    """
    best, place = 0, (0, 0, 0, 0)
    heights = np.zeros(good.shape[1] + 1, np.int64)
    for row, line in enumerate(good):
        heights[:-1] = np.where(line, heights[:-1] + 1, 0)
        bars: list[tuple[int, int]] = []
        for column, height in enumerate(heights.tolist()):
            start = column
            while bars and bars[-1][1] >= height:
                start, high = bars.pop()
                if high * (column - start) > best:
                    best, place = high * (column - start), (row + 1 - high, row + 1, start, column)
            bars.append((start, height))
    return place
