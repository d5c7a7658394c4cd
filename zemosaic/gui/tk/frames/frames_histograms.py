"""The strip of histograms in Tk."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from zemosaic.gui.presenter.frames.histograms import Histogram
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.theme import Theme

__all__ = ["HistogramCanvas"]

_SHIFT = 0x1


class HistogramCanvas(tk.Canvas):
    """One metric: lines are dragged; Left and Right move the upper, with Shift the lower limit; Delete clears."""

    def __init__(
        self,
        parent: tk.Misc,
        histogram: Histogram,
        session: Session,
        theme: Theme,
        edited: Callable[[], None],
        chosen: Callable[[], None],
    ) -> None:
        super().__init__(
            parent, height=theme.px(92), width=theme.px(90), highlightthickness=1, borderwidth=0, takefocus=True
        )
        self.histogram = histogram
        self._session = session
        self._theme = theme
        self._edited = edited
        self._head = theme.px(20)
        self.bind("<Configure>", self._resized)
        self.bind("<<ThemeChanged>>", lambda _: self.redraw())
        self.bind("<FocusIn>", lambda _: chosen())
        self.bind("<ButtonPress-1>", self._pressed)
        self.bind("<B1-Motion>", self._dragged)
        self.bind("<ButtonRelease-1>", lambda _: self._released())
        self.bind("<Motion>", self._moved)
        for key, steps in (("Left", -1), ("Right", 1)):
            self.bind(f"<{key}>", lambda event, steps=steps: self._nudged(event, steps))  # type: ignore[misc]
        for key in ("<Delete>", "<BackSpace>"):
            self.bind(key, lambda _: self._cleared())

    def redraw(self) -> None:
        """Draw the bars, the two lines and the title."""
        look, width, height = self._theme.palette, self.winfo_width(), self.winfo_height()
        self.configure(background=look.card, highlightbackground=look.border, highlightcolor=look.accent)
        self.delete("all")
        words, head = self._session.words, self._head
        for bar in self.histogram.bars():
            ink = look.accent if bar.kept else look.border
            self.create_rectangle(bar.u0, bar.v0 + head, bar.u1, bar.v1 + head, fill=ink, width=0)
        self.create_text(
            self._theme.px(6), head // 2, text=self.histogram.title(words), fill=look.text, anchor="w", font="ZmSmall"
        )
        lines = self.histogram.lines
        if lines is None:
            text = words.text("frames.not_measured")
            middle = (width // 2, (height + head) // 2)
            self.create_text(*middle, text=text, fill=look.muted, font="ZmSmall", width=width - 8, justify="center")
            return
        for line, limit in zip(lines, self.histogram.limit, strict=True):
            at = min(max(line, 2.0), width - 3.0)
            ink = look.bad if limit is not None else look.border
            self.create_line(at, head, at, height, fill=ink, width=self._theme.px(2))

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        self.histogram.resize(event.width, event.height - self._head - 2)
        self.redraw()

    def _moved(self, event: tk.Event[tk.Misc]) -> None:
        self.configure(cursor="sb_h_double_arrow" if self.histogram.near(event.x) else "")

    def _pressed(self, event: tk.Event[tk.Misc]) -> None:
        self.focus_set()
        self.histogram.press(event.x)

    def _dragged(self, event: tk.Event[tk.Misc]) -> None:
        self.histogram.drag(event.x)
        self.redraw()

    def _released(self) -> None:
        self.histogram.release()
        self._edited()

    def _nudged(self, event: tk.Event[tk.Misc], steps: int) -> str:
        self.histogram.nudge(steps, bool(int(event.state) & _SHIFT))
        self._edited()
        return "break"

    def _cleared(self) -> str:
        self.histogram.clear()
        self._edited()
        return "break"
