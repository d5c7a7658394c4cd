"""The compiled part of rejection and combination: many pixels in lock-step.

Blocks of pixels are sorted together by a network of minima and maxima, which the compiler turns into vector
instructions; clipping then only moves two limits.  Every pixel is computed on its own, whatever its block or tile.
All of it is one module, since the cache of compiled code on disk sees changes of its own file only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["BIG", "LANES", "accumulate", "stack_pixels"]

LANES = 256
"""Pixels in lock-step."""
STRIDE = 16
"""Of fewer, so many at a time: what a vector of the processor holds."""

BIG = np.float32(3e38)
"""More than any sample."""


@njit(cache=True, error_model="numpy", nogil=True)
def stack_pixels(  # type: ignore[no-untyped-def]
    cube, weights, noise, unsteady, network, rejection, median, kappas, rounds, inner, numbers, few,
    value, weight, kept, gone, lows, highs,
):  # fmt: skip
    """Reject and combine the samples of each pixel, into the arrays that are given for the results.

    Parameters
    ----------
    cube, weights, noise, unsteady : ndarray, float32
        As `kernel.stack` takes them, `unsteady` being its tolerance; all but `cube` have two dimensions.
    network : ndarray, shape (m, 2), int32
        From `sorting_network`, for as many items as there are frames.
    rejection, median, kappas, rounds, inner, numbers, few
        The rules, as `kernel.stack` makes them of `StackRules` and of the constants of `rules`.
    value, weight, kept, gone, lows, highs : ndarray
        The results: those of a `StackResult`, and the limits, which are left alone where their arrays are empty.
    """
    frames, channels, pixels = cube.shape
    block, room = np.empty((channels, frames, LANES), np.float32), np.empty((frames, LANES), np.float32)
    sizes, tallies = np.empty((8, LANES), np.float32), np.empty((5, LANES), np.int32)
    low = np.empty((channels, LANES), np.float32)
    high = np.empty((channels, LANES), np.float32)
    count = np.empty(LANES, np.int32)
    floor = np.empty(LANES, np.float32)
    expected = np.empty(LANES, np.float32)
    for start in range(0, pixels, LANES):
        lanes = min(LANES, pixels - start)
        _load(cube, start, lanes, block, count)
        for c in range(channels):
            _sort(block[c], network)
            if rejection == 0:
                low[c, :] = -BIG
                high[c, :] = BIG
            else:
                expected[lanes:] = 1
                for j in range(lanes):
                    expected[j] = noise[c, start + j]
                for j in range(LANES):
                    floor[j] = max(expected[j] * numbers[0], unsteady[c, start + j]) if j < lanes else expected[j]
                if rejection == 3:
                    _line_limits(block[c], count, floor, kappas, rounds, few, low[c], high[c])
                else:
                    which = rejection == 1, kappas, rounds, inner, numbers, few
                    _limits(block[c], room, sizes, tallies, count, floor, *which, low[c], high[c])
                _few_limits(block[c], count, expected, kappas, numbers, few, low[c], high[c])
        _combine(cube, weights, start, lanes, low, high, value, weight, kept)
        if _lift_emptied(count, kept[start : start + lanes], low, high):
            _combine(cube, weights, start, lanes, low, high, value, weight, kept)
        if lows.size > 0:
            lows[:, start : start + lanes] = low[:, :lanes]
            highs[:, start : start + lanes] = high[:, :lanes]
        for j in range(lanes):
            gone[start + j] = count[j] - kept[start + j]
        if median:
            for c in range(channels):
                _medians(block[c], low[c], high[c], lanes, value[c, start : start + lanes])


@njit(cache=True, error_model="numpy", nogil=True)
def _load(cube, start, lanes, block, count):  # type: ignore[no-untyped-def]
    frames, channels = cube.shape[0], cube.shape[1]
    zero, one, none = np.float32(0), np.int32(1), np.int32(0)
    sound = np.empty(LANES, np.float32)
    count[:] = 0
    for i in range(frames):
        sound[:lanes] = 0
        for c in range(channels):
            row = cube[i, c, start : start + lanes]
            for j in range(lanes):
                sound[j] += row[j] - row[j]  # 0 as long as all are finite
        for c in range(channels):
            row = cube[i, c, start : start + lanes]
            into = block[c, i]
            for j in range(lanes):
                into[j] = row[j] if sound[j] == zero else np.float32(np.inf)
            into[lanes:] = np.inf
        for j in range(lanes):
            count[j] += one if sound[j] == zero else none


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _sort(block, network):  # type: ignore[no-untyped-def]
    for m in range(network.shape[0]):
        a = block[network[m, 0]]
        b = block[network[m, 1]]
        for j in range(LANES):
            x = a[j]
            y = b[j]
            a[j] = x if x < y else y
            b[j] = y if x < y else x


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _at(block, index, j):  # type: ignore[no-untyped-def]
    picked = block[min(max(index, 0), block.shape[0] - 1), j]
    return picked if picked < np.inf else np.float32(0)


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _middle(block, first, n, j):  # type: ignore[no-untyped-def]
    lower = _at(block, first + max(n - 1, 0) // 2, j)
    upper = lower if n % 2 == 1 else _at(block, first + n // 2, j)
    return np.float32(0.5) * (lower + upper)


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _limits(block, room, sizes, tallies, count, floor, winsorize, kappas, rounds, inner, numbers, few, low, high):  # type: ignore[no-untyped-def]
    """Fill low and high.

    Most pixels are done after a round or two; the columns of the others are then moved together in `room`, and only
    these are looked at again.
    """
    centre, scatter, least, most, safe = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    below, left, inside, lane, still = tallies[0], tallies[1], tallies[2], tallies[3], tallies[4]
    for j in range(LANES):
        least[j], most[j], safe[j] = -BIG, BIG, floor[j]
        low[j], high[j] = -BIG, BIG
        below[j], inside[j], lane[j] = 0, count[j], j if count[j] >= few else -1
    _begin(block, count, centre, scatter)
    work, lanes, wide = block, LANES, LANES
    for _ in range(rounds):
        for _step in range(inner):
            _update_scatter(work, wide, below, inside, centre, least, most, winsorize, numbers, sizes[5:], scatter)
        for j in range(wide):
            scale = max(scatter[j], safe[j])
            least[j] = centre[j] - kappas[0] * scale
            most[j] = centre[j] + kappas[1] * scale
        _count_inside(work, wide, least, most, below, left)
        going = 0
        for j in range(lanes):
            if lane[j] >= 0:
                low[lane[j]] = least[j]
                high[lane[j]] = most[j]
                if left[j] == inside[j]:
                    lane[j] = -1
                else:
                    still[going] = j
                    centre[j], inside[j] = _middle(work, below[j], left[j], j), left[j]
                    going += 1
        if going == 0:
            break
        if 2 * going > lanes:
            continue
        lanes, wide = going, -(-going // STRIDE) * STRIDE
        still[lanes:wide] = still[lanes - 1]
        _move(work, room, still[:wide], sizes, tallies)
        work = room


@njit(cache=True, error_model="numpy", nogil=True)
def _move(block, room, columns, sizes, tallies):  # type: ignore[no-untyped-def]
    """Move some columns of a block and what belongs to them to the front; block and room may be the same."""
    for k, j in enumerate(columns):
        for m in range(5):
            sizes[m, k] = sizes[m, j]
        for m in range(4):
            tallies[m, k] = tallies[m, j]
    for i in range(block.shape[0]):
        into, row = room[i], block[i]
        for k, j in enumerate(columns):
            into[k] = row[j]


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _begin(block, count, centre, scatter):  # type: ignore[no-untyped-def]
    """Fill centre with medians and scatter with half of what holds the middle 68 %."""
    half, n = np.float32(0.5), count[0]
    if n > 0 and (count == n).all():  # as nearly everywhere: whole rows at once
        lower, upper = block[(n - 1) // 2], block[n // 2]
        under, over = block[(n - 1) * 5 // 32], block[(n - 1) * 27 // 32]
        for j in range(LANES):
            centre[j] = half * (lower[j] + upper[j])
            scatter[j] = half * (over[j] - under[j])
        return
    for j in range(LANES):
        n = count[j]
        centre[j] = _middle(block, 0, n, j)
        scatter[j] = half * (_at(block, (n - 1) * 27 // 32, j) - _at(block, (n - 1) * 5 // 32, j))


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _update_scatter(block, lanes, below, inside, centre, low, high, winsorize, numbers, sums, scatter):  # type: ignore[no-untyped-def]
    """Replace the scatter by the standard deviation of the samples inside, winsorized at the old scatter."""
    zero, one = np.float32(0), np.float32(1)
    frames = block.shape[0]
    total, square, cut = sums[0], sums[1], sums[2]
    first, last, i = 0, frames, 0
    for j in range(lanes):
        total[j] = 0
        square[j] = 0
        cut[j] = numbers[2] * scatter[j] if winsorize else BIG
        first, last = max(first, below[j]), min(last, below[j] + inside[j])
    while i < frames:
        if (i >= first) & (i + 4 <= last):  # inside in all columns
            row_0, row_1, row_2, row_3 = block[i], block[i + 1], block[i + 2], block[i + 3]
            for j in range(lanes):
                a = _winsorized(row_0[j] - centre[j], cut[j])
                b = _winsorized(row_1[j] - centre[j], cut[j])
                c = _winsorized(row_2[j] - centre[j], cut[j])
                d = _winsorized(row_3[j] - centre[j], cut[j])
                total[j] = total[j] + a + b + c + d
                square[j] = square[j] + a * a + b * b + c * c + d * d
            i += 4
            continue
        row = block[i]
        for j in range(lanes):
            off = _winsorized(row[j] - centre[j], cut[j])
            off = off if (row[j] >= low[j]) & (row[j] <= high[j]) else zero
            total[j] += off
            square[j] += off * off
        i += 1
    for j in range(lanes):
        number = np.float32(max(inside[j], 1))
        mean = total[j] / number
        spread = max(square[j] / number - mean * mean, zero)
        scatter[j] = (numbers[3] if winsorize else one) * np.sqrt(spread)


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _winsorized(off, cut):  # type: ignore[no-untyped-def]
    off = off if off > -cut else -cut
    return off if off < cut else cut


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _line_limits(block, count, floor, kappas, rounds, few, low, high):  # type: ignore[no-untyped-def]
    centre = np.empty(LANES, np.float32)
    level, slope = np.empty(LANES, np.float32), np.empty(LANES, np.float32)
    first, size, safe = np.zeros(LANES, np.int32), count.copy(), np.empty(LANES, np.float32)
    lowest, highest = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    below, left = np.empty(LANES, np.int32), np.empty(LANES, np.int32)
    done = np.empty(LANES, np.bool_)
    for j in range(LANES):
        low[j] = -BIG
        high[j] = BIG
        done[j] = count[j] < few
    for _ in range(rounds):
        for j in range(LANES):
            centre[j] = _middle(block, first[j], size[j], j)
        _fit_line(block, first, size, centre, level, slope)
        _stray_ends(block, first, size, centre, level, slope, floor, kappas, safe, lowest, highest)
        for j in range(LANES):
            low[j] = low[j] if done[j] else _at(block, lowest[j], j)
            high[j] = high[j] if done[j] else _at(block, highest[j], j)
        _count_inside(block, LANES, low, high, below, left)
        finished = True
        for j in range(LANES):
            done[j] |= left[j] == size[j]
            if not done[j]:
                finished = False
                first[j] = below[j]
                size[j] = left[j]
        if finished:
            break
    _widen(block, count, first, size, centre, level, slope, safe, kappas, few, low, high)


@njit(cache=True, error_model="numpy", nogil=True)
def _widen(block, count, first, size, centre, level, slope, safe, kappas, few, low, high):  # type: ignore[no-untyped-def]
    """Move the limits from the outermost good samples out to where a further sample would stray.

    No sample of the block changes sides; but the limits now hold for samples that are not in it.
    """
    tiny = np.float32(1e-6)
    for j in range(LANES):
        if count[j] < few:
            continue
        half = np.float32(0.5) * np.float32(size[j] - 1)
        least = centre[j] + level[j] - slope[j] * half - kappas[0] * safe[j]
        most = centre[j] + level[j] + slope[j] * half + kappas[1] * safe[j]
        if first[j] > 0:
            gone = _at(block, first[j] - 1, j)
            least = max(least, gone + max(abs(gone) * tiny, tiny))
        if first[j] + size[j] < count[j]:
            gone = _at(block, first[j] + size[j], j)
            most = min(most, gone - max(abs(gone) * tiny, tiny))
        low[j] = min(low[j], least)
        high[j] = max(high[j], most)


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _fit_line(block, first, size, centre, level, slope):  # type: ignore[no-untyped-def]
    """Fit samples - centre = level + slope * (rank - middle rank) by least squares."""
    zero, half = np.float32(0), np.float32(0.5)
    level[:] = 0
    slope[:] = 0
    for i in range(block.shape[0]):
        row = block[i]
        for j in range(LANES):
            inside = (i >= first[j]) & (i < first[j] + size[j])
            off = row[j] - centre[j] if inside else zero
            level[j] += off
            slope[j] += (np.float32(i - first[j]) - half * np.float32(size[j] - 1)) * off
    for j in range(LANES):
        n = np.float32(max(size[j], 1))
        moment = n * (n * n - np.float32(1)) / np.float32(12)
        level[j] /= n
        slope[j] /= moment if moment > zero else np.float32(1)


@njit(cache=True, fastmath={"nsz"}, error_model="numpy", nogil=True)
def _stray_ends(block, first, size, centre, level, slope, floor, kappas, safe, lowest, highest):  # type: ignore[no-untyped-def]
    """Find the outermost ranks up to which no sample strays from the line."""
    zero, half = np.float32(0), np.float32(0.5)
    safe[:] = 0
    for i in range(block.shape[0]):
        row = block[i]
        for j in range(LANES):
            inside = (i >= first[j]) & (i < first[j] + size[j])
            along = np.float32(i - first[j]) - half * np.float32(size[j] - 1)
            safe[j] += abs(row[j] - centre[j] - level[j] - slope[j] * along) if inside else zero
    for j in range(LANES):
        safe[j] = max(safe[j] / np.float32(max(size[j], 1)), floor[j])
        lowest[j] = first[j]
        highest[j] = first[j] + size[j] - 1
    for i in range(block.shape[0]):
        row = block[i]
        for j in range(LANES):
            rank = i - first[j]
            along = np.float32(rank) - half * np.float32(size[j] - 1)
            stray = row[j] - centre[j] - level[j] - slope[j] * along
            under = (rank >= 0) & (rank < (size[j] - 1) // 2) & (stray < -kappas[0] * safe[j])
            over = (rank > size[j] // 2) & (rank < size[j]) & (stray > kappas[1] * safe[j])
            lowest[j] = i + 1 if under else lowest[j]
            highest[j] = min(highest[j], i - 1) if over else highest[j]


@njit(cache=True, error_model="numpy", nogil=True)
def accumulate(samples, weights, low, high, value, weight, kept, rejected):  # type: ignore[no-untyped-def]
    """Add one frame's samples that lie within the limits to the sums of value, weight, kept and rejected.

    Parameters
    ----------
    samples, low, high, value : ndarray, shape (channels, pixels)
    weights : ndarray, shape (1,) or (pixels,)
    weight, kept, rejected : ndarray, shape (pixels,)
    """
    channels, pixels = samples.shape
    for p in range(pixels):
        valid, good = True, True
        for c in range(channels):
            sample = samples[c, p]
            valid &= np.isfinite(sample)
            good &= (sample >= low[c, p]) & (sample <= high[c, p])
        if not valid:
            continue
        if not good:
            rejected[p] += 1
            continue
        each = weights[p] if weights.size > 1 else weights[0]
        kept[p] += 1
        weight[p] += each
        for c in range(channels):
            value[c, p] += each * samples[c, p]


@njit(cache=True, error_model="numpy", nogil=True)
def _count_inside(block, lanes, low, high, below, left):  # type: ignore[no-untyped-def]
    """Count the samples below the low limit and those within both, in from the ends as far as any lies outside."""
    frames = block.shape[0]
    below[:lanes] = 0
    left[:lanes] = frames
    for i in range(frames):
        row, outside = block[i], 0
        for j in range(lanes):
            out = row[j] < low[j]
            below[j] += out
            left[j] -= out
            outside |= out
        if not outside:
            break
    for i in range(frames - 1, -1, -1):
        row, outside = block[i], 0
        for j in range(lanes):
            out = row[j] > high[j]
            left[j] -= out
            outside |= out
        if not outside:
            break


@njit(cache=True, error_model="numpy", nogil=True)
def _few_limits(block, count, noise, kappas, numbers, few, low, high):  # type: ignore[no-untyped-def]
    for j in range(LANES):
        if count[j] < few:
            n = count[j]
            about = _at(block, 0, j) if n == 2 else _middle(block, 0, n, j)
            wide = np.float32(1.4142) * noise[j] + numbers[1] * abs(about)
            low[j] = about - kappas[0] * wide if n > 2 else -BIG
            high[j] = about + kappas[1] * wide if n > 1 else BIG


@njit(cache=True, fastmath={"nsz", "contract"}, error_model="numpy", nogil=True)
def _combine(cube, weights, start, lanes, low, high, value, weight, kept):  # type: ignore[no-untyped-def]
    frames, channels = cube.shape[0], cube.shape[1]
    zero, one, none = np.float32(0), np.int32(1), np.int32(0)
    each = np.empty(LANES, np.float32)
    total = np.zeros((channels, LANES), np.float32)
    heavy = np.zeros(LANES, np.float32)
    number = np.zeros(LANES, np.int32)
    single = weights.shape[1] == 1
    for i in range(frames):
        if single:
            each[:lanes] = weights[i, 0]
        else:
            each[:lanes] = weights[i, start : start + lanes]
        for c in range(channels):
            row, least, most = cube[i, c, start : start + lanes], low[c], high[c]
            for j in range(lanes):
                each[j] = each[j] if (row[j] >= least[j]) & (row[j] <= most[j]) else zero
        for j in range(lanes):
            heavy[j] += each[j]
            number[j] += one if each[j] > zero else none
        for c in range(channels):
            row, sums = cube[i, c, start : start + lanes], total[c]
            for j in range(lanes):
                sums[j] += each[j] * (row[j] if each[j] > zero else zero)
    for j in range(lanes):
        weight[start + j] = heavy[j]
        kept[start + j] = number[j]
    for c in range(channels):
        for j in range(lanes):
            value[c, start + j] = total[c, j] / heavy[j] if number[j] > 0 else np.float32(np.nan)


@njit(cache=True, error_model="numpy", nogil=True)
def _lift_emptied(count, kept, low, high):  # type: ignore[no-untyped-def]
    """Lift the limits where the colours together threw out all samples; return whether there was such a pixel."""
    is_emptied = False
    for j in range(kept.size):
        if kept[j] == 0 and count[j] > 0:
            is_emptied = True
            low[:, j] = -BIG
            high[:, j] = BIG
    return is_emptied


@njit(cache=True, error_model="numpy", nogil=True)
def _medians(block, low, high, lanes, into):  # type: ignore[no-untyped-def]
    for j in range(lanes):
        if np.isnan(into[j]):
            continue
        below = 0
        left = 0
        for i in range(block.shape[0]):
            below += block[i, j] < low[j]
            left += (block[i, j] >= low[j]) & (block[i, j] <= high[j])
        into[j] = _middle(block, below, left, j)
