"""The mosaic's grid: one plane for all frames, and the tiles it is divided into."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from zemosaic.arrays import Box
from zemosaic.errors import ResourceError
from zemosaic.model import CalibratedFrame, GridPlan, SolvedFrame, TileSpec
from zemosaic.wcs import FrameWcs, Projection, from_tangent_plane, mean_direction, separation_deg, unit_vectors

__all__ = [
    "Canvas",
    "canvas_reaches",
    "canvas_shift",
    "connected_fields",
    "extended_canvas",
    "make_canvas",
    "make_plan",
    "region_of",
]


MAX_SCALE_SCATTER = 0.02
"""Plate scales that differ by less, as a part, are those of one telescope."""
WIDE_DEG = 15.0
"""Diameter of a field up to which the tangent plane serves: at its border, areas grow by 5 per cent."""
PLACE_PX = 1e-6
"""Places on the pixels of one plane are the same within this."""
OUTLINE_POINTS = 9
"""Points along each edge of a frame when its outline is projected."""


@dataclass(frozen=True)
class Canvas:
    """The plane of the mosaic, cut to the frames."""

    wcs: FrameWcs
    width: int
    height: int

    @property
    def megapixels(self) -> float:
        return self.width * self.height / 1e6

    def cut(self, box: Box) -> Canvas:
        """Return the part of the canvas in a box (y0, y1, x0, x1), on the same pixels."""
        y0, y1, x0, x1 = box
        return Canvas(self.wcs.shifted(x0, y0), x1 - x0, y1 - y0)


def connected_fields(frames: Sequence[SolvedFrame]) -> list[list[int]]:
    """Return the indices of frames that hang together by overlaps, the largest field first."""
    centres = [frame.wcs.pixel_to_sky(frame.frame.width / 2, frame.frame.height / 2) for frame in frames]
    radius_deg = np.array([_half_diagonal_deg(frame) for frame in frames])
    vectors = np.stack([unit_vectors(*centre) for centre in centres])
    tree = cKDTree(vectors)
    pairs = tree.query_pairs(
        2.0 * math.sin(math.radians(min(2.0 * radius_deg.max(), 179.0)) / 2.0), output_type="ndarray"
    )
    distance = np.degrees(2.0 * np.arcsin(0.5 * np.linalg.norm(vectors[pairs[:, 0]] - vectors[pairs[:, 1]], axis=1)))
    pairs = pairs[distance < 0.95 * (radius_deg[pairs[:, 0]] + radius_deg[pairs[:, 1]])]
    n = len(frames)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    fields = [np.flatnonzero(label == k).tolist() for k in range(label.max() + 1)]
    return sorted(fields, key=lambda field: (-len(field), field[0]))


def make_canvas(
    frames: Sequence[SolvedFrame],
    orientation: str,
    scale_mode: str,
    *,
    scale_arcsec: float = 0.0,
    projection: Projection | Literal["auto"] = "auto",
    finer: float = 1.0,
) -> Canvas:
    """Return the smallest canvas that holds all frames.

    Parameters
    ----------
    frames : sequence of SolvedFrame
    orientation : {"north_up", "median_pc"}
        North along +y, or the frames' own mean orientation.
    scale_mode : {"median", "min", "max"}
        Which of the frames' plate scales the mosaic takes.
    scale_arcsec : float
        The mosaic's scale, arcsec per pixel, whatever the frames' are; 0 leaves it to `scale_mode`.
    projection : {"auto", "TAN", "ZEA", "STG"}
        "auto" takes the tangent plane up to `WIDE_DEG` across, and equal areas beyond, where the tangent plane
        would stretch the borders.
    finer : float
        How many pixels of the canvas lie side by side in one of that scale.

    Raises
    ------
    ResourceError
        When the frames span more than half of the sky, which no plane can show.
    """
    outlines = [_outline(frame) for frame in frames]
    ra0, dec0 = mean_direction(*(np.concatenate(column) for column in zip(*outlines, strict=True)))
    scales = [frame.wcs.scale_arcsec for frame in frames]
    by_mode = {"median": _median_scale(scales), "min": min(scales), "max": max(scales)}[scale_mode]
    step = (scale_arcsec or by_mode) / 3600.0 / finer
    radius_deg = max(float(separation_deg(*outline, ra0, dec0).max()) for outline in outlines)
    if radius_deg >= 90.0:
        raise ResourceError("error.canvas_too_wide", frames=len(frames))
    if projection == "auto":
        projection = "ZEA" if 2.0 * radius_deg > WIDE_DEG else "TAN"
    angle = _mean_rotation(frames, ra0, dec0, projection) if orientation == "median_pc" else 0.0
    cos, sin = math.cos(angle) * step, math.sin(angle) * step
    plane = FrameWcs(ra0, dec0, 0.0, 0.0, ((-cos, sin), (sin, cos)), projection=projection)
    x, y = (
        np.concatenate(column) for column in zip(*(plane.sky_to_pixel(*outline) for outline in outlines), strict=True)
    )
    x0, y0 = math.floor(x.min()) - 1, math.floor(y.min()) - 1
    width, height = math.ceil(x.max()) + 2 - x0, math.ceil(y.max()) + 2 - y0
    return Canvas(plane.shifted(x0, y0), width, height)


def _median_scale(scales: Sequence[float]) -> float:
    """Return the median; between two telescopes with as many frames each, the finer scale rather than neither's."""
    middle = float(np.median(scales))
    lower = statistics.median_low(scales)
    return middle if lower > (1.0 - MAX_SCALE_SCATTER) * middle else lower


def extended_canvas(before: Canvas, frames: Sequence[SolvedFrame]) -> Canvas:
    """Return an earlier canvas, larger by whole pixels on each side as far as frames reach beyond it.

    Parameters
    ----------
    before : Canvas
    frames : sequence of SolvedFrame
        At least one.

    Returns
    -------
    Canvas
        With the same pixels where the earlier one had some.
    """
    outlines = [before.wcs.sky_to_pixel(*_outline(frame)) for frame in frames]
    x, y = (np.concatenate(column) for column in zip(*outlines, strict=True))
    x0, y0 = min(0, math.floor(x.min()) - 1), min(0, math.floor(y.min()) - 1)
    x1, y1 = max(before.width, math.ceil(x.max()) + 2), max(before.height, math.ceil(y.max()) + 2)
    return before.cut((y0, y1, x0, x1))


def canvas_shift(canvas: Canvas, before: Canvas) -> tuple[int, int] | None:
    """Return the row and column of a canvas on which the first pixel of another lies; None where pixels differ.

    Parameters
    ----------
    canvas, before : Canvas

    Returns
    -------
    (row, column) or None
        None unless projection, scale and orientation agree and the shift is whole pixels.
    """
    wcs, wcs_before = canvas.wcs, before.wcs
    rows, columns = wcs.y_ref - wcs_before.y_ref, wcs.x_ref - wcs_before.x_ref
    whole_shift = round(rows), round(columns)
    same = replace(wcs_before, x_ref=wcs.x_ref, y_ref=wcs.y_ref) == wcs
    return whole_shift if same and max(abs(rows - whole_shift[0]), abs(columns - whole_shift[1])) < PLACE_PX else None


def region_of(canvas: Canvas, ra_deg: float, dec_deg: float, width_deg: float, height_deg: float) -> Box | None:
    """Return the part of a canvas that holds a region of the sky, (y0, y1, x0, x1), half open.

    Parameters
    ----------
    canvas : Canvas
    ra_deg, dec_deg : float
        Centre of the region.
    width_deg, height_deg : float
        Its size along east and along north, on the plane that touches the sky in its centre.

    Returns
    -------
    tuple or None
        The smallest box of whole pixels, as far as the canvas has them; None where they do not meet.
    """
    s = np.linspace(-0.5, 0.5, 4 * OUTLINE_POINTS)
    edge = np.full_like(s, 0.5)
    xi, eta = np.concatenate([s, edge, s, -edge]) * width_deg, np.concatenate([-edge, s, edge, s]) * height_deg
    x, y = canvas.wcs.sky_to_pixel(*from_tangent_plane(xi, eta, ra_deg, dec_deg))
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    # A pixel belongs to the region when its square reaches into it; 0.01 px are within the rounding of the numbers.
    x0, x1 = math.ceil(x.min() - 0.49), math.floor(x.max() + 0.49) + 1
    y0, y1 = math.ceil(y.min() - 0.49), math.floor(y.max() + 0.49) + 1
    box = max(y0, 0), min(y1, canvas.height), max(x0, 0), min(x1, canvas.width)
    return box if box[0] < box[1] and box[2] < box[3] else None


def canvas_reaches(canvas: Canvas, frame: SolvedFrame) -> bool:
    """Whether pixels of a frame lie on a canvas.

    Parameters
    ----------
    canvas : Canvas
    frame : SolvedFrame
    """
    outline = canvas.wcs.sky_to_pixel(*_outline(frame))
    return _reaches(outline, frame, canvas.wcs, (0, canvas.height, 0, canvas.width))


def make_plan(
    canvas: Canvas,
    frames: Sequence[CalibratedFrame],
    channels: int,
    tile_px: int,
    overlap_px: int,
    origin: tuple[int, int] = (0, 0),
) -> GridPlan:
    """Divide a canvas into tiles and give each the frames that reach it.

    Parameters
    ----------
    canvas : Canvas
    frames : sequence of CalibratedFrame
    channels : int
    tile_px : int
        Side of a tile's inner box.
    overlap_px : int
        How far the outer box reaches beyond the inner one on each side.
    origin : tuple of int
        Row and column of a corner of any cell of the grid; the cells at the canvas's edges are cut.
    """
    outlines = [canvas.wcs.sky_to_pixel(*_outline(frame.solved)) for frame in frames]
    bounds = np.array([(y.min(), y.max(), x.min(), x.max()) for x, y in outlines]).reshape(-1, 4).T
    tiles: list[TileSpec] = []
    for y0 in range(-(-origin[0] % tile_px), canvas.height, tile_px):
        for x0 in range(-(-origin[1] % tile_px), canvas.width, tile_px):
            inner = (max(y0, 0), min(y0 + tile_px, canvas.height), max(x0, 0), min(x0 + tile_px, canvas.width))
            outer = _grown(inner, overlap_px, canvas)
            # All frames against all tiles is the square of the sky's area: only in whole arrays is that little.
            near = (bounds[1] >= outer[0] - 1) & (bounds[0] <= outer[1]) & (bounds[3] >= outer[2] - 1)
            members = tuple(
                frames[k].frame.frame_id
                for k in np.flatnonzero(near & (bounds[2] <= outer[3])).tolist()
                if _reaches(outlines[k], frames[k], canvas.wcs, outer)
            )
            if members:
                tiles.append(TileSpec(len(tiles), inner, outer, members))
    return GridPlan(canvas.wcs, canvas.width, canvas.height, channels, tuple(tiles), origin=origin)


def _reaches(
    outline: tuple[NDArray[np.float64], NDArray[np.float64]],
    frame: CalibratedFrame | SolvedFrame,
    canvas: FrameWcs,
    box: Box,
) -> bool:
    """Whether a frame's pixels lie in a box: outline points in the box, or box points in the frame."""
    x, y = outline
    y0, y1, x0, x1 = box
    if np.isnan(x).any() or x.max() < x0 - 1 or x.min() > x1 or y.max() < y0 - 1 or y.min() > y1:
        return False
    if ((x >= x0) & (x < x1) & (y >= y0) & (y < y1)).any():
        return True
    gx, gy = np.meshgrid(np.linspace(x0, x1 - 1, 9), np.linspace(y0, y1 - 1, 9))
    fx, fy = frame.wcs.sky_to_pixel(*canvas.pixel_to_sky(gx, gy))
    with np.errstate(invalid="ignore"):
        inside = (fx > -1) & (fy > -1) & (fx < frame.frame.width) & (fy < frame.frame.height)
    return bool(inside.any())


def _grown(box: Box, by: int, canvas: Canvas) -> Box:
    y0, y1, x0, x1 = box
    return max(0, y0 - by), min(canvas.height, y1 + by), max(0, x0 - by), min(canvas.width, x1 + by)


def _outline(frame: SolvedFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (ra_deg, dec_deg) of points round a frame's edge."""
    s = np.linspace(0.0, 1.0, OUTLINE_POINTS)
    zero, one = np.zeros_like(s), np.ones_like(s)
    x = np.concatenate([s, one, s, zero]) * (frame.frame.width - 1)
    y = np.concatenate([zero, s, one, s]) * (frame.frame.height - 1)
    return frame.wcs.pixel_to_sky(x, y)


def _half_diagonal_deg(frame: SolvedFrame) -> float:
    ra, dec = frame.wcs.pixel_to_sky(np.array([0.0, frame.frame.width]), np.array([0.0, frame.frame.height]))
    return 0.5 * float(separation_deg(ra[0], dec[0], ra[1], dec[1]))


def _mean_rotation(frames: Sequence[SolvedFrame], ra0: float, dec0: float, projection: Projection) -> float:
    """Return the mean angle (radian) of the frames' rows on the tangent plane, 180 degrees being the same."""
    plane = FrameWcs(ra0, dec0, 0.0, 0.0, ((1.0, 0.0), (0.0, 1.0)), projection=projection)
    total = 0j
    for frame in frames:
        cx, cy = frame.frame.width / 2, frame.frame.height / 2
        x, y = plane.sky_to_pixel(*frame.wcs.pixel_to_sky(np.array([cx, cx]), np.array([cy - 50.0, cy + 50.0])))
        direction = complex(x[1] - x[0], y[1] - y[0])
        total += (direction / abs(direction)) ** 2
    half = 0.5 * math.atan2(total.imag, total.real)
    angle = math.pi / 2 - half
    return (angle + math.pi / 2) % math.pi - math.pi / 2
