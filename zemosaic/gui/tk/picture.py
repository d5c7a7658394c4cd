"""A picture with zoom and pan, drawn by Tk."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zemosaic.gui.presenter.result.picture_control import PAN_PX, PictureControl
from zemosaic.gui.presenter.result.picture_loader import Loaded
from zemosaic.gui.tk.sky_canvas import SkyCanvas
from zemosaic.gui.tk.theme import Theme

__all__ = ["Levels", "Picture", "picture_buttons", "read_levels"]

Levels = tuple[Image.Image, ...]
"""A picture and smaller copies of it, each half the size of the one before."""

_CLICK_MS = 300
"""A second click within this time makes a double click."""
_CLICK_PX = 4
"""Further than this a press is a drag."""
_MAX_SMALLEST_PX = 600


def read_levels(path: str) -> Levels | None:
    """Return a picture file with its smaller copies; None where it cannot be read."""
    try:
        with Image.open(path) as opened:
            levels = [opened.convert("RGB")]
    except OSError:
        return None
    while max(levels[-1].size) > _MAX_SMALLEST_PX:
        levels.append(levels[-1].reduce(2))
    return tuple(levels)


class Picture(SkyCanvas, PictureControl):
    """Shows `Levels` or a source: wheel and +/- zoom, dragging and arrows pan, 0 fits, 1 is full size."""

    def __init__(self, parent: tk.Misc, theme: Theme, empty: Callable[[], str]) -> None:
        SkyCanvas.__init__(self, parent, theme)
        PictureControl.__init__(self, empty)
        self._levels: Levels = ()
        self._pressed: tuple[int, int] | None = None
        self._click: str | None = None
        self._drag = (0, 0)
        self.bind("<Configure>", self._resized)
        self.bind("<Destroy>", lambda _: self._cancel_click(), add=True)
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._dragged)
        self.bind("<Motion>", lambda event: self.hover_at(event.x, event.y))
        self.bind("<ButtonRelease-1>", self._released)
        self.bind("<Double-Button-1>", self._double_clicked)
        self.bind("<MouseWheel>", lambda event: self._wheel(event, event.delta))
        self.bind("<Button-4>", lambda event: self._wheel(event, 1))
        self.bind("<Button-5>", lambda event: self._wheel(event, -1))
        self._bind_keys()
        self.recolour()

    def _bind_keys(self) -> None:
        keys = {"<plus>": 1, "<equal>": 1, "<KP_Add>": 1, "<minus>": -1, "<KP_Subtract>": -1}
        for key, turn in keys.items():
            self.bind(key, lambda _, turn=turn: self.zoom(turn))  # type: ignore[misc]
        self.bind("<Key-0>", lambda _: self.fit())
        self.bind("<Key-1>", lambda _: self.full_size())
        self.bind("<Return>", lambda _: self.click_middle())
        for key, du, dv in (("Left", PAN_PX, 0), ("Right", -PAN_PX, 0), ("Up", 0, PAN_PX), ("Down", 0, -PAN_PX)):
            self.bind(f"<{key}>", lambda _, du=du, dv=dv: self.pan(du, dv))  # type: ignore[misc]

    def show(self, loaded: Loaded[Levels] | None) -> None:
        """Show a preview."""
        self._levels = () if loaded is None else loaded.pixels
        self.show_size(self._levels[0].size if self._levels else None)

    def draw(self) -> None:
        seen = self.seen()
        if seen is not None:
            self._put(seen)
            self._draw_mark()
        elif self._levels:
            level = self._level()
            shrink = self._levels[0].width / level.width
            box = tuple(min(edge / shrink, limit) for edge, limit in zip(self.view.box(), level.size * 2, strict=True))
            how = Image.Resampling.NEAREST if self.view.scale > 3 else Image.Resampling.BILINEAR
            self._put(np.asarray(level.resize(self.view.size_on_screen(), how, box)))
        else:
            self.put_empty_text(self.empty_text())

    def _put(self, seen: NDArray[np.uint8]) -> None:
        self.put_picture(seen, self.winfo_width() // 2, self.winfo_height() // 2, "center")

    def _draw_mark(self) -> None:
        px = self._theme.px
        for ink, width in (("#000000", 4), (self._theme.palette.accent, 2)):
            for line in self.mark_lines(px(6), px(18)):
                self.create_line(*line, fill=ink, width=px(width), capstyle="round")

    def _level(self) -> Image.Image:
        """Return the smallest copy that still has a pixel for every screen pixel."""
        full = self._levels[0].width
        enough = [level for level in self._levels if level.width >= full * min(self.view.scale, 1.0)]
        return enough[-1] if enough else self._levels[0]

    def _wheel(self, event: tk.Event[tk.Misc], turn: int) -> str:
        self.turn_at(turn, event.x, event.y)
        return "break"

    def _press(self, event: tk.Event[tk.Misc]) -> None:
        self.focus_set()
        if not self.press_at(event.x, event.y):
            self._drag = self._pressed = (event.x, event.y)

    def _released(self, event: tk.Event[tk.Misc]) -> None:
        if self.release_at(event.x, event.y):
            return
        if self._pressed is not None and self.clicked is not None:
            self._cancel_click()
            self._click = self.after(_CLICK_MS, self._clicked, event.x, event.y)
        self._pressed = None

    def _clicked(self, u: int, v: int) -> None:
        self._click = None
        self.click_at(u, v)

    def _double_clicked(self, event: tk.Event[tk.Misc]) -> None:
        self._cancel_click()
        self._pressed = None
        self.toggle(event.x, event.y)

    def _cancel_click(self) -> None:
        if self._click is not None:
            self.after_cancel(self._click)
            self._click = None

    def _dragged(self, event: tk.Event[tk.Misc]) -> None:
        if self.drag_to(event.x, event.y):
            return
        if self._pressed is not None:
            if max(abs(event.x - self._pressed[0]), abs(event.y - self._pressed[1])) <= self._theme.px(_CLICK_PX):
                return
            self._pressed = None
        self.pan(event.x - self._drag[0], event.y - self._drag[1])
        self._drag = (event.x, event.y)

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        self.take_window(event.width, event.height)
        self.redraw()


def picture_buttons(parent: tk.Misc, picture: Picture) -> dict[str, ttk.Button]:
    """Return the buttons of a picture by the key of their text, not yet placed.

    Parameters
    ----------
    parent : tkinter widget
        The buttons become its children.
    picture : Picture
        What they act on.
    """
    return {key: ttk.Button(parent, command=act) for key, act in picture.buttons().items()}
