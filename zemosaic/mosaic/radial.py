"""Weights that fall towards the rim of a frame, where optics are worst: the radial feather."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.model import FrameRef
from zemosaic.mosaic.warp import LATTICE, Lattice, positions

__all__ = ["LEAST", "radial_weight"]

LEAST = 0.01
"""Weight in the corners: where a frame is alone, it still counts."""


def radial_weight(
    frame: FrameRef, lattice: Lattice, box: tuple[int, int, int, int], fraction: float, into: NDArray[np.float32]
) -> None:
    """Fill an array of the box's shape with the weights of a frame's samples.

    A sample within `fraction` of the half diagonal from the detector's centre has weight 1; from there
    weights fall as a squared cosine to `LEAST` in the corners.
    """
    middle = 0.5 * (frame.width - 1), 0.5 * (frame.height - 1)
    geometry = (lattice.x, lattice.y, lattice.row0, lattice.column0, LATTICE)
    _fill(geometry, box[0], box[2], middle, math.hypot(*middle), fraction, LEAST, into)


@njit(cache=True, error_model="numpy", nogil=True)
def _fill(geometry, y0, x0, middle, corner, fraction, least, into):  # type: ignore[no-untyped-def]
    px, py = np.empty(into.shape[1]), np.empty(into.shape[1])
    for j in range(into.shape[0]):
        positions(geometry, y0 + j, x0, px, py)
        for i in range(into.shape[1]):
            r = math.sqrt((px[i] - middle[0]) ** 2 + (py[i] - middle[1]) ** 2) / corner
            fall = min(max((r - fraction) / max(1.0 - fraction, 1e-6), 0.0), 1.0)
            into[j, i] = least + (1.0 - least) * math.cos(0.5 * math.pi * fall) ** 2
