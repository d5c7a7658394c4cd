"""One tile: from the raw pixels of its frames to stacked samples in the store, within its memory."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from zemosaic.coadd.tile_device import DeviceFailed
from zemosaic.coadd.tile_drizzle import drizzled
from zemosaic.coadd.tile_memory import MEMORY_STRATEGIES, StackedTile, choose_mode
from zemosaic.coadd.tile_samples import TileSamples
from zemosaic.coadd.tile_stacker import TileStacker
from zemosaic.coadd.tile_task import TileAnswer, TileTask
from zemosaic.compute.machine_resources import return_freed_memory
from zemosaic.errors import Message, ResourceError, message
from zemosaic.model import TileProduct
from zemosaic.stacking.kernel import stack
from zemosaic.stacking.rules import StackRules

__all__ = ["stack_tile", "stacked_tile"]

MIN_TASK_BYTES = 8 << 20
MAX_MISSED_FRACTION = 0.1
"""Part of the pixels that drops may miss before the user is told."""


def stack_tile(task: TileTask) -> TileAnswer:
    """Stack one tile and store it; where an allocation fails, in smaller passes.

    Raises
    ------
    ResourceError
        When memory fails even for the smallest passes, or may not be tried again.
    """
    remarks: list[Message] = []
    _compile_kernel(task.channels)
    while True:
        try:
            answer = _stacked_and_stored(task)
        except DeviceFailed as failed:
            remarks.append(failed.reason)
            task = replace(task, device=None)
        except MemoryError as error:
            smaller = task.task_bytes // 2
            if not task.memory.retry or smaller < MIN_TASK_BYTES:
                raise ResourceError("error.tile_memory", tile=task.tile.tile_id, frames=len(task.frames)) from error
            return_freed_memory()
            remarks.append(message("warning.smaller_passes", tile=task.tile.tile_id, mb=smaller >> 20))
            task = replace(task, task_bytes=smaller)
        else:
            return replace(answer, remarks=(*remarks, *answer.remarks))


@lru_cache(maxsize=4)
def _compile_kernel(channels: int) -> None:
    """Have the kernel compiled, if need be, while this process holds no samples: compiling takes much memory."""
    sample = np.ones((1, channels, 1), np.float32)
    stack(sample, sample[:, 0, 0], sample[0], StackRules(), sample[0])


def _stacked_and_stored(task: TileTask) -> TileAnswer:
    tile, answer = stacked_tile(task)
    if task.store is None:
        return answer
    mark = task.store.write_tile(task.tile, task.row, tile.pixels)
    return replace(answer, product=replace(answer.product, mark=mark))


def stacked_tile(task: TileTask) -> tuple[StackedTile, TileAnswer]:
    """Return the pixels of a tile, and what is told of them; nothing is stored.

    Raises
    ------
    DeviceFailed
        Where the task's device does not do what it should.
    MemoryError
        Where an allocation fails.
    """
    samples, tile = TileSamples(task), StackedTile.empty(task)
    stacker = TileStacker(samples)
    mode = choose_mode(task, samples.planes)
    MEMORY_STRATEGIES[mode](stacker, tile)
    remarks = _let_drops_fall(samples, tile)
    kept, rejected = (int(number.sum(dtype=np.int64)) for number in (tile.pixels.kept, tile.pixels.rejected))
    used = tuple(
        frame_id
        for k, frame_id in enumerate(task.tile.frame_ids)
        if k in samples.seen and frame_id not in samples.failed
    )
    product = TileProduct(
        tile_id=task.tile.tile_id,
        frames_used=used,
        rejected_fraction=float(rejected) / max(kept + rejected, 1),
        mode=mode.value,
        empty=kept + rejected == 0,
    )
    return tile, TileAnswer(product, tuple(sorted(samples.failed.items())), remarks, stacker.differs)


def _let_drops_fall(samples: TileSamples, tile: StackedTile) -> tuple[Message, ...]:
    """Let drops fall on the whole tile, where the task asks for them; tell where they missed much of it."""
    if tile.limits is None:
        return ()
    pixels = tile.pixels
    pixels.value[:], missed = drizzled(samples, tile.outer, tile.limits, pixels)
    lit = int((pixels.kept > 0).sum())
    if missed > MAX_MISSED_FRACTION * lit:
        return (message("warning.drizzle_holes", percent=round(100 * missed / lit)),)
    return ()
