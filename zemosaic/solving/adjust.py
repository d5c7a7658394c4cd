"""Least squares over all frames at once: star places, an affine map a frame, one distortion a camera.

Star places are eliminated sighting by sighting (they are 2 x 2 blocks), which leaves a system in the
frames and cameras alone; conjugate gradients solve it without ever forming its matrix, so that time
and memory grow with the number of sightings only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from zemosaic.sky import SIP_TERMS, Distortion, FrameWcs, ra_dec, unit_vectors

__all__ = ["Anchors", "Cameras", "Sightings", "adjusted", "camera_wcs", "cameras_of", "directions", "misses"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_ARCSEC = np.radians(1.0 / 3600.0)
_BEND_PRIOR_PX = 5.0
_TERMS = len(SIP_TERMS)


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
    reach: Floats
    """Half diagonals in pixels, shape (cameras,)."""
    bend: Floats
    """Pixels per term of `SIP_TERMS` in units of the reach, x and y, shape (cameras, 7, 2)."""


def cameras_of(frames: list[FrameWcs], camera: Indices, reach: Floats) -> Cameras:
    """Return the cameras of frames whose solutions refer to the frames' centres, without their distortion."""
    pointing = np.array([(w.ra_deg, w.dec_deg) for w in frames])
    cd = np.radians(np.array([w.cd for w in frames]))
    return Cameras(
        _axes(unit_vectors(pointing[:, 0], pointing[:, 1])), cd, camera, reach, np.zeros((len(reach), _TERMS, 2))
    )


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
    plane = np.einsum("nij,nj->ni", cameras.cd[seen.frame], _straight(cameras, seen))
    axes = cameras.axes[seen.frame]
    toward = axes[:, 2] + plane[:, :1] * axes[:, 0] + plane[:, 1:] * axes[:, 1]
    return toward / np.linalg.norm(toward, axis=1, keepdims=True)


def misses(cameras: Cameras, seen: Sightings, stars: Floats) -> tuple[Floats, Floats]:
    """Return how far sightings lie from their stars, and how that changes when the stars move.

    Parameters
    ----------
    stars : ndarray
        Unit vectors, shape (stars, 3).

    Returns
    -------
    miss : ndarray
        Undistorted pixels, shape (n, 2).
    slope : ndarray
        Pixels of the star's image per arcsec to the east and to the north, shape (n, 2, 2).
    """
    axes, star = cameras.axes[seen.frame], stars[seen.star]
    local = _axes(stars)[seen.star, :2]
    parts = np.einsum("nij,nj->ni", axes, star)
    plane = parts[:, :2] / parts[:, 2:]
    turn = np.einsum("nij,nkj->nik", axes, local)
    to_plane = (turn[:, :2] - plane[:, :, None] * turn[:, 2:]) / parts[:, 2, None, None]
    inverse = np.linalg.inv(cameras.cd)[seen.frame]
    miss = _straight(cameras, seen) - np.einsum("nij,nj->ni", inverse, plane)
    return miss, np.einsum("nij,njk->nik", inverse, to_plane) * _ARCSEC


def adjusted(
    cameras: Cameras, seen: Sightings, stars: Floats, anchors: Anchors, tolerance: float = 1e-6
) -> tuple[Cameras, Floats]:
    """Return cameras and star places (unit vectors, shape (stars, 3)) after one least-squares step."""
    miss, slope = misses(cameras, seen, stars)
    system = _System(cameras, seen, slope, anchors, len(stars))
    pull = anchors.weight[:, None] * anchors.offset
    right = -system.gathered(system.without_stars(miss, pull))
    right[system.frame_size :] -= cameras.bend.ravel() / _BEND_PRIOR_PX**2
    operator = LinearOperator((len(right), len(right)), matvec=system.apply, dtype=np.float64)
    precondition = LinearOperator(operator.shape, matvec=system.precondition, dtype=np.float64)
    # Where it stops short, the next round goes on: the caller repeats the step until nothing moves.
    change, _ = cg(operator, right, rtol=tolerance, maxiter=150, M=precondition)
    star_shift = system.star_shift(miss + system.spread(change), pull)
    return _moved(cameras, *system.split(change)), _shifted(stars, star_shift)


class _System:
    """The normal equations of one step, stars eliminated, as products with vectors."""

    def __init__(self, cameras: Cameras, seen: Sightings, slope: Floats, anchors: Anchors, stars: int) -> None:
        self.seen, self.slope, self.stars = seen, slope, stars
        self.weight = seen.weight[:, None]
        self.linear = np.column_stack([np.ones_like(seen.u), seen.u, seen.v])
        self.bends = _terms(seen.u, seen.v)
        self.frames, self.groups = len(cameras.camera), len(cameras.reach)
        self.frame_size = self.frames * 6
        self.starts = np.searchsorted(seen.frame, np.arange(self.frames))
        group = cameras.camera[seen.frame]
        self.group_bounds = np.searchsorted(group, np.arange(self.groups + 1))
        blocks = np.einsum("nki,nkj->nij", slope * seen.weight[:, None, None], slope).reshape(-1, 4)
        sums: list[Floats] = [np.bincount(seen.star, blocks[:, k], stars) for k in range(4)]
        normal = np.stack(sums, axis=1).reshape(-1, 2, 2) + (anchors.weight + 1e-9)[:, None, None] * np.eye(2)
        self.star_inverse = np.linalg.inv(normal)
        self._prepare_preconditioner()

    def _prepare_preconditioner(self) -> None:
        products = np.einsum("ni,nj->nij", self.linear * self.weight, self.linear).reshape(-1, 9)
        frame = self._per_frame(products).reshape(-1, 3, 3) + 1e-9 * np.eye(3)
        self.frame_inverse = np.linalg.inv(frame)
        group = np.stack(
            [
                self.bends[a:b].T @ (self.weight[a:b] * self.bends[a:b]) + np.eye(_TERMS) / _BEND_PRIOR_PX**2
                for a, b in self._groups()
            ]
        )
        self.group_inverse = np.linalg.inv(group)

    def _groups(self) -> list[tuple[int, int]]:
        return [(int(a), int(b)) for a, b in zip(self.group_bounds[:-1], self.group_bounds[1:], strict=True)]

    def _per_frame(self, values: Floats) -> Floats:
        """Return sums of `values`, shape (n, k), over each frame's sightings, shape (frames, k)."""
        sums = np.zeros((self.frames, values.shape[1]))
        filled = np.diff(np.append(self.starts, len(values))) > 0
        sums[filled] = np.add.reduceat(values, self.starts[filled], axis=0)
        return sums

    def split(self, x: Floats) -> tuple[Floats, Floats]:
        """Return the frames' part, shape (frames, 3, 2), and the cameras', shape (cameras, 7, 2)."""
        return x[: self.frame_size].reshape(-1, 3, 2), x[self.frame_size :].reshape(-1, _TERMS, 2)

    def spread(self, x: Floats) -> Floats:
        """Return how a change of the cameras moves every sighting, pixels, shape (n, 2)."""
        frames, groups = self.split(x)
        moved = np.einsum("ni,nij->nj", self.linear, frames[self.seen.frame])
        for (a, b), change in zip(self._groups(), groups, strict=True):
            moved[a:b] += self.bends[a:b] @ change
        return moved

    def gathered(self, moved: Floats) -> Floats:
        """Return the transpose of `spread` of weighted values, shape (n, 2)."""
        weighted = self.weight * moved
        frames = self._per_frame((self.linear[:, :, None] * weighted[:, None, :]).reshape(-1, 6))
        groups = [self.bends[a:b].T @ weighted[a:b] for a, b in self._groups()]
        return np.concatenate([frames.ravel(), *(g.ravel() for g in groups)])

    def star_shift(self, moved: Floats, pull: Floats | float) -> Floats:
        """Return the best shift of every star, arcsec, shape (stars, 2), when its sightings miss by `moved`."""
        pushed = np.einsum("nki,nk->ni", self.slope, self.weight * moved)
        total = np.stack([np.bincount(self.seen.star, pushed[:, k], self.stars) for k in range(2)], axis=1)
        return np.einsum("sij,sj->si", self.star_inverse, total + pull)

    def without_stars(self, moved: Floats, pull: Floats | float = 0.0) -> Floats:
        """Return what the stars' best shifts leave of `moved`."""
        shift = self.star_shift(moved, pull)
        return moved - np.einsum("nij,nj->ni", self.slope, shift[self.seen.star])

    def apply(self, x: Floats) -> Floats:
        result = self.gathered(self.without_stars(self.spread(x)))
        result[self.frame_size :] += x[self.frame_size :] / _BEND_PRIOR_PX**2
        return result

    def precondition(self, r: Floats) -> Floats:
        frames, groups = self.split(r)
        return np.concatenate(
            [
                np.einsum("fij,fjk->fik", self.frame_inverse, frames).ravel(),
                np.einsum("gij,gjk->gik", self.group_inverse, groups).ravel(),
            ]
        )


def _axes(pointing: Floats) -> Floats:
    """Return (east, north, pointing), shape (n, 3, 3), of unit vectors."""
    x, y = pointing[:, 0], pointing[:, 1]
    flat = np.hypot(x, y)
    at_pole = flat < 1e-12
    safe = np.where(at_pole, 1.0, flat)
    east = np.stack([np.where(at_pole, 0.0, -y / safe), np.where(at_pole, 1.0, x / safe), np.zeros_like(x)], axis=1)
    return np.stack([east, np.cross(pointing, east), pointing], axis=1)


def _terms(u: Floats, v: Floats) -> Floats:
    """Return the distortion's terms less their linear part over the frame, shape (n, 7).

    Taking the linear part out keeps the frames' and the cameras' unknowns apart, which is what lets
    the conjugate gradients converge; `_moved` puts it back.
    """
    terms = np.stack([u**p * v**q for p, q in SIP_TERMS], axis=1)
    return terms - np.column_stack([np.ones_like(u), u, v]) @ _linear_part()


def _linear_part() -> Floats:
    """Return the affine map closest to each term over a frame, shape (3, 7)."""
    u, v = (a.ravel() for a in np.meshgrid(np.linspace(-0.7, 0.7, 15), np.linspace(-0.7, 0.7, 15)))
    terms = np.stack([u**p * v**q for p, q in SIP_TERMS], axis=1)
    return np.asarray(np.linalg.lstsq(np.column_stack([np.ones_like(u), u, v]), terms, rcond=None)[0])


def _straight(cameras: Cameras, seen: Sightings) -> Floats:
    """Return undistorted pixels from the frames' centres, shape (n, 2)."""
    group = cameras.camera[seen.frame]
    reach = cameras.reach[group]
    straight: Floats = np.column_stack([seen.u, seen.v]) * reach[:, None]
    for power, (p, q) in enumerate(SIP_TERMS):
        straight += (seen.u**p * seen.v**q)[:, None] * cameras.bend[group, power]
    return straight


def _moved(cameras: Cameras, frames: Floats, groups: Floats) -> Cameras:
    """Return the cameras after a change of the frames (frames, 3, 2) and of the bends (cameras, 7, 2)."""
    whole = frames - np.einsum("ij,gjk->gik", _linear_part(), groups)[cameras.camera]
    stretch = np.eye(2) + np.swapaxes(whole[:, 1:], 1, 2) / cameras.reach[cameras.camera][:, None, None]
    shift = np.einsum("fij,fj->fi", cameras.cd, whole[:, 0])
    toward = cameras.axes[:, 2] + shift[:, :1] * cameras.axes[:, 0] + shift[:, 1:] * cameras.axes[:, 1]
    pointing = toward / np.linalg.norm(toward, axis=1, keepdims=True)
    axes = _axes(pointing)
    # North turns under a pointing that moves in right ascension: the matrix turns back with it.
    turn = np.einsum("fij,fkj->fik", axes[:, :2], cameras.axes[:, :2])
    cd = np.einsum("fij,fjk,fkl->fil", turn, cameras.cd, stretch)
    return replace(cameras, axes=axes, cd=cd, bend=cameras.bend + groups)


def _shifted(stars: Floats, shift: Floats) -> Floats:
    local = _axes(stars)
    moved = stars + _ARCSEC * (shift[:, :1] * local[:, 0] + shift[:, 1:] * local[:, 1])
    return moved / np.linalg.norm(moved, axis=1, keepdims=True)
