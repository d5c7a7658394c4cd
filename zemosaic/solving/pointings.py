"""Which frames looked at the same piece of sky, by what their headers say."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from zemosaic.model import MeasuredFrame, SolvedFrame
from zemosaic.wcs import unit_vectors

__all__ = ["in_time_order", "nearest_in_time", "nearest_on_sky", "pointings", "seed_order", "time_key"]

MAX_POINTING_DISTANCE = 0.35
"""Frames whose hints differ by less than this part of their diagonal belong to one pointing."""
MAX_POINTING_DISTANCE_DEG = 0.4
"""The same in degrees where no scale is known."""


@dataclass
class _Pointings:
    """The pointings of one camera found so far."""

    centres: list[NDArray[np.float64]] = field(default_factory=list)
    reach: list[float] = field(default_factory=list)
    members: list[list[MeasuredFrame]] = field(default_factory=list)

    def add(self, measured: MeasuredFrame, toward: NDArray[np.float64]) -> None:
        if self.centres:
            near = np.linalg.norm(np.array(self.centres) - toward, axis=1) / self.reach
            best = int(np.argmin(near))
            if near[best] < 1.0:
                self.members[best].append(measured)
                return
        self.centres.append(toward)
        self.reach.append(_reach(measured))
        self.members.append([measured])


def pointings(measured: Sequence[MeasuredFrame]) -> tuple[list[list[MeasuredFrame]], list[list[MeasuredFrame]]]:
    """Return the groups of frames of one camera whose hints lie together, and per camera those without a hint.

    Each group is in the order of time.
    """
    hinted: dict[tuple[object, ...], _Pointings] = {}
    unhinted: dict[tuple[object, ...], list[MeasuredFrame]] = {}
    for solved_frame in in_time_order(measured):
        frame = solved_frame.frame
        camera = (frame.instrument, frame.telescope, frame.width, frame.height)
        if frame.ra_deg is None or frame.dec_deg is None:
            unhinted.setdefault(camera, []).append(solved_frame)
        else:
            hinted.setdefault(camera, _Pointings()).add(solved_frame, unit_vectors(frame.ra_deg, frame.dec_deg))
    return [group for known_pointing in hinted.values() for group in known_pointing.members], list(unhinted.values())


def in_time_order(measured: Sequence[MeasuredFrame]) -> list[MeasuredFrame]:
    """Return frames in the order in which they were taken."""
    return sorted(measured, key=time_key)


def seed_order(frames: Sequence[MeasuredFrame]) -> list[int]:
    """Return the places of frames, those to try first in front: many round stars."""
    quality = [-len(frame.stars) * (1.0 - 0.5 * np.nan_to_num(frame.eccentricity, nan=1.0)) for frame in frames]
    return [int(i) for i in np.argsort(quality, kind="stable")]


def nearest_on_sky(ra_deg: float, dec_deg: float, solved: Sequence[SolvedFrame], most: int) -> list[SolvedFrame]:
    """Return the solved frames whose reference pixels are nearest to a direction.

    Parameters
    ----------
    ra_deg, dec_deg : float
        The direction.
    solved : sequence of SolvedFrame
    most : int
        Number of frames that are returned where there are as many.

    Returns
    -------
    list of SolvedFrame
        Nearest first.
    """
    centres = np.array([(frame.wcs.ra_deg, frame.wcs.dec_deg) for frame in solved]).reshape(-1, 2)
    away = unit_vectors(centres[:, 0], centres[:, 1]) - unit_vectors(ra_deg, dec_deg)
    return [solved[i] for i in np.argsort(np.linalg.norm(away, axis=1), kind="stable")[:most]]


def nearest_in_time(measured: MeasuredFrame, solved: Sequence[SolvedFrame], most: int) -> list[SolvedFrame]:
    """Return the frames taken just before and after a frame, by turns; `solved` is in the order of time.

    Parameters
    ----------
    measured : MeasuredFrame
    solved : sequence of SolvedFrame
        In the order of `time_key`.
    most : int
        Number of frames that are returned where there are as many.

    Returns
    -------
    list of SolvedFrame
    """
    place = bisect_left(solved, time_key(measured), key=lambda frame: time_key(frame.measured))
    before, after = solved[max(place - most, 0) : place][::-1], solved[place : place + most]
    by_turns = [frame for pair in zip_longest(before, after) for frame in pair if frame is not None]
    return by_turns[:most]


def time_key(measured: MeasuredFrame) -> tuple[str, int]:
    """Return what frames are ordered by in time."""
    return measured.frame.date_obs or "", measured.frame.frame_id


def _reach(measured: MeasuredFrame) -> float:
    """Return how far off a hint of the same pointing may be, radians."""
    frame = measured.frame
    if frame.scale_arcsec is None:
        return float(np.radians(MAX_POINTING_DISTANCE_DEG))
    return float(np.radians(MAX_POINTING_DISTANCE * frame.scale_arcsec * np.hypot(frame.width, frame.height) / 3600.0))
