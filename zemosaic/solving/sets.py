"""Frames whose places contradict those of other frames: where they overlap, they see other stars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s
from zemosaic.solving.fit import one_to_one
from zemosaic.wcs import FrameWcs, unit_vectors

__all__ = ["PlacedFrame", "contradicted"]


MAX_NEIGHBOURS = 12
"""Frames, the nearest on the sky, that a frame is compared with."""
MAX_STARS = 60
"""Brightest stars of each frame that are compared."""
MIN_COMMON = 10
"""Stars that both frames must have in their overlap to tell."""
MAX_SHARE_STRANGE = 0.12
"""Frames that contradict each other share at most this part of the stars that they could share."""
MAX_APART_PX = 4.0
"""How far apart the same star may be in two frames."""


@dataclass(frozen=True)
class PlacedFrame:
    """A frame's place and its detections."""

    wcs: FrameWcs
    width: int
    height: int
    x_px: Float64s
    """Columns of the detections, brightest first, shape (n,)."""
    y_px: Float64s


def contradicted(frames: Sequence[PlacedFrame], doubtful: NDArray[np.bool_]) -> list[int]:
    """Return which of the doubtful frames see other stars than a frame that they overlap.

    Parameters
    ----------
    frames : sequence of PlacedFrame
        All frames, with the places that count.
    doubtful : ndarray of bool, shape (frames,)
        Those that the catalogue does not confirm.  Of two frames that contradict each other such a one is told.

    Returns
    -------
    list of int
        Places in `frames`, ascending.
    """
    if len(frames) < 2:
        return []
    toward = np.array([unit_vectors(*_centre(frame)) for frame in frames]).reshape(-1, 3)
    tree = cKDTree(toward)
    told = []
    for index in np.flatnonzero(doubtful).tolist():
        number = min(MAX_NEIGHBOURS + 1, len(frames))
        nearest = np.atleast_1d(tree.query(toward[index], k=number)[1])
        shares = [_share(frames[index], frames[other]) for other in nearest.tolist() if other != index]
        if any(share is not None and share <= MAX_SHARE_STRANGE for share in shares):
            told.append(index)
    return told


def _centre(one: PlacedFrame) -> tuple[float, float]:
    ra, dec = one.wcs.pixel_to_sky(0.5 * (one.width - 1), 0.5 * (one.height - 1))
    return float(ra), float(dec)


def _share(one: PlacedFrame, other: PlacedFrame) -> float | None:
    """Return the part of the stars in the overlap of two frames that both see; None where these are too few."""
    x, y = one.wcs.sky_to_pixel(*other.wcs.pixel_to_sky(other.x_px, other.y_px))
    theirs = np.column_stack([x, y])
    theirs = theirs[_inside(x, y, one)][:MAX_STARS]
    back_x, back_y = other.wcs.sky_to_pixel(*one.wcs.pixel_to_sky(one.x_px, one.y_px))
    ours = np.column_stack([one.x_px, one.y_px])[_inside(back_x, back_y, other)][:MAX_STARS]
    fewer = min(len(ours), len(theirs))
    if fewer < MIN_COMMON:
        return None
    return len(one_to_one(ours, cKDTree(theirs), MAX_APART_PX)) / fewer


def _inside(x: Float64s, y: Float64s, frame: PlacedFrame) -> NDArray[np.bool_]:
    inside: NDArray[np.bool_] = (x > 0) & (y > 0) & (x < frame.width - 1) & (y < frame.height - 1)
    return inside
