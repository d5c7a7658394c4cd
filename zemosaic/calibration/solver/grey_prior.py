"""What the colours of clouds tell of a frame's transparency: they are nearly grey."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, median

__all__ = ["MIN_ZERO_POINT_ERROR", "ZERO_POINT_PRIOR", "grey_prior"]

ZERO_POINT_PRIOR = 2.0
"""Prior standard deviation of a frame's log transparency; it only matters for frames without stars."""
MIN_ZERO_POINT_ERROR = 0.003
"""Smallest error of a zero point, however many stars contribute."""
MIN_FRAMES_FOR_COLOUR_SCATTER = 4
"""Smallest number of frames of a camera from which the scatter of their colours is estimated."""
MAX_COLOUR_SIGMA = 4.0
"""Deviations of a colour are clipped at this many standard errors when the scatter is estimated."""


def grey_prior(log_transparency: Float64s, sigma: Float64s, groups: NDArray[np.int64]) -> tuple[Float64s, Float64s]:
    """Return a prior for the transparency of each channel from the other channels: clouds are nearly grey.

    The scatter of the colours is estimated for each camera from the frames themselves, as the variance that their
    errors do not explain (Paule & Mandel 1982, J. Res. NBS 87, 377).

    Parameters
    ----------
    log_transparency, sigma : ndarray, shape (frames, channels)
        Logarithms of the light let through, and their errors.
    groups : ndarray of int, shape (frames,)
        Camera of each frame.

    Returns
    -------
    centre : ndarray, shape (frames, channels)
        Logarithms expected of each frame's channels.
    spread : ndarray, shape (frames,)
        How far from that they are expected.
    """
    centre, spread = np.zeros_like(log_transparency), np.full(len(log_transparency), ZERO_POINT_PRIOR)
    for g in range(int(groups.max(initial=-1)) + 1):
        members = np.flatnonzero(groups == g)
        if len(members) >= MIN_FRAMES_FOR_COLOUR_SCATTER:
            centre[members], spread[members] = _grey_prior_of_camera(log_transparency[members], sigma[members])
    return centre, spread


def _grey_prior_of_camera(log_transparency: Float64s, sigma: Float64s) -> tuple[Float64s, float]:
    colour = median(log_transparency - log_transparency.mean(axis=1, keepdims=True), axis=0)
    freedom = (len(log_transparency) - 1) * (log_transparency.shape[1] - 1)
    variance = MIN_ZERO_POINT_ERROR**2
    for _ in range(30):
        weight = 1.0 / (sigma**2 + variance)
        grey = (weight * (log_transparency - colour)).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        colour = (weight * (log_transparency - grey)).sum(axis=0) / weight.sum(axis=0)
        squares = np.minimum(weight * (log_transparency - grey - colour) ** 2, MAX_COLOUR_SIGMA**2)
        change = (squares.sum() - freedom) / max((weight * squares).sum(), 1e-300)
        variance = max(MIN_ZERO_POINT_ERROR**2, variance + change)
    return grey + colour, math.sqrt(variance)
