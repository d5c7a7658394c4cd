"""Shadows of dust and glow that stand still on a sensor, told from the sky by frames between which the sky moved.

Frames are averaged over blocks, their stars left out.  In turns the sky is the mean of all frames less the sensor's
map and a low-order sky of each frame, and the map the mean of what the frames have beyond the sky.  Both begin at
zero and the sky is served first, so that light which the motion cannot tell apart stays sky.

The map is split into small things and their surroundings.  The error of each is that of the noise, from the
difference between two sets of frames, and what of the sky's own structure may be left in it.  Of n different skies
that is one part in n - 1, and of small things the square of that, since both the sky that is taken off and the mean
of what remains err.  What does not stand out is left away (non-negative garrote; Breiman 1995, Technometrics 37, 373).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, Float64s, median_sigma

__all__ = ["Look", "area_mean", "smooth_map"]

COARSE_TURNS = (4, 40)
"""Blocks are first taken together in squares of this side, for so many turns ..."""
FINE_TURNS = 6
"""... then one by one."""
SMALL_BLOCKS, WIDE_BLOCKS = 4, 8
"""Scales of what is small and of what is wide, in blocks."""
SMALL_WINDOW, WIDE_WINDOW = 5, 17
"""Side of the squares in which the map is compared with its errors, in blocks."""
FILL_BLOCKS = 5
"""Side of the square from which unknown blocks are filled."""
SURROUNDING_TURNS = 4
MIN_PART_SIGMA = 2.0
"""Where the map stands out less than this many errors, rms over such a square, it is left away."""
MIN_PEAK_SIGMA = 5.0
"""Without any value above this the sensor has no smooth pattern."""
MAX_UNTOUCHED_SIGMA = 2.5
"""Where the map stands out less, a frame's own low-order sky is fitted."""
FAR_SCALES = 2.0
"""Frames see another sky at a scale when the sky moved by so many times that scale between them."""
MIN_SKIES = 3
MIN_BARE_PART = 0.4
"""Blocks of which less is bare sky, mean over the frames, are unknown."""
GAIN_PRIOR = 0.15
"""Standard deviation expected of the light that a frame passes, relative to the others."""


@dataclass(frozen=True)
class Look:
    """One frame in blocks."""

    value: Float32s
    """Mean of each block less the frame's sky level, in ADU, shape (rows, columns)."""
    weight: Float32s
    """Part of the block that is bare sky, 0 to 1."""
    to_sky: Float64s
    """Affine way from a block's column and row to those of the common sky, shape (2, 3)."""


def smooth_map(
    looks: Sequence[Look], sky_shape: tuple[int, int], displacement_px: Float64s, block_px: float
) -> Float32s | None:
    """Return what stands still on the sensor, in ADU at the frames' mean level; None where nothing does.

    Parameters
    ----------
    looks : sequence of Look
        All of one shape (rows, columns).
    sky_shape : tuple of int
        Rows and columns of the common sky in blocks.
    displacement_px : ndarray, shape (looks, looks)
        By how many pixels the sky moved between frames.
    block_px : float
        Side of a block.
    """
    rows, columns = looks[0].value.shape
    side, turns = COARSE_TURNS
    if min(rows, columns) < 4 * side or _skies(displacement_px, FAR_SCALES * block_px) < MIN_SKIES:
        return None
    coarse = [_reduced(look, side) for look in looks]
    coarse_shape = -(-sky_shape[0] // side), -(-sky_shape[1] // side)
    start = _alternate(coarse, coarse_shape, np.zeros_like(coarse[0].value), turns).pattern
    whole = cv2.resize(start, (columns // side * side, rows // side * side), interpolation=cv2.INTER_LINEAR)
    whole = np.pad(whole, ((0, rows - whole.shape[0]), (0, columns - whole.shape[1])), mode="edge")
    return _significant(_alternate(looks, sky_shape, whole, FINE_TURNS), displacement_px, block_px)


def area_mean(values: Float32s, weight: Float32s, side: int) -> tuple[Float32s, Float32s]:
    """Return the weighted means over squares of a side, and the mean weights; what fills no square is left out.

    Parameters
    ----------
    values, weight : ndarray, shape (h, w), float32
    side : int
        In pixels of these.
    """
    rows, columns = values.shape[0] // side * side, values.shape[1] // side * side
    size = columns // side, rows // side
    mean_weight = cv2.resize(weight[:rows, :columns], size, interpolation=cv2.INTER_AREA)
    total = cv2.resize((values * weight)[:rows, :columns], size, interpolation=cv2.INTER_AREA)
    return np.asarray(total / np.maximum(mean_weight, np.float32(1e-6)), np.float32), np.asarray(
        mean_weight, np.float32
    )


def _reduced(look: Look, side: int) -> Look:
    """Return a look in larger blocks."""
    if side == 1:
        return look
    value, weight = area_mean(look.value, look.weight, side)
    matrix, shift = look.to_sky[:, :2], look.to_sky[:, 2]
    offset = matrix @ np.full(2, 0.5 * side - 0.5) + shift
    return Look(value, weight, np.column_stack([matrix, (offset + 0.5) / side - 0.5]))


@dataclass(frozen=True)
class _Map:
    """The sensor's map with what tells its errors."""

    pattern: Float32s
    difference: Float32s
    """Half the difference between the maps of two sets of frames."""
    skies: tuple[Float32s, ...]
    """What each frame sees of the sky, less its low order."""


def _alternate(looks: Sequence[Look], sky_shape: tuple[int, int], start: Float32s, turns: int) -> _Map:
    """Return the sensor's map after some turns."""
    pattern = start
    size = sky_shape[1], sky_shape[0]
    rows, columns = pattern.shape
    terms = _low_order(rows, columns)
    low, gain = [np.zeros_like(pattern) for _ in looks], np.ones(len(looks), np.float32)
    halves = np.zeros((2, 2, rows, columns), np.float32)
    covered = [cv2.warpAffine(look.weight, look.to_sky, size) for look in looks]
    seen = [np.zeros_like(pattern) for _ in looks]
    last = start
    for turn in range(turns):
        # Momentum (Nesterov 1983): without it large scales would take as many turns as the square of the scale.
        pattern, last = pattern + np.float32(turn / (turn + 3.0)) * (pattern - last), pattern
        total, depth = np.zeros(sky_shape, np.float32), np.full(sky_shape, 1e-3, np.float32)
        for k, look in enumerate(looks):
            light = (look.value - pattern - low[k]) * look.weight
            total += gain[k] * cv2.warpAffine(light, look.to_sky, size)
            depth += gain[k] ** 2 * covered[k]
        sky = total / depth
        calm = np.abs(pattern) <= MAX_UNTOUCHED_SIGMA * max(median_sigma(pattern), 1e-9)
        halves[:] = 0
        for k, look in enumerate(looks):
            seen[k] = cv2.warpAffine(sky, look.to_sky, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            low[k], gain[k] = _fitted(look.value, seen[k], look.weight * calm, terms)
            halves[k % 2, 0] += (look.value - low[k] - gain[k] * seen[k]) * look.weight
            halves[k % 2, 1] += look.weight
        gain /= gain.mean()
        means = halves[:, 0] / np.maximum(halves[:, 1], np.float32(1e-3))
        number = halves[:, 1].sum(axis=0)
        pattern = _filled(halves[:, 0].sum(axis=0) / np.maximum(number, 1e-3), number > MIN_BARE_PART * len(looks))
    skies = tuple(
        image - _fitted(image, np.zeros_like(image), look.weight, terms)[0]
        for image, look in zip(seen, looks, strict=True)
    )
    return _Map(pattern, np.asarray(0.5 * (means[0] - means[1]), np.float32), skies)


def _filled(values: Float32s, known: NDArray[np.bool_]) -> Float32s:
    """Return values with the unknown ones taken from their neighbours."""
    weight = known.astype(np.float32)
    near = cv2.blur(values * weight, (FILL_BLOCKS, FILL_BLOCKS), borderType=cv2.BORDER_CONSTANT)
    share = cv2.blur(weight, (FILL_BLOCKS, FILL_BLOCKS), borderType=cv2.BORDER_CONSTANT)
    return np.where(known, values, near / np.maximum(share, np.float32(1e-3))).astype(np.float32)


def _low_order(rows: int, columns: int) -> Float64s:
    """Return the terms of a plane and of the fall of light over the sensor, shape (4, rows * columns).

    No more of them: bent ones would follow the rim of a glow and rise in the corner where it is brightest.
    """
    y, x = (np.mgrid[0:rows, 0:columns] - 0.5 * np.array([rows - 1, columns - 1])[:, None, None]) / max(rows, columns)
    return np.stack([term.ravel() for term in (np.ones_like(x), x, y, x * x + y * y)])


def _fitted(values: Float32s, sky: Float32s, weight: Float32s, terms: Float64s) -> tuple[Float32s, float]:
    """Return the low-order part of a frame, and how much of the sky's light it has, by weighted least squares."""
    design = np.concatenate([terms, sky.reshape(1, -1)])
    heavy = design * weight.ravel()
    normal, right = heavy @ design.T, heavy @ values.ravel()
    normal[:-1, :-1] += 1e-6 * max(float(np.trace(normal[:-1, :-1])), 1e-12) * np.eye(len(terms))
    power = float((weight * (values - sky) ** 2).mean()) + 1e-12
    normal[-1, -1] += power / GAIN_PRIOR**2
    right[-1] += power / GAIN_PRIOR**2
    solution = np.linalg.solve(normal, right)
    return np.asarray((solution[:-1] @ terms).reshape(values.shape), np.float32), float(solution[-1])


def _skies(displacement_px: Float64s, distance_px: float) -> int:
    """Return how many frames can be chosen that lie further than a distance from each other."""
    chosen: list[int] = []
    for k in range(len(displacement_px)):
        if all(displacement_px[k, i] > distance_px for i in chosen):
            chosen.append(k)
    return len(chosen)


def _significant(learnt: _Map, displacement_px: Float64s, block_px: float) -> Float32s | None:
    """Return what of a map stands out from its errors, what is small and what is wide each by itself."""
    flat = learnt.pattern - np.float32(np.median(learnt.pattern))
    wide = _surroundings(flat, median_sigma(learnt.difference))
    skies_wide = [_smoothed(sky) for sky in learnt.skies]
    skies_small = [sky - smooth for sky, smooth in zip(learnt.skies, skies_wide, strict=True)]
    out, peak = np.zeros_like(flat), 0.0
    difference_wide = _smoothed(learnt.difference)
    for part, skies, noise, scale, width, power in (
        (flat - wide, skies_small, learnt.difference - difference_wide, SMALL_BLOCKS, SMALL_WINDOW, 4),
        (wide, skies_wide, difference_wide, WIDE_BLOCKS, WIDE_WINDOW, 2),
    ):
        number = _skies(displacement_px, FAR_SCALES * block_px * scale)
        if number < MIN_SKIES:
            break
        leak = np.asarray(np.mean([sky * sky for sky in skies], axis=0) / (number - 1) ** power, np.float32)
        error = median_sigma(noise) ** 2 + _mean(leak, WIDE_WINDOW) + 1e-12
        ratio = _mean(part * part, width) / error
        out += part * np.maximum(0.0, 1.0 - MIN_PART_SIGMA**2 / np.maximum(ratio, 1e-12)).astype(np.float32)
        peak = max(peak, float(np.sqrt(ratio.max())))
    return out if peak >= MIN_PEAK_SIGMA else None


def _mean(values: Float32s, width: int) -> Float32s:
    return np.asarray(cv2.blur(values, (width, width), borderType=cv2.BORDER_REFLECT), np.float32)


def _smoothed(values: Float32s) -> Float32s:
    smooth = cv2.GaussianBlur(values, (0, 0), float(WIDE_BLOCKS), borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth, np.float32)


def _surroundings(values: Float32s, noise: float) -> Float32s:
    """Return the smooth surroundings of a map, what stands out from them left out."""
    wide = _smoothed(values)
    for _ in range(SURROUNDING_TURNS):
        rest = values - wide
        calm = (np.abs(rest) < MAX_UNTOUCHED_SIGMA * max(noise, 1e-9)).astype(np.float32)
        wide = (_smoothed(values * calm) + np.float32(1e-3) * wide) / (_smoothed(calm) + np.float32(1e-3))
    return wide
