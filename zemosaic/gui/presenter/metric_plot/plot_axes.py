"""Axes of the plot of metrics: numbers, and nights laid end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from zemosaic.arrays import Float64s
from zemosaic.gui.presenter.frames.histograms import axis_range
from zemosaic.i18n import Translator

__all__ = ["Axis", "metric_axis", "time_axis"]

_PAUSE_S = 3 * 3600.0
"""After so long a pause another night begins."""
_LEAST_NIGHT_S = 60.0
_GAP = 0.04
"""Part of all nights' time that the gap between two takes, at most."""
_TICKS = 6


@dataclass(frozen=True)
class Axis:
    """One axis: where each frame lies on it, and what stands beside it."""

    places: Float64s
    """Each frame's place, shape (frames,): 0 at the low end, 1 at the high end; NaN where it is not known."""
    ticks: Sequence[tuple[float, float | str]]
    """Places, in rising order, and what stands there: a number, or a date or time."""
    digits: int = 0
    """Of the numbers, behind the decimal sign."""

    def told(self, words: Translator) -> list[tuple[float, str]]:
        """Return places and texts of the ticks."""
        how = f",.{self.digits}f"
        return [(place, tick if isinstance(tick, str) else words.number(tick, how)) for place, tick in self.ticks]


def metric_axis(values: Float64s) -> Axis | None:
    """Return the axis of a metric; far outliers lie at its ends.  None without values."""
    known = values[np.isfinite(values)]
    if not len(known):
        return None
    low, high = axis_range(known)
    step = _round_step((high - low) / _TICKS)
    ticks = np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step
    told = [((float(tick) - low) / (high - low), float(tick)) for tick in ticks]
    return Axis(np.clip((values - low) / (high - low), 0.0, 1.0), told, max(0, -int(np.floor(np.log10(step)))))


def time_axis(seconds: Float64s) -> Axis | None:
    """Return the axis of time on which nights follow each other without the days between; None without times.

    Each night begins with its date; where there is one alone its hours are told.

    Parameters
    ----------
    seconds : ndarray, shape (frames,)
        Since 1970; NaN where it is not known.
    """
    known = np.unique(seconds[np.isfinite(seconds)])
    if not len(known):
        return None
    first = np.flatnonzero(np.r_[True, np.diff(known) > _PAUSE_S])
    begins, ends = known[first], known[np.r_[first[1:] - 1, len(known) - 1]]
    lengths = np.maximum(ends - begins, _LEAST_NIGHT_S)
    gap = _GAP * lengths.sum() / max(len(first) / 4, 1.0)
    offsets = np.r_[0.0, np.cumsum(lengths + gap)[:-1]]
    whole = float(lengths.sum() + gap * (len(first) - 1))
    night = np.clip(np.searchsorted(begins, seconds, side="right") - 1, 0, len(begins) - 1)
    places = (offsets[night] + seconds - begins[night]) / whole
    if len(first) == 1:
        return Axis(places, _hours(float(begins[0]), float(lengths[0])))
    ticks = zip(offsets / whole, begins, strict=True)
    return Axis(places, [(float(place), _moment(float(begin)).strftime("%Y-%m-%d")) for place, begin in ticks])


def _hours(begin: float, length: float) -> list[tuple[float, float | str]]:
    """Return ticks at round times of the day."""
    step = next((step for step in (10, 60, 300, 600, 1800, 3600, 7200) if length / step <= _TICKS), 7200)
    ticks = np.arange(np.ceil(begin / step), np.floor((begin + length) / step) + 1) * step
    return [
        (float(tick - begin) / length, _moment(float(tick)).strftime("%H:%M:%S" if step < 60 else "%H:%M"))
        for tick in ticks
    ]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _round_step(step: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is no smaller than a step."""
    power = 10.0 ** np.floor(np.log10(step))
    return float(next(power * times for times in (1, 2, 5, 10) if power * times >= step * (1 - 1e-9)))
