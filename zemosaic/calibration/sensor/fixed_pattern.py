"""What stands still on a sensor while the sky moves: a level of its own of every pixel, column and row, shadows, glow.

``calibrated = (raw - offset - bias) / response + bias``

Both maps are learnt from the lights (`zemosaic.calibration.sensor.pixel_pattern`,
`zemosaic.calibration.sensor.corner_glow`, `zemosaic.calibration.sensor.smooth_pattern`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s, Float64s

__all__ = [
    "BLOCK_PX",
    "NO_PATTERN",
    "SMOOTH_ERROR_PART",
    "FixedPattern",
    "SensorMaps",
    "glow_and_shadow",
    "glow_at",
    "sensor_maps",
    "smooth_error_adu",
]

BLOCK_PX = 8
"""Side of the sensor's blocks for which the smooth maps have one value."""
SMOOTH_ERROR_PART = 0.2
"""Standard error of the smooth maps as a part of them: glow differs by a tenth from frame to frame, and what is learnt
of it errs by about as much."""
GLOW_REACH_BLOCKS = 15
"""Glow has wings of which less is learnt: its error is that of the brightest glow so near."""


@dataclass(frozen=True)
class FixedPattern:
    """The fixed pattern of a camera as it is stored."""

    pixel_codes: NDArray[np.int16]
    """Level of its own of each pixel in units of `pixel_step_adu`, shape (height, width); empty where unknown."""
    pixel_step_adu: float
    glow_adu: Float32s
    """Added light in blocks of `BLOCK_PX`, shape (rows, columns); empty where unknown."""
    response: Float32s
    """Part of the light that passes in the same blocks; empty where unknown."""
    bias_adu: float
    """Level without light to which `response` refers."""

    def __bool__(self) -> bool:
        return bool(self.pixel_codes.size or self.glow_adu.size or self.response.size)


NO_PATTERN = FixedPattern(np.empty((0, 0), np.int16), 1.0, *(np.empty((0, 0), np.float32),) * 2, 0.0)


@dataclass(frozen=True)
class SensorMaps:
    """The maps of a fixed pattern in the size of the sensor, float32; None where there is nothing to do."""

    offset_adu: Float32s | None = None
    response: Float32s | None = None
    bias_adu: float = 0.0

    def applied(self, pixels: NDArray[Any], window: Box) -> NDArray[Any]:
        """Return the pixels of a window (y0, y1, x0, x1) without the pattern, float32.

        Without any map they are returned as they are.

        Parameters
        ----------
        pixels : ndarray, shape (h, w)
            Of the window.
        window : (y0, y1, x0, x1)
            Where it lies on the sensor.
        """
        y0, y1, x0, x1 = window
        if self.offset_adu is not None:
            pixels = np.subtract(pixels, self.offset_adu[y0:y1, x0:x1], dtype=np.float32)
        if self.response is not None:
            bias = np.float32(self.bias_adu)
            pixels = (np.asarray(pixels, np.float32) - bias) / self.response[y0:y1, x0:x1] + bias
        return pixels


def sensor_maps(pattern: FixedPattern, height: int, width: int) -> SensorMaps:
    """Return the maps of a pattern for a sensor of a height and width in pixels.

    Parameters
    ----------
    pattern : FixedPattern
    height, width : int
        Of the sensor, in pixels.

    Returns
    -------
    SensorMaps
        A map that the pattern does not have is None.
    """
    offset = response = None
    if pattern.pixel_codes.size:
        offset = pattern.pixel_codes.astype(np.float32) * np.float32(pattern.pixel_step_adu)
    if pattern.glow_adu.size:
        glow = _enlarged(pattern.glow_adu, height, width)
        offset = glow if offset is None else offset + glow
    if pattern.response.size:
        response = _enlarged(pattern.response, height, width)
    return SensorMaps(offset, response, pattern.bias_adu)


def glow_at(pattern: FixedPattern, x: Float64s, y: Float64s) -> Float64s:
    """Return the glow that a pattern takes off at places of the sensor, in ADU.

    Parameters
    ----------
    pattern : FixedPattern
    x, y : ndarray, shape (n,)
        Columns and rows on the sensor, in pixels.

    Returns
    -------
    ndarray, shape (n,)
        0 without glow.
    """
    if not pattern.glow_adu.size:
        return np.zeros(len(x))
    row, column = (
        np.clip((at // BLOCK_PX).astype(int), 0, side - 1)
        for at, side in zip((y, x), pattern.glow_adu.shape, strict=True)
    )
    return np.asarray(pattern.glow_adu[row, column], np.float64)


def smooth_error_adu(pattern: FixedPattern, x: Float64s, y: Float64s, level_adu: float) -> Float64s:
    """Return the standard error that the smooth maps leave at places of the sensor, in ADU.

    Parameters
    ----------
    pattern : FixedPattern
    x, y : ndarray, shape (n,)
        Columns and rows on the sensor, in pixels.
    level_adu : float
        Sky of the frame, bias taken off.

    Returns
    -------
    ndarray, shape (n,)
        0 without smooth maps.
    """
    error, glow = np.zeros(len(x)), pattern.glow_adu
    if glow.size:
        glow = cv2.dilate(glow, np.ones((2 * GLOW_REACH_BLOCKS + 1,) * 2, np.uint8))
    for blocks, scale, rest in ((glow, 1.0, 0.0), (pattern.response, level_adu, 1.0)):
        if blocks.size:
            row = np.clip((y // BLOCK_PX).astype(int), 0, blocks.shape[0] - 1)
            column = np.clip((x // BLOCK_PX).astype(int), 0, blocks.shape[1] - 1)
            error += SMOOTH_ERROR_PART * scale * np.abs(blocks[row, column] - rest)
    return error


def glow_and_shadow(corners: Float32s | None, rest: Float32s | None, sky_adu: float) -> tuple[Float32s, Float32s]:
    """Return the added light in ADU, and the part of the light that passes, of what is smooth on a sensor.

    What is darker is a shadow, but in the glow of a corner so far as that glow may be wrong.

    Parameters
    ----------
    corners : ndarray, shape (rows, columns), float32, optional
        Glow of corners and edges in ADU.
    rest : ndarray, shape (rows, columns), float32, optional
        What else was found; one of the two is there.
    sky_adu : float
        Mean level of the frames, bias taken off.

    Returns
    -------
    added, passed : ndarray, shape (rows, columns), float32
    """
    nothing = np.zeros_like(corners if rest is None else rest, dtype=np.float32)
    corners, rest = (nothing if part is None else part for part in (corners, rest))
    added = np.maximum(rest, np.float32(-SMOOTH_ERROR_PART) * corners)
    return corners + added, np.float32(1.0) + (rest - added) / np.float32(sky_adu)


def _enlarged(blocks: Float32s, height: int, width: int) -> Float32s:
    """Return blocks interpolated to pixels; beyond the last block its value holds."""
    rows, columns = blocks.shape
    large = cv2.resize(blocks, (columns * BLOCK_PX, rows * BLOCK_PX), interpolation=cv2.INTER_LINEAR)
    below, right = max(0, height - large.shape[0]), max(0, width - large.shape[1])
    padded = np.pad(large, ((0, below), (0, right)), mode="edge")
    return np.ascontiguousarray(padded[:height, :width], np.float32)
