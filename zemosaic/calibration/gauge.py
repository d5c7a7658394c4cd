"""The plane over the whole mosaic, which overlaps cannot know.

Adding ``g(X) = a + b . X`` to the light of every cell and taking ``t g`` from the sky of every frame
changes no observation.  Two things are known all the same.  The gradients of moon and towns turn with
the sky: the slopes of the frames' skies average to zero within their scatter.  And empty sky is flat
and the darkest there is: the plane on which the most cells lie, none of them below it, is the sky
without light of its own.  The second is looked for as far as the first allows, in all channels
together, whose gradients are alike up to the colour of the sky.

(Lower quantiles of the cells, tried first, tilt the nebula away where it fills one side of the field.)
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["settle_plane"]

Floats = NDArray[np.float64]

TRUST_SIGMAS = 3.5
"""How many standard errors the mean of the frames' slopes may be wrong."""
STEPS = 25
"""Planes tried along each axis, in each of `ROUNDS` ever finer searches."""
ROUNDS = 3
REACH = 60
"""Cells higher than this many grains above the darkest one are surely not empty."""
LOWEST = 0.002
"""Part of the cells that may be dark by accident."""


def settle_plane(
    sky: Floats,
    light: Floats,
    transparency: Floats,
    cell: NDArray[np.int64],
    frame: NDArray[np.int64],
    basis: Floats,
    position: Floats,
    grain: Floats,
) -> Floats:
    """Return the skies after the mosaic's plane is fixed.

    Parameters
    ----------
    sky : ndarray, shape (frames, channels, 3)
        Level and slopes along u and v.
    light : ndarray, shape (channels, cells)
        Light of the cells.
    transparency : ndarray, shape (frames, channels)
    cell, frame : ndarray of int, shape (n,)
        Of each observation.
    basis : ndarray, shape (n, 3)
        (1, u, v) of each observation.
    position : ndarray, shape (cells, 2)
        Place of each cell on the mosaic.
    grain : ndarray, shape (channels,)
        How far apart cells of one brightness may lie.
    """
    centred = position - position.mean(axis=0)
    place = _places(frame, basis, centred[cell], len(sky))
    balanced = np.empty((len(light), 2))
    error = np.empty((len(light), 2))
    for channel in range(len(light)):
        pull = transparency[:, channel, None, None] * place[:, 1:, :]
        slopes = sky[:, channel, 1:]
        balanced[channel] = -np.linalg.lstsq(pull.reshape(-1, 2), slopes.reshape(-1), rcond=None)[0]
        error[channel] = _error_of_mean(slopes + pull @ balanced[channel], pull)
    seen = np.bincount(cell, minlength=len(position))
    deep = seen >= np.median(seen) / 3
    flat = light[:, deep] - balanced @ centred[deep].T
    tilt = _empty_plane(flat, centred[deep], error, grain)
    settled = sky.copy()
    for channel in range(len(light)):
        slope = balanced[channel] + tilt[channel]
        level, _ = _commonest(flat[channel] - centred[deep] @ tilt[channel], float(grain[channel]), REACH, LOWEST)
        shift = place @ slope
        shift[:, 0] += level
        settled[:, channel] += transparency[:, channel, None] * shift
    return settled


def _empty_plane(light: Floats, position: Floats, error: Floats, grain: Floats) -> Floats:
    """Return the slopes of the plane of empty sky per channel, shape (channels, 2)."""
    strongest = int(np.argmax(error.sum(axis=1)))
    colour = np.linalg.norm(error, axis=1) / max(float(np.linalg.norm(error[strongest])), 1e-300)
    allowed = error[strongest]
    best, width = np.zeros(2), TRUST_SIGMAS * allowed
    if not width.all():
        return np.zeros_like(error)

    def merit(slope: Floats) -> float:
        on_plane = _most_alike(light, position, colour[:, None] * slope, grain, REACH, LOWEST)
        return float(on_plane) - 0.5 * float(((slope / allowed) ** 2).sum())

    for _ in range(ROUNDS):
        steps = np.linspace(-1.0, 1.0, STEPS)
        tried = [best + width * np.array([a, b]) for a in steps for b in steps]
        best = max(tried, key=merit)
        width = width * 2.5 / STEPS
    return colour[:, None] * best


@njit(cache=True, error_model="numpy", nogil=True)
def _most_alike(light, position, slopes, grain, reach, lowest):  # type: ignore[no-untyped-def]
    """Return how many cells share the commonest brightness above planes, summed over the channels."""
    total = 0
    for channel in range(len(light)):
        a, b = slopes[channel]
        clear = light[channel] - a * position[:, 0] - b * position[:, 1]
        _, number = _commonest(clear, grain[channel], reach, lowest)
        total += number
    return total


@njit(cache=True, error_model="numpy", nogil=True)
def _commonest(light, grain, reach, lowest):  # type: ignore[no-untyped-def]
    """Return the commonest brightness near the dark end and how many cells share it.

    A brightness is a pair of neighbouring steps of one grain, counted from the quantile `lowest` of the cells.
    """
    rank = lowest * (light.size - 1)
    whole = int(rank)
    # A few of the darkest cells are all that the quantile needs.
    darkest = np.full(whole + 2, np.inf)
    for value in light:
        k = whole + 1
        if value >= darkest[k]:
            continue
        while k > 0 and darkest[k - 1] > value:
            darkest[k] = darkest[k - 1]
            k -= 1
        darkest[k] = value
    above = darkest[min(whole + 1, light.size - 1)]
    zero = darkest[whole] + (rank - whole) * (above - darkest[whole])
    number = np.zeros(reach + 1, np.int64)
    total = np.zeros(reach + 1)
    for value in light:
        step = int(min(max((value - zero) / grain, 0.0), float(reach)))
        number[step] += 1
        total[step] += value
    pairs = number[: reach - 1] + number[1:reach]
    peak = pairs.argmax()
    return (total[peak] + total[peak + 1]) / pairs[peak], pairs[peak]


def _places(frame: NDArray[np.int64], basis: Floats, position: Floats, n_frames: int) -> Floats:
    """Return per frame the linear map from (1, u, v) to the mosaic, shape (frames, 3, 2)."""
    normal = np.empty((n_frames, 3, 3))
    right = np.empty((n_frames, 3, 2))
    for a in range(3):
        for b in range(3):
            normal[:, a, b] = np.bincount(frame, basis[:, a] * basis[:, b], n_frames)
        for b in range(2):
            right[:, a, b] = np.bincount(frame, basis[:, a] * position[:, b], n_frames)
    normal[:, range(3), range(3)] += 1e-9
    return np.asarray(np.linalg.solve(normal, right), np.float64)


def _error_of_mean(slopes: Floats, pull: Floats) -> Floats:
    """Return the standard error of the mean slope along the mosaic's axes, shape (2,).

    Frames that follow each other share their gradient; their correlation lowers the number of
    independent ones.
    """
    usable = np.abs(np.linalg.det(pull)) > 1e-12
    if usable.sum() < 2:
        return np.zeros(2)
    own = np.linalg.solve(pull[usable], slopes[usable][..., None])[..., 0]
    own = own - own.mean(axis=0)
    variance = (own**2).mean(axis=0)
    lag = (own[1:] * own[:-1]).mean(axis=0) / np.maximum(variance, 1e-300)
    lag = np.clip(lag, 0.0, 0.95)
    independent = np.maximum(len(own) * (1.0 - lag) / (1.0 + lag), 1.0)
    error: Floats = np.sqrt(variance / independent)
    return error
