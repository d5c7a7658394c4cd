"""Shadows of dust and glow that stand still on a sensor, told from the sky by frames between which the sky moved.

Frames are averaged over blocks, their stars left out.  In turns the sky is the mean of all frames less the sensor's
map and a low-order sky of each frame, and the map the mean of what the frames have beyond the sky.  Both begin at
zero and the sky is served first, so that light which the motion cannot tell apart stays sky.

The map is split into scales; what does not stand out from the difference between two sets of frames that see other
parts of the sky is left away (non-negative garrote; Breiman 1995, Technometrics 37, 373).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, Float64s, median_sigma

__all__ = ["Look", "area_mean", "smooth_map"]

COARSE_TURNS = (4, 30)
"""Blocks are first taken together in squares of this side, for so many turns ..."""
FINE_TURNS = 6
"""... then one by one."""
N_SCALES = 6
"""Scales of 1, 2, 4 ... blocks."""
MIN_SCALE_SIGMA = 4.0
"""A part of the map below this many standard errors of its scale is left away."""
MIN_PEAK_SIGMA = 8.0
"""Without any value above this the sensor has no smooth pattern."""
MAX_UNTOUCHED_SIGMA = 2.5
"""Where the map stands out less, a frame's own low-order sky is fitted."""
MIN_LOOKS = 2
"""Sets of frames that see other parts of the sky."""


@dataclass(frozen=True)
class Look:
    """One frame in blocks."""

    value: Float32s
    """Mean of each block less the frame's sky level, in ADU, shape (rows, columns)."""
    weight: Float32s
    """Part of the block that is bare sky, 0 to 1."""
    to_sky: Float64s
    """Affine way from a block's column and row to those of the common sky, shape (2, 3)."""


def smooth_map(looks: Sequence[Look], sky_shape: tuple[int, int], group: NDArray[np.int64]) -> Float32s | None:
    """Return what stands still on the sensor, in ADU at the frames' mean level; None where nothing does.

    Parameters
    ----------
    looks : sequence of Look
        All of one shape (rows, columns).
    sky_shape : tuple of int
        Rows and columns of the common sky in blocks.
    group : ndarray of int, shape (looks,)
        Frames with one number see about the same sky at the same place of the sensor.
    """
    if len(np.unique(group)) < MIN_LOOKS:
        return None
    rows, columns = looks[0].value.shape
    side, turns = COARSE_TURNS
    if min(rows, columns) < 4 * side:
        return None
    coarse = [_reduced(look, side) for look in looks]
    coarse_shape = -(-sky_shape[0] // side), -(-sky_shape[1] // side)
    start, _ = _alternate(coarse, coarse_shape, group, np.zeros_like(coarse[0].value), turns)
    whole = cv2.resize(start, (columns // side * side, rows // side * side), interpolation=cv2.INTER_LINEAR)
    whole = np.pad(whole, ((0, rows - whole.shape[0]), (0, columns - whole.shape[1])), mode="edge")
    pattern, halves = _alternate(looks, sky_shape, group, whole, FINE_TURNS)
    return _significant(pattern, np.asarray(0.5 * (halves[0] - halves[1]), np.float32))


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
    looks: Sequence[Look], sky_shape: tuple[int, int], group: NDArray[np.int64], start: Float32s, turns: int
) -> tuple[Float32s, tuple[Float32s, Float32s]]:
    """Return the sensor's map after some turns, and the same of two halves of the frames."""
    pattern = start
    size = sky_shape[1], sky_shape[0]
    rows, columns = pattern.shape
    terms = _low_order(rows, columns)
    own = [np.zeros_like(pattern) for _ in looks]
    halves = np.zeros((2, 2, rows, columns), np.float32)
    covered = [cv2.warpAffine(look.weight, look.to_sky, size) for look in looks]
    depth = np.maximum(np.sum(covered, axis=0), np.float32(1e-3))
    number = {g: k for k, g in enumerate(np.unique(group).tolist())}
    for _ in range(turns):
        total = np.zeros(sky_shape, np.float32)
        for look, low in zip(looks, own, strict=True):
            total += cv2.warpAffine((look.value - pattern - low) * look.weight, look.to_sky, size)
        sky = total / depth
        calm = np.abs(pattern) <= MAX_UNTOUCHED_SIGMA * max(median_sigma(pattern), 1e-9)
        halves[:] = 0
        for k, look in enumerate(looks):
            seen = cv2.warpAffine(sky, look.to_sky, (columns, rows), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            residual = look.value - seen
            own[k] = _fitted(residual, look.weight * calm, terms)
            half = halves[number[int(group[k])] % 2]
            half[0] += (residual - own[k]) * look.weight
            half[1] += look.weight
        means = halves[:, 0] / np.maximum(halves[:, 1], np.float32(1e-3))
        pattern = halves[:, 0].sum(axis=0) / np.maximum(halves[:, 1].sum(axis=0), np.float32(1e-3))
    return pattern, (means[0], means[1])


def _low_order(rows: int, columns: int) -> Float64s:
    """Return the terms of order 0 to 2 over the sensor, shape (6, rows * columns)."""
    y, x = np.mgrid[0:rows, 0:columns] / max(rows, columns) - 0.5
    return np.stack([term.ravel() for term in (np.ones_like(x), x, y, x * x, x * y, y * y)])


def _fitted(values: Float32s, weight: Float32s, terms: Float64s) -> Float32s:
    """Return the low-order part of values by weighted least squares, of their shape."""
    heavy = terms * weight.ravel()
    normal = heavy @ terms.T
    normal += 1e-6 * max(float(np.trace(normal)), 1e-12) * np.eye(len(normal))
    return np.asarray((np.linalg.solve(normal, heavy @ values.ravel()) @ terms).reshape(values.shape), np.float32)


def _significant(pattern: Float32s, error: Float32s) -> Float32s | None:
    """Return what of a map stands out from an image of its errors, scale by scale; None where nothing does."""
    out = np.zeros_like(pattern)
    rest, rest_error = pattern - np.float32(np.median(pattern)), error
    peak = 0.0
    for scale in range(N_SCALES):
        last = scale == N_SCALES - 1
        smooth, smooth_error = (
            (np.zeros_like(pattern), np.zeros_like(error))
            if last
            else (
                cv2.GaussianBlur(image, (0, 0), float(2**scale), borderType=cv2.BORDER_REFLECT)
                for image in (rest, rest_error)
            )
        )
        detail, sigma = rest - smooth, max(median_sigma(rest_error - smooth_error), 1e-9)
        width = 2 ** (scale + 1) + 1
        power = cv2.blur(detail * detail, (width, width), borderType=cv2.BORDER_REFLECT)
        believed = np.maximum(0.0, 1.0 - (MIN_SCALE_SIGMA * sigma) ** 2 / np.maximum(power, 1e-12))
        out += detail * believed.astype(np.float32)
        peak = max(peak, float(np.sqrt(power.max())) / sigma)
        rest, rest_error = smooth, smooth_error
    return out if peak >= MIN_PEAK_SIGMA else None
