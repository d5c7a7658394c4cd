"""The model of cameras and stars that the joint astrometric solution adjusts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, Indices
from zemosaic.wcs import SIP_TERMS, Distortion, FrameWcs, ra_dec

__all__ = ["N_CAMERA_TERMS", "N_DISTORTION_TERMS", "Cameras", "Detections", "Priors", "ReferenceStars", "camera_wcs"]

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
