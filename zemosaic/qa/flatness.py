"""Does a mosaic rise or fall from the centre of its frames to their corners where the raw frames do not?

The sky of raw frames is compared with the mosaic over rings about the centre of each frame, and the light of its
stars in the inner third of the frame with those in the outer third.  What a determined fall of light explains is
taken out of the raw numbers beforehand; a disagreement that is left was made by the program.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sep
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, median_sigma

__all__ = ["Flatness", "RingProfile", "aperture_light", "compare_profiles", "compare_stars", "judge", "ring_profile"]


RING_EDGES = np.arange(0.15, 0.96, 0.1)
"""Edges of the rings in half diagonals of a frame; beyond the last one lie the tips of the corners alone."""
MIN_RING_SAMPLES = 50
MAX_BOWL = 0.005
"""Difference between rings, in parts of the sky's level, that is no matter: 3 ADU of 590."""
MAX_STAR_DIFFERENCE = 0.02
"""Difference of the stars' light between centre and edge, as a part, that is no matter."""
SURE_ERRORS = 4.0
"""Standard errors by which a disagreement must stand out."""
MIN_STARS_IN_THIRD = 8
MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, for normal errors."""
STAR_RADIUS_FWHM, MIN_STAR_RADIUS_PX = 1.5, 3.0
"""Radius of the aperture in which the light of a star is summed."""


@dataclass(frozen=True)
class RingProfile:
    """Medians over the rings of one frame; arrays of shape (rings,), NaN where a ring has too few samples."""

    raw_adu: Float64s
    mosaic_adu: Float64s
    error_adu: Float64s
    """Standard error of the difference of the two."""


@dataclass(frozen=True)
class Flatness:
    """What the comparison of a mosaic with its raw frames told."""

    level_adu: float
    """Sky of the raw frames, bias taken off."""
    bowl_adu: float
    """Largest departure of the mosaic's rings from those of the raw frames, its sign kept; NaN where unknown."""
    bowl_error_adu: float
    star_difference: float
    """Mosaic over raw, light of the stars of the outer third less that of the inner third, as a part; NaN where
    there are too few stars."""
    star_error: float
    profile: tuple[RingProfile, ...] = ()

    @property
    def bowl_found(self) -> bool:
        """Whether the mosaic's sky rises or falls where its raw frames do not."""
        limit = max(MAX_BOWL * abs(self.level_adu), SURE_ERRORS * self.bowl_error_adu)
        return math.isfinite(self.bowl_adu) and abs(self.bowl_adu) > limit

    @property
    def star_fault_found(self) -> bool:
        """Whether stars far from the centre of the frames gain or lose light on the way to the mosaic."""
        limit = max(MAX_STAR_DIFFERENCE, SURE_ERRORS * self.star_error)
        return math.isfinite(self.star_difference) and abs(self.star_difference) > limit


def ring_profile(raw: Float64s, mosaic: Float64s, radius: Float64s) -> RingProfile:
    """Return the medians over rings of a frame and of the mosaic at the same places.

    Parameters
    ----------
    raw, mosaic : ndarray, shape (n,)
        In ADU; places where either is not finite do not count.
    radius : ndarray, shape (n,)
        Distance from the centre of the frame in half diagonals.
    """
    good = np.isfinite(raw) & np.isfinite(mosaic)
    ring = np.digitize(radius, RING_EDGES) - 1
    rows = np.full((3, len(RING_EDGES) - 1), np.nan)
    for k in range(rows.shape[1]):
        own = good & (ring == k)
        if own.sum() < MIN_RING_SAMPLES:
            continue
        difference = mosaic[own] - raw[own]
        spread = median_sigma(difference - np.median(difference))
        error = MEDIAN_ERROR * spread / math.sqrt(own.sum())
        rows[:, k] = np.median(raw[own]), np.median(mosaic[own]), error
    return RingProfile(*rows)


def compare_profiles(profiles: Sequence[RingProfile]) -> tuple[float, float]:
    """Return the largest departure of the mosaic's rings from those of raw frames and its standard error, in ADU.

    Rings are told from the mean of all rings, as the levels of mosaic and frames differ.  The error is that of the
    samples or that of the scatter between frames, whichever is larger.

    Parameters
    ----------
    profiles : sequence of RingProfile
        Of all frames looked at.
    """
    rows = np.array([one.mosaic_adu - one.raw_adu for one in profiles])
    rows = rows[:, np.isfinite(rows).all(axis=0)] if len(rows) else rows.reshape(0, 0)
    if rows.shape[1] < 3:
        return math.nan, math.nan
    rows = rows - rows.mean(axis=1, keepdims=True)
    mean = rows.mean(axis=0)
    worst = int(np.argmax(np.abs(mean)))
    samples = np.array([np.nanmedian(one.error_adu) for one in profiles])
    error = float(np.sqrt((samples**2).mean() / len(rows)))
    if len(rows) > 1:
        error = max(error, float(rows[:, worst].std(ddof=1)) / math.sqrt(len(rows)))
    return float(mean[worst]), error


def aperture_light(image: NDArray[np.float32], x: Float64s, y: Float64s, fwhm_px: float) -> Float64s:
    """Return the light of stars above the sky that surrounds them, NaN where pixels are missing.

    Parameters
    ----------
    image : ndarray, shape (h, w), float32
    x, y : ndarray, shape (n,)
        Centres in pixels of the image.
    fwhm_px : float
        Of the image's stars.
    """
    radius = max(MIN_STAR_RADIUS_PX, STAR_RADIUS_FWHM * fwhm_px)
    reach = math.ceil(3.0 * radius) + 1
    height, width = image.shape
    light = np.full(len(x), np.nan)
    inside = (x > reach) & (y > reach) & (x < width - reach - 1) & (y < height - reach - 1)
    for k in np.flatnonzero(inside):
        column, row = round(x[k]), round(y[k])
        part = image[row - reach : row + reach + 1, column - reach : column + reach + 1]
        # Where pixels are missing there may be no sky to measure.
        if not np.isfinite(part).all():
            continue
        place = [x[k] - column + reach], [y[k] - row + reach]
        ring = (2.0 * radius, 3.0 * radius)
        total, _, _ = sep.sum_circle(np.ascontiguousarray(part, np.float32), *place, radius, bkgann=ring, subpix=5)
        light[k] = total[0]
    return light


def compare_stars(raw: Float64s, mosaic: Float64s, radius: Float64s) -> tuple[float, float]:
    """Return by how much stars of the outer third gain light against those of the inner third, and the error.

    Parameters
    ----------
    raw, mosaic : ndarray, shape (n,)
        Light of each star in a frame and in the mosaic.
    radius : ndarray, shape (n,)
        Distance from the centre of the frame in half diagonals.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where((raw > 0) & (mosaic > 0), np.log(mosaic / raw), np.nan)
    known = np.isfinite(ratio)
    inner, outer = ratio[known & (radius < 1 / 3)], ratio[known & (radius > 2 / 3)]
    if min(len(inner), len(outer)) < MIN_STARS_IN_THIRD:
        return math.nan, math.nan
    errors = [
        MEDIAN_ERROR * 1.4826 * float(np.median(np.abs(one - np.median(one)))) / math.sqrt(len(one))
        for one in (inner, outer)
    ]
    return float(np.expm1(np.median(outer) - np.median(inner))), math.hypot(*errors)


def judge(level_adu: float, profiles: Sequence[RingProfile], stars: tuple[Float64s, Float64s, Float64s]) -> Flatness:
    """Return what the rings and the stars of all frames looked at tell of a mosaic.

    Parameters
    ----------
    level_adu : float
        Sky of the raw frames, bias taken off.
    profiles : sequence of RingProfile
    stars : (raw, mosaic, radius)
        As in `compare_stars`.
    """
    return Flatness(level_adu, *compare_profiles(profiles), *compare_stars(*stars), tuple(profiles))
