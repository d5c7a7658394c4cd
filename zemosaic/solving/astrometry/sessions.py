"""Which frames bend the light alike: those that one telescope with one camera took in one session."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import numpy as np

from zemosaic.arrays import green_channel
from zemosaic.model import SolvedFrame
from zemosaic.solving.astrometry.joint import JointFrame

__all__ = ["joint_frames"]

_MIN_SESSION_GAP = timedelta(hours=6)
"""After so long a pause the telescope may have been moved, focused or put together anew."""
_MIN_SESSION_FRAMES = 8
"""Frames that a session has; fewer go with the session before them, or with the one after the very first."""


def joint_frames(solved: Sequence[SolvedFrame], fixed: Collection[int] = ()) -> list[JointFrame]:
    """Return the frames' parts of the joint solution, in the order given; those are held whose ids are in `held`.

    Parameters
    ----------
    solved : sequence of SolvedFrame
    fixed : collection of int
        Ids of frames whose places are held.

    Returns
    -------
    list of JointFrame
    """
    optics = [_optics(frame) for frame in solved]
    session = [0] * len(solved)
    for name in set(optics):
        of_optics = [place for place, other in enumerate(optics) if other == name]
        for place, number in zip(
            of_optics, _sessions([solved[place].frame.date_obs for place in of_optics]), strict=True
        ):
            session[place] = number
    return [
        _joint_frame(frame, name, number, frame.frame.frame_id in fixed)
        for frame, name, number in zip(solved, optics, session, strict=True)
    ]


def _optics(solved: SolvedFrame) -> str:
    frame = solved.frame
    # The same camera behind other optics bends otherwise, and headers do not always name the optics.
    zoom = round(10.0 * math.log(max(solved.wcs.scale_arcsec, 1e-6)))
    return f"{frame.instrument}|{frame.telescope}|{frame.width}x{frame.height}|{frame.binning}|{zoom}"


def _sessions(dates: Sequence[str | None]) -> list[int]:
    """Return the number of each frame's session; frames without a date are of the first one."""
    dated = sorted((datetime.fromisoformat(text), place) for place, text in enumerate(dates) if text)
    runs: list[list[int]] = []
    before: datetime | None = None
    for moment, place in dated:
        if before is None or moment - before > _MIN_SESSION_GAP:
            runs.append([])
        runs[-1].append(place)
        before = moment
    numbers = [0] * len(dates)
    session, size = 0, 0
    for run in runs:
        if size >= _MIN_SESSION_FRAMES and len(run) >= _MIN_SESSION_FRAMES:
            session, size = session + 1, 0
        size += len(run)
        for place in run:
            numbers[place] = session
    return numbers


def _joint_frame(solved: SolvedFrame, optics: str, session: int, fixed: bool) -> JointFrame:
    """Return the part of a solved frame; saturated stars are left out, errors follow from the stars' S/N.

    Stars are centred in green light alone, so its noise counts; the factor is that of a star fainter than its sky.
    """
    frame, stars = solved.frame, solved.measured.stars
    unsaturated = np.flatnonzero(~stars.saturated)
    green = green_channel(stars.flux_adu.shape[1])
    flux, error = (
        stars.flux_adu[unsaturated, green].astype(float),
        stars.flux_error_adu[unsaturated, green].astype(float),
    )
    fwhm = float(np.nan_to_num(solved.measured.fwhm_px, nan=3.0))
    error_px = np.clip(0.6 * fwhm / np.maximum(flux / np.maximum(error, 1e-9), 1.0), 0.01, 2.0)
    return JointFrame(
        frame.frame_id,
        optics,
        solved.wcs,
        frame.width,
        frame.height,
        stars.x_px[unsaturated],
        stars.y_px[unsaturated],
        error_px,
        session,
        fixed,
    )
