"""The line that leaves frames out by a limit of one metric."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.frame_table import FrameTable
from zemosaic.i18n import Translator

__all__ = ["beyond_text", "rows_beyond", "spread_text"]


def rows_beyond(table: FrameTable | None, metric: str, typed: str, side: str) -> NDArray[np.intp]:
    """Return the kept rows whose metric lies ``above`` or ``below`` a typed limit; none where it is no number."""
    try:
        limit = float(typed.replace(",", "."))
    except ValueError:
        return np.empty(0, np.intp)
    return np.empty(0, np.intp) if table is None else table.beyond(metric, limit, side == "above")


def spread_text(table: FrameTable | None, metric: str, words: Translator) -> str:
    """Return smallest, largest and middle value of a metric."""
    spread = None if table is None else table.spread(metric)
    if spread is None:
        return words.text("frames.limit_none")
    return words.text("frames.limit_range", low=spread[0], median=spread[1], high=spread[2])


def beyond_text(count: int, words: Translator) -> str:
    """Return the words of the button."""
    return words.text("frames.limit_apply", count=count)
