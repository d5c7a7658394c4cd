"""A camera's level without light, from its own frames: noise grows with light, not with bias.

Photon transfer (Janesick 2001, Scientific Charge-Coupled Devices): ``variance = gain (level - bias) + read noise``.
Both are measured on the same bare sky, cell by cell, the noise from neighbouring pixels, so that neither gradients nor
nebulae count as noise; what is bright in a frame then widens the range of levels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, median_sigma

__all__ = ["MIN_PIXEL_PAIRS", "BiasEstimate", "cell_variances", "estimate_bias", "transfer_points"]


TYPICAL_READ_NOISE_E = 1.5
LEVELS = 4
"""Groups of cells by brightness, each a point."""
EVERY_RUN = 3
"""So many runs of pixels are passed over for one that is measured."""
CLIP = 4.0
"""Steps between neighbours this many sigma wide are stars, crumbs or defects."""
MIN_PIXEL_PAIRS = 200
MIN_LEVEL_RANGE = 0.02
"""Range of the levels, in parts of the darkest, below which nothing can be told."""


@dataclass(frozen=True)
class BiasEstimate:
    """Level without light, from how the noise grows with the level."""

    bias_adu: float
    sigma_adu: float


def cell_variances(
    plane: NDArray[np.float32], line: NDArray[np.int32], cell: NDArray[np.int32], cells: int
) -> tuple[Float64s, Float64s]:
    """Return the variance of a plane's values within each cell, from the steps between neighbours.

    Parameters
    ----------
    plane : ndarray, shape (h, w), float32
        In ADU.
    line, cell : ndarray of int32, shapes (n, 3) and (n,)
        Runs of bare sky (row, first column, end) and the cell of each.
    cells : int

    Returns
    -------
    variance : ndarray, shape (cells,)
        In ADU squared, 0 where there are no pairs.
    pairs : ndarray, shape (cells,)
        Pairs of neighbours that were counted.
    """
    line, cell = line[::EVERY_RUN], cell[::EVERY_RUN]
    limit = np.full(cells, np.inf, np.float32)
    for _ in range(2):
        squares, pairs = _steps(plane, line, cell, limit)
        variance = squares / np.maximum(2.0 * pairs, 1.0)
        limit = (2.0 * CLIP**2 * variance).astype(np.float32)
    return variance, pairs


def transfer_points(mean: Float64s, variance: Float64s, pairs: Float64s) -> Float64s:
    """Return level and noise of a plane's cells, those of like brightness together.

    Parameters
    ----------
    mean : ndarray, shape (cells,)
        Mean level of each cell in ADU, bias included; NaN where there is none.
    variance, pairs : ndarray, shape (cells,)
        Of one raw pixel; see `cell_variances`.

    Returns
    -------
    ndarray, shape (up to `LEVELS`, 3)
        Level in ADU, variance in ADU squared, pairs of pixels counted.
    """
    used = np.flatnonzero((pairs > 0) & np.isfinite(mean))
    points = []
    for part in np.array_split(used[np.argsort(mean[used], kind="stable")], LEVELS):
        number = float(pairs[part].sum())
        if number >= MIN_PIXEL_PAIRS:
            shares = pairs[part] / number
            points.append((float(mean[part] @ shares), float(variance[part] @ shares), number))
    return np.array(points).reshape(-1, 3)


def estimate_bias(points: Float64s, sky_adu: Float64s) -> BiasEstimate:
    """Estimate a camera's bias from the levels and variances of its frames.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        Of all frames and channels of one camera, see `transfer_points`.
    sky_adu : ndarray
        Levels of the frames' skies, for when there are no points.

    Returns
    -------
    BiasEstimate
        Without enough spread in the levels, half the darkest level with an error as wide as what is possible.
    """
    level, variance, pairs = points.T
    darkest = float(np.percentile(level if len(level) else sky_adu, 2))
    unknown = BiasEstimate(0.5 * darkest, 0.3 * max(darkest, 1e-6))
    if len(level) < 8 or np.ptp(level) < MIN_LEVEL_RANGE * darkest:
        return unknown
    weight = np.sqrt(pairs) / np.maximum(variance, 1e-300)
    keep = np.ones(len(level), bool)
    gain = zero = error = 0.0
    for _ in range(4):
        heavy = weight[keep] ** 2
        centre = float(np.average(level[keep], weights=heavy))
        matrix = np.stack([level[keep] - centre, np.ones(keep.sum())], axis=1) * weight[keep, None]
        (gain, middle), *_ = np.linalg.lstsq(matrix, variance[keep] * weight[keep], rcond=None)
        rest = (variance - gain * (level - centre) - middle) * weight
        spread = median_sigma(rest[keep]) + 1e-12
        if gain <= 0:
            return unknown
        zero = centre - middle / gain
        slope_error = spread / math.sqrt(float((heavy * (level[keep] - centre) ** 2).sum()))
        error = (centre - zero) * slope_error / gain
        keep = np.abs(rest) < 3.0 * spread
    read_noise = TYPICAL_READ_NOISE_E**2 * gain
    bias, sigma = zero + read_noise, math.hypot(error, read_noise)
    if sigma > unknown.sigma_adu or not 0.0 <= bias <= darkest:
        return unknown
    return BiasEstimate(float(bias), float(sigma))


@njit(cache=True, error_model="numpy", nogil=True)
def _steps(plane, line, cell, limit):  # type: ignore[no-untyped-def]
    """Return per cell the sum of squared steps between neighbours that are below the limit, and their number."""
    squares, pairs = np.zeros(limit.size), np.zeros(limit.size)
    for m in range(len(cell)):
        k = cell[m]
        most = limit[k]
        total, inside = np.float32(0), np.int32(0)
        values = plane[line[m, 0], line[m, 1] : line[m, 2]]
        for i in range(len(values) - 1):
            step = (values[i + 1] - values[i]) ** 2
            good = step < most
            total += step if good else np.float32(0)
            inside += good
        squares[k] += total
        pairs[k] += inside
    return squares, pairs
