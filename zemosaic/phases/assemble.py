"""Phase 7: tiles into the canvas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import NothingUsable
from zemosaic.model import CalibratedFrame, GridPlan, TileProduct, TileSpec
from zemosaic.mosaic.feather import blend, tile_weight
from zemosaic.phases.context import RunContext
from zemosaic.phases.plan import Grid
from zemosaic.store.canvas import CanvasStore, TilePixels

__all__ = ["assemble_canvas"]

Box = tuple[int, int, int, int]


def assemble_canvas(context: RunContext, grid: Grid, products: Sequence[TileProduct], store: CanvasStore) -> None:
    """Write every tile's inner box to the canvas, blended with its neighbours across the overlaps.

    Raises
    ------
    NothingUsable
        When no tile holds data: a result without data is a failure.
    """
    if all(product.empty for product in products):
        raise NothingUsable("error.mosaic_empty")
    plan = grid.plan
    level = pedestal(grid.frames, plan.channels)
    with context.phase("assemble", len(plan.tiles)) as advance:
        reader = _Neighbours(plan, store)
        for row, tile in enumerate(plan.tiles):
            pixels = reader.merged(row)
            shifted = pixels.value + level[:, None, None]
            store.write_canvas(tile.inner, TilePixels(shifted, pixels.weight, pixels.kept, pixels.rejected))
            advance(row + 1)


def pedestal(frames: Sequence[CalibratedFrame], channels: int) -> NDArray[np.float32]:
    """Return the sky level that the mosaic keeps, per channel: that of the median frame."""
    levels = [[sky[0] for sky in frame.sky_adu] for frame in frames]
    wide = [one if len(one) == channels else one[:1] * channels for one in levels]
    return np.median(np.array(wide), axis=0).astype(np.float32)


class _Neighbours:
    """Reads tiles, each once while its neighbours need it."""

    def __init__(self, plan: GridPlan, store: CanvasStore) -> None:
        self.plan, self.store = plan, store
        self._read: dict[int, TilePixels] = {}
        self._near = {row: _touching(plan.tiles, row) for row in range(len(plan.tiles))}
        self._last_need = {row: max(k for k, near in self._near.items() if row in near) for row in self._near}

    def merged(self, row: int) -> TilePixels:
        tile = self.plan.tiles[row]
        parts = []
        for other in self._near[row]:
            spec, pixels = self.plan.tiles[other], self._tile(other)
            weight = tile_weight(spec, self.plan.height, self.plan.width)
            parts.append(_placed(tile.inner, spec, pixels.value, weight))
        own = _crop(tile.inner, tile.outer)
        pixels = self._tile(row)
        for known in [k for k in self._read if self._last_need[k] <= row]:
            del self._read[known]
        return TilePixels(blend(parts), pixels.weight[own], pixels.kept[own], pixels.rejected[own])

    def _tile(self, row: int) -> TilePixels:
        if row not in self._read:
            self._read[row] = self.store.read_tile(self.plan.tiles[row], row)
        return self._read[row]


def _touching(tiles: Sequence[TileSpec], row: int) -> list[int]:
    """Return the tiles whose outer box reaches a tile's inner box, itself included, in order."""
    y0, y1, x0, x1 = tiles[row].inner
    return [
        k
        for k, other in enumerate(tiles)
        if other.outer[0] < y1 and other.outer[1] > y0 and other.outer[2] < x1 and other.outer[3] > x0
    ]


def _crop(box: Box, within: Box) -> tuple[slice, slice]:
    return slice(box[0] - within[0], box[1] - within[0]), slice(box[2] - within[2], box[3] - within[2])


def _placed(
    box: Box, spec: TileSpec, value: NDArray[np.float32], weight: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a tile's values and weights over a box; NaN and 0 beyond the tile."""
    shape = (box[1] - box[0], box[3] - box[2])
    y0, y1 = max(box[0], spec.outer[0]), min(box[1], spec.outer[1])
    x0, x1 = max(box[2], spec.outer[2]), min(box[3], spec.outer[3])
    if (y1 - y0, x1 - x0) == shape:
        part = _crop(box, spec.outer)
        return value[(slice(None), *part)], weight[part]
    placed = np.full((len(value), *shape), np.nan, np.float32)
    heavy = np.zeros(shape, np.float32)
    into, part = _crop((y0, y1, x0, x1), box), _crop((y0, y1, x0, x1), spec.outer)
    placed[(slice(None), *into)] = value[(slice(None), *part)]
    heavy[into] = weight[part]
    return placed, heavy
