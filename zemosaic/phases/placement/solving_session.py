"""The places of all frames, one after the other: pointings by their hints, then neighbours, then the whole sky."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from zemosaic.errors import Message, message
from zemosaic.model import Dropped, FrameStatus, MeasuredFrame, Solution, SolvedFrame
from zemosaic.phases.context import RunContext, quality_limits
from zemosaic.phases.placement.frame_solver import FrameSolver
from zemosaic.phases.placement.header_claims import refused_claims
from zemosaic.phases.placement.places import corners_apart_px
from zemosaic.solving.base import Failure, NotSolved, not_solved
from zemosaic.solving.pointings import in_time_order, nearest_in_time, nearest_on_sky, pointings, seed_order, time_key
from zemosaic.zeanalyser.verdicts import shape_reason

__all__ = ["SolvingSession", "drop_unsolved"]

MAX_SEED_FRAMES = 4
"""Frames of a pointing that are tried for its absolute solution before the pointing is given up."""
SCALE_SEEDS = 2
"""Frames of a pointing that are tried at other scales than the header's."""
MAX_BLIND_FAILURES = 5
"""Frames without a hint that may be found nowhere, one after the other, before the rest is given up."""
N_NEIGHBOURS = 6
"""Solved frames of a pointing whose stars the next one is compared with."""
MIN_NEW_SOLUTION_PX = 1.0
"""A solution that puts corners further from where they were is another solution."""


class SolvingSession:
    """Solves the frames of a run in turn, and keeps the solutions found so far."""

    def __init__(self, context: RunContext, frame_solver: FrameSolver, advance: Callable[[int], None]) -> None:
        self.context, self.frame_solver, self.advance = context, frame_solver, advance
        self.solved: list[SolvedFrame] = []
        self.measured: Sequence[MeasuredFrame] = ()
        self.dropped = 0

    def solve(self, measured: Sequence[MeasuredFrame], prior: Mapping[int, Solution]) -> None:
        """Solve what can be solved: pointings by their hints first, then what neighbours or the whole sky tell.

        What is solved stands in `solved` afterwards, in the order in which it was solved; the other frames are dropped.

        Parameters
        ----------
        measured : sequence of MeasuredFrame
        prior : mapping of int to Solution
            By frame id, solutions that are held; these frames are not solved.
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
        claimed = {frame.frame.path: frame for frame in frames if frame.frame.frame_id in self.frame_solver.claims}
        places = {path: self.frame_solver.claims[one.frame.frame_id].wcs for path, one in claimed.items()}
        refused = refused_claims(claimed, places, self.solved, self.frame_solver.field)
        for path, reason in refused.items():
            self.frame_solver.doubts[claimed[path].frame.frame_id] = reason
            self.context.log(message("log.header_wcs_refused", path=path))
        believed = [one for path, one in claimed.items() if path not in refused]
        for one in believed:
            self._accept(one, self.frame_solver.claims[one.frame.frame_id])
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
            answer = self.frame_solver.absolute(frame)
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
            for scale in self.frame_solver.scales.others(frame.frame):
                answer = self.frame_solver.asked(
                    self.frame_solver.solvers.hinted, replace(self.frame_solver.field(frame), scale_arcsec=scale)
                )
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
            self.frame_solver.from_header(measured)
            or self.frame_solver.propagated(measured, chain[-N_NEIGHBOURS:][::-1])
            or self.frame_solver.asked(self.frame_solver.solvers.hinted, self.frame_solver.field(measured))
        )

    def _from_neighbours(self, measured: MeasuredFrame, known: Sequence[SolvedFrame]) -> bool:
        """Try a frame against the stars of what is solved near its hint; without one, of its neighbours in time."""
        frame = measured.frame
        if frame.ra_deg is None or frame.dec_deg is None:
            near = nearest_in_time(measured, known, N_NEIGHBOURS)
        else:
            near = nearest_on_sky(frame.ra_deg, frame.dec_deg, self.solved, N_NEIGHBOURS)
        answer = self.frame_solver.from_header(measured) or (
            self.frame_solver.propagated(measured, near) if near else None
        )
        if answer is not None:
            self._accept(measured, answer)
        return answer is not None

    def _search_the_sky(self, frames: list[MeasuredFrame], reasons: dict[int, Message], tries: int) -> None:
        """Search the whole sky for the best frame, carry what is found to the others, go on with what is left."""

        def follow(frame: MeasuredFrame, chain: list[SolvedFrame]) -> Solution | NotSolved:
            return self.frame_solver.propagated(frame, chain[-N_NEIGHBOURS:][::-1]) or not_solved(
                "reason.unsolved_pointing"
            )

        remaining, failed = [frames[place] for place in seed_order(frames)], 0
        given_up: list[MeasuredFrame] = []
        while remaining and failed < tries:
            seed = remaining.pop(0)
            answer = self.frame_solver.asked(
                self.frame_solver.solvers.blind, self.frame_solver.field(seed, hinted=False)
            )
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
        field = self.frame_solver.field(measured)
        hints = [(one.wcs.ra_deg, one.wcs.dec_deg) for one in (by_time[0], by_place[0])]
        attempts: list[Callable[[], Solution | NotSolved | None]] = [
            partial(self.frame_solver.propagated, measured, by_time),
            partial(self.frame_solver.propagated, measured, by_place),
            *(
                partial(self.frame_solver.asked, self.frame_solver.solvers.hinted, replace(field, ra_deg=r, dec_deg=d))
                for r, d in hints
            ),
        ]
        for attempt in attempts:
            answer = attempt()
            if isinstance(answer, Solution) and corners_apart_px(answer.wcs, refused) > MIN_NEW_SOLUTION_PX:
                self.context.log(message("log.frame_solved_again", path=frame.path, how=answer.how))
                return SolvedFrame(measured, answer)
        return None

    def _accept(self, measured: MeasuredFrame, solution: Solution) -> SolvedFrame:
        self.solved.append(SolvedFrame(measured, solution))
        self.frame_solver.scales.learn(measured.frame, solution.wcs.scale_arcsec)
        self.advance(len(self.solved) + self.dropped)
        return self.solved[-1]

    def _drop(self, measured: MeasuredFrame, reason: Message) -> None:
        reason = self.frame_solver.doubts.get(measured.frame.frame_id, reason)
        self.frame_solver.frame_lost()
        drop_unsolved(self.context, measured, self.measured, reason)
        self.dropped += 1
        self.advance(len(self.solved) + self.dropped)


def drop_unsolved(
    context: RunContext, measured: MeasuredFrame, others: Sequence[MeasuredFrame], reason: Message
) -> None:
    """Leave a frame out; stars far out of focus or trailed are the reason before all that followed from it.

    Parameters
    ----------
    context : RunContext
    measured : MeasuredFrame
        The frame.
    others : sequence of MeasuredFrame
        All frames of the run, whose shape of stars it is compared with.
    reason : Message
        Why it has no place.
    """
    frame = measured.frame
    peers = [solved_frame for solved_frame in others if solved_frame.frame.camera_key == frame.camera_key]
    settings = context.settings
    shape = shape_reason(measured, peers, quality_limits(settings)) if settings.quality_reject_enabled else None
    first_reason = shape or reason
    context.drop(Dropped(frame.path, frame.frame_id, "solve", FrameStatus.UNSOLVED, first_reason))
