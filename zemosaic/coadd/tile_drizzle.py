"""Drizzle within a tile: drops of the frames' raw pixels over the stack of the interpolated samples.

The stack is the model that drops are differences from.  What is thrown out is decided on the interpolated samples, as
in every stack: where a frame's sample is out, so are its drops on that pixel.  Where hardly a drop of a colour fell,
the stack stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.model import CalibratedFrame
from zemosaic.resampling.drizzle import DropRules, add_drops, drop_lattice, raw_cube
from zemosaic.wcs import FrameWcs

__all__ = ["Drops", "inside_limits"]


MIN_DROP_WEIGHT = 0.05
"""Pixels on which less fell than this part of one frame's pixel are taken from the interpolated stack."""
MIN_BORDER_FRAMES = 5
"""Samples from which on a missed pixel is no surprise of the mosaic's border."""


class Drops:
    """The drops that fall on one tile.

    Parameters
    ----------
    canvas : FrameWcs
    box : tuple
        The tile's canvas box.
    rules : DropRules
    stacked : ndarray, shape (channels, h, w), float32
        The stack of the interpolated samples.
    """

    def __init__(self, canvas: FrameWcs, box: Box, rules: DropRules, stacked: Float32s) -> None:
        self._canvas, self._box, self._rules, self._stacked = canvas, box, rules, stacked
        self._total, self._heavy = np.zeros_like(stacked), np.zeros_like(stacked)

    def add(
        self, pixels: NDArray[np.generic], window: Box, frame: CalibratedFrame, area_ratio: float, weights: Float32s
    ) -> None:
        """Let the pixels of a frame's window fall; weights, shape (h, w), are 0 where its samples are out."""
        add_drops(
            raw_cube(pixels),
            window,
            frame,
            drop_lattice(frame.wcs, self._canvas, window),
            self._box,
            self._rules,
            area_ratio,
            weights,
            self._stacked,
            (self._total, self._heavy),
        )

    def over(self, weight: Float32s, kept: NDArray[np.uint16]) -> tuple[Float32s, int]:
        """Return the stack with what it lacked, and how many pixels of many frames were missed by some colour.

        Parameters
        ----------
        weight, kept : ndarray, shape (h, w)
            Sum and number of the weights of the samples that stayed.
        """
        hit = (self._heavy > MIN_DROP_WEIGHT * weight / np.maximum(kept, 1)) & (kept > 0)
        missed = int(((kept >= MIN_BORDER_FRAMES) & ~hit.all(axis=0)).sum())
        lacked = np.divide(self._total, self._heavy, out=np.zeros_like(self._total), where=hit)
        return self._stacked + lacked, missed


def inside_limits(samples: Float32s, low: Float32s, high: Float32s) -> NDArray[np.bool_]:
    """Return where all colours of a frame's samples, shape (channels, h, w), are within the limits."""
    return np.asarray(((samples >= low) & (samples <= high)).all(axis=0))
