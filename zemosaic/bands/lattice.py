"""Whether mosaics lie on one lattice of pixels, and which part of it all of them cover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zemosaic.arrays import Box
from zemosaic.wcs import FrameWcs

__all__ = ["Placed", "common_part", "offset_between"]

MAX_SHIFT_PX = 1e-3
"""By how much pixels of one lattice may seem apart: rounding of the numbers in headers."""


@dataclass(frozen=True)
class Placed:
    """Where the pixels of a mosaic lie on the sky and how many there are."""

    wcs: FrameWcs
    height: int
    width: int


def offset_between(first: Placed, second: Placed) -> tuple[int, int] | None:
    """Return (rows, columns) of the second mosaic's first pixel in the pixels of the first; None off its lattice.

    Mosaics of one lattice differ by whole pixels, as crops of one canvas do.  All four corners are compared, so that
    another scale, rotation or projection counts as another lattice.

    Parameters
    ----------
    first, second : Placed
    """
    x = np.array([0.0, second.width - 1.0, 0.0, second.width - 1.0])
    y = np.array([0.0, 0.0, second.height - 1.0, second.height - 1.0])
    if first.wcs.projection != second.wcs.projection:
        return None
    seen_x, seen_y = first.wcs.sky_to_pixel(*second.wcs.pixel_to_sky(x, y))
    columns, rows = seen_x - x, seen_y - y
    if not (np.isfinite(columns).all() and np.isfinite(rows).all()):
        return None
    row, column = round(float(rows.mean())), round(float(columns.mean()))
    away = max(float(np.abs(rows - row).max()), float(np.abs(columns - column).max()))
    return (row, column) if away <= MAX_SHIFT_PX else None


def common_part(mosaics: Sequence[Placed]) -> list[Box] | None:
    """Return the boxes (y0, y1, x0, x1), one in each mosaic, of the part of the lattice that all of them cover.

    Parameters
    ----------
    mosaics : sequence of Placed
        At least one.

    Returns
    -------
    list of Box, or None
        Boxes of equal size; None where the mosaics are on different lattices or have no pixel in common.
    """
    offsets = [offset_between(mosaics[0], other) for other in mosaics]
    known = [offset for offset in offsets if offset is not None]
    if len(known) < len(mosaics):
        return None
    pairs = list(zip(known, mosaics, strict=True))
    y0, x0 = max(row for row, _ in known), max(column for _, column in known)
    y1 = min(row + mosaic.height for (row, _), mosaic in pairs)
    x1 = min(column + mosaic.width for (_, column), mosaic in pairs)
    if y1 <= y0 or x1 <= x0:
        return None
    return [(y0 - row, y1 - row, x0 - column, x1 - column) for row, column in known]
