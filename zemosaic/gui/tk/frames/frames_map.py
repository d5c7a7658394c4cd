"""The map of the sky on a Tk canvas."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from zemosaic.gui.presenter.frames.frames_page import FramesPage
from zemosaic.gui.presenter.frames.thumbnails import fitted_picture
from zemosaic.gui.tk.sky_canvas import SkyCanvas
from zemosaic.gui.tk.theme import Theme

__all__ = ["MapCanvas"]

_INK = "#d5d9e2"
_SHIFT, _CONTROL = 0x1, 0x4


class MapCanvas(SkyCanvas):
    """Shows a `SkyMap`: wheel and +/- zoom, dragging pans, Shift and dragging selects, a click selects."""

    def __init__(
        self,
        parent: tk.Misc,
        page: FramesPage,
        theme: Theme,
        picked: Callable[[], None],
        region_marked: Callable[[str | None], None],
    ) -> None:
        super().__init__(parent, theme, width=200)
        sky = page.map
        self.sky = sky
        self._page = page
        self._session = page.session
        self._region_marked = region_marked
        self._picked = picked
        self.bind("<Configure>", self._resized)
        self.bind("<ButtonPress-1>", self._press)
        self.bind("<B1-Motion>", self._dragged)
        self.bind("<ButtonRelease-1>", self._released)
        self.bind("<MouseWheel>", lambda event: self._wheel(event, event.delta))
        self.bind("<Button-4>", lambda event: self._wheel(event, 1))
        self.bind("<Button-5>", lambda event: self._wheel(event, -1))
        for key, turn in (("<plus>", 1), ("<equal>", 1), ("<KP_Add>", 1), ("<minus>", -1), ("<KP_Subtract>", -1)):
            self.bind(key, lambda _, turn=turn: self._acted(lambda: sky.zoom(turn)))  # type: ignore[misc]
        self.bind("<Key-0>", lambda _: self._acted(sky.fit))
        for key, du, dv in (("Left", 60, 0), ("Right", -60, 0), ("Up", 0, 60), ("Down", 0, -60)):
            self.bind(f"<{key}>", lambda _, du=du, dv=dv: self._acted(lambda: sky.pan(du, dv)))  # type: ignore[misc]
        self.recolour()

    def draw(self) -> None:
        picture = self.sky.picture()
        if picture is None:
            self.put_empty_text(self._session.words.text("frames.empty_tk"))
            return
        height, width = picture.shape[:2]
        self.put_picture(picture)
        self._draw_compass(width, height)
        self._draw_legend()
        self._draw_thumbnail(width, height)
        self._draw_hint(width, height)
        if self.sky.rectangle is not None:
            self.create_rectangle(*self.sky.rectangle, outline=_INK, dash=(4, 3))

    def _draw_hint(self, width: int, height: int) -> None:
        px, text = self._theme.px, self._session.words.text
        hint = text("frames.region_hint" if self.sky.marking_region else "frames.hint")
        room = width - px(90)
        self.create_text(
            px(12), height - px(8), text=hint, fill="#8d95a5", anchor="sw", font="ZmSmall", width=max(room, 60)
        )

    def _draw_thumbnail(self, width: int, height: int) -> None:
        shown, px = self._page.thumbnails.shown, self._theme.px
        if shown is None:
            return
        right, top = width - px(12), px(12)
        if shown.picture is not None:
            small = fitted_picture(shown.picture, round(0.34 * width), round(0.45 * height))
            self.put_picture(small, right, top, "ne")
            self.create_rectangle(right - small.shape[1], top, right, top + small.shape[0], outline=_INK)
            top += small.shape[0] + px(4)
        room = max(width // 2, 60)
        name = self._page.thumbnail_text()
        self.create_text(right, top, text=name, fill=_INK, anchor="ne", font="ZmSmall", width=room, justify="right")

    def _draw_compass(self, width: int, height: int) -> None:
        words, px = self._session.words, self._theme.px
        x, y, arm = width - px(22), height - px(20), px(34)
        self.create_line([(x, y - arm), (x, y), (x - arm, y)], fill=_INK, width=px(1.5))
        self.create_text(x, y - arm - px(10), text=words.text("frames.north"), fill=_INK, font="ZmBold")
        self.create_text(x - arm - px(10), y, text=words.text("frames.east"), fill=_INK, font="ZmBold")

    def _draw_legend(self) -> None:
        px = self._theme.px
        for i, line in enumerate(self.sky.legend(self._session.words)):
            y = px(16) + px(20) * i
            ink = "#{:02x}{:02x}{:02x}".format(*line.ink)
            self.create_rectangle(px(12), y - px(5), px(22), y + px(5), fill=ink, width=0)
            self.create_text(px(30), y, text=line.text, fill=_INK, anchor="w", font="ZmSmall")

    def _acted(self, act: Callable[[], None]) -> None:
        act()
        self.redraw()

    def _wheel(self, event: tk.Event[tk.Misc], turn: int) -> str:
        self._acted(lambda: self.sky.zoom(1 if turn > 0 else -1, event.x, event.y))
        return "break"

    def _press(self, event: tk.Event[tk.Misc]) -> None:
        self.focus_set()
        self.sky.press(event.x, event.y, bool(int(event.state) & _SHIFT))

    def _dragged(self, event: tk.Event[tk.Misc]) -> None:
        self._acted(lambda: self.sky.drag(event.x, event.y))

    def _released(self, event: tk.Event[tk.Misc]) -> None:
        self._region_marked(self.sky.release(event.x, event.y, bool(int(event.state) & _CONTROL)))
        self.redraw()
        self._picked()

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        self._acted(lambda: self.sky.resize(event.width, event.height))
