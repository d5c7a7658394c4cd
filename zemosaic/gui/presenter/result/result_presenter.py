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
from zemosaic.gui.presenter.result.render.comparison import draw_wipe, matched_picture
from zemosaic.gui.presenter.result.render.frame_outlines import outlines_of
from zemosaic.gui.presenter.result.render.mosaic_render import (
    CHANNELS,
    Adjustment,
    OpenMosaic,
    available_layers,
    plain_picture,
    with_layers,
)
from zemosaic.gui.presenter.result.render.tile_lines import tile_boxes
from zemosaic.i18n import Translator

if TYPE_CHECKING:
    from zemosaic.picture.pyramid import MosaicView
    from zemosaic.stars.zero_point import MosaicDepth

__all__ = ["ResultPresenter"]

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class _Opened:
    """What a thread brings back."""

    number: int
    mosaic: OpenMosaic | None = None
    problem: Message | None = None


class ResultPresenter:
    """Holds one mosaic at a time; nothing but `picture` takes long, and that some hundredths of a second."""

    def __init__(self) -> None:
        self.path = ""
        self.adjustment = Adjustment()
        self.problem: Message | None = None
        self.split = 0.5
        """Where the line between this mosaic and the one it is compared with stands, 0 to 1."""
        self.other: ResultPresenter | None = None
        """The mosaic that this one is compared with."""
        self.mosaic: OpenMosaic | None = None
        """What is open."""
        self.plain: Picture | None = None
        """What was shown last, without what is laid over it."""
        self._news: queue.SimpleQueue[_Opened] = queue.SimpleQueue()
        self._number = 0
        self._thread: threading.Thread | None = None
        self._complete = False

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the mosaic; None before it is open."""
        return None if self.mosaic is None else self.mosaic.view.size

    @property
    def channels(self) -> tuple[str, ...]:
        """What can be looked at."""
        return CHANNELS if self.mosaic is not None and self.mosaic.view.channels == 3 else CHANNELS[:1]

    @property
    def layers(self) -> frozenset[str]:
        """What can be laid over the picture."""
        return frozenset() if self.mosaic is None else available_layers(self.mosaic)

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

    def compare(self, path: str) -> None:
        """Begin to open a mosaic to compare this one with; an empty path ends the comparison."""
        if self.other is not None:
            self.other.close()
        self.other, self.split = (ResultPresenter() if path else None), 0.5
        if self.other is not None:
            self.other.open(path)

    @property
    def is_compared(self) -> bool:
        """Whether two mosaics are shown."""
        return self.other is not None and self.other.mosaic is not None

    def pump(self) -> bool:
        """Take in what was opened; return whether the picture is to be drawn anew."""
        changed = self.other is not None and self.other.pump()
        while not self._news.empty():
            news = self._news.get()
            if news.number != self._number:
                if news.mosaic is not None:
                    news.mosaic.view.close()
                continue
            self.mosaic, self.problem = news.mosaic, news.problem
            self._complete = False
            changed = True
        if self.mosaic is not None and not self._complete and self.mosaic.view.progress >= 1.0:
            self._complete = changed = True
        if self.other is not None and self.other.problem is not None:
            self.problem = self.other.problem
            self.compare("")
        return changed

    def adjust(self, **changes: Any) -> None:
        """Change the adjustment."""
        self.adjustment = replace(self.adjustment, **changes)

    def picture(self, view: Viewport) -> Picture | None:
        """Return what a view shows, as large as on the screen, shape (h, w, 3), uint8; None before it is open."""
        if self.mosaic is None:
            return None
        now = self.adjustment
        seen = self.plain = plain_picture(self.mosaic, now, view.box(), *view.size_on_screen())
        if self.other is not None and self.other.mosaic is not None:
            other = matched_picture(self.mosaic, self.other.mosaic, now, view)
            seen = draw_wipe(seen, other, self.split, (Path(self.path).stem, Path(self.other.path).stem))
        try:
            return with_layers(seen.copy(), self.mosaic, now.layers & self.layers, view)
        except ZeMosaicError as fault:
            self.problem = fault.message
            return seen

    def read_out(self, x: float, y: float, words: Translator) -> str:
        """Return what lies under a picture point: the place on the sky, the values, the number of frames.

        Parameters
        ----------
        x, y : float
            Place in the picture, in pixels from its top left corner.
        words : Translator
        """
        if self.mosaic is None:
            return ""
        view, texts = self.mosaic.view, []
        sky = view.sky_at(x, y)
        if sky is not None:
            texts.append(words.text("result.place", ra=ra_text(sky[0]), dec=dec_text(sky[1])))
        values = view.value_at(x, y)
        if values is not None:
            texts.append(" ".join(words.number(value, ".1f") for value in values))
        frames = view.frames_at(x, y)
        if frames is not None:
            texts.append(words.text("result.frames_here", count=frames))
        if frames and self.mosaic.depth is not None:
            from zemosaic.stars.shallow_parts import limit_at

            depth = self.mosaic.depth
            limit = float(limit_at(depth.limit_mag, depth.typical_frames, np.array([float(frames)]))[0])
            texts.append(words.text("result.limit_here", mag=words.number(limit, ".1f")))
        return "  ·  ".join(texts)

    def pixel_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return column and row from the bottom, counted from 0, of the mosaic's pixel at a picture point.

        Parameters
        ----------
        x, y : float
            Place in the picture, in pixels from its top left corner.
        """
        if self.size is None or not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
            return None
        return int(x), self.size[1] - 1 - int(y)

    def close(self) -> None:
        """Let go of the file and end what works in the background."""
        self.compare("")
        self._number += 1
        self._let_go()
        if self._thread is not None:
            self._thread.join(10)
        self.pump()

    def _let_go(self) -> None:
        self.compare("")
        if self.mosaic is not None:
            self.mosaic.view.close()
        self.mosaic = self.plain = None

    def _open(self, number: int, path: str) -> None:
        # Here, in the thread: it loads what the first window does not need.
        from zemosaic.picture.pyramid import MosaicView

        try:
            view = MosaicView.open(Path(path))
            stretches = view.auto_stretch(True), view.auto_stretch(False)
            outlines = outlines_of(Path(path), view.wcs, view.size[1])
            opened = OpenMosaic(view, stretches, tile_boxes(Path(path)), outlines, _depth_of(view))
            self._news.put(_Opened(number, opened))
        except ZeMosaicError as fault:
            self._news.put(_Opened(number, problem=fault.message))


def _depth_of(view: MosaicView) -> MosaicDepth | None:
    """Return how faint a star a mosaic shows, as its header tells."""
    from zemosaic.stars.zero_point import MosaicDepth

    limit, frames = (view.header.get(key) for key in ("MAGLIM5", "MAGLIMN"))
    if not isinstance(limit, int | float) or not isinstance(frames, int | float) or frames <= 0:
        return None
    return MosaicDepth(float(limit), float(frames))
