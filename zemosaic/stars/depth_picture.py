"""A map of how faint a star each part of a mosaic shows, in the colours of the coverage map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.picture.downsample import downsampled
from zemosaic.picture.preview import coverage_colours
from zemosaic.stars.shallow_parts import limit_at
from zemosaic.stars.zero_point import MosaicDepth
from zemosaic.store.axis_order import Pixels

__all__ = ["DEPTH_RANGE_MAG", "depth_colours", "depth_picture"]

DEPTH_RANGE_MAG = 1.5
"""The colours reach from the deepest part to so much less."""


def depth_colours(frames: NDArray[np.float32], depth: MosaicDepth, deepest_mag: float) -> NDArray[np.uint8]:
    """Return the colours, shape (h, w, 4), of the depth where so many frames are, transparent where there is none.

    Parameters
    ----------
    frames : ndarray, shape (h, w), float32
    depth : MosaicDepth
    deepest_mag : float
        What gets the last colour; `DEPTH_RANGE_MAG` less and all below gets the first one.
    """
    above = limit_at(depth.limit_mag, depth.typical_frames, frames) - (deepest_mag - DEPTH_RANGE_MAG)
    # Only what has no frame is transparent, so that the shallowest part is a little more than nothing.
    return coverage_colours(np.maximum(above, 1e-3 * DEPTH_RANGE_MAG).astype(np.float32), DEPTH_RANGE_MAG)


def depth_picture(kept: Pixels, box: Box, depth: MosaicDepth, max_px: int) -> tuple[NDArray[np.uint8], float]:
    """Return a map of the depth and the magnitude that its last colour means.

    Parameters
    ----------
    kept : array-like, shape (height, width)
        Frames per pixel, row 0 at the bottom.
    box : (y0, y1, x0, x1)
        The part to show.
    depth : MosaicDepth
    max_px : int
        Longest side of the map.

    Returns
    -------
    picture : ndarray, shape (h, w, 4), uint8
        Row 0 at the top, transparent where nothing is covered.
    deepest_mag : float
        Magnitude of a star at S/N 5 in the deepest part.
    """
    frames = downsampled(kept, max_px, axis_order="HW", box=box, empty=0.0)[0][::-1]
    most = np.array([max(float(frames.max()), 1.0)])
    deepest_mag = float(limit_at(depth.limit_mag, depth.typical_frames, most)[0])
    return depth_colours(frames, depth, deepest_mag), deepest_mag
