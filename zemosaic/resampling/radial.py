"""Weights that fall towards the rim of a frame, where optics are worst: the radial feather."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zemosaic.model import FrameRef
from zemosaic.resampling.resample import fill_radial
from zemosaic.resampling.warp import Lattice

__all__ = ["MIN_CORNER_WEIGHT", "radial_weight"]

MIN_CORNER_WEIGHT = 0.01
"""Weight in the corners, so that a frame still contributes where no other covers the sky."""


def radial_weight(
    frame: FrameRef, lattice: Lattice, box: tuple[int, int, int, int], fraction: float, into: NDArray[np.float32]
) -> None:
    """Fill an array of the box's shape with the weights of a frame's samples.

    A sample within `fraction` of the half diagonal from the detector's centre has weight 1; from there
    weights fall as a squared cosine to `MIN_CORNER_WEIGHT` in the corners.

    Parameters
    ----------
    frame : FrameRef
    lattice : Lattice
        From `frame_lattice` for the same box.
    box : (y0, y1, x0, x1)
        Of the canvas, in pixels.
    fraction : float
        Part of the half diagonal within which the weight is 1.
    into : ndarray, shape (box height, box width), float32
        Receives the weights.
    """
    middle = 0.5 * (frame.width - 1), 0.5 * (frame.height - 1)
    geometry = (lattice.x, lattice.y, lattice.row0, lattice.column0)
    fill_radial(geometry, box[0], box[2], middle, math.hypot(*middle), fraction, MIN_CORNER_WEIGHT, into)
