"""Frames of a field that keep their calibration from the previous run, and frames to be solved with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.calibration.fixed_parameters import FixedParameters
from zemosaic.errors import message
from zemosaic.model import CalibratedFrame, SolvedFrame
from zemosaic.phases.previous_run.state import CachedField
from zemosaic.phases.run.reporter import Reporter
from zemosaic.wcs import unit_vectors

__all__ = ["PriorFrames", "consistent_prior_frames", "fixed_parameters", "frames_to_solve", "prior_frames"]

PriorFrames = Mapping[int, CalibratedFrame]
"""Frames with their earlier calibration, by frame id."""


def prior_frames(cached: CachedField | None, solved: Sequence[SolvedFrame], channels: int) -> PriorFrames:
    """Return the frames that an earlier night calibrated in as many channels.

    Parameters
    ----------
    cached : CachedField or None
        The field as the run before left it.
    solved : sequence of SolvedFrame
        The field's frames now.
    channels : int
        A field of another number of channels counts as none.
    """
    if cached is None or cached.channels != channels:
        return {}
    calibrated = {frame.frame.frame_id: cached.calibrated(frame) for frame in solved}
    return {frame_id: frame for frame_id, frame in calibrated.items() if frame is not None}


def fixed_parameters(
    prior: PriorFrames, solved: Sequence[SolvedFrame], groups: NDArray[np.int64], channels: int
) -> FixedParameters | None:
    """Return the fixed parameters of frames and cameras as arrays; None where there are none.

    Parameters
    ----------
    prior : mapping of int to CalibratedFrame
        By frame id.  There may be more than are solved; their cameras count as well.
    solved : sequence of SolvedFrame
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    channels : int
    """
    if not prior:
        return None
    fixed = FixedParameters.none(len(solved), channels, int(groups.max()) + 1)
    cameras = {frame.frame.camera_key: frame for frame in prior.values()}
    for k, solved_frame in enumerate(solved):
        frame = prior.get(solved_frame.frame.frame_id)
        if frame is not None:
            fixed.frames[k], fixed.transparency[k] = True, frame.transparency
            fixed.sky_adu[k, :, : len(frame.sky_adu[0])] = frame.sky_adu
        camera = cameras.get(solved_frame.frame.camera_key)
        if camera is not None:
            fixed.cameras[groups[k]] = True
            fixed.vignetting[groups[k]], fixed.bias_adu[groups[k]] = camera.illumination[0], camera.bias_adu
    return fixed


def frames_to_solve(solved: Sequence[SolvedFrame], prior: PriorFrames) -> list[int]:
    """Return the indices of the new frames and of the earlier frames that may overlap them; none where nothing is new.

    Parameters
    ----------
    solved : sequence of SolvedFrame
    prior : mapping of int to CalibratedFrame
        The earlier frames, by frame id.
    """
    is_new = np.array([frame.frame.frame_id not in prior for frame in solved])
    if is_new.all() or not is_new.any():
        return np.flatnonzero(is_new).tolist()
    centres = np.array([frame.wcs.pixel_to_sky(0.5 * frame.frame.width, 0.5 * frame.frame.height) for frame in solved])
    directions = unit_vectors(centres[:, 0], centres[:, 1])
    max_distance_rad = np.radians(
        max(np.hypot(frame.frame.width, frame.frame.height) * frame.wcs.scale_arcsec for frame in solved) / 3600.0
    )
    distance, _ = cKDTree(directions[is_new]).query(directions)
    return np.flatnonzero(distance <= 2.0 * np.sin(min(max_distance_rad, np.pi) / 2.0)).tolist()


def consistent_prior_frames(
    reporter: Reporter, solved: Sequence[SolvedFrame], prior: PriorFrames, astray: NDArray[np.bool_]
) -> PriorFrames:
    """Return the earlier frames that the new frames do not contradict.

    Where most frames of a camera are contradicted, all of its frames are released, as its illumination was wrong.

    Parameters
    ----------
    reporter : Reporter
        Writes to the log how many are released.
    solved : sequence of SolvedFrame
        The new frames and the earlier ones beside them.
    prior : mapping of int to CalibratedFrame
        All earlier frames, by frame id.
    astray : ndarray of bool, shape (frames,)
        Which of `solved` disagree with the others.
    """
    wrong = {
        frame.frame.frame_id
        for frame, is_astray in zip(solved, astray, strict=True)
        if is_astray and frame.frame.frame_id in prior
    }
    if not wrong:
        return prior
    frames_per_camera = Counter(frame.frame.camera_key for frame in solved if frame.frame.frame_id in prior)
    wrong_per_camera = Counter(prior[frame_id].frame.camera_key for frame_id in wrong)
    consistent = {
        frame_id: one
        for frame_id, one in prior.items()
        if frame_id not in wrong
        and 2 * wrong_per_camera[one.frame.camera_key] <= frames_per_camera[one.frame.camera_key]
    }
    reporter.log(message("log.night_recalibrated", frames=len(prior) - len(consistent)))
    return consistent
