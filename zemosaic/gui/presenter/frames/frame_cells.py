"""What the cells of the table of frames say."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zemosaic.errors import Message
from zemosaic.gui.presenter.frames.frame_table import METRICS, FrameTable
from zemosaic.gui.presenter.settings.form import with_labels
from zemosaic.i18n import Translator

__all__ = ["cell_text", "metric_text", "short_name", "short_reason", "verdict_text"]

_MAX_NAME_LENGTH = 26
_KINDS = {
    "copy": ("duplicate", "same_exposure"),
    "trailed": ("trailed",),
    "blurred": ("blurred",),
    "cloudy": ("cloudy",),
    "few_stars": ("few_stars", "unsolved_too_few_stars"),
    "too_bright": ("too_bright", "overexposed"),
    "far_away": ("blows_canvas_up",),
    "outside": ("beside_",),
    "stack": ("stack_",),
    "not_a_light": ("not_a_light",),
    "not_reached": ("not_reached",),
    "rejected": ("used_in_no_tile", "refused_by_tile"),
    "unsolved": ("unsolved_", "astap_", "header_wcs_", "joint_"),
    "gone": ("vanished", "changed"),
    "unreadable": (
        *("bad_bitpix", "blank", "corrupt_", "cut_off", "empty_file", "folder_unreadable", "header_without_end"),
        *("io_error", "killed_workers", "no_image", "no_numbers", "no_permission", "not_a_file", "not_fits"),
        *("one_value", "short_read", "table_only", "task_failed", "too_large", "too_small", "truncated"),
        "wrong_dimensions",
    ),
}
"""Reasons whose keys begin alike share a few words, by those."""
_FORMATS = {"exposure": "g", "stars": ".0f", "fwhm": ".2f", "eccentricity": ".2f", "weight": ".2f"}


def cell_text(table: FrameTable, row: int, column: str, words: Translator) -> str:
    """Return the text of one cell; empty where nothing is known.

    Parameters
    ----------
    table : FrameTable
    row : int
    column : str
        One of `COLUMNS`.
    words : Translator
    """
    if column in METRICS:
        value = float(table.metrics[column][row])
        return metric_text(column, value, words) if np.isfinite(value) else ""
    if column == "keep":
        return "☐" if not table.keep[row] else "⚠" if row in table.why else "☑"
    if column == "verdict":
        return verdict_text(table, row, words, is_short=True)
    if column == "field":
        return table.field_name(row, words)
    if column == "solved":
        how = table.solved[row]
        return words.text(f"frames.solved.{how}") if words.has(f"frames.solved.{how}") else how
    texts = {"file": table.files, "night": table.nights, "telescope": table.telescopes}
    return texts[column][row]


def metric_text(metric: str, value: float, words: Translator) -> str:
    """Return a metric's value with the digits that matter.

    Parameters
    ----------
    metric : str
        One of `METRICS`.
    value : float
        In the unit of the metric, which is not told.
    words : Translator
    """
    return words.number(value, _FORMATS.get(metric, ".1f"))


def short_name(name: str) -> str:
    """Return beginning and end of a long file name; the end is what tells frames apart."""
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[:9]}…{name[10 - _MAX_NAME_LENGTH :]}"


def short_reason(reason: Message, words: Translator) -> str:
    """Return a reason in the few words that a column has room for.

    Parameters
    ----------
    reason : Message
        Why a frame is not in the mosaic; where there are no few words for it, the whole sentence is returned.
    words : Translator
    """
    key = reason.key.removeprefix("reason.")
    kind = next((kind for kind, keys in _KINDS.items() if key.startswith(keys)), None)
    return (
        with_labels(words.message(reason), words)
        if kind is None
        else words.text(f"frames.short.{kind}", **_named(reason))
    )


def _named(reason: Message) -> dict[str, str]:
    first = reason.params.get("first")
    return {} if first is None else {"first": short_name(Path(str(first)).name)}


def verdict_text(table: FrameTable, row: int, words: Translator, is_short: bool = False) -> str:
    """Return what becomes of a frame, and why.

    Parameters
    ----------
    table : FrameTable
    row : int
    words : Translator
    is_short : bool
        Whether a few words are wanted, as a column of the table has room for, and no sentence.
    """
    if table.usable[row] and not table.keep[row]:
        metric = None if table.keeping.by_hand[row] else table.keeping.beyond(row)
        if metric is None:
            return words.text("frames.verdict.left_out")
        return words.text("frames.verdict.beyond", metric=words.text(f"frames.column.{metric}"))
    if row in table.why:
        reason = short_reason(table.why[row], words) if is_short else with_labels(words.message(table.why[row]), words)
        return words.text("frames.verdict.dropped", reason=reason)
    return words.text("frames.verdict.kept")
