"""Drizzle within a tile: drops of the frames' raw pixels over the stack of the interpolated samples.

The stack is the model that drops are differences from.  What is thrown out is decided on the interpolated samples, as
in every stack: where a frame's sample is out, so are its drops on that pixel.  Where hardly a drop of a colour fell,
the stack stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.coadd.tile_samples import TileSamples
from zemosaic.coadd.tile_task import pixel_area_ratio
from zemosaic.model import CalibratedFrame
from zemosaic.resampling.drizzle import DropRules, add_drops, drop_lattice, raw_cube
from zemosaic.store.canvas_store import TilePixels
from zemosaic.wcs import FrameWcs

__all__ = ["DROP_REACH_PX", "Drops", "drizzled", "inside_limits"]

DROP_REACH_PX = 8
"""Pixels: half of a drop at three times the scale, half a pixel, and the reach of the interpolation between pixels."""

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
        """Let the pixels of a frame's window fall.

        Parameters
        ----------
        pixels : ndarray, shape (h, w) or (h, w, 3)
            Of the window.
        window : (y0, y1, x0, x1)
            Where it lies on the detector.
        frame : CalibratedFrame
        area_ratio : float
            Area of a canvas pixel over that of a frame's pixel.
        weights : ndarray, shape (box height, box width), float32
            Of the frame's samples on the canvas; 0 where they are out.
        """
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
    """Return where all colours of a frame's samples, shape (channels, h, w), are within the limits.

    Parameters
    ----------
    samples : ndarray, shape (channels, h, w), float32
    low, high : ndarray, shape (channels, h, w), float32

    Returns
    -------
    ndarray of bool, shape (h, w)
        False where a sample is NaN.
    """
    return np.asarray(((samples >= low) & (samples <= high)).all(axis=0))


def drizzled(samples: TileSamples, box: Box, limits: Float32s, stacked: TilePixels) -> tuple[Float32s, int]:
    """Let the raw pixels of all frames fall over what was stacked of them in a box.

    Within `DROP_REACH_PX` pixels of the box's edges, values depend on where the box ends.

    Parameters
    ----------
    samples : TileSamples
    box : tuple of int
        Rows and columns y0, y1, x0, x1 of the canvas.
    limits : ndarray, shape (2, channels, h, w), float32
        The lowest and the highest value that stay.
    stacked : TilePixels
        The box stacked of interpolated samples.

    Returns
    -------
    value : ndarray, shape (channels, h, w), float32
    missed : int
        Pixels of many frames that no drop of some colour fell on.
    """
    task, (low, high) = samples.task, limits
    if task.drops is None:
        return stacked.value, 0
    drops = Drops(task.canvas, box, task.drops, stacked.value)
    planes = np.empty((samples.planes, *low.shape[1:]), np.float32)
    for k, frame in enumerate(task.frames):
        resampled = samples.resample(k, box, planes)
        if resampled is not None:
            weights = planes[task.channels] if task.radial_fraction is not None else np.float32(frame.weight)
            kept = np.where(inside_limits(planes[: task.channels], low, high), weights, np.float32(0))
            drops.add(resampled[1], resampled[0], frame, pixel_area_ratio(task.canvas, frame.wcs), kept)
    return drops.over(stacked.weight, stacked.kept)
