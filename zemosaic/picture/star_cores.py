"""The colour of stars whose cores are clipped: that of their wings."""

from __future__ import annotations

from collections.abc import Sequence

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
    limits = np.add(levels, sky)
    cores = np.any([plane >= np.float32(limit) for plane, limit in zip(planes, limits, strict=True)], axis=0)
    if not cores.any():
        return planes
    clear = planes - np.asarray(sky, np.float32)[:, None, None]
    light = clear.mean(axis=0)
    wings = np.where(~cores & (light > 0), light, np.float32(0))
    size = (2 * WING_PX + 1, 2 * WING_PX + 1)
    total = np.maximum(cv2.blur(wings, size), np.float32(1e-30))
    repaired = planes.copy()
    for channel, plane in enumerate(clear):
        part = cv2.blur(np.where(wings > 0, plane, np.float32(0)), size)
        # A core that is larger than the wings are looked for is grey.
        share = np.where(total > np.float32(1e-20), part / total, np.float32(1))
        repaired[channel][cores] = (np.maximum(share, np.float32(0)) * light)[cores] + np.float32(sky[channel])
    return repaired
