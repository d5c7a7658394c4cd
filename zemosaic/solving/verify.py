"""Checks an approximate WCS against catalogue stars and refines it; no solution passes without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s
from zemosaic.catalogue import Catalogue, CatalogueStars
from zemosaic.model import Solution
from zemosaic.solving.base import AFFINE_STARS, MIN_MATCHED_STARS, Failure, NotSolved, StarField, not_solved
from zemosaic.solving.fit import (
    Pairs,
    chance_of,
    fit_affine,
    fit_similar_wcs,
    fit_wcs,
    holds_affine,
    moved,
    one_to_one,
    shift_between,
    well_spread,
)
from zemosaic.wcs import FrameWcs, separation_deg

__all__ = ["confirm", "match_radius_px", "stars_in"]


_CHANCE = 1e-12
"""A search chooses among a hundred thousand triangles: a wrong field has less than one chance in a million."""
_CHANCE_INDEPENDENT = 1e-7
_MIN_INDEPENDENT = 4
_CUBIC_STARS = 25
_CATALOGUE_ARCSEC = 1.0


def match_radius_px(scale_arcsec: float) -> float:
    """Return how far a star may lie from its catalogue place: centroids, distortion, 25 years of proper motion."""
    return 2.5 + _CATALOGUE_ARCSEC / scale_arcsec


def confirm(
    wcs: FrameWcs,
    field: StarField,
    catalogue: Catalogue,
    how: str,
    reach_px: float = 0.0,
    chance: float = _CHANCE,
) -> Solution | NotSolved:
    """Return the refined solution if the catalogue's stars stand where `wcs` says, or why it is not believed.

    Parameters
    ----------
    wcs : FrameWcs
        Approximate solution; its distortion is kept unless there are stars enough to fit one.
    field : Field
        The frame's stars; scale and pointing limit what is believed where the header gives them.
    catalogue : Catalogue
        Stars to compare with.
    how : str
        `Solution.how` of the result.
    reach_px : float
        How far off `wcs` may be all over the frame.  0 says that it has been matched to these very stars, which
        is why few of them prove less than where it comes from elsewhere.
    chance : float
        Greatest chance of as many accidental matches; the more maps are tried, the smaller.
    """
    refusal = _implausible(wcs, field)
    if refusal is not None:
        return refusal
    stars = stars_in(wcs, field, catalogue)
    fewest = _MIN_INDEPENDENT if reach_px > 0.0 else MIN_MATCHED_STARS
    if len(stars) < fewest:
        return not_solved(
            "reason.unsolved_catalogue_empty", Failure.NO_CATALOGUE_STARS, catalogue=catalogue.name, stars=len(stars)
        )
    detected = np.column_stack([field.x_px, field.y_px])[: 20 + 5 * len(stars)]
    wcs, pairs = _refine(wcs, field, detected, stars, reach_px, fewest)
    # True matches crowd together, accidental ones fill the circle: what lies within half of it tells them apart.
    close = 0.5 * match_radius_px(wcs.scale_arcsec)
    expected = len(detected) * len(stars) * np.pi * close**2 / (field.width * field.height)
    if len(pairs) < fewest or not _believable(int((pairs.distance < close).sum()), expected, reach_px > 0.0, chance):
        return not_solved(
            "reason.unsolved_not_confirmed", matched=len(pairs), needed=AFFINE_STARS, catalogue=catalogue.name
        )
    refusal = _implausible(wcs, field)
    if refusal is not None:
        return refusal
    rms = float(np.sqrt(np.mean(pairs.distance**2))) * wcs.scale_arcsec
    return Solution(wcs, how, len(pairs), rms)


def _believable(matched: int, expected: float, independent: bool, chance: float) -> bool:
    """Whether so many matches cannot be chance, the points that the fitted map hits anyhow taken off."""
    if matched >= AFFINE_STARS:
        return chance_of(matched, 3, expected) < chance
    if independent:
        return chance_of(matched, 1, expected) < _CHANCE_INDEPENDENT
    return chance_of(matched, 2, expected) < chance


def _implausible(wcs: FrameWcs, field: StarField) -> NotSolved | None:
    (a, b), (c, d) = wcs.cd
    if not np.isfinite([wcs.ra_deg, wcs.dec_deg, wcs.x_ref, wcs.y_ref, a, b, c, d]).all() or a * d == b * c:
        return not_solved("reason.unsolved_sheared")
    scale = wcs.scale_arcsec
    if field.scale_arcsec is not None and abs(scale / field.scale_arcsec - 1.0) > 0.03:
        return not_solved("reason.unsolved_scale", scale=round(scale, 3), expected=round(field.scale_arcsec, 3))
    stretch = np.linalg.svd(np.array([[a, b], [c, d]]), compute_uv=False)
    if stretch[0] > 1.03 * stretch[1]:
        return not_solved("reason.unsolved_sheared")
    return None


def stars_in(wcs: FrameWcs, field: StarField, catalogue: Catalogue) -> CatalogueStars:
    """Return the catalogue's stars on the frame, brightest first.

    Parameters
    ----------
    wcs : FrameWcs
        Where the frame lies.
    field : Field
        Its size, and how many stars it shows.
    catalogue : Catalogue
        Where to look the stars up.
    """
    x, y = field.centre
    ra, dec = wcs.pixel_to_sky(x, y)
    corner_ra, corner_dec = wcs.corners(field.width, field.height)
    radius = float(separation_deg(ra, dec, corner_ra, corner_dec).max())
    stars = catalogue.cone(float(ra), float(dec), radius * 1.02)
    x_px, y_px = wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)
    inside = (x_px > 0) & (x_px < field.width - 1) & (y_px > 0) & (y_px < field.height - 1)
    return stars[np.flatnonzero(inside)[: max(30, 2 * len(field))]]


def _refine(
    wcs: FrameWcs, field: StarField, detected: Float64s, stars: CatalogueStars, reach_px: float, fewest: int
) -> tuple[FrameWcs, Pairs]:
    """Match in pixels and refit in rounds; the distortion joins in once enough stars are matched."""
    close = match_radius_px(wcs.scale_arcsec)
    if reach_px > 0.0:
        wcs = _shifted_onto(wcs, detected, stars, reach_px)
    for radius in (2.0 * close, 1.5 * close, close, close, close):
        pairs = _pairs(wcs, detected, stars, radius)
        if len(pairs) < fewest:
            return wcs, pairs
        wcs = _refitted(wcs, field, detected, stars, _agreeing(wcs, detected, stars, pairs), radius == close)
    return wcs, _pairs(wcs, detected, stars, close)


def _pairs(wcs: FrameWcs, detected: Float64s, stars: CatalogueStars, radius_px: float) -> Pairs:
    tree = cKDTree(np.column_stack(wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)))
    return one_to_one(detected, tree, radius_px)


def _refitted(
    wcs: FrameWcs, field: StarField, detected: Float64s, stars: CatalogueStars, pairs: Pairs, settled: bool
) -> FrameWcs:
    """Return the map that the number of pairs supports: shift, turn and scale; affine; with a cubic distortion."""
    x, y = detected[pairs.first].T
    ra, dec = stars.ra_deg[pairs.second], stars.dec_deg[pairs.second]
    enough = settled and len(pairs) >= _CUBIC_STARS
    if enough and well_spread(detected[pairs.first], field.width, field.height):
        return fit_wcs(_centred(wcs, field), x, y, ra, dec, field.half_diagonal_px)
    if holds_affine(detected[pairs.first], field.width, field.height):
        return fit_wcs(wcs, x, y, ra, dec, None)
    return fit_similar_wcs(wcs, x, y, ra, dec)


def _shifted_onto(wcs: FrameWcs, detected: Float64s, stars: CatalogueStars, reach_px: float) -> FrameWcs:
    """Return `wcs` moved by the shift that most bright stars agree on."""
    seen = detected[: 2 * len(stars)]
    expected = np.column_stack(wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg))
    shift = shift_between(expected, seen, reach_px, match_radius_px(wcs.scale_arcsec))
    return wcs if shift is None else replace(wcs, x_ref=wcs.x_ref + shift[0], y_ref=wcs.y_ref + shift[1])


def _centred(wcs: FrameWcs, field: StarField) -> FrameWcs:
    """Return `wcs` without its distortion, referred to the frame's centre."""
    x, y = field.centre
    ra, dec = wcs.pixel_to_sky(x, y)
    return FrameWcs(float(ra), float(dec), x, y, wcs.cd)


def _agreeing(wcs: FrameWcs, detected: Float64s, stars: CatalogueStars, pairs: Pairs) -> Pairs:
    """Return the pairs that one affine map of the frame explains: blends and strangers stay out of the fit."""
    if len(pairs) < AFFINE_STARS:
        return pairs
    here = detected[pairs.first]
    there = np.column_stack(wcs.sky_to_pixel(stars.ra_deg[pairs.second], stars.dec_deg[pairs.second]))
    off = np.linalg.norm(moved(fit_affine(here, there), here) - there, axis=1)
    keep = off <= max(0.5, 3.5 * float(np.median(off)))
    return Pairs(pairs.first[keep], pairs.second[keep], pairs.distance[keep])
