"""How one tile is stacked within its memory: a function for each memory mode, and the bands it works in."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO

import numpy as np

from zemosaic.arrays import Box, Float32s
from zemosaic.coadd.tile_stacker import TileStacker
from zemosaic.coadd.tile_task import TileTask
from zemosaic.compute.machine_resources import disk_free, lent_floats
from zemosaic.stacking.memory_modes import MemoryMode, choose_memory_mode
from zemosaic.stacking.rules import Combine, StackResult
from zemosaic.stacking.streaming import AS_FRAMES
from zemosaic.store.canvas_store import TilePixels

__all__ = ["BAND_STEP", "MEMORY_STRATEGIES", "StackedTile", "choose_mode", "rows_in_memory"]

BAND_STEP = 32
"""Bands begin at multiples of this, the lattice of exact positions."""


@dataclass(frozen=True)
class StackedTile:
    """The pixels of a tile, filled band by band."""

    outer: Box
    pixels: TilePixels
    limits: Float32s | None = field(default=None)
    """Lowest and highest value that stay, shape (2, channels, h, w), for the drops that fall on the finished stack;
    None where samples are interpolated."""

    @classmethod
    def empty(cls, task: TileTask) -> StackedTile:
        """Return a tile without light."""
        y0, y1, x0, x1 = task.tile.outer
        shape = (y1 - y0, x1 - x0)
        limits = np.empty((2, task.channels, *shape), np.float32) if task.drops is not None else None
        pixels = TilePixels(
            np.full((task.channels, *shape), np.nan, np.float32),
            np.zeros(shape, np.float32),
            np.zeros(shape, np.uint16),
            np.zeros(shape, np.uint16),
        )
        return cls(task.tile.outer, pixels, limits)

    def keep(self, band: Box, result: StackResult) -> None:
        """Take in the stack of a band.

        Parameters
        ----------
        band : tuple of int
            Rows and columns y0, y1, x0, x1 of the canvas.
        result : StackResult
            Of all pixels of the band, row by row.
        """
        rows, size = self._rows(band), (band[1] - band[0], band[3] - band[2])
        self.pixels.value[:, rows] = result.value.reshape(-1, *size)
        for name in ("weight", "kept", "rejected"):
            getattr(self.pixels, name)[rows] = getattr(result, name).reshape(size)

    def keep_limits(self, band: Box, low: Float32s, high: Float32s) -> None:
        """Take in the limits of a band, where drops will need them.

        Parameters
        ----------
        band : tuple of int
            Rows and columns y0, y1, x0, x1 of the canvas.
        low, high : ndarray, shape (channels, pixels), float32
        """
        if self.limits is not None:
            kept = self.limits[:, :, self._rows(band)]
            kept[0], kept[1] = low.reshape(kept.shape[1:]), high.reshape(kept.shape[1:])

    def _rows(self, band: Box) -> slice:
        return slice(band[0] - self.outer[0], band[1] - self.outer[0])


def choose_mode(task: TileTask, planes: int) -> MemoryMode:
    """Return how a tile is stacked.

    Parameters
    ----------
    task : TileTask
    planes : int
        Planes of a frame, see `TileSamples`.
    """
    y0, y1, x0, x1 = task.tile.outer
    frames = len(task.frames)
    cube = frames * planes * (y1 - y0) * (x1 - x0) * 4
    return choose_memory_mode(
        frames,
        y1 - y0,
        rows_in_memory(task, planes, frames),
        task.memory,
        least_rows=BAND_STEP,
        disk_holds=cube < disk_free(task.scratch),
        median=task.rules.combine is Combine.MEDIAN,
    )


def rows_in_memory(task: TileTask, planes: int, frames: int) -> int:
    """Return how many rows of so many frames fit the memory beside a frame's window and the tile.

    Parameters
    ----------
    task : TileTask
    planes : int
        Planes of a frame, see `TileSamples`.
    frames : int
    """
    y0, y1, x0, x1 = task.tile.outer
    area = (y1 - y0) * (x1 - x0)
    largest = max((frame.frame.width * frame.frame.height for frame in task.frames), default=0)
    window = min(largest, 3 * area) * (2 + 4 * task.channels)
    limits = 0 if task.drops is None else 8 * task.channels * area
    result = (4 * task.channels + 8) * area
    free = max(task.task_bytes - window - result - limits, task.task_bytes // 4)
    # Where a plane of weights lies among the samples, stacking takes these out of it.
    copies = planes + (task.channels if planes > task.channels else 0)
    rows = max(1, free // max(1, frames * copies * (x1 - x0) * 4))
    return rows if rows < BAND_STEP else rows // BAND_STEP * BAND_STEP


def bands(outer: Box, rows: int) -> Iterator[Box]:
    """Divide a tile into bands of so many rows.

    Parameters
    ----------
    outer : tuple of int
        Rows and columns y0, y1, x0, x1 of the canvas.
    rows : int

    Yields
    ------
    tuple of int
    """
    y0, y1, x0, x1 = outer
    start = y0
    while start < y1:
        aligned = start // BAND_STEP * BAND_STEP if rows >= BAND_STEP else start
        end = min(y1, aligned + rows)
        yield start, end, x0, x1
        start = end


def _stack_in_memory(stacker: TileStacker, tile: StackedTile) -> None:
    """Stack a tile with the samples of all frames in memory, in as many bands as that takes."""
    task, planes = stacker.task, stacker.samples.planes
    frames = len(task.frames)
    for band in bands(tile.outer, rows_in_memory(task, planes, frames)):
        with lent_floats((frames, planes, band[1] - band[0], band[3] - band[2])) as cube:
            _stack_band(stacker, tile, band, *stacker.samples.of_frames(band, range(frames), cube))


def _stack_on_disk(stacker: TileStacker, tile: StackedTile) -> None:
    """Resample every frame once into a file, then stack that band by band."""
    task, number = stacker.task, stacker.samples.planes
    y0, y1, x0, x1 = tile.outer
    path = task.scratch / f"cube_{task.row}_{os.getpid()}.f4"
    planes = np.empty((number, y1 - y0, x1 - x0), np.float32)
    present: list[int] = []
    try:
        with path.open("w+b") as stream:
            for k in range(len(task.frames)):
                if stacker.samples.resample(k, tile.outer, planes) is not None:
                    stream.write(planes.data)
                    present.append(k)
            del planes
            for band in bands(tile.outer, rows_in_memory(task, number, len(present))):
                samples = _read_band(stream, (len(present), number), tile.outer, band)
                _stack_band(stacker, tile, band, samples, present)
    finally:
        path.unlink(missing_ok=True)


def _read_band(stream: IO[bytes], shape: tuple[int, int], outer: Box, band: Box) -> Float32s:
    """Return a band of the samples, shape (frames, planes, h, w), that lie in a file plane by plane."""
    height, width = outer[1] - outer[0], outer[3] - outer[2]
    samples = np.empty((*shape, band[1] - band[0], width), np.float32)
    for k, plane in np.ndindex(shape):
        stream.seek(4 * width * (height * (k * shape[1] + plane) + band[0] - outer[0]))
        stream.readinto(samples[k, plane].data.cast("B"))  # type: ignore[attr-defined]
    return samples


def _stack_band(stacker: TileStacker, tile: StackedTile, band: Box, samples: Float32s, present: list[int]) -> None:
    tile.keep(band, stacker.stacked(samples, present, band))
    if tile.limits is not None:
        tile.keep_limits(band, *stacker.limits(samples, present, band))


def _stack_streaming(stacker: TileStacker, tile: StackedTile) -> None:
    """Find limits from a sample of the frames and a histogram of all, then clip all frames against them."""
    task = stacker.task
    frames = max(task.memory.sample_frames, AS_FRAMES)
    for band in bands(tile.outer, rows_in_memory(task, stacker.samples.planes, frames)):
        low, high = stacker.sampled_limits(band)
        tile.keep(band, stacker.streamed(band, low, high))
        tile.keep_limits(band, low, high)


MEMORY_STRATEGIES: Mapping[MemoryMode, Callable[[TileStacker, StackedTile], None]] = {
    MemoryMode.EXACT: _stack_in_memory,
    MemoryMode.PASSES: _stack_in_memory,
    MemoryMode.DISK: _stack_on_disk,
    MemoryMode.STREAMING: _stack_streaming,
}
"""What fills a tile in each memory mode."""
