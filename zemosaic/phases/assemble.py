"""Phase 7: pieces into the canvas, block by block on the run's workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import NothingUsable
from zemosaic.model import CalibratedFrame, GridPlan, TileProduct
from zemosaic.mosaic.incremental import merged_block
from zemosaic.mosaic.pieces import Box, GridTile, Piece, Shelf, overlap
from zemosaic.phases.context import RunContext
from zemosaic.phases.plan import Grid
from zemosaic.store.canvas import CanvasStore, TilePixels

__all__ = ["AssembleTask", "assemble_blocks", "assemble_canvas", "grid_pieces", "pedestal"]


@dataclass(frozen=True)
class AssembleTask:
    """Blocks of the canvas that one worker makes, and the pieces that reach any of them."""

    blocks: tuple[Box, ...]
    pieces: tuple[Piece, ...]
    level: tuple[float, ...]
    """Added to every channel."""
    store: CanvasStore


def assemble_canvas(context: RunContext, grid: Grid, products: Sequence[TileProduct], store: CanvasStore) -> None:
    """Make the canvas out of the tiles, blended with their neighbours across the overlaps.

    Raises
    ------
    NothingUsable
        When no tile holds data: a result without data is a failure.
    """
    if all(product.empty for product in products):
        raise NothingUsable("error.mosaic_empty")
    plan = grid.plan
    tasks = assemble_tasks(plan, grid_pieces(plan, store), pedestal(grid.frames, plan.channels), store)
    with context.phase("assemble", len(plan.tiles)) as advance:
        done = 0
        for blocks in context.map(assemble_blocks, tasks):
            done += blocks
            advance(done)


def grid_pieces(plan: GridPlan, store: CanvasStore) -> list[GridTile]:
    """Return the tiles of a plan as pieces of its canvas."""
    return [
        GridTile(store, spec, row, plan.height, plan.width, plan.wcs.shifted(spec.outer[2], spec.outer[0]))
        for row, spec in enumerate(plan.tiles)
    ]


def assemble_tasks(
    plan: GridPlan, pieces: Sequence[GridTile], level: NDArray[np.float32], store: CanvasStore
) -> Iterator[AssembleTask]:
    """Yield the work of assembling a plan's tiles: the inner boxes of a row of tiles at a time."""
    rows: dict[int, list[Box]] = {}
    for tile in plan.tiles:
        rows.setdefault(tile.inner[0], []).append(tile.inner)
    for blocks in rows.values():
        strip = blocks[0][0], blocks[0][1], 0, plan.width
        near = tuple(piece for piece in pieces if overlap(piece.spec.outer, strip) is not None)
        yield AssembleTask(tuple(blocks), near, tuple(float(v) for v in level), store)


def assemble_blocks(task: AssembleTask) -> int:
    """Make and store the blocks of a task; returns their number."""
    level = np.array(task.level, np.float32)[:, None, None]
    shelf = Shelf()
    for box in task.blocks:
        pixels = merged_block(box, task.pieces, shelf)
        if pixels is not None:
            shifted = pixels.value + level
            task.store.write_canvas(box, TilePixels(shifted, pixels.weight, pixels.kept, pixels.rejected))
    return len(task.blocks)


def pedestal(frames: Sequence[CalibratedFrame], channels: int) -> NDArray[np.float32]:
    """Return the sky level that the mosaic keeps, per channel: that of the median frame."""
    levels = [[sky[0] for sky in frame.sky_adu] for frame in frames]
    wide = [one if len(one) == channels else one[:1] * channels for one in levels]
    return np.median(np.array(wide), axis=0).astype(np.float32)
