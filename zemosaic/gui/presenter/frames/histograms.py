"""Histograms of the frames' metrics with limits that are dragged; the same in every toolkit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.frames.selection import Limit
from zemosaic.gui.presenter.frames.frame_cells import metric_text
from zemosaic.gui.presenter.frames.frame_selection import outside
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.i18n import Translator

__all__ = ["SHOWN_METRICS", "Bar", "Histogram", "axis_range"]

SHOWN_METRICS = ("stars", "fwhm", "eccentricity", "background", "noise", "snr")
_BINS = 36
_GRIP_PX = 9
"""So near to a line the pointer takes hold of it."""
_CLIPPED = 0.002
"""Part of the frames at either end that the axis may leave out."""


@dataclass(frozen=True)
class Bar:
    """A bar in a picture of some size; v downwards."""

    u0: float
    v0: float
    u1: float
    v1: float
    kept: bool


class Histogram:
    """One metric's histogram: bars, two lines, and what the pointer and the keys do with them."""

    def __init__(self, desk: FramesPresenter, metric: str) -> None:
        self.metric = metric
        self._desk = desk
        self._width, self._height = 1, 1
        self._held: str | None = None
        self._dragged: Limit | None = None
        self._axis: tuple[tuple[int, int], tuple[float, float] | None] | None = None

    @property
    def limit(self) -> Limit:
        """The limits as they are drawn: those of the table, or the ones being dragged."""
        table = self._desk.table
        if self._dragged is not None:
            return self._dragged
        return (None, None) if table is None else table.keeping.limits.get(self.metric, (None, None))

    @property
    def lines(self) -> tuple[float, float] | None:
        """Where the two lines stand, in pixels; at the edges where there is no limit; None without values."""
        axis = self._range()
        if axis is None:
            return None
        low, high = self.limit
        return (
            0.0 if low is None else self._pixel(low, axis),
            float(self._width) if high is None else self._pixel(high, axis),
        )

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the picture.

        Parameters
        ----------
        width, height : int
            In pixels; less than 1 counts as 1.
        """
        self._width, self._height = max(width, 1), max(height, 1)

    def bars(self) -> list[Bar]:
        """Return the bars; of each the part that is kept stands in front of the whole."""
        table, axis = self._desk.table, self._range()
        if table is None or axis is None:
            return []
        values = table.metrics[self.metric]
        counted = table.usable & np.isfinite(values)
        kept = counted & table.keep
        if self._dragged is not None:
            kept = counted & ~outside(table.metrics[self.metric], self._dragged)
        whole, front = (_counts(values[rows], axis) for rows in (counted, kept))
        step, unit = self._width / _BINS, (self._height - 3) / max(int(whole.max(initial=1)), 1)
        bars = []
        for counts, is_kept in ((whole, False), (front, True)):
            for place in np.flatnonzero(counts):
                height = max(counts[place] * unit, 1.0)
                bars.append(
                    Bar(place * step, self._height - height, (place + 1) * step - 1, float(self._height), is_kept)
                )
        return bars

    def title(self, words: Translator) -> str:
        """Return the metric's name, and the limits where there are any."""
        name = words.text(f"frames.column.{self.metric}")
        low, high = (None if limit is None else metric_text(self.metric, limit, words) for limit in self.limit)
        if low is None and high is None:
            return name
        return f"{name}  {low or '…'} – {high or '…'}"

    def told(self, words: Translator) -> str:
        """Return how many frames lie beyond the limits; empty where there are none."""
        table = self._desk.table
        if table is None or self.limit == (None, None):
            return ""
        return words.text("frames.beyond", count=table.keeping.would_leave_out(self.metric, self.limit))

    def near(self, u: float) -> str | None:
        """Return which line a point is near to, ``low`` or ``high``; None for neither."""
        lines = self.lines
        if lines is None:
            return None
        away = [abs(line - u) for line in lines]
        if min(away) > _GRIP_PX:
            return None
        return "low" if away[0] <= away[1] else "high"

    def press(self, u: float) -> bool:
        """Take hold of the line near a point; return whether there is one."""
        self._held = self.near(u)
        self._dragged = self.limit if self._held else None
        return self._held is not None

    def drag(self, u: float) -> None:
        """Move the line that is held; beyond the edge it is no limit."""
        axis = self._range()
        if self._held is None or axis is None or self._dragged is None:
            return
        value = axis[0] + (axis[1] - axis[0]) * u / self._width
        low, high = self._dragged
        if self._held == "low":
            self._dragged = (None if u <= 0 else min(value, axis[1] if high is None else high), high)
        else:
            self._dragged = (low, None if u >= self._width else max(value, axis[0] if low is None else low))

    def release(self) -> None:
        """Let the line go: the frames beyond it are left out."""
        dragged, self._dragged, self._held = self._dragged, None, None
        if self._desk.table is not None and dragged is not None:
            self._desk.table.set_limit(self.metric, dragged)

    def nudge(self, steps: int, lower: bool) -> None:
        """Move the upper or the lower limit by some bars.

        Parameters
        ----------
        steps : int
            Bars to the right; to the left where negative.
        lower : bool
        """
        axis = self._range()
        if axis is None or self._desk.table is None:
            return
        low, high = self.limit
        step = steps * (axis[1] - axis[0]) / _BINS
        if lower:
            moved = (axis[0] if low is None else low) + step
            low = None if moved <= axis[0] else min(moved, axis[1])
        else:
            moved = (axis[1] if high is None else high) + step
            high = None if moved >= axis[1] else max(moved, axis[0])
        self._desk.table.set_limit(self.metric, (low, high))

    def clear(self) -> None:
        """Take both limits away."""
        if self._desk.table is not None:
            self._desk.table.set_limit(self.metric, (None, None))

    def type_limits(self, low: str, high: str) -> bool:
        """Set the limits as typed, empty for none; return whether both are numbers.

        Parameters
        ----------
        low, high : str
            In the unit of the metric, with a point or a comma before the decimals.
        """
        try:
            typed: Limit = (_number(low), _number(high))
        except ValueError:
            return False
        if self._desk.table is not None:
            self._desk.table.set_limit(self.metric, typed)
        return True

    def typed(self, words: Translator) -> tuple[str, str]:
        """Return the limits as they would be typed."""
        low, high = ("" if limit is None else words.number(limit, ".4g") for limit in self.limit)
        return low, high

    def _range(self) -> tuple[float, float] | None:
        """Return the ends of the axis, which a few far outliers do not stretch; None without values."""
        table = self._desk.table
        if table is None:
            return None
        key = (self._desk.version, table.version)
        if self._axis is None or self._axis[0] != key:
            self._axis = (key, _range_of(table, self.metric))
        return self._axis[1]

    def _pixel(self, value: float, axis: tuple[float, float]) -> float:
        return float(np.clip((value - axis[0]) / (axis[1] - axis[0]), 0, 1)) * self._width


def _range_of(table: FrameTable, metric: str) -> tuple[float, float] | None:
    values = table.metrics[metric][table.usable]
    values = values[np.isfinite(values)]
    return axis_range(values) if len(values) else None


def axis_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the ends of an axis for some finite values, with a little room; a few far outliers do not stretch it."""
    low, high = (float(end) for end in np.quantile(values, (_CLIPPED, 1 - _CLIPPED)))
    room = 0.03 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def _counts(values: NDArray[np.float64], axis: tuple[float, float]) -> NDArray[np.intp]:
    """Return how many values fall into each bar; what lies beyond the axis counts to the outer ones."""
    places = (values - axis[0]) * (_BINS / (axis[1] - axis[0]))
    return np.bincount(np.clip(places, 0, _BINS - 1).astype(np.intp), minlength=_BINS)


def _number(typed: str) -> float | None:
    return float(typed.replace(",", ".").replace("−", "-")) if typed.strip() else None
