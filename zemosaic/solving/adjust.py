"""Least squares over all frames at once: star places, an affine map a frame, one distortion a camera.

A camera here is a telescope with its camera in one session; sessions of one telescope keep close to each other.

Star places are eliminated sighting by sighting (they are 2 x 2 blocks), which leaves a system in the
frames and cameras alone; conjugate gradients solve it without ever forming its matrix, so that time
and memory grow with the number of sightings only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from zemosaic.sky import SIP_TERMS, Distortion, FrameWcs, ra_dec, unit_vectors

__all__ = [
    "Anchors",
    "Cameras",
    "Priors",
    "Sightings",
    "adjusted",
    "along_radius",
    "between_sessions",
    "camera_wcs",
    "cameras_of",
    "directions",
    "held_cameras",
    "misses",
    "strays",
    "terms",
]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_ARCSEC = np.radians(1.0 / 3600.0)
_RADIAL_PRIOR_PX = 10.0
_BENDS = len(SIP_TERMS)
_TERMS = _BENDS + 2
_LINEAR_WEIGHT = 1e-9
_RADIAL = np.array([[float((p, q) in along) for along in (((3, 0), (1, 2)), ((0, 3), (2, 1)))] for p, q in SIP_TERMS])
"""Terms of a distortion along the radius, x and y, shape (7, 2)."""


@dataclass(frozen=True)
class Sightings:
    """Detections of stars, ordered by frame; shape (n,)."""

    frame: Indices
    star: Indices
    u: Floats
    """Columns from the frame's centre over the camera's reach."""
    v: Floats
    weight: Floats
    """Inverse square of the centroid's error in pixels, 0 for sightings to be left out."""


@dataclass(frozen=True)
class Anchors:
    """Catalogue places of stars: `offset` from the present place (east, north) in arcsec, shape (stars, 2)."""

    offset: Floats
    weight: Floats
    """Inverse square of the catalogue's error in arcsec, 0 where a star is in no catalogue; shape (stars,)."""


@dataclass(frozen=True)
class Cameras:
    """Where the frames point and how their cameras bend; frames are ordered by camera."""

    axes: Floats
    """East, north and the pointing as unit vectors, shape (frames, 3, 3)."""
    cd: Floats
    """Radians on the tangent plane per undistorted pixel, shape (frames, 2, 2)."""
    camera: Indices
    """Camera of each frame, ascending, shape (frames,)."""
    optics: Indices
    """Telescope of each camera, shape (cameras,)."""
    reach: Floats
    """Half diagonals in pixels, shape (cameras,)."""
    bend: Floats
    """Pixels per term of `SIP_TERMS` in units of the reach, x and y, shape (cameras, 7, 2)."""
    held: NDArray[np.bool_]
    """Frames that are where they are, shape (frames,)."""
    held_bends: NDArray[np.bool_]
    """Cameras that bend as they do, shape (cameras,)."""

    @property
    def free(self) -> Floats:
        """1 for each unknown of `adjusted`, 0 for what is held, frames first."""
        return np.concatenate([np.repeat(~self.held, 6), np.repeat(~self.held_bends, 2 * _TERMS)]).astype(np.float64)


@dataclass(frozen=True)
class Priors:
    """What holds the unknowns back where the stars say little; standard deviations in pixels, shape (cameras,)."""

    shape_px: Floats
    """How far a frame's scale and shear stray from its camera's, at the reach: refraction, focus."""
    bend_px: Floats
    """How far a distortion strays from one along the radius: tilt and decentring."""
    session_px: Floats
    """How far a distortion strays from the mean of its telescope's sessions."""


def cameras_of(frames: list[FrameWcs], camera: Indices, optics: Indices, reach: Floats) -> Cameras:
    """Return the cameras of frames whose solutions refer to the frames' centres, without their distortion."""
    pointing = np.array([(w.ra_deg, w.dec_deg) for w in frames])
    cd = np.radians(np.array([w.cd for w in frames]))
    axes = _axes(unit_vectors(pointing[:, 0], pointing[:, 1]))
    bend, none = np.zeros((len(reach), _BENDS, 2)), np.zeros(len(frames), bool)
    return Cameras(axes, cd, camera, optics, reach, bend, none, np.zeros(len(reach), bool))


def held_cameras(cameras: Cameras, known: Mapping[int, FrameWcs]) -> Cameras:
    """Return cameras some of whose frames are held, and with them how their cameras bend.

    Parameters
    ----------
    cameras : Cameras
    known : mapping
        By frame its solution as `camera_wcs` gave it.  Of a camera, those are held that bend like its first.
    """
    axes, cd, bend = cameras.axes.copy(), cameras.cd.copy(), cameras.bend.copy()
    held, held_bends = cameras.held.copy(), cameras.held_bends.copy()
    bends: dict[int, Distortion] = {}
    for frame, wcs in sorted(known.items()):
        group = int(cameras.camera[frame])
        if wcs.distortion is None or bends.setdefault(group, wcs.distortion) != wcs.distortion:
            continue
        axes[frame] = _axes(unit_vectors(np.array([wcs.ra_deg]), np.array([wcs.dec_deg])))[0]
        cd[frame], held[frame], held_bends[group] = np.radians(wcs.cd), True, True
    for group, distortion in bends.items():
        powers = cameras.reach[group] ** np.array([p + q for p, q in SIP_TERMS])
        bend[group] = np.array([distortion.a, distortion.b]).T * powers[:, None]
    return replace(cameras, axes=axes, cd=cd, bend=bend, held=held, held_bends=held_bends)


def camera_wcs(cameras: Cameras, frame: int, x_ref: float, y_ref: float) -> FrameWcs:
    """Return the WCS of one frame."""
    ra, dec = ra_dec(cameras.axes[frame, 2])
    (a, b), (c, d) = np.degrees(cameras.cd[frame])
    group = cameras.camera[frame]
    powers = cameras.reach[group] ** np.array([p + q for p, q in SIP_TERMS])
    bend = cameras.bend[group] / powers[:, None]
    distortion = Distortion(tuple(map(float, bend[:, 0])), tuple(map(float, bend[:, 1])))
    return FrameWcs(float(ra), float(dec), x_ref, y_ref, ((float(a), float(b)), (float(c), float(d))), distortion)


def directions(cameras: Cameras, seen: Sightings) -> Floats:
    """Return the unit vectors of sightings, shape (n, 3)."""
    plane = _times(cameras.cd[seen.frame], _straight(cameras, seen))
    axes = cameras.axes[seen.frame]
    toward = axes[:, 2] + plane[:, :1] * axes[:, 0] + plane[:, 1:] * axes[:, 1]
    return toward / np.linalg.norm(toward, axis=1, keepdims=True)


def misses(cameras: Cameras, seen: Sightings, stars: Floats) -> Floats:
    """Return how far sightings lie from their stars in undistorted pixels, shape (n, 2).

    Parameters
    ----------
    stars : ndarray
        Unit vectors, shape (stars, 3).
    """
    x, y, depth = _seen_along(cameras.axes[seen.frame], stars[seen.star])
    expected = _times(_inverse(cameras.cd)[seen.frame], np.column_stack([x / depth, y / depth]))
    return np.subtract(_straight(cameras, seen), expected)


def adjusted(
    cameras: Cameras, seen: Sightings, stars: Floats, anchors: Anchors, priors: Priors, tolerance: float = 1e-5
) -> tuple[Cameras, Floats]:
    """Return cameras and star places (unit vectors, shape (stars, 3)) after one least-squares step."""
    miss = misses(cameras, seen, stars).T
    system = _System(cameras, seen, _slopes(cameras, seen, stars), anchors, priors)
    pull = (anchors.weight[:, None] * anchors.offset).T
    right = -system.gathered(system.without_stars(miss, pull))
    right -= system.held_back(np.concatenate([strays(cameras).ravel(), _with_linear(cameras.bend).ravel()]))
    free = cameras.free
    right *= free
    operator = LinearOperator((len(right), len(right)), matvec=lambda x: free * system.apply(x), dtype=np.float64)
    precondition = LinearOperator(operator.shape, matvec=system.precondition, dtype=np.float64)
    # Where it stops short, the next round goes on: the caller repeats the step until nothing moves.
    change, _ = cg(operator, right, rtol=tolerance, maxiter=150, M=precondition)
    star_shift = system.star_shift(miss + system.spread(change), pull)
    return _moved(cameras, *system.split(change)), _shifted(stars, star_shift.T)


class _System:
    """The normal equations of one step, stars eliminated, as products with vectors.

    Everything that is added up over the sightings lies component first, so that each operation runs along memory.
    Sums go through einsum, not through BLAS: their last digits must not depend on the number of threads.
    """

    def __init__(self, cameras: Cameras, seen: Sightings, slope: Floats, anchors: Anchors, priors: Priors) -> None:
        self.u, self.v, self.weight, self.star = seen.u, seen.v, seen.weight, seen.star
        self.slope = slope
        self.bends = terms(seen.u, seen.v)
        self.frames, self.groups, self.stars = len(cameras.camera), len(cameras.reach), len(anchors.weight)
        self.shape_hold = priors.shape_px[cameras.camera][:, None, None] ** -2
        self.bend_hold = priors.bend_px[:, None, None] ** -2
        self.session_hold = priors.session_px[:, None, None] ** -2
        self.optics = cameras.optics
        self.frame_size = self.frames * 6
        self.count = np.bincount(seen.frame, minlength=self.frames)
        self.filled = self.count > 0
        self.starts = (np.cumsum(self.count) - self.count)[self.filled]
        bounds = np.searchsorted(cameras.camera[seen.frame], np.arange(self.groups + 1))
        self.parts = [slice(int(a), int(b)) for a, b in pairwise(bounds)]
        (a, b), (c, d) = slope
        tie = anchors.weight + 1e-9
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
        weighted = self.weight * self.bends
        group = [np.einsum("kn,jn->kj", self.bends[:, part], weighted[:, part]) for part in self.parts]
        together = self.session_hold * (1.0 - 1.0 / np.bincount(self.optics)[self.optics])[:, None, None]
        bend = (self.bend_hold + together) * np.diag([1.0] * _BENDS + [0.0] * 2)
        bend += np.diag([0.0] * _BENDS + [_LINEAR_WEIGHT] * 2)
        shape = self.shape_hold * np.diag([0.0, 0.5, 0.5]) + np.diag([1e-9, 0.0, 0.0])
        return _inverse(np.moveaxis(frame, -1, 0) + shape), _inverse(np.array(group) + bend)

    def split(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the frames' part, shape (frames, 3, 2), and the cameras', shape (cameras, 9, 2)."""
        return x[: self.frame_size].reshape(-1, 3, 2), x[self.frame_size :].reshape(-1, _TERMS, 2)

    def spread(self, x: Floats) -> Floats:
        """Return how a change of the cameras moves every sighting, pixels, shape (2, n)."""
        frames, groups = self.split(x)
        moved = np.empty((2, len(self.u)))
        for axis in range(2):
            shift, along_u, along_v = (np.repeat(frames[:, k, axis], self.count) for k in range(3))
            moved[axis] = shift + along_u * self.u + along_v * self.v
        for part, change in zip(self.parts, groups, strict=True):
            moved[:, part] += np.einsum("ka,kn->an", change, self.bends[:, part])
        return moved

    def gathered(self, moved: Floats) -> Floats:
        """Return the transpose of `spread` of weighted values, shape (2, n)."""
        weighted = self.weight * moved
        frames = np.empty((self.frames, 3, 2))
        for axis in range(2):
            frames[:, 0, axis] = self._per_frame(weighted[axis])
            frames[:, 1, axis] = self._per_frame(weighted[axis] * self.u)
            frames[:, 2, axis] = self._per_frame(weighted[axis] * self.v)
        groups = [np.einsum("kn,an->ka", self.bends[:, part], weighted[:, part]) for part in self.parts]
        return np.concatenate([frames.ravel(), *(g.ravel() for g in groups)])

    def star_shift(self, moved: Floats, pull: Floats | float) -> Floats:
        """Return the best shift of every star, arcsec, shape (2, stars), when its sightings miss by `moved`."""
        (a, b), (c, d) = self.slope
        pushed = np.array([self._per_star(a * moved[0] + c * moved[1]), self._per_star(b * moved[0] + d * moved[1])])
        pushed += pull
        return (self.star_inverse * pushed).sum(axis=1)

    def without_stars(self, moved: Floats, pull: Floats | float = 0.0) -> Floats:
        """Return what the stars' best shifts leave of `moved`, shape (2, n)."""
        east, north = self.star_shift(moved, pull)
        east, north = east[self.star], north[self.star]
        return np.array([moved[k] - self.slope[k, 0] * east - self.slope[k, 1] * north for k in range(2)])

    def apply(self, x: Floats) -> Floats:
        return self.gathered(self.without_stars(self.spread(x))) + self.held_back(x)

    def held_back(self, x: Floats) -> Floats:
        """Return the slope of what holds frames near their camera's shape, bends near none and sessions together."""
        frames, groups = self.split(x)
        pull = np.zeros_like(frames)
        pull[:, 1:] = 0.5 * (frames[:, 1:] + np.swapaxes(frames[:, 1:], 1, 2)) * self.shape_hold
        bends = groups[:, :_BENDS]
        radial = along_radius(bends)
        bent = (bends - radial) * self.bend_hold + radial / _RADIAL_PRIOR_PX**2
        bent += between_sessions(bends, self.optics) * self.session_hold
        held = np.concatenate([bent, groups[:, _BENDS:] * _LINEAR_WEIGHT], axis=1)
        return np.concatenate([pull.ravel(), held.ravel()])

    def precondition(self, r: Floats) -> Floats:
        frames, groups = self.split(r)
        return np.concatenate([(self.frame_inverse @ frames).ravel(), (self.group_inverse @ groups).ravel()])


def _slopes(cameras: Cameras, seen: Sightings, stars: Floats) -> Floats:
    """Return the pixels by which images move per arcsec of their star to the east and north, shape (2, 2, n)."""
    axes, local = cameras.axes[seen.frame], _axes(stars)[:, :2]
    x, y, depth = _seen_along(axes, stars[seen.star])
    (a, b), (c, d) = np.moveaxis(_inverse(cameras.cd)[seen.frame], 0, -1)
    slope = np.empty((2, 2, len(x)))
    for k in range(2):
        along_x, along_y, along_depth = _seen_along(axes, local[seen.star, k])
        xi = (along_x - x / depth * along_depth) / depth
        eta = (along_y - y / depth * along_depth) / depth
        slope[0, k], slope[1, k] = (a * xi + b * eta) * _ARCSEC, (c * xi + d * eta) * _ARCSEC
    return slope


def _seen_along(axes: Floats, vectors: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the components of vectors, shape (n, 3), along each of three axes, shape (n, 3, 3)."""
    x, y, z = (np.einsum("nj,nj->n", axes[:, k], vectors) for k in range(3))
    return x, y, z


def _inverse(matrices: Floats) -> Floats:
    return np.asarray(np.linalg.inv(matrices), np.float64)


def _times(matrices: Floats, vectors: Floats) -> Floats:
    """Return the products of 2 x 2 matrices, shape (n, 2, 2), and vectors, shape (n, 2)."""
    x, y = vectors.T
    return np.column_stack([matrices[:, k, 0] * x + matrices[:, k, 1] * y for k in range(2)])


def _axes(pointing: Floats) -> Floats:
    """Return (east, north, pointing), shape (n, 3, 3), of unit vectors."""
    x, y = pointing[:, 0], pointing[:, 1]
    flat = np.hypot(x, y)
    at_pole = flat < 1e-12
    safe = np.where(at_pole, 1.0, flat)
    east = np.stack([np.where(at_pole, 0.0, -y / safe), np.where(at_pole, 1.0, x / safe), np.zeros_like(x)], axis=1)
    return np.stack([east, np.cross(pointing, east), pointing], axis=1)


def _powers(u: Floats, v: Floats) -> Floats:
    """Return the distortion's terms, shape (7, n), in the order of `SIP_TERMS`."""
    uu, uv, vv = u * u, u * v, v * v
    return np.array([uu, uv, vv, uu * u, uu * v, u * vv, vv * v])


def terms(u: Floats, v: Floats) -> Floats:
    """Return what a camera's frames share, shape (9, n): the distortion's terms less their linear part, u and v.

    Taking the linear part out keeps the frames' and the cameras' unknowns apart, which is what lets
    the conjugate gradients converge; `_moved` puts it back.
    """
    return np.vstack([_powers(u, v) - _linear_part().T @ np.array([np.ones_like(u), u, v]), [u, v]])


def _with_linear(bend: Floats) -> Floats:
    """Return bends, shape (cameras, 7, 2), with empty linear terms behind them, shape (cameras, 9, 2)."""
    return np.concatenate([bend, np.zeros((len(bend), _TERMS - _BENDS, 2))], axis=1)


def between_sessions(bends: Floats, optics: Indices) -> Floats:
    """Return how distortions, shape (cameras, 7, 2), differ from the mean of their telescope's sessions."""
    total = np.zeros((int(optics.max()) + 1, *bends.shape[1:]))
    np.add.at(total, optics, bends)
    return np.asarray(bends - (total / np.bincount(optics)[:, None, None])[optics], np.float64)


def along_radius(bends: Floats) -> Floats:
    """Return the part of distortions, shape (cameras, 7, 2), that a lens has: along the radius."""
    return (bends * _RADIAL).sum(axis=(1, 2), keepdims=True) / _RADIAL.sum() * _RADIAL


def strays(cameras: Cameras) -> Floats:
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
    for index, reach in enumerate(cameras.reach):
        own = cameras.camera == index
        usual = np.median(shape[own], axis=0)
        away[own, 1:] = (shape[own] - usual) / np.sqrt(np.linalg.det(usual)) * reach
    return away


def _linear_part() -> Floats:
    """Return the affine map closest to each term over a frame, shape (3, 7)."""
    u, v = (a.ravel() for a in np.meshgrid(np.linspace(-0.7, 0.7, 15), np.linspace(-0.7, 0.7, 15)))
    linear = np.column_stack([np.ones_like(u), u, v])
    return np.asarray(np.linalg.lstsq(linear, _powers(u, v).T, rcond=None)[0], np.float64)


def _straight(cameras: Cameras, seen: Sightings) -> Floats:
    """Return undistorted pixels from the frames' centres, shape (n, 2)."""
    straight: Floats = np.column_stack([seen.u, seen.v])
    group = cameras.camera[seen.frame]
    for index, (reach, bend) in enumerate(zip(cameras.reach, cameras.bend, strict=True)):
        part = slice(*np.searchsorted(group, (index, index + 1)))
        powers = _powers(seen.u[part], seen.v[part])
        straight[part] *= reach
        for axis in range(2):
            straight[part, axis] += np.einsum("k,kn->n", bend[:, axis], powers)
    return straight


def _moved(cameras: Cameras, frames: Floats, groups: Floats) -> Cameras:
    """Return the cameras after a change of the frames (frames, 3, 2) and of the cameras (cameras, 9, 2)."""
    bends = groups[:, :_BENDS]
    shared = -np.einsum("ij,gjk->gik", _linear_part(), bends)
    shared[:, 1:] += groups[:, _BENDS:]
    whole = frames + shared[cameras.camera]
    stretch = np.eye(2) + np.swapaxes(whole[:, 1:], 1, 2) / cameras.reach[cameras.camera][:, None, None]
    shift = np.einsum("fij,fj->fi", cameras.cd, whole[:, 0])
    toward = cameras.axes[:, 2] + shift[:, :1] * cameras.axes[:, 0] + shift[:, 1:] * cameras.axes[:, 1]
    pointing = toward / np.linalg.norm(toward, axis=1, keepdims=True)
    axes = _axes(pointing)
    # North turns under a pointing that moves in right ascension: the matrix turns back with it.
    turn = np.einsum("fij,fkj->fik", axes[:, :2], cameras.axes[:, :2])
    cd = np.einsum("fij,fjk,fkl->fil", turn, cameras.cd, stretch)
    return replace(cameras, axes=axes, cd=cd, bend=cameras.bend + bends)


def _shifted(stars: Floats, shift: Floats) -> Floats:
    local = _axes(stars)
    moved = stars + _ARCSEC * (shift[:, :1] * local[:, 0] + shift[:, 1:] * local[:, 1])
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
