"""Pairs of points and the maps between them: nearest neighbours, affine maps, distortion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import gammainc

from zemosaic.arrays import Float64s, Indices
from zemosaic.solving.base import AFFINE_STARS
from zemosaic.wcs import SIP_TERMS, Distortion, FrameWcs, from_tangent_plane, tangent_plane

__all__ = [
    "Pairs",
    "chance_of",
    "fit_affine",
    "fit_similar_wcs",
    "fit_similarity",
    "fit_wcs",
    "holds_affine",
    "moved",
    "one_to_one",
    "refine_affine",
    "shift_between",
    "wcs_of_affine",
    "well_spread",
]


_CUBIC_PRIOR_PX = 2.0
_QUADRATIC_PRIOR_PX = 0.7
_CENTROID_PX = 0.2
_LEVERAGE = 2.0


@dataclass(frozen=True)
class Pairs:
    """Points of two lists that belong together, one to one; all arrays have shape (n,)."""

    first: Indices
    second: Indices
    distance: Float64s

    def __len__(self) -> int:
        return len(self.first)


def one_to_one(points: Float64s, tree: cKDTree, radius: float) -> Pairs:
    """Return each point's nearest neighbour within `radius`, every neighbour given to its closest point only.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
    tree : cKDTree
        Of the targets.
    radius : float
        In the units of both.

    Returns
    -------
    Pairs
        In the order of the points.
    """
    distance, nearest = tree.query(points, distance_upper_bound=radius)
    matched = np.flatnonzero(np.isfinite(distance))
    matched = matched[np.argsort(distance[matched], kind="stable")]
    _, keep = np.unique(nearest[matched], return_index=True)
    first = np.sort(matched[keep])
    return Pairs(first, nearest[first], distance[first])


def fit_affine(points: Float64s, targets: Float64s) -> Float64s:
    """Return the affine map, shape (3, 2), that takes `points` (n, 2) closest to `targets` (n, 2).

    Parameters
    ----------
    points, targets : ndarray, shape (n, 2)
        At least 3, not on a line.
    """
    design = np.column_stack([np.ones(len(points)), points])
    return np.asarray(np.linalg.lstsq(design, targets, rcond=None)[0], np.float64)


def fit_similarity(points: Float64s, targets: Float64s, mirrored: bool) -> Float64s:
    """Return the map of shift, turn and scale only, as an affine map, that takes `points` closest to `targets`.

    Parameters
    ----------
    points, targets : ndarray, shape (n, 2)
        At least 2.
    mirrored : bool
        Whether the map turns the plane over.

    Returns
    -------
    ndarray, shape (3, 2)
    """
    sign = -1.0 if mirrored else 1.0
    here, there = points[:, 0] + sign * 1j * points[:, 1], targets[:, 0] + 1j * targets[:, 1]
    centred = here - here.mean()
    turn = np.vdot(centred, there - there.mean()) / max(np.vdot(centred, centred).real, 1e-300)
    shift = there.mean() - turn * here.mean()
    return np.array([[shift.real, shift.imag], [turn.real, turn.imag], [-sign * turn.imag, sign * turn.real]])


def moved(affine: Float64s, points: Float64s) -> Float64s:
    """Return `points`, shape (n, 2), moved by an affine map of shape (3, 2).

    Parameters
    ----------
    affine : ndarray, shape (3, 2)
        Shift, then what x and y are multiplied with.
    points : ndarray, shape (n, 2)
    """
    positions: Float64s = affine[0] + points @ affine[1:]
    return positions


def refine_affine(
    points: Float64s,
    targets: Float64s,
    tree: cKDTree,
    affine: Float64s,
    radii: Sequence[float],
    fewest: int,
    affine_from: int,
) -> tuple[Float64s, Pairs] | None:
    """Match and refit an affine map in rounds of shrinking radii; None when a round matches too few.

    Fewer than `affine_from` pairs fit shift, turn and scale only: an affine map would bend to any of them.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
    targets : ndarray, shape (m, 2)
    tree : cKDTree
        Of the targets.
    affine : ndarray, shape (3, 2)
        First guess.
    radii : sequence of float
        Of matching, in the units of the targets; one round each.
    fewest : int
        Pairs that each round needs.
    affine_from : int
        Pairs from which an affine map is fitted.

    Returns
    -------
    affine : ndarray
        Shape (3, 2), from `points` to `targets`.
    pairs : Pairs
        Matches within the last radius of the last map.
    """
    for radius in radii:
        pairs = one_to_one(moved(affine, points), tree, radius)
        if len(pairs) < fewest:
            return None
        here, there = points[pairs.first], targets[pairs.second]
        if len(pairs) < affine_from:
            affine = fit_similarity(here, there, bool(np.linalg.det(affine[1:]) < 0.0))
        else:
            affine = fit_affine(here, there)
    return affine, one_to_one(moved(affine, points), tree, radii[-1])


def shift_between(points: Float64s, targets: Float64s, reach: float, slack: float) -> Float64s | None:
    """Return the shift, shape (2,), that brings most points within `slack` of a target; None where none repeats.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
    targets : ndarray, shape (m, 2)
    reach : float
        Largest shift along either axis.
    slack : float
        How far shifts of one sky may lie apart.
    """
    shifts = (targets[None, :, :] - points[:, None, :]).reshape(-1, 2)
    shifts = shifts[np.abs(shifts).max(axis=1) <= reach]
    if len(shifts) < 2:
        return None
    tree = cKDTree(shifts)
    votes = tree.query_ball_point(shifts, slack, return_length=True)
    shift: Float64s = shifts[tree.query_ball_point(shifts[np.argmax(votes)], slack)].mean(axis=0)
    return shift


def chance_of(matched: int, spent: int, expected: float) -> float:
    """Return the Poisson chance of at least ``matched - spent`` accidental matches where `expected` are usual.

    `spent` pairs are taken off because a map with that many free points hits them whatever the sky.

    Parameters
    ----------
    matched : int
        Pairs.
    spent : int
        Pairs that the map's free parameters account for.
    expected : float
        Accidental matches that are usual, on average.

    Returns
    -------
    float
        0 to 1; the regularised incomplete gamma function, P(matched - spent, expected).
    """
    beyond = matched - spent
    return float(gammainc(beyond, max(expected, 1e-12))) if beyond > 0 else 1.0


def well_spread(points: Float64s, width: int, height: int) -> bool:
    """Whether points, shape (n, 2), stand in at least 7 of the 9 parts of a frame, corners included.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Pixels.
    width, height : int
        Of the frame, in pixels.
    """
    part = np.clip((points * (3.0 / width, 3.0 / height)).astype(int), 0, 2)
    return len(np.unique(part[:, 0] * 3 + part[:, 1])) >= 7


def holds_affine(points: Float64s, width: int, height: int) -> bool:
    """Whether points, shape (n, 2), tie an affine map down in the corners of a frame too.

    They do when noise in the points is not magnified there by more than `_LEVERAGE` in variance.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Pixels.
    width, height : int
        Of the frame, in pixels.
    """
    if len(points) < AFFINE_STARS:
        return False
    scaled = np.column_stack([np.ones(len(points)), points * (2.0 / width, 2.0 / height) - 1.0])
    corners = np.array([[1.0, x, y] for x in (-1.0, 1.0) for y in (-1.0, 1.0)])
    normal = scaled.T @ scaled
    if np.linalg.cond(normal) > 1e6:
        return False
    return float((corners @ np.linalg.inv(normal) * corners).sum(axis=1).max()) < _LEVERAGE


def wcs_of_affine(affine: Float64s, scale_deg: float, ra0: float, dec0: float, x_ref: float, y_ref: float) -> FrameWcs:
    """Return the WCS of an affine map from pixels to the tangent plane at (ra0, dec0) in units of `scale_deg`.

    Parameters
    ----------
    affine : ndarray, shape (3, 2)
    scale_deg : float
        Degrees per unit of the plane.
    ra0, dec0 : float
        Where the plane touches the sphere, in degrees.
    x_ref, y_ref : float
        Reference pixel of the WCS.

    Returns
    -------
    FrameWcs
        Without distortion, on the plane that touches the sphere at the reference pixel.
    """
    at = moved(affine, np.array([[x_ref, y_ref]]))[0] * scale_deg
    ra, dec = from_tangent_plane(at[0], at[1], ra0, dec0)
    start = np.array([[x_ref, y_ref], [x_ref + 1.0, y_ref], [x_ref, y_ref + 1.0]])
    step = moved(affine, start) * scale_deg
    xi, eta = tangent_plane(*from_tangent_plane(step[:, 0], step[:, 1], ra0, dec0), float(ra), float(dec))
    cd = ((xi[1] - xi[0], xi[2] - xi[0]), (eta[1] - eta[0], eta[2] - eta[0]))
    return FrameWcs(float(ra), float(dec), x_ref, y_ref, _floats(cd))


def fit_wcs(start: FrameWcs, x: Float64s, y: Float64s, ra: Float64s, dec: Float64s, reach_px: float | None) -> FrameWcs:
    """Return the WCS that takes pixels to directions, both shape (n,), in the least-squares sense.

    Parameters
    ----------
    start : FrameWcs
        Its reference pixel is kept, and so is its distortion where none is fitted.
    x, y : ndarray, shape (n,)
        Pixels.
    ra, dec : ndarray, shape (n,)
        Degrees.
    reach_px : float or None
        Half of the frame's diagonal: fit a cubic distortion about the reference pixel, held back by
        what lenses do; None fits the linear part only.
    """
    wcs = start if reach_px is None else replace(start, distortion=None)
    u, v = x - wcs.x_ref, y - wcs.y_ref
    if wcs.distortion is not None:
        u, v = wcs.distortion.correct(u, v)
    design, prior = _design(u, v, reach_px)
    for _ in range(2):
        plane = np.column_stack(tangent_plane(ra, dec, wcs.ra_deg, wcs.dec_deg))
        pixel = np.sqrt(abs(np.linalg.det(wcs.cd)))
        padding = np.zeros((len(prior), 2))
        solved = np.linalg.lstsq(
            np.vstack([design / _CENTROID_PX, np.diag(prior)]),
            np.vstack([plane / (pixel * _CENTROID_PX), padding]),
            rcond=None,
        )[0]
        wcs = _wcs_of(wcs, solved * pixel, reach_px)
    return wcs


def fit_similar_wcs(start: FrameWcs, x: Float64s, y: Float64s, ra: Float64s, dec: Float64s) -> FrameWcs:
    """Return `start` with the shift, turn and scale that take pixels closest to directions, both shape (n,).

    Parameters
    ----------
    start : FrameWcs
        Its reference pixel, its distortion and its handedness are kept.
    x, y : ndarray, shape (n,)
        Pixels.
    ra, dec : ndarray, shape (n,)
        Degrees.

    Returns
    -------
    FrameWcs
    """
    u, v = x - start.x_ref, y - start.y_ref
    if start.distortion is not None:
        u, v = start.distortion.correct(u, v)
    wcs = start
    for _ in range(2):
        plane = np.column_stack(tangent_plane(ra, dec, wcs.ra_deg, wcs.dec_deg))
        solved = fit_similarity(np.column_stack([u, v]), plane, not start.mirrored)
        wcs = _wcs_of(wcs, solved, None)
    return wcs


def _design(u: Float64s, v: Float64s, reach_px: float | None) -> tuple[Float64s, Float64s]:
    """Return the terms (1, u, v and, with a reach, the distortion's) and the weights that hold each near zero."""
    terms = [np.ones_like(u), u, v]
    weights = [0.0, 0.0, 0.0]
    if reach_px is not None:
        for p, q in SIP_TERMS:
            terms.append((u / reach_px) ** p * (v / reach_px) ** q)
            weights.append(1.0 / (_CUBIC_PRIOR_PX if p + q == 3 else _QUADRATIC_PRIOR_PX))
    return np.column_stack(terms), np.array(weights)


def _wcs_of(wcs: FrameWcs, solved: Float64s, reach_px: float | None) -> FrameWcs:
    ra, dec = from_tangent_plane(solved[0, 0], solved[0, 1], wcs.ra_deg, wcs.dec_deg)
    cd = solved[1:3].T
    distortion = wcs.distortion
    if reach_px is not None:
        terms = np.linalg.solve(cd, solved[3:].T)
        terms /= [reach_px ** (p + q) for p, q in SIP_TERMS]
        distortion = Distortion(tuple(map(float, terms[0])), tuple(map(float, terms[1])))
    return FrameWcs(float(ra), float(dec), wcs.x_ref, wcs.y_ref, _floats(cd), distortion)


def _floats(cd: Sequence[Sequence[float]] | Float64s) -> tuple[tuple[float, float], tuple[float, float]]:
    (a, b), (c, d) = cd
    return (float(a), float(b)), (float(c), float(d))
