"""The plane over the whole mosaic, which overlaps do not constrain.

Adding ``g(X) = a + b . X`` to the light of every cell and taking ``t g`` from the sky of every frame
changes no observation.  Two things are known all the same.  The gradients of moon and towns turn with
the sky: the slopes of the frames' skies average to zero within their scatter.  And empty sky is flat
and the darkest there is: the plane on which the most cells lie, none of them below it, is the sky
without light of its own.  The second is looked for as far as the first allows, in all channels
together, whose gradients are alike up to the colour of the sky.

(Lower quantiles of the cells, tried first, tilt the nebula away where it fills one side of the field.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Float64s

__all__ = [
    "DARK_OUTLIER_FRACTION",
    "MAX_EMPTY_GRAINS",
    "Plane",
    "commonest_brightness",
    "in_blocks",
    "plane_of_piece",
    "with_planes",
]


MAX_SLOPE_SIGMA = 3.5
"""Largest error of the mean slope of the frames that is considered, in standard errors."""
PLANES_PER_AXIS = 25
"""Planes tried along each axis in each of `SEARCH_ROUNDS` successively finer searches."""
SEARCH_ROUNDS = 3
MAX_EMPTY_GRAINS = 60
"""Cells brighter than the darkest by more than this many grains are certainly not empty."""
DARK_OUTLIER_FRACTION = 0.002
"""Fraction of the cells that may be outliers on the dark side."""


@dataclass(frozen=True)
class Plane:
    """The plane to take from the light of a piece of the mosaic, about the middle of its cells."""

    level: Float64s
    """Per channel."""
    slope: Float64s
    """Along rows and columns, shape (channels, 2)."""
    slope_error: Float64s
    """Standard error of the slopes by the mean of the frames' skies alone, same shape."""
    balanced: Float64s
    """The slopes by that mean, same shape."""


def plane_of_piece(
    sky: Float64s,
    flux: Float64s,
    factor: Float64s,
    cell: NDArray[np.int64],
    frame: NDArray[np.int64],
    basis: Float64s,
    position: Float64s,
    grain: Float64s,
    block_cells: int = 1,
) -> Plane:
    """Return the plane of the light that makes empty sky dark and flat.

    Parameters
    ----------
    sky : ndarray, shape (frames, channels, 3)
        Level and slopes along u and v.
    flux : ndarray, shape (channels, cells)
        Light of the cells.
    factor : ndarray, shape (frames, channels)
        What a pixel of each frame gets of a cell's light: transparency times area of the pixel.
    cell, frame : ndarray of int, shape (n,)
        Of each observation.
    basis : ndarray, shape (n, 3)
        (1, u, v) of each observation.
    position : ndarray, shape (cells, 2)
        Place of each cell on the mosaic.
    grain : ndarray, shape (channels,)
        How far apart blocks of one brightness may lie.
    block_cells : int
        Side of the blocks of cells that are averaged before empty sky is looked for: the noise of small cells hides it.
    """
    centred = position - position.mean(axis=0)
    mapping = _frame_to_mosaic(frame, basis, centred[cell], len(sky))
    balanced = np.empty((len(flux), 2))
    error = np.empty((len(flux), 2))
    for channel in range(len(flux)):
        design = factor[:, channel, None, None] * mapping[:, 1:, :]
        slopes = sky[:, channel, 1:]
        balanced[channel] = -np.linalg.lstsq(design.reshape(-1, 2), slopes.reshape(-1), rcond=None)[0]
        error[channel] = _error_of_mean(slopes + design @ balanced[channel], design)
    frames_per_cell = np.bincount(cell, minlength=len(position))
    deep = frames_per_cell >= np.median(frames_per_cell) / 3
    flat, places = in_blocks(flux[:, deep] - balanced @ centred[deep].T, centred[deep], block_cells)
    tilt = _empty_plane(flat, places, error, grain)
    level = [
        commonest_brightness(
            flat[channel] - places @ tilt[channel], float(grain[channel]), MAX_EMPTY_GRAINS, DARK_OUTLIER_FRACTION
        )[0]
        for channel in range(len(flux))
    ]
    # A single frame's slopes are its own, however large.
    return Plane(np.array(level), balanced + tilt, np.where(error > 0.0, error, np.abs(balanced)), balanced)


def in_blocks(flux: Float64s, position: Float64s, block_cells: int) -> tuple[Float64s, Float64s]:
    """Return the mean light and the mean place of the cells of each block that has at least half of its cells.

    Parameters
    ----------
    flux : ndarray, shape (channels, cells)
    position : ndarray, shape (cells, 2)
    block_cells : int
        Side of a block; at 1 all cells are returned as they are.

    Returns
    -------
    flux : ndarray, shape (channels, blocks)
    position : ndarray, shape (blocks, 2)
    """
    if block_cells == 1:
        return flux, position
    _, block, number = np.unique(position // block_cells, axis=0, return_inverse=True, return_counts=True)
    whole = 2 * number >= block_cells**2
    columns = [np.bincount(block.ravel(), values)[whole] / number[whole] for values in (*flux, *position.T)]
    return np.array(columns[:-2]).reshape(len(flux), -1), np.stack(columns[-2:], axis=1)


def with_planes(
    sky: Float64s,
    factor: Float64s,
    cell: NDArray[np.int64],
    frame: NDArray[np.int64],
    basis: Float64s,
    position: Float64s,
    planes: Sequence[Plane],
    piece: NDArray[np.int64],
) -> Float64s:
    """Return the skies with the planes that are taken from the light of the pieces.

    Parameters
    ----------
    sky : ndarray, shape (frames, channels, 3)
        Level and slopes along u and v.
    factor : ndarray, shape (frames, channels)
        What a pixel of each frame gets of a cell's light.
    cell, frame : ndarray of int, shape (n,)
        Of each observation.
    basis : ndarray, shape (n, 3)
        (1, u, v) of each observation.
    position : ndarray, shape (cells, 2)
        Place of each cell on the mosaic.
    planes : sequence of Plane
        One per piece.
    piece : ndarray of int, shape (frames,)
        Piece of each frame.
    """
    settled = sky.copy()
    for number, plane in enumerate(planes):
        members = piece == number
        observed = members[frame]
        middle = position[np.unique(cell[observed])].mean(axis=0) if observed.any() else np.zeros(2)
        mapping = _frame_to_mosaic(frame[observed], basis[observed], position[cell[observed]] - middle, len(sky))
        shift = np.einsum("fab,cb->fca", mapping, plane.slope)
        shift[:, :, 0] += plane.level
        settled[members] += (factor[:, :, None] * shift)[members]
    return settled


def _empty_plane(flux: Float64s, position: Float64s, error: Float64s, grain: Float64s) -> Float64s:
    """Return the slopes of the plane of empty sky per channel, shape (channels, 2)."""
    strongest = int(np.argmax(error.sum(axis=1)))
    colour = np.linalg.norm(error, axis=1) / max(float(np.linalg.norm(error[strongest])), 1e-300)
    allowed = error[strongest]
    best, width = np.zeros(2), MAX_SLOPE_SIGMA * allowed
    if not width.all():
        return np.zeros_like(error)

    def merit(slope: Float64s) -> float:
        on_plane = _cells_on_planes(
            flux, position, colour[:, None] * slope, grain, MAX_EMPTY_GRAINS, DARK_OUTLIER_FRACTION
        )
        return float(on_plane) - 0.5 * float(((slope / allowed) ** 2).sum())

    for _ in range(SEARCH_ROUNDS):
        steps = np.linspace(-1.0, 1.0, PLANES_PER_AXIS)
        candidates = [best + width * np.array([a, b]) for a in steps for b in steps]
        best = max(candidates, key=merit)
        width = width * 2.5 / PLANES_PER_AXIS
    corrections: Float64s = colour[:, None] * best
    return corrections


@njit(cache=True, error_model="numpy", nogil=True)
def _cells_on_planes(flux, position, slopes, grain, max_grains, dark_fraction):  # type: ignore[no-untyped-def]
    """Return how many cells share the commonest brightness above planes, summed over the channels."""
    total = 0
    for channel in range(len(flux)):
        a, b = slopes[channel]
        clear = flux[channel] - a * position[:, 0] - b * position[:, 1]
        _, number = commonest_brightness(clear, grain[channel], max_grains, dark_fraction)
        total += number
    return total


@njit(cache=True, error_model="numpy", nogil=True)
def commonest_brightness(flux, grain, max_grains, dark_fraction):  # type: ignore[no-untyped-def]
    """Return the commonest brightness near the dark end and how many cells share it.

    A brightness is a pair of neighbouring steps of one grain, counted from the quantile `dark_fraction` of the cells.

    Parameters
    ----------
    flux : ndarray, shape (cells,)
        Light of the cells.
    grain : float
        Width of a step, in the units of the light.
    max_grains : int
        Steps that are looked at.
    dark_fraction : float
        Quantile of the cells from which steps are counted; what is darker counts in the first one.

    Returns
    -------
    brightness : float
        Mean of the cells of the pair of steps.
    number : int
        Cells in it.
    """
    rank = dark_fraction * (flux.size - 1)
    rank_floor = int(rank)
    # The quantile only needs the darkest few cells, so the array is not sorted.
    darkest = np.full(rank_floor + 2, np.inf)
    for value in flux:
        k = rank_floor + 1
        if value >= darkest[k]:
            continue
        while k > 0 and darkest[k - 1] > value:
            darkest[k] = darkest[k - 1]
            k -= 1
        darkest[k] = value
    above = darkest[min(rank_floor + 1, flux.size - 1)]
    zero = darkest[rank_floor] + (rank - rank_floor) * (above - darkest[rank_floor])
    number = np.zeros(max_grains + 1, np.int64)
    total = np.zeros(max_grains + 1)
    for value in flux:
        step = int(min(max((value - zero) / grain, 0.0), float(max_grains)))
        number[step] += 1
        total[step] += value
    pairs = number[: max_grains - 1] + number[1:max_grains]
    peak = pairs.argmax()
    return (total[peak] + total[peak + 1]) / pairs[peak], pairs[peak]


def _frame_to_mosaic(frame: NDArray[np.int64], basis: Float64s, position: Float64s, n_frames: int) -> Float64s:
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


def _error_of_mean(slopes: Float64s, design: Float64s) -> Float64s:
    """Return the standard error of the mean slope along the mosaic's axes, shape (2,).

    Frames that follow each other share their gradient; their correlation lowers the number of
    independent ones.
    """
    usable = np.abs(np.linalg.det(design)) > 1e-12
    if usable.sum() < 2:
        return np.zeros(2)
    deviation = np.linalg.solve(design[usable], slopes[usable][..., None])[..., 0]
    deviation = deviation - deviation.mean(axis=0)
    variance = (deviation**2).mean(axis=0)
    lag = (deviation[1:] * deviation[:-1]).mean(axis=0) / np.maximum(variance, 1e-300)
    lag = np.clip(lag, 0.0, 0.95)
    independent = np.maximum(len(deviation) * (1.0 - lag) / (1.0 + lag), 1.0)
    error: Float64s = np.sqrt(variance / independent)
    return error
