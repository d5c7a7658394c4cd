"""The zero point of a mosaic's magnitudes, and how faint a star it shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from zemosaic.arrays import Box, Float64s, Indices, green_channel, median, median_sigma
from zemosaic.stars.apertures import ApertureSizes, measure_stars, windows
from zemosaic.stars.colour_stars import MeasuredMosaicStars
from zemosaic.stars.response import Slope
from zemosaic.stars.white import ColourLine, fit_colour_line
from zemosaic.store.axis_order import Pixels

__all__ = ["MosaicDepth", "ZeroPoint", "faintest_star", "zero_point"]

USUAL_COLOUR_TERM = Slope(0.0, 0.15)
"""Of a green channel, or of none at all, against Gaia's broad G."""
MIN_ZERO_POINT_STARS = 3
DETECTION_SIGMAS = 5.0
FAINT_RADIUS_FWHM = 0.7
"""Radius of the aperture that tells a faint star best: about 0.68 widths of a Gaussian."""
SKY_PLACES_ACROSS = 40
MIN_SKY_PLACES = 50
ENCLOSED_OF_FAINT_APERTURE = 1.0 - 2.0 ** (-4.0 * FAINT_RADIUS_FWHM**2)
"""Part of a Gaussian star's light inside that aperture."""


@dataclass(frozen=True)
class ZeroPoint:
    """Magnitude of a star of one unit of flux, on Gaia's G for a star of the Sun's colour.

    ``G = magzpt - 2.5 log10(flux of green) + colour_term (BP - RP - 0.82)``
    """

    magzpt: float
    error_mag: float
    scatter_mag: float
    """Of single stars about it."""
    colour_term: float
    stars: int
    aperture_px: float
    """Radius within which fluxes are summed."""
    fwhm_px: float


@dataclass(frozen=True)
class MosaicDepth:
    """How faint a star may be where the mosaic is as deep as it typically is."""

    limit_mag: float
    """Magnitude of a star with a S/N of 5."""
    typical_frames: float
    """Frames per pixel at the places that tell it, their median."""


def zero_point(measured: MeasuredMosaicStars) -> ZeroPoint | None:
    """Return the zero point from stars of known magnitude; None of fewer than `MIN_ZERO_POINT_STARS`."""
    channel = green_channel(measured.fluxes.flux.shape[1])
    chosen = np.flatnonzero(measured.good & (measured.fluxes.flux[:, channel] > 0))
    if len(chosen) < MIN_ZERO_POINT_STARS:
        return None
    flux, error = measured.fluxes.flux[chosen, channel], measured.fluxes.error[chosen, channel]
    stars = measured.known.stars
    line: ColourLine = fit_colour_line(
        stars.bp_rp[chosen],
        stars.g_mag[chosen] + 2.5 * np.log10(flux),
        2.5 / math.log(10.0) * error / flux,
        USUAL_COLOUR_TERM,
    )
    return ZeroPoint(
        line.at_sun,
        line.at_sun_error,
        line.scatter,
        line.slope.value,
        len(chosen),
        measured.sizes.radius,
        measured.fwhm_px,
    )


def faintest_star(pixels: Pixels, kept: Pixels | None, box: Box, zero: ZeroPoint) -> MosaicDepth | None:
    """Return the magnitude of a star at five times the noise, from apertures on empty sky; None of too little sky.

    Sums over apertures hold all of the noise, also what interpolation shares between neighbouring pixels.

    Parameters
    ----------
    pixels : array-like, shape (channels, h, w)
    kept : array-like, shape (h, w), or None
        Frames per pixel.
    box : (y0, y1, x0, x1)
    zero : ZeroPoint
    """
    y0, y1, x0, x1 = box
    channel = green_channel(pixels.shape[0])
    radius = max(1.0, FAINT_RADIUS_FWHM * zero.fwhm_px)
    sizes = ApertureSizes(radius, 2.5 * radius + 1.0, 4.5 * radius + 1.0)
    x, y = (grid.ravel() for grid in np.meshgrid(_places(x0, x1), _places(y0, y1)))
    sums = measure_stars(pixels, x, y, sizes, box)
    known = np.isfinite(sums.flux[:, channel])
    if known.sum() < MIN_SKY_PLACES:
        return None
    flux = sums.flux[known, channel]
    frames = np.ones(len(flux))
    if kept is not None:
        rows, columns = np.rint(y[known]).astype(int), np.rint(x[known]).astype(int)
        frames = _values_at(kept, rows, columns, box)
    typical = float(median(frames))
    # The square root of depth brings places of different depth to one noise; stars are far from the median.
    scaled = flux * np.sqrt(np.maximum(frames, 1.0) / max(typical, 1.0))
    noise = median_sigma(scaled - median(scaled))
    if not noise > 0:
        return None
    least = DETECTION_SIGMAS * noise / ENCLOSED_OF_FAINT_APERTURE
    return MosaicDepth(zero.magzpt - 2.5 * math.log10(least), typical)


def _values_at(plane: Pixels, rows: Indices, columns: Indices, box: Box) -> Float64s:
    """Return single pixels inside a box from windows of a plane: a read of a store is slow, however small."""
    values = np.ones(len(rows))
    for y0, y1, x0, x1 in windows(box):
        members = np.flatnonzero((rows >= y0) & (rows < y1) & (columns >= x0) & (columns < x1))
        if len(members):
            values[members] = np.asarray(plane[y0:y1, x0:x1])[rows[members] - y0, columns[members] - x0]
    return values


def _places(low: int, high: int) -> Float64s:
    step = (high - low) / (SKY_PLACES_ACROSS + 1)
    places: Float64s = np.floor(low + step * np.arange(1, SKY_PLACES_ACROSS + 1)).astype(float)
    return places
