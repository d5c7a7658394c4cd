"""Sections of the HTML report on seams, depth, groups by hand, and frames of which a part is used."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from zemosaic.model import FrameStatus
from zemosaic.qa.seam_summary import level_and_colour
from zemosaic.qa.seams import LIMIT
from zemosaic.report.charts import STEP_LIMITS, EdgedFrame, seam_map
from zemosaic.report.depth_chart import depth_chart
from zemosaic.report.report_records import FrameRow, RunReport
from zemosaic.report.report_text import Chart, Figure, Words, green_of, short_path

__all__ = [
    "DepthSection",
    "GroupLine",
    "PartLine",
    "SeamSection",
    "depth_section",
    "group_lines",
    "part_lines",
    "seam_section",
]

MAX_PARTIAL_LINES = 200
MAX_NAMED_TILES = 12


@dataclass(frozen=True)
class SeamSection:
    """Steps before and after, and what they come to."""

    verdict: str
    figures: tuple[Figure, ...]
    maps: tuple[Chart, ...]
    limits: tuple[str, ...]
    """Names of the maps' colours."""


@dataclass(frozen=True)
class DepthSection:
    """Noise by depth, and what more time would bring."""

    svg: Markup
    outlook: str


@dataclass(frozen=True)
class PartLine:
    """A frame of which a part is used."""

    file: str
    area: str
    used: str
    """Tiles."""
    rejected: str


@dataclass(frozen=True)
class GroupLine:
    """A group that the user put together by hand."""

    name: str
    frames: str
    used: str
    exposure: str
    tiles: str
    files: tuple[str, ...]
    """Its frames, as far as the page lists them."""
    more: int
    """Frames beyond those."""


def seam_section(report: RunReport, words: Words) -> SeamSection | None:
    """Return what the page says of seams; None where nothing was solved jointly.

    Parameters
    ----------
    report : RunReport
    words : Words
    """
    summary = report.seams
    if summary is None or not summary.edges:
        return None
    figures = [
        _change(words, "report.seams.level", summary.level_before, summary.level_after),
        _change(words, "report.seams.colour", summary.colour_before, summary.colour_after),
        Figure(
            words.text("report.seams.below", limit=LIMIT),
            words.percent(summary.below_limit, ".1%"),
            words.text("report.seams.of_edges", n=summary.edges),
        ),
    ]
    if summary.mosaic is not None and np.isfinite(summary.worst):
        note = words.text("report.seams.pieces", n=len(summary.mosaic.trusted))
        figures.append(Figure(words.text("report.seams.on_mosaic"), f"{words.number(summary.worst, 3)} σ", note))
    maps = [
        Chart(words.text(title), svg)
        for title, when in (("report.seams.map_before", "before"), ("report.seams.map_after", "after"))
        if (svg := seam_map(_edged(report.used, when), words.text(title))) is not None
    ]
    bounds = [words.number(limit, 1) for limit in STEP_LIMITS]
    limits = [f"< {bounds[0]}", *(f"{a} … {b}" for a, b in pairwise(bounds)), f"> {bounds[-1]}"]
    return SeamSection(
        words.text(f"report.seams.{summary.verdict}"),
        tuple(figures),
        tuple(maps),
        tuple(f"{limit} σ" for limit in limits),
    )


def _change(words: Words, key: str, before: float, after: float) -> Figure:
    return Figure(
        words.text(key),
        f"{words.number(before, 2)} → {words.number(after, 3)} σ",
        words.text("report.seams.rms"),
    )


def _edged(rows: list[FrameRow], when: str) -> list[EdgedFrame]:
    return [
        EdgedFrame(
            row.corners_ra_deg,
            row.corners_dec_deg,
            tuple(float(v) for v in level_and_colour(row.steps.before if when == "before" else row.steps.after)[0]),
        )
        for row in rows
        if row.steps is not None and row.corners_ra_deg
    ]


def depth_section(report: RunReport, words: Words) -> DepthSection | None:
    """Return the noise by depth; None where it was not measured.

    Parameters
    ----------
    report : RunReport
    words : Words
    """
    depth = report.depth
    known = [(green_of(row.metrics.noise_adu), green_of(row.metrics.transparency)) for row in report.used]
    single = [noise / transparency for noise, transparency in known if noise and transparency]
    if depth is None or not single or not len(depth.frames):
        return None
    svg = depth_chart(depth.frames, depth.noise_adu, float(np.median(single)), words.text("report.depth"), words.number)
    return DepthSection(svg, _outlook(report, depth.typical_frames, words))


def _outlook(report: RunReport, typical: float, words: Words) -> str:
    """Say what an hour more would bring by the square-root law, spread as the time so far."""
    exposures = [row.exposure_s for row in report.used if row.exposure_s]
    if not exposures or len(exposures) < len(report.used):
        return ""
    total = sum(exposures)
    there = typical * float(np.median(exposures))
    gain = 1.0 - float(np.sqrt(total / (total + 3600.0)))
    return words.text(
        "report.depth.outlook",
        here=words.duration(there),
        more=words.duration(3600.0 * there / total),
        percent=words.number(100 * gain, 1 if gain < 0.1 else 0),
    )


def part_lines(report: RunReport, words: Words) -> list[PartLine]:
    """Return the frames that are used in a part of their area or in some of their tiles only.

    Parameters
    ----------
    report : RunReport
    words : Words
    """
    lines = [row for row in report.frames if row.in_part]
    lines.sort(key=lambda row: (row.area_used, row.path))
    return [
        PartLine(
            file=short_path(row.path, report.input_dir),
            area=words.percent(row.area_used),
            used=_tiles(row.tiles_used),
            rejected=_tiles(row.tiles_rejected),
        )
        for row in lines[:MAX_PARTIAL_LINES]
    ]


def group_lines(report: RunReport, words: Words) -> list[GroupLine]:
    """Return the groups put together by hand.

    Parameters
    ----------
    report : RunReport
    words : Words
    """
    lines = []
    for name, rows in report.groups.items():
        used = [row for row in rows if row.status is FrameStatus.USED]
        shown = tuple(short_path(row.path, report.input_dir) for row in rows[:MAX_PARTIAL_LINES])
        lines.append(
            GroupLine(
                name=name,
                frames=words.number(len(rows)),
                used=words.number(len(used)),
                exposure=words.duration(sum(row.exposure_s or 0.0 for row in used)),
                tiles=_tiles(tuple(sorted({tile for row in used for tile in row.tiles_used}))),
                files=shown,
                more=len(rows) - len(shown),
            )
        )
    return lines


def _tiles(numbers: tuple[int, ...]) -> str:
    shown = ", ".join(str(number) for number in numbers[:MAX_NAMED_TILES])
    return shown + (" …" if len(numbers) > MAX_NAMED_TILES else "") if numbers else "–"
