"""How large the errors of a joint solution really are: of centroids, catalogue places, frames' shapes, distortions.

Each is told by what a solution leaves of it: the sum of squares over the number of values that the stars determine
and not what is expected of them (MacKay 1992, Neural Computation 4, 415), joined by a few imagined values of the
usual size, lest few stars claim to be perfect.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zemosaic.solving.adjust import Cameras, Priors, Sightings, along_radius, between_sessions, strays, terms

__all__ = ["anchor_error", "centroid_errors", "usual_priors", "with_learnt"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_MEDIAN_SQUARE = 2.0 * math.log(2.0)
"""Median of the squared distance of points whose coordinates scatter by 1."""
_BIN = 40
"""Sightings of like brightness that tell a scatter."""
_BINS = 8
_FACTOR = (0.5, 3.0)
"""Least and greatest factor between the errors that light tells and those that stars show."""
_FLOOR_PX = (0.02, 0.5)
"""Least and greatest error that the best centroids have: seeing, undersampling."""
_USUAL_FLOOR_PX = 0.05
_FRAME = (10.0, 0.5, 25.0)
"""Imagined sightings of a frame that is like all others; least and greatest variance relative to the others'."""
_SHAPE = (0.07, 1.0)
"""Usual stray of a frame's shape in pixels and the number of frames that stand for it."""
_BEND = (0.1, 1.0)
"""Usual size of a distortion's terms off the radius in pixels and the number of terms that stand for it."""
_SESSION = (0.05, 1.0)
"""Usual difference of a distortion's terms between sessions in pixels and the number of terms that stand for it."""
_ANCHOR = (0.15, 0.3)
"""Usual error of a catalogue place in arcsec after 25 years of proper motion, and the stars that stand for it."""
_ANCHOR_ARCSEC = (0.02, 0.3)
"""Least and greatest error of catalogue places."""


def usual_priors(cameras: int) -> Priors:
    """Return what holds before anything is known."""
    return Priors(*(np.full(cameras, usual) for usual in (_SHAPE[0], _BEND[0], _SESSION[0])))


def centroid_errors(off: Floats, photon: Floats, frame: Indices, camera: Indices, freedom: float) -> tuple[Floats, ...]:
    """Return how errors of centroids follow from the stars' light: ``variance = (slope light**2 + floor) frame``.

    Parameters
    ----------
    off : ndarray
        Distances of sightings from their stars in pixels, shape (n,).
    photon : ndarray
        Errors that the stars' light tells, pixels, shape (n,).
    frame : ndarray
        Frame of each sighting.
    camera : ndarray
        Camera of each frame, shape (frames,).
    freedom : float
        Degrees of freedom left per measured coordinate: a fit follows what it is fitted to.

    Returns
    -------
    slope, floor, frame : ndarray
        Shapes (cameras,), (cameras,) in square pixels, (frames,).
    """
    square = off**2 / _MEDIAN_SQUARE / freedom
    of_camera = camera[frame]
    number = int(camera.max(initial=-1)) + 1
    slope, floor = np.ones(number), np.full(number, _USUAL_FLOOR_PX**2)
    for index in range(number):
        own = np.flatnonzero(of_camera == index)
        if len(own) >= _BIN:
            slope[index], floor[index] = _line(square[own], photon[own] ** 2)
    ratio = square / (slope[of_camera] * photon**2 + floor[of_camera])
    return slope, floor, _per_frame(ratio, frame, len(camera))


def _line(square: Floats, light: Floats) -> tuple[float, float]:
    """Return slope and floor of variances against what light tells, from medians of sightings of like brightness."""
    bins = np.array_split(np.argsort(light, kind="stable"), min(_BINS, len(light) // _BIN))
    x = np.array([np.median(light[b]) for b in bins])
    y = np.maximum([np.median(square[b]) for b in bins], 1e-6)
    weight = np.array([len(b) for b in bins]) / y**2
    mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
    spread = np.average((x - mean_x) ** 2, weights=weight)
    slope = float(np.average((x - mean_x) * (y - mean_y), weights=weight) / spread) if spread > 0.0 else 1.0
    floor = float(np.clip(mean_y - np.clip(slope, 0.0, None) * mean_x, _FLOOR_PX[0] ** 2, _FLOOR_PX[1] ** 2))
    slope = float(np.average(np.maximum(y - floor, 0.0) / x, weights=weight * x**2))
    return float(np.clip(slope, _FACTOR[0] ** 2, _FACTOR[1] ** 2)), floor


def _per_frame(ratio: Floats, frame: Indices, frames: int) -> Floats:
    """Return each frame's variance relative to what is usual."""
    order = np.lexsort((ratio, frame))
    count = np.bincount(frame, minlength=frames)
    start = np.cumsum(count) - count
    some = count > 0
    median = np.ones(frames)
    median[some] = ratio[order][start[some] + count[some] // 2]
    usual, least, most = _FRAME
    return np.clip((count * median + usual) / (count + usual), least, most)


def anchor_error(present: float, offset: Floats, unknown: Floats) -> float:
    """Return the standard error of catalogue places in arcsec.

    Parameters
    ----------
    present : float
        The error that the solution took them to have.
    offset : ndarray
        From the solution's places to the catalogue's, arcsec, shape (n,).
    unknown : ndarray
        Variance of the solution's places, square arcsec, shape (n,).
    """
    usual, weight = _ANCHOR
    square = len(offset) * float(np.median(offset**2)) / _MEDIAN_SQUARE if len(offset) else 0.0
    determined = float(np.sum(1.0 - unknown / present**2))
    variance = (square + weight * usual**2) / (determined + weight)
    return float(np.clip(math.sqrt(variance), *_ANCHOR_ARCSEC))


def with_learnt(priors: Priors, cameras: Cameras, seen: Sightings, left_out: NDArray[np.bool_]) -> Priors:
    """Return the priors that shapes and distortions of the present solution tell, one for each telescope."""
    shape, bend, session = (np.array(values) for values in (priors.shape_px, priors.bend_px, priors.session_px))
    strayed, unknown = _shape_squares(priors, cameras, seen)
    off_radius = cameras.bend - along_radius(cameras.bend)
    apart = between_sessions(cameras.bend, cameras.optics)
    for telescope in np.unique(cameras.optics):
        own = np.flatnonzero(cameras.optics == telescope)
        present = float(shape[own[0]])
        frames = np.isin(cameras.camera, own) & ~left_out
        determined = float(np.sum(1.0 - unknown[frames] / (3.0 * present**2)))
        square = float(np.minimum(strayed[frames], 9.0 * 3.0 * present**2).sum()) / 3.0
        shape[own] = _usual(_SHAPE, square, determined)
        normals = [_normal(seen, cameras.camera[seen.frame] == camera) for camera in own]
        determined = 2.0 * sum(_determined(normal, bend[own[0]]) for normal in normals)
        bend[own] = _usual(_BEND, float(np.sum(off_radius[own] ** 2)), determined)
        if len(own) > 1:
            determined = 2.0 * sum(_determined(normal, session[own[0]]) for normal in normals) * (1.0 - 1.0 / len(own))
            session[own] = _usual(_SESSION, float(np.sum(apart[own] ** 2)), determined)
    return Priors(shape, bend, session)


def _usual(imagined: tuple[float, float], square: float, determined: float) -> float:
    """Return the usual size of values with a sum of squares, so many of which are determined."""
    usual, weight = imagined
    return math.sqrt((square + weight * usual**2) / (determined + weight))


def _shape_squares(priors: Priors, cameras: Cameras, seen: Sightings) -> tuple[Floats, Floats]:
    """Return the squared stray of each frame's shape and the variance that its stars leave it, shape (frames,)."""
    stray = strays(cameras)[:, 1:]
    frames = len(cameras.camera)

    def total(values: Floats) -> Floats:
        return np.asarray(np.bincount(seen.frame, seen.weight * values, frames), np.float64)

    weight = np.maximum(total(np.ones_like(seen.u)), 1e-9)
    across = total(seen.u**2) - total(seen.u) ** 2 / weight + 1e-9
    along = total(seen.v**2) - total(seen.v) ** 2 / weight + 1e-9
    held = priors.shape_px[cameras.camera] ** -2
    skew = 0.25 / across + 0.25 / along
    unknown = 1.0 / (across + held) + 1.0 / (along + held) + 2.0 / (1.0 / skew + 2.0 * held)
    return (stray**2).sum(axis=(1, 2)), unknown


def _normal(seen: Sightings, own: NDArray[np.bool_]) -> Floats:
    """Return the normal equations of a camera's distortion, shape (9, 9)."""
    bends = terms(seen.u[own], seen.v[own])
    return np.asarray(np.einsum("kn,jn->kj", bends, seen.weight[own] * bends), np.float64)


def _determined(normal: Floats, prior_px: float) -> float:
    """Return how many of a distortion's 7 terms the stars determine and not what is expected of them."""
    held = np.full(len(normal), prior_px**-2)
    held[-2:] = 1e-9
    unknown = np.diag(np.linalg.inv(normal + np.diag(held)))[:-2]
    return float(np.sum(1.0 - unknown / prior_px**2))
