"""How overlapping tiles meet: linear ramps across the overlap, whose sum is one everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.model import TileSpec

__all__ = ["blend", "tile_weight"]


def tile_weight(tile: TileSpec, canvas_height: int, canvas_width: int) -> NDArray[np.float32]:
    """Return a tile's weight over its outer box, shape (h, w): 1 inside, falling to 0 at inner edges of the canvas.

    Parameters
    ----------
    tile : TileSpec
    canvas_height, canvas_width : int
        In pixels; a tile does not fade towards these borders.

    Returns
    -------
    ndarray, shape (h, w), float32
    """
    y0, y1, x0, x1 = tile.outer
    rows = _ramp(y0, y1, tile.inner[0], tile.inner[1], canvas_height)
    columns = _ramp(x0, x1, tile.inner[2], tile.inner[3], canvas_width)
    return rows[:, None] * columns[None, :]


def blend(
    parts: list[tuple[NDArray[np.float32], NDArray[np.float32]]],
) -> NDArray[np.float32]:
    """Return the weighted mean of values (channels, h, w) with weights (h, w); NaN where all are NaN.

    A pixel that only one part covers is passed on bit for bit.
    """
    if len(parts) == 1:
        value, weight = parts[0]
        return np.where(weight > 0, value, np.float32(np.nan))
    total = np.zeros_like(parts[0][0])
    heavy = np.zeros_like(parts[0][0])
    for value, weight in parts:
        finite = np.isfinite(value)
        share = np.where(finite, weight[None], np.float32(0))
        total += np.where(finite, value, np.float32(0)) * share
        heavy += share
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = np.where(heavy > 0, total / heavy, np.float32(np.nan))
    for value, weight in parts:
        alone = (heavy == weight[None]) & np.isfinite(value)
        mixed = np.where(alone, value, mixed)
    return mixed


def _ramp(first: int, last: int, inner_first: int, inner_last: int, size: int) -> NDArray[np.float32]:
    position = np.arange(first, last, dtype=np.float64) + 0.5
    weight = np.ones(last - first)
    if inner_first > 0 and inner_first > first:
        weight = np.minimum(weight, (position - first) / (2.0 * (inner_first - first)))
    if inner_last < size and last > inner_last:
        weight = np.minimum(weight, (last - position) / (2.0 * (last - inner_last)))
    return weight.astype(np.float32)
