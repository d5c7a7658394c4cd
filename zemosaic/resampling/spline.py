"""A picture of several channels onto other pixels by cubic splines, the compiled way.

Positions are exact at the points of a lattice and linear in between; a position's weights serve all channels.

References
----------
Unser, Aldroubi & Eden 1991, IEEE Trans. PAMI 13, 277 (cubic B-spline interpolation; mirrored at the borders).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.ndimage import spline_filter

from zemosaic.arrays import Float32s
from zemosaic.resampling.warp import Lattice

__all__ = ["Placed", "placed"]

Placed = tuple[Float32s, Float32s, NDArray[np.int32]]


def placed(
    value: Float32s, share: Float32s, lattice: Lattice, step: int, corner: tuple[int, int], size: tuple[int, int]
) -> Placed:
    """Resample a picture and its shares onto a box of the canvas.

    Parameters
    ----------
    value : ndarray, shape (channels, h, w), float32
        Without NaN; channels may be 0.
    share : ndarray, shape (h, w), float32
        Interpolated linearly: it does not ring where a picture ends.
    lattice : Lattice
        Where the lattice points round the box lie on the picture.
    step : int
        Canvas pixels between lattice points.
    corner, size : tuple of int
        Row and column of the box's first pixel on the canvas, its height and width.

    Returns
    -------
    value : ndarray, shape (channels, height, width), float32
        NaN where there is no share.
    share : ndarray, shape (height, width), float32
    nearest : ndarray, shape (height, width), int32
        Flat index of the nearest pixel of the picture; -1 where there is no share.
    """
    coefficients = np.empty(value.shape, np.float32)
    for plane, into in zip(value, coefficients, strict=True):
        spline_filter(plane, order=3, output=into, mode="mirror")
    out = np.full((len(value), *size), np.nan, np.float32)
    shares, nearest = np.zeros(size, np.float32), np.full(size, -1, np.int32)
    geometry = (lattice.x, lattice.y, corner[0] - lattice.row0, corner[1] - lattice.column0, step)
    _place(coefficients, share, geometry, out, shares, nearest)
    return out, shares, nearest


@njit(cache=True, error_model="numpy", nogil=True)
def _place(coefficients, share, geometry, value, shares, nearest):  # type: ignore[no-untyped-def]
    lx, ly, down, right, step = geometry
    height, width = share.shape
    across, columns = np.empty(4, np.float32), np.empty(4, np.int64)
    along, rows = np.empty(4, np.float32), np.empty(4, np.int64)
    for j in range(shares.shape[0]):
        row, t = (j + down) // step, (j + down) % step / step
        for i in range(shares.shape[1]):
            column, s = (i + right) // step, (i + right) % step / step
            x, y = _between(lx, row, t, column, s), _between(ly, row, t, column, s)
            if not (x >= 0 and y >= 0 and x <= width - 1 and y <= height - 1):
                continue
            fx, fy = min(int(x), width - 2), min(int(y), height - 2)
            linear_share = np.float32(_between(share, fy, y - fy, fx, x - fx))
            if not linear_share > 0:
                continue
            shares[j, i] = linear_share
            nearest[j, i] = int(np.rint(y)) * width + int(np.rint(x))
            _weights(x, width, across, columns)
            _weights(y, height, along, rows)
            for c in range(len(coefficients)):
                total = np.float32(0)
                for k in range(4):
                    line = coefficients[c, rows[k]]
                    sum_ = across[0] * line[columns[0]] + across[1] * line[columns[1]]
                    sum_ += across[2] * line[columns[2]] + across[3] * line[columns[3]]
                    total += along[k] * sum_
                value[c, j, i] = total


@njit(cache=True, error_model="numpy", nogil=True)
def _between(points, row, t, column, s):  # type: ignore[no-untyped-def]
    """Return the linear interpolation at (row + t, column + s)."""
    upper = (1 - s) * points[row, column] + s * points[row, column + 1]
    lower = (1 - s) * points[row + 1, column] + s * points[row + 1, column + 1]
    return (1 - t) * upper + t * lower


@njit(cache=True, error_model="numpy", nogil=True)
def _weights(place, size, weights, pixels):  # type: ignore[no-untyped-def]
    """Fill in the four weights of a place along one axis, and the pixels they belong to, mirrored at the ends."""
    first = int(place) - 1
    t = place - int(place)
    s = 1.0 - t
    weights[0] = s * s * s / 6.0
    weights[1] = (4.0 + t * t * (3.0 * t - 6.0)) / 6.0
    weights[2] = (4.0 + s * s * (3.0 * s - 6.0)) / 6.0
    weights[3] = t * t * t / 6.0
    for k in range(4):
        pixel = abs(first + k)
        pixels[k] = pixel if pixel < size else 2 * (size - 1) - pixel
