"""Places of frames judged once more when all are known: by the catalogue, and by what overlapping frames see."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from zemosaic.catalogue import Catalogue
from zemosaic.errors import message
from zemosaic.model import FrameRef, SolvedFrame
from zemosaic.phases.run.reporter import Reporter
from zemosaic.solving.agreement import Neighbour, catalogue_agrees
from zemosaic.solving.base import StarField
from zemosaic.solving.sets import PlacedFrame, contradicted
from zemosaic.wcs import FrameWcs

__all__ = ["confirmed_place", "corners_apart_px", "neighbour_of", "warn_of_contradictions"]

MAX_NAMES = 6
"""Frames that a warning names."""
MAX_MOVED_PX = 1.0
"""A common solution that moves a frame by less than this leaves it where it was."""


def confirmed_place(
    reporter: Reporter, before: SolvedFrame, joint: SolvedFrame, catalogues: Sequence[Catalogue]
) -> SolvedFrame:
    """Return a frame as the common solution has it, or as it was where only that agrees with the catalogue.

    Parameters
    ----------
    reporter : Reporter
        Is told where the common solution is not believed.
    before : SolvedFrame
        With the frame's own solution.
    joint : SolvedFrame
        The same frame with its place in the common solution.
    catalogues : sequence of Catalogue
        Stars to compare with.
    """
    if corners_apart_px(joint.wcs, before) <= MAX_MOVED_PX:
        return joint
    if _agrees(joint, catalogues) or not _agrees(before, catalogues):
        return joint
    reporter.log(message("log.joint_place_refused", path=before.frame.path), "WARNING")
    return before


def warn_of_contradictions(reporter: Reporter, solved: Sequence[SolvedFrame], catalogues: Sequence[Catalogue]) -> None:
    """Warn of frames that no catalogue confirms and that see other stars than the frames they overlap.

    Parameters
    ----------
    reporter : Reporter
        Is told.
    solved : sequence of SolvedFrame
        All frames with their final places.
    catalogues : sequence of Catalogue
        One that agrees with a frame's place confirms it.
    """
    doubtful = np.array([not _agrees(frame, catalogues) for frame in solved], bool)
    if not doubtful.any():
        return
    told = contradicted([_placed(frame) for frame in solved], doubtful)
    if told:
        names = [Path(solved[place].frame.path).name for place in told]
        listed = ", ".join(names[:MAX_NAMES]) + (", …" if len(names) > MAX_NAMES else "")
        reporter.warn(message("warning.places_disagree", frames=len(names), names=listed))


def corners_apart_px(wcs: FrameWcs, other: SolvedFrame) -> float:
    """Return how far apart, in pixels of the frame, two solutions put its worst corner; inf where one is no place.

    Parameters
    ----------
    wcs : FrameWcs
        One solution of the frame.
    other : SolvedFrame
        The frame with the other.
    """
    width, height = other.frame.width, other.frame.height
    x, y = other.wcs.sky_to_pixel(*wcs.corners(width, height))
    back_x, back_y = other.wcs.sky_to_pixel(*other.wcs.corners(width, height))
    return float(np.nan_to_num(np.hypot(x - back_x, y - back_y), nan=np.inf).max())


def neighbour_of(solved: SolvedFrame, frame: FrameRef) -> Neighbour:
    """Return a solved frame as a neighbour of another frame.

    Parameters
    ----------
    solved : SolvedFrame
        A frame whose place is believed.
    frame : FrameRef
        The frame that is to be placed.
    """
    near, stars = solved.frame, solved.measured.stars
    return Neighbour(solved.wcs, stars.x_px, stars.y_px, _camera(near) == _camera(frame), near.ra_deg, near.dec_deg)


def _camera(frame: FrameRef) -> tuple[object, ...]:
    """Return what frames of one sensor share, whatever the exposure."""
    return frame.instrument, frame.telescope, frame.width, frame.height, frame.binning


def _agrees(solved: SolvedFrame, catalogues: Sequence[Catalogue]) -> bool:
    stars, frame = solved.measured.stars, solved.frame
    field = StarField(stars.x_px, stars.y_px, frame.width, frame.height)
    return any(catalogue_agrees(solved.wcs, field, catalogue) for catalogue in catalogues)


def _placed(solved: SolvedFrame) -> PlacedFrame:
    stars, frame = solved.measured.stars, solved.frame
    return PlacedFrame(solved.wcs, frame.width, frame.height, stars.x_px, stars.y_px)
