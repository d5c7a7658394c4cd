"""Where a mosaic is shallow, and how many more frames would help there.

The magnitude of the faintest star follows the number of frames by the square-root law: 1.25 log10 of its ratio.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, median
from zemosaic.store.axis_order import Pixels, axis_layout
from zemosaic.wcs import FrameWcs

__all__ = ["ShallowPart", "frames_for", "limit_at", "shallow_parts"]

PARTS_ACROSS = 12
"""Parts along the longer side of the mosaic."""
MIN_LOSS_MAG = 0.25
"""A part is shallow where it shows stars less faint by this much than the typical part."""
MAX_LISTED = 12
GAIN_MAG = 0.1
"""The gain in depth that frames are counted for."""


@dataclass(frozen=True)
class ShallowPart:
    """A part of the mosaic that has fewer frames than the others."""

    ra_deg: float
    dec_deg: float
    frames: float
    """Median number of frames per pixel; 0 where nothing was taken."""
    limit_mag: float
    """Faintest star at S/N 5; NaN where the zero point is not known or nothing was taken."""
    frames_to_gain: int
    """Further frames that show stars fainter by 0.1 mag."""
    frames_to_typical: int
    """Further frames until the part is as deep as the typical one."""


def limit_at(limit_mag: float, typical_frames: float, frames: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the magnitude of the faintest star where so many frames are; NaN where there is none.

    Parameters
    ----------
    limit_mag : float
        Where `typical_frames` are.
    typical_frames : float
    frames : ndarray of float
    """
    depth = np.asarray(frames, float)
    with np.errstate(divide="ignore"):
        limits = limit_mag + 1.25 * np.log10(depth / typical_frames)
    return np.where(depth > 0, limits, np.nan)


def frames_for(frames: float, gain_mag: float = GAIN_MAG) -> int:
    """Return how many more frames show stars fainter by `gain_mag` where `frames` are.

    Parameters
    ----------
    frames : float
    gain_mag : float
        Magnitudes.
    """
    more: int = max(1, math.ceil(frames * (10.0 ** (gain_mag / 1.25) - 1.0)))
    return more


def shallow_parts(kept: Pixels, wcs: FrameWcs, box: Box, limit_mag: float) -> list[ShallowPart]:
    """Return the shallow parts of a mosaic, the shallowest first.

    Parts without any frame count only where others lie around them on both sides, in a row or in a column: the outside
    of a mosaic is no gap.

    Parameters
    ----------
    kept : array-like, shape (h, w)
        Frames per pixel.
    wcs : FrameWcs
        Of the pixels of `kept`.
    box : (y0, y1, x0, x1)
    limit_mag : float
        Faintest star where the mosaic is as deep as it typically is; NaN where it is not known.
    """
    y0, y1, x0, x1 = box
    side = max(1, math.ceil(max(y1 - y0, x1 - x0) / PARTS_ACROSS))
    depth = _depths(kept, box, side)
    covered = depth > 0
    if not covered.any():
        return []
    typical = float(median(depth[covered]))
    gaps = ~covered & _between(covered)
    shallow = covered & (1.25 * np.log10(np.maximum(depth, 1e-9) / typical) <= -MIN_LOSS_MAG)
    parts = []
    for row, column in zip(*np.nonzero(gaps | shallow), strict=True):
        y, x = min(y0 + (row + 0.5) * side, y1 - 1.0), min(x0 + (column + 0.5) * side, x1 - 1.0)
        ra, dec = (float(v) for v in wcs.pixel_to_sky(x, y))
        frames = float(depth[row, column])
        limit = float(limit_at(limit_mag, typical, np.array([frames]))[0])
        missing = max(1, math.ceil(typical - frames))
        parts.append(ShallowPart(round(ra, 4), round(dec, 4), frames, limit, frames_for(frames), missing))
    return sorted(parts, key=lambda part: (part.frames, part.ra_deg, part.dec_deg))[:MAX_LISTED]


def _depths(kept: Pixels, box: Box, side: int) -> NDArray[np.float64]:
    """Return the median depth of square parts; 0 where more than half of a part is empty."""
    y0, y1, x0, x1 = box
    layout = axis_layout(kept, "HW")
    rows, columns = math.ceil((y1 - y0) / side), math.ceil((x1 - x0) / side)
    depth = np.zeros((rows, columns))
    for row in range(rows):
        band = layout.rows(y0 + row * side, min(y1, y0 + (row + 1) * side), x0, x1)[0]
        for column in range(columns):
            depth[row, column] = float(median(band[:, column * side : (column + 1) * side]))
    return depth


def _between(covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which parts have covered ones on both sides in their row, or in their column."""
    inside = np.zeros(covered.shape, bool)
    for axis in (0, 1):
        before = np.logical_or.accumulate(covered, axis=axis)
        after = np.flip(np.logical_or.accumulate(np.flip(covered, axis), axis=axis), axis)
        inside |= before & after
    return inside
