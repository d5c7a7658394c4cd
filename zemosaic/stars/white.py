"""White from the stars of a mosaic: which factors make a star like the Sun neutral.

The colours of unsaturated stars, -2.5 log10(red / green) and -2.5 log10(blue / green), follow a line over Gaia's
BP - RP.  The line is fitted robustly with what is known of its slope before (`zemosaic.stars.response`), and read off
at the Sun's colour.  Residuals are taken as Student's t with 4 degrees of freedom, so that a blended or variable star
weighs little (Lange, Little & Taylor 1989, J. Am. Stat. Assoc. 84, 881).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.stars.response import ColourResponse, Slope
from zemosaic.store.colour_gains import ColourGains

__all__ = [
    "SUN_BP_RP",
    "ColourLine",
    "StarColoursMeasured",
    "White",
    "colours_of",
    "fit_colour_line",
    "white_of_locus",
    "white_of_stars",
]

SUN_BP_RP = 0.82
"""Gaia's colour of the Sun, magnitudes (Casagrande & VandenBerg 2018, MNRAS 479, L102)."""
MIN_WHITE_STARS = 3
DEGREES_OF_FREEDOM = 4.0
SCATTER_MAG, SCATTER_STARS = 0.025, 2.0
"""Scatter of stars about the line that is expected, and how many stars that knowledge is worth."""
SYSTEMATIC_MAG = 0.003
"""What all stars of a mosaic have in common and their scatter does not tell: backgrounds, gauges of the channels."""
ITERATIONS = 40
TYPICAL_BP_RP, TYPICAL_BP_RP_ERROR = 0.95, 0.12
"""Median colour of the stars of a field and how much fields differ in it."""
MIN_LOCUS_STARS = 20


@dataclass(frozen=True)
class StarColoursMeasured:
    """Colours of stars on a mosaic; all arrays have shape (n,), magnitudes."""

    bp_rp: Float64s
    """NaN where it is not known."""
    red: Float64s
    """-2.5 log10(red / green)."""
    blue: Float64s
    """-2.5 log10(blue / green)."""
    red_error: Float64s
    blue_error: Float64s

    def __len__(self) -> int:
        return len(self.red)


@dataclass(frozen=True)
class ColourLine:
    """A camera colour over BP - RP: its value at the Sun's colour, and its slope."""

    at_sun: float
    at_sun_error: float
    slope: Slope
    scatter: float
    """Of the stars about the line beyond their own errors, magnitudes."""
    weights: Float64s
    """Of the stars, 0 to about 1.25: low for those far from the line."""

    def __call__(self, bp_rp: Float64s) -> Float64s:
        return self.at_sun + self.slope.value * (np.asarray(bp_rp, float) - SUN_BP_RP)


@dataclass(frozen=True)
class White:
    """The white of a mosaic and what it rests on."""

    colour: ColourGains
    red: ColourLine
    blue: ColourLine
    stars: StarColoursMeasured


def fit_colour_line(bp_rp: Float64s, colour: Float64s, error: Float64s, known: Slope) -> ColourLine:
    """Fit a camera colour over BP - RP.

    Parameters
    ----------
    bp_rp, colour, error : ndarray, shape (n,), float
        Gaia's colour, the camera's, and its standard error, magnitudes; at least one star.
    known : Slope
        What is known of the slope before.

    Returns
    -------
    ColourLine
    """
    d, n = bp_rp - SUN_BP_RP, len(bp_rp)
    slope, at_sun = known.value, float(np.median(colour - known.value * d))
    scatter = max(SCATTER_MAG, 1.4826 * float(np.median(np.abs(colour - at_sun - slope * d))))
    weights, covariance = np.ones(n), np.eye(2)
    for _ in range(ITERATIONS):
        variance = scatter**2 + error**2
        residual = colour - at_sun - slope * d
        weights = (DEGREES_OF_FREEDOM + 1.0) / (DEGREES_OF_FREEDOM + residual**2 / variance)
        w = weights / variance
        normal = np.array([[w.sum(), (w * d).sum()], [(w * d).sum(), (w * d * d).sum() + known.error**-2]])
        right = np.array([(w * colour).sum(), (w * d * colour).sum() + known.value * known.error**-2])
        covariance = np.linalg.inv(normal)
        at_sun, slope = (float(v) for v in covariance @ right)
        residual = colour - at_sun - slope * d
        taken = 2.0 - covariance[1, 1] / known.error**2
        beyond = weights * residual**2 - error**2
        free = SCATTER_STARS + max(n - taken, 0.0)
        scatter = math.sqrt(max((SCATTER_STARS * SCATTER_MAG**2 + beyond.sum()) / free, 1e-8))
    at_sun_error = math.sqrt(covariance[0, 0] + SYSTEMATIC_MAG**2)
    return ColourLine(at_sun, at_sun_error, Slope(slope, math.sqrt(covariance[1, 1])), scatter, weights)


def white_of_stars(stars: StarColoursMeasured, known: ColourResponse, reference: str) -> White | None:
    """Return the white from stars of known colour; None of fewer than `MIN_WHITE_STARS`.

    Parameters
    ----------
    stars : StarColoursMeasured
        Unsaturated, alone, with their BP - RP.
    known : ColourResponse
        What is known of the camera.
    reference : str
        Name of the catalogue.
    """
    if len(stars) < MIN_WHITE_STARS:
        return None
    red = fit_colour_line(stars.bp_rp, stars.red, stars.red_error, known.red)
    blue = fit_colour_line(stars.bp_rp, stars.blue, stars.blue_error, known.blue)
    return White(_gains(red, blue, len(stars), "stars", reference), red, blue, stars)


def white_of_locus(stars: StarColoursMeasured, known: ColourResponse, reference: str) -> White | None:
    """Return the white that gives a field's stars their usual colours; None of fewer than `MIN_LOCUS_STARS`.

    Fields differ little in the median BP - RP of their stars.  That is less certain than stars of known colour, and
    the error says so.

    Parameters
    ----------
    stars : StarColoursMeasured
        Any stars of the field; their BP - RP is not looked at.
    known : ColourResponse
    reference : str
        Name of the catalogue that the typical colour comes from.
    """
    if len(stars) < MIN_LOCUS_STARS:
        return None
    lines = []
    for colour, slope in ((stars.red, known.red), (stars.blue, known.blue)):
        median = float(np.median(colour))
        spread = 1.4826 * float(np.median(np.abs(colour - median)))
        away = TYPICAL_BP_RP - SUN_BP_RP
        error = math.hypot(1.25 * spread / math.sqrt(len(stars)), slope.value * TYPICAL_BP_RP_ERROR, slope.error * away)
        lines.append(ColourLine(median - slope.value * away, error, slope, spread, np.ones(len(stars))))
    return White(_gains(lines[0], lines[1], len(stars), "locus", reference), lines[0], lines[1], stars)


def _gains(red: ColourLine, blue: ColourLine, stars: int, method: str, reference: str) -> ColourGains:
    gains = (10.0 ** (0.4 * red.at_sun), 1.0, 10.0 ** (0.4 * blue.at_sun))
    error = max(red.at_sun_error, blue.at_sun_error)
    return ColourGains(gains, error, stars, method, f"{reference}, BP - RP = {SUN_BP_RP}")


def colours_of(flux: NDArray[np.float64], error: NDArray[np.float64]) -> tuple[Float64s, Float64s, Float64s, Float64s]:
    """Return (red, blue, red_error, blue_error) in magnitudes; NaN where a flux is not positive.

    Parameters
    ----------
    flux, error : ndarray, shape (n, 3)
    """
    good = np.asarray((flux > 0).all(axis=1))
    safe = np.where(good[:, None], flux, 1.0)
    relative = 2.5 / math.log(10.0) * error / safe
    colours = [np.where(good, -2.5 * np.log10(safe[:, k] / safe[:, 1]), np.nan) for k in (0, 2)]
    errors = [np.hypot(relative[:, k], relative[:, 1]) for k in (0, 2)]
    return colours[0], colours[1], errors[0], errors[1]
