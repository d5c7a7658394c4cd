"""Rejection limits of more samples than fit the memory: from a histogram of each pixel, made while frames pass.

The first samples of a pixel are kept as they are.  A pixel that has no more gets exactly the limits
of its samples.  Of the others they tell where to look: a histogram about their limits then counts all
samples, and limits are found from values spread evenly through its bins, as from the samples themselves.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Float32s
from zemosaic.stacking.kernel import limits
from zemosaic.stacking.rules import StackRules

__all__ = ["AS_FRAMES", "Histogram", "ReservoirSamples"]

BINS = 96
"""Bins of a pixel's histogram; with the usual kappas one is a twelfth of the noise wide."""
AS_FRAMES = BINS // 2 + 8
"""The histogram takes the memory of so many frames."""
MARGIN = 0.2
"""How far the histogram reaches beyond the limits of the first samples, in parts of their distance."""
CHUNK_BYTES = 8 << 20
"""Memory for the values spread through the bins."""


class ReservoirSamples:
    """Up to `number` samples of each pixel, those that come first."""

    def __init__(self, number: int, channels: int, pixels: int) -> None:
        self.cube = np.full((number, channels, pixels), np.nan, np.float32)
        self.count = np.zeros(pixels, np.int32)

    def add(self, samples: Float32s) -> NDArray[np.bool_]:
        """Take a frame's samples, shape (channels, pixels), where there is room and all are finite; return where."""
        count_before = self.count.copy()
        _fill(self.cube, self.count, samples)
        return self.count > count_before

    @property
    def full(self) -> bool:
        """Whether no pixel has room any more."""
        return bool((self.count >= len(self.cube)).all())


class Histogram:
    """How the samples of each pixel and channel lie about the limits of its first ones."""

    def __init__(self, sample_size: int, low: Float32s, high: Float32s) -> None:
        """Lay bins about limits, shapes (channels, pixels), that so many samples gave."""
        self._enough = sample_size
        self._known = (low > -1e38).all(axis=0) & (high < 1e38).all(axis=0)
        low, high = (np.where(self._known, limit, np.float32(0)) for limit in (low, high))
        limit_range = high - low
        self._start = low - np.float32(MARGIN) * limit_range
        self._width = np.maximum(np.float32((1.0 + 2.0 * MARGIN) / BINS) * limit_range, np.float32(1e-30))
        self._bins = np.zeros((*low.shape, BINS), np.uint16)
        self._beyond = np.zeros((2, 2, *low.shape), np.float32)
        """Number and sum of what lies below and above."""

    def add(self, samples: Float32s) -> None:
        """Count a frame's samples, shape (channels, pixels)."""
        _count(samples, self._known, self._start, self._width, self._bins, self._beyond)

    def refine(self, low: Float32s, high: Float32s, noise: Float32s, rules: StackRules, tolerance: Float32s) -> None:
        """Replace the limits of the first samples by those of all samples where there were more.

        Parameters
        ----------
        low, high : ndarray, shape (channels, pixels), float32
            Limits of the first samples; changed in place.
        noise : ndarray, shape (channels, pixels), float32
            Expected noise of one sample.
        rules : StackRules
        tolerance : ndarray, shape (channels, pixels), float32
            Scatter that seeing brings to stars.
        """
        total = self._bins.sum(axis=2, dtype=np.int32) + self._beyond[:, 0].sum(axis=0).astype(np.int32)
        deep = np.flatnonzero(self._known & (total[0] > self._enough))
        if not deep.size:
            return
        number, channels = int(total.max()), len(low)
        step = max(1, CHUNK_BYTES // (4 * number * channels))
        for begin in range(0, deep.size, step):
            chunk = deep[begin : begin + step]
            cube = np.full((number, channels, chunk.size), np.nan, np.float32)
            _spread(chunk, self._start, self._width, self._bins, self._beyond, cube)
            low[:, chunk], high[:, chunk] = limits(
                cube, noise[:, chunk], rules, np.ascontiguousarray(tolerance[:, chunk])
            )


@njit(cache=True, error_model="numpy", nogil=True)
def _fill(cube, count, samples):  # type: ignore[no-untyped-def]
    number, channels, pixels = cube.shape
    for p in range(pixels):
        k = count[p]
        if k >= number:
            continue
        is_complete = True
        for c in range(channels):
            is_complete &= np.isfinite(samples[c, p])
        if is_complete:
            for c in range(channels):
                cube[k, c, p] = samples[c, p]
            count[p] = k + 1


@njit(cache=True, error_model="numpy", nogil=True)
def _count(samples, known, start, width, bins, beyond):  # type: ignore[no-untyped-def]
    channels, pixels, number = bins.shape
    for p in range(pixels):
        is_complete = known[p]
        for c in range(channels):
            is_complete &= np.isfinite(samples[c, p])
        if not is_complete:
            continue
        for c in range(channels):
            place = (samples[c, p] - start[c, p]) / width[c, p]
            if place >= 0 and place < number:
                bins[c, p, int(place)] += 1
            else:
                side = 0 if place < 0 else 1
                beyond[side, 0, c, p] += 1
                beyond[side, 1, c, p] += samples[c, p]


@njit(cache=True, error_model="numpy", nogil=True)
def _spread(chunk, start, width, bins, beyond, cube):  # type: ignore[no-untyped-def]
    """Write each bin's samples evenly through it; those beyond the bins all get their mean."""
    for j in range(chunk.size):
        p = chunk[j]
        for c in range(bins.shape[0]):
            k = 0
            for side in range(2):
                number = int(beyond[side, 0, c, p])
                for _ in range(number):
                    cube[k, c, j] = beyond[side, 1, c, p] / number
                    k += 1
            for b in range(bins.shape[2]):
                number = bins[c, p, b]
                for i in range(number):
                    cube[k, c, j] = start[c, p] + width[c, p] * (b + (i + np.float32(0.5)) / number)
                    k += 1
