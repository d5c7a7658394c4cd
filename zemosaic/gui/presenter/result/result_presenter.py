"""The finished mosaic at full resolution: opened in the background, stretched as the user likes, read by pointing."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import Message, ZeMosaicError
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.result.place_text import dec_text, ra_text
from zemosaic.gui.presenter.result.tile_lines import TileBox, draw_tiles, tile_boxes
from zemosaic.i18n import Translator

if TYPE_CHECKING:
    from zemosaic.picture.pyramid import MosaicView

__all__ = ["CHANNELS", "Adjustment", "ResultPresenter"]

CHANNELS = ("colour", "red", "green", "blue")
OVERLAY = 0.45
"""How strongly the coverage covers the picture."""
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Adjustment:
    """What the user changed of the automatic stretch; positions of sliders from -1 to 1, 0 changes nothing."""

    sky: float = 0.0
    """Brightness of the empty sky: four times as bright at 1, a quarter at -1."""
    white: float = 0.0
    """Brightness that becomes white: a hundredth at 1, a hundred times as much at -1."""
    strength: float = 0.0
    """How strongly faint light is lifted: four times as much at 1, a quarter at -1."""
    linked: bool = True
    channel: str = "colour"
    coverage: bool = False
    tiles: bool = False
    annotation: bool = False
    """Whether names, outlines, grid and scale are drawn over the picture."""


@dataclass(frozen=True)
class _Opened:
    """What a thread brings back."""

    number: int
    view: MosaicView | None = None
    stretches: tuple[Any, Any] | None = None
    """Linked, and each colour for itself."""
    tiles: tuple[TileBox, ...] = ()
    problem: Message | None = None


class ResultPresenter:
    """Holds one mosaic at a time; nothing but `picture` takes long, and that some hundredths of a second."""

    def __init__(self) -> None:
        self.path = ""
        self.adjustment = Adjustment()
        self.problem: Message | None = None
        self._view: MosaicView | None = None
        self._stretches: tuple[Any, Any] | None = None
        self._tiles: tuple[TileBox, ...] = ()
        self._news: queue.SimpleQueue[_Opened] = queue.SimpleQueue()
        self._number = 0
        self._thread: threading.Thread | None = None
        self._complete = False

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the mosaic; None before it is open."""
        return None if self._view is None else self._view.size

    @property
    def channels(self) -> tuple[str, ...]:
        """What can be looked at."""
        return CHANNELS if self._view is not None and self._view.channels == 3 else CHANNELS[:1]

    @property
    def has_coverage(self) -> bool:
        """Whether there is a map of the coverage to lay over the picture."""
        return self._view is not None and self._view.has_coverage

    @property
    def has_wcs(self) -> bool:
        """Whether it is known where the mosaic lies on the sky, so that it can be annotated."""
        return self._view is not None and self._view.wcs is not None

    @property
    def has_tiles(self) -> bool:
        """Whether it is known of which tiles the mosaic is made."""
        return bool(self._tiles)

    def open(self, path: str) -> None:
        """Begin to open a mosaic, unless it is open already; an empty path shows nothing."""
        if path == self.path:
            return
        self._let_go()
        self.path, self.problem = path, None
        self._number += 1
        if path:
            self._thread = threading.Thread(target=self._open, args=(self._number, path), name="mosaic", daemon=True)
            self._thread.start()

    def pump(self) -> bool:
        """Take in what was opened; return whether the picture is to be drawn anew."""
        changed = False
        while not self._news.empty():
            news = self._news.get()
            if news.number != self._number:
                if news.view is not None:
                    news.view.close()
                continue
            self._view, self._stretches, self.problem = news.view, news.stretches, news.problem
            self._tiles = news.tiles
            self._complete = False
            changed = True
        if self._view is not None and not self._complete and self._view.progress >= 1.0:
            self._complete = changed = True
        return changed

    def adjust(self, **changes: Any) -> None:
        """Change the adjustment."""
        self.adjustment = replace(self.adjustment, **changes)

    def picture(self, view: Viewport) -> Picture | None:
        """Return what a view shows, as large as on the screen, shape (h, w, 3), uint8; None before it is open."""
        if self._view is None or self._stretches is None:
            return None
        left, top, right, bottom = view.box()
        width, height = view.size_on_screen()
        now = self.adjustment
        stretch = self._stretches[0 if now.linked else 1].adjusted(
            depth=4.0**-now.strength, white=100.0**-now.white, sky_level=_sky_level() * 4.0**now.sky
        )
        channel = CHANNELS.index(now.channel) - 1 if now.channel in self.channels[1:] else None
        seen = self._view.window(left, top, right, bottom, width, height, stretch, channel)
        over = self._view.overlay(left, top, right, bottom, width, height) if now.coverage else None
        if over is not None:
            share = OVERLAY * (over[..., 3:] / np.float32(255.0))
            seen = np.rint(seen * (1 - share) + over[..., :3] * share).astype(np.uint8)
        if now.tiles:
            draw_tiles(seen, view, self._tiles)
        return self._annotated(seen, view) if now.annotation else seen

    def _annotated(self, seen: Picture, view: Viewport) -> Picture:
        """Return what is seen with the annotation of that part of the sky."""
        # Here, when it is asked for: it loads what the first window does not need.
        from zemosaic.picture.annotation.annotate import annotate
        from zemosaic.picture.annotation.burnt import burnt_in
        from zemosaic.picture.annotation.projection import PictureWcs

        if self._view is None or self._view.wcs is None:
            return seen
        left, top, right, _ = view.box()
        height, width = seen.shape[:2]
        step = (right - left) / width
        sky = PictureWcs(self._view.wcs.shifted(left, 0.0), self._view.size[1] - top, step, width, height)
        try:
            return burnt_in(seen, annotate(sky))
        except ZeMosaicError as fault:
            self.problem = fault.message
            return seen

    def read_out(self, x: float, y: float, words: Translator) -> str:
        """Return what lies under a picture point: the place on the sky, the values, the number of frames."""
        if self._view is None:
            return ""
        texts = []
        sky = self._view.sky_at(x, y)
        if sky is not None:
            texts.append(words.text("result.place", ra=ra_text(sky[0]), dec=dec_text(sky[1])))
        values = self._view.value_at(x, y)
        if values is not None:
            texts.append(" ".join(words.number(value, ".1f") for value in values))
        frames = self._view.frames_at(x, y)
        if frames is not None:
            texts.append(words.text("result.frames_here", count=frames))
        return "  ·  ".join(texts)

    def pixel_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return column and row from the bottom, counted from 0, of the mosaic's pixel at a picture point."""
        if self.size is None or not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
            return None
        return int(x), self.size[1] - 1 - int(y)

    def close(self) -> None:
        """Let go of the file and end what works in the background."""
        self._number += 1
        self._let_go()
        if self._thread is not None:
            self._thread.join(10)
        self.pump()

    def _let_go(self) -> None:
        if self._view is not None:
            self._view.close()
        self._view, self._stretches, self._tiles = None, None, ()

    def _open(self, number: int, path: str) -> None:
        # Here, in the thread: it loads what the first window does not need.
        from zemosaic.picture.pyramid import MosaicView

        try:
            view = MosaicView.open(Path(path))
            stretches = view.auto_stretch(True), view.auto_stretch(False)
            self._news.put(_Opened(number, view, stretches, tile_boxes(Path(path))))
        except ZeMosaicError as fault:
            self._news.put(_Opened(number, problem=fault.message))


def _sky_level() -> float:
    from zemosaic.picture.stretch import SKY_LEVEL

    return SKY_LEVEL
