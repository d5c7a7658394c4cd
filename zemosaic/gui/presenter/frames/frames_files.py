"""The frame table's files: the stack plan it is exported as, and the report of a run it learns from."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import green_channel
from zemosaic.errors import Message
from zemosaic.frames.selection import LIMIT_COLUMN, limit_text
from zemosaic.gui.presenter.frames.footprints import Corners
from zemosaic.gui.presenter.frames.frame_table import METRICS, FrameTable
from zemosaic.text.plain_text import json_value

__all__ = ["PLAN_COLUMNS", "REPORT_NAME", "Reported", "plan_rows", "read_report"]

_BY_HAND_REASONS = ("reason.left_out_by_hand", "reason.picked_out")
"""What reports say of frames that the user left out; the table knows it already."""
REPORT_NAME = "run_report.json"
PLAN_COLUMNS = (
    "order", "batch_id", "mount", "bortle", "telescope", "session_date", "filter", "exposure", "file_path", "ra", "dec",
    "keep", "group", "solved", *METRICS[:-1], LIMIT_COLUMN,
)  # fmt: skip
"""The first eleven are those of a ``stack_plan.csv``; `mount` and `bortle` are for the user to fill in."""


def plan_rows(table: FrameTable) -> Iterator[list[object]]:
    """Yield each frame's row of the CSV file, in the order of `PLAN_COLUMNS`."""
    for row, frame in enumerate(table.frames):
        centre = table.footprints.centre_of(row)
        place = ("", "") if centre is None else tuple(f"{angle:.5f}" for angle in centre)
        numbers = [table.metrics[name][row] for name in METRICS[:-1]]
        yield [
            row + 1,
            f"{table.nights[row]}_{frame.filter_name}".strip("_"),
            "",
            "",
            table.telescopes[row],
            table.nights[row],
            frame.filter_name,
            "" if frame.exposure_s is None else f"{frame.exposure_s:g}",
            frame.path,
            *place,
            int(table.keep[row]),
            table.group_of(row),
            table.solved[row],
            *(f"{value:.9g}" if np.isfinite(value) else "" for value in numbers),
            _limit_of(table, row),
        ]


def _limit_of(table: FrameTable, row: int) -> str:
    """Return the limit that leaves a frame out; empty where none does."""
    metric = None if table.keep[row] or table.keeping.by_hand[row] else table.keeping.beyond(row)
    return "" if metric is None else limit_text(metric, table.keeping.limits[metric])


@dataclass(frozen=True)
class Reported:
    """What a run's report says of the frames that have not changed since."""

    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """Each of shape (rows,), by metric; NaN says nothing."""
    why: Mapping[int, Message] = field(default_factory=dict)
    """Why frames are not in the mosaic, by row; those that the user left out are not among them."""
    corners: Mapping[int, Corners] = field(default_factory=dict)
    """Corners of the frames that were located, by row."""
    how: Mapping[int, str] = field(default_factory=dict)
    """How they were located, by row."""


def read_report(table: FrameTable, report: Path) -> Reported:
    """Return what a run's report says of the frames that have not changed since.

    Reads nothing of the table that ever changes, so that it may run beside the window.  An unreadable report says
    nothing.

    Parameters
    ----------
    table : FrameTable
        Its frames are found in the report by their paths; those that changed after it was written are passed over.
    report : Path
        The file `REPORT_NAME` of a run.
    """
    try:
        report_values = json_value(report.read_text(encoding="utf-8"))
        written_ns = report.stat().st_mtime_ns
    except (OSError, ValueError):
        return Reported()
    entries = report_values.get("frames") if isinstance(report_values, dict) else None
    if not isinstance(entries, list):
        return Reported()
    row_of = {frame.path: row for row, frame in enumerate(table.frames) if frame.mtime_ns < written_ns}
    numbers = {name: np.full(len(table), np.nan) for name in METRICS[:-1]}
    reported = Reported(numbers, why := {}, corners := {}, how := {})
    for entry in entries:
        row = row_of.get(str(entry.get("path")))
        if row is None:
            continue
        for name, values in numbers.items():
            values[row] = _number(entry, name)
        reason = _reason(entry)
        if reason is not None:
            why[row] = reason
        placed = tuple(_angles(entry.get(key)) for key in ("corners_ra_deg", "corners_dec_deg"))
        if all(placed):
            corners[row] = placed
            how[row] = str((entry.get("metrics") or {}).get("how") or "")
    return reported


def _angles(told: object) -> tuple[float, ...]:
    """Return the four angles of a frame's corners as the report writes them; none where they are not four numbers."""
    is_whole = isinstance(told, list) and len(told) == 4 and all(isinstance(angle, int | float) for angle in told)
    angles = tuple(float(angle) for angle in told) if isinstance(told, list) and is_whole else ()
    return angles if all(map(math.isfinite, angles)) else ()


def _reason(entry: Mapping[str, Any]) -> Message | None:
    """Return why a frame is not in the mosaic; None where it is, and where the user left it out."""
    told = entry.get("reason")
    if entry.get("status") == "used" or not isinstance(told, dict) or told.get("key") in (None, *_BY_HAND_REASONS):
        return None
    return Message(str(told["key"]), dict(told.get("params") or {}))


def _number(entry: Mapping[str, Any], name: str) -> float:
    """Return a metric of a frame as the report writes it; NaN where it has none."""
    keys = {"fwhm": "fwhm_px", "background": "sky_adu", "noise": "noise_adu"}
    value = entry.get("weight") if name == "weight" else (entry.get("metrics") or {}).get(keys.get(name, name))
    if isinstance(value, list):
        # Of the colours the green one stands for the frame.
        value = value[green_channel(len(value))] if value else None
    return float(value) if isinstance(value, int | float) else math.nan
