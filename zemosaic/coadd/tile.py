"""One tile: from the raw pixels of its frames to stacked samples in the store, within its memory."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.arrays import Float32s as Floats
from zemosaic.calibration.detector import calibrated_pixels
from zemosaic.coadd.tile_device import DeviceFailed
from zemosaic.coadd.tile_drizzle import Drops, inside_limits
from zemosaic.coadd.tile_task import TileAnswer, TileTask, frame_noises, pixel_area_ratio, without_obstructed
from zemosaic.coadd.trail_mask import trailed_pixels
from zemosaic.compute.machine_resources import disk_free, lent_floats, return_freed_memory
from zemosaic.errors import FrameError, Message, ResourceError, message
from zemosaic.model import TileProduct
from zemosaic.mosaic.star_model import seeing_tolerance
from zemosaic.resampling.radial import radial_weight
from zemosaic.resampling.warp import Lattice, frame_lattice, warp, window_of
from zemosaic.stacking.compiled import accumulate
from zemosaic.stacking.kernel import limits, stack
from zemosaic.stacking.memory_modes import MemoryMode, choose_memory_mode, sample_of
from zemosaic.stacking.noise import ExpectedNoise
from zemosaic.stacking.rules import Combine, StackResult, StackRules
from zemosaic.stacking.streaming import AS_FRAMES, Histogram, ReservoirSamples
from zemosaic.store.canvas_store import TilePixels

__all__ = ["BAND_STEP", "DROP_REACH_PX", "Stacker", "stack_tile"]

STAR_SHAPE_TOLERANCE = 0.2
"""Part of a star's light that differs from frame to frame beside what seeing does: its place, its shape."""
BAND_STEP = 32
"""Bands begin at multiples of this, the lattice of exact positions."""
MIN_TASK_BYTES = 8 << 20
DROP_REACH_PX = 8
"""Pixels: half of a drop at three times the scale, half a pixel, and the reach of the interpolation between pixels."""
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
            return Stacker(task, remarks).run()
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


@lru_cache(maxsize=4)
def _compile_kernel(channels: int) -> None:
    """Have the kernel compiled, if need be, while this process holds no samples: compiling takes much memory."""
    sample = np.ones((1, channels, 1), np.float32)
    stack(sample, sample[:, 0, 0], sample[0], StackRules(), sample[0])


class Stacker:
    """One try at one tile."""

    def __init__(self, task: TileTask, remarks: list[Message]) -> None:
        self.task, self.remarks = task, remarks
        y0, y1, x0, x1 = task.tile.outer
        self.shape = (y1 - y0, x1 - x0)
        self.planes = task.channels + (task.radial_fraction is not None)
        """Planes of a frame in the cube: its channels, and its weights where these differ from pixel to pixel."""
        self.failed: dict[int, Message] = {}
        self.seen: set[int] = set()
        self.differs: float | None = None
        self.between = np.empty((2, task.channels, *self.shape), np.float32) if task.drops is not None else None
        """Lowest and highest value that stay, for the drops that fall on the finished stack."""
        self.noises = frame_noises(task)
        self.whole = TilePixels(
            np.full((task.channels, *self.shape), np.nan, np.float32),
            np.zeros(self.shape, np.float32),
            np.zeros(self.shape, np.uint16),
            np.zeros(self.shape, np.uint16),
        )

    def run(self) -> TileAnswer:
        """Stack the tile, store it and tell how."""
        task = self.task
        mode = self._mode()
        if mode is MemoryMode.DISK:
            self._on_disk()
        elif mode is MemoryMode.STREAMING:
            for band in self._bands(self._rows_in_memory(max(task.memory.sample_frames, AS_FRAMES))):
                low, high = self.sampled_limits(band)
                self._keep(band, self.streamed(band, low, high))
                self._keep_limits(band, low, high)
        else:
            frames = len(task.frames)
            for band in self._bands(self._rows_in_memory(frames)):
                with lent_floats((frames, self.planes, band[1] - band[0], self.shape[1])) as cube:
                    self._stack_band(band, *self.samples(band, range(frames), cube))
        whole = self.whole
        if self.between is not None:
            self._drizzle(*self.between)
        mark = "" if task.store is None else task.store.write_tile(task.tile, task.row, whole)
        total = int(whole.kept.sum(dtype=np.int64)) + int(whole.rejected.sum(dtype=np.int64))
        product = TileProduct(
            tile_id=task.tile.tile_id,
            frames_used=tuple(i for k, i in enumerate(task.tile.frame_ids) if k in self.seen and i not in self.failed),
            rejected_fraction=float(whole.rejected.sum(dtype=np.int64)) / max(total, 1),
            mode=mode.value,
            empty=total == 0,
            mark=mark,
        )
        return TileAnswer(product, tuple(sorted(self.failed.items())), tuple(self.remarks), self.differs)

    def _mode(self) -> MemoryMode:
        task, frames = self.task, len(self.task.frames)
        cube = frames * self.planes * math.prod(self.shape) * 4
        return choose_memory_mode(
            frames,
            self.shape[0],
            self._rows_in_memory(frames),
            task.memory,
            least_rows=BAND_STEP,
            disk_holds=cube < disk_free(task.scratch),
            median=task.rules.combine is Combine.MEDIAN,
        )

    def _rows_in_memory(self, frames: int) -> int:
        """Return how many rows of so many frames fit beside a frame's window."""
        task = self.task
        largest = max((frame.frame.width * frame.frame.height for frame in task.frames), default=0)
        window = min(largest, 3 * math.prod(self.shape)) * (2 + 4 * task.channels)
        between = 0 if self.between is None else self.between.nbytes
        result = (4 * task.channels + 8) * math.prod(self.shape)
        free = max(task.task_bytes - window - result - between, task.task_bytes // 4)
        # Where a plane of weights lies among the samples, stacking takes these out of it.
        planes = self.planes + (task.channels if self.planes > task.channels else 0)
        rows = max(1, free // max(1, frames * planes * self.shape[1] * 4))
        return rows if rows < BAND_STEP else rows // BAND_STEP * BAND_STEP

    def _bands(self, rows: int) -> Iterator[Box]:
        """Divide the tile into bands of so many rows."""
        y0, y1, x0, x1 = self.task.tile.outer
        start = y0
        while start < y1:
            aligned = start // BAND_STEP * BAND_STEP if rows >= BAND_STEP else start
            end = min(y1, aligned + rows)
            yield start, end, x0, x1
            start = end

    def samples(self, band: Box, indices: range | list[int], cube: Floats | None = None) -> tuple[Floats, list[int]]:
        """Return the planes of the wanted frames that reach a band, and which frames these are.

        Parameters
        ----------
        band : tuple
        wanted : sequence of int
        cube : ndarray, shape (wanted, planes, h, w), optional
            Where the planes are put.
        """
        if cube is None:
            cube = np.empty((len(indices), self.planes, band[1] - band[0], band[3] - band[2]), np.float32)
        present: list[int] = []
        for k in indices:
            if self._resample(k, band, cube[len(present)]) is not None:
                present.append(k)
        return cube[: len(present)], present

    def _window(self, k: int, band: Box) -> tuple[Lattice, Box, NDArray[Any]] | None:
        """Return what of a frame a band draws on, and where; None where it does not reach it or cannot be read."""
        task, frame = self.task, self.task.frames[k]
        if frame.frame.frame_id in self.failed:
            return None
        lattice = frame_lattice(task.canvas, frame.wcs, band)
        window = window_of(lattice, frame.frame.width, frame.frame.height)
        if window is None:
            return None
        try:
            pixels = calibrated_pixels(frame.frame, task.defects[k], task.scratch, window)
        except FrameError as error:
            self.failed[frame.frame.frame_id] = error.reason
            return None
        return lattice, window, without_obstructed(pixels, window, frame) if frame.obstructed else pixels

    def _resample(self, k: int, band: Box, into: Floats) -> tuple[Box, NDArray[Any]] | None:
        """Write a frame's planes; return the window and the raw pixels of it; None where it has no light there."""
        task, frame = self.task, self.task.frames[k]
        window_parts = self._window(k, band)
        if window_parts is None:
            return None
        lattice, window, pixels = window_parts
        channels = len(frame.sky_adu)
        ratio = pixel_area_ratio(task.canvas, frame.wcs)
        if task.device is None:
            warp(pixels, window, frame, lattice, band, into[:channels], task.interpolation, ratio)
        else:
            into[:channels] = task.device.warped(pixels, window, frame, lattice, band, task.interpolation, ratio)
        trailed = trailed_pixels(k, task.frames, task.canvas, lattice, band)
        if trailed is not None:
            into[:channels, trailed] = np.nan
        into[channels : task.channels] = into[0]
        if task.radial_fraction is not None:
            radial_weight(frame.frame, lattice, band, task.radial_fraction, into[task.channels])
            into[task.channels] *= np.float32(frame.weight)
        if not np.isfinite(into[0]).any():
            return None
        self.seen.add(k)
        return window, pixels

    def weights(self, samples: Floats, present: list[int]) -> Floats:
        """Return the weights of frames, or of samples where there is a radial feather."""
        if self.task.radial_fraction is not None:
            return np.ascontiguousarray(
                samples[:, self.task.channels].reshape(len(present), math.prod(samples.shape[2:]))
            )
        return np.array([self.task.frames[k].weight for k in present], np.float32)

    def _cube(self, samples: Floats) -> Floats:
        channels = self.task.channels
        return np.ascontiguousarray(samples[:, :channels]).reshape(len(samples), channels, math.prod(samples.shape[2:]))

    def _unsteady(self, band: Box) -> Floats:
        rules = self.task.rules
        # Limits lie kappa times this beside the middle, and shall hold all that seeing makes of a star.
        seeing = 1.0 / min(rules.kappa_low, rules.kappa_high)
        light = seeing_tolerance(self.task.stars, band, self.task.channels, STAR_SHAPE_TOLERANCE, seeing)
        return light.reshape(self.task.channels, -1)

    def stacked(self, samples: Floats, present: list[int], band: Box) -> StackResult:
        """Reject and combine samples of the frames that are present in a band."""
        cube, weights = self._cube(samples), self.weights(samples, present)
        arguments = (cube, weights, self._noise(cube, present), self.task.rules, self._unsteady(band))
        device = self.task.device if present else None
        result, differs = (stack(*arguments), None) if device is None else device.stacked(*arguments)
        if differs is not None:
            self.differs = max(differs, self.differs or 0.0)
        return result

    def drizzled(self, box: Box, low: Floats, high: Floats, stacked: TilePixels) -> tuple[Floats, int]:
        """Let the raw pixels of all frames fall over what was stacked of them in a box.

        Within `DROP_REACH_PX` pixels of the box's edges, values depend on where the box ends.

        Parameters
        ----------
        box : tuple
        low, high : ndarray, shape (channels, h, w)
            The lowest and the highest value that stay.
        stacked : TilePixels
            The box stacked of interpolated samples.

        Returns
        -------
        value : ndarray, shape (channels, h, w), float32
        missed : int
            Pixels of many frames that no drop of some colour fell on.
        """
        task = self.task
        if task.drops is None:
            return stacked.value, 0
        drops = Drops(task.canvas, box, task.drops, stacked.value)
        planes = np.empty((self.planes, *low.shape[1:]), np.float32)
        for k, frame in enumerate(task.frames):
            resampled = self._resample(k, box, planes)
            if resampled is not None:
                weights = planes[task.channels] if task.radial_fraction is not None else np.float32(frame.weight)
                kept = np.where(inside_limits(planes[: task.channels], low, high), weights, np.float32(0))
                drops.add(resampled[1], resampled[0], frame, pixel_area_ratio(task.canvas, frame.wcs), kept)
        return drops.over(stacked.weight, stacked.kept)

    def _drizzle(self, low: Floats, high: Floats) -> None:
        """Let drops fall on the whole tile, and tell where they missed much of it."""
        whole = self.whole
        whole.value[:], missed = self.drizzled(self.task.tile.outer, low, high, whole)
        lit = int((whole.kept > 0).sum())
        if missed > MAX_MISSED_FRACTION * lit:
            self.remarks.append(message("warning.drizzle_holes", percent=round(100 * missed / lit)))

    def _keep_limits(self, band: Box, low: Floats, high: Floats) -> None:
        if self.between is not None:
            kept = self.between[:, :, self._rows(band)]
            kept[0], kept[1] = low.reshape(kept.shape[1:]), high.reshape(kept.shape[1:])

    def _rows(self, band: Box) -> slice:
        return slice(band[0] - self.task.tile.outer[0], band[1] - self.task.tile.outer[0])

    def _stack_band(self, band: Box, samples: Floats, present: list[int]) -> None:
        self._keep(band, self.stacked(samples, present, band))
        if self.between is not None:
            self._keep_limits(band, *self.limits(samples, present, band))

    def _keep(self, band: Box, result: StackResult) -> None:
        rows, size = self._rows(band), (band[1] - band[0], self.shape[1])
        self.whole.value[:, rows] = result.value.reshape(self.task.channels, *size)
        for name in ("weight", "kept", "rejected"):
            getattr(self.whole, name)[rows] = getattr(result, name).reshape(size)

    def _on_disk(self) -> None:
        """Resample every frame once into a file, then stack that band by band."""
        task = self.task
        path = task.scratch / f"cube_{task.row}_{os.getpid()}.f4"
        planes = np.empty((self.planes, *self.shape), np.float32)
        present: list[int] = []
        try:
            with path.open("w+b") as stream:
                for k in range(len(task.frames)):
                    if self._resample(k, task.tile.outer, planes) is not None:
                        stream.write(planes.data)
                        present.append(k)
                del planes
                for band in self._bands(self._rows_in_memory(len(present))):
                    self._stack_band(band, self._read_band(stream, len(present), band), present)
        finally:
            path.unlink(missing_ok=True)

    def _read_band(self, stream: IO[bytes], frames: int, band: Box) -> Floats:
        height, width = self.shape
        first = band[0] - self.task.tile.outer[0]
        samples = np.empty((frames, self.planes, band[1] - band[0], width), np.float32)
        for k in range(frames):
            for plane in range(self.planes):
                stream.seek(4 * width * (height * (k * self.planes + plane) + first))
                stream.readinto(samples[k, plane].data.cast("B"))  # type: ignore[attr-defined]
        return samples

    def limits(self, samples: Floats, present: list[int], band: Box) -> tuple[Floats, Floats]:
        """Return the lowest and the highest value that stays of samples, shapes (channels, pixels)."""
        cube = self._cube(samples)
        return limits(cube, self._noise(cube, present), self.task.rules, self._unsteady(band))

    def _noise(self, cube: Floats, present: list[int]) -> Floats:
        expected = ExpectedNoise(*cube.shape[1:])
        for planes, k in zip(cube, present, strict=True):
            expected.add(planes, self.noises[k])
        return expected.values()

    def sampled_limits(self, band: Box) -> tuple[Floats, Floats]:
        """Return limits as `limits`, while all frames pass; a sample of each pixel shows where they lie."""
        task, frames = self.task, range(len(self.task.frames))
        number = min(task.memory.sample_frames, len(frames))
        chosen = sample_of(len(frames), number, task.memory.spread)
        pixels = (band[1] - band[0]) * (band[3] - band[2])
        first, seen = ReservoirSamples(number, task.channels, pixels), ExpectedNoise(task.channels, pixels)
        for k, samples in self._passing(band, [*chosen, *sorted(set(frames) - set(chosen))]):
            planes = samples[: task.channels].reshape(task.channels, -1)
            # The noise of just these: how many frames pass depends on the other pixels of the band.
            seen.add(np.where(first.add(planes), planes, np.float32(np.nan)), self.noises[k])
            if first.full:
                break
        unsteady = self._unsteady(band)
        low, high = limits(first.cube, seen.values(), task.rules, unsteady)
        del first
        histogram, seen = Histogram(number, low, high), ExpectedNoise(task.channels, pixels)
        for k, samples in self._passing(band, frames):
            histogram.add(samples[: task.channels].reshape(task.channels, -1))
            seen.add(samples[: task.channels].reshape(task.channels, -1), self.noises[k])
        histogram.refine(low, high, seen.values(), task.rules, unsteady)
        return low, high

    def streamed(self, band: Box, low: Floats, high: Floats) -> StackResult:
        """Let all frames pass once, clipped against limits."""
        task = self.task
        pixels = low.shape[1]
        total, weight = np.zeros((task.channels, pixels), np.float32), np.zeros(pixels, np.float32)
        kept, rejected = np.zeros((2, pixels), np.uint16)
        for k, samples in self._passing(band, range(len(task.frames))):
            planes = samples.reshape(self.planes, -1)[: task.channels]
            each = self.weights(samples[None], [k]).reshape(-1)
            accumulate(planes, each, low, high, total, weight, kept, rejected)
        with np.errstate(invalid="ignore", divide="ignore"):
            return StackResult((total / weight).astype(np.float32), weight, kept, rejected)

    def _passing(self, band: Box, order: Iterable[int]) -> Iterator[tuple[int, Floats]]:
        """Yield the frames that reach a band and their planes, which the next frame overwrites."""
        planes = np.empty((self.planes, band[1] - band[0], band[3] - band[2]), np.float32)
        for k in order:
            if self._resample(k, band, planes) is not None:
                yield k, planes
