"""Sensor defects: found once per camera from its own frames, mended before anything is interpolated.

A defect stands out from its same-colour neighbours in most frames although the sky moved.  A star
that stood still would do so too; it lights up all the pixels round it, which a defect does not.  Nor is
a pixel judged at a star's rim, where the light of its neighbours says little about its own.

A warm hour makes pixels hot in some of the frames only.  Those stand out by themselves, clearly, in several
frames, which cosmic rays and noise do not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import median, median_sigma
from zemosaic.model import FrameRef

__all__ = ["MAX_SAMPLE_FRAMES", "find_defects", "interpolate_defects", "remove_spikes"]

MAX_SAMPLE_FRAMES = 15
"""Frames looked at per camera."""
BAND_ROWS = 256
_HALO = 8
MIN_DEFECT_SIGMA = 6.0
"""A defect's median excess in standard errors of that median."""
MIN_DEFECT_NOISE = 1.5
"""... and in noise of one pixel of one frame."""
MAX_NEIGHBOUR_RATIO = 0.18
"""Most that the pixels round a defect may share of its excess; a star's share more."""
MIN_EXCESS_REPEATED = 5.0
"""A hot pixel of some of the frames stands out by so many times the noise of one pixel ..."""
MIN_FRAMES_REPEATED = 2
"""... in so many frames at least."""
QUIET = (0.7, 0.3)
"""This part of the 5 x 5 pixels round a defect stands out less than this part of what it does."""
_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]], np.uint8)


class WindowReader(Protocol):
    """Pixels of a frame by window (`zemosaic.frames.pixels.PixelSource`)."""

    def read(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any]:
        """Return the pixels of a window, shape (y1 - y0, x1 - x0) or (y1 - y0, x1 - x0, 3).

        Parameters
        ----------
        y0, y1 : int
            First row, and the row after the last.
        x0, x1 : int
            First column, and the column after the last.
        """


def find_defects(sources: Sequence[WindowReader], frame: FrameRef) -> NDArray[np.int64]:
    """Return the defects of a camera as sorted flat pixel indices (row * width + column).

    Parameters
    ----------
    sources : sequence of WindowReader
        A spread of the camera's frames, at most `MAX_SAMPLE_FRAMES` needed.
    frame : FrameRef
        Any of them: size and Bayer pattern.
    """
    if frame.planes != 1 or not sources:
        return np.empty(0, np.int64)
    defects = []
    for y0 in range(0, frame.height, BAND_ROWS):
        y1 = min(y0 + BAND_ROWS, frame.height)
        a, b = max(0, y0 - _HALO), min(frame.height, y1 + _HALO)
        excess = np.stack([_excess(source.read(a, b, 0, frame.width), frame.bayer is not None) for source in sources])
        noise = median([_spread(value) for value in excess])
        limit = max(MIN_DEFECT_SIGMA * 1.2533 * noise / math.sqrt(len(sources)), MIN_DEFECT_NOISE * noise, 1e-9)
        medians = _medians(excess)
        flagged = _outstanding(medians, np.abs(medians) > limit) | _repeated(excess, float(noise))
        defects.append(np.flatnonzero(flagged[y0 - a : y1 - a]) + y0 * frame.width)
    return np.concatenate(defects).astype(np.int64)


def _excess(pixels: NDArray[Any], bayer: bool) -> NDArray[np.float32]:
    """Return what each pixel has over the median of the same-colour pixels round it."""
    values = np.nan_to_num(np.asarray(pixels, np.float32))
    if not bayer:
        excess: NDArray[np.float32] = values - cv2.medianBlur(values, 5)
        return excess
    out = np.empty_like(values)
    for y in (0, 1):
        for x in (0, 1):
            plane = np.ascontiguousarray(values[y::2, x::2])
            out[y::2, x::2] = plane - cv2.medianBlur(plane, 5)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def _medians(layers):  # type: ignore[no-untyped-def]
    """Return the median along the first, short axis of finite numbers, shape (n, h, w)."""
    n, height, width = layers.shape
    out = np.empty((height, width), np.float32)
    for y in range(height):
        ordered = layers[:, y].copy()
        # Whole rows are put in order by exchanges of neighbours, many pixels at a time.
        for turn in range(n):
            for k in range(turn % 2, n - 1, 2):
                low, high = ordered[k], ordered[k + 1]
                for x in range(width):
                    a, b = low[x], high[x]
                    low[x] = a if a < b else b
                    high[x] = b if a < b else a
        out[y] = np.float32(0.5) * (ordered[(n - 1) // 2] + ordered[n // 2])
    return out


def _spread(values: NDArray[np.float32]) -> float:
    return median_sigma(values[::3, ::3])


def _repeated(excess: NDArray[np.float32], noise: float) -> NDArray[np.bool_]:
    """Return which pixels stand out alone in several frames; `excess` has the shape (n, h, w)."""
    times = np.zeros(excess.shape[1:], np.uint8)
    if len(excess) <= MIN_FRAMES_REPEATED:
        return times > 0
    for layer in excess:
        # Most of what is bright is a star: the mean of the pixels round it tells, before these are sorted.
        around = (9.0 * cv2.blur(layer, (3, 3)) - layer) / 8.0
        bright = (layer > max(MIN_EXCESS_REPEATED * noise, 1e-9)) & (around < 2.0 * MAX_NEIGHBOUR_RATIO * layer)
        times += _outstanding(layer, bright)
    return times >= MIN_FRAMES_REPEATED


def _outstanding(excess: NDArray[np.float32], candidates: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the candidates, flags of shape (h, w), stand out alone among calm neighbours."""
    y, x = np.nonzero(candidates)
    flagged = np.zeros(excess.shape, bool)
    padded = np.pad(excess, 2, mode="reflect")
    dy, dx = np.divmod(np.delete(np.arange(25), 12), 5)
    around = padded[y[:, None] + dy, x[:, None] + dx]
    next_to = (np.abs(dy - 2) <= 1) & (np.abs(dx - 2) <= 1)
    peak = excess[y, x]
    lonely = (peak < 0) | (median(around[:, next_to], axis=1) < MAX_NEIGHBOUR_RATIO * peak)
    quiet = np.quantile(np.abs(around), QUIET[0], axis=1) < QUIET[1] * np.abs(peak)
    flagged[y, x] = lonely & quiet
    return flagged


def interpolate_defects(
    pixels: NDArray[Any], window: tuple[int, int, int, int], defects: NDArray[np.int64], frame: FrameRef
) -> NDArray[Any]:
    """Replace the defects of a window, in place, by the mean of their sound same-colour neighbours.

    Parameters
    ----------
    pixels : ndarray, shape (h, w)
        Pixels of the window; three-plane frames are returned as they are.
    window : tuple
        (y0, y1, x0, x1) on the detector.
    defects : ndarray of int
        Sorted flat indices from `find_defects`.
    frame : FrameRef

    Returns
    -------
    ndarray
        `pixels`.
    """
    y0, y1, x0, x1 = window
    first, last = np.searchsorted(defects, (y0 * frame.width, y1 * frame.width))
    row, column = np.divmod(defects[first:last], frame.width)
    inside = (column >= x0) & (column < x1)
    if pixels.ndim == 2 and inside.any():
        within = (row[inside] - y0) * pixels.shape[1] + column[inside] - x0
        _interpolate_layer(pixels, within, 2 if frame.bayer is not None else 1)
    return pixels


@njit(cache=True, error_model="numpy", nogil=True)
def _interpolate_layer(pixels, defects, step):  # type: ignore[no-untyped-def]
    height, width = pixels.shape
    for place in defects:
        row, column = divmod(place, width)
        total = 0.0
        number = 0
        reach = step
        while number == 0 and reach <= 4 * step:
            for dy, dx in ((-reach, 0), (reach, 0), (0, -reach), (0, reach)):
                y, x = row + dy, column + dx
                if not (0 <= y < height and 0 <= x < width):
                    continue
                index = np.searchsorted(defects, y * width + x)
                if index == defects.size or defects[index] != y * width + x:
                    total += pixels[y, x]
                    number += 1
            reach += step
        if number > 0:
            pixels[row, column] = total / number


def remove_spikes(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a stack of another program without its single bright pixels, for the eyes of who looks for stars.

    Light that went through a lens and was resampled falls on neighbours too; a pixel many times as bright as all of
    these is a defect or a cosmic ray that nobody took out.

    Parameters
    ----------
    stack : ndarray, shape (h, w) or (h, w, 3), float32
        NaN where nothing lies.
    """
    clean = stack.copy()
    for plane in np.moveaxis(clean if clean.ndim == 3 else clean[..., None], 2, 0):
        sky = float(np.nanmedian(plane))
        noise = 1.4826 * float(np.nanmedian(np.abs(plane - sky)))
        light = np.nan_to_num(plane - sky)
        around = cv2.dilate(light, _RING)
        spike = (light > MIN_DEFECT_SIGMA * noise) & (around < MAX_NEIGHBOUR_RATIO * light)
        plane[spike] = (around + sky)[spike]
    return clean
