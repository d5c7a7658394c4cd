"""Raw pixels as colour planes of float32, ready to be resampled."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.frames.debayer import colour_sites

__all__ = ["colour_planes"]


def colour_planes(pixels: NDArray[Any], bayer: str | None) -> NDArray[np.float32]:
    """Return the colour planes of a frame or of a window that begins at even pixels.

    Parameters
    ----------
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Numbers as read.
    bayer : str or None
        Bayer pattern of the first 2 x 2 pixels; missing colours are bilinear between their neighbours.

    Returns
    -------
    ndarray of float32, shape (1 or 3, h, w)
        The outermost pixels of a Bayer frame are not meaningful.
    """
    if pixels.ndim == 3:
        return np.ascontiguousarray(np.moveaxis(pixels, -1, 0), np.float32)
    if bayer is None:
        return np.ascontiguousarray(pixels, np.float32)[None]
    (ry, rx), _, _, (by, bx) = colour_sites(bayer)
    out = np.zeros((3, *pixels.shape), np.float32)
    if min(pixels.shape) >= 4:
        _bilinear(np.ascontiguousarray(pixels), ry, rx, by, bx, out)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def _bilinear(raw, ry, rx, by, bx, out):  # type: ignore[no-untyped-def]
    height, width = raw.shape
    half, quarter = np.float32(0.5), np.float32(0.25)
    for y in range(1, height - 1):
        up, here, down = raw[y - 1], raw[y], raw[y + 1]
        own, other = (0, 2) if (y & 1) == ry else (2, 0)
        site = rx if own == 0 else bx
        green, mine, crossed = out[1, y], out[own, y], out[other, y]
        for x in range(2 - site, width - 1, 2):
            value = np.float32(here[x])
            mine[x] = value
            green[x] = quarter * (
                np.float32(up[x]) + np.float32(down[x]) + np.float32(here[x - 1]) + np.float32(here[x + 1])
            )
            crossed[x] = quarter * (
                np.float32(up[x - 1]) + np.float32(up[x + 1]) + np.float32(down[x - 1]) + np.float32(down[x + 1])
            )
        for x in range(1 + site, width - 1, 2):
            green[x] = np.float32(here[x])
            mine[x] = half * (np.float32(here[x - 1]) + np.float32(here[x + 1]))
            crossed[x] = half * (np.float32(up[x]) + np.float32(down[x]))
