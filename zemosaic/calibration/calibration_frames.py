"""Master dark, bias and flat: combined from a user's frames, and applied to raw pixels.

``calibrated = (raw - offset) / response``

The offset is the dark's level where there is a dark, else the bias's.  The response is 1 in the median
of each colour, so that a flat changes neither the level nor the colours of a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, median
from zemosaic.calibration.defects import WindowReader

__all__ = ["NO_CALIBRATION_FRAMES", "CalibrationFrames", "combine_frames", "dead_pixels", "flat_response"]


BAND_ROWS = 64
CLIP_SIGMA = 4.0
"""Values this far from the median of the frames (cosmic rays, stars in sky flats) are left out."""
MAX_DEAD_RESPONSE = 0.1
"""Pixels with less than this part of the usual response are mended as defects."""
HIGHEST_RESPONSE_PERCENTILE = 99.9
"""Percentile of the response that stands for its highest value."""


@dataclass(frozen=True)
class CalibrationFrames:
    """What is taken from, and divided out of, the raw pixels of one camera; files keep memory free."""

    offset: Path | None = None
    """A .npy file, float32, of the detector's shape."""
    flat: Path | None = None

    def __bool__(self) -> bool:
        return self.offset is not None or self.flat is not None

    def applied(self, pixels: NDArray[Any], window: tuple[int, int, int, int]) -> NDArray[Any]:
        """Return the pixels of a window (y0, y1, x0, x1) of a raw frame calibrated, float32.

        Without any master they are returned as they are.

        Parameters
        ----------
        pixels : ndarray, shape (h, w) or (h, w, 3)
            Raw numbers of the window.
        window : (y0, y1, x0, x1)
            Where it lies on the detector.
        """
        if not self:
            return pixels
        y0, y1, x0, x1 = window
        out = np.asarray(pixels, np.float32)
        if self.offset is not None:
            out = out - _mapped(self.offset)[y0:y1, x0:x1]
        if self.flat is not None:
            out = out / _mapped(self.flat)[y0:y1, x0:x1]
        return out

    def least(self, level: float) -> float:
        """Return the lowest value that a raw pixel of a high level can have after calibration."""
        if self.offset is not None:
            level -= float(median(_mapped(self.offset)[::7, ::7]))
        if self.flat is not None:
            level /= float(np.percentile(_mapped(self.flat)[::7, ::7], HIGHEST_RESPONSE_PERCENTILE))
        return level


NO_CALIBRATION_FRAMES = CalibrationFrames()


def combine_frames(sources: Sequence[WindowReader], shape: tuple[int, ...], levels: Sequence[float] | None) -> Float32s:
    """Return the mean of frames after outliers are left out, shape `shape`.

    Parameters
    ----------
    sources : sequence of WindowReader
        Frames of the detector's shape.
    shape : tuple of int
        (height, width) or (height, width, 3).
    levels : sequence of float or None
        What each frame is divided by: flats are seldom equally bright.
    """
    height, width = shape[:2]
    out = np.empty(shape, np.float32)
    for y0 in range(0, height, BAND_ROWS):
        y1 = min(y0 + BAND_ROWS, height)
        cube = np.stack([np.asarray(source.read(y0, y1, 0, width), np.float32) for source in sources])
        if levels is not None:
            cube /= np.asarray(levels, np.float32).reshape(-1, *[1] * (cube.ndim - 1))
        out[y0:y1] = _clipped_mean(cube)
    return out


def _clipped_mean(cube: Float32s) -> Float32s:
    """Return the mean along the first axis of what lies near the median."""
    if len(cube) < 3:
        return np.asarray(cube.mean(axis=0), np.float32)
    middle = np.nanmedian(cube, axis=0)
    away = np.abs(cube - middle)
    spread = 1.4826 * np.nanmedian(away, axis=0)
    # Few frames say little about a single pixel's scatter: no pixel's is taken to be less than usual.
    usual = float(median(spread)) / 0.6 if len(cube) < 5 else float(median(spread))
    keep = away <= CLIP_SIGMA * np.maximum(spread, max(usual, 1e-6))
    total = np.where(keep, cube, np.float32(0)).sum(axis=0)
    number = keep.sum(axis=0)
    return np.where(number > 0, total / np.maximum(number, 1), middle).astype(np.float32)


def flat_response(flat: Float32s, bayer: str | None) -> Float32s:
    """Return a flat, its offset taken off, as relative response; pixels without any get 1.

    Parameters
    ----------
    flat : ndarray, shape (h, w) or (h, w, 3)
    bayer : str or None
        Colours of the top left 2 x 2 pixels.
    """
    out = np.array(flat, np.float32)
    if bayer is None:
        out /= np.nanmedian(out, axis=(0, 1))
    else:
        for colour in "RGB":
            sites = [(k // 2, k % 2) for k, letter in enumerate(bayer) if letter == colour]
            middle = np.float32(median(np.concatenate([out[y::2, x::2].ravel() for y, x in sites])))
            for y, x in sites:
                out[y::2, x::2] /= middle
    out[~(out >= MAX_DEAD_RESPONSE)] = 1.0
    return out


def dead_pixels(flat: Float32s, bayer: str | None) -> NDArray[np.int64]:
    """Return the flat indices of the pixels of a one-plane flat that see next to nothing.

    Parameters
    ----------
    flat : ndarray, shape (h, w), float32
        Response; none is dead in one of several planes.
    bayer : str or None
        Colours of the top left 2 x 2 pixels, row by row; each colour is compared with its own median.

    Returns
    -------
    ndarray, shape (n,), int64
        Flat indices, ascending.
    """
    if flat.ndim != 2:
        return np.empty(0, np.int64)
    seen = np.asarray(flat, np.float32)
    usual = np.ones((2, 2), np.float32)
    if bayer is not None:
        for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
            usual[y, x] = np.nanmedian(seen[y::2, x::2])
    else:
        usual *= np.nanmedian(seen)
    tiled = np.tile(usual, (-(-seen.shape[0] // 2), -(-seen.shape[1] // 2)))[: seen.shape[0], : seen.shape[1]]
    return np.flatnonzero(~(seen >= MAX_DEAD_RESPONSE * tiled)).astype(np.int64)


def _mapped(path: Path) -> Float32s:
    mapped: Float32s = np.load(path, mmap_mode="r", allow_pickle=False)
    return mapped
