"""The part of stacking a tile that a device takes over, through the array backend."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.compute.backend import ArrayBackend, open_backend
from zemosaic.errors import Message, ResourceError, message
from zemosaic.model import CalibratedFrame
from zemosaic.resampling.interpolation import Interpolation
from zemosaic.resampling.warp import Lattice
from zemosaic.resampling.warp_plain import warp_plain
from zemosaic.stacking.kernel import stack
from zemosaic.stacking.reference import stack_reference
from zemosaic.stacking.rules import StackResult, StackRules

__all__ = ["Device", "DeviceFailed"]


STACK_COPIES = 12
"""Arrays of the cube's size that the plain stacking form holds at a time."""
DEVICE_SHARE = 0.7
"""Part of the device's free memory that is used."""


class DeviceFailed(Exception):
    """The device does not do what it should: the tile is made on the CPU, and the user is told why."""

    def __init__(self, reason: Message) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True)
class Device:
    """Which device, and how far its results may be from the CPU's; picklable."""

    backend: str = "cupy"
    number: int = 0
    tolerance: float = 0.0
    """Largest difference allowed, in units of the expected noise; 0: not compared."""

    def warped(
        self,
        pixels: NDArray[Any],
        window: Box,
        frame: CalibratedFrame,
        lattice: Lattice,
        box: Box,
        interpolation: Interpolation,
        ratio: float,
    ) -> Float32s:
        """Return a resampled frame.

        Parameters
        ----------
        pixels : ndarray, shape (h, w) or (h, w, 3)
            Of the window.
        window : (y0, y1, x0, x1)
            Where it lies on the detector.
        frame : CalibratedFrame
        lattice : Lattice
            From `frame_lattice` for the same box.
        box : (y0, y1, x0, x1)
            Of the canvas, in pixels.
        interpolation : Interpolation
        ratio : float
            Area of a canvas pixel over that of a frame's pixel.

        Returns
        -------
        ndarray, shape (channels, box height, box width), float32

        Raises
        ------
        DeviceFailed
            When there is no such device or it fails.
        """
        backend = self._open()
        try:
            return backend.to_host(warp_plain(pixels, window, frame, lattice, box, interpolation, ratio, backend.xp))
        except backend.errors as error:
            raise self._failed(str(error)) from error

    def stacked(
        self, cube: Float32s, weights: Float32s, noise: Float32s, rules: StackRules, unsteady: Float32s
    ) -> tuple[StackResult, float | None]:
        """Return the stack of a band, made in pieces that fit the device, and how far it is from the CPU's.

        The difference is the largest, in units of the expected noise, here of shape (channels, pixels); None where
        nothing is compared.

        Parameters
        ----------
        cube : ndarray, shape (frames, channels, pixels), float32
            NaN where a frame has none.
        weights : ndarray, shape (frames,) or (frames, pixels), float32
        noise : ndarray, shape (channels, pixels), float32
            Expected noise of one sample.
        rules : StackRules
        unsteady : ndarray, shape (channels, pixels), float32
            Scatter that seeing brings to stars.

        Raises
        ------
        DeviceFailed
            When there is no such device, it fails, or its result is not the CPU's.
        """
        backend = self._open()
        frames, channels, pixels = cube.shape
        per_pixel = 4 * frames * channels * STACK_COPIES
        piece = max(1024, int(backend.free_bytes() * DEVICE_SHARE) // per_pixel)
        result = StackResult(
            np.empty((channels, pixels), np.float32),
            np.empty(pixels, np.float32),
            np.empty(pixels, np.uint16),
            np.empty(pixels, np.uint16),
        )
        try:
            for begin in range(0, pixels, piece):
                part = slice(begin, begin + piece)
                wide = weights if weights.ndim == 1 else weights[:, part]
                arrays = [backend.to_device(np.ascontiguousarray(a)) for a in (cube[:, :, part], wide)]
                expected, light = (backend.to_device(np.ascontiguousarray(a[:, part])) for a in (noise, unsteady))
                stacked = stack_reference(arrays[0], arrays[1], expected, rules, backend.xp, light)
                for name, array in zip(("value", "weight", "kept", "rejected"), stacked, strict=True):
                    getattr(result, name)[..., part] = backend.to_host(array)
        except backend.errors as error:
            raise self._failed(str(error)) from error
        if self.tolerance > 0:
            return result, self._verified(result, cube, weights, noise, rules, unsteady)
        return result, None

    def _verified(
        self,
        result: StackResult,
        cube: Float32s,
        weights: Float32s,
        noise: Float32s,
        rules: StackRules,
        unsteady: Float32s,
    ) -> float:
        """Compare every so many pixels with the CPU and return the largest difference."""
        step = max(1, cube.shape[2] // 4096)
        wide = weights if weights.ndim == 1 else np.ascontiguousarray(weights[:, ::step])
        expected, light = (np.ascontiguousarray(a[:, ::step]) for a in (noise, unsteady))
        sure = stack(np.ascontiguousarray(cube[:, :, ::step]), wide, expected, rules, light)
        off = np.abs(result.value[:, ::step] - sure.value) / np.maximum(expected, np.float32(1e-9))
        differs = float(np.nanmax(off, initial=0.0))
        if differs > self.tolerance or (np.isnan(sure.value) != np.isnan(result.value[:, ::step])).any():
            raise DeviceFailed(
                message("warning.gpu_differs", device=self.number, difference=differs, tolerance=self.tolerance)
            )
        return differs

    def _open(self) -> ArrayBackend:
        try:
            return _opened(self.backend, self.number)
        except ResourceError as error:
            raise self._failed(str(error.message.params.get("detail", ""))) from error

    def _failed(self, detail: str) -> DeviceFailed:
        return DeviceFailed(message("warning.gpu_failed", device=self.number, detail=detail))


@lru_cache(maxsize=4)
def _opened(name: str, number: int) -> ArrayBackend:
    return open_backend(name, number)
