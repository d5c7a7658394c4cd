"""Trails that a frame's own measures know, kept out of the mosaic wherever another frame shows that sky.

Rejection compares frames with each other: where satellites follow each other on one track, most of a few frames agree
on the trail.  Each frame by itself knows better.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float64s
from zemosaic.model import CalibratedFrame, Trail
from zemosaic.resampling.warp import BORDER, LATTICE, Lattice
from zemosaic.wcs import FrameWcs

__all__ = ["on_trails", "trailed_pixels"]

BESIDE_TRAIL_PX = 6.0
"""Beside twice a trail's width to either side: the reach of the interpolation."""


def trailed_pixels(
    number: int, frames: Sequence[CalibratedFrame], canvas: FrameWcs, lattice: Lattice, box: Box
) -> NDArray[np.bool_] | None:
    """Return where a frame shows a trail and another frame shows the sky there, shape (rows, columns) of the box.

    Parameters
    ----------
    number : int
        Which of the frames.
    frames : sequence of CalibratedFrame
        All of the tile.
    canvas : FrameWcs
    lattice : Lattice
        Of the frame for the box.
    box : tuple
        Rows and columns y0, y1, x0, x1 of the canvas.

    Returns
    -------
    ndarray of bool or None
        None where there is no such pixel.
    """
    frame = frames[number]
    trails = [trail for trail in frame.solved.measured.trails if _may_hit(trail, lattice)]
    if not trails:
        return None
    x, y = _positions(lattice, box)
    hit = on_trails(trails, x, y)
    row, column = np.nonzero(hit)
    if not len(row):
        return None
    ra, dec = canvas.pixel_to_sky((column + box[2]).astype(float), (row + box[0]).astype(float))
    clear = np.zeros(len(row), bool)
    for k, partner in enumerate(frames):
        left = np.flatnonzero(~clear)
        if not len(left):
            break
        if k != number and not partner.obstructed:
            clear[left] = _shows(partner, ra[left], dec[left])
    hit[row[~clear], column[~clear]] = False
    return hit if clear.any() else None


def _may_hit(trail: Trail, lattice: Lattice) -> bool:
    """Return whether a trail comes so near to a point of the lattice that it can lie on a pixel between them."""
    between = sum(
        float(np.nanmax(np.abs(np.diff(points, axis=axis)))) for points in (lattice.x, lattice.y) for axis in (0, 1)
    )
    return bool((_across(trail, lattice.x, lattice.y) < _reach(trail) + between).any())


def _across(trail: Trail, x: Float64s, y: Float64s) -> Float64s:
    """Return the distances of positions from the middle of a trail."""
    angle = math.radians(trail.angle_deg)
    return np.asarray(np.abs((x - trail.x_px) * math.sin(angle) - (y - trail.y_px) * math.cos(angle)))


def _reach(trail: Trail) -> float:
    return 2.0 * trail.width_px + BESIDE_TRAIL_PX


def _positions(lattice: Lattice, box: Box) -> tuple[Float64s, Float64s]:
    """Return the detector positions of all pixels of a box, linear between the points of the lattice."""
    y0, y1, x0, x1 = box
    row, across = np.divmod(np.arange(y0, y1) - lattice.row0, LATTICE)
    column, along = np.divmod(np.arange(x0, x1) - lattice.column0, LATTICE)
    t, s = (across / LATTICE)[:, None], (along / LATTICE)[None, :]

    def between(points: Float64s) -> Float64s:
        lines = (1.0 - t) * points[row] + t * points[row + 1]
        return np.asarray((1.0 - s) * lines[:, column] + s * lines[:, column + 1])

    return between(lattice.x), between(lattice.y)


def on_trails(trails: Sequence[Trail], x: Float64s, y: Float64s) -> NDArray[np.bool_]:
    """Return which positions lie on a trail, from edge to edge of the frame.

    Parameters
    ----------
    trails : sequence of Trail
    x, y : ndarray
        Columns and rows on the frame in pixels, of shapes that broadcast.

    Returns
    -------
    ndarray of bool
    """
    hit = np.zeros(np.broadcast_shapes(x.shape, y.shape), bool)
    for trail in trails:
        hit |= _across(trail, x, y) < _reach(trail)
    return hit


def _shows(frame: CalibratedFrame, ra: Float64s, dec: Float64s) -> NDArray[np.bool_]:
    """Return which places on the sky a frame shows without a trail of its own."""
    x, y = frame.wcs.sky_to_pixel(ra, dec)
    with np.errstate(invalid="ignore"):
        inside = (x >= BORDER) & (y >= BORDER)
        inside &= (x <= frame.frame.width - 1 - BORDER) & (y <= frame.frame.height - 1 - BORDER)
        return inside & ~on_trails(frame.solved.measured.trails, x, y)
