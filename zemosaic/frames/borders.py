"""Borders of one constant value: a frame registered or cropped elsewhere, or of which only a part was transferred.

Such rows and columns are no data.  Noise never makes a whole row of equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box

__all__ = ["data_box"]


_PROBED_ROWS = 4
MIN_DATA_PART = 0.25
"""Where less of a picture lies inside its constant borders, it is a picture of something small on a plain ground."""


def data_box(read: Callable[[int, int, int, int], NDArray[Any]], height: int, width: int) -> Box:
    """Return the part of a picture inside its constant borders; all of it where there are none.

    A picture that is constant everywhere, or nearly so, is returned whole: what is wrong with it is not its borders.

    Parameters
    ----------
    read : callable
        Returns the rows y0 to y1 and columns x0 to x1 as an array of shape (rows, columns) or (rows, columns, 3).
    height, width : int
        Size of the picture in pixels.
    """
    whole = (0, height, 0, width)
    middle = read(height // 2, min(height // 2 + _PROBED_ROWS, height), 0, width)
    sides = (read(0, 1, 0, width), read(height - 1, height, 0, width), middle[:, :1], middle[:, -1:])
    if not any(_constant(side) for side in sides):
        return whole
    pixels = read(*whole)
    flat = pixels if pixels.ndim == 2 else pixels[..., 1]
    rows, columns = _varied(flat, 1), _varied(flat, 0)
    if not rows.any() or not columns.any():
        return whole
    y0, y1 = int(rows.argmax()), height - int(rows[::-1].argmax())
    x0, x1 = int(columns.argmax()), width - int(columns[::-1].argmax())
    return (y0, y1, x0, x1) if (y1 - y0) * (x1 - x0) >= MIN_DATA_PART * height * width else whole


def _constant(pixels: NDArray[Any]) -> bool:
    return bool((pixels == pixels.flat[0]).all())


def _varied(pixels: NDArray[Any], axis: int) -> NDArray[np.bool_]:
    """Return which rows (axis 1) or columns (axis 0) hold more than one value."""
    return np.asarray(pixels.max(axis=axis) != pixels.min(axis=axis))
