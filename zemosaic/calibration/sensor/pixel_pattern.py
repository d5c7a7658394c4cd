"""The level that each pixel, column and row of a sensor adds to every frame, learnt from frames of a moving sky.

Of each frame the local background is taken off and its stars are left out.  What two frames have in common although
the sky has moved between them by more than a star's width is the sensor's: the mean product of such pairs is the
variance of the pattern, whatever the noise.  The mean over all frames has that variance and the one of its errors,
the remaining light of faint stars included, so that their ratio is the part of the mean that is believed (empirical
Bayes; Efron & Morris 1973, J. Am. Stat. Assoc. 68, 117), for columns, rows and single pixels each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, Float64s, median, median_sigma

__all__ = ["PixelPattern", "PixelPatternSums"]

BACKGROUND_PX = 33
"""Side of the square over which the local background is averaged, in pixels of a colour plane."""
MIN_FREE_PART = 0.3
"""Part of that square that must be bare sky."""
MAX_EXCESS_SIGMA = 4.0
"""Pixels beyond are stars, cosmic rays or defects."""
SAMPLED_EVERY = 4
"""Every so many rows of a colour plane are compared between frames."""
MIN_FAR_PAIRS = 3
MIN_SIGNIFICANCE = 5.0
"""Mean product of the far pairs over its standard error, below which there is no pattern."""
MIN_BELIEVED_PART = 0.1
"""A pattern of which less would be taken off is left alone."""


@dataclass(frozen=True)
class PixelPattern:
    """Offsets of a sensor's pixels, and how large the pattern is."""

    offset_adu: Float32s
    """Shape (height, width)."""
    pixel_adu: float
    """Standard deviation of the pattern of single pixels, 0 where none was found."""
    column_adu: float
    row_adu: float


@dataclass
class PixelPatternSums:
    """Sums over frames from which the pattern follows; frames are added one by one.

    Parameters
    ----------
    height, width : int
        Of the sensor, in pixels.
    step : int
        2 for Bayer frames, whose four sites are treated as planes of their own; 1 for mono.
    """

    height: int
    width: int
    step: int
    samples: list[Float32s] = field(default_factory=list)
    columns: list[Float32s] = field(default_factory=list)
    rows: list[Float32s] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = np.zeros((self.height, self.width), np.float32)
        self.count = np.zeros((self.height, self.width), np.uint8)

    def add(self, pixels: Float32s, free: NDArray[np.uint8]) -> Float64s:
        """Add a frame; returns level, variance and number of the bare pixels of each plane (see `estimate_bias`).

        Parameters
        ----------
        pixels : ndarray, shape (height, width), float32
        free : ndarray of uint8, shape (height // step, width // step)
            1 where there is bare sky.
        """
        height, width = (side * self.step for side in free.shape)
        excess = np.zeros((self.height, self.width), np.float32)
        used = np.zeros((self.height, self.width), bool)
        share = cv2.blur(free.astype(np.float32), (BACKGROUND_PX, BACKGROUND_PX))
        near = (share > MIN_FREE_PART) & (free > 0)
        share = np.maximum(share, np.float32(MIN_FREE_PART))
        transfer = []
        for y in range(self.step):
            for x in range(self.step):
                sites = slice(y, height, self.step), slice(x, width, self.step)
                plane = np.ascontiguousarray(pixels[sites], np.float32)
                good = near & np.isfinite(plane)
                if not good[::4, ::4].any():
                    continue
                middle = float(median(plane[::4, ::4][good[::4, ::4]]))
                plane = np.where(good, plane - np.float32(middle), np.float32(0))
                plane -= cv2.blur(plane, (BACKGROUND_PX, BACKGROUND_PX)) / share
                sigma = median_sigma(plane[::4, ::4][good[::4, ::4]])
                good &= np.abs(plane) < MAX_EXCESS_SIGMA * sigma
                transfer.append((middle, sigma**2, float(good.sum())))
                excess[sites], used[sites] = np.where(good, plane, np.float32(0)), good
        self.total += excess
        self.count += used
        every = SAMPLED_EVERY * self.step
        rows = (np.arange(self.height) % every) < self.step
        self.samples.append(np.where(used[rows], excess[rows], np.nan).ravel())
        with np.errstate(invalid="ignore", divide="ignore"):
            self.columns.append(excess.sum(axis=0) / used.sum(axis=0))
            self.rows.append(excess.sum(axis=1) / used.sum(axis=1))
        return np.array(transfer).reshape(-1, 3)

    def pattern(self, far: NDArray[np.bool_]) -> PixelPattern | None:
        """Return the pattern as far as the frames tell; None where they tell nothing.

        Parameters
        ----------
        far : ndarray of bool, shape (frames, frames)
            Between which frames the sky moved far enough.
        """
        pairs = np.triu(far, 1)
        if pairs.sum() < MIN_FAR_PAIRS:
            return None
        count = np.maximum(self.count, 1).astype(np.float32)
        mean = self.total / count
        column, column_adu = _profile(self.columns, pairs)
        row, row_adu = _profile(self.rows, pairs)
        mean -= column[None, :] + row[:, None]
        common, significance = _common_variance(self.samples, pairs)
        variance = common - column_adu**2 - row_adu**2
        seen = self.count > 0
        total_variance = float((mean[seen].astype(np.float64) ** 2).mean()) if seen.any() else 0.0
        believed = variance / total_variance if total_variance > 0 else 0.0
        if significance < MIN_SIGNIFICANCE or believed < MIN_BELIEVED_PART:
            if not (column_adu or row_adu):
                return None
            return PixelPattern(
                np.broadcast_to(column[None, :] + row[:, None], mean.shape).copy(), 0.0, column_adu, row_adu
            )
        error = max(total_variance - variance, 0.0) / float((1.0 / count[seen]).mean())
        part = np.where(seen, np.float32(variance) / (np.float32(variance) + np.float32(error) / count), np.float32(0))
        offset = (part * mean + column[None, :] + row[:, None]).astype(np.float32)
        return PixelPattern(offset, math.sqrt(variance), column_adu, row_adu)


def _profile(profiles: list[Float32s], pairs: NDArray[np.bool_]) -> tuple[Float32s, float]:
    """Return the shrunk mean of profiles along one axis, and the pattern's standard deviation; zeros where none is."""
    variance, significance = _common_variance(profiles, pairs)
    stack = np.array(profiles)
    known = np.isfinite(stack).any(axis=0)
    mean = np.zeros(stack.shape[1], np.float32)
    mean[known] = np.nanmean(stack[:, known], axis=0)
    total = float((mean[known].astype(np.float64) ** 2).mean()) if known.any() else 0.0
    believed = min(1.0, variance / total) if total > 0 else 0.0
    if significance < MIN_SIGNIFICANCE or believed < MIN_BELIEVED_PART:
        return np.zeros_like(mean), 0.0
    return (np.float32(believed) * mean).astype(np.float32), math.sqrt(variance)


def _common_variance(samples: list[Float32s], pairs: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean product of samples over pairs of frames, and that in units of its standard error.

    The products of pairs hang together where they share a frame; the error is that of so many independent ones as
    there are frames, or that of the noise where frames are few.
    """
    stack = np.array(samples, np.float32)
    known = np.isfinite(stack)
    stack = np.where(known, stack, np.float32(0))
    number = known.astype(np.float32) @ known.astype(np.float32).T
    products: Float64s = (stack @ stack.T).astype(np.float64) / np.maximum(number, 1)
    chosen = pairs & (number > 0)
    if not chosen.any():
        return 0.0, 0.0
    values = products[chosen]
    mean = float(values.mean())
    power = float(np.diag(products).mean())
    by_noise = power / math.sqrt(float(number[chosen].sum()))
    by_scatter = float(values.std()) / math.sqrt(max(1, min(len(samples), len(values)) - 1))
    error = max(by_noise, by_scatter, 1e-300)
    return max(mean, 0.0), mean / error
