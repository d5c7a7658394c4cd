"""Least squares over all frames at once: star places, an affine map a frame, one distortion a camera.

A camera here is a telescope with its camera in one session; sessions of one telescope keep close to each other.

Star places are eliminated sighting by sighting (they are 2 x 2 blocks), which leaves a system in the
frames and cameras alone; conjugate gradients solve it without ever forming its matrix, so that time
and memory grow with the number of sightings only.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy.sparse.linalg import LinearOperator, cg

from zemosaic.arrays import Float64s as Floats
from zemosaic.arrays import Indices
from zemosaic.solving.astrometry.camera_model import (
    N_CAMERA_TERMS,
    N_DISTORTION_TERMS,
    Cameras,
    Detections,
    Priors,
    ReferenceStars,
    local_axes,
)
from zemosaic.wcs import SIP_TERMS

__all__ = [
    "directions",
    "distortion_terms",
    "least_squares_step",
    "radial_part",
    "residuals",
    "session_deviations",
    "shape_deviations",
]


_ARCSEC = np.radians(1.0 / 3600.0)
_RADIAL_PRIOR_PX = 10.0
_LINEAR_WEIGHT = 1e-9
_RADIAL_TERMS = np.array(
    [[float((p, q) in along) for along in (((3, 0), (1, 2)), ((0, 3), (2, 1)))] for p, q in SIP_TERMS]
)
"""Terms of a distortion along the radius, x and y, shape (7, 2)."""


def directions(cameras: Cameras, detections: Detections) -> Floats:
    """Return the unit vectors of sightings, shape (n, 3).

    Parameters
    ----------
    cameras : Cameras
    detections : Detections
    """
    plane = _times(cameras.cd[detections.frame], _undistorted(cameras, detections))
    axes = cameras.axes[detections.frame]
    toward = axes[:, 2] + plane[:, :1] * axes[:, 0] + plane[:, 1:] * axes[:, 1]
    return np.asarray(toward / np.linalg.norm(toward, axis=1, keepdims=True))


def residuals(cameras: Cameras, detections: Detections, stars: Floats) -> Floats:
    """Return how far sightings lie from their stars in undistorted pixels, shape (n, 2).

    Parameters
    ----------
    cameras : Cameras
    detections : Detections
    stars : ndarray, shape (stars, 3)
        Unit vectors.
    """
    x, y, depth = _components_along(cameras.axes[detections.frame], stars[detections.star])
    expected = _times(_inverse(cameras.cd)[detections.frame], np.column_stack([x / depth, y / depth]))
    return np.subtract(_undistorted(cameras, detections), expected)


def least_squares_step(
    cameras: Cameras,
    detections: Detections,
    stars: Floats,
    references: ReferenceStars,
    priors: Priors,
    tolerance: float = 1e-5,
) -> tuple[Cameras, Floats]:
    """Return cameras and star places (unit vectors, shape (stars, 3)) after one least-squares step.

    The stars are eliminated from the normal equations, and what is left is solved by conjugate gradients.

    Parameters
    ----------
    cameras : Cameras
        Frames and distortions that are fixed in them stay as they are.
    detections : Detections
        Ordered by frame.
    stars : ndarray, shape (stars, 3)
        Present places, unit vectors.
    references : ReferenceStars
        Of the same stars; a weight of 0 where no catalogue has one.
    priors : Priors
    tolerance : float
        Conjugate gradients stop at this part of the right side, or after 150 rounds.
    """
    residual = residuals(cameras, detections, stars).T
    system = _System(cameras, detections, _image_derivatives(cameras, detections, stars), references, priors)
    reference_pull = (references.weight[:, None] * references.offset).T
    right_side = -system.transposed_product(system.stars_eliminated(residual, reference_pull))
    right_side -= system.prior_gradient(
        np.concatenate([shape_deviations(cameras).ravel(), _with_linear_terms(cameras.distortion).ravel()])
    )
    free = cameras.free
    right_side *= free
    operator = LinearOperator(
        (len(right_side), len(right_side)), matvec=lambda x: free * system.apply(x), dtype=np.float64
    )
    precondition = LinearOperator(operator.shape, matvec=system.precondition, dtype=np.float64)
    # Where it stops short, the next round goes on: the caller repeats the step until nothing moves.
    change, _ = cg(operator, right_side, rtol=tolerance, maxiter=150, M=precondition)
    star_shift = system.star_shift(residual + system.jacobian_product(change), reference_pull)
    return _moved(cameras, *system.split(change)), _shifted(stars, star_shift.T)


class _System:
    """The normal equations of one step, stars eliminated, as products with vectors.

    Everything that is added up over the sightings lies component first, so that each operation runs along memory.
    Sums go through einsum, not through BLAS: their last digits must not depend on the number of threads.
    """

    def __init__(
        self, cameras: Cameras, detections: Detections, slope: Floats, references: ReferenceStars, priors: Priors
    ) -> None:
        self.u, self.v, self.weight, self.star = detections.u, detections.v, detections.weight, detections.star
        self.slope = slope
        self.terms = distortion_terms(detections.u, detections.v)
        self.frames, self.groups, self.stars = len(cameras.camera), len(cameras.radius_px), len(references.weight)
        self.shape_precision = priors.shape_px[cameras.camera][:, None, None] ** -2
        self.distortion_precision = priors.distortion_px[:, None, None] ** -2
        self.session_precision = priors.session_px[:, None, None] ** -2
        self.optics = cameras.optics
        self.frame_size = self.frames * 6
        self.count = np.bincount(detections.frame, minlength=self.frames)
        self.filled = self.count > 0
        self.starts = (np.cumsum(self.count) - self.count)[self.filled]
        bounds = np.searchsorted(cameras.camera[detections.frame], np.arange(self.groups + 1))
        self.parts = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        (a, b), (c, d) = slope
        tie = references.weight + 1e-9
        ee, nn = self._per_star(a * a + c * c) + tie, self._per_star(b * b + d * d) + tie
        en = self._per_star(a * b + c * d)
        self.star_inverse = np.array([[nn, -en], [-en, ee]]) / (ee * nn - en * en)
        self.frame_inverse, self.group_inverse = self._blocks()

    def _per_star(self, values: Floats) -> Floats:
        """Return the weighted sum of values, shape (n,), over each star's sightings."""
        return np.bincount(self.star, self.weight * values, self.stars).astype(np.float64, copy=False)

    def _per_frame(self, values: Floats) -> Floats:
        """Return the sum of values, shape (n,), over each frame's sightings."""
        sums = np.zeros(self.frames)
        sums[self.filled] = np.add.reduceat(values, self.starts)
        return sums

    def _blocks(self) -> tuple[Floats, Floats]:
        """Return the inverses of the frames' and of the cameras' own blocks, which make the steps short."""
        linear = (np.ones_like(self.u), self.u, self.v)
        frame = np.array([[self._per_frame(self.weight * p * q) for p in linear] for q in linear])
        weighted = self.weight * self.terms
        group = [np.einsum("kn,jn->kj", self.terms[:, part], weighted[:, part]) for part in self.parts]
        session_block = self.session_precision * (1.0 - 1.0 / np.bincount(self.optics)[self.optics])[:, None, None]
        distortion_block = (self.distortion_precision + session_block) * np.diag([1.0] * N_DISTORTION_TERMS + [0.0] * 2)
        distortion_block += np.diag([0.0] * N_DISTORTION_TERMS + [_LINEAR_WEIGHT] * 2)
        shape_block = self.shape_precision * np.diag([0.0, 0.5, 0.5]) + np.diag([1e-9, 0.0, 0.0])
        return _inverse(np.moveaxis(frame, -1, 0) + shape_block), _inverse(np.array(group) + distortion_block)

    def split(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the frames' part, shape (frames, 3, 2), and the cameras', shape (cameras, 9, 2)."""
        return x[: self.frame_size].reshape(-1, 3, 2), x[self.frame_size :].reshape(-1, N_CAMERA_TERMS, 2)

    def jacobian_product(self, x: Floats) -> Floats:
        """Return how a change of the cameras moves every sighting, pixels, shape (2, n)."""
        frames, groups = self.split(x)
        moved = np.empty((2, len(self.u)))
        for axis in range(2):
            shift, along_u, along_v = (np.repeat(frames[:, k, axis], self.count) for k in range(3))
            moved[axis] = shift + along_u * self.u + along_v * self.v
        for part, change in zip(self.parts, groups, strict=True):
            moved[:, part] += np.einsum("ka,kn->an", change, self.terms[:, part])
        return moved

    def transposed_product(self, residual: Floats) -> Floats:
        """Return the transpose of `spread` of weighted values, shape (2, n)."""
        weighted = self.weight * residual
        frames = np.empty((self.frames, 3, 2))
        for axis in range(2):
            frames[:, 0, axis] = self._per_frame(weighted[axis])
            frames[:, 1, axis] = self._per_frame(weighted[axis] * self.u)
            frames[:, 2, axis] = self._per_frame(weighted[axis] * self.v)
        groups = [np.einsum("kn,an->ka", self.terms[:, part], weighted[:, part]) for part in self.parts]
        return np.concatenate([frames.ravel(), *(g.ravel() for g in groups)])

    def star_shift(self, residual: Floats, reference_pull: Floats | float) -> Floats:
        """Return the best shift of every star, arcsec, shape (2, stars), when its sightings miss by `canvas_shift`."""
        (a, b), (c, d) = self.slope
        right_side = np.array(
            [self._per_star(a * residual[0] + c * residual[1]), self._per_star(b * residual[0] + d * residual[1])]
        )
        right_side += reference_pull
        return np.asarray((self.star_inverse * right_side).sum(axis=1))

    def stars_eliminated(self, residual: Floats, reference_pull: Floats | float = 0.0) -> Floats:
        """Return what the stars' best shifts leave of `canvas_shift`, shape (2, n)."""
        east, north = self.star_shift(residual, reference_pull)
        east, north = east[self.star], north[self.star]
        return np.array([residual[k] - self.slope[k, 0] * east - self.slope[k, 1] * north for k in range(2)])

    def apply(self, x: Floats) -> Floats:
        return self.transposed_product(self.stars_eliminated(self.jacobian_product(x))) + self.prior_gradient(x)

    def prior_gradient(self, x: Floats) -> Floats:
        """Return the slope of what holds frames near their camera's shape, bends near none and sessions together."""
        frames, groups = self.split(x)
        shape_gradient = np.zeros_like(frames)
        shape_gradient[:, 1:] = 0.5 * (frames[:, 1:] + np.swapaxes(frames[:, 1:], 1, 2)) * self.shape_precision
        distortion = groups[:, :N_DISTORTION_TERMS]
        radial = radial_part(distortion)
        distortion_gradient = (distortion - radial) * self.distortion_precision + radial / _RADIAL_PRIOR_PX**2
        distortion_gradient += session_deviations(distortion, self.optics) * self.session_precision
        camera_gradient = np.concatenate([distortion_gradient, groups[:, N_DISTORTION_TERMS:] * _LINEAR_WEIGHT], axis=1)
        return np.concatenate([shape_gradient.ravel(), camera_gradient.ravel()])

    def precondition(self, r: Floats) -> Floats:
        frames, groups = self.split(r)
        return np.concatenate([(self.frame_inverse @ frames).ravel(), (self.group_inverse @ groups).ravel()])


def _image_derivatives(cameras: Cameras, detections: Detections, stars: Floats) -> Floats:
    """Return the pixels by which images move per arcsec of their star to the east and north, shape (2, 2, n)."""
    axes, local = cameras.axes[detections.frame], local_axes(stars)[:, :2]
    x, y, depth = _components_along(axes, stars[detections.star])
    (a, b), (c, d) = np.moveaxis(_inverse(cameras.cd)[detections.frame], 0, -1)
    slope = np.empty((2, 2, len(x)))
    for k in range(2):
        along_x, along_y, along_depth = _components_along(axes, local[detections.star, k])
        xi = (along_x - x / depth * along_depth) / depth
        eta = (along_y - y / depth * along_depth) / depth
        slope[0, k], slope[1, k] = (a * xi + b * eta) * _ARCSEC, (c * xi + d * eta) * _ARCSEC
    return slope


def _components_along(axes: Floats, vectors: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the components of vectors, shape (n, 3), along each of three axes, shape (n, 3, 3)."""
    x, y, z = (np.einsum("nj,nj->n", axes[:, k], vectors) for k in range(3))
    return x, y, z


def _inverse(matrices: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrices), np.float64)


def _times(matrices: Floats, vectors: Floats) -> Floats:
    """Return the products of 2 x 2 matrices, shape (n, 2, 2), and vectors, shape (n, 2)."""
    x, y = vectors.T
    return np.column_stack([matrices[:, k, 0] * x + matrices[:, k, 1] * y for k in range(2)])


def _powers(u: Floats, v: Floats) -> Floats:
    """Return the distortion's terms, shape (7, n), in the order of `SIP_TERMS`."""
    uu, uv, vv = u * u, u * v, v * v
    return np.array([uu, uv, vv, uu * u, uu * v, u * vv, vv * v])


def distortion_terms(u: Floats, v: Floats) -> Floats:
    """Return what a camera's frames share, shape (9, n): the distortion's terms less their linear part, u and v.

    Taking the linear part out keeps the frames' and the cameras' unknowns apart, which is what lets
    the conjugate gradients converge; `_moved` puts it back.

    Parameters
    ----------
    u, v : ndarray, shape (n,)
        Place on the frame from its centre, in units of its camera's reach.
    """
    return np.vstack([_powers(u, v) - _linear_part().T @ np.array([np.ones_like(u), u, v]), [u, v]])


def _with_linear_terms(distortion: Floats) -> Floats:
    """Return bends, shape (cameras, 7, 2), with empty linear terms behind them, shape (cameras, 9, 2)."""
    return np.concatenate([distortion, np.zeros((len(distortion), N_CAMERA_TERMS - N_DISTORTION_TERMS, 2))], axis=1)


def session_deviations(distortion: Floats, optics: Indices) -> Floats:
    """Return how distortions, shape (cameras, 7, 2), differ from the mean of their telescope's sessions.

    Parameters
    ----------
    distortion : ndarray, shape (cameras, 7, 2)
    optics : ndarray of int, shape (cameras,)
    """
    total = np.zeros((int(optics.max()) + 1, *distortion.shape[1:]))
    np.add.at(total, optics, distortion)
    return np.asarray(distortion - (total / np.bincount(optics)[:, None, None])[optics])


def radial_part(distortion: Floats) -> Floats:
    """Return the part of distortions, shape (cameras, 7, 2), that a lens has: along the radius."""
    share = (distortion * _RADIAL_TERMS).sum(axis=(1, 2), keepdims=True) / _RADIAL_TERMS.sum()
    return np.asarray(share * _RADIAL_TERMS)


def shape_deviations(cameras: Cameras) -> Floats:
    """Return how far each frame's scale and shear are from its camera's usual ones.

    Returns
    -------
    ndarray
        Pixels at the reach, shape (frames, 3, 2): along nothing (0), u and v, of x and y.
    """
    square = np.swapaxes(cameras.cd, 1, 2) @ cameras.cd
    root = np.sqrt(np.linalg.det(square))
    shape = square + root[:, None, None] * np.eye(2)
    shape /= np.sqrt(np.trace(square, axis1=1, axis2=2) + 2.0 * root)[:, None, None]
    away = np.zeros((len(shape), 3, 2))
    for index, radius_px in enumerate(cameras.radius_px):
        own = cameras.camera == index
        usual = np.median(shape[own], axis=0)
        away[own, 1:] = (shape[own] - usual) / np.sqrt(np.linalg.det(usual)) * radius_px
    return away


def _linear_part() -> Floats:
    """Return the affine map closest to each term over a frame, shape (3, 7)."""
    u, v = np.reshape(np.meshgrid(*[np.linspace(-0.7, 0.7, 15)] * 2), (2, -1))
    return np.asarray(np.linalg.lstsq(np.column_stack([np.ones_like(u), u, v]), _powers(u, v).T, rcond=None)[0])


def _undistorted(cameras: Cameras, detections: Detections) -> Floats:
    """Return undistorted pixels from the frames' centres, shape (n, 2)."""
    straight: Floats = np.column_stack([detections.u, detections.v])
    group = cameras.camera[detections.frame]
    for index, (radius_px, bend) in enumerate(zip(cameras.radius_px, cameras.distortion, strict=True)):
        part = slice(*np.searchsorted(group, (index, index + 1)))
        powers = _powers(detections.u[part], detections.v[part])
        straight[part] *= radius_px
        for axis in range(2):
            straight[part, axis] += np.einsum("k,kn->n", bend[:, axis], powers)
    return straight


def _moved(cameras: Cameras, frames: Floats, groups: Floats) -> Cameras:
    """Return the cameras after a change of the frames (frames, 3, 2) and of the cameras (cameras, 9, 2)."""
    bends = groups[:, :N_DISTORTION_TERMS]
    shared = -np.einsum("ij,gjk->gik", _linear_part(), bends)
    shared[:, 1:] += groups[:, N_DISTORTION_TERMS:]
    whole = frames + shared[cameras.camera]
    stretch = np.eye(2) + np.swapaxes(whole[:, 1:], 1, 2) / cameras.radius_px[cameras.camera][:, None, None]
    shift = np.einsum("fij,fj->fi", cameras.cd, whole[:, 0])
    toward = cameras.axes[:, 2] + shift[:, :1] * cameras.axes[:, 0] + shift[:, 1:] * cameras.axes[:, 1]
    pointing = toward / np.linalg.norm(toward, axis=1, keepdims=True)
    axes = local_axes(pointing)
    # North turns under a pointing that moves in right ascension: the matrix turns back with it.
    turn = np.einsum("fij,fkj->fik", axes[:, :2], cameras.axes[:, :2])
    cd = np.einsum("fij,fjk,fkl->fil", turn, cameras.cd, stretch)
    return replace(cameras, axes=axes, cd=cd, distortion=cameras.distortion + bends)


def _shifted(stars: Floats, shift: Floats) -> Floats:
    local = local_axes(stars)
    moved = stars + _ARCSEC * (shift[:, :1] * local[:, 0] + shift[:, 1:] * local[:, 1])
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True))
