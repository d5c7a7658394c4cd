"""Phase 3: where every frame points.

One absolute solution per pointing; the other frames of the pointing take it over from their
neighbour in time; what that misses is solved on its own.  Then one solution for all frames
together.  A frame without a solution is listed with the reason, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from zemosaic.arrays import green_channel
from zemosaic.calibration.detector import calibrated_pixels
from zemosaic.catalogue import Catalogue, load_bundled
from zemosaic.errors import FrameError, Message, NothingUsable, message
from zemosaic.events import FrameSolved
from zemosaic.frames.planes import colour_planes
from zemosaic.model import UNCHECKED_PLACE, Dropped, FrameStatus, MeasuredFrame, Solution, SolvedFrame
from zemosaic.phases.context import RunContext, quality_limits
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.parts.available_solvers import Solvers, make_solvers
from zemosaic.phases.parts.header_claims import is_unchecked, refused_claims, tell_unchecked, with_claims
from zemosaic.phases.parts.places import confirmed_place, corners_apart_px, neighbour_of, warn_of_contradictions
from zemosaic.phases.parts.scales import Scales
from zemosaic.phases.previous_run.solutions import SolveCheckpoint, cached_solutions
from zemosaic.solving.agreement import is_believed, moved_only
from zemosaic.solving.astrometry.joint import RefinedFrame, solve_jointly
from zemosaic.solving.astrometry.sessions import joint_frames
from zemosaic.solving.base import Failure, NotSolved, Solver, StarField, not_solved
from zemosaic.solving.claims import unchecked
from zemosaic.solving.pointings import in_time_order, nearest_in_time, nearest_on_sky, pointings, seed_order, time_key
from zemosaic.solving.propagate import known_stars, propagate
from zemosaic.solving.solvers.astap import AstapSolver
from zemosaic.solving.solvers.astap_find import detect_astap_installation
from zemosaic.solving.solvers.header_solution import verify
from zemosaic.store.codec import content_of
from zemosaic.zeanalyser.verdicts import shape_reason

__all__ = ["solve_frames"]

MAX_SEED_FRAMES = 4
"""Frames of a pointing that are tried for its absolute solution before the pointing is given up."""
SCALE_SEEDS = 2
"""Frames of a pointing that are tried at other scales than the header's."""
MAX_BLIND_FAILURES = 5
"""Frames without a hint that may be found nowhere, one after the other, before the rest is given up."""
N_NEIGHBOURS = 6
"""Solved frames of a pointing whose stars the next one is compared with."""
MAX_PRIOR_SHIFT_PX = 0.05
"""Frames of an earlier night whose stars are further from their places than this, on the mean, are placed anew."""
MIN_NEW_SOLUTION_PX = 1.0
"""A solution that puts corners further from where they were is another solution."""


def solve_frames(
    context: RunContext, measured: Sequence[MeasuredFrame], defects: DetectorCalibrations
) -> list[SolvedFrame]:
    """Return the solved frames in their order; the others are dropped with their reasons.

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
            session = _Session(context, make_solvers(context, catalogue), defects, advance)
            session.solve(measured, prior)
            session.tell_of_astap()
            solved = sorted(session.solved, key=lambda one: one.frame.frame_id)
            if not solved:
                raise NothingUsable("error.nothing_solved", frames=len(measured))
            if len(solved) > len(prior):
                solved = _solve_jointly(session, solved, with_claims(solved, catalogue), set(prior))
            warn_of_contradictions(context.reporter, solved, session.solvers.catalogues)
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


class _Session:
    """Solutions found so far."""

    def __init__(
        self, context: RunContext, solvers: Solvers, defects: DetectorCalibrations, advance: Callable[[int], None]
    ) -> None:
        self.context, self.solvers = context, solvers
        self.defects, self.advance = defects, advance
        self.solved: list[SolvedFrame] = []
        self.measured: Sequence[MeasuredFrame] = ()
        self.dropped = 0
        self.astap_solved: dict[str, bool] = {}
        """By path, the frames that ASTAP was asked for, and whether it solved them."""
        self.scales = Scales(context.reporter)
        self.claims: dict[int, Solution] = {}
        """By frame id, what headers say where the catalogue has too few stars to check it."""
        self.useless: Message | None = None
        """Why ASTAP is not asked again, until it is told."""
        self.doubts: dict[int, Message] = {}
        """By frame id, why a WCS of a header is not believed."""

    def solve(self, measured: Sequence[MeasuredFrame], prior: Mapping[int, Solution]) -> None:
        """Solve what can be solved: pointings by their hints first, then what neighbours or the whole sky tell.

        Frames whose solutions are held, by id, need none.
        """
        self.measured = measured
        self.solved = [
            SolvedFrame(frame, prior[frame.frame.frame_id]) for frame in measured if frame.frame.frame_id in prior
        ]
        hinted, unhinted = pointings([frame for frame in measured if frame.frame.frame_id not in prior])
        strays: list[tuple[MeasuredFrame, Message]] = []
        lost: list[tuple[list[MeasuredFrame], dict[int, Message], int]] = [
            (group, {}, MAX_BLIND_FAILURES) for group in unhinted
        ]
        for group in hinted:
            failures = self._solve_pointing(group)
            if len(failures) < len(group):
                strays.extend(
                    (frame, failures[frame.frame.frame_id]) for frame in group if frame.frame.frame_id in failures
                )
            else:
                lost.append((group, failures, 1))
        strays = [(one, reason) for one, reason in strays if not self._from_neighbours(one, ())]
        believed = self._believe_headers(
            [*(one for one, _ in strays), *(frame for group, _, _ in lost for frame in group)]
        )
        for one, reason in strays:
            if one.frame.frame_id not in believed:
                self._drop(one, reason)
        for group, failures, tries in lost:
            solved_in_time = sorted(self.solved, key=lambda one: time_key(one.measured))
            unsolved = [frame for frame in group if frame.frame.frame_id not in believed]
            unsolved = [one for one in unsolved if not self._from_neighbours(one, solved_in_time)]
            self._search_the_sky(unsolved, failures, tries)

    def _believe_headers(self, frames: Sequence[MeasuredFrame]) -> set[int]:
        """Accept what headers say of frames that nothing else places and nothing contradicts; return their ids."""
        claimed = {frame.frame.path: frame for frame in frames if frame.frame.frame_id in self.claims}
        places = {path: self.claims[one.frame.frame_id].wcs for path, one in claimed.items()}
        refused = refused_claims(claimed, places, self.solved, self._field)
        for path, reason in refused.items():
            self.doubts[claimed[path].frame.frame_id] = reason
            self.context.log(message("log.header_wcs_refused", path=path))
        believed = [one for path, one in claimed.items() if path not in refused]
        for one in believed:
            self._accept(one, self.claims[one.frame.frame_id])
        return {one.frame.frame_id for one in believed}

    def _solve_pointing(self, frames: Sequence[MeasuredFrame]) -> dict[int, Message]:
        """Solve one frame absolutely and carry its solution through the pointing; return why others failed, by id."""
        unknown = message("reason.unsolved_pointing")
        failures: dict[int, Message] = {}
        seed = self._seed(frames, failures)
        if seed is None:
            return {frame.frame.frame_id: failures.get(frame.frame.frame_id, unknown) for frame in frames}
        others = [frame for frame in frames if frame is not seed.measured]
        return {one.frame.frame_id: reason for one, reason in self._carried(seed, others, self._follow)}

    def _seed(self, frames: Sequence[MeasuredFrame], failures: dict[int, Message]) -> SolvedFrame | None:
        """Return a pointing's first solved frame; where there is none, `failures` says by id what the solvers said.

        When the best frames are found nowhere and no star has confirmed the camera's scale yet, other scales than the
        header's are tried with them before the remaining frames are.
        """
        order = [frames[place] for place in seed_order(frames)[:MAX_SEED_FRAMES]]
        for number, frame in enumerate(order, start=1):
            answer = self._absolute(frame)
            if isinstance(answer, Solution):
                return self._accept(frame, answer)
            failures[frame.frame.frame_id] = answer.reason
            if number == min(SCALE_SEEDS, len(order)):
                rescaled = self._at_another_scale(order[:number])
                if rescaled is not None:
                    return rescaled
        return None

    def _at_another_scale(self, frames: Sequence[MeasuredFrame]) -> SolvedFrame | None:
        """Return the first of the frames that is solved at another scale than its header's."""
        for frame in frames:
            for scale in self.scales.others(frame.frame):
                answer = self._asked(self.solvers.hinted, replace(self._field(frame), scale_arcsec=scale))
                if isinstance(answer, Solution):
                    return self._accept(frame, answer)
        return None

    def _carried(
        self,
        seed: SolvedFrame,
        frames: Sequence[MeasuredFrame],
        follow: Callable[[MeasuredFrame, list[SolvedFrame]], Solution | NotSolved],
    ) -> list[tuple[MeasuredFrame, Message]]:
        """Carry a solution from frame to frame, both ways in time; return the frames that did not follow, and why."""
        order = in_time_order([seed.measured, *frames])
        place = next(i for i, frame in enumerate(order) if frame is seed.measured)
        lost = []
        for run in (order[place + 1 :], order[:place][::-1]):
            chain = [seed]
            for frame in run:
                answer = follow(frame, chain)
                if isinstance(answer, Solution):
                    chain.append(self._accept(frame, answer))
                else:
                    lost.append((frame, answer.reason))
        return lost

    def _follow(self, measured: MeasuredFrame, chain: list[SolvedFrame]) -> Solution | NotSolved:
        return (
            self._from_header(measured)
            or self._propagated(measured, chain[-N_NEIGHBOURS:][::-1])
            or self._asked(self.solvers.hinted, self._field(measured))
        )

    def _from_neighbours(self, measured: MeasuredFrame, known: Sequence[SolvedFrame]) -> bool:
        """Try a frame against the stars of what is solved near its hint; without one, of its neighbours in time."""
        frame = measured.frame
        if frame.ra_deg is None or frame.dec_deg is None:
            near = nearest_in_time(measured, known, N_NEIGHBOURS)
        else:
            near = nearest_on_sky(frame.ra_deg, frame.dec_deg, self.solved, N_NEIGHBOURS)
        answer = self._from_header(measured) or (self._propagated(measured, near) if near else None)
        if answer is not None:
            self._accept(measured, answer)
        return answer is not None

    def _search_the_sky(self, frames: list[MeasuredFrame], reasons: dict[int, Message], tries: int) -> None:
        """Search the whole sky for the best frame, carry what is found to the others, go on with what is left."""

        def follow(frame: MeasuredFrame, chain: list[SolvedFrame]) -> Solution | NotSolved:
            return self._propagated(frame, chain[-N_NEIGHBOURS:][::-1]) or not_solved("reason.unsolved_pointing")

        remaining, failed = [frames[place] for place in seed_order(frames)], 0
        given_up: list[MeasuredFrame] = []
        while remaining and failed < tries:
            seed = remaining.pop(0)
            answer = self._asked(self.solvers.blind, self._field(seed, hinted=False))
            if isinstance(answer, NotSolved):
                if answer.failure is not Failure.NO_SCALE or seed.frame.frame_id not in reasons:
                    reasons[seed.frame.frame_id] = answer.reason
                given_up.append(seed)
                failed += 1
                continue
            failed = 0
            lost = self._carried(self._accept(seed, answer), remaining, follow)
            lost_ids = {one.frame.frame_id for one, _ in lost}
            remaining = [one for one in remaining if one.frame.frame_id in lost_ids]
        for frame in in_time_order([*remaining, *given_up]):
            self._drop(frame, reasons.get(frame.frame.frame_id, message("reason.unsolved_pointing")))

    def tell_of_astap(self) -> None:
        """Warn where ASTAP, chosen as the solver, did not solve what it was asked for."""
        asked, solved = len(self.astap_solved), sum(self.astap_solved.values())
        if self.context.settings.solver == "astap" and solved < asked:
            self.context.warn(message("warning.astap_solved_few", asked=asked, solved=solved))
        elif asked and not solved:
            self.context.log(message("warning.astap_located_none", frames=asked))

    def alternative_solution(self, refused: SolvedFrame, agreed: Sequence[SolvedFrame]) -> SolvedFrame | None:
        """Return a frame that disagrees with all others with another solution than its own, None if there is none.

        Parameters
        ----------
        refused : SolvedFrame
            With the solution that is not believed.
        agreed : sequence of SolvedFrame
            The others, in the order of time, with the solutions that all agree on.
        """
        measured, frame = refused.measured, refused.frame
        by_time = nearest_in_time(measured, agreed, N_NEIGHBOURS)
        ra_deg = refused.wcs.ra_deg if frame.ra_deg is None else frame.ra_deg
        dec_deg = refused.wcs.dec_deg if frame.dec_deg is None else frame.dec_deg
        by_place = nearest_on_sky(ra_deg, dec_deg, agreed, N_NEIGHBOURS)
        field = self._field(measured)
        hints = [(one.wcs.ra_deg, one.wcs.dec_deg) for one in (by_time[0], by_place[0])]
        attempts: list[Callable[[], Solution | NotSolved | None]] = [
            partial(self._propagated, measured, by_time),
            partial(self._propagated, measured, by_place),
            *(partial(self._asked, self.solvers.hinted, replace(field, ra_deg=r, dec_deg=d)) for r, d in hints),
        ]
        for attempt in attempts:
            answer = attempt()
            if isinstance(answer, Solution) and corners_apart_px(answer.wcs, refused) > MIN_NEW_SOLUTION_PX:
                self.context.log(message("log.frame_solved_again", path=frame.path, how=answer.how))
                return SolvedFrame(measured, answer)
        return None

    def _absolute(self, measured: MeasuredFrame) -> Solution | NotSolved:
        """Return the header's WCS if it holds, else what the first solver that succeeds finds."""
        return self._from_header(measured) or self._asked(self.solvers.hinted, self._field(measured))

    def _asked(self, solvers: Iterable[Solver], field: StarField) -> Solution | NotSolved:
        failure = not_solved("reason.unsolved_pointing")
        for solver in solvers:
            try:
                answer = solver.solve(field)
            except FrameError as fault:  # its pixels are asked for only now, and the file may be gone
                failure = NotSolved(fault.reason)
                continue
            if isinstance(solver, AstapSolver):
                solved = isinstance(answer, Solution)
                self.astap_solved[field.name] = solved or self.astap_solved.get(field.name, False)
            if isinstance(answer, Solution):
                return answer
            if answer.failure.is_final:
                self._tell_useless(answer.reason)
                self.solvers = self.solvers.without_astap()
            else:
                failure = answer
        return failure

    def _tell_useless(self, fault: Message) -> None:
        """Warn of an ASTAP that cannot work where it was chosen; elsewhere once a frame is left without a place."""
        if self.context.settings.solver == "astap" or self.dropped:
            self.context.warn(fault)
        else:
            self.context.log(fault)
            self.useless = fault

    def _from_header(self, measured: MeasuredFrame) -> Solution | None:
        frame = measured.frame
        if frame.header_wcs is None or self.context.settings.force_resolve_existing_wcs:
            return None
        for catalogue in self.solvers.catalogues:
            answer = verify(frame.header_wcs, self._field(measured), catalogue)
            if isinstance(answer, Solution):
                return answer
        if frame.frame_id not in self.claims and frame.frame_id not in self.doubts:
            answer = unchecked(frame.header_wcs, self._field(measured), self.solvers.catalogues)
            if isinstance(answer, Solution):
                self.claims[frame.frame_id] = answer
            else:
                self.doubts[frame.frame_id] = answer.reason
                self.context.log(message("log.header_wcs_refused", path=frame.path))
        return None

    def _propagated(self, measured: MeasuredFrame, near: Sequence[SolvedFrame]) -> Solution | None:
        """Return the place that the stars of solved frames give a frame, if stars confirm it.

        Where they do not, what stands still on the sensor is no star: the others are tried by themselves.
        """
        field, neighbours = self._field(measured), [neighbour_of(frame, measured.frame) for frame in near]
        for seen, known in ((field, neighbours), moved_only(field, neighbours)):
            answer = propagate(seen, known_stars([(frame.wcs, frame.x_px, frame.y_px) for frame in known]), near[0].wcs)
            if answer is None:
                return None
            if is_believed(answer.wcs, field, self.solvers.catalogues, neighbours):
                return replace(answer, how=UNCHECKED_PLACE) if all(map(is_unchecked, near)) else answer
        return None

    def _field(self, measured: MeasuredFrame, hinted: bool = True) -> StarField:
        """Return a frame's stars and hints as solvers take them."""
        frame = measured.frame

        def green() -> np.ndarray:
            pixels = calibrated_pixels(frame, self.defects[frame.camera_key].path, self.context.scratch)
            planes = colour_planes(pixels, frame.bayer)
            return planes[green_channel(len(planes))]

        return StarField(
            x_px=measured.stars.x_px,
            y_px=measured.stars.y_px,
            width=frame.width,
            height=frame.height,
            ra_deg=frame.ra_deg if hinted else None,
            dec_deg=frame.dec_deg if hinted else None,
            scale_arcsec=self.scales.of(frame),
            radius_deg=self.context.settings.hint_radius_deg,
            green=green,
            name=frame.path,
        )

    def _accept(self, measured: MeasuredFrame, solution: Solution) -> SolvedFrame:
        self.solved.append(SolvedFrame(measured, solution))
        self.scales.learn(measured.frame, solution.wcs.scale_arcsec)
        self.advance(len(self.solved) + self.dropped)
        return self.solved[-1]

    def _drop(self, measured: MeasuredFrame, reason: Message) -> None:
        reason = self.doubts.get(measured.frame.frame_id, reason)
        if self.useless is not None:
            self.context.warn(self.useless)
            self.useless = None
        _drop(self.context, measured, self.measured, reason)
        self.dropped += 1
        self.advance(len(self.solved) + self.dropped)


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


def _drop(context: RunContext, measured: MeasuredFrame, others: Sequence[MeasuredFrame], reason: Message) -> None:
    """Leave a frame out; stars far out of focus or trailed are the reason before all that followed from it."""
    frame = measured.frame
    peers = [solved_frame for solved_frame in others if solved_frame.frame.camera_key == frame.camera_key]
    settings = context.settings
    shape = shape_reason(measured, peers, quality_limits(settings)) if settings.quality_reject_enabled else None
    first_reason = shape or reason
    context.drop(Dropped(frame.path, frame.frame_id, "solve", FrameStatus.UNSOLVED, first_reason))


def _solve_jointly(
    session: _Session, solved: list[SolvedFrame], catalogue: Catalogue, fixed: set[int]
) -> list[SolvedFrame]:
    """Return the frames with the places that all agree on; who does not agree is solved anew before it is left out.

    Frames with ids in `held` stay where they are as far as the others agree.
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
            _drop(context, frame.measured, [frame.measured for frame in solved], refined.disagreement)
            continue
        stays, stars = frame.frame.frame_id in fixed, session.solvers.catalogues
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
