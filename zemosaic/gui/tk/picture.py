"""A picture with zoom and pan; loading happens off the window's thread."""

from __future__ import annotations

import io
import queue
import threading
import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tkinter import ttk

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.tk.theme import Theme

__all__ = ["Loaded", "Picture", "PictureLoader", "picture_buttons"]

Source = Callable[[Viewport], NDArray[np.uint8] | None]
"""Makes the picture of a view, (h, w, 3), as large as on the screen; None while it cannot."""

_STEP = 1.25
"""Zoom of one turn of the wheel or one press of a key."""
_CLICK_MS = 300
"""A second click within this time makes a double click."""
_CLICK_PX = 4
"""Further than this a press is a drag."""


@dataclass(frozen=True)
class Loaded:
    """A picture and smaller copies of it, each half the size of the one before."""

    path: str
    levels: tuple[Image.Image, ...]


class PictureLoader:
    """Reads pictures in threads; `take` hands over the latest finished one."""

    def __init__(self) -> None:
        self._finished: queue.SimpleQueue[tuple[int, Loaded | None]] = queue.SimpleQueue()
        self._asked = 0

    def load(self, path: str) -> None:
        """Begin to read a picture; earlier requests are forgotten."""
        self._asked += 1
        threading.Thread(target=self._read, args=(self._asked, path), name="picture", daemon=True).start()

    def forget(self) -> None:
        """Hand over nothing that was asked for so far."""
        self._asked += 1

    def take(self) -> Loaded | None:
        """Return the picture asked for last, once, when it is there."""
        while not self._finished.empty():
            number, loaded = self._finished.get()
            if number == self._asked and loaded is not None:
                return loaded
        return None

    def _read(self, number: int, path: str) -> None:
        try:
            with Image.open(Path(path)) as opened:
                levels = [opened.convert("RGB")]
        except OSError:
            # A preview that is just being replaced; the next event names the new one.
            self._finished.put((number, None))
            return
        while max(levels[-1].size) > 600:
            levels.append(levels[-1].reduce(2))
        self._finished.put((number, Loaded(path, tuple(levels))))


class Picture(tk.Canvas):
    """Shows a `Loaded` picture: wheel and +/- zoom, dragging and arrows pan, 0 fits, 1 is full size."""

    def __init__(self, parent: tk.Misc, theme: Theme, empty: Callable[[], str]) -> None:
        super().__init__(parent, highlightthickness=1, borderwidth=0, takefocus=True, cursor="crosshair")
        self._theme = theme
        self._empty = empty
        self._caption = ""
        self._loaded: Loaded | None = None
        self._source: Source | None = None
        self.hovered: Callable[[float, float], None] = lambda x, y: None
        """Called with the picture point under the pointer."""
        self.clicked: Callable[[float, float], None] | None = None
        """Called with the picture point that was clicked, or that lies in the middle when Return is pressed."""
        self.mark: tuple[float, float] | None = None
        """A picture point that a cross shows."""
        self._pressed: tuple[int, int] | None = None
        self._click: str | None = None
        self._view = Viewport(1, 1, 1, 1)
        self._photo: tk.PhotoImage | None = None
        self._drawing: str | None = None
        self._drag = (0, 0)
        self.bind("<Configure>", self._resized)
        self.bind("<Destroy>", lambda _: self._cancel())
        self.bind("<<ThemeChanged>>", lambda _: self._recolour())
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._dragged)
        self.bind("<Motion>", lambda event: self._hover(event.x, event.y))
        self.bind("<ButtonRelease-1>", self._released)
        self.bind("<Double-Button-1>", self._double_clicked)
        self.bind("<Return>", lambda _: self._clicked_at(self._view.width / 2, self._view.height / 2))
        self.bind("<MouseWheel>", lambda event: self._wheel(event, event.delta))
        self.bind("<Button-4>", lambda event: self._wheel(event, 1))
        self.bind("<Button-5>", lambda event: self._wheel(event, -1))
        keys = {"<plus>": 1, "<equal>": 1, "<KP_Add>": 1, "<minus>": -1, "<KP_Subtract>": -1}
        for key, turn in keys.items():
            self.bind(key, lambda _, turn=turn: self.zoom(turn))  # type: ignore[misc]
        self.bind("<Key-0>", lambda _: self.fit())
        self.bind("<Key-1>", lambda _: self.full_size())
        for key, du, dv in (("Left", 60, 0), ("Right", -60, 0), ("Up", 0, 60), ("Down", 0, -60)):
            self.bind(f"<{key}>", lambda _, du=du, dv=dv: self._pan(du, dv))  # type: ignore[misc]
        self._recolour()

    @property
    def view(self) -> Viewport:
        """Where the picture lies."""
        return self._view

    def show(self, loaded: Loaded | None) -> None:
        """Show a picture; one of the same size keeps its place."""
        self._loaded, self._source = loaded, None
        if loaded is not None:
            self._take_size(*loaded.levels[0].size)
        self.redraw()

    def tell(self, caption: str) -> None:
        """Write a line over the foot of the picture; none when empty."""
        if caption != self._caption:
            self._caption = caption
            self.redraw()

    def look_through(self, source: Source, size: tuple[int, int]) -> None:
        """Show what a source makes of a view, for a picture of some width and height; the same part stays in sight."""
        self._source = source
        self._take_size(*size)
        self.redraw()

    def zoom(self, turns: int) -> None:
        """Zoom about the middle."""
        self._zoom_at(_STEP**turns, self._view.width / 2, self._view.height / 2)

    def fit(self) -> None:
        """Show the whole picture."""
        self._view = self._view.fit()
        self.redraw()

    def full_size(self) -> None:
        """Show one picture pixel per screen pixel."""
        self._zoom_at(1.0 / max(self._view.scale, 1e-9), self._view.width / 2, self._view.height / 2)

    def toggle(self, u: float, v: float) -> None:
        """Change between the whole picture and full size at a point."""
        if self._view.fitted:
            self._zoom_at(1.0 / max(self._view.scale, 1e-9), u, v)
        else:
            self.fit()

    def redraw(self) -> None:
        """Draw soon, once for any number of requests."""
        if self._drawing is None:
            self._drawing = self.after_idle(self._draw)

    def _draw(self) -> None:
        self._drawing = None
        self.delete("all")
        width, height = self.winfo_width(), self.winfo_height()
        seen = None if self._source is None else self._source(self._view)
        if seen is not None:
            self._put(Image.fromarray(seen))
            self._draw_mark()
            return
        if self._loaded is None:
            ink = self._theme.palette.muted if self._theme.name == "dark" else "#aab2c0"
            room, text = max(width - 60, 60), self._empty()
            self.create_text(width // 2, height // 2, text=text, fill=ink, justify="center", width=room)
            return
        level = self._level()
        shrink = self._loaded.levels[0].width / level.width
        box = tuple(min(edge / shrink, limit) for edge, limit in zip(self._view.box(), level.size * 2, strict=True))
        how = Image.Resampling.NEAREST if self._view.scale > 3 else Image.Resampling.BILINEAR
        self._put(level.resize(self._view.size_on_screen(), how, box))

    def _put(self, seen: Image.Image) -> None:
        # PPM is the one format Tk reads without decompressing anything.
        buffer = io.BytesIO()
        seen.save(buffer, "PPM")
        self._photo = tk.PhotoImage(master=self, data=buffer.getvalue(), format="PPM")
        width, height, px = self.winfo_width(), self.winfo_height(), self._theme.px
        self.create_image(width // 2, height // 2, image=self._photo)
        if self._caption:
            note = self.create_text(
                width // 2, height - px(10), text=self._caption, fill="#e8ebf2", anchor="s", justify="center",
                width=max(width - px(40), 60),
            )  # fmt: skip
            left, top, right, bottom = self.bbox(note)
            behind = self.create_rectangle(
                left - px(8), top - px(4), right + px(8), bottom + px(4), fill="#0b0e14", width=0
            )
            self.tag_lower(behind, note)

    def _draw_mark(self) -> None:
        if self.mark is None:
            return
        u, v = self._view.to_window(*self.mark)
        near, far = self._theme.px(6), self._theme.px(18)
        for ink, width in (("#000000", 4), (self._theme.palette.accent, 2)):
            for du, dv in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                ends = u + near * du, v + near * dv, u + far * du, v + far * dv
                self.create_line(*ends, fill=ink, width=self._theme.px(width), capstyle="round")

    def _take_size(self, width: int, height: int) -> None:
        if (width, height) != (self._view.picture_width, self._view.picture_height):
            self._view = self._view.of_picture(width, height)

    def _level(self) -> Image.Image:
        """Return the smallest copy that still has a pixel for every screen pixel."""
        assert self._loaded is not None
        full = self._loaded.levels[0].width
        enough = [level for level in self._loaded.levels if level.width >= full * min(self._view.scale, 1.0)]
        return enough[-1] if enough else self._loaded.levels[0]

    def _hover(self, u: float, v: float) -> None:
        if self._loaded is not None or self._source is not None:
            self.hovered(*self._view.to_picture(u, v))

    def _zoom_at(self, factor: float, u: float, v: float) -> None:
        if self._loaded is not None or self._source is not None:
            self._view = self._view.zoomed(factor, u, v)
            self.redraw()

    def _pan(self, du: float, dv: float) -> None:
        if self._loaded is not None or self._source is not None:
            self._view = self._view.panned(du, dv)
            self.redraw()

    def _wheel(self, event: tk.Event[tk.Misc], turn: int) -> str:
        self._zoom_at(_STEP if turn > 0 else 1 / _STEP, event.x, event.y)
        return "break"

    def _press(self, event: tk.Event[tk.Misc]) -> None:
        self.focus_set()
        self._drag = self._pressed = (event.x, event.y)

    def _released(self, event: tk.Event[tk.Misc]) -> None:
        if self._pressed is not None and self.clicked is not None:
            self._cancel_click()
            self._click = self.after(_CLICK_MS, self._clicked_at, event.x, event.y)
        self._pressed = None

    def _double_clicked(self, event: tk.Event[tk.Misc]) -> None:
        self._cancel_click()
        self._pressed = None
        self.toggle(event.x, event.y)

    def _clicked_at(self, u: float, v: float) -> None:
        self._click = None
        if self.clicked is not None and (self._loaded is not None or self._source is not None):
            self.clicked(*self._view.to_picture(u, v))

    def _cancel_click(self) -> None:
        if self._click is not None:
            self.after_cancel(self._click)
            self._click = None

    def _dragged(self, event: tk.Event[tk.Misc]) -> None:
        if self._pressed is not None:
            if max(abs(event.x - self._pressed[0]), abs(event.y - self._pressed[1])) <= self._theme.px(_CLICK_PX):
                return
            self._pressed = None
        self._pan(event.x - self._drag[0], event.y - self._drag[1])
        self._drag = (event.x, event.y)

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        self._view = self._view.resized(event.width, event.height)
        self.redraw()

    def _recolour(self) -> None:
        look = self._theme.palette
        self.configure(background=look.sky, highlightbackground=look.border, highlightcolor=look.accent)
        self.redraw()

    def _cancel(self) -> None:
        self._cancel_click()
        if self._drawing is not None:
            self.after_cancel(self._drawing)
            self._drawing = None


def picture_buttons(parent: tk.Misc, picture: Picture, style: str = "TButton") -> dict[str, ttk.Button]:
    """Return the buttons of a picture by the key of their text, not yet placed."""
    made = {
        "result.fit": picture.fit,
        "result.full_size": picture.full_size,
        "result.zoom_in": lambda: picture.zoom(1),
        "result.zoom_out": lambda: picture.zoom(-1),
    }
    return {key: ttk.Button(parent, style=style, command=command) for key, command in made.items()}
