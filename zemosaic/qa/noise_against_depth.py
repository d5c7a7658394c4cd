"""How the noise of the mosaic falls with its depth, measured where the mosaic is deep and where it is thin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, green_channel, median

__all__ = ["DepthNoise", "noise_by_depth"]

STRIPE_ROWS = 16
MAX_STRIPES = 48
"""Stripes of rows that are looked at, spread over the mosaic."""
APART_PX = 4
"""Pixels this far apart share no light by interpolation."""
MIN_PIXELS = 4000
PER_DOUBLING = 3


@dataclass(frozen=True)
class DepthNoise:
    """Noise of a pixel, in places of different depth of one mosaic; arrays of shape (n,)."""

    frames: NDArray[np.float64]
    """Frames per pixel, mean of the places."""
    noise_adu: NDArray[np.float64]
    """Green, or the only channel."""
    typical_frames: float
    """Median depth of the covered part."""


def noise_by_depth(value: Any, kept: Any, box: Box) -> DepthNoise | None:
    """Measure the noise by depth; None where too little is covered.

    Differences of pixels near each other know neither nebula nor gradient; their median size does not
    mind stars.

    Parameters
    ----------
    value : array read by slices, shape (channels, h, w)
        NaN where nothing is.
    kept : array read by slices, shape (h, w)
        Samples per pixel.
    box : (y0, y1, x0, x1)
        Part of the canvas.
    """
    y0, y1, x0, x1 = box
    channel = green_channel(value.shape[0])
    starts = np.unique(np.linspace(y0, max(y0, y1 - STRIPE_ROWS), MAX_STRIPES).astype(int))
    steps, depths = [], []
    for start in starts:
        stop = min(int(start) + STRIPE_ROWS, y1)
        light = np.asarray(value[channel, int(start) : stop, x0:x1], np.float64)
        depth = np.asarray(kept[int(start) : stop, x0:x1], np.float64)
        step = light[:, APART_PX:] - light[:, :-APART_PX]
        alike = (depth[:, APART_PX:] == depth[:, :-APART_PX]) & (depth[:, APART_PX:] > 0) & np.isfinite(step)
        steps.append(step[alike])
        depths.append(depth[:, APART_PX:][alike])
    step, depth = np.concatenate(steps), np.concatenate(depths)
    if len(step) < MIN_PIXELS:
        return None
    classes = np.round(PER_DOUBLING * np.log2(depth)).astype(int)
    frames, noise = [], []
    for depth_class in np.unique(classes):
        members = classes == depth_class
        if members.sum() >= MIN_PIXELS:
            frames.append(float(depth[members].mean()))
            noise.append(float(1.4826 * median(np.abs(step[members])) / np.sqrt(2.0)))
    if not frames:
        return None
    return DepthNoise(np.array(frames), np.array(noise), float(median(depth)))
