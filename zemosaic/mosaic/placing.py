"""Pieces onto a block of the canvas: laid down where they share its pixels, resampled where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zemosaic.mosaic.master import MasterTile, filled
from zemosaic.mosaic.pieces import Box, GridTile, PiecePixels, Shelf, cropped, overlap
from zemosaic.mosaic.spline import placed
from zemosaic.mosaic.warp import Lattice, frame_lattice
from zemosaic.sky import FrameWcs

__all__ = ["Piece", "Placing", "area_ratio", "may_reach", "outline_box", "parts_of", "window_around"]

Piece = GridTile | MasterTile

STEP = 8
"""Canvas pixels between exact positions: the linear step errs by less than 0.001 px."""
OUTLINE_POINTS = 33
MARGIN = 16
"""Pixels read beyond those needed; what lies further away bends a cubic spline by less than 1e-8 of its height."""
BESIDE = 64
"""Positions further beside a piece are not looked at: more than lies between two of them at any scale."""


@dataclass(frozen=True)
class Placing:
    """How pieces get onto the canvas."""

    canvas: FrameWcs


def parts_of(
    box: Box, pieces: Sequence[Piece], placing: Placing, shelf: Shelf, *, values: bool = True
) -> list[PiecePixels]:
    """Return what each piece that reaches a block of the canvas has there, in the order of the pieces.

    With `values` False, the values of resampled pieces are left out (shape (0, h, w)).
    """
    found = []
    for piece in pieces:
        if not may_reach(box, piece, placing.canvas):
            continue
        part = (
            _laid(box, piece, shelf) if isinstance(piece, GridTile) else _resampled(box, piece, placing, values=values)
        )
        if part is not None:
            found.append(part)
    return found


@lru_cache(maxsize=4096)
def outline_box(piece: MasterTile, canvas: FrameWcs) -> Box | None:
    """Return the box (y0, y1, x0, x1) of a canvas that holds a master tile; None where it reaches beyond the plane."""
    s = np.linspace(0.0, 1.0, OUTLINE_POINTS)
    zero, one = np.zeros_like(s), np.ones_like(s)
    x = np.concatenate([s, one, s, zero]) * (piece.width - 1)
    y = np.concatenate([zero, s, one, s]) * (piece.height - 1)
    cx, cy = canvas.sky_to_pixel(*piece.wcs.pixel_to_sky(x, y))
    if not (np.isfinite(cx).all() and np.isfinite(cy).all()):
        return None
    # The outline bends by less than a pixel between its points.
    return int(cy.min()) - 1, int(cy.max()) + 3, int(cx.min()) - 1, int(cx.max()) + 3


def may_reach(box: Box, piece: Piece, canvas: FrameWcs) -> bool:
    """Whether a piece may have light in a block of the canvas."""
    if isinstance(piece, GridTile):
        return True
    around = outline_box(piece, canvas)
    return around is None or overlap(box, around) is not None


def area_ratio(canvas: FrameWcs, piece: FrameWcs) -> float:
    """Return the area of a canvas pixel over that of a piece's: what keeps the stars' flux."""
    return (canvas.scale_arcsec / piece.scale_arcsec) ** 2


def window_around(x: NDArray[np.float64], y: NDArray[np.float64], piece: Piece) -> Box | None:
    """Return the window of a piece that positions on it draw on; None where all lie beside it.

    Positions beyond the horizon of the piece's plane are NaN.
    """
    near = (x > -BESIDE) & (x < piece.width + BESIDE) & (y > -BESIDE) & (y < piece.height + BESIDE)
    if not near.any():
        return None
    x, y = x[near], y[near]
    if x.max() < 0 or y.max() < 0 or x.min() > piece.width - 1 or y.min() > piece.height - 1:
        return None
    return (
        max(0, int(y.min()) - MARGIN),
        min(piece.height, int(y.max()) + MARGIN + 1),
        max(0, int(x.min()) - MARGIN),
        min(piece.width, int(x.max()) + MARGIN + 1),
    )


def _laid(box: Box, piece: GridTile, shelf: Shelf) -> PiecePixels | None:
    """Return a piece that lies on the canvas's pixels over a block; NaN and 0 beyond the piece."""
    top, left = piece.place
    common = overlap(box, (top, top + piece.height, left, left + piece.width))
    if common is None:
        return None
    pixels = piece.read((common[0] - top, common[1] - top, common[2] - left, common[3] - left), shelf)
    if common == box:
        return pixels
    size, into = (box[1] - box[0], box[3] - box[2]), cropped(common, box)
    value = np.full((len(pixels.value), *size), np.nan, np.float32)
    value[:, *into] = pixels.value
    maps = []
    for given in (pixels.share, pixels.weight, pixels.feather, pixels.kept, pixels.rejected):
        placed = np.zeros(size, given.dtype)
        placed[into] = given
        maps.append(placed)
    return PiecePixels(value, *maps)


def _resampled(box: Box, piece: MasterTile, placing: Placing, *, values: bool) -> PiecePixels | None:
    """Return a master tile over a block: values by cubic splines, shares linear, maps of the nearest pixel."""
    lattice = frame_lattice(placing.canvas, piece.wcs, box, STEP)
    window = window_around(lattice.x, lattice.y, piece)
    if window is None:
        return None
    pixels = piece.read(window)
    picture = filled(pixels.value) if values else np.empty((0, *pixels.share.shape), np.float32)
    there = Lattice(lattice.x - window[2], lattice.y - window[0], lattice.row0, lattice.column0)
    size = (box[1] - box[0], box[3] - box[2])
    value, share, nearest = placed(picture, pixels.share, there, STEP, (box[0], box[2]), size)
    if not share.any():
        return None
    value *= np.float32(area_ratio(placing.canvas, piece.wcs))
    lit = nearest >= 0
    weight, feather = (np.where(lit, each.ravel()[nearest], np.float32(0)) for each in (pixels.weight, pixels.feather))
    kept, rejected = (np.where(lit, each.ravel()[nearest], np.uint16(0)) for each in (pixels.kept, pixels.rejected))
    return PiecePixels(value, share, weight, feather, kept, rejected)
