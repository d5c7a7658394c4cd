"""Rejection and combination of the samples of one tile: exactly, or while its frames pass one by one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from zemosaic.arrays import Box, Float32s
from zemosaic.coadd.tile_samples import TileSamples
from zemosaic.mosaic.star_model import seeing_tolerance
from zemosaic.stacking.compiled import accumulate
from zemosaic.stacking.kernel import limits, stack
from zemosaic.stacking.memory_modes import sample_of
from zemosaic.stacking.noise import ExpectedNoise
from zemosaic.stacking.rules import StackResult
from zemosaic.stacking.streaming import Histogram, ReservoirSamples

__all__ = ["STAR_SHAPE_TOLERANCE", "TileStacker"]

STAR_SHAPE_TOLERANCE = 0.2
"""Part of a star's light that differs from frame to frame beside what seeing does: its place, its shape."""


class TileStacker:
    """Stacks bands of one tile by the rules of its task."""

    def __init__(self, samples: TileSamples) -> None:
        self.samples, self.task = samples, samples.task
        self.differs: float | None = None
        """Largest difference of the device's stack from the CPU's so far; None where nothing was compared."""

    def stacked(self, samples: Float32s, present: Sequence[int], band: Box) -> StackResult:
        """Reject and combine the samples of the frames that are present in a band.

        Parameters
        ----------
        samples : ndarray, shape (present, planes, h, w), float32
        present : sequence of int
            Places of the frames in the task.
        band : tuple of int
            Rows and columns y0, y1, x0, x1 of the canvas.

        Raises
        ------
        DeviceFailed
            Where the task's device does not do what it should.
        """
        cube, weights = self._cube(samples), self.samples.weights(samples, present)
        arguments = (cube, weights, self._noise(cube, present), self.task.rules, self._tolerance(band))
        device = self.task.device if present else None
        result, differs = (stack(*arguments), None) if device is None else device.stacked(*arguments)
        if differs is not None:
            self.differs = max(differs, self.differs or 0.0)
        return result

    def limits(self, samples: Float32s, present: Sequence[int], band: Box) -> tuple[Float32s, Float32s]:
        """Return the lowest and the highest value that stays of samples, shapes (channels, pixels).

        Parameters
        ----------
        samples : ndarray, shape (present, planes, h, w), float32
        present : sequence of int
            Places of the frames in the task.
        band : tuple of int
            Rows and columns y0, y1, x0, x1 of the canvas.
        """
        cube = self._cube(samples)
        return limits(cube, self._noise(cube, present), self.task.rules, self._tolerance(band))

    def sampled_limits(self, band: Box) -> tuple[Float32s, Float32s]:
        """Return limits as `limits`, while all frames pass; a sample of each pixel shows where they lie."""
        task, frames = self.task, range(len(self.task.frames))
        number = min(task.memory.sample_frames, len(frames))
        chosen = sample_of(len(frames), number, task.memory.spread)
        pixels = (band[1] - band[0]) * (band[3] - band[2])
        first, seen = ReservoirSamples(number, task.channels, pixels), ExpectedNoise(task.channels, pixels)
        for k, samples in self.samples.passing(band, [*chosen, *sorted(set(frames) - set(chosen))]):
            planes = samples[: task.channels].reshape(task.channels, -1)
            # The noise of just these: how many frames pass depends on the other pixels of the band.
            seen.add(np.where(first.add(planes), planes, np.float32(np.nan)), self.samples.noises[k])
            if first.full:
                break
        tolerance = self._tolerance(band)
        low, high = limits(first.cube, seen.values(), task.rules, tolerance)
        del first
        histogram, seen = Histogram(number, low, high), ExpectedNoise(task.channels, pixels)
        for k, samples in self.samples.passing(band, frames):
            histogram.add(samples[: task.channels].reshape(task.channels, -1))
            seen.add(samples[: task.channels].reshape(task.channels, -1), self.samples.noises[k])
        histogram.refine(low, high, seen.values(), task.rules, tolerance)
        return low, high

    def streamed(self, band: Box, low: Float32s, high: Float32s) -> StackResult:
        """Let all frames pass once, clipped against limits.

        Parameters
        ----------
        band : tuple of int
            Rows and columns y0, y1, x0, x1 of the canvas.
        low, high : ndarray, shape (channels, pixels), float32
            The lowest and the highest value that stay.
        """
        task = self.task
        pixels = low.shape[1]
        total, weight = np.zeros((task.channels, pixels), np.float32), np.zeros(pixels, np.float32)
        kept, rejected = np.zeros((2, pixels), np.uint16)
        for k, samples in self.samples.passing(band, range(len(task.frames))):
            planes = samples.reshape(self.samples.planes, -1)[: task.channels]
            each = self.samples.weights(samples[None], [k]).reshape(-1)
            accumulate(planes, each, low, high, total, weight, kept, rejected)
        with np.errstate(invalid="ignore", divide="ignore"):
            return StackResult((total / weight).astype(np.float32), weight, kept, rejected)

    def _cube(self, samples: Float32s) -> Float32s:
        channels = self.task.channels
        return np.ascontiguousarray(samples[:, :channels]).reshape(len(samples), channels, math.prod(samples.shape[2:]))

    def _noise(self, cube: Float32s, present: Sequence[int]) -> Float32s:
        expected = ExpectedNoise(*cube.shape[1:])
        for planes, k in zip(cube, present, strict=True):
            expected.add(planes, self.samples.noises[k])
        return expected.values()

    def _tolerance(self, band: Box) -> Float32s:
        """Return by how much the light of stars may differ from frame to frame, shape (channels, pixels)."""
        rules = self.task.rules
        # Limits lie kappa times this beside the middle, and shall hold all that seeing makes of a star.
        seeing = 1.0 / min(rules.kappa_low, rules.kappa_high)
        light = seeing_tolerance(self.task.stars, band, self.task.channels, STAR_SHAPE_TOLERANCE, seeing)
        return light.reshape(self.task.channels, -1)
