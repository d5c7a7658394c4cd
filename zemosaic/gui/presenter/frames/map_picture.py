"""The map of the sky as a picture, the same in every toolkit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.frames.footprints import MapView
from zemosaic.gui.presenter.frames.frame_cells import metric_text
from zemosaic.gui.presenter.frames.frame_table import GROUPINGS, FrameTable
from zemosaic.i18n import Translator

__all__ = ["COLOURINGS", "SKY", "Ink", "Legend", "MapPainter", "grouped", "legend"]

COLOURINGS = (*GROUPINGS, "quality", "coverage")
INKS = ((86, 180, 233), (230, 159, 0), (0, 190, 140), (240, 228, 66), (204, 121, 167), (240, 110, 40), (150, 160, 255))
VERDICT_INKS = ((86, 180, 233), (150, 155, 165), (240, 110, 40))
SKY = (11, 14, 20)
_SELECTED = (255, 255, 255)
_UNKNOWN = (96, 101, 112)
_QUALITY_STEPS = 12
_REGION = (255, 92, 138)
_LEGEND_LINES = 8
_CELLS = 256
_SMOOTH = 2000
"""Outlines up to which lines are smoothed."""
_MAX_OUTLINES = 6000
"""Outlines drawn at once at most; the coverage counts all."""

Picture = NDArray[np.uint8]
Ink = tuple[int, int, int]


@dataclass(frozen=True)
class Legend:
    """What a colour means."""

    ink: tuple[int, int, int]
    text: str


class MapPainter:
    """Paints a table's frames; remembers the coverage, which takes longest."""

    def __init__(self) -> None:
        self._coverage: tuple[object, NDArray[np.int32]] | None = None

    def paint(
        self,
        table: FrameTable,
        view: MapView,
        colouring: str,
        metric: str = "fwhm",
        region: NDArray[np.float64] | None = None,
    ) -> Picture:
        """Return the map, shape (view.height, view.width, 3), RGB.

        Frames left out are crossed, selected ones white and bold.

        Parameters
        ----------
        table : FrameTable
        view : MapView
        colouring : str
            One of `COLOURINGS`.
        metric : str
            What the colouring by quality shows.
        region : ndarray, shape (4, 2), optional
            Outline on the map of the part that is made.
        """
        picture = np.full((view.height, view.width, 3), SKY, np.uint8)
        outlines = view.to_window(table.footprints.quads)
        seen = _in_window(table.footprints.boxes, view)
        smooth = bool(np.count_nonzero(seen) < _SMOOTH)
        if colouring == "coverage":
            self._paint_coverage(picture, table, view)
        else:
            groups, inks = grouped(table, colouring, metric)
            rows = _different(outlines, np.flatnonzero(seen & ~table.selected))
            for group in np.unique(groups[rows]):
                _draw(picture, outlines[rows[groups[rows] == group]], inks[group % len(inks)], 1, smooth)
        _cross(picture, outlines[_different(outlines, np.flatnonzero(seen & table.usable & ~table.keep))])
        _draw(picture, outlines[_different(outlines, np.flatnonzero(seen & table.selected))], _SELECTED, 2, smooth)
        if region is not None:
            _draw(picture, view.to_window(region)[None], _REGION, 2, True)
        return picture

    def most(self, table: FrameTable) -> int:
        """Return the largest number of frames on one place."""
        return int(self._covered(table).max(initial=0))

    def _covered(self, table: FrameTable) -> NDArray[np.int32]:
        key = (id(table), table.keep.tobytes(), int(table.footprints.exact.sum()))
        if self._coverage is None or self._coverage[0] != key:
            self._coverage = (key, table.footprints.coverage(table.keep, _CELLS))
        return self._coverage[1]

    def _paint_coverage(self, picture: Picture, table: FrameTable, view: MapView) -> None:
        # OpenCV is not needed before there is a map, and takes a while to load.
        import cv2

        covered = self._covered(table)
        x0, y0, x1, y1 = table.footprints.bounds()
        size = max(x1 - x0, y1 - y0, 1e-9) / _CELLS
        share = np.sqrt(covered / max(covered.max(initial=0), 1))
        colours = cv2.applyColorMap((30 + 225 * share).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
        colours = np.where(covered[..., None] > 0, colours, np.array(SKY)).astype(np.uint8)
        origin = view.to_window((x0 + size / 2, y0 + size / 2))
        step = size * view.scale
        forward = np.array(((step, 0, origin[0]), (0, -step, origin[1])))
        flags = cv2.INTER_NEAREST
        shape = (view.width, view.height)
        picture[:] = cv2.warpAffine(
            np.ascontiguousarray(colours), forward, shape, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=SKY
        )


def legend(table: FrameTable, colouring: str, most: int, words: Translator, metric: str = "fwhm") -> list[Legend]:
    """Return what the colours mean, the largest groups first.

    Parameters
    ----------
    table : FrameTable
    colouring : str
    most : int
        Largest coverage, for the colouring by coverage.
    words : Translator
    metric : str
        What the colouring by quality shows.
    """
    if colouring == "coverage":
        return [Legend((252, 255, 164), words.text("frames.most", count=most))]
    if colouring == "quality":
        return _quality_legend(table, metric, words)
    groups, names = table.groups(colouring)
    counts = np.bincount(groups, minlength=len(names))
    inks = VERDICT_INKS if colouring == "verdict" else INKS
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    lines = [Legend(inks[i % len(inks)], f"{_name(names[i], colouring, words)} · {counts[i]}") for i in order]
    if len(lines) > _LEGEND_LINES:
        more = words.text("frames.legend_more", count=len(lines) - _LEGEND_LINES + 1)
        lines = [*lines[: _LEGEND_LINES - 1], Legend((150, 155, 165), more)]
    return lines


def _name(name: str | int, colouring: str, words: Translator) -> str:
    if isinstance(name, int):
        return words.text("frames.field", number=name)
    if colouring == "verdict":
        return words.text(f"frames.group.{name}")
    return name or words.text(f"frames.unknown_{colouring}")


def grouped(table: FrameTable, colouring: str, metric: str) -> tuple[NDArray[np.intp], tuple[Ink, ...]]:
    """Return each frame's group and the groups' inks; a number beyond these begins anew with the first one.

    Parameters
    ----------
    table : FrameTable
    colouring : str
        One of `COLOURINGS`, but for the coverage.
    metric : str
        What the colouring by quality shows.
    """
    if colouring == "quality":
        return _quality_steps(table, metric), (*_quality_inks(), _UNKNOWN)
    return table.groups(colouring)[0], VERDICT_INKS if colouring == "verdict" else INKS


def _quality_ends(table: FrameTable, metric: str) -> tuple[float, float] | None:
    values = table.metrics[metric]
    values = values[np.isfinite(values)]
    return (float(np.quantile(values, 0.02)), float(np.quantile(values, 0.98))) if len(values) else None


def _quality_steps(table: FrameTable, metric: str) -> NDArray[np.intp]:
    """Return the step of each frame's metric; the one after the last where it is unknown."""
    ends, values = _quality_ends(table, metric), table.metrics[metric]
    if ends is None:
        return np.full(len(table), _QUALITY_STEPS, np.intp)
    share = (np.nan_to_num(values, nan=ends[0]) - ends[0]) / max(ends[1] - ends[0], 1e-9)
    steps = np.clip(share * _QUALITY_STEPS, 0, _QUALITY_STEPS - 1).astype(np.intp)
    return np.where(np.isfinite(values), steps, _QUALITY_STEPS)


def _quality_inks() -> list[Ink]:
    import cv2

    ramp = np.linspace(60, 255, _QUALITY_STEPS).astype(np.uint8)[None]
    colours = cv2.applyColorMap(ramp, cv2.COLORMAP_VIRIDIS)[0, :, ::-1]
    return [(int(r), int(g), int(b)) for r, g, b in colours]


def _quality_legend(table: FrameTable, metric: str, words: Translator) -> list[Legend]:
    ends, inks, name = _quality_ends(table, metric), _quality_inks(), words.text(f"frames.column.{metric}")
    if ends is None:
        return [Legend(_UNKNOWN, words.text("frames.not_measured"))]
    lines = [
        Legend(inks[-1 if share else 0], f"{name} {metric_text(metric, end, words)}") for share, end in enumerate(ends)
    ]
    unknown = int(np.count_nonzero(table.usable & ~np.isfinite(table.metrics[metric])))
    return [*lines, Legend(_UNKNOWN, f"{words.text('frames.not_measured')} · {unknown}")] if unknown else lines


def _in_window(boxes: NDArray[np.float64], view: MapView) -> NDArray[np.bool_]:
    """Return which outlines may be seen, shape (n,), by the boxes around them on the map."""
    (x0, y1), (x1, y0) = view.to_map(0, 0), view.to_map(view.width, view.height)
    low, high = boxes[:, 0], boxes[:, 1]
    return (high[:, 0] >= x0) & (low[:, 0] <= x1) & (high[:, 1] >= y0) & (low[:, 1] <= y1)


def _different(outlines: NDArray[np.float64], rows: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the rows without those that would be painted over the very same pixels.

    Where even these are too many to tell apart, every so manieth stands for all.
    """
    if len(rows) < _SMOOTH:
        return rows
    first, third = outlines[rows, 0].astype(np.int64), outlines[rows, 2].astype(np.int64)
    key = (first[:, 0] * 1_000_003 + first[:, 1]) * 8191 + third[:, 0] * 131 + third[:, 1]
    rows = rows[np.sort(np.unique(key, return_index=True)[1])]
    return rows[:: -(-len(rows) // _MAX_OUTLINES)] if len(rows) > _MAX_OUTLINES else rows


def _draw(
    picture: Picture, outlines: NDArray[np.float64], ink: tuple[int, int, int], thickness: int, smooth: bool
) -> None:
    import cv2

    if len(outlines):
        points = np.rint(np.clip(outlines, -30000, 30000)).astype(np.int32)
        cv2.polylines(picture, list(points), True, ink, thickness, cv2.LINE_AA if smooth else cv2.LINE_8)


def _cross(picture: Picture, outlines: NDArray[np.float64]) -> None:
    import cv2

    if len(outlines):
        points = np.rint(np.clip(outlines, -30000, 30000)).astype(np.int32)
        lines = np.concatenate((points[:, ::2], points[:, 1::2]))
        cv2.polylines(picture, list(lines), False, VERDICT_INKS[1], 1)
