"""The model of cameras and stars that the joint astrometric solution adjusts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, Indices
from zemosaic.wcs import SIP_TERMS, Distortion, FrameWcs, ra_dec, unit_vectors

__all__ = [
    "N_CAMERA_TERMS",
    "N_DISTORTION_TERMS",
    "Cameras",
    "Detections",
    "Priors",
    "ReferenceStars",
    "camera_wcs",
    "local_axes",
    "make_cameras",
    "with_fixed_frames",
]

N_DISTORTION_TERMS = len(SIP_TERMS)
N_CAMERA_TERMS = N_DISTORTION_TERMS + 2


@dataclass(frozen=True)
class Detections:
    """Detections of stars, ordered by frame; shape (n,)."""

    frame: Indices
    star: Indices
    u: Float64s
    """Columns from the frame's centre over the camera's reach."""
    v: Float64s
    weight: Float64s
    """Inverse square of the centroid's error in pixels, 0 for sightings to be left out."""


@dataclass(frozen=True)
class ReferenceStars:
    """Catalogue places of stars: `offset` from the present place (east, north) in arcsec, shape (stars, 2)."""

    offset: Float64s
    weight: Float64s
    """Inverse square of the catalogue's error in arcsec, 0 where a star is in no catalogue; shape (stars,)."""


@dataclass(frozen=True)
class Cameras:
    """Where the frames point and how their cameras bend; frames are ordered by camera."""

    axes: Float64s
    """East, north and the pointing as unit vectors, shape (frames, 3, 3)."""
    cd: Float64s
    """Radians on the tangent plane per undistorted pixel, shape (frames, 2, 2)."""
    camera: Indices
    """Camera of each frame, ascending, shape (frames,)."""
    optics: Indices
    """Telescope of each camera, shape (cameras,)."""
    radius_px: Float64s
    """Half diagonals in pixels, shape (cameras,)."""
    distortion: Float64s
    """Pixels per term of `SIP_TERMS` in units of the reach, x and y, shape (cameras, 7, 2)."""
    fixed: NDArray[np.bool_]
    """Frames that are where they are, shape (frames,)."""
    fixed_distortion: NDArray[np.bool_]
    """Cameras that bend as they do, shape (cameras,)."""

    @property
    def free(self) -> Float64s:
        """1 for each unknown of `least_squares_step`, 0 for what is held, frames first."""
        return np.concatenate(
            [np.repeat(~self.fixed, 6), np.repeat(~self.fixed_distortion, 2 * N_CAMERA_TERMS)]
        ).astype(np.float64)


@dataclass(frozen=True)
class Priors:
    """What holds the unknowns back where the stars say little; standard deviations in pixels, shape (cameras,)."""

    shape_px: Float64s
    """How far a frame's scale and shear stray from its camera's, at the reach: refraction, focus."""
    distortion_px: Float64s
    """How far a distortion strays from one along the radius: tilt and decentring."""
    session_px: Float64s
    """How far a distortion strays from the mean of its telescope's sessions."""


def make_cameras(frames: list[FrameWcs], camera: Indices, optics: Indices, radius_px: Float64s) -> Cameras:
    """Return the cameras of frames whose solutions refer to the frames' centres, without their distortion.

    Parameters
    ----------
    frames : list of FrameWcs
        Their reference pixels are the frames' centres, and frames of one camera stand together.
    camera : ndarray of int, shape (frames,)
        Camera of each frame, ascending from 0.
    optics : ndarray of int, shape (cameras,)
        Telescope of each camera; a camera is one session of it.
    radius_px : ndarray, shape (cameras,)
        Half the diagonal of the frames, in pixels; cameras of one telescope have one in common.
    """
    pointing = np.array([(w.ra_deg, w.dec_deg) for w in frames])
    cd = np.radians(np.array([w.cd for w in frames]))
    axes = local_axes(unit_vectors(pointing[:, 0], pointing[:, 1]))
    distortion, not_fixed = np.zeros((len(radius_px), N_DISTORTION_TERMS, 2)), np.zeros(len(frames), bool)
    return Cameras(axes, cd, camera, optics, radius_px, distortion, not_fixed, np.zeros(len(radius_px), bool))


def with_fixed_frames(cameras: Cameras, solutions: Mapping[int, FrameWcs]) -> Cameras:
    """Return cameras some of whose frames are held, and with them how their cameras bend.

    Parameters
    ----------
    cameras : Cameras
    solutions : mapping of int to FrameWcs
        By frame its solution as `camera_wcs` gave it.  Of a camera, those are held that bend like its first.
    """
    axes, cd, coefficients = cameras.axes.copy(), cameras.cd.copy(), cameras.distortion.copy()
    fixed, fixed_distortion = cameras.fixed.copy(), cameras.fixed_distortion.copy()
    distortions: dict[int, Distortion] = {}
    for frame, wcs in sorted(solutions.items()):
        group = int(cameras.camera[frame])
        if wcs.distortion is None or distortions.setdefault(group, wcs.distortion) != wcs.distortion:
            continue
        axes[frame] = local_axes(unit_vectors(np.array([wcs.ra_deg]), np.array([wcs.dec_deg])))[0]
        cd[frame], fixed[frame], fixed_distortion[group] = np.radians(wcs.cd), True, True
    for group, distortion in distortions.items():
        powers = cameras.radius_px[group] ** np.array([p + q for p, q in SIP_TERMS])
        coefficients[group] = np.array([distortion.a, distortion.b]).T * powers[:, None]
    return replace(cameras, axes=axes, cd=cd, distortion=coefficients, fixed=fixed, fixed_distortion=fixed_distortion)


def camera_wcs(cameras: Cameras, frame: int, x_ref: float, y_ref: float) -> FrameWcs:
    """Return the WCS of one frame.

    Parameters
    ----------
    cameras : Cameras
    frame : int
        Its index.
    x_ref, y_ref : float
        The frame's centre in pixels, which becomes the reference pixel.

    Returns
    -------
    FrameWcs
        With the distortion of its camera.
    """
    ra, dec = ra_dec(cameras.axes[frame, 2])
    (a, b), (c, d) = np.degrees(cameras.cd[frame])
    group = cameras.camera[frame]
    powers = cameras.radius_px[group] ** np.array([p + q for p, q in SIP_TERMS])
    coefficients = cameras.distortion[group] / powers[:, None]
    distortion = Distortion(tuple(map(float, coefficients[:, 0])), tuple(map(float, coefficients[:, 1])))
    return FrameWcs(float(ra), float(dec), x_ref, y_ref, ((float(a), float(b)), (float(c), float(d))), distortion)


def local_axes(pointing: Float64s) -> Float64s:
    """Return (east, north, pointing), shape (n, 3, 3), of unit vectors."""
    x, y = pointing[:, 0], pointing[:, 1]
    flat = np.hypot(x, y)
    at_pole = flat < 1e-12
    safe = np.where(at_pole, 1.0, flat)
    east = np.stack([np.where(at_pole, 0.0, -y / safe), np.where(at_pole, 1.0, x / safe), np.zeros_like(x)], axis=1)
    return np.stack([east, np.cross(pointing, east), pointing], axis=1)
