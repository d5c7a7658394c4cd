"""The plain implementation of the stacking rules, in the array API's own words.

It is the definition: the fast kernel is tested against it, and devices run it through their own
namespace.  All samples of a pixel are judged together, channel by channel; a sample that is out in
one channel is out in all of them, so that a trail does not survive in one colour.  Where the channels
together would throw out every sample of a pixel, none is thrown out: that is no hole in the sky.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from zemosaic.stacking.rules import (
    LINE_FLOOR,
    MIN_SAMPLES_FOR_SCATTER,
    NOISE_FLOOR,
    SIGNAL_TOLERANCE,
    WINSOR_BIAS,
    WINSOR_CUT,
    Combine,
    Rejection,
    StackRules,
)

__all__ = ["stack_reference"]

Array = Any


def stack_reference(
    cube: Array, weights: Array, noise: Array, rules: StackRules, xp: ModuleType = np, tolerance: Array | None = None
) -> tuple[Array, Array, Array, Array]:
    """Reject and combine.

    Parameters
    ----------
    cube : array, shape (frames, channels, pixels), float32
        Calibrated samples; NaN where a frame has none.  A sample is valid when all its channels are.
    weights : array, shape (frames,) or (frames, pixels)
        Weight of each frame or sample, > 0.
    noise : array, shape (channels,) or (channels, pixels)
        Expected noise of one sample.
    rules : StackRules
    xp : module
        Array API namespace of the arrays.
    tolerance : array, shape (channels, pixels), optional
        Scatter that seeing brings to stars: samples within kappa times it are never rejected.

    Returns
    -------
    value : array, shape (channels, pixels)
    weight : array, shape (pixels,)
    kept, rejected : array, shape (pixels,), int
    """
    finite = xp.isfinite(cube)
    valid = xp.all(finite, axis=1)
    filled = xp.where(valid[:, None, :], cube, xp.asarray(xp.inf, dtype=cube.dtype))
    ordered = xp.sort(filled, axis=0)
    count = _number(valid, xp)
    part = LINE_FLOOR if rules.rejection is Rejection.LINEAR_FIT else NOISE_FLOOR
    expected = noise if noise.ndim == 2 else noise[:, None]
    lows, highs = [], []
    for channel in range(cube.shape[1]):
        floor = xp.full(count.shape, part, dtype=cube.dtype) * expected[channel, :]
        if tolerance is not None:
            floor = xp.maximum(floor, tolerance[channel, :])
        low, high = _limits(ordered[:, channel, :], count, expected[channel, :], floor, rules, xp)
        lows.append(low)
        highs.append(high)
    low, high = xp.stack(lows), xp.stack(highs)
    emptied = ~xp.any(valid & xp.all((filled >= low) & (filled <= high), axis=1), axis=0)
    low, high = (xp.where(emptied, xp.full_like(limit, end), limit) for limit, end in ((low, -3e38), (high, 3e38)))
    keep = valid & xp.all((filled >= low) & (filled <= high), axis=1)
    kept = _number(keep, xp)
    each = weights if weights.ndim == 2 else weights[:, None]
    each = xp.where(keep, each, xp.asarray(0, dtype=weights.dtype))
    weight = xp.sum(each, axis=0)
    nan = xp.asarray(xp.nan, dtype=cube.dtype)
    if rules.combine is Combine.MEDIAN:
        inside = (ordered >= low) & (ordered <= high)
        value = _median(ordered, _number(ordered < low, xp), _number(inside, xp), xp)
    else:
        zero = xp.asarray(0, dtype=cube.dtype)
        total = xp.sum(xp.where(keep[:, None, :], filled, zero) * each[:, None, :], axis=0)
        value = total / xp.where(weight > 0, weight, xp.asarray(1, dtype=weight.dtype))
    value = xp.where(kept > 0, value, nan)
    return value, weight, kept, count - kept


def _limits(
    ordered: Array, count: Array, noise: Array, floor: Array, rules: StackRules, xp: ModuleType
) -> tuple[Array, Array]:
    """Return the lowest and highest value that stays, per pixel of one channel."""
    infinite = xp.full(ordered.shape[1:], 3e38, dtype=ordered.dtype)
    low, high = -infinite, infinite
    if rules.rejection is Rejection.NONE:
        return low, high
    centre = _median(ordered, count * 0, count, xp)
    scatter = (_pick(ordered, (count - 1) * 27 // 32, xp) - _pick(ordered, (count - 1) * 5 // 32, xp)) * 0.5
    done = count < MIN_SAMPLES_FOR_SCATTER
    inside_count = count
    for _ in range(rules.max_rounds):
        inside = (ordered >= low) & (ordered <= high)
        if rules.rejection is Rejection.LINEAR_FIT:
            new_low, new_high = _line_limits(ordered, inside, low, centre, floor, rules, xp)
        else:
            scatter = _scatter(ordered, inside, inside_count, centre, scatter, rules, xp)
            safe = xp.maximum(scatter, floor)
            new_low, new_high = centre - rules.kappa_low * safe, centre + rules.kappa_high * safe
        low, high = xp.where(done, low, new_low), xp.where(done, high, new_high)
        below = _number(ordered < low, xp)
        left = _number((ordered >= low) & (ordered <= high), xp)
        done = done | (left == inside_count)
        inside_count = xp.where(done, inside_count, left)
        centre = xp.where(done, centre, _median(ordered, below, left, xp))
    few_low, few_high = _few_limits(ordered, count, noise, rules, xp)
    few = count < MIN_SAMPLES_FOR_SCATTER
    return xp.where(few, few_low, low), xp.where(few, few_high, high)


def _line_limits(
    ordered: Array, inside: Array, low: Array, centre: Array, floor: Array, rules: StackRules, xp: ModuleType
) -> tuple[Array, Array]:
    """Return the outermost samples up to which none strays from the line through the sorted samples.

    A sample is out when it, or one nearer the middle, lies further off than kappa mean deviations.
    """
    number = _number(inside, xp)
    first = _number(ordered < low, xp)
    rank = xp.reshape(xp.arange(ordered.shape[0], dtype=number.dtype), (-1, 1)) - first
    size = xp.asarray(xp.maximum(number, xp.ones_like(number)), dtype=ordered.dtype)
    zero = xp.zeros_like(ordered)
    along = xp.where(inside, xp.asarray(rank, dtype=ordered.dtype) - 0.5 * (size - 1.0), zero)
    deviation = xp.where(inside, ordered - centre, zero)
    level = xp.sum(deviation, axis=0) / size
    moment = size * (size * size - 1.0) / 12.0
    slope = xp.sum(along * deviation, axis=0) / xp.where(moment > 0, moment, xp.ones_like(moment))
    residual = xp.where(inside, deviation - level - slope * along, zero)
    safe = xp.maximum(xp.sum(xp.abs(residual), axis=0) / size, floor)
    under = inside & (rank < (number - 1) // 2) & (residual < -rules.kappa_low * safe)
    over = inside & (rank > number // 2) & (residual > rules.kappa_high * safe)
    lowest = xp.max(xp.where(under, rank + 1, xp.zeros_like(rank)), axis=0)
    highest = xp.min(xp.where(over, rank, xp.zeros_like(rank) + number), axis=0) - 1
    return _pick(ordered, first + lowest, xp), _pick(ordered, first + highest, xp)


def _scatter(
    ordered: Array, inside: Array, count: Array, centre: Array, scatter: Array, rules: StackRules, xp: ModuleType
) -> Array:
    """Return the standard deviation about the centre, winsorized where the rules say so."""
    number = xp.asarray(xp.maximum(count, xp.ones_like(count)), dtype=ordered.dtype)
    zero = xp.zeros_like(ordered)
    rounds = rules.winsor_rounds if rules.rejection is Rejection.WINSORIZED else 1
    for _ in range(rounds):
        deviation = xp.where(inside, ordered - centre, zero)
        bias = 1.0
        if rules.rejection is Rejection.WINSORIZED:
            cut = WINSOR_CUT * scatter
            deviation = xp.minimum(xp.maximum(deviation, -cut), cut)
            bias = WINSOR_BIAS
        mean = xp.sum(deviation, axis=0) / number
        spread = xp.maximum(xp.sum(deviation * deviation, axis=0) / number - mean * mean, xp.zeros_like(mean))
        scatter = bias * xp.sqrt(spread)
    return scatter


def _few_limits(ordered: Array, count: Array, noise: Array, rules: StackRules, xp: ModuleType) -> tuple[Array, Array]:
    """Return limits for pixels with few samples, from the noise that is expected.

    Two samples cannot outvote each other: the lower is believed, since all that disturbs adds light.
    """
    lowest = _pick(ordered, count * 0, xp)
    centre = _median(ordered, count * 0, count, xp)
    centre = xp.where(count == 2, lowest, centre)
    wide = 1.4142 * noise + SIGNAL_TOLERANCE * xp.abs(centre)
    low = xp.where(count > 2, centre - rules.kappa_low * wide, xp.full_like(centre, -3e38))
    high = xp.where(count > 1, centre + rules.kappa_high * wide, xp.full_like(centre, 3e38))
    return low, high


def _median(ordered: Array, first: Array, count: Array, xp: ModuleType) -> Array:
    """Return the median of `count` sorted samples that begin at index `first`."""
    lower = _pick(ordered, first + xp.maximum(count - 1, count * 0) // 2, xp)
    upper = _pick(ordered, first + count // 2, xp)
    upper = xp.where(count % 2 == 1, lower, upper)
    return (lower + upper) * 0.5


def _number(which: Array, xp: ModuleType) -> Array:
    """Return how many frames have True."""
    return xp.sum(xp.asarray(which, dtype=xp.int32), axis=0, dtype=xp.int32)


def _pick(ordered: Array, index: Array, xp: ModuleType) -> Array:
    """Return ordered[index[p], p] (0 where that is no number)."""
    index = xp.clip(index, 0, ordered.shape[0] - 1)
    picked = xp.take_along_axis(ordered, index[None, ...], axis=0)[0, ...]
    return xp.where(xp.isfinite(picked), picked, xp.zeros_like(picked))
