"""What is said of one pixel: in the windows and on the command line, word for word the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath

from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.result.place_text import dec_text, ra_text
from zemosaic.i18n import Translator
from zemosaic.provenance.pixel_story import FrameHere, PixelState, PixelStory

__all__ = [
    "COLUMNS", "PixelRow", "detail_lines", "heading", "panel_heading", "panel_lines", "pixel_rows", "summary_lines",
    "table_lines",
]  # fmt: skip

COLUMNS = ("state", "file", "sigmas", "share")
SIGNS = {
    PixelState.HIGH: "▲",
    PixelState.LOW: "▼",
    PixelState.HIDDEN: "■",
    PixelState.EMPTY: "○",
    PixelState.TILE: "×",
    PixelState.UNREADABLE: "?",
    PixelState.USED: "✓",
    PixelState.LEFT_OUT: "×",
    PixelState.EDGE: "·",
}
"""Signs of the states, in the order in which they are listed: what needs a reason first."""
_MAX_NAME_LENGTH = 18
"""Characters of a file's name in a narrow column."""
_COUNTED = (
    PixelState.HIGH,
    PixelState.LOW,
    PixelState.HIDDEN,
    PixelState.EMPTY,
    PixelState.TILE,
    PixelState.UNREADABLE,
)
"""States of frames that cover a pixel and are not in it, as the summary tells them."""


@dataclass(frozen=True)
class PixelRow:
    """What the row of a frame shows."""

    frame: FrameHere
    state: str
    file: str
    sigmas: str
    """Deviation per channel in sigma; empty where there is none."""
    share: str

    @property
    def short_file(self) -> str:
        """The end of the name, which tells frames apart, where it is long."""
        return self.file if len(self.file) <= _MAX_NAME_LENGTH else f"…{self.file[1 - _MAX_NAME_LENGTH :]}"

    @property
    def cells(self) -> tuple[str, ...]:
        """Texts in the order of `COLUMNS`."""
        return self.state, self.file, self.sigmas, self.share


def heading(story: PixelStory, words: Translator) -> str:
    """Return the name of a pixel, counted from 1 as other programs count a FITS file's.

    Parameters
    ----------
    story : PixelStory
        Its column and row, counted from 0, are told counted from 1.
    words : Translator
    """
    return words.text("pixel.heading", column=story.column + 1, row=story.row + 1)


def panel_heading(desk: PixelPresenter, words: Translator) -> str:
    """Return the heading of the pixel that was asked for, counted from 1; empty where none was.

    Parameters
    ----------
    desk : PixelPresenter
        Its place, counted from 0, is told before anything is known of the pixel.
    words : Translator
    """
    if desk.place is None:
        return ""
    return words.text("pixel.heading", column=desk.place[0] + 1, row=desk.place[1] + 1)


def panel_lines(desk: PixelPresenter, words: Translator) -> list[str]:
    """Return what is known of the pixel that was asked for, or what is being done about it; nothing where none was.

    Parameters
    ----------
    desk : PixelPresenter
        A problem is told first, then the story, then that the pixel is being looked at.
    words : Translator
    """
    if desk.problem is not None:
        return [words.message(desk.problem)]
    if desk.story is not None:
        return summary_lines(desk.story, words)
    return [words.text("pixel.looking")] if desk.busy else []


def summary_lines(story: PixelStory, words: Translator) -> list[str]:
    """Return what a pixel is made of; the first line can stand alone.

    Parameters
    ----------
    story : PixelStory
        Its value is told where frames cover the pixel, and beside it that of the file where the two differ.
    words : Translator
    """
    used = story.number(PixelState.USED)
    missing = [_missing(story, state, words) for state in _COUNTED if story.number(state)]
    covering = used + story.number(*_COUNTED)
    if not covering:
        first = words.text("pixel.none")
    elif not missing:
        first = words.text("pixel.all", count=covering)
    else:
        parts = words.text("pixel.and").join(missing)
        first = words.text("pixel.summary", used=used, covering=covering, missing=parts)
    lines = [first]
    if left_out := story.number(PixelState.LEFT_OUT):
        lines.append(words.text("pixel.left_out", count=left_out))
    if story.placeless:
        lines.append(words.text("pixel.placeless", count=story.placeless))
    if edge := story.number(PixelState.EDGE):
        lines.append(words.text("pixel.edge", count=edge))
    lines.append(words.text("result.place", ra=ra_text(story.ra_deg), dec=dec_text(story.dec_deg)))
    if covering:
        lines.append(words.text("pixel.value", values=_values(story.value, words)))
        if story.stored and story.stored != story.value and not all(map(math.isnan, story.stored)):
            lines.append(words.text("pixel.stored", values=_values(story.stored, words)))
    if story.drizzled:
        lines.append(words.text("pixel.drizzled"))
    lines += [words.message(remark) for remark in story.told]
    return lines


def pixel_rows(story: PixelStory, words: Translator) -> list[PixelRow]:
    """Return the rows of the frames: those that are not in the pixel first, then the others by their weight.

    Parameters
    ----------
    story : PixelStory
        Frames of the same state and weight are sorted by their paths.
    words : Translator
    """
    order = {state: k for k, state in enumerate(SIGNS)}
    frames = sorted(story.frames, key=lambda frame: (order[frame.state], -frame.share, frame.path))
    return [
        PixelRow(
            frame,
            f"{SIGNS[frame.state]} {_state_text(frame, words)}",
            PurePath(frame.path).name,
            _sigmas(frame.sigmas, words),
            words.text("pixel.percent", percent=100.0 * frame.share) if frame.share > 0 else "",
        )
        for frame in frames
    ]


def detail_lines(frame: FrameHere, story: PixelStory, words: Translator) -> list[str]:
    """Return all that is known of one frame in the pixel; the first line is its file in the folder of the run.

    Parameters
    ----------
    frame : FrameHere
        One of those of the story.
    story : PixelStory
        Gives the folder of the run and the limits of the rejection, in sigma.
    words : Translator
    """
    path, folder = PurePath(frame.path), story.folder
    short = path.relative_to(folder) if folder and path.is_relative_to(folder) else path
    lines = [str(short), words.text(f"pixel.why.{frame.state.value}")]
    if frame.reason is not None:
        lines.append(words.message(frame.reason))
    if frame.trail:
        lines.append(words.text("pixel.trail"))
    if frame.interpolated:
        lines.append(words.text("pixel.mended"))
    if frame.sigmas and not all(map(math.isnan, frame.sigmas)):
        limits = {"low": story.kappa_low, "high": story.kappa_high}
        lines.append(words.text("pixel.sigmas", sigmas=_sigmas(frame.sigmas, words), **limits))
    if frame.value:
        lines.append(words.text("pixel.value", values=_values(frame.value, words)))
    if frame.share > 0:
        lines.append(words.text("pixel.share", percent=100.0 * frame.share))
    if frame.master is not None:
        lines.append(words.text("pixel.master", number=frame.master))
    if frame.x_px is not None and frame.y_px is not None:
        lines.append(words.text("pixel.detector", column=frame.x_px + 1.0, row=frame.y_px + 1.0))
    return lines


def table_lines(story: PixelStory, words: Translator) -> list[str]:
    """Return the rows as a table of plain text, with the reason under each frame that was left out.

    Parameters
    ----------
    story : PixelStory
    words : Translator
        Gives the heads of the columns; each column is as wide as its longest text.
    """
    head = [words.text(f"pixel.column.{name}") for name in COLUMNS]
    rows = pixel_rows(story, words)
    cells = [head, *(list(row.cells) for row in rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(COLUMNS))]
    lines = []
    for number, row in enumerate(cells):
        lines.append("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
        frame = rows[number - 1].frame if number else None
        if frame is not None and frame.reason is not None:
            lines.append(f"    {words.message(frame.reason)}")
    return lines


def _missing(story: PixelStory, state: PixelState, words: Translator) -> str:
    text = words.text(f"pixel.count.{state.value}", count=story.number(state))
    trails = sum(frame.trail for frame in story.frames if frame.state is state)
    if state is PixelState.HIGH and trails:
        text += words.text("pixel.of_them_trails", count=trails)
    return text


def _state_text(frame: FrameHere, words: Translator) -> str:
    if frame.state is PixelState.HIGH and frame.trail:
        return words.text("pixel.state.trail")
    return words.text(f"pixel.state.{frame.state.value}")


def _values(values: Sequence[float], words: Translator) -> str:
    return "  ".join("–" if math.isnan(value) else words.text("pixel.number", value=value) for value in values)


def _sigmas(sigmas: Sequence[float], words: Translator) -> str:
    if not sigmas or all(map(math.isnan, sigmas)):
        return ""
    return "  ".join(
        "–" if math.isnan(value) else words.text("pixel.sigma", value=round(value, 1) + 0.0) for value in sigmas
    )
