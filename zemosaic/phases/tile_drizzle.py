"""Drizzle within a tile: drops of the frames' raw pixels instead of interpolated samples.

What is thrown out is decided on the interpolated samples, as in every stack: where a frame's sample is out, so are
its drops on that pixel.  Where hardly a drop of a colour fell, the stack of the interpolated samples stands in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.model import CalibratedFrame
from zemosaic.mosaic.drizzle import DropRules, add_drops, drop_lattice, raw_cube
from zemosaic.sky import FrameWcs

__all__ = ["Drops", "inside_limits"]

Box = tuple[int, int, int, int]
Floats = NDArray[np.float32]

LEAST_DROP = 0.05
"""Pixels on which less fell than this part of one frame's pixel are taken from the interpolated stack."""
MANY_FRAMES = 5
"""Samples from which on a missed pixel is no surprise of the mosaic's border."""


class Drops:
    """The drops that fell on one band of a tile."""

    def __init__(self, canvas: FrameWcs, band: Box, channels: int, rules: DropRules) -> None:
        shape = (channels, band[1] - band[0], band[3] - band[2])
        self._canvas, self._band, self._rules = canvas, band, rules
        self._total, self._heavy = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def add(
        self, pixels: NDArray[np.generic], window: Box, frame: CalibratedFrame, area_ratio: float, weights: Floats
    ) -> None:
        """Let the pixels of a frame's window fall; weights, shape (pixels,), are 0 where its samples are out."""
        add_drops(
            raw_cube(pixels),
            window,
            frame,
            drop_lattice(frame.wcs, self._canvas, window),
            self._band,
            self._rules,
            area_ratio,
            weights.reshape(self._heavy.shape[1:]),
            self._total,
            self._heavy,
        )

    def over(self, value: Floats, weight: Floats, kept: NDArray[np.uint16]) -> tuple[Floats, int]:
        """Return the mean of the drops, and how many pixels of many frames were missed by some colour.

        Parameters
        ----------
        value : ndarray, shape (channels, pixels)
            The interpolated stack, which stands in where drops missed.
        weight, kept : ndarray, shape (pixels,)
            Sum and number of the weights of the samples that stayed.
        """
        heavy, total = self._heavy.reshape(value.shape), self._total.reshape(value.shape)
        least = LEAST_DROP * weight / np.maximum(kept, 1)
        hit = (heavy > least) & (kept > 0)
        missed = int(((kept >= MANY_FRAMES) & ~hit.all(axis=0)).sum())
        return np.divide(total, heavy, out=value.copy(), where=hit), missed


def inside_limits(samples: Floats, low: Floats, high: Floats) -> NDArray[np.bool_]:
    """Return where all colours of a frame's samples, shape (channels, pixels), are within the limits."""
    return np.asarray(((samples >= low) & (samples <= high)).all(axis=0))
