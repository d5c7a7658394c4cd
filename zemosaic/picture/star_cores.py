"""The colour of stars whose cores are clipped: that of their wings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["WING_PX", "clipped_levels", "with_hue_of_wings"]

Planes = NDArray[np.float32]

WING_PX = 24
"""How far from a pixel of a core the wings are looked at."""
PLATEAU = 0.85
"""Pixels that reach so much of the brightest one in all channels at once belong to a clipped core."""
MIN_PLATEAU_PX = 4
SOFT_EDGE_PX = 3
"""A core passes into its wings over so many pixels, in which single channels are clipped."""
OWN_HUE = 0.0008
"""How much a pixel's own light counts beside that of the wings: wings fainter than this part of a star's core tell no
hue, and they are that faint where the core is not clipped."""
WING_WIDTH_PX = 5
"""Width of the ring of wings, outside of that edge, that tells the hue of a core."""
GROUND_PX = (10, 16)
"""From the core's rim: the ring whose light, a nebula's for example, is taken off the wings."""
BLOCK_PX = 128
"""Pictures are repaired in blocks of this side, where there are cores."""
HALO_PX = 48
"""How far around a block its cores and their wings are looked at: a core's ground, and means over `WING_PX`."""
CORE = 0.4
"""Pixels are taken for those of a core from so much of the brightest one on: interpolation blurs the plateau."""


def clipped_levels(planes: Planes, sky: Sequence[float], inside: NDArray[np.bool_]) -> tuple[float, ...] | None:
    """Return the levels above the sky from which on the colour of a pixel may be that of clipping.

    A detector clips all channels at the same number, whatever the colour of the star.  Where no star is clipped, cores
    and wings have the same hue, so that it does no harm to take that of the wings.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
    sky : sequence of float
        Level of the sky per channel, in the same units.
    inside : ndarray, shape (h, w), bool
        Where there is data.

    Returns
    -------
    tuple of float or None
        One level per channel; None where no pixel is near the brightest one in all channels, and for one channel.
    """
    if len(planes) == 1 or not inside.any():
        return None
    tops = [float(plane[inside].max()) - level for plane, level in zip(planes, sky, strict=True)]
    if min(tops) <= 0:
        return None
    plateau = inside.copy()
    for plane, level, top in zip(planes, sky, tops, strict=True):
        plateau &= plane - np.float32(level) >= PLATEAU * top
    return tuple(CORE * top for top in tops) if plateau.sum() >= MIN_PLATEAU_PX else None


def with_hue_of_wings(planes: Planes, sky: Sequence[float], levels: Sequence[float] | None) -> Planes:
    """Return planes whose clipped cores have the hue of their wings and the light that they had.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
        NaN without data.
    sky : sequence of float
        Level of the sky per channel.
    levels : sequence of float or None
        From `clipped_levels`; None changes nothing.

    Returns
    -------
    ndarray, shape (channels, h, w), float32
        The same array where nothing is clipped.
    """
    if levels is None:
        return planes
    cores = np.zeros(planes.shape[1:], bool)
    for plane, ground, level in zip(planes, sky, levels, strict=True):
        cores |= plane >= np.float32(ground + level)
    repaired = planes
    for block, window in _blocks_of(cores):
        if repaired is planes:
            repaired = planes.copy()
        inner = tuple(np.s_[a.start - b.start : a.stop - b.start] for a, b in zip(block, window, strict=True))
        repaired[:, *block] = _repaired(planes[:, *window], sky, cores[window])[:, *inner]
    return repaired


def _blocks_of(cores: NDArray[np.bool_]) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """Yield the blocks of a picture that cores change, each with the window that tells how."""
    near = cv2.dilate(cores.astype(np.uint8), np.ones((2 * SOFT_EDGE_PX + 3, 2 * SOFT_EDGE_PX + 3), np.uint8))
    height, width = cores.shape
    for top in range(0, height, BLOCK_PX):
        for left in range(0, width, BLOCK_PX):
            bottom, right = min(top + BLOCK_PX, height), min(left + BLOCK_PX, width)
            if near[top:bottom, left:right].any():
                rows = slice(max(0, top - HALO_PX), min(height, bottom + HALO_PX))
                columns = slice(max(0, left - HALO_PX), min(width, right + HALO_PX))
                yield (slice(top, bottom), slice(left, right)), (rows, columns)


def _repaired(planes: Planes, sky: Sequence[float], cores: NDArray[np.bool_]) -> Planes:
    """Return a part of a picture with the hue of wings in its cores."""
    clear = planes - np.asarray(sky, np.float32)[:, None, None]
    near, wings = _grown(cores, SOFT_EDGE_PX), _grown(cores, SOFT_EDGE_PX + WING_WIDTH_PX) > 0
    ground = (_grown(cores, GROUND_PX[1]) > 0) & ~(_grown(cores, GROUND_PX[0]) > 0)
    star = clear - np.stack([_mean_of(plane, ground) for plane in clear])
    parts = np.maximum(np.stack([_mean_of(plane, wings & ~(near > 0)) for plane in star]), np.float32(0))
    parts += np.float32(OWN_HUE) * np.maximum(star, np.float32(0))
    total = parts.sum(axis=0)
    # A core that is larger than the wings are looked for is grey.
    share = np.where(
        total > np.float32(1e-20), parts / np.maximum(total, np.float32(1e-20)), np.float32(1 / len(parts))
    )
    light = np.maximum(star.sum(axis=0), np.float32(0))
    soft = cv2.blur(near, (SOFT_EDGE_PX, SOFT_EDGE_PX))
    return np.where(soft > 0, planes + soft * (share * light - star), planes)


def _grown(mask: NDArray[np.bool_], by_px: int) -> NDArray[np.float32]:
    """Return a mask, 0 or 1, grown by a disc."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1, 2 * by_px + 1))
    grown: NDArray[np.float32] = cv2.dilate(mask.astype(np.uint8), disc).astype(np.float32)
    return grown


def _mean_of(plane: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the mean over the masked pixels round each pixel; 0 where there are none."""
    size = (2 * WING_PX + 1, 2 * WING_PX + 1)
    count = cv2.blur((mask & np.isfinite(plane)).astype(np.float32), size)
    total = cv2.blur(np.where(mask & np.isfinite(plane), plane, np.float32(0)), size)
    return np.where(count > np.float32(1e-6), total / np.maximum(count, np.float32(1e-6)), np.float32(0))
