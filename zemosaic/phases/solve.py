"""Phase 3: where every frame points.

One absolute solution per pointing; the other frames of the pointing take it over from their
neighbour in time; what that misses is solved on its own.  Then one solution for all frames
together.  A frame without a solution is listed with the reason, and the run goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from zemosaic.catalogue import Catalogue, load_bundled
from zemosaic.errors import Message, NothingUsable, message
from zemosaic.events import FrameSolved
from zemosaic.frames.planes import colour_planes
from zemosaic.model import Dropped, FrameStatus, MeasuredFrame, Solution, SolvedFrame
from zemosaic.phases.context import RunContext
from zemosaic.phases.measure import DefectMaps, mended_pixels
from zemosaic.sky import FrameWcs, separation_deg
from zemosaic.solving.astap import AstapSolver
from zemosaic.solving.astap_find import detect_astap_installation
from zemosaic.solving.base import Field, Solver
from zemosaic.solving.embedded import EmbeddedSolver
from zemosaic.solving.header import verify
from zemosaic.solving.joint import joint_frame, solve_jointly
from zemosaic.solving.propagate import known_stars, propagate

__all__ = ["solve_frames"]

POINTING_REACH = 0.35
"""Frames whose hints differ by less than this part of their diagonal belong to one pointing."""
UNKNOWN_REACH_DEG = 0.4
"""The same in degrees where no scale is known."""
SEEDS = 4
"""Frames of a pointing that are tried for its absolute solution before each stands alone."""
NEIGHBOURS = 6
"""Solved frames of a pointing whose stars the next one is compared with."""


def solve_frames(context: RunContext, measured: Sequence[MeasuredFrame], defects: DefectMaps) -> list[SolvedFrame]:
    """Return the solved frames in their order; the others are dropped with their reasons.

    Raises
    ------
    NothingUsable
        When no frame could be solved.
    """
    catalogue = load_bundled()
    with context.phase("solve", len(measured)) as advance:
        session = _Session(context, catalogue, _solvers(context, catalogue), defects, advance)
        for pointing in _pointings(measured):
            session.solve_pointing(pointing)
        session.solve_left_over()
        solved = sorted(session.solved, key=lambda one: one.frame.frame_id)
        if not solved:
            raise NothingUsable("error.nothing_solved", frames=len(measured))
        solved = _jointly(context, solved, catalogue)
        for one in solved:
            context.emit(_event(one))
    if not solved:
        raise NothingUsable("error.nothing_solved", frames=len(measured))
    return solved


class _Session:
    """Solutions found so far."""

    def __init__(
        self,
        context: RunContext,
        catalogue: Catalogue,
        solvers: Sequence[Solver],
        defects: DefectMaps,
        advance: Callable[[int], None],
    ) -> None:
        self.context, self.catalogue, self.solvers = context, catalogue, solvers
        self.defects, self.advance = defects, advance
        self.solved: list[SolvedFrame] = []
        self.left_over: list[tuple[MeasuredFrame, Message]] = []

    def solve_pointing(self, frames: Sequence[MeasuredFrame]) -> None:
        """Solve one frame absolutely and carry its solution through the pointing, both ways in time."""
        seed, place = None, 0
        failures: dict[int, Message] = {}
        for place in _seed_order(frames):
            answer = self.absolute(frames[place])
            if isinstance(answer, Solution):
                seed = SolvedFrame(frames[place], answer)
                break
            failures[frames[place].frame.frame_id] = answer
        if seed is None:
            unknown = message("reason.unsolved_pointing")
            self.left_over.extend((one, failures.get(one.frame.frame_id, unknown)) for one in frames)
            return
        self._accept(seed)
        for run in (frames[place + 1 :], frames[:place][::-1]):
            chain = [seed]
            for one in run:
                self._follow(one, chain)

    def _follow(self, measured: MeasuredFrame, chain: list[SolvedFrame]) -> None:
        stars = known_stars([_placed(one) for one in chain[-NEIGHBOURS:][::-1]])
        answer: Solution | Message | None = propagate(self.field(measured), stars, chain[-1].wcs)
        if answer is None:
            answer = self.absolute(measured)
        if isinstance(answer, Solution):
            chain.append(SolvedFrame(measured, answer))
            self._accept(chain[-1])
        else:
            self.left_over.append((measured, answer))

    def solve_left_over(self) -> None:
        """Try what is left against the stars of all that is solved near it; else drop it."""
        for measured, reason in self.left_over:
            near = self._near(measured)
            answer = (
                propagate(self.field(measured), known_stars([_placed(n) for n in near]), near[0].wcs) if near else None
            )
            if answer is not None:
                self._accept(SolvedFrame(measured, answer))
            else:
                frame = measured.frame
                self.context.drop(Dropped(frame.path, frame.frame_id, "solve", FrameStatus.UNSOLVED, reason))
        self.left_over.clear()

    def absolute(self, measured: MeasuredFrame) -> Solution | Message:
        """Return the header's WCS if it holds, else what the first solver that succeeds finds."""
        field, frame = self.field(measured), measured.frame
        if frame.header_wcs is not None and not self.context.settings.force_resolve_existing_wcs:
            answer = verify(frame.header_wcs, field, self.catalogue)
            if isinstance(answer, Solution):
                return answer
            self.context.log(message("log.header_wcs_refused", path=frame.path))
        reason = message("reason.unsolved_pointing")
        for solver in self.solvers:
            answer = solver.solve(field)
            if isinstance(answer, Solution):
                return answer
            reason = answer
        return reason

    def field(self, measured: MeasuredFrame) -> Field:
        """Return a frame's stars and hints as solvers take them."""
        frame = measured.frame

        def green() -> np.ndarray:
            pixels = mended_pixels(frame, self.defects[frame.group].path, self.context.scratch)
            planes = colour_planes(pixels, frame.bayer)
            return planes[min(1, len(planes) - 1)]

        return Field(
            x_px=measured.stars.x_px,
            y_px=measured.stars.y_px,
            width=frame.width,
            height=frame.height,
            ra_deg=frame.ra_deg,
            dec_deg=frame.dec_deg,
            scale_arcsec=frame.scale_arcsec,
            radius_deg=self.context.settings.hint_radius_deg,
            green=green,
        )

    def _accept(self, solved: SolvedFrame) -> None:
        self.solved.append(solved)
        self.advance(len(self.solved) + len(self.left_over))

    def _near(self, measured: MeasuredFrame) -> list[SolvedFrame]:
        """Return a few solved frames nearest to a frame's hint."""
        frame = measured.frame
        if frame.ra_deg is None or frame.dec_deg is None or not self.solved:
            return self.solved[:NEIGHBOURS]
        distance = [float(separation_deg(frame.ra_deg, frame.dec_deg, *_centre(one))) for one in self.solved]
        return [self.solved[i] for i in np.argsort(distance, kind="stable")[:NEIGHBOURS]]


def _solvers(context: RunContext, catalogue: Catalogue) -> list[Solver]:
    """Return the solvers in the order in which they are tried."""
    settings = context.settings
    solvers: list[Solver] = []
    if settings.solver in ("auto", "astap"):
        found = detect_astap_installation(settings.astap_executable_path, settings.astap_data_directory_path)
        if found is not None:
            solvers.append(
                AstapSolver(
                    found,
                    radius_deg=settings.astap_default_search_radius,
                    timeout_s=settings.astap_timeout_s,
                    catalogue=catalogue,
                )
            )
            context.log(message("log.astap_found", path=str(found.executable)))
        elif settings.solver == "astap":
            context.warn(message("warning.astap_missing"))
    return [*solvers, EmbeddedSolver(catalogue)]


def _pointings(measured: Sequence[MeasuredFrame]) -> list[list[MeasuredFrame]]:
    """Group frames of one camera whose hints lie together; each group in the order of time."""
    found: list[tuple[tuple[object, ...], float, float, float, list[MeasuredFrame]]] = []
    in_time = sorted(measured, key=lambda one: (one.frame.date_obs or "", one.frame.frame_id))
    for one in in_time:
        frame = one.frame
        kind = (frame.instrument, frame.telescope, frame.width, frame.height, frame.ra_deg is None)
        ra, dec = frame.ra_deg or 0.0, frame.dec_deg or 0.0
        reach = _reach_deg(one)
        for known, ra0, dec0, least, members in found:
            if known == kind and float(separation_deg(ra, dec, ra0, dec0)) < least:
                members.append(one)
                break
        else:
            found.append((kind, ra, dec, reach, [one]))
    return [members for *_, members in found]


def _reach_deg(measured: MeasuredFrame) -> float:
    frame = measured.frame
    if frame.scale_arcsec is None:
        return UNKNOWN_REACH_DEG
    return POINTING_REACH * frame.scale_arcsec * float(np.hypot(frame.width, frame.height)) / 3600.0


def _seed_order(frames: Sequence[MeasuredFrame]) -> list[int]:
    """Return the places of the frames to try first: many round stars."""
    quality = [-len(one.stars) * (1.0 - 0.5 * np.nan_to_num(one.eccentricity, nan=1.0)) for one in frames]
    return [int(i) for i in np.argsort(quality, kind="stable")[:SEEDS]]


def _placed(solved: SolvedFrame) -> tuple[FrameWcs, np.ndarray, np.ndarray]:
    return solved.wcs, solved.measured.stars.x_px, solved.measured.stars.y_px


def _centre(solved: SolvedFrame) -> tuple[float, float]:
    ra, dec = solved.wcs.pixel_to_sky(solved.frame.width / 2, solved.frame.height / 2)
    return float(ra), float(dec)


def _jointly(context: RunContext, solved: list[SolvedFrame], catalogue: Catalogue) -> list[SolvedFrame]:
    """Return the frames with the places that all of them agree on."""
    result = solve_jointly([joint_frame(one) for one in solved], catalogue)
    kept = []
    for one, refined in zip(solved, result.frames, strict=True):
        frame = one.frame
        if refined.disagreement is not None and refined.disagreement.key == "reason.joint_few_stars":
            context.log(message("log.frame_alone", path=frame.path))
        elif refined.disagreement is not None:
            context.drop(Dropped(frame.path, frame.frame_id, "solve", FrameStatus.UNSOLVED, refined.disagreement))
            continue
        solution = one.solution
        rms = refined.rms_arcsec if np.isfinite(refined.rms_arcsec) else solution.rms_arcsec
        kept.append(
            replace(one, solution=replace(solution, wcs=refined.wcs, rms_arcsec=rms, n_matched=refined.n_stars))
        )
    context.log(
        message("log.joint_solution", frames=len(kept), stars=result.n_stars, rms_arcsec=round(result.rms_arcsec, 3))
    )
    return kept


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
