"""What the pattern of columns and rows leaves of itself, as unknowns of the joint sky.

Levels of single columns and rows are learnt against a local background (`zemosaic.calibration.sensor.pixel_pattern`),
so that their means over more than that background's width stay in the frames.  They are small, but whole columns have
them in common, and where panels overlap by a narrow strip they look like a slope of the sky.  In the joint sky each
stretch of columns and of rows therefore has a level of its own, expected as large as the known pattern makes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, Float64s
from zemosaic.calibration.sensor.fixed_pattern import FixedPattern
from zemosaic.calibration.sensor.pixel_pattern import BACKGROUND_PX

__all__ = ["Stripes", "left_stripes", "stripe_terms"]

STRETCH_PX = 64
"""Distance between the nodes of a profile that is linear between them: about the local background's width."""
MIN_STRIPES_ADU = 0.5
"""Patterns that leave less are no matter."""


@dataclass(frozen=True)
class Stripes:
    """What a camera's columns and rows still add."""

    columns_adu: float = 0.0
    """Standard deviation of the mean of a stretch of columns, 0 where there is nothing to expect."""
    rows_adu: float = 0.0
    width: int = 0
    """Of the sensor, in pixels."""
    height: int = 0


def left_stripes(pattern: FixedPattern) -> Stripes:
    """Return what the pattern of a camera leaves of its columns and rows.

    Parameters
    ----------
    pattern : FixedPattern

    Returns
    -------
    Stripes
        Without any where the pattern has none.
    """
    if not pattern.pixel_codes.size:
        return Stripes()
    height, width = pattern.pixel_codes.shape
    offset = pattern.pixel_codes * np.float32(pattern.pixel_step_adu)
    sizes = []
    for axis, number in ((0, height), (1, width)):
        # What single pixels leave in the mean of a column or a row is no pattern of columns.
        variance = float(offset.mean(axis=axis).var()) - float(offset.var()) / number
        size = math.sqrt(max(variance, 0.0) / BACKGROUND_PX)
        sizes.append(size if size > MIN_STRIPES_ADU else 0.0)
    return Stripes(sizes[0], sizes[1], width, height)


def stripe_terms(
    u: Float64s, v: Float64s, group: NDArray[np.int64], stripes: Sequence[Stripes]
) -> tuple[Float32s, Float64s]:
    """Return the levels of stretches of columns and rows as terms that the frames of a camera share.

    Parameters
    ----------
    u, v : ndarray, shape (n,)
        Positions on the detector, see `detector_coordinates`.
    group : ndarray of int, shape (n,)
        Camera of each observation.
    stripes : sequence of Stripes
        Per camera.

    Returns
    -------
    basis : ndarray, shape (n, terms), float32
        Without any terms where no camera has stripes.
    precision : ndarray, shape (cameras, terms)
        Inverse variance expected of each.
    """
    bases, precisions = [np.empty((len(u), 0), np.float32)], [np.empty((len(stripes), 0))]
    for along, name, side in ((u, "columns_adu", "width"), (v, "rows_adu", "height")):
        size = np.array([getattr(one, name) for one in stripes])
        if not size.any():
            continue
        heights = np.array([max(one.height, 1) for one in stripes], float)[group]
        sides = np.array([getattr(one, side) for one in stripes], float)[group]
        place = np.clip((along * heights + 0.5 * sides) / STRETCH_PX, 0.0, None)
        nodes = math.ceil(max(getattr(one, side) for one in stripes) / STRETCH_PX) + 1
        has = (size > 0)[group]
        basis = np.zeros((len(u), nodes), np.float32)
        for node in range(nodes):
            basis[:, node] = np.maximum(0.0, 1.0 - np.abs(place - node)) * has
        bases.append(basis)
        expected = np.where(size > 0, size, MIN_STRIPES_ADU)
        precisions.append(np.repeat(expected[:, None] ** -2.0, nodes, axis=1))
    return np.concatenate(bases, axis=1), np.concatenate(precisions, axis=1)
