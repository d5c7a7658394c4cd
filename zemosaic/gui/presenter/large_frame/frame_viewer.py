"""Frames seen large, one after another at the same place of the sky; no toolkit needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.frames.frame_cells import metric_text, verdict_text
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.gui.presenter.frames.histograms import SHOWN_METRICS
from zemosaic.gui.presenter.large_frame.decoded_frames import DecodedFrames, room_bytes
from zemosaic.gui.presenter.large_frame.sky_place import Outline, SkyPlace, painted
from zemosaic.gui.presenter.settings.form import with_labels
from zemosaic.i18n import Translator

__all__ = ["VIEWER_BUTTONS", "VIEWER_KEYS", "FrameViewer", "ViewerTexts", "button_text"]

VIEWER_BUTTONS = ("previous", "next", "leave_out", "keep", "fit", "full_size", "same_place")
"""Keys of the buttons in their order; the last one stays pressed."""
VIEWER_KEYS: Mapping[str, str] = {
    "Left": "previous", "Right": "next", "Home": "first", "End": "last",
    "Delete": "leave_out", "Insert": "keep", "Escape": "close", "Space": "close",
    "+": "zoom_in", "=": "zoom_in", "-": "zoom_out", "0": "fit", "1": "full_size", "P": "same_place",
}  # fmt: skip
"""What keys do."""
_SHARED_TEXTS = {
    "leave_out": "frames.leave_out", "keep": "frames.keep", "fit": "result.fit", "full_size": "result.full_size"
}  # fmt: skip
"""Words that stand on buttons elsewhere too."""
_AHEAD, _AHEAD_PER_BEHIND = 12, 3
"""Frames decoded ahead in the direction of the last step, and for how many of them one behind."""
_DARK = 0.05
"""So large a part of the frames may have a sky that is shown black."""
_STEP = 1.25
"""Zoom of one turn of the wheel or one press of a key."""


@dataclass(frozen=True)
class ViewerTexts:
    """What stands with the picture."""

    title: str
    """Which frame of how many."""
    verdict: str
    """What becomes of it, and why."""
    facts: str
    """Its metrics, as far as they are known, and whether it is shown at its place of the sky."""
    is_excluded: bool


class FrameViewer:
    """What the window of large frames shows, and what its keys and buttons do.

    Parameters
    ----------
    desk : FramesPresenter
        Its table's order and filter are those of the viewer, its selection follows.
    decoded : DecodedFrames, optional
        Made with room for the memory that is free where it is not given.
    """

    def __init__(self, desk: FramesPresenter, decoded: DecodedFrames | None = None) -> None:
        self._desk = desk
        self._decoded = decoded
        self._table: FrameTable | None = None
        self._row = -1
        self._index = 0
        """Place of the frame among those that are gone through."""
        self._direction = 1
        self._place = SkyPlace()
        self._seen: NDArray[np.uint8] | None = None
        """What was seen last."""
        self.only_same_place = False
        """Whether frames are passed over that do not show the middle of the view."""

    @property
    def is_open(self) -> bool:
        """Whether a frame is looked at; not any more once there is another table."""
        return self._table is not None and self._table is self._desk.table

    @property
    def is_ready(self) -> bool:
        """Whether what is seen is the frame itself, or that it cannot be read."""
        return self.is_open and self._pictures().get(self.path) is not None

    @property
    def path(self) -> str:
        """The frame's file."""
        return "" if self._table is None else self._table.paths[self._row]

    def open(self) -> bool:
        """Begin with the first selected frame, or with the first one of the table; return whether there is any."""
        table = self._desk.table
        rows = np.empty(0, np.intp) if table is None else _usable(table)
        if table is None or not len(rows):
            return False
        chosen = np.flatnonzero(table.selected[rows])
        self._table, self._index, self._direction = table, int(chosen[0]) if len(chosen) else 0, 1
        self._row, self.only_same_place, self._seen = int(rows[self._index]), False, None
        typical, darker_adu = _typical(table, rows, self._row)
        self._pictures().begin(table.frames[typical], darker_adu)
        self._place.begin(table.footprints)
        self._place.fit(self._outline())
        self._look()
        return True

    def close(self) -> None:
        """Look at no frame any more; the pictures are forgotten."""
        self._table, self._seen = None, None
        if self._decoded is not None:
            self._decoded.end()

    def end(self) -> None:
        """End what works in the background."""
        self.close()
        if self._decoded is not None:
            self._decoded.close()

    def press(self, command: str) -> None:
        """Do what a key or a button does, by its name in `VIEWER_KEYS` or `VIEWER_BUTTONS`."""
        if not self.is_open:
            return
        acts: dict[str, Callable[[], None]] = {
            "previous": lambda: self._step(-1),
            "next": lambda: self._step(1),
            "first": lambda: self._step(-len(self._rows())),
            "last": lambda: self._step(len(self._rows())),
            "leave_out": lambda: self._keep(False),
            "keep": lambda: self._keep(True),
            "undo": lambda: self._table.undo() if self._table is not None else None,
            "redo": lambda: self._table.redo() if self._table is not None else None,
            "zoom_in": lambda: self.zoom(1),
            "zoom_out": lambda: self.zoom(-1),
            "fit": lambda: self._place.fit(self._outline()),
            "full_size": lambda: self._place.full_size(self._outline()),
            "same_place": self._toggle_same_place,
            "close": self.close,
        }
        acts[command]()

    def enabled(self, key: str) -> bool:
        """Return whether a button can be pressed now."""
        if self._table is None or not self.is_open:
            return False
        rows = self._rows()
        kept = bool(self._table.keep[self._row])
        able = {
            "previous": len(rows) > 0 and self._row != int(rows[0]),
            "next": len(rows) > 0 and self._row != int(rows[-1]),
            "leave_out": kept and self.is_ready,
            "keep": not kept,
            "same_place": self._place.is_located(self._row),
        }
        return able.get(key, True)

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the picture on the screen; a fitted frame stays fitted.

        Parameters
        ----------
        width, height : int
            In screen pixels; less than 1 counts as 1.
        """
        self._place.resize(width, height)
        if self.is_open and self._place.is_fitted:
            self._place.fit(self._outline())

    def zoom(self, turns: int, u: float | None = None, v: float | None = None) -> None:
        """Zoom about a screen point; about the middle by default.

        Parameters
        ----------
        turns : int
            Steps inwards; outwards where negative.
        u, v : float, optional
            Screen pixels, v downwards.
        """
        self._place.zoom(_STEP**turns, u, v)

    def pan(self, du: float, dv: float) -> None:
        """Drag the sky by so many screen pixels.

        Parameters
        ----------
        du, dv : float
            Screen pixels, dv downwards.
        """
        self._place.pan(du, dv)

    def pump(self) -> bool:
        """Return whether there is anything new to be drawn."""
        return self.is_open and self._decoded is not None and self._decoded.pump()

    def picture(self) -> NDArray[np.uint8] | None:
        """Return what is seen, shape (height, width, 3), RGB; None where no frame is looked at.

        While a frame is not decoded yet the one before stays, dimmed.
        """
        if self._table is None or not self.is_open:
            return None
        made = self._pictures().get(self.path)
        if made is None and self._seen is not None and self._seen.shape[:2] == self._place.size:
            return self._seen // 3
        if made is None or not made.levels:
            return self._place.blank()
        seen = painted(made.levels, self._place.view, self._outline(), not self._table.keep[self._row])
        self._seen = seen
        return seen

    def texts(self, words: Translator) -> ViewerTexts:
        """Return what stands with the picture."""
        table, row = self._table, self._row
        if table is None or not self.is_open:
            return ViewerTexts("", "", "", False)
        title = words.text("viewer.title", number=self._index + 1, count=len(self._rows()), name=table.files[row])
        when = (table.frames[row].date_obs or "").replace("T", " ")[:19]
        known = [metric for metric in SHOWN_METRICS if np.isfinite(table.metrics[metric][row])]
        facts = [when] if when else []
        for metric in known:
            value = metric_text(metric, float(table.metrics[metric][row]), words)
            facts.append(f"{words.text(f'frames.column.{metric}')} {value}")
        facts.append(words.text("viewer.located" if self._place.is_located(row) else "viewer.not_located"))
        return ViewerTexts(title, verdict_text(table, row, words), " · ".join(facts), not bool(table.keep[row]))

    def note(self, words: Translator) -> str:
        """Return what is written over the picture: that it is being read, or why it cannot be; else nothing."""
        made = self._pictures().get(self.path) if self.is_open else None
        if made is None:
            return words.text("viewer.reading") if self.is_open else ""
        return "" if made.problem is None else "⚠ " + with_labels(words.message(made.problem), words)

    def _pictures(self) -> DecodedFrames:
        if self._decoded is None:
            # Here, and not before a frame is looked at: the first window does not need it.
            import psutil

            available = psutil.virtual_memory().available
            self._decoded = DecodedFrames(room_bytes(available, self._desk.settings.memory_limit_gb))
        return self._decoded

    def _rows(self) -> NDArray[np.intp]:
        """Return the rows that are gone through, in the order of the table."""
        if self._table is None:
            return np.empty(0, np.intp)
        rows = _usable(self._table)
        if self.only_same_place:
            rows = rows[np.isin(rows, self._place.rows_here())]
        return rows

    def _outline(self) -> Outline:
        """Return where the frame is shown."""
        assert self._table is not None
        return self._place.outline(self._row, self._table.frames[self._row])

    def _step(self, steps: int) -> None:
        rows = self._rows()
        if not len(rows):
            return
        at = np.flatnonzero(rows == self._row)
        # A frame that the filter no longer shows has left its place to the one after it.
        begin = int(at[0]) if len(at) else self._index - (1 if steps > 0 else 0)
        self._index = min(max(begin + steps, 0), len(rows) - 1)
        self._row, self._direction = int(rows[self._index]), 1 if steps > 0 else -1
        self._place.follow(self._outline())
        self._look()

    def _look(self) -> None:
        """Select the frame, and decode it and those that come next: one behind for every three ahead."""
        assert self._table is not None
        self._table.select(np.array([self._row]))
        rows, places = self._rows(), []
        for step in range(1, _AHEAD + 1):
            places.append(self._index + self._direction * step)
            if step % _AHEAD_PER_BEHIND == 0:
                places.append(self._index - self._direction * step // _AHEAD_PER_BEHIND)
        wanted = [self._row, *(int(rows[place]) for place in places if 0 <= place < len(rows))]
        self._pictures().want([self._table.frames[row] for row in wanted])

    def _keep(self, keep: bool) -> None:
        """Include the frame, or exclude it and go on to the next; nothing is excluded unseen."""
        assert self._table is not None
        if not keep and not self.is_ready:
            return
        self._table.set_keep(np.array([self._row]), keep)
        if not keep:
            self._step(1)

    def _toggle_same_place(self) -> None:
        self.only_same_place = not self.only_same_place
        rows = self._rows()
        at = np.flatnonzero(rows == self._row)
        self._index = int(at[0]) if len(at) else 0
        self._look()


def button_text(key: str, words: Translator) -> str:
    """Return what stands on one of `VIEWER_BUTTONS`.

    Parameters
    ----------
    key : str
        One of `VIEWER_BUTTONS`.
    words : Translator
    """
    return words.text(_SHARED_TEXTS.get(key, f"viewer.{key}"))


def _usable(table: FrameTable) -> NDArray[np.intp]:
    return table.shown[table.usable[table.shown]]


def _typical(table: FrameTable, rows: NDArray[np.intp], row: int) -> tuple[int, float]:
    """Return the frame of the median sky among those of a frame's camera, and how much darker others are, ADU.

    While no sky is measured it is the frame itself.
    """
    sky = table.metrics["background"][rows]
    alike = np.array([table.frames[other].camera_key == table.frames[row].camera_key for other in rows])
    known = np.flatnonzero(alike & np.isfinite(sky))
    if not len(known):
        return row, 0.0
    order = known[np.argsort(sky[known], kind="stable")]
    middle, dark = order[len(order) // 2], order[round(_DARK * (len(order) - 1))]
    return int(rows[middle]), float(sky[middle] - sky[dark])
