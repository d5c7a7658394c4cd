"""Does a mosaic rise or fall from the centre of its frames to their corners where the raw frames do not?

The mosaic is compared with each raw frame pixel by pixel on that frame's own footprint, and the differences are taken
over rings about the centre of the frame: nebulae are in both and cancel, however bright they are and wherever they
lie.  What a determined fall of light and the slope of a frame's own sky explain is taken out of the raw numbers
beforehand, and a disagreement that is left was made by the program.  (Medians over rings of the mosaic less those of
a frame, taken first, do not cancel: with a slope or a nebula the median of a sum is not the sum of the medians.)
The light of stars in the inner third of the frames is compared with that of those in the outer third.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sep
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, median, median_sigma

__all__ = ["Flatness", "RingProfile", "aperture_light", "compare_profiles", "compare_stars", "judge", "ring_profile"]


RING_EDGES = np.arange(0.15, 0.96, 0.1)
"""Edges of the rings in half diagonals of a frame; beyond the last one lie the tips of the corners alone."""
MIN_RING_SAMPLES = 50
SMOOTH_TERMS = 3
"""Coefficients of a smooth rise or fall: a level, the square of the radius and its fourth power."""
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
    """Mosaic less one frame over rings; arrays of shape (rings,), NaN where a ring has too few samples."""

    difference_adu: Float64s
    """Median of the differences of the samples."""
    error_adu: Float64s
    """Its standard error by the samples of the ring."""
    session: int = 0
    """Frames of one session share bends of their sky, and are no independent witnesses of a bowl."""


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


def ring_profile(raw: Float64s, mosaic: Float64s, radius: Float64s, session: int = 0) -> RingProfile:
    """Return the medians over rings of what a mosaic has more than a frame at the same places.

    Parameters
    ----------
    raw, mosaic : ndarray, shape (n,)
        In ADU; places where either is not finite do not count.
    radius : ndarray, shape (n,)
        Distance from the centre of the frame in half diagonals.
    session : int
        Number of the frame's session.

    Returns
    -------
    RingProfile
    """
    difference = mosaic - raw
    good = np.isfinite(difference)
    ring = np.digitize(radius, RING_EDGES) - 1
    rows = np.full((2, len(RING_EDGES) - 1), np.nan)
    for k in range(rows.shape[1]):
        inside = difference[good & (ring == k)]
        if len(inside) < MIN_RING_SAMPLES:
            continue
        middle = float(median(inside))
        rows[:, k] = middle, MEDIAN_ERROR * median_sigma(inside - middle) / math.sqrt(len(inside))
    return RingProfile(rows[0], rows[1], session)


def compare_profiles(profiles: Sequence[RingProfile]) -> tuple[float, float]:
    """Return the largest departure of the mosaic's rings from those of raw frames and its standard error, in ADU.

    Rings are told from the mean of all rings, as the levels of mosaic and frames differ.  The error is the largest of
    four: that of the samples, those of the scatter between frames and between sessions (of all rings together, as few
    frames tell little of the scatter of a single ring), and the scatter of the rings about a smooth rise or fall.

    Parameters
    ----------
    profiles : sequence of RingProfile
        Of all frames looked at.
    """
    rows = np.array([profile.difference_adu for profile in profiles])
    known = np.isfinite(rows).all(axis=0) if len(rows) else np.zeros(0, bool)
    if known.sum() <= SMOOTH_TERMS:
        return math.nan, math.nan
    rows = rows[:, known] - rows[:, known].mean(axis=1, keepdims=True)
    mean = rows.mean(axis=0)
    samples = np.array([profile.error_adu[known] for profile in profiles])
    errors = [math.sqrt(float((samples**2).mean()) / len(rows)), _scatter_of_rings(mean, known)]
    session = np.array([profile.session for profile in profiles])
    of_sessions = np.array([rows[session == number].mean(axis=0) for number in np.unique(session)])
    errors += [_error_of_mean(sample) for sample in (rows, of_sessions) if len(sample) > 1]
    return float(mean[np.argmax(np.abs(mean))]), max(errors)


def _error_of_mean(rows: Float64s) -> float:
    """Return the standard error of a ring's mean by the scatter of frames or sessions, shape (frames, rings)."""
    return math.sqrt(float(rows.var(axis=0, ddof=1).mean()) / len(rows))


def _scatter_of_rings(mean: Float64s, known: NDArray[np.bool_]) -> float:
    """Return the standard deviation of rings about a smooth curve, a polynomial of the radius squared."""
    square = (0.5 * (RING_EDGES[1:] + RING_EDGES[:-1])[known]) ** 2
    rest = mean - np.polyval(np.polyfit(square, mean, SMOOTH_TERMS - 1), square)
    return math.sqrt(float((rest**2).sum()) / (len(mean) - SMOOTH_TERMS))


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
        MEDIAN_ERROR * 1.4826 * float(median(np.abs(one - median(one)))) / math.sqrt(len(one)) for one in (inner, outer)
    ]
    return float(np.expm1(median(outer) - median(inner))), math.hypot(*errors)


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
