"""Weights that fall towards the rim of a frame, where optics are worst: the radial feather."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zemosaic.model import FrameRef
from zemosaic.mosaic.resample import fill_radial
from zemosaic.mosaic.warp import Lattice

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
    geometry = (lattice.x, lattice.y, lattice.row0, lattice.column0)
    fill_radial(geometry, box[0], box[2], middle, math.hypot(*middle), fraction, LEAST, into)
