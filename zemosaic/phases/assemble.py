"""Phase 7: pieces into the canvas, block by block on the run's workers."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.coadd.cutouts import CoaddInput, CoaddPlane
from zemosaic.coadd.incremental import merged_block
from zemosaic.coadd.inputs import TILE_CACHE_BYTES, GridTile, TileCache, TileReader, overlap
from zemosaic.coadd.reproject_method import coadded_block
from zemosaic.compute.machine_resources import return_freed_memory
from zemosaic.errors import NothingUsable, message, write_refused
from zemosaic.model import CalibratedFrame, GridPlan, TileProduct
from zemosaic.phases.context import RunContext
from zemosaic.phases.plan import FieldPlan
from zemosaic.store.canvas_store import CanvasStore, TilePixels

__all__ = [
    "AssembleTask",
    "Method",
    "assemble_blocks",
    "assemble_canvas",
    "assemble_pieces",
    "blocks_of",
    "grid_pieces",
    "pedestal",
]

Method = Literal["reproject_coadd", "incremental"]
PIXEL_BYTES = 160
"""What a pixel of a block takes while it is made: tiles with their shares, sums, the block itself."""


@dataclass(frozen=True)
class AssembleTask:
    """Blocks of the canvas that one worker makes, and the pieces that reach any of them."""

    blocks: tuple[Box, ...]
    pieces: tuple[CoaddInput, ...]
    placing: CoaddPlane
    level: tuple[float, ...]
    """Added to every channel."""
    store: CanvasStore
    method: Method = "incremental"
    sums_folder: Path | None = None
    """Where `reproject_coadd` adds up in memory-mapped files; None for memory."""
    keep_sums: bool = False
    shelf_bytes: int = TILE_CACHE_BYTES
    """What tiles that are kept for the next block may take."""


def assemble_canvas(context: RunContext, grid: FieldPlan, products: Sequence[TileProduct], store: CanvasStore) -> None:
    """Make the canvas out of Grid mode's tiles, blended with their neighbours across the overlaps.

    Parameters
    ----------
    context : RunContext
    grid : FieldPlan
    products : sequence of TileProduct
        What stacking made of the tiles of the plan, in their order.
    store : CanvasStore
        Holds the tiles and takes the canvas.

    Raises
    ------
    NothingUsable
        When no tile holds data: a result without data is a failure.
    """
    if all(product.empty for product in products):
        raise NothingUsable("error.mosaic_empty")
    plan = grid.plan
    level = pedestal(grid.frames, plan.channels)
    assemble_pieces(context, plan, grid_pieces(plan, store), level, store, context.settings.final_assembly_method)


def assemble_pieces(
    context: RunContext,
    plan: GridPlan,
    pieces: Sequence[CoaddInput],
    level: NDArray[np.float32],
    store: CanvasStore,
    method: Method,
) -> None:
    """Make the canvas of a plan out of pieces, and add a level per channel.

    Parameters
    ----------
    context : RunContext
    plan : GridPlan
        Of the canvas.
    pieces : sequence of CoaddInput
        Tiles or master tiles, in mosaic units.
    level : ndarray, shape (channels,), float32
        Added to every pixel, in mosaic units.
    store : CanvasStore
        Takes the canvas, in blocks that are the chunks of its arrays.
    method : {"reproject_coadd", "incremental"}

    Raises
    ------
    OutputError
        When the folder of the memory-mapped files cannot be made.
    """
    settings, budget = context.settings, context.workers.budget
    rows = blocks_of(plan, settings.grid_tile_px)
    sums = _sums_folder(context) if method == "reproject_coadd" and settings.coadd_use_memmap else None
    tasks = (
        AssembleTask(
            blocks,
            near,
            CoaddPlane(plan.wcs),
            tuple(float(v) for v in level),
            store,
            method,
            sums,
            not settings.coadd_cleanup_memmap,
            min(TILE_CACHE_BYTES, budget.task_bytes // 4),
        )
        for blocks, near in _near_pieces(rows, pieces, plan.width)
    )
    fitting = budget.workers * budget.task_bytes // (PIXEL_BYTES * settings.grid_tile_px**2)
    workers = max(1, min(settings.assembly_process_workers or budget.workers, budget.workers, fitting))
    with context.timer.phase("assemble", sum(len(blocks) for blocks in rows)) as advance:
        done = 0
        # As many tasks as workers are under way, none waits: fewer workers than the run has stay idle otherwise.
        for blocks in context.workers.map(assemble_blocks, tasks, ahead=workers):
            done += blocks
            advance(done)
    if sums is not None and settings.coadd_cleanup_memmap and not any(sums.iterdir()):
        sums.rmdir()
    context.log(message("log.assembled", method=method, pieces=len(pieces), workers=workers))


def grid_pieces(plan: GridPlan, store: TileReader) -> list[GridTile]:
    """Return the tiles of a plan as pieces of its canvas.

    Parameters
    ----------
    plan : GridPlan
    store : TileReader
        Where the pixels of the tiles are read from, when they are needed.
    """
    return [
        GridTile(store, spec, row, plan.height, plan.width, plan.wcs.shifted(spec.outer[2], spec.outer[0]))
        for row, spec in enumerate(plan.tiles)
    ]


def blocks_of(plan: GridPlan, side_px: int) -> list[tuple[Box, ...]]:
    """Return the blocks of a canvas, a tuple per row of blocks; they are the chunks of its store.

    Parameters
    ----------
    plan : GridPlan
    side_px : int
        Side of a block; those at the right and upper edges are cut.
    """
    return [
        tuple(
            (y0, min(y0 + side_px, plan.height), x0, min(x0 + side_px, plan.width))
            for x0 in range(0, plan.width, side_px)
        )
        for y0 in range(0, plan.height, side_px)
    ]


def _near_pieces(
    rows: Sequence[tuple[Box, ...]], pieces: Sequence[CoaddInput], width: int
) -> Iterator[tuple[tuple[Box, ...], tuple[CoaddInput, ...]]]:
    """Yield each row of blocks with the pieces that may reach it."""
    for blocks in rows:
        strip = blocks[0][0], blocks[0][1], 0, width
        near = [
            piece for piece in pieces if not isinstance(piece, GridTile) or overlap(piece.spec.outer, strip) is not None
        ]
        yield blocks, tuple(near)


def assemble_blocks(task: AssembleTask) -> int:
    """Make and store the blocks of a task; returns their number."""
    return_freed_memory()  # stacking leaves much behind, and here several pieces lie in memory
    level = np.array(task.level, np.float32)[:, None, None]
    shelf = TileCache(task.shelf_bytes)
    for box in task.blocks:
        pixels = _block(task, box, shelf)
        if pixels is not None:
            shifted = pixels.value + level
            task.store.write_canvas(box, TilePixels(shifted, pixels.weight, pixels.kept, pixels.rejected))
    return len(task.blocks)


def _block(task: AssembleTask, box: Box, shelf: TileCache) -> TilePixels | None:
    if task.method == "incremental":
        return merged_block(box, task.pieces, task.placing, shelf)
    if task.sums_folder is None:
        return coadded_block(box, task.pieces, task.placing, shelf)
    path = task.sums_folder / f"{task.store.path.stem}_{box[0]}_{box[2]}.f4"
    shape = (2, len(task.level), box[1] - box[0], box[3] - box[2])
    _reserve(path, 4 * math.prod(shape))
    sums = np.memmap(path, np.float32, mode="r+", shape=shape)
    try:
        return coadded_block(box, task.pieces, task.placing, shelf, (sums[0], sums[1]))
    finally:
        del sums
        if not task.keep_sums:
            path.unlink()


def _reserve(path: Path, size: int) -> None:
    """Make a file of zeros that the disk holds for certain: a full one would end the process in the midst of a sum."""
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        file.truncate(size)


def _sums_folder(context: RunContext) -> Path:
    named = context.settings.coadd_memmap_dir
    folder = Path(named) if named else context.scratch / "coadd"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise write_refused(failure, str(folder)) from failure
    return folder


def pedestal(frames: Sequence[CalibratedFrame], channels: int) -> NDArray[np.float32]:
    """Return the sky level that the mosaic keeps, per channel: that of the median frame.

    Parameters
    ----------
    frames : sequence of CalibratedFrame
        Those of the field, one at least.
    channels : int
        Of the mosaic; a mono frame's level counts for each of them.
    """
    levels = [[sky[0] for sky in frame.sky_adu] for frame in frames]
    wide = [level if len(level) == channels else level[:1] * channels for level in levels]
    level: NDArray[np.float32] = np.median(np.array(wide), axis=0).astype(np.float32)
    return level
