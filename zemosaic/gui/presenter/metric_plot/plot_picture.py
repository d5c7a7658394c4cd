"""The points of the plot of metrics as a picture, the same in every toolkit; fast at 50,000 frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.frames.map_picture import SKY, Ink, grouped

__all__ = ["painted_points"]

_SELECTED: Ink = (255, 255, 255)
_MANY = 4000
"""More points than these are painted smaller."""


def painted_points(
    table: FrameTable | None, points: Float64s, size: tuple[int, int], unit: float, colouring: str, metric: str
) -> NDArray[np.uint8]:
    """Return the points of frames in a picture.

    Included frames are discs, excluded and rejected ones crosses, selected ones have a white ring.

    Parameters
    ----------
    table : FrameTable or None
    points : ndarray, shape (rows, 2)
        (u, v) of each row; NaN for those that are not in the plot.
    size : (int, int)
        Height and width of the picture.
    unit : float
        Pixels of the picture in one of a usual screen.
    colouring, metric : str
        As for `MapPainter.paint`.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
        RGB.
    """
    picture = np.full((*size, 3), SKY, np.uint8)
    if table is None or not len(points):
        return picture
    shown = np.flatnonzero(np.isfinite(points[:, 0]))
    groups, inks = grouped(table, colouring, metric)
    colours = np.array(inks, np.uint8)[groups % len(inks)]
    radius = (1.4 if len(shown) > _MANY else 3.2) * unit
    in_mosaic = table.in_mosaic[shown]
    out, kept = shown[~in_mosaic], shown[in_mosaic]
    _stamp(picture, points[out], colours[out], _cross(radius))
    _stamp(picture, points[kept], colours[kept], _disc(radius))
    selected = shown[table.selected[shown]]
    _stamp(picture, points[selected], colours[selected], _disc(radius + unit))
    white = np.full((len(selected), 3), _SELECTED, np.uint8)
    _stamp(picture, points[selected], white, _ring(radius + 2.5 * unit, max(1.3 * unit, 1.0)))
    return picture


def _stamp(picture: NDArray[np.uint8], points: Float64s, colours: NDArray[np.uint8], shape: NDArray[np.intp]) -> None:
    """Paint a shape, offsets (dv, du) of the shape (n, 2), about each point."""
    height, width = picture.shape[:2]
    u, v = np.rint(points).astype(np.intp).T
    for dv, du in shape:
        x, y = u + du, v + dv
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        picture[y[inside], x[inside]] = colours[inside]


def _around(radius: float) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return all offsets within a square, shape (n, 2), and their distances from the middle."""
    reach = int(np.ceil(radius))
    grid = np.indices((2 * reach + 1, 2 * reach + 1), np.intp).reshape(2, -1).T - reach
    return grid, np.hypot(*grid.T)


def _disc(radius: float) -> NDArray[np.intp]:
    grid, away = _around(radius)
    return grid[away <= radius]


def _ring(radius: float, thick: float) -> NDArray[np.intp]:
    grid, away = _around(radius)
    return grid[np.abs(away - radius + thick / 2) <= thick / 2]


def _cross(radius: float) -> NDArray[np.intp]:
    grid, _ = _around(radius)
    return np.asarray(grid[np.abs(grid[:, 0]) == np.abs(grid[:, 1])], np.intp)
