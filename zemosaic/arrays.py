"""Names and small measures that every room uses: boxes, arrays of numbers, the green channel, a robust sigma."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["MAD_TO_SIGMA", "Box", "Float32s", "Float64s", "Indices", "green_channel", "median_sigma"]

Box = tuple[int, int, int, int]
"""Rows and columns of a window: y0, y1, x0, x1; y1 and x1 are the first ones outside."""
Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]
Indices = NDArray[np.intp]

MAD_TO_SIGMA = 1.4826
"""Standard deviation of normally distributed values in units of their median absolute deviation, 1 / Phi^-1(3/4)."""


def median_sigma(deviations: ArrayLike) -> float:
    """Return the robust standard deviation of values whose centre is taken off, 1.4826 times the median of their size.

    Parameters
    ----------
    deviations : array_like of float
        Values without their median (or another robust centre), of any shape and unit.

    Returns
    -------
    float
        In the unit of the values; NaN of no values.
    """
    return MAD_TO_SIGMA * float(np.median(np.abs(deviations)))


def green_channel(channels: int) -> int:
    """Return the index of the green channel, or of the only one."""
    return min(1, channels - 1)
