"""The samples of one tile: the raw pixels of its frames, resampled onto a band of the canvas."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.calibration.detector import calibrated_pixels
from zemosaic.coadd.tile_task import TileTask, frame_noises, pixel_area_ratio, without_obstructed
from zemosaic.coadd.trail_mask import trailed_pixels
from zemosaic.errors import FrameError, Message
from zemosaic.resampling.radial import radial_weight
from zemosaic.resampling.warp import Lattice, frame_lattice, warp, window_of

__all__ = ["TileSamples"]


class TileSamples:
    """Resamples the frames of a tile, and keeps account of those that have samples and those that cannot be read."""

    def __init__(self, task: TileTask) -> None:
        self.task = task
        self.planes = task.channels + (task.radial_fraction is not None)
        """Planes of a frame: its channels, and its weights where these differ from pixel to pixel."""
        self.noises = frame_noises(task)
        """Noise of one sample of each frame, shape (frames, channels)."""
        self.failed: dict[int, Message] = {}
        """By frame_id, why frames cannot be read."""
        self.seen: set[int] = set()
        """Which frames have samples."""

    def of_frames(self, band: Box, indices: Sequence[int], cube: Float32s | None = None) -> tuple[Float32s, list[int]]:
        """Return the planes of the frames that reach a band, and which frames these are.

        Parameters
        ----------
        band : tuple of int
            Rows and columns y0, y1, x0, x1 of the canvas.
        indices : sequence of int
            Places in the task of the frames that are wanted.
        cube : ndarray, shape (len(indices), planes, h, w), float32, optional
            Where the planes are put.

        Returns
        -------
        samples : ndarray, shape (present, planes, h, w), float32
        present : list of int
        """
        if cube is None:
            cube = np.empty((len(indices), self.planes, band[1] - band[0], band[3] - band[2]), np.float32)
        present: list[int] = []
        for k in indices:
            if self.resample(k, band, cube[len(present)]) is not None:
                present.append(k)
        return cube[: len(present)], present

    def passing(self, band: Box, order: Iterable[int]) -> Iterator[tuple[int, Float32s]]:
        """Yield the frames that reach a band and their planes, which the next frame overwrites.

        Parameters
        ----------
        band : tuple of int
            Rows and columns y0, y1, x0, x1 of the canvas.
        order : iterable of int
            Places of the frames in the task.

        Yields
        ------
        k : int
        planes : ndarray, shape (planes, h, w), float32
        """
        planes = np.empty((self.planes, band[1] - band[0], band[3] - band[2]), np.float32)
        for k in order:
            if self.resample(k, band, planes) is not None:
                yield k, planes

    def resample(self, k: int, band: Box, into: Float32s) -> tuple[Box, NDArray[Any]] | None:
        """Write the planes of a frame.

        Parameters
        ----------
        k : int
            Place of the frame in the task.
        band : tuple of int
            Rows and columns y0, y1, x0, x1 of the canvas.
        into : ndarray, shape (planes, h, w), float32

        Returns
        -------
        window : tuple of int
            Rows and columns of the frame that were read.
        pixels : ndarray
            Its calibrated pixels there; None instead of both where the frame has no light in the band.
        """
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

    def weights(self, samples: Float32s, present: Sequence[int]) -> Float32s:
        """Return the weights of frames, or of samples where there is a radial feather.

        Parameters
        ----------
        samples : ndarray, shape (present, planes, h, w), float32
        present : sequence of int
            Places of the frames in the task.

        Returns
        -------
        ndarray, shape (present,) or (present, pixels), float32
        """
        if self.task.radial_fraction is not None:
            return np.ascontiguousarray(
                samples[:, self.task.channels].reshape(len(present), math.prod(samples.shape[2:]))
            )
        return np.array([self.task.frames[k].weight for k in present], np.float32)

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
