"""A plot of the frames' metrics against time or each other, from which frames are picked; no toolkit needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.gui.presenter.frames.frame_table import METRICS, FrameTable
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.gui.presenter.frames.map_picture import Legend, legend
from zemosaic.gui.presenter.frames.sky_map import SkyMap
from zemosaic.gui.presenter.metric_plot.plot_axes import Axis, metric_axis, time_axis
from zemosaic.gui.presenter.metric_plot.plot_picture import painted_points
from zemosaic.i18n import Translator

__all__ = ["PLOT_AXES", "MetricPlot", "Tick", "axis_text"]

PLOT_AXES = ("time", *METRICS)
"""What can stand on either axis."""
_LEFT, _BOTTOM, _TOP, _RIGHT = 58, 26, 14, 16
"""Room round the points, in pixels of a usual screen."""
_CLICK_PX = 8
"""So near to a point a click picks it; so far the pointer may move in a click."""
_TICK_PX = 78
"""Texts below the plot are at least so far apart."""


@dataclass(frozen=True)
class Tick:
    """A place along an axis, in pixels of the picture, and its text."""

    at: float
    text: str


class MetricPlot:
    """What the plot shows and what the pointer and the keys do with it.

    Parameters
    ----------
    desk : FramesPresenter
    sky : SkyMap
        Whose colours are those of the plot.
    """

    def __init__(self, desk: FramesPresenter, sky: SkyMap) -> None:
        self._desk = desk
        self._sky = sky
        self.x, self.y = "time", "fwhm"
        """What the axes are."""
        self.lasso: list[tuple[float, float]] = []
        """Points of the line that is being drawn."""
        self._size, self._unit = (1, 1), 1.0
        self._axes: tuple[object, tuple[Axis | None, Axis | None]] | None = None
        self._painted: tuple[object, NDArray[np.uint8]] | None = None

    @property
    def colouring(self) -> str:
        """What the colours mean: what they mean on the map, but for the coverage, which a frame alone has not."""
        return "night" if self._sky.colouring == "coverage" else self._sky.colouring

    @property
    def area(self) -> tuple[float, float, float, float]:
        """The part (u0, v0, u1, v1) of the picture where points lie."""
        (width, height), unit = self._size, self._unit
        return _LEFT * unit, _TOP * unit, max(width - _RIGHT * unit, 1.0), max(height - _BOTTOM * unit, 1.0)

    def use_axes(self, x: str, y: str) -> None:
        """Choose the axes, each one of `PLOT_AXES`.

        Parameters
        ----------
        x, y : str
            What is not among them counts as time and FWHM.
        """
        self.x, self.y = (axis if axis in PLOT_AXES else default for axis, default in ((x, "time"), (y, "fwhm")))

    def resize(self, width: int, height: int, unit: float = 1.0) -> None:
        """Tell the size of the picture, and how many of its pixels make one of a usual screen.

        Parameters
        ----------
        width, height : int
            In pixels; less than 1 counts as 1.
        unit : float
            Pixels of the picture per pixel of a usual screen; more than 1 on a fine one.
        """
        self._size, self._unit = (max(width, 1), max(height, 1)), unit

    def points(self) -> Float64s:
        """Return (u, v) of all rows of the table, shape (rows, 2); NaN for those that are not in the plot."""
        table, (x, y) = self._desk.table, self._both_axes()
        if table is None or x is None or y is None:
            return np.full((0 if table is None else len(table), 2), np.nan)
        u0, v0, u1, v1 = self.area
        at = np.stack((u0 + (u1 - u0) * x.places, v1 + (v0 - v1) * y.places), axis=-1)
        at[~(table.usable & np.isfinite(at).all(axis=1))] = np.nan
        return at

    def ticks(self, words: Translator) -> tuple[list[Tick], list[Tick]]:
        """Return the ticks below the plot and those on its left, without those that would lie on each other."""
        x, y = self._both_axes()
        u0, v0, u1, v1 = self.area
        below = [] if x is None else [Tick(u0 + (u1 - u0) * place, text) for place, text in x.told(words)]
        left = [] if y is None else [Tick(v1 + (v0 - v1) * place, text) for place, text in y.told(words)]
        if self.y == "time":
            left = _apart(left, 18 * self._unit)
        return _apart(below, _TICK_PX * self._unit), left

    def empty_text(self, words: Translator) -> str:
        """Return why there are no points; empty where there are some."""
        if self._desk.table is None:
            return words.text("frames.empty_tk")
        lacking = [name for name, axis in zip((self.y, self.x), self._both_axes()[::-1], strict=True) if axis is None]
        return words.text("plot.empty", metric=axis_text(lacking[0], words)) if lacking else ""

    def legend(self, words: Translator) -> Sequence[Legend]:
        """Return what the colours mean."""
        table = self._desk.table
        return [] if table is None else legend(table, self.colouring, 0, words, self._sky.metric)

    def picture(self) -> NDArray[np.uint8]:
        """Return the points, shape (height, width, 3), RGB."""
        table = self._desk.table
        version = None if table is None else table.version
        key = (self._desk.version, version, self._size, self._unit, self.x, self.y, self.colouring, self._sky.metric)
        if self._painted is None or self._painted[0] != key:
            width, height = self._size
            colours = (self.colouring, self._sky.metric)
            self._painted = (key, painted_points(table, self.points(), (height, width), self._unit, *colours))
        return self._painted[1]

    def press(self, u: float, v: float) -> None:
        """Begin to draw round points, or to click.

        Parameters
        ----------
        u, v : float
            Pixels of the picture, v downwards.
        """
        self.lasso = [(u, v)]

    def drag(self, u: float, v: float) -> None:
        """Go on drawing.

        Parameters
        ----------
        u, v : float
            Pixels of the picture, v downwards.
        """
        if self.lasso:
            self.lasso.append((u, v))

    def release(self, u: float, v: float, add: bool) -> None:
        """Select what the line goes round, or the frame under a click.

        Parameters
        ----------
        u, v : float
            Pixels of the picture from its top left corner, v downwards.
        add : bool
            Whether what was selected stays selected.
        """
        table, line = self._desk.table, np.array([*self.lasso, (u, v)], float)
        begun, self.lasso = bool(self.lasso), []
        if table is None or not begun:
            return
        points = self.points()
        if np.ptp(line, axis=0).max() <= _CLICK_PX * self._unit:
            away = np.hypot(*(points - (u, v)).T)
            near = np.flatnonzero(away <= _CLICK_PX * self._unit)
            table.select(near[np.argsort(away[near], kind="stable")][:1], add)
        else:
            table.select(np.flatnonzero(_inside(points, line)), add)

    def step(self, steps: int) -> None:
        """Select the point so many further to the right than the one selected, or the first one."""
        table, u = self._desk.table, self.points()[:, :1].ravel()
        if table is None or not np.isfinite(u).any():
            return
        order = np.lexsort((np.arange(len(u)), u))[: int(np.isfinite(u).sum())]
        at = np.flatnonzero(table.selected[order])
        place = 0 if not len(at) else min(max(int(at[0 if steps < 0 else -1]) + steps, 0), len(order) - 1)
        table.select(order[[place]])

    def _both_axes(self) -> tuple[Axis | None, Axis | None]:
        table = self._desk.table
        if table is None:
            return None, None
        key = (self._desk.version, table.version, self.x, self.y)
        if self._axes is None or self._axes[0] != key:
            self._axes = (key, (self._axis(table, self.x), self._axis(table, self.y)))
        return self._axes[1]

    def _axis(self, table: FrameTable, name: str) -> Axis | None:
        if name == "time":
            return time_axis(np.where(table.usable, table.times_s, np.nan))
        return metric_axis(np.where(table.usable, table.metrics[name], np.nan))


def axis_text(axis: str, words: Translator) -> str:
    """Return the name of one of `PLOT_AXES`.

    Parameters
    ----------
    axis : str
        One of `PLOT_AXES`.
    words : Translator
    """
    return words.text("plot.time" if axis == "time" else f"frames.column.{axis}")


def _apart(ticks: list[Tick], least_px: float) -> list[Tick]:
    """Return the ticks without those nearer to the one before than they may be."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or abs(tick.at - kept[-1].at) >= least_px:
            kept.append(tick)
    return kept


def _inside(points: Float64s, line: Float64s) -> NDArray[np.bool_]:
    """Return which points lie inside a closed line, shape (n,), by how often a ray to the left meets it."""
    inside = np.zeros(len(points), bool)
    some = np.flatnonzero(((points >= line.min(axis=0)) & (points <= line.max(axis=0))).all(axis=1))
    u, v = points[some].T
    within = np.zeros(len(some), bool)
    for (u0, v0), (u1, v1) in zip(line, np.roll(line, -1, axis=0), strict=True):
        if v0 != v1:
            within ^= ((v0 > v) != (v1 > v)) & (u > u0 + (v - v0) * (u1 - u0) / (v1 - v0))
    inside[some] = within
    return inside
