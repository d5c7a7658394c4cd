"""Shadows of dust and glow that stand still on a sensor, told from the sky by frames between which the sky moved.

Frames are averaged over blocks, their stars left out.  In turns the sky is the mean of all frames less the sensor's
map and a low-order sky of each frame, and the map the mean of what the frames have beyond the sky.  Both begin at
zero and the sky is served first, so that light which the motion cannot tell apart stays sky.  A low order of the map
itself is part of the frames' skies; it is chosen so that most of the sensor has none.

The errors of the map come from two maps of one half of the frames each, solved independently: noise, what the motion
determines badly, and what differs from frame to frame all show in their difference.  What both halves share is the
structure of the sky itself; a small part of that is added.  Columns and rows, small things and their surroundings are
judged each by itself, and what does not stand out is left away (non-negative garrote; Breiman 1995, Technometrics 37,
373).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, Float64s, median_sigma

__all__ = ["Look", "area_mean", "smooth_map"]

TURNS = ((4, 60), (2, 24), (1, 8))
"""Sides of squares of blocks that are taken together, from coarse to fine, and turns with each."""
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
"""A part of the map without any value above this is left away."""
MAX_UNTOUCHED_SIGMA = 2.5
"""Where the map stands out less, a frame's own low-order sky is fitted."""
FAR_SCALES = 2.0
"""Frames see another sky at a scale when the sky moved by so many times that scale between them."""
MIN_SKIES = 3
MIN_BARE_PART = 0.4
"""Blocks of which less is bare sky, mean over the frames, are unknown."""
MIN_LOOKS_OF_HALF = 3
GAIN_PRIOR = 0.15
"""Standard deviation expected of the light that a frame passes, relative to the others, and of its glow."""
PRIOR_PART, PRIOR_WIDTH_SIGMA = 0.1, 3.0
"""Weight of the expectation that there is no pattern, in that of all frames together, and how far from it that weight
falls to a half, in noise of a frame's block (a Cauchy distribution: glow is rare, and where it is it is strong)."""
LEAK = 0.03
"""Part of the sky's structure that both halves may share: what light falls less towards the corners."""


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
    if min(rows, columns) < 4 * TURNS[0][0] or len(looks) < 2 * MIN_LOOKS_OF_HALF:
        return None
    if _skies(displacement_px, FAR_SCALES * block_px) < MIN_SKIES:
        return None
    learnt, skies = _learnt(looks, sky_shape)
    halves = [_learnt(looks[k::2], sky_shape)[0] for k in range(2)]
    difference = np.asarray(0.5 * (halves[0] - halves[1]), np.float32)
    number = _skies(displacement_px, FAR_SCALES * block_px * SMALL_BLOCKS)
    leak = LEAK**2 / max(number - 1, 1)
    return _significant(learnt, difference, np.asarray(leak * np.mean([sky * sky for sky in skies], axis=0)))


def _learnt(looks: Sequence[Look], sky_shape: tuple[int, int]) -> tuple[Float32s, tuple[Float32s, ...]]:
    """Return the sensor's map in all its blocks, from coarse to fine, and what each frame sees of the sky."""
    rows, columns = looks[0].value.shape
    pattern = np.zeros((rows // TURNS[0][0], columns // TURNS[0][0]), np.float32)
    skies: tuple[Float32s, ...] = ()
    for side, turns in TURNS:
        reduced = [_reduced(look, side) for look in looks]
        shape = reduced[0].value.shape
        start = cv2.resize(pattern, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        pattern, skies = _alternate(
            reduced, (-(-sky_shape[0] // side), -(-sky_shape[1] // side)), np.asarray(start, np.float32), turns
        )
    return pattern, skies


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


def _alternate(
    looks: Sequence[Look], sky_shape: tuple[int, int], start: Float32s, turns: int
) -> tuple[Float32s, tuple[Float32s, ...]]:
    """Return the sensor's map after some turns, and what each frame sees of the sky, less its low order."""
    pattern, last = start, start
    terms = _low_order(*pattern.shape)
    noise = _noise(looks)
    frames = _Frames.of(looks)
    covered = [cv2.warpAffine(look.weight, look.to_sky, sky_shape[::-1]) for look in looks]
    for turn in range(turns):
        # Momentum (Nesterov 1983): without it large scales would take as many turns as the square of the scale.
        pattern, last = pattern + np.float32(turn / (turn + 3.0)) * (pattern - last), pattern
        total, depth = np.zeros(sky_shape, np.float32), np.full(sky_shape, 1e-3, np.float32)
        for k, look in enumerate(looks):
            light = (look.value - frames.amount[k] * pattern - frames.low[k]) * look.weight
            total += frames.gain[k] * cv2.warpAffine(light, look.to_sky, sky_shape[::-1])
            depth += frames.gain[k] ** 2 * covered[k]
        frames.fit(looks, total / depth, pattern, terms)
        above, number = np.zeros_like(pattern), np.full_like(pattern, 1e-3)
        for k, look in enumerate(looks):
            above += frames.amount[k] * frames.excess(look, k) * look.weight
            number += frames.amount[k] ** 2 * look.weight
        prior = PRIOR_PART * len(looks) / (1.0 + _mean(pattern * pattern, 3) / (PRIOR_WIDTH_SIGMA * noise) ** 2)
        mean = np.asarray(above / (number + prior), np.float32)
        pattern = _filled(mean, number > MIN_BARE_PART * len(looks))
        pattern = pattern - _fitted(pattern, np.zeros_like(pattern), _calm(pattern), terms)[0]
    skies = tuple(
        image - _fitted(image, np.zeros_like(image), look.weight, terms)[0]
        for image, look in zip(frames.seen, looks, strict=True)
    )
    return pattern, skies


@dataclass
class _Frames:
    """What differs from frame to frame: low-order sky, light that passes, amount of the map, and the sky it sees."""

    low: list[Float32s]
    gain: Float64s
    amount: Float64s
    seen: list[Float32s]

    @classmethod
    def of(cls, looks: Sequence[Look]) -> _Frames:
        """Return the frames before anything is known of them."""
        none = [np.zeros_like(look.value) for look in looks]
        return cls(list(none), np.ones(len(looks)), np.ones(len(looks)), list(none))

    def excess(self, look: Look, k: int) -> Float32s:
        """Return what a frame has more than its sky."""
        return np.asarray(look.value - self.low[k] - np.float32(self.gain[k]) * self.seen[k], np.float32)

    def fit(self, looks: Sequence[Look], sky: Float32s, pattern: Float32s, terms: Float64s) -> None:
        """Fit the frames, given the common sky and the map."""
        rows, columns = pattern.shape
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        calm = _calm(pattern)
        for k, look in enumerate(looks):
            self.seen[k] = np.asarray(cv2.warpAffine(sky, look.to_sky, (columns, rows), flags=flags), np.float32)
            rest = look.value - np.float32(self.amount[k]) * pattern
            self.low[k], self.gain[k] = _fitted(rest, self.seen[k], look.weight * calm, terms)
            self.amount[k] = _amount(self.excess(look, k), pattern, look.weight)
        self.gain /= self.gain.mean()
        self.amount /= self.amount.mean()


def _noise(looks: Sequence[Look]) -> float:
    """Return the noise of a frame's block, in ADU."""
    sigmas = [median_sigma(look.value - _mean(look.value, SMALL_WINDOW)) for look in looks]
    return max(float(np.median(sigmas)), 1e-6)


def _calm(pattern: Float32s) -> Float32s:
    """Return 1 where a map stands out little, else 0."""
    return (np.abs(pattern) <= MAX_UNTOUCHED_SIGMA * max(median_sigma(pattern), 1e-9)).astype(np.float32)


def _amount(excess: Float32s, pattern: Float32s, weight: Float32s) -> float:
    """Return how much of the map a frame shows: glow grows with temperature, shadows with the sky."""
    power = float((weight * (excess - pattern) ** 2).mean()) + 1e-12
    precision = power / GAIN_PRIOR**2
    shown = weight * pattern
    return float((float((shown * excess).sum()) + precision) / (float((shown * pattern).sum()) + precision))


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


def _significant(learnt: Float32s, difference: Float32s, leak: Float32s) -> Float32s | None:
    """Return what of a map stands out from its errors; None where nothing does.

    Parameters
    ----------
    learnt : ndarray, shape (rows, columns), float32
    difference : ndarray, shape (rows, columns), float32
        Half the difference between the maps of two sets of frames.
    leak : ndarray, shape (rows, columns), float32
        Variance of what both of them may have of the sky.
    """
    out = np.zeros_like(learnt)
    for axis in (0, 1):
        profile = _significant_profile(learnt - out, difference, leak, axis)
        out += profile
    rest = learnt - out
    wide, difference_wide = _surroundings(rest, median_sigma(difference)), _smoothed(difference)
    for part, noise, width in (
        (rest - wide, difference - difference_wide, SMALL_WINDOW),
        (wide, difference_wide, WIDE_WINDOW),
    ):
        error = np.maximum(np.float32(median_sigma(noise) ** 2), _mean(noise * noise, width))
        out += _garrote(part, _mean(part * part, width), error + _mean(leak, WIDE_WINDOW))
    return out if out.any() else None


def _significant_profile(learnt: Float32s, difference: Float32s, leak: Float32s, axis: int) -> Float32s:
    """Return what columns (axis 0) or rows (axis 1) of a map have in common, as far as it stands out."""
    profile, noise = (np.median(image, axis=axis, keepdims=True) for image in (learnt, difference))
    common = np.float32(1.4826 * np.median(np.abs(noise - np.median(noise)))) ** 2
    error = common + leak.mean(axis=axis, keepdims=True)
    believed: Float32s = _garrote(profile, profile * profile, np.asarray(error, np.float32))
    return believed


def _garrote(part: Float32s, power: Float32s, error: Float32s) -> Float32s:
    """Return a part of the map shrunk by its power against its variance; zeros where it never stands out."""
    ratio = power / (error + np.float32(1e-12))
    if float(ratio.max()) < MIN_PEAK_SIGMA**2:
        return np.zeros_like(part)
    return part * np.maximum(0.0, 1.0 - MIN_PART_SIGMA**2 / np.maximum(ratio, 1e-12)).astype(np.float32)


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
