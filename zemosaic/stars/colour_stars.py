"""Stars of known colour on a mosaic: which ones are unsaturated, alone and well measured, and their camera colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.arrays import Box, Float64s, median_sigma
from zemosaic.catalogue import Catalogue
from zemosaic.catalogue.star_colours import ColouredStars, StarColours
from zemosaic.model import SolvedFrame
from zemosaic.stars.apertures import ApertureSizes, StarFluxes, measure_stars, typical_fwhm
from zemosaic.stars.white import StarColoursMeasured, colours_of
from zemosaic.store.axis_order import Pixels
from zemosaic.wcs import FrameWcs, separation_deg, unit_vectors

__all__ = [
    "KnownStars",
    "MeasuredMosaicStars",
    "SaturatedPlaces",
    "colours_for_white",
    "known_stars",
    "measured_colours",
    "saturated_places",
]

MAX_STARS = 3000
"""Brightest stars of known colour that are measured; more do not make the white better."""
MIN_SNR = 30.0
MIN_BP_RP, MAX_BP_RP = -0.3, 2.0
"""Outside, the colours of cameras bend."""
MAX_SATURATED_SHARE = 0.02
"""Of the frames at a star, at most this part may show it cut off."""
SAME_STAR_PX = 4.0
MAX_PEAK_OF_SATURATED = 0.6
"""A star whose peak comes nearer to those of the saturated ones may be cut off in the sharpest frames."""
NEIGHBOUR_APERTURES = 1.6
"""A star with a neighbour nearer than this many radii of the aperture is not alone."""
NEIGHBOUR_MAG = 4.0
"""Neighbours fainter by this much do not count."""
MAX_HALF_LIGHT_RATIO = 1.3
"""A star so much wider than the others is a blend or lies on a knot of a galaxy."""


@dataclass(frozen=True)
class SaturatedPlaces:
    """Where frames show saturated stars, one entry per star and frame; shape (n,)."""

    ra_deg: Float64s
    dec_deg: Float64s


@dataclass(frozen=True)
class KnownStars:
    """Stars of known magnitude and colour on a mosaic, with their places in its pixels."""

    stars: ColouredStars
    x_px: Float64s
    y_px: Float64s


@dataclass(frozen=True)
class MeasuredMosaicStars:
    """Stars of known colour, measured; those that may decide about white and zero point."""

    known: KnownStars
    fluxes: StarFluxes
    good: NDArray[np.bool_]
    """Unsaturated, alone, well measured."""
    saturated: NDArray[np.bool_]
    sizes: ApertureSizes
    fwhm_px: float


def saturated_places(frames: Sequence[SolvedFrame]) -> SaturatedPlaces:
    """Return where the frames show saturated stars."""
    ra, dec = [np.empty(0)], [np.empty(0)]
    for frame in frames:
        stars = frame.measured.stars
        cut = np.asarray(stars.saturated, bool)
        if cut.any():
            places = frame.wcs.pixel_to_sky(stars.x_px[cut], stars.y_px[cut])
            ra.append(np.atleast_1d(places[0]))
            dec.append(np.atleast_1d(places[1]))
    return SaturatedPlaces(np.concatenate(ra), np.concatenate(dec))


def known_stars(catalogue: StarColours, wcs: FrameWcs, box: Box) -> KnownStars:
    """Return the catalogue's stars inside a part of a mosaic, brightest first.

    Parameters
    ----------
    catalogue : StarColours
    wcs : FrameWcs
        Of the mosaic's pixels.
    box : (y0, y1, x0, x1)
        The part.
    """
    y0, y1, x0, x1 = box
    ra, dec = wcs.pixel_to_sky(0.5 * (x0 + x1 - 1), 0.5 * (y0 + y1 - 1))
    edge_x, edge_y = (
        np.array([x0, x1, x0, x1, (x0 + x1) / 2, (x0 + x1) / 2, x0, x1], float),
        np.array([y0, y0, y1, y1, y0, y1, (y0 + y1) / 2, (y0 + y1) / 2], float),
    )
    edges = wcs.pixel_to_sky(edge_x, edge_y)
    radius = float(np.max(separation_deg(edges[0], edges[1], float(ra), float(dec)))) + 0.05
    stars = catalogue.cone(float(ra), float(dec), radius)
    x, y = wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)
    with np.errstate(invalid="ignore"):
        inside = np.flatnonzero(np.isfinite(x) & (x > x0) & (y > y0) & (x < x1 - 1) & (y < y1 - 1))[:MAX_STARS]
    return KnownStars(stars[inside], x[inside], y[inside])


def measured_colours(
    pixels: Pixels,
    kept: Pixels | None,
    known: KnownStars,
    wcs: FrameWcs,
    box: Box,
    saturated: SaturatedPlaces,
    neighbours: Catalogue,
) -> MeasuredMosaicStars:
    """Measure the stars of known colour on a mosaic and say which of them are good.

    Parameters
    ----------
    pixels : array-like, shape (channels, h, w)
        The mosaic; NaN where no data is.
    kept : array-like, shape (h, w), or None
        Frames per pixel.
    known : KnownStars
    wcs : FrameWcs
    box : (y0, y1, x0, x1)
    saturated : SaturatedPlaces
    neighbours : Catalogue
        A deeper catalogue, whose stars tell which ones are not alone.
    """
    cut = _cut_off(known, saturated, kept, wcs)
    x, y = known.x_px, known.y_px
    probes = np.flatnonzero(~cut)[:200]
    fwhm = typical_fwhm(pixels, x[probes], y[probes], box)
    sizes = ApertureSizes.of_fwhm(fwhm)
    fluxes = measure_stars(pixels, x, y, sizes, box)
    with np.errstate(invalid="ignore", divide="ignore"):
        good = ~cut & (fluxes.flux > MIN_SNR * fluxes.error).all(axis=1)
        if cut.any():
            # Where a star was cut off its peak tells the level, channel by channel.
            level = np.nanmax(np.where(cut[:, None], fluxes.peak, np.nan), axis=0) if _any_peak(fluxes, cut) else np.inf
            good &= (fluxes.peak < MAX_PEAK_OF_SATURATED * level).all(axis=1)
        usual = fluxes.half_light_px[good]
        if len(usual) >= 3:
            middle = float(np.median(usual))
            limit = max(MAX_HALF_LIGHT_RATIO * middle, middle + 4.0 * median_sigma(usual - middle))
            good &= fluxes.half_light_px <= limit
    good &= ~_crowded(known, neighbours, wcs, sizes, box)
    return MeasuredMosaicStars(known, fluxes, good, cut, sizes, fwhm)


def colours_for_white(measured: MeasuredMosaicStars) -> StarColoursMeasured:
    """Return the colours of the good stars, of those that are neither too blue nor too red for a straight line."""
    bp_rp = measured.known.stars.bp_rp
    chosen = np.flatnonzero(measured.good & (bp_rp > MIN_BP_RP) & (bp_rp < MAX_BP_RP))
    colours = colours_of(measured.fluxes.flux[chosen], measured.fluxes.error[chosen])
    return StarColoursMeasured(bp_rp[chosen], *colours)


def _any_peak(fluxes: StarFluxes, cut: NDArray[np.bool_]) -> bool:
    return bool(np.isfinite(fluxes.peak[cut]).all(axis=1).any())


def _cut_off(known: KnownStars, saturated: SaturatedPlaces, kept: Pixels | None, wcs: FrameWcs) -> NDArray[np.bool_]:
    """Return which stars more than a few frames show saturated."""
    n = len(known.stars)
    if not n or not len(saturated.ra_deg):
        return np.zeros(n, bool)
    tree = cKDTree(unit_vectors(saturated.ra_deg, saturated.dec_deg))
    chord = 2.0 * np.sin(0.5 * np.radians(SAME_STAR_PX * wcs.scale_arcsec / 3600.0))
    places = unit_vectors(known.stars.ra_deg, known.stars.dec_deg)
    counts = np.array(tree.query_ball_point(places, chord, return_length=True))
    depth = np.ones(n)
    if kept is not None:
        column, row = np.rint(known.x_px).astype(int), np.rint(known.y_px).astype(int)
        for k in np.flatnonzero(counts):
            depth[k] = max(1.0, float(np.asarray(kept[row[k] : row[k] + 1, column[k] : column[k] + 1]).max()))
    return np.asarray(counts > MAX_SATURATED_SHARE * depth)


def _crowded(
    known: KnownStars, neighbours: Catalogue, wcs: FrameWcs, sizes: ApertureSizes, box: Box
) -> NDArray[np.bool_]:
    """Return which stars have a neighbour in or near their aperture."""
    n = len(known.stars)
    if not n:
        return np.zeros(0, bool)
    y0, y1, x0, x1 = box
    ra, dec = wcs.pixel_to_sky(0.5 * (x0 + x1 - 1), 0.5 * (y0 + y1 - 1))
    far = float(np.max(separation_deg(known.stars.ra_deg, known.stars.dec_deg, float(ra), float(dec)))) + 0.05
    around = neighbours.cone(float(ra), float(dec), far)
    reach = NEIGHBOUR_APERTURES * sizes.radius * wcs.scale_arcsec / 3600.0
    places = unit_vectors(known.stars.ra_deg, known.stars.dec_deg)
    crowded = np.zeros(n, bool)
    own = 2.0 * np.sin(0.5 * np.radians(SAME_STAR_PX * wcs.scale_arcsec / 3600.0))
    for vectors, mags in (
        (unit_vectors(around.ra_deg, around.dec_deg), around.mag),
        (places, known.stars.g_mag),
    ):
        if not len(mags):
            continue
        near = cKDTree(vectors).query_ball_point(places, 2.0 * np.sin(0.5 * np.radians(reach)))
        for k, members in enumerate(near):
            gaps = np.linalg.norm(vectors[members] - places[k], axis=1) if members else np.empty(0)
            apart = np.array([mags[m] for m in members])[gaps > own] if members else np.empty(0)
            crowded[k] |= bool((apart < known.stars.g_mag[k] + NEIGHBOUR_MAG).any())
    return crowded
