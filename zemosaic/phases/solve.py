"""Phase 3: where every frame points.

One absolute solution per pointing; the other frames of the pointing take it over from their
neighbour in time; what that misses is solved on its own.  Then one solution for all frames
together.  A frame without a solution is listed with the reason, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from zemosaic.catalogue import load_bundled
from zemosaic.errors import NothingUsable
from zemosaic.events import FrameSolved
from zemosaic.model import MeasuredFrame, Solution, SolvedFrame
from zemosaic.phases.context import RunContext
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.placement.available_solvers import make_solvers
from zemosaic.phases.placement.frame_solver import FrameSolver
from zemosaic.phases.placement.header_claims import tell_unchecked, with_claims
from zemosaic.phases.placement.joint_placement import place_jointly
from zemosaic.phases.placement.places import warn_of_contradictions
from zemosaic.phases.placement.solving_session import SolvingSession
from zemosaic.phases.previous_run.solutions import SolveCheckpoint, cached_solutions
from zemosaic.solving.solvers.astap_find import detect_astap_installation
from zemosaic.store.codec import content_of

__all__ = ["solve_frames"]


def solve_frames(
    context: RunContext, measured: Sequence[MeasuredFrame], defects: DetectorCalibrations
) -> list[SolvedFrame]:
    """Return the solved frames in their order; the others are dropped with their reasons.

    Parameters
    ----------
    context : RunContext
    measured : sequence of MeasuredFrame
    defects : DetectorCalibrations
        What the pixels of each camera need, for solvers that ask for pixels.

    Raises
    ------
    NothingUsable
        When no frame could be solved.
    """
    catalogue = load_bundled()
    with context.timer.phase("solve", len(measured)) as advance:
        prior = _prior_solutions(context, measured, defects)
        solver_identity = [*_solver_identity(context), *([i, content_of(solution)] for i, solution in prior.items())]
        checkpoint = SolveCheckpoint.of(context, measured, solver_identity)
        solved = cached_solutions(context, measured, checkpoint)
        if solved is None:
            frame_solver = FrameSolver(context, make_solvers(context, catalogue), defects)
            session = SolvingSession(context, frame_solver, advance)
            session.solve(measured, prior)
            frame_solver.tell_of_astap()
            solved = sorted(session.solved, key=lambda one: one.frame.frame_id)
            if not solved:
                raise NothingUsable("error.nothing_solved", frames=len(measured))
            if len(solved) > len(prior):
                solved = place_jointly(session, solved, with_claims(solved, catalogue), set(prior))
            warn_of_contradictions(context.reporter, solved, frame_solver.solvers.catalogues)
            tell_unchecked(context.reporter, solved)
            checkpoint.keep(context, solved)
        for frame in solved:
            context.reporter.emit(_event(frame))
        advance(len(measured))
    if not solved:
        raise NothingUsable("error.nothing_solved", frames=len(measured))
    return solved


def _prior_solutions(
    context: RunContext, measured: Sequence[MeasuredFrame], defects: DetectorCalibrations
) -> dict[int, Solution]:
    """Return by frame id the places that an earlier night found for frames that are the same."""
    if context.previous_run is None:
        return {}
    solutions = {
        frame.frame.frame_id: context.previous_run.place(frame, defects[frame.frame.camera_key].fingerprint)
        for frame in measured
    }
    return {frame_id: solution for frame_id, solution in solutions.items() if solution is not None}


def _solver_identity(context: RunContext) -> list[str]:
    """Return what tells which solvers and stars this machine has."""
    settings = context.settings
    if settings.solver not in ("auto", "astap"):
        return []
    installation = detect_astap_installation(settings.astap_executable_path, settings.astap_data_directory_path)
    return (
        []
        if installation is None
        else [str(installation.executable), str(installation.data_dir), installation.catalogue]
    )


def _event(solved: SolvedFrame) -> FrameSolved:
    ra, dec = solved.wcs.corners(solved.frame.width, solved.frame.height)
    return FrameSolved(
        frame_id=solved.frame.frame_id,
        path=solved.frame.path,
        how=solved.solution.how,
        n_matched=solved.solution.n_matched,
        rms_arcsec=solved.solution.rms_arcsec,
        corners_ra_deg=tuple(float(value) for value in ra),
        corners_dec_deg=tuple(float(value) for value in dec),
    )
