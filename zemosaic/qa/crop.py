"""The part of the canvas that holds data, and the part of it that holds good data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, median_sigma
from zemosaic.store.axis_order import Pixels, axis_layout

__all__ = ["QualityCrop", "coverage_box", "merged_box", "quality_box", "widened"]

MIN_LOG_NOISE_SPREAD = 0.05
"""Smallest standard deviation of the strips' log noise: differences of a few per cent are no reason to cut."""


def coverage_box(coverage: Pixels, margin_px: int) -> Box | None:
    """Return the smallest box around the covered pixels, widened by a margin.

    Parameters
    ----------
    coverage : array-like, shape (height, width)
        Frames per pixel; 0 or NaN where there are none.
    margin_px : int
        Pixels to leave on each side, as far as the canvas has them.

    Returns
    -------
    (y0, y1, x0, x1) or None
        Half open; None where nothing is covered.
    """
    layout = axis_layout(coverage, "HW")
    height, width = layout.height, layout.width
    columns = np.zeros(width, bool)
    first, last = height, -1
    for start, stop in layout.bands(0, height):
        covered = layout.rows(start, stop, 0, width)[0] > 0
        columns |= covered.any(axis=0)
        rows = np.flatnonzero(covered.any(axis=1))
        if rows.size:
            first, last = min(first, start + int(rows[0])), start + int(rows[-1])
    if last < 0:
        return None
    left, right = np.flatnonzero(columns)[[0, -1]]
    covered_box = (first, last + 1, int(left), int(right) + 1)
    return widened(covered_box, margin_px, (0, height, 0, width))


def widened(box: Box, by: int, within: Box) -> Box:
    """Return a box with a margin on each side, as far as `within` has it.

    Parameters
    ----------
    box : (y0, y1, x0, x1)
    by : int
        Pixels on each side.
    within : (y0, y1, x0, x1)
    """
    y0, y1, x0, x1 = box
    return max(within[0], y0 - by), min(within[1], y1 + by), max(within[2], x0 - by), min(within[3], x1 + by)


@dataclass(frozen=True)
class QualityCrop:
    """How borders are judged; see the settings of the same names."""

    band_px: int = 32
    """Width of the strips that are judged as a whole."""
    k_sigma: float = 2.0
    """How far a strip's noise may lie above that of the median strip."""
    min_run: int = 2
    """Length, in strips, of the shortest bad stretch that is cut off; shorter ones stay."""
    margin_px: int = 8
    """Pixels cut off beyond the last bad strip."""


def quality_box(weight: Pixels, box: Box, rules: QualityCrop) -> Box | None:
    """Return what remains of a box when its thin and noisy borders are cut off.

    From each edge, bad strips are cut off up to the first good one, where they are at least `min_run` side by side.
    Strips are compared with the median strip of that direction by the mean logarithm of the noise of
    their covered pixels (the noise of a pixel being one over the square root of its weight); strips without any
    covered pixel are bad.

    Parameters
    ----------
    weight : array-like, shape (height, width)
        Inverse variance per pixel; 0 or NaN where there are no data.
    box : (y0, y1, x0, x1)
        The covered part, as from `coverage_box` without margin.
    rules : QualityCrop

    Returns
    -------
    (y0, y1, x0, x1) or None
        Half open, inside `box`; None where no good part would remain.
    """
    rows, columns = _noise_profiles(weight, box)
    y_low, y_high = _cut(rows, rules), _cut(rows[:, ::-1], rules)
    x_low, x_high = _cut(columns, rules), _cut(columns[:, ::-1], rules)
    y0, y1, x0, x1 = box[0] + y_low, box[1] - y_high, box[2] + x_low, box[3] - x_high
    return (y0, y1, x0, x1) if y0 < y1 and x0 < x1 else None


def merged_box(canvas: Box, covered: Box, good: Box) -> Box:
    """Return a box whose edges are those of `good` where it cuts into `covered`, and those of `canvas` elsewhere.

    Parameters
    ----------
    canvas, covered, good : (y0, y1, x0, x1)
        Each within the one before.
    """
    low = [g if g > c else w for w, c, g in zip(canvas[::2], covered[::2], good[::2], strict=True)]
    high = [g if g < c else w for w, c, g in zip(canvas[1::2], covered[1::2], good[1::2], strict=True)]
    return low[0], high[0], low[1], high[1]


def _noise_profiles(weight: Pixels, box: Box) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return, for all rows and all columns, the sum of log noise and the number of covered pixels, shape (2, n)."""
    y0, y1, x0, x1 = box
    layout = axis_layout(weight, "HW")
    rows, columns = np.zeros((2, y1 - y0)), np.zeros((2, x1 - x0))
    for start, stop in layout.bands(y0, y1):
        values = layout.rows(start, stop, x0, x1)[0]
        covered = np.nan_to_num(values, nan=0.0) > 0
        noise = -0.5 * np.log(values, out=np.zeros(values.shape, np.float32), where=covered)
        rows[:, start - y0 : stop - y0] = noise.sum(axis=1, dtype=np.float64), covered.sum(axis=1)
        columns += noise.sum(axis=0, dtype=np.float64), covered.sum(axis=0)
    return rows, columns


def _cut(profile: NDArray[np.float64], rules: QualityCrop) -> int:
    """Return how many pixels to cut at the beginning of a profile; all of them where no strip is good."""
    size: int = profile.shape[1]
    sums, counts = np.add.reduceat(profile, np.arange(0, size, rules.band_px), axis=1)
    level = np.divide(sums, counts, out=np.full(sums.shape, np.inf), where=counts > 0)
    known = level[np.isfinite(level)]
    if not known.size:
        return size
    typical = float(np.median(known))
    spread = max(median_sigma(known - typical), MIN_LOG_NOISE_SPREAD)
    good = np.flatnonzero(level <= typical + rules.k_sigma * spread)
    if not good.size:
        return size
    stretch = int(good[0])
    return 0 if stretch == 0 or stretch < rules.min_run else stretch * rules.band_px + rules.margin_px
