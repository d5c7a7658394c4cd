"""Raw pixels as colour planes of float32, ready to be resampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.frames.debayer import colour_sites

__all__ = ["EDGE", "colour_planes"]

EDGE = 3
"""Pixels at each edge of a Bayer frame that are not meaningful."""

# Weights that keep parabolas: bilinear ones would widen the stars.
_NEAR, _FAR = np.float32(9 / 16), np.float32(-1 / 16)
_CROSS, _KNIGHT = np.float32(10 / 32), np.float32(-1 / 32)


def colour_planes(pixels: NDArray[Any], bayer: str | None) -> NDArray[np.float32]:
    """Return the colour planes of a frame or of a window that begins at even pixels.

    Missing colours are interpolated from pixels of the same colour alone, so that neither noise nor
    defects of one colour enter another: red and blue by cubics along rows and columns, green by the
    4 nearest and the 8 next pixels, with weights that are exact for polynomials of second degree.

    Parameters
    ----------
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Numbers as read.
    bayer : str or None
        Bayer pattern of the first 2 x 2 pixels.

    Returns
    -------
    ndarray of float32, shape (1 or 3, h, w)
        The outermost `EDGE` pixels of a Bayer frame are not meaningful.
    """
    if pixels.ndim == 3:
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0), np.float32)
    if bayer is None:
        return np.ascontiguousarray(pixels, np.float32)[None]
    (ry, rx), _, _, (by, bx) = colour_sites(bayer)
    raw = np.ascontiguousarray(pixels, np.float32)
    out = np.zeros((3, *raw.shape), np.float32)
    if min(raw.shape) > 2 * EDGE:
        _sparse_colour(raw, ry, rx, out[0])
        _sparse_colour(raw, by, bx, out[2])
        _green(raw, (ry + rx + 1) % 2, out[1])
    return out


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def _sparse_colour(raw, y0, x0, out):  # type: ignore[no-untyped-def]
    """Fill a plane of a colour that one pixel in four has."""
    height, width = raw.shape
    for y in range(y0, height, 2):
        row, into = raw[y], out[y]
        for x in range(x0, width, 2):
            into[x] = row[x]
        for x in range(x0 + 3, width - 3, 2):
            into[x] = _NEAR * (row[x - 1] + row[x + 1]) + _FAR * (row[x - 3] + row[x + 3])
    for y in range(4 - y0 - 1 if y0 == 0 else 4, height - 3, 2):
        a, b, c, d, into = out[y - 3], out[y - 1], out[y + 1], out[y + 3], out[y]
        for x in range(width):
            into[x] = _NEAR * (b[x] + c[x]) + _FAR * (a[x] + d[x])


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract"})
def _green(raw, parity, out):  # type: ignore[no-untyped-def]
    """Fill the green plane; green pixels are those with (x + y) % 2 == parity."""
    height, width = raw.shape
    for y in range(2, height - 2):
        up2, up, here, down, down2 = raw[y - 2], raw[y - 1], raw[y], raw[y + 1], raw[y + 2]
        into = out[y]
        for x in range(2 + (y + parity) % 2, width - 2, 2):
            into[x] = here[x]
        for x in range(2 + (y + parity + 1) % 2, width - 2, 2):
            cross = up[x] + down[x] + here[x - 1] + here[x + 1]
            knight = up2[x - 1] + up2[x + 1] + down2[x - 1] + down2[x + 1]
            knight += up[x - 2] + up[x + 2] + down[x - 2] + down[x + 2]
            into[x] = _CROSS * cross + _KNIGHT * knight
