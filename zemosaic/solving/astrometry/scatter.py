"""How large the errors of a joint solution really are: of centroids, catalogue places, frames' shapes, distortions.

Each is told by what a solution leaves of it: the sum of squares over the number of values that the stars determine
and not what is expected of them (MacKay 1992, Neural Computation 4, 415), joined by a few imagined values of the
usual size, lest few stars claim to be perfect.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, Indices, median
from zemosaic.solving.astrometry.adjust import distortion_terms, radial_part, session_deviations, shape_deviations
from zemosaic.solving.astrometry.camera_model import Cameras, Detections, Priors

__all__ = ["centroid_errors", "estimated_priors", "initial_priors", "reference_error"]


_MEDIAN_SQUARE = 2.0 * math.log(2.0)
"""Median of the squared distance of points whose coordinates scatter by 1."""
_DETECTIONS_PER_BIN = 40
"""Sightings of like brightness that tell a scatter."""
_MAX_BINS = 8
_ERROR_FACTOR_RANGE = (0.5, 3.0)
"""Least and greatest factor between the errors that light tells and those that stars show."""
_FLOOR_RANGE_PX = (0.02, 0.5)
"""Least and greatest error that the best centroids have: seeing, undersampling."""
_USUAL_FLOOR_PX = 0.05
_FRAME_VARIANCE_PRIOR = (10.0, 0.5, 25.0)
"""Imagined sightings of a frame that is like all others; least and greatest variance relative to the others'."""
_SHAPE_PRIOR = (0.07, 1.0)
"""Usual stray of a frame's shape in pixels and the number of frames that stand for it."""
_DISTORTION_PRIOR = (0.1, 1.0)
"""Usual size of a distortion's terms off the radius in pixels and the number of terms that stand for it."""
_SESSION_PRIOR = (0.05, 1.0)
"""Usual difference of a distortion's terms between sessions in pixels and the number of terms that stand for it."""
_REFERENCE_PRIOR = (0.15, 0.3)
"""Usual error of a catalogue place in arcsec after 25 years of proper motion, and the stars that stand for it."""
_REFERENCE_RANGE_ARCSEC = (0.02, 0.3)
"""Least and greatest error of catalogue places."""


def initial_priors(cameras: int) -> Priors:
    """Return what holds before anything is known."""
    return Priors(*(np.full(cameras, usual) for usual in (_SHAPE_PRIOR[0], _DISTORTION_PRIOR[0], _SESSION_PRIOR[0])))


def centroid_errors(
    distance: Float64s, photon: Float64s, frame: Indices, camera: Indices, freedom: float
) -> tuple[Float64s, ...]:
    """Return how errors of centroids follow from the stars' light: ``variance = (slope light**2 + floor) frame``.

    Parameters
    ----------
    distance : ndarray
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
    square = distance**2 / _MEDIAN_SQUARE / freedom
    of_camera = camera[frame]
    number = int(camera.max(initial=-1)) + 1
    slope, floor = np.ones(number), np.full(number, _USUAL_FLOOR_PX**2)
    for index in range(number):
        rows = np.flatnonzero(of_camera == index)
        if len(rows) >= _DETECTIONS_PER_BIN:
            slope[index], floor[index] = _variance_line(square[rows], photon[rows] ** 2)
    ratio = square / (slope[of_camera] * photon**2 + floor[of_camera])
    return slope, floor, _per_frame(ratio, frame, len(camera))


def _variance_line(square: Float64s, photon_variance: Float64s) -> tuple[float, float]:
    """Return slope and floor of variances against what light tells, from medians of sightings of like brightness."""
    bins = np.array_split(
        np.argsort(photon_variance, kind="stable"), min(_MAX_BINS, len(photon_variance) // _DETECTIONS_PER_BIN)
    )
    x = np.array([median(photon_variance[b]) for b in bins])
    y = np.maximum([median(square[b]) for b in bins], 1e-6)
    weight = np.array([len(b) for b in bins]) / y**2
    mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
    spread = np.average((x - mean_x) ** 2, weights=weight)
    slope = float(np.average((x - mean_x) * (y - mean_y), weights=weight) / spread) if spread > 0.0 else 1.0
    floor = float(
        np.clip(mean_y - np.clip(slope, 0.0, None) * mean_x, _FLOOR_RANGE_PX[0] ** 2, _FLOOR_RANGE_PX[1] ** 2)
    )
    slope = float(np.average(np.maximum(y - floor, 0.0) / x, weights=weight * x**2))
    return float(np.clip(slope, _ERROR_FACTOR_RANGE[0] ** 2, _ERROR_FACTOR_RANGE[1] ** 2)), floor


def _per_frame(ratio: Float64s, frame: Indices, frames: int) -> Float64s:
    """Return each frame's variance relative to what is usual."""
    order = np.lexsort((ratio, frame))
    count = np.bincount(frame, minlength=frames)
    start = np.cumsum(count) - count
    some = count > 0
    median = np.ones(frames)
    median[some] = ratio[order][start[some] + count[some] // 2]
    usual, least, most = _FRAME_VARIANCE_PRIOR
    return np.clip((count * median + usual) / (count + usual), least, most)


def reference_error(present: float, offset: Float64s, unknown: Float64s) -> float:
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
    usual, weight = _REFERENCE_PRIOR
    square = len(offset) * float(median(offset**2)) / _MEDIAN_SQUARE if len(offset) else 0.0
    determined = float(np.sum(1.0 - unknown / present**2))
    variance = (square + weight * usual**2) / (determined + weight)
    return float(np.clip(math.sqrt(variance), *_REFERENCE_RANGE_ARCSEC))


def estimated_priors(priors: Priors, cameras: Cameras, detections: Detections, excluded: NDArray[np.bool_]) -> Priors:
    """Return the priors that shapes and distortions of the present solution tell, one for each telescope.

    Parameters
    ----------
    priors : Priors
        The present ones.
    cameras : Cameras
    detections : Detections
    excluded : ndarray of bool, shape (frames,)
        Frames that have no say.

    Returns
    -------
    Priors
    """
    shape, distortion, session = (
        np.array(values) for values in (priors.shape_px, priors.distortion_px, priors.session_px)
    )
    shape_square, unknown = _shape_squares(priors, cameras, detections)
    off_radius = cameras.distortion - radial_part(cameras.distortion)
    session_difference = session_deviations(cameras.distortion, cameras.optics)
    for telescope in np.unique(cameras.optics):
        of_telescope = np.flatnonzero(cameras.optics == telescope)
        present = float(shape[of_telescope[0]])
        frames = np.isin(cameras.camera, of_telescope) & ~excluded
        determined = float(np.sum(1.0 - unknown[frames] / (3.0 * present**2)))
        square = float(np.minimum(shape_square[frames], 9.0 * 3.0 * present**2).sum()) / 3.0
        shape[of_telescope] = _posterior_size(_SHAPE_PRIOR, square, determined)
        normals = [
            _distortion_normal_matrix(detections, cameras.camera[detections.frame] == camera) for camera in of_telescope
        ]
        determined = 2.0 * sum(_effective_terms(normal, distortion[of_telescope[0]]) for normal in normals)
        distortion[of_telescope] = _posterior_size(
            _DISTORTION_PRIOR, float(np.sum(off_radius[of_telescope] ** 2)), determined
        )
        if len(of_telescope) > 1:
            determined = (
                2.0
                * sum(_effective_terms(normal, session[of_telescope[0]]) for normal in normals)
                * (1.0 - 1.0 / len(of_telescope))
            )
            session[of_telescope] = _posterior_size(
                _SESSION_PRIOR, float(np.sum(session_difference[of_telescope] ** 2)), determined
            )
    return Priors(shape, distortion, session)


def _posterior_size(imagined: tuple[float, float], square: float, determined: float) -> float:
    """Return the usual size of values with a sum of squares, so many of which are determined."""
    usual, weight = imagined
    return math.sqrt((square + weight * usual**2) / (determined + weight))


def _shape_squares(priors: Priors, cameras: Cameras, detections: Detections) -> tuple[Float64s, Float64s]:
    """Return the squared stray of each frame's shape and the variance that its stars leave it, shape (frames,)."""
    deviation = shape_deviations(cameras)[:, 1:]
    frames = len(cameras.camera)

    def total(values: Float64s) -> Float64s:
        return np.asarray(np.bincount(detections.frame, detections.weight * values, frames), np.float64)

    weight = np.maximum(total(np.ones_like(detections.u)), 1e-9)
    across = total(detections.u**2) - total(detections.u) ** 2 / weight + 1e-9
    along = total(detections.v**2) - total(detections.v) ** 2 / weight + 1e-9
    precision = priors.shape_px[cameras.camera] ** -2
    skew = 0.25 / across + 0.25 / along
    unknown = 1.0 / (across + precision) + 1.0 / (along + precision) + 2.0 / (1.0 / skew + 2.0 * precision)
    return (deviation**2).sum(axis=(1, 2)), unknown


def _distortion_normal_matrix(detections: Detections, of_camera: NDArray[np.bool_]) -> Float64s:
    """Return the normal equations of a camera's distortion, shape (9, 9)."""
    basis = distortion_terms(detections.u[of_camera], detections.v[of_camera])
    return np.asarray(np.einsum("kn,jn->kj", basis, detections.weight[of_camera] * basis), np.float64)


def _effective_terms(normal: Float64s, prior_px: float) -> float:
    """Return how many of a distortion's 7 terms the stars determine and not what is expected of them."""
    precision = np.full(len(normal), prior_px**-2)
    precision[-2:] = 1e-9
    unknown = np.diag(np.linalg.inv(normal + np.diag(precision)))[:-2]
    return float(np.sum(1.0 - unknown / prior_px**2))
