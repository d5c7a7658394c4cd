"""The compiled part of looking at a mosaic: halving, reading between pixels, stretching.

`View.__call__` is the definition of the stretch; `shown` is its fast form, tested against it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Float32s
from zemosaic.picture.stretch import MIN_LEVEL, DisplayStretch

__all__ = ["Raster", "averaged", "halved", "shown"]


class Raster(NamedTuple):
    """Places of output pixels among source pixels: column ``x + i * dx``, row ``y + j * dy``."""

    x: float
    y: float
    dx: float
    dy: float


def halved(planes: Float32s) -> Float32s:
    """Return means of 2 x 2 pixels, shape (channels, ceil(h / 2), ceil(w / 2)); NaN counts for nothing."""
    channels, height, width = planes.shape
    out = np.empty((channels, (height + 1) // 2, (width + 1) // 2), np.float32)
    _halve(np.ascontiguousarray(planes, np.float32), out)
    return out


def averaged(planes: Float32s, grid: Raster, width: int, height: int) -> Float32s:
    """Return linear values at a grid of places, shape (channels, height, width); NaN outside and without data.

    Enlarged pixels are shown as squares; where the grid is coarser, neighbours are mixed linearly.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
        NaN where there is no data.
    grid : Raster
        Where the pixels of the result lie among those of `planes`.
    width, height : int
        Pixels of the result.
    """
    out = np.empty((len(planes), height, width), np.float32)
    _read(np.ascontiguousarray(planes, np.float32), tuple(grid), out)
    return out


def shown(
    planes: Float32s, grid: Raster, width: int, height: int, view: DisplayStretch, channel: int | None = None
) -> NDArray[np.uint8]:
    """Return a stretched picture, shape (height, width, 3), of a grid of places.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
    grid : Grid
    width, height : int
        Pixels of the picture.
    view : View
    channel : int or None
        Only this channel, in grey.
    """
    sky, gains, stretches = np.array(view.sky, np.float32), np.array(view.gains, np.float32), view.stretches
    if channel is not None:
        planes, sky, gains = planes[channel : channel + 1], sky[channel : channel + 1], gains[channel : channel + 1]
        stretches = stretches if len(stretches) == 1 else stretches[channel : channel + 1]
    linked = len(stretches) == 1 and len(planes) > 1
    each = stretches * len(planes) if len(stretches) == 1 else stretches
    curves = np.array([(stretch.black, stretch.white - stretch.black, stretch.balance) for stretch in each], np.float32)
    out = np.empty((height, width, 3), np.uint8)
    _show(averaged(planes, grid, width, height), sky, gains, curves, np.float32(view.colour if linked else -1.0), out)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def _halve(planes, out):  # type: ignore[no-untyped-def]
    channels, height, width = planes.shape
    for c in range(channels):
        for j in range(out.shape[1]):
            for i in range(out.shape[2]):
                total, number = np.float32(0), np.float32(0)
                for y in range(2 * j, min(2 * j + 2, height)):
                    for x in range(2 * i, min(2 * i + 2, width)):
                        value = planes[c, y, x]
                        if value == value:
                            total += value
                            number += np.float32(1)
                out[c, j, i] = total / number if number > 0 else np.nan


@njit(cache=True, error_model="numpy", nogil=True)
def _read(planes, grid, out):  # type: ignore[no-untyped-def]
    x0, y0, dx, dy = grid
    channels, height, width = planes.shape
    squares = abs(dx) <= 1.0 and abs(dy) <= 1.0
    for j in range(out.shape[1]):
        y = y0 + j * dy
        for i in range(out.shape[2]):
            x = x0 + i * dx
            if x < -0.5 or y < -0.5 or x >= width - 0.5 or y >= height - 0.5:
                for c in range(channels):
                    out[c, j, i] = np.nan
            elif squares:
                for c in range(channels):
                    out[c, j, i] = planes[c, math.floor(y + 0.5), math.floor(x + 0.5)]
            else:
                left, low = math.floor(x), math.floor(y)
                s, t = np.float32(x - left), np.float32(y - low)
                right, high = min(left + 1, width - 1), min(low + 1, height - 1)
                left, low = max(left, 0), max(low, 0)
                unity = np.float32(1)
                for c in range(channels):
                    bottom = (unity - s) * planes[c, low, left] + s * planes[c, low, right]
                    top = (unity - s) * planes[c, high, left] + s * planes[c, high, right]
                    out[c, j, i] = (unity - t) * bottom + t * top


@njit(cache=True, error_model="numpy", nogil=True)
def _show(values, sky, gains, curves, colour, out):  # type: ignore[no-untyped-def]
    channels, height, width = values.shape
    unity, zero = np.float32(1), np.float32(0)
    away = np.empty(channels, np.float32)
    tones = np.empty(channels, np.float32)
    for j in range(height):
        for i in range(width):
            seen = True
            level = zero
            for c in range(channels):
                value = values[c, j, i]
                seen = seen and value == value
                away[c] = ((value - sky[c]) * gains[c] - curves[c, 0]) / curves[c, 1]
                level += away[c]
                scaled = min(max(away[c], zero), unity)
                balance = curves[c, 2]
                tones[c] = (balance - unity) * scaled / ((balance + balance - unity) * scaled - balance)
            if not seen:
                out[j, i, 0] = out[j, i, 1] = out[j, i, 2] = 0
                continue
            if colour >= zero:
                level /= np.float32(channels)
                scaled, balance = min(max(level, zero), unity), curves[0, 2]
                bright = (balance - unity) * scaled / ((balance + balance - unity) * scaled - balance)
                low = zero
                for c in range(channels):
                    away[c] -= level
                    low = min(low, away[c])
                strength = colour * bright / max(level, np.float32(MIN_LEVEL))
                strength = min(strength, bright / max(-low, np.float32(MIN_LEVEL**2)))
                peak = unity
                for c in range(channels):
                    tones[c] = bright + strength * away[c]
                    peak = max(peak, tones[c])
                for c in range(channels):
                    tones[c] /= peak
            for c in range(3):
                tone = tones[min(c, channels - 1)]
                out[j, i, c] = np.uint8(np.float32(255) * min(max(tone, zero), unity) + np.float32(0.5))
