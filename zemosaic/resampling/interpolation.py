"""The kernels that read between pixels, as tables."""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["STEPS", "STEP_BITS", "Interpolation", "Kernels", "cubic_table", "kernels_of", "lanczos_table"]

STEP_BITS = 10
STEPS = 1 << STEP_BITS
"""Fractions of a pixel that the tables tell apart: few enough for the processor's nearest cache."""

Kernels = tuple[NDArray[np.float32], NDArray[np.float32]]


class Interpolation(StrEnum):
    """How a sample between the pixels is made of those round it."""

    NEAREST = "nearest"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    LANCZOS3 = "lanczos3"


@lru_cache(maxsize=4)
def kernels_of(interpolation: Interpolation) -> Kernels:
    """Return the table for pixels that lie side by side and the one for red and blue of a Bayer frame.

    Tables have STEPS + 1 rows and 4 columns (pixels -1 to 2 round the place) or 8 (pixels -2 to 3 and
    two zeros).  Red and blue pixels lie too far apart for Lanczos-3, which rings: they get the cubic.
    """
    if interpolation is Interpolation.LANCZOS3:
        return np.pad(lanczos_table(), ((0, 0), (0, 2))), cubic_table()
    if interpolation is Interpolation.BICUBIC:
        return cubic_table(), cubic_table()
    fraction = np.arange(STEPS + 1) / STEPS
    if interpolation is Interpolation.NEAREST:
        fraction = np.round(fraction)
    table = np.zeros((STEPS + 1, 4), np.float32)
    table[:, 1], table[:, 2] = 1.0 - fraction, fraction
    return table, table


def lanczos_table(steps: int = STEPS, reach: int = 3) -> NDArray[np.float32]:
    """Return Lanczos-3 weights by fraction of a pixel, shape (steps + 1, 6), rows summing to 1.

    Duchon 1979, J. Appl. Meteor. 18, 1016.

    Parameters
    ----------
    steps : int
        Fractions of a pixel that the table tells apart.
    reach : int
        Pixels on each side; 3 makes it Lanczos-3.

    Returns
    -------
    ndarray, shape (steps + 1, 2 reach), float32
    """
    fraction = np.arange(steps + 1)[:, None] / steps
    offset = fraction - np.arange(1 - reach, reach + 1)[None, :]
    kernel = np.where(np.abs(offset) < reach, np.sinc(offset) * np.sinc(offset / reach), 0.0)
    table: NDArray[np.float32] = (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)
    return table


def cubic_table(steps: int = STEPS) -> NDArray[np.float32]:
    """Return cubic convolution weights by fraction of a pixel, shape (steps + 1, 4), rows summing to 1.

    Keys 1981, IEEE Trans. ASSP 29, 1153, with a = -1/2.
    """
    t = np.arange(steps + 1)[:, None] / steps
    d = np.abs(t - np.arange(-1, 3)[None, :])
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d < 1.0, near, far).astype(np.float32)
