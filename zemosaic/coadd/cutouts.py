"""Pieces onto a block of the canvas: laid down where they share its pixels, resampled where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.coadd.inputs import Cutout, GridTile, TileCache, cropped, overlap
from zemosaic.coadd.master_tile import MasterTile, filled
from zemosaic.resampling.spline import placed
from zemosaic.resampling.warp import Lattice, frame_lattice
from zemosaic.wcs import FrameWcs

__all__ = ["CoaddInput", "CoaddPlane", "cutouts_of", "footprint_bbox", "may_reach", "scale_area_ratio", "window_around"]

CoaddInput = GridTile | MasterTile

STEP = 8
"""Canvas pixels between exact positions: the linear step errs by less than 0.001 px."""
OUTLINE_POINTS = 33
SPLINE_MARGIN_PX = 16
"""Pixels read beyond those needed; what lies further away bends a cubic spline by less than 1e-8 of its height."""
MAX_OUTSIDE_PX = 64
"""Positions further beside a piece are not looked at: more than lies between two of them at any scale."""


@dataclass(frozen=True)
class CoaddPlane:
    """How pieces get onto the canvas."""

    canvas: FrameWcs


def cutouts_of(
    box: Box, sources: Sequence[CoaddInput], plane: CoaddPlane, cache: TileCache, *, values: bool = True
) -> list[Cutout]:
    """Return what each piece that reaches a block of the canvas has there, in the order of the pieces.

    With `values` False, the values of resampled pieces are left out (shape (0, h, w)).

    Parameters
    ----------
    box : (y0, y1, x0, x1)
        The block, in pixels of the canvas.
    sources : sequence of CoaddInput
    plane : CoaddPlane
    cache : TileCache
        Keeps tiles that several blocks read.
    values : bool
        Whether the values of resampled pieces are wanted.

    Returns
    -------
    list of Cutout
    """
    cutouts = []
    for source in sources:
        if not may_reach(box, source, plane.canvas):
            continue
        cutout = (
            _copied(box, source, cache)
            if isinstance(source, GridTile)
            else _resampled(box, source, plane, values=values)
        )
        if cutout is not None:
            cutouts.append(cutout)
    return cutouts


@lru_cache(maxsize=4096)
def footprint_bbox(source: MasterTile, canvas: FrameWcs) -> Box | None:
    """Return the box (y0, y1, x0, x1) of a canvas that holds a master tile; None where it reaches beyond the plane.

    Parameters
    ----------
    source : MasterTile
    canvas : FrameWcs
    """
    s = np.linspace(0.0, 1.0, OUTLINE_POINTS)
    zero, full = np.zeros_like(s), np.ones_like(s)
    x = np.concatenate([s, full, s, zero]) * (source.width - 1)
    y = np.concatenate([zero, s, full, s]) * (source.height - 1)
    cx, cy = canvas.sky_to_pixel(*source.wcs.pixel_to_sky(x, y))
    if not (np.isfinite(cx).all() and np.isfinite(cy).all()):
        return None
    # The outline bends by less than a pixel between its points.
    return int(cy.min()) - 1, int(cy.max()) + 3, int(cx.min()) - 1, int(cx.max()) + 3


def may_reach(box: Box, source: CoaddInput, canvas: FrameWcs) -> bool:
    """Whether a piece may have light in a block of the canvas.

    Parameters
    ----------
    box : (y0, y1, x0, x1)
        The block, in pixels of the canvas.
    source : CoaddInput
    canvas : FrameWcs
    """
    if isinstance(source, GridTile):
        return True
    bbox = footprint_bbox(source, canvas)
    return bbox is None or overlap(box, bbox) is not None


def scale_area_ratio(canvas: FrameWcs, source: FrameWcs) -> float:
    """Return the area of a canvas pixel over that of a piece's: what keeps the stars' flux.

    Parameters
    ----------
    canvas, source : FrameWcs
    """
    return (canvas.scale_arcsec / source.scale_arcsec) ** 2


def window_around(x: NDArray[np.float64], y: NDArray[np.float64], source: CoaddInput) -> Box | None:
    """Return the window of a piece that positions on it draw on; None where all lie beside it.

    Positions beyond the horizon of the piece's plane are NaN.

    Parameters
    ----------
    x, y : ndarray
        Columns and rows on the piece, in pixels.
    source : CoaddInput

    Returns
    -------
    (y0, y1, x0, x1) or None
        With the margin that splines need.
    """
    close = (
        (x > -MAX_OUTSIDE_PX)
        & (x < source.width + MAX_OUTSIDE_PX)
        & (y > -MAX_OUTSIDE_PX)
        & (y < source.height + MAX_OUTSIDE_PX)
    )
    if not close.any():
        return None
    x, y = x[close], y[close]
    if x.max() < 0 or y.max() < 0 or x.min() > source.width - 1 or y.min() > source.height - 1:
        return None
    return (
        max(0, int(y.min()) - SPLINE_MARGIN_PX),
        min(source.height, int(y.max()) + SPLINE_MARGIN_PX + 1),
        max(0, int(x.min()) - SPLINE_MARGIN_PX),
        min(source.width, int(x.max()) + SPLINE_MARGIN_PX + 1),
    )


def _copied(box: Box, source: GridTile, cache: TileCache) -> Cutout | None:
    """Return a piece that lies on the canvas's pixels over a block; NaN and 0 beyond the piece."""
    top, left = source.place
    common = overlap(box, (top, top + source.height, left, left + source.width))
    if common is None:
        return None
    pixels = source.read((common[0] - top, common[1] - top, common[2] - left, common[3] - left), cache)
    if common == box:
        return pixels
    size, into = (box[1] - box[0], box[3] - box[2]), cropped(common, box)
    value = np.full((len(pixels.value), *size), np.nan, np.float32)
    value[:, *into] = pixels.value
    maps = []
    for map_ in (pixels.share, pixels.weight, pixels.feather, pixels.kept, pixels.rejected):
        placed = np.zeros(size, map_.dtype)
        placed[into] = map_
        maps.append(placed)
    return Cutout(value, *maps)


def _resampled(box: Box, source: MasterTile, plane: CoaddPlane, *, values: bool) -> Cutout | None:
    """Return a master tile over a block: values by cubic splines, shares linear, maps of the nearest pixel."""
    lattice = frame_lattice(plane.canvas, source.wcs, box, STEP)
    window = window_around(lattice.x, lattice.y, source)
    if window is None:
        return None
    pixels = source.read(window)
    picture = filled(pixels.value) if values else np.empty((0, *pixels.share.shape), np.float32)
    window_lattice = Lattice(lattice.x - window[2], lattice.y - window[0], lattice.row0, lattice.column0)
    size = (box[1] - box[0], box[3] - box[2])
    value, share, nearest = placed(picture, pixels.share, window_lattice, STEP, (box[0], box[2]), size)
    if not share.any():
        return None
    value *= np.float32(scale_area_ratio(plane.canvas, source.wcs))
    lit = nearest >= 0
    weight, feather = (np.where(lit, each.ravel()[nearest], np.float32(0)) for each in (pixels.weight, pixels.feather))
    kept, rejected = (np.where(lit, each.ravel()[nearest], np.uint16(0)) for each in (pixels.kept, pixels.rejected))
    return Cutout(value, share, weight, feather, kept, rejected)
