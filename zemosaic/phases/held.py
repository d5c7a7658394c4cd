"""Which frames of a field stay calibrated as an earlier night has them, and which are solved beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.calibration.held import Held
from zemosaic.errors import message
from zemosaic.model import CalibratedFrame, SolvedFrame
from zemosaic.phases.context import RunContext
from zemosaic.phases.nights import EarlierField
from zemosaic.sky import unit_vectors

__all__ = ["Known", "held_of", "known_frames", "rows_to_solve", "still_known"]

Known = Mapping[int, CalibratedFrame]
"""Frames with their earlier calibration, by frame id."""


def known_frames(before: EarlierField | None, solved: Sequence[SolvedFrame], channels: int) -> Known:
    """Return the frames that an earlier night calibrated in as many channels."""
    if before is None or before.channels != channels:
        return {}
    found = {one.frame.frame_id: before.calibrated(one) for one in solved}
    return {frame_id: frame for frame_id, frame in found.items() if frame is not None}


def held_of(known: Known, solved: Sequence[SolvedFrame], groups: NDArray[np.int64], channels: int) -> Held | None:
    """Return what is known of frames and of their cameras in arrays; None where nothing is.

    Parameters
    ----------
    known : Known
        May be more frames than those solved; their cameras count as well.
    solved : sequence of SolvedFrame
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    channels : int
    """
    if not known:
        return None
    held = Held.nothing(len(solved), channels, int(groups.max()) + 1)
    cameras = {one.frame.camera_key: one for one in known.values()}
    for k, one in enumerate(solved):
        frame = known.get(one.frame.frame_id)
        if frame is not None:
            held.frames[k], held.transparency[k] = True, frame.transparency
            held.sky_adu[k, :, : len(frame.sky_adu[0])] = frame.sky_adu
        camera = cameras.get(one.frame.camera_key)
        if camera is not None:
            held.cameras[groups[k]] = True
            held.vignetting[groups[k]], held.bias_adu[groups[k]] = camera.illumination[0], camera.bias_adu
    return held


def rows_to_solve(solved: Sequence[SolvedFrame], known: Known) -> list[int]:
    """Return the indices of the frames that are not known and of those that may share sky with them."""
    new = np.array([one.frame.frame_id not in known for one in solved])
    if new.all() or not new.any():
        return np.flatnonzero(new).tolist()
    centres = np.array([one.wcs.pixel_to_sky(0.5 * one.frame.width, 0.5 * one.frame.height) for one in solved])
    places = unit_vectors(centres[:, 0], centres[:, 1])
    reach = np.radians(
        max(np.hypot(one.frame.width, one.frame.height) * one.wcs.scale_arcsec for one in solved) / 3600.0
    )
    distance, _ = cKDTree(places[new]).query(places)
    return np.flatnonzero(distance <= 2.0 * np.sin(min(reach, np.pi) / 2.0)).tolist()


def still_known(context: RunContext, solved: Sequence[SolvedFrame], known: Known, astray: NDArray[np.bool_]) -> Known:
    """Return the known frames without those that the new frames contradict.

    Where these are most of a camera's frames, none of the camera stays: its illumination was wrong.

    Parameters
    ----------
    astray : ndarray of bool, shape (frames,)
        Of the frames solved.
    """
    wrong = {one.frame.frame_id for one, far in zip(solved, astray, strict=True) if far and one.frame.frame_id in known}
    if not wrong:
        return known
    seen = Counter(one.frame.camera_key for one in solved if one.frame.frame_id in known)
    bad = Counter(known[frame_id].frame.camera_key for frame_id in wrong)
    left = {
        frame_id: one
        for frame_id, one in known.items()
        if frame_id not in wrong and 2 * bad[one.frame.camera_key] <= seen[one.frame.camera_key]
    }
    context.log(message("log.night_recalibrated", frames=len(known) - len(left)))
    return left
