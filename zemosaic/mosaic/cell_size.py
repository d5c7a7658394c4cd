"""The side of the cells of sky in which frames are compared: small enough to fit into thin overlaps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.model import SolvedFrame
from zemosaic.wcs import FrameWcs

__all__ = ["cell_side_px"]

CELL_PX = 64
SMALL_CELLS_PX = (32, 16, 8)
"""Sides of the cells where frames hang together by overlaps that are thinner than that."""
MAX_CELL_SAMPLES = 1_200_000
"""Cells grow with the number of frames so that their samples stay below this; a sample takes 700 bytes to solve."""
MIN_LINKING_CELLS = 10
"""Cells that a frame must share with others to hang together with them."""
MARGIN_PX = 6.0
"""Width of a frame's edge that is not looked at."""


def cell_side_px(solved: Sequence[SolvedFrame], reference: FrameWcs) -> int:
    """Return the side of the cells in pixels of the reference plane.

    The largest side with which no more pieces fall apart than with the smallest, as far as memory allows small
    cells; larger for many frames.

    Parameters
    ----------
    solved : sequence of SolvedFrame
    reference : FrameWcs
        Of the plane that carries the cells.
    """
    area = float(sum(frame.frame.width * frame.frame.height for frame in solved))
    least = CELL_PX * math.ceil(math.sqrt(area / CELL_PX**2 / MAX_CELL_SAMPLES))
    sides = [max(CELL_PX, least), *(side for side in SMALL_CELLS_PX if area / side**2 <= MAX_CELL_SAMPLES)]
    if len(sides) == 1 or len(solved) == 1:
        return sides[0]
    pieces = {sides[0]: _number_of_pieces(solved, reference, sides[0])}
    if pieces[sides[0]] == 1:
        return sides[0]
    for side in sides[1:]:
        pieces[side] = _number_of_pieces(solved, reference, side)
    fewest = min(pieces.values())
    return next(side for side in sides if pieces[side] == fewest)


def _number_of_pieces(solved: Sequence[SolvedFrame], reference: FrameWcs, side_px: int) -> int:
    """Return how many pieces the frames make that have too few whole cells in common to be compared."""
    corners = [_inner_corners(frame, reference, side_px) / side_px - 0.5 for frame in solved]
    origin = np.floor(np.min([corner.min(axis=0) for corner in corners], axis=0)) - 1.0
    columns, rows = (np.ceil(np.max([c.max(axis=0) for c in corners], axis=0)) - origin + 2.0).astype(int)
    cells = [_covered(corner - origin, (int(rows), int(columns))) for corner in corners]
    left, pieces = list(range(len(cells))), 0
    while left:
        covered = np.zeros(int(rows * columns), bool)
        covered[cells[left.pop(0)]] = True
        pieces += 1
        joined = True
        while joined:
            joining = [k for k in left if np.count_nonzero(covered[cells[k]]) >= MIN_LINKING_CELLS]
            for k in joining:
                covered[cells[k]] = True
            left = [k for k in left if k not in set(joining)]
            joined = bool(joining)
    return pieces


def _inner_corners(frame: SolvedFrame, reference: FrameWcs, side_px: int) -> NDArray[np.float64]:
    """Return the corners of the area in which the middle of a cell must lie to be whole, shape (4, 2)."""
    width, height = frame.frame.width, frame.frame.height
    x, y = reference.sky_to_pixel(*frame.wcs.pixel_to_sky(np.array([0.0, 1.0]), np.array([0.0, 0.0])))
    dx, dy = float(x[1] - x[0]), float(y[1] - y[0])
    scale = math.hypot(dx, dy)
    margin = MARGIN_PX + 0.5 * side_px * (abs(dx) + abs(dy)) / scale**2
    margin = min(margin, 0.5 * width - 1.0, 0.5 * height - 1.0)
    across = np.array([margin, width - 1 - margin, width - 1 - margin, margin])
    along = np.array([margin, margin, height - 1 - margin, height - 1 - margin])
    return np.stack(reference.sky_to_pixel(*frame.wcs.pixel_to_sky(across, along)), axis=1)


def _covered(corners: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return the cells whose middles lie in a quadrangle, counted along the rows."""
    low = np.floor(corners.min(axis=0)).astype(int)
    high = np.ceil(corners.max(axis=0)).astype(int) + 1
    row, column = np.mgrid[low[1] : high[1], low[0] : high[0]]
    sides = np.roll(corners, -1, axis=0) - corners
    away = [
        side[0] * (row - corner[1]) - side[1] * (column - corner[0])
        for corner, side in zip(corners, sides, strict=True)
    ]
    inside = np.all(np.array(away) >= 0.0, axis=0) | np.all(np.array(away) <= 0.0, axis=0)
    return np.asarray(row[inside] * shape[1] + column[inside], np.int64)
