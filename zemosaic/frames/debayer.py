"""Colours of raw Bayer frames.

A pattern names the top left 2 x 2 pixels of the array, row by row: ``"GRBG"`` is green, red in row 0
and blue, green in row 1.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["colour_sites", "debayer", "green_image", "half_size"]

# OpenCV's plain names (BayerBG ...) describe the second row and column; these name the first.
_CODES = {
    "RGGB": cv2.COLOR_BayerRGGB2RGB,
    "BGGR": cv2.COLOR_BayerBGGR2RGB,
    "GRBG": cv2.COLOR_BayerGRBG2RGB,
    "GBRG": cv2.COLOR_BayerGBRG2RGB,
}


def debayer(raw: NDArray[np.uint16], pattern: str) -> NDArray[np.uint16]:
    """Return the bilinear colour picture of a raw frame.

    Parameters
    ----------
    raw : ndarray of uint16, shape (h, w)
        Raw frame, at least 4 x 4 pixels.
    pattern : str
        ``RGGB``, ``BGGR``, ``GRBG`` or ``GBRG``.

    Returns
    -------
    ndarray of uint16, shape (h, w, 3)
        Red, green, blue.

    Raises
    ------
    KeyError
        When the pattern is none of the four.
    """
    planes: NDArray[np.uint16] = cv2.cvtColor(np.ascontiguousarray(raw), _CODES[pattern])
    return planes


def colour_sites(pattern: str) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return (row, column) in the 2 x 2 cell of red, the two greens (by row) and blue."""
    if pattern not in _CODES:
        raise KeyError(pattern)
    sites = [divmod(i, 2) for i in range(4)]
    red, blue = (sites[pattern.index(colour)] for colour in "RB")
    first, second = (site for site, colour in zip(sites, pattern, strict=True) if colour == "G")
    return red, first, second, blue


def half_size(raw: NDArray[np.uint16] | NDArray[np.float32], pattern: str) -> NDArray[np.float32]:
    """Return one colour pixel for every 2 x 2 cell: red, the mean of both greens, blue.

    Parameters
    ----------
    raw : ndarray of uint16 or float32, shape (h, w)
        Raw frame; an odd last row or column is left out.
    pattern : str
        ``RGGB``, ``BGGR``, ``GRBG`` or ``GBRG``.

    Returns
    -------
    ndarray of float32, shape (3, h // 2, w // 2)
        The centre of pixel (y, x) is (2 y + 0.5, 2 x + 0.5) of the raw frame.
    """
    (ry, rx), (gy, gx), (hy, hx), (by, bx) = colour_sites(pattern)
    halved: NDArray[np.float32] = _half_size(raw, ry, rx, gy, gx, hy, hx, by, bx)
    return halved


def green_image(raw: NDArray[np.uint16] | NDArray[np.float32], pattern: str) -> NDArray[np.float32]:
    """Return green at full size: as measured at green pixels, elsewhere the mean of the green neighbours.

    Parameters
    ----------
    raw : ndarray of uint16 or float32, shape (h, w)
        Raw frame.
    pattern : str
        ``RGGB``, ``BGGR``, ``GRBG`` or ``GBRG``.

    Returns
    -------
    ndarray of float32, shape (h, w)
    """
    _, (gy, gx), _, _ = colour_sites(pattern)
    green: NDArray[np.float32] = _green_image(raw, (gy + gx) % 2)
    return green


@njit(cache=True)
def _half_size(raw, ry, rx, gy, gx, hy, hx, by, bx):  # type: ignore[no-untyped-def]
    height, width = raw.shape[0] // 2, raw.shape[1] // 2
    half = np.float32(0.5)
    out = np.empty((3, height, width), np.float32)
    for y in range(height):
        red, green, other, blue = raw[2 * y + ry], raw[2 * y + gy], raw[2 * y + hy], raw[2 * y + by]
        for x in range(width):
            out[0, y, x] = red[2 * x + rx]
            out[1, y, x] = half * (np.float32(green[2 * x + gx]) + np.float32(other[2 * x + hx]))
            out[2, y, x] = blue[2 * x + bx]
    return out


@njit(cache=True)
def _green_image(raw, parity):  # type: ignore[no-untyped-def]
    height, width = raw.shape
    quarter = np.float32(0.25)
    out = raw.astype(np.float32)
    for y in range(1, height - 1):
        for x in range(1 + (y + 1 + parity + 1) % 2, width - 1, 2):
            total = np.float32(raw[y - 1, x]) + np.float32(raw[y + 1, x])
            total += np.float32(raw[y, x - 1]) + np.float32(raw[y, x + 1])
            out[y, x] = quarter * total
    for y in range(height):
        edge = y == 0 or y == height - 1
        step = 1 if edge else max(width - 1, 1)
        for x in range(0, width, step):
            if (x + y) % 2 == parity:
                continue
            total, count = np.float32(0), np.float32(0)
            for j, i in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if 0 <= j < height and 0 <= i < width:
                    total += np.float32(raw[j, i])
                    count += np.float32(1)
            out[y, x] = total / count
    return out
