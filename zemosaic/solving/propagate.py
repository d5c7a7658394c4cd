"""Carries the solution of one frame over to its neighbours: their common stars are the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s
from zemosaic.model import Solution
from zemosaic.solving.base import MIN_MATCHED_STARS, StarField
from zemosaic.solving.fit import (
    Pairs,
    chance_of,
    fit_similar_wcs,
    fit_wcs,
    holds_affine,
    moved,
    refine_affine,
    shift_between,
)
from zemosaic.solving.match import Tolerance, candidate_maps
from zemosaic.wcs import FrameWcs, from_tangent_plane, tangent_plane

__all__ = ["KnownStars", "known_stars", "propagate"]


_RADII_PX = (12.0, 5.0, 2.5, 2.0, 2.0)
_N_BRIGHTEST = 40
_MAX_SHIFT_PX = 400.0
_SCALE_ERROR = 0.01
_SHEAR = 0.004
_AFFINE_PAIRS = 20
_CHANCE = 1e-5
_SAME_STAR_PX = 2.5


@dataclass(frozen=True)
class KnownStars:
    """Stars of a pointing that solved frames have placed on the sky, brightest first, shape (n,)."""

    ra_deg: Float64s
    dec_deg: Float64s

    def __len__(self) -> int:
        return len(self.ra_deg)


def known_stars(solved: Sequence[tuple[FrameWcs, Float64s, Float64s]], most: int = 400) -> KnownStars:
    """Return the union of the stars of solved frames of one pointing.

    Parameters
    ----------
    solved : sequence of (FrameWcs, x_px, y_px)
        Solutions and detections, brightest first, shape (n,) each; earlier frames' places win.
    most : int
        Stars taken of each frame.
    """
    ra, dec = np.empty(0), np.empty(0)
    rank = np.empty(0)
    for wcs, x, y in solved:
        new = np.ones(min(len(x), most), bool)
        if len(ra):
            there = np.column_stack(wcs.sky_to_pixel(ra, dec))
            tree = cKDTree(there[np.isfinite(there).all(axis=1)])
            new = tree.query(np.column_stack([x, y])[:most], distance_upper_bound=_SAME_STAR_PX)[0] == np.inf
        fresh = np.flatnonzero(new)
        more_ra, more_dec = wcs.pixel_to_sky(x[fresh], y[fresh])
        ra, dec = np.concatenate([ra, more_ra]), np.concatenate([dec, more_dec])
        rank = np.concatenate([rank, fresh / max(len(x), 1)])
    order = np.argsort(rank, kind="stable")
    return KnownStars(ra[order], dec[order])


def propagate(field: StarField, stars: KnownStars, neighbour: FrameWcs) -> Solution | None:
    """Return the solution of a frame that shows known stars, None where it does not match them well enough.

    Parameters
    ----------
    field : Field
        The frame's stars; its hint and scale are not used.
    stars : KnownStars
        Stars of the pointing.
    neighbour : FrameWcs
        Solution of the frame nearest in time; its distortion is carried over.

    Notes
    -----
    The neighbour's solution, moved by the shift most bright stars agree on, is refined in rounds.  Where
    that fails (field rotation, a meridian flip, another telescope) triangles find the frame's place.
    A solution counts when its scale is the neighbour's to 1 %, its pixels are square and a quarter of the
    stars match.
    """
    if len(field) < MIN_MATCHED_STARS or len(stars) < MIN_MATCHED_STARS:
        return None
    pixel_deg = neighbour.scale_arcsec / 3600.0
    plane = tangent_plane(stars.ra_deg, stars.dec_deg, neighbour.ra_deg, neighbour.dec_deg)
    near = np.flatnonzero(np.isfinite(plane[0]) & (np.hypot(*plane) < 6.0 * field.half_diagonal_px * pixel_deg))
    theirs = np.column_stack(plane)[near] / pixel_deg
    if len(theirs) < MIN_MATCHED_STARS:
        return None
    ours = np.column_stack([field.x_px, field.y_px])
    u, v = field.x_px - neighbour.x_ref, field.y_px - neighbour.y_ref
    if neighbour.distortion is not None:
        u, v = neighbour.distortion.correct(u, v)
    straight = np.column_stack([u, v])
    tree = cKDTree(theirs)
    matched_affine = _by_shift(straight, theirs, tree, neighbour, pixel_deg) or _by_triangles(
        straight, theirs, tree, field
    )
    if matched_affine is None:
        return None
    affine, pairs = matched_affine
    xi, eta = affine[0] * pixel_deg
    ra0, dec0 = from_tangent_plane(xi, eta, neighbour.ra_deg, neighbour.dec_deg)
    cd = affine[1:].T * pixel_deg
    start = replace(neighbour, ra_deg=float(ra0), dec_deg=float(dec0), cd=((cd[0, 0], cd[0, 1]), (cd[1, 0], cd[1, 1])))
    known = near[pairs.second]
    x, y = ours[pairs.first].T
    ra, dec = stars.ra_deg[known], stars.dec_deg[known]
    if holds_affine(ours[pairs.first], field.width, field.height):
        wcs = fit_wcs(start, x, y, ra, dec, None)
    else:
        wcs = fit_similar_wcs(start, x, y, ra, dec)
    there_x, there_y = wcs.sky_to_pixel(ra, dec)
    rms_px = float(np.sqrt(np.mean((there_x - x) ** 2 + (there_y - y) ** 2)))
    if rms_px > _RADII_PX[-1]:
        return None
    return Solution(wcs, "propagated", len(pairs), rms_px * wcs.scale_arcsec)


def _by_shift(
    ours: Float64s, theirs: Float64s, tree: cKDTree, neighbour: FrameWcs, pixel_deg: float
) -> tuple[Float64s, Pairs] | None:
    affine = np.vstack([np.zeros(2), np.asarray(neighbour.cd).T / pixel_deg])
    bright = moved(affine, ours[:_N_BRIGHTEST])
    shift = shift_between(bright, _brightest_near(theirs, bright), _MAX_SHIFT_PX, 5.0)
    if shift is None:
        return None
    affine[0] += shift
    return _refined(ours, theirs, tree, affine)


def _by_triangles(ours: Float64s, theirs: Float64s, tree: cKDTree, field: StarField) -> tuple[Float64s, Pairs] | None:
    size = (field.width, field.height)
    for count, neighbours in ((_N_BRIGHTEST, 8), (2 * _N_BRIGHTEST, 10)):
        some, known = ours[:count], theirs[: 2 * count]
        for affine in candidate_maps(some, known, size, neighbours, Tolerance(scale=2.0 * _SCALE_ERROR)):
            refined = _refined(ours, theirs, tree, affine)
            if refined is not None:
                return refined
    return None


def _brightest_near(theirs: Float64s, seen: Float64s) -> Float64s:
    """Return the brightest of the known stars round the stars seen: a union may reach far beyond the frame."""
    low, high = seen.min(axis=0) - _MAX_SHIFT_PX, seen.max(axis=0) + _MAX_SHIFT_PX
    brightest: Float64s = theirs[((theirs >= low) & (theirs <= high)).all(axis=1)][: 2 * _N_BRIGHTEST]
    return brightest


def _refined(ours: Float64s, theirs: Float64s, tree: cKDTree, affine: Float64s) -> tuple[Float64s, Pairs] | None:
    """Return the refined map and its pairs if it passes the gates."""
    refined = refine_affine(ours, theirs, tree, affine, _RADII_PX, MIN_MATCHED_STARS, _AFFINE_PAIRS)
    if refined is None:
        return None
    affine, pairs = refined
    stretch = np.linalg.svd(affine[1:], compute_uv=False)
    known, area = _in_frame(theirs, affine, ours)
    fewest = max(MIN_MATCHED_STARS, 0.25 * min(len(ours), known))
    sheared = stretch[0] > (1.0 + _SHEAR) * stretch[1]
    if sheared or np.abs(stretch - 1.0).max() > _SCALE_ERROR or len(pairs) < fewest:
        return None
    expected = len(ours) * known * np.pi * _RADII_PX[-1] ** 2 / max(area, 1.0)
    return (affine, pairs) if chance_of(len(pairs), 3, expected) < _CHANCE else None


def _in_frame(theirs: Float64s, affine: Float64s, ours: Float64s) -> tuple[int, float]:
    """Return how many known stars lie within the box of the frame's own stars, and the box's area."""
    back = (theirs - affine[0]) @ np.linalg.inv(affine[1:])
    low, high = ours.min(axis=0), ours.max(axis=0)
    return int(((back >= low) & (back <= high)).all(axis=1).sum()), float(np.prod(high - low))
