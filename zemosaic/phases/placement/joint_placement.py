"""One solution for all frames together; who does not agree is solved anew before it is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zemosaic.catalogue import Catalogue
from zemosaic.errors import message
from zemosaic.model import SolvedFrame
from zemosaic.phases.placement.places import confirmed_place
from zemosaic.phases.placement.solving_session import SolvingSession, drop_unsolved
from zemosaic.solving.astrometry.joint import RefinedFrame, solve_jointly
from zemosaic.solving.astrometry.sessions import joint_frames
from zemosaic.solving.pointings import time_key

__all__ = ["place_jointly"]

MAX_PRIOR_SHIFT_PX = 0.05
"""Frames of an earlier night whose stars are further from their places than this, on the mean, are placed anew."""


def place_jointly(
    session: SolvingSession, solved: list[SolvedFrame], catalogue: Catalogue, fixed: set[int]
) -> list[SolvedFrame]:
    """Return the frames with the places that all agree on; who does not agree is solved anew before it is left out.

    Parameters
    ----------
    session : SolvingSession
        Looks for other solutions of frames that disagree.
    solved : list of SolvedFrame
    catalogue : Catalogue
        Reference stars.
    fixed : set of int
        Ids of frames that stay where they are, as far as the others agree.
    """
    context = session.context
    result = solve_jointly(joint_frames(solved, fixed), catalogue)
    moved = {frame.frame_id for frame in result.frames if frame.frame_id in fixed and _disagrees(frame)}
    if moved:
        context.log(message("log.night_moved", frames=len(moved), tolerance=MAX_PRIOR_SHIFT_PX))
        fixed = fixed - moved
        result = solve_jointly(joint_frames(solved, fixed), catalogue)
    agreeing = [refined.disagreement is None for refined in result.frames]
    agreed = [
        _refined(*pair)
        for pair, agrees in zip(zip(solved, result.frames, strict=True), agreeing, strict=True)
        if agrees
    ]
    agreed.sort(key=lambda one: time_key(one.measured))
    if agreed:
        alternatives = [
            None if agrees else session.alternative_solution(frame, agreed)
            for frame, agrees in zip(solved, agreeing, strict=True)
        ]
        if any(alternatives):
            solved = [new or previous for new, previous in zip(alternatives, solved, strict=True)]
            result = solve_jointly(joint_frames(solved, fixed), catalogue)
    placed = []
    for frame, refined in zip(solved, result.frames, strict=True):
        if refined.undecided:
            context.log(message("log.frame_alone", path=frame.frame.path))
        elif refined.disagreement is not None:
            drop_unsolved(context, frame.measured, [frame.measured for frame in solved], refined.disagreement)
            continue
        stays, stars = frame.frame.frame_id in fixed, session.frame_solver.solvers.catalogues
        placed.append(frame if stays else confirmed_place(context.reporter, frame, _refined(frame, refined), stars))
    context.log(
        message("log.joint_solution", frames=len(placed), stars=result.n_stars, rms_arcsec=round(result.rms_arcsec, 3))
    )
    return placed


def _disagrees(refined: RefinedFrame) -> bool:
    """Whether a held frame is not where the others have it."""
    contradicted = refined.disagreement is not None and not refined.undecided
    return contradicted or refined.mean_residual_px > MAX_PRIOR_SHIFT_PX


def _refined(solved: SolvedFrame, refined: RefinedFrame) -> SolvedFrame:
    """Return the frame with its place in the joint solution."""
    solution = solved.solution
    rms = refined.rms_arcsec if np.isfinite(refined.rms_arcsec) else solution.rms_arcsec
    return replace(solved, solution=replace(solution, wcs=refined.wcs, rms_arcsec=rms, n_matched=refined.n_stars))
