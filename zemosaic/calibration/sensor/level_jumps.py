"""Frames whose level without light differs from that of their camera's other frames.

Photon noise tells: within a frame its variance grows with the level, ``variance = g (level - zero)``, and g is the
camera's.  A frame that is brighter without more noise has a zero of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.calibration.background_cells import CellSamples

__all__ = ["level_jumps"]

MIN_JUMP_SIGMA = 6.0
"""A jump in its standard errors ..."""
MIN_JUMP_PART = 0.06
"""... and as a part of the light of the camera's median frame: smaller ones change nothing that can be seen."""
MIN_POINTS = 4
"""Points of noise against level that a frame must have."""
MIN_FRAMES_COMPARED = 3
VARIANCE_ERROR = 0.01
"""Relative error of a frame's variance beside that of counting: stars that were not seen, structure in the nebula."""


def level_jumps(cells: Sequence[CellSamples], groups: NDArray[np.int64]) -> Float64s:
    """Return by how much each frame's level without light exceeds that of its camera, ADU; 0 where nothing shows it.

    Parameters
    ----------
    cells : sequence of CellSamples
        One per frame; `transfer` is looked at.
    groups : ndarray of int, shape (frames,)
        Camera of each frame.

    Returns
    -------
    ndarray, shape (frames,)
    """
    jumps = np.zeros(len(cells))
    for group in np.unique(groups).tolist():
        rows = [k for k in np.flatnonzero(groups == group).tolist() if len(cells[k].transfer) >= MIN_POINTS]
        if len(rows) >= MIN_FRAMES_COMPARED:
            jumps[rows] = _of_camera([cells[k].transfer for k in rows])
    return jumps


def _of_camera(points: Sequence[Float64s]) -> Float64s:
    """Return the jumps of one camera's frames from their points (level, variance, pairs)."""
    means, moments = [], np.zeros(2)
    for of_frame in points:
        level, variance, pairs = of_frame.T
        weight = pairs / variance**2
        centre = np.average(of_frame[:, :2], axis=0, weights=weight)
        means.append(centre)
        above = level - centre[0]
        moments += float(weight @ (above * (variance - centre[1]))), float(weight @ above**2)
    level, variance = np.array(means).T
    gain = moments[0] / moments[1] if moments[1] > 0 else 0.0
    if gain <= 0:
        return np.zeros(len(points))
    zero = level - variance / gain
    light = float(np.median(variance)) / gain
    # The error of the gain moves all frames alike, but for what their noise differs.
    gain_error = math.sqrt(2.0 / moments[1]) / gain
    away = np.abs(variance - np.median(variance)) / gain * gain_error
    error = np.hypot(VARIANCE_ERROR * variance / gain, away)
    jump = zero - float(np.median(zero))
    shown = np.abs(jump) > np.maximum(MIN_JUMP_SIGMA * error, MIN_JUMP_PART * light)
    return np.where(shown, jump, 0.0)
