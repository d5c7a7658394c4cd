"""What the report says of seams: steps between frames before and after, and steps measured on the mosaic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import green_channel
from zemosaic.errors import Message, message
from zemosaic.model import CalibratedFrame, EdgeOffsets
from zemosaic.qa.seams import LIMIT, SeamReport

__all__ = ["SeamSummary", "level_and_colour", "seam_dict", "summarise_seams", "warning_of_seams"]


@dataclass(frozen=True)
class SeamSummary:
    """Steps across footprint edges in noise of one frame's pixel; NaN where there is none to know."""

    edges: int
    """Edges along which other frames look on."""
    level_before: float
    """Root mean square; each frame less its own sky."""
    level_after: float
    colour_before: float
    """Differences between channels."""
    colour_after: float
    below_limit: float
    """Part of the edges whose step in level is below `LIMIT` after calibration."""
    mosaic: SeamReport | None

    @property
    def worst(self) -> float:
        """95 % of the steps on the mosaic are smaller; NaN where none could be measured."""
        return self.mosaic.worst if self.mosaic is not None else math.nan

    @property
    def verdict(self) -> str:
        """``invisible``, ``visible``, ``unknown`` or ``none``, by the finished mosaic."""
        return "unknown" if self.mosaic is None else self.mosaic.verdict


def level_and_colour(steps: Sequence[Sequence[float]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return per edge the step of the green (or only) channel and the largest difference between channels."""
    values = np.array(steps, float)
    return values[:, green_channel(values.shape[1])], values.max(axis=1) - values.min(axis=1)


def summarise_seams(frames: Sequence[CalibratedFrame], mosaic: SeamReport | None) -> SeamSummary | None:
    """Return the figures of a run, None where nothing was solved jointly.

    Parameters
    ----------
    frames : sequence of CalibratedFrame
    mosaic : SeamReport or None
        Steps measured on the finished mosaic.
    """
    known: list[EdgeOffsets] = [frame.edge_offsets for frame in frames if frame.edge_offsets is not None]
    if not known:
        return None
    level, colour = zip(*(level_and_colour([*frame.before, *frame.after]) for frame in known), strict=True)
    levels, colours = np.array(level).reshape(-1, 2, 4), np.array(colour).reshape(-1, 2, 4)
    after = levels[:, 1][np.isfinite(levels[:, 1])]
    return SeamSummary(
        edges=len(after),
        level_before=_rms(levels[:, 0]),
        level_after=_rms(levels[:, 1]),
        colour_before=_rms(colours[:, 0]),
        colour_after=_rms(colours[:, 1]),
        below_limit=float(np.mean(np.abs(after) < LIMIT)) if len(after) else math.nan,
        mosaic=mosaic,
    )


def warning_of_seams(report: SeamReport) -> Message | None:
    """Return what the user must know of a mosaic whose seams can be seen, or of which that is not known."""
    if report.verdict == "unknown":
        return message("warning.seams_unknown")
    if report.verdict != "visible":
        return None
    sizes = [edge.size for edge in report.edges if edge.visible]
    return message("warning.seams_visible", edges=len(sizes), step=round(max(sizes), 1))


def seam_dict(summary: SeamSummary) -> dict[str, Any]:
    """Return the figures for `run_report.json`."""
    measured = summary.mosaic
    return {
        "unit": "noise of one frame's pixel",
        "edges": summary.edges,
        "level_rms_before": summary.level_before,
        "level_rms_after": summary.level_after,
        "colour_rms_before": summary.colour_before,
        "colour_rms_after": summary.colour_after,
        "edges_below_limit": summary.below_limit,
        "limit": LIMIT,
        "verdict": summary.verdict,
        "mosaic": None
        if measured is None
        else {
            "pieces": len(measured.seams),
            "known_well": len(measured.trusted),
            "level_rms_beyond_noise": measured.level_rms,
            "p95": measured.worst,
            "pooled_edges": len(measured.edges),
            "visible_edges": sum(edge.visible for edge in measured.edges),
        },
    }


def _rms(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(known**2))) if len(known) else math.nan
