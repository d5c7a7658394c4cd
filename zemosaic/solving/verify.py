"""Checks an approximate WCS against catalogue stars and refines it; no solution passes without."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.catalogue import Catalogue, CatalogueStars
from zemosaic.errors import Message, message
from zemosaic.model import Solution
from zemosaic.sky import FrameWcs, separation_deg
from zemosaic.solving.base import MIN_STARS, Field
from zemosaic.solving.fit import (
    Pairs,
    chance_of,
    fit_affine,
    fit_wcs,
    moved,
    one_to_one,
    shift_between,
    well_spread,
)

__all__ = ["confirm", "match_radius_px"]

Floats = NDArray[np.float64]

_CHANCE = 1e-6
_CUBIC_STARS = 25
_POINTS_OF_AFFINE = 3
_CATALOGUE_ARCSEC = 1.0


def match_radius_px(scale_arcsec: float) -> float:
    """Return how far a star may lie from its catalogue place: centroids, distortion, 25 years of proper motion."""
    return 2.5 + _CATALOGUE_ARCSEC / scale_arcsec


def confirm(wcs: FrameWcs, field: Field, catalogue: Catalogue, how: str, reach_px: float = 0.0) -> Solution | Message:
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
        How far off `wcs` may be all over the frame; 0 for a solution that has just been matched.
    """
    refusal = _implausible(wcs, field)
    if refusal is not None:
        return refusal
    stars = _stars_in(wcs, field, catalogue)
    if len(stars) < MIN_STARS:
        return message("reason.unsolved_catalogue_empty", catalogue=catalogue.name, stars=len(stars))
    detected = np.column_stack([field.x_px, field.y_px])[: 60 + 5 * len(stars)]
    wcs, pairs = _refine(wcs, field, detected, stars, reach_px)
    radius = match_radius_px(wcs.scale_arcsec)
    expected = len(detected) * len(stars) * np.pi * radius**2 / (field.width * field.height)
    if len(pairs) < MIN_STARS or chance_of(len(pairs), _POINTS_OF_AFFINE, expected) > _CHANCE:
        return message("reason.unsolved_not_confirmed", matched=len(pairs), needed=MIN_STARS, catalogue=catalogue.name)
    refusal = _implausible(wcs, field)
    if refusal is not None:
        return refusal
    rms = float(np.sqrt(np.mean(pairs.distance**2))) * wcs.scale_arcsec
    return Solution(wcs, how, len(pairs), rms)


def _implausible(wcs: FrameWcs, field: Field) -> Message | None:
    scale = wcs.scale_arcsec
    if field.scale_arcsec is not None and abs(scale / field.scale_arcsec - 1.0) > 0.03:
        return message("reason.unsolved_scale", scale=round(scale, 3), expected=round(field.scale_arcsec, 3))
    (a, b), (c, d) = wcs.cd
    stretch = np.linalg.svd(np.array([[a, b], [c, d]]), compute_uv=False)
    if not np.isfinite(stretch).all() or stretch[0] > 1.03 * stretch[1]:
        return message("reason.unsolved_sheared")
    return None


def _stars_in(wcs: FrameWcs, field: Field, catalogue: Catalogue) -> CatalogueStars:
    """Return the catalogue's stars on the frame, brightest first."""
    x, y = field.centre
    ra, dec = wcs.pixel_to_sky(x, y)
    corner_ra, corner_dec = wcs.corners(field.width, field.height)
    radius = float(separation_deg(ra, dec, corner_ra, corner_dec).max())
    stars = catalogue.cone(float(ra), float(dec), radius * 1.02)
    x_px, y_px = wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)
    inside = (x_px > 0) & (x_px < field.width - 1) & (y_px > 0) & (y_px < field.height - 1)
    return stars[np.flatnonzero(inside)[: max(30, 2 * len(field))]]


def _refine(
    wcs: FrameWcs, field: Field, detected: Floats, stars: CatalogueStars, reach_px: float
) -> tuple[FrameWcs, Pairs]:
    """Match in pixels and refit in rounds; the distortion joins in once enough stars are matched."""
    close = match_radius_px(wcs.scale_arcsec)
    if reach_px > 0.0:
        wcs = _shifted_onto(wcs, detected, stars, reach_px)
    cubic = False
    for radius in (2.0 * close, 1.5 * close, close, close, close):
        tree = cKDTree(np.column_stack(wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)))
        pairs = one_to_one(detected, tree, radius)
        if len(pairs) < MIN_STARS - 2:
            return wcs, pairs
        kept = _agreeing(wcs, detected, stars, pairs)
        x, y = detected[kept.first].T
        cubic = radius == close and len(kept) >= _CUBIC_STARS and well_spread(detected[kept.first], *_size(field))
        start = _centred(wcs, field) if cubic or wcs.distortion is None else wcs
        half = field.half_diagonal_px if cubic else None
        wcs = fit_wcs(start, x, y, stars.ra_deg[kept.second], stars.dec_deg[kept.second], half)
    tree = cKDTree(np.column_stack(wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)))
    return wcs, one_to_one(detected, tree, close)


def _size(field: Field) -> tuple[int, int]:
    return field.width, field.height


def _shifted_onto(wcs: FrameWcs, detected: Floats, stars: CatalogueStars, reach_px: float) -> FrameWcs:
    """Return `wcs` moved by the shift that most bright stars agree on."""
    seen = detected[: 2 * len(stars)]
    expected = np.column_stack(wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg))
    shift = shift_between(expected, seen, reach_px, match_radius_px(wcs.scale_arcsec))
    return wcs if shift is None else replace(wcs, x_ref=wcs.x_ref + shift[0], y_ref=wcs.y_ref + shift[1])


def _centred(wcs: FrameWcs, field: Field) -> FrameWcs:
    """Return `wcs` without its distortion, referred to the frame's centre."""
    x, y = field.centre
    ra, dec = wcs.pixel_to_sky(x, y)
    return FrameWcs(float(ra), float(dec), x, y, wcs.cd)


def _agreeing(wcs: FrameWcs, detected: Floats, stars: CatalogueStars, pairs: Pairs) -> Pairs:
    """Return the pairs that one affine map of the frame explains: blends and strangers stay out of the fit."""
    here = detected[pairs.first]
    there = np.column_stack(wcs.sky_to_pixel(stars.ra_deg[pairs.second], stars.dec_deg[pairs.second]))
    off = np.linalg.norm(moved(fit_affine(here, there), here) - there, axis=1)
    keep = off <= max(0.5, 3.5 * float(np.median(off)))
    return Pairs(pairs.first[keep], pairs.second[keep], pairs.distance[keep])
