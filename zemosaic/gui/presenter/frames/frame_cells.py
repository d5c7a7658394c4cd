"""What the cells of the table of frames say."""

from __future__ import annotations

import numpy as np

from zemosaic.gui.presenter.frames.frame_table import METRICS, FrameTable
from zemosaic.i18n import Translator

__all__ = ["cell_text", "metric_text", "short_name", "verdict_text"]

_MAX_NAME_LENGTH = 26
_FORMATS = {"exposure": "g", "stars": ".0f", "fwhm": ".2f", "eccentricity": ".2f", "weight": ".2f"}


def cell_text(table: FrameTable, row: int, column: str, words: Translator) -> str:
    """Return the text of one cell; empty where nothing is known."""
    if column in METRICS:
        value = float(table.metrics[column][row])
        return metric_text(column, value, words) if np.isfinite(value) else ""
    if column == "keep":
        return "☑" if table.keep[row] else "☐"
    if column == "verdict":
        return verdict_text(table, row, words)
    if column == "field":
        return table.field_name(row, words)
    if column == "solved":
        how = table.solved[row]
        return words.text(f"frames.solved.{how}") if words.has(f"frames.solved.{how}") else how
    texts = {"file": table.files, "night": table.nights, "telescope": table.telescopes}
    return texts[column][row]


def metric_text(metric: str, value: float, words: Translator) -> str:
    """Return a metric's value with the digits that matter."""
    return words.number(value, _FORMATS.get(metric, ".1f"))


def short_name(name: str) -> str:
    """Return beginning and end of a long file name; the end is what tells frames apart."""
    return name if len(name) <= _MAX_NAME_LENGTH else f"{name[:9]}…{name[10 - _MAX_NAME_LENGTH :]}"


def verdict_text(table: FrameTable, row: int, words: Translator) -> str:
    """Return what becomes of a frame, and why."""
    if table.usable[row] and not table.keep[row]:
        metric = None if table.keeping.by_hand[row] else table.keeping.beyond(row)
        if metric is None:
            return words.text("frames.verdict.left_out")
        return words.text("frames.verdict.beyond", metric=words.text(f"frames.column.{metric}"))
    if row in table.why:
        return words.text("frames.verdict.dropped", reason=words.message(table.why[row]))
    return words.text("frames.verdict.kept")
