"""The plot of metrics on a Tk canvas."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from zemosaic.gui.presenter.frames.frames_page import FramesPage
from zemosaic.gui.tk.sky_canvas import SkyCanvas
from zemosaic.gui.tk.theme import Theme

__all__ = ["PlotCanvas"]

_INK, _FAINT = "#d5d9e2", "#3a4150"
_CONTROL = 0x4


class PlotCanvas(SkyCanvas):
    """Shows a `MetricPlot`: a line round points selects them, a click or an arrow key selects one."""

    def __init__(self, parent: tk.Misc, page: FramesPage, theme: Theme, picked: Callable[[], None]) -> None:
        super().__init__(parent, theme, width=200)
        self._plot, self._words = page.plot, page.session.words
        self._picked = picked
        self.bind("<Configure>", self._resized)
        self.bind("<ButtonPress-1>", self._pressed)
        self.bind("<B1-Motion>", self._dragged)
        self.bind("<ButtonRelease-1>", self._released)
        for key, steps in (("Left", -1), ("Right", 1), ("Home", -(10**9)), ("End", 10**9)):
            self.bind(f"<{key}>", lambda _, steps=steps: self._walk(steps))  # type: ignore[misc]
        self.recolour()

    def draw(self) -> None:
        seen, empty = self._plot.picture(), self._plot.empty_text(self._words)
        if empty:
            self.put_empty_text(empty)
            return
        self.put_picture(seen)
        self._draw_axes()
        self._draw_legend(seen.shape[1])
        self._draw_lasso()

    def _draw_axes(self) -> None:
        px, (u0, v0, u1, v1) = self._theme.px, self._plot.area
        below, left = self._plot.ticks(self._words)
        out = px(6)
        self.create_line([(u0, v0 - out), (u0, v1 + out), (u1, v1 + out)], fill=_FAINT)
        for tick in below:
            self.create_line(tick.at, v1 + out, tick.at, v1 + out + px(4), fill=_FAINT)
            text = self.create_text(tick.at, v1 + out + px(5), text=tick.text, fill=_INK, anchor="n", font="ZmSmall")
            self._keep_inside(text)
        for tick in left:
            self.create_line(u0 - px(4), tick.at, u0, tick.at, fill=_FAINT)
            self.create_text(u0 - px(8), tick.at, text=tick.text, fill=_INK, anchor="e", font="ZmSmall")

    def _keep_inside(self, text: int) -> None:
        """Move a text back that would stand beyond the edges."""
        left, _, right, _ = self.bbox(text)
        self.move(text, max(2 - left, 0) - max(right - self.winfo_width() + 2, 0), 0)

    def _draw_legend(self, width: int) -> None:
        px = self._theme.px
        for row, line in enumerate(self._plot.legend(self._words)):
            y, ink = px(16) + px(18) * row, "#{:02x}{:02x}{:02x}".format(*line.ink)
            self.create_rectangle(width - px(16), y - px(5), width - px(6), y + px(5), fill=ink, width=0)
            self.create_text(width - px(22), y, text=line.text, fill=_INK, anchor="e", font="ZmSmall")

    def _draw_lasso(self) -> None:
        self.delete("lasso")
        if len(self._plot.lasso) > 1:
            self.create_polygon(self._plot.lasso, outline=_INK, fill="", dash=(4, 3), tags="lasso")

    def _pressed(self, event: tk.Event[tk.Misc]) -> None:
        self.focus_set()
        self._plot.press(event.x, event.y)

    def _dragged(self, event: tk.Event[tk.Misc]) -> None:
        self._plot.drag(event.x, event.y)
        self._draw_lasso()

    def _released(self, event: tk.Event[tk.Misc]) -> None:
        self._plot.release(event.x, event.y, bool(int(event.state) & _CONTROL))
        self.redraw()
        self._picked()

    def _walk(self, steps: int) -> str:
        self._plot.step(steps)
        self.redraw()
        self._picked()
        return "break"

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        self._plot.resize(event.width, event.height, self._theme.px(100) / 100)
        self.redraw()
