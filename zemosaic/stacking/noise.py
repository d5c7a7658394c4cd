"""The noise expected of the samples of each pixel, from the frames that have one there."""

from __future__ import annotations

import numpy as np
from numba import njit

from zemosaic.arrays import Float32s

__all__ = ["ExpectedNoise"]


class ExpectedNoise:
    """Gathers frame by frame; the same frames give a pixel the same number in whatever tile or band it is.

    The harmonic mean of the variances: as with the weights, a noisy frame among good ones says little.
    """

    def __init__(self, channels: int, pixels: int) -> None:
        self._number = np.zeros(pixels, np.float32)
        self._precision = np.zeros((channels, pixels), np.float32)

    def add(self, samples: Float32s, noise: Float32s) -> None:
        """Add a frame's samples, shape (channels, pixels), NaN where it has none, of some noise, shape (channels,).

        Parameters
        ----------
        samples : ndarray, shape (channels, pixels), float32
            NaN where the frame has none; the first channel tells.
        noise : ndarray, shape (channels,), float32
            Of one sample of the frame.
        """
        _add(samples[0], np.maximum(noise, np.float32(1e-9)) ** -2, self._number, self._precision)

    def values(self) -> Float32s:
        """Return the noise, shape (channels, pixels); 0 where there is no sample."""
        lit = np.maximum(self._precision, np.float32(1e-30))
        return np.asarray(np.sqrt(self._number / lit), np.float32)


@njit(cache=True, error_model="numpy", nogil=True)
def _add(samples, precision, number, total):  # type: ignore[no-untyped-def]
    unity, zero = np.float32(1), np.float32(0)
    for p in range(samples.size):
        number[p] += unity if np.isfinite(samples[p]) else zero
    for c in range(precision.size):
        row = total[c]
        for p in range(samples.size):
            row[p] += precision[c] if np.isfinite(samples[p]) else zero
