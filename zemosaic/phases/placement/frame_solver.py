"""The place of one frame: from its header, from the stars of its neighbours, or from the solvers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from zemosaic.arrays import green_channel
from zemosaic.calibration.detector import calibrated_pixels
from zemosaic.errors import FrameError, Message, message
from zemosaic.frames.planes import colour_planes
from zemosaic.model import UNCHECKED_PLACE, MeasuredFrame, Solution, SolvedFrame
from zemosaic.phases.context import RunContext
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.placement.available_solvers import Solvers
from zemosaic.phases.placement.header_claims import is_unchecked
from zemosaic.phases.placement.places import neighbour_of
from zemosaic.phases.placement.scales import Scales
from zemosaic.solving.agreement import is_believed, moved_only
from zemosaic.solving.base import NotSolved, Solver, StarField, not_solved
from zemosaic.solving.claims import unchecked
from zemosaic.solving.propagate import known_stars, propagate
from zemosaic.solving.solvers.astap import AstapSolver
from zemosaic.solving.solvers.header_solution import verify

__all__ = ["FrameSolver"]


class FrameSolver:
    """Places single frames; remembers what headers claim, and what became of the solvers."""

    def __init__(self, context: RunContext, solvers: Solvers, defects: DetectorCalibrations) -> None:
        self.context, self.solvers, self.defects = context, solvers, defects
        self.scales = Scales(context.reporter)
        self.claims: dict[int, Solution] = {}
        """By frame id, what headers say where the catalogue has too few stars to check it."""
        self.doubts: dict[int, Message] = {}
        """By frame id, why a WCS of a header is not believed."""
        self._astap_solved: dict[str, bool] = {}
        """By path, the frames that ASTAP was asked for, and whether it solved them."""
        self._useless: Message | None = None
        """Why ASTAP is not asked again, until it is told."""
        self._frames_lost = False
        """Whether a frame was left without a place."""

    def absolute(self, measured: MeasuredFrame) -> Solution | NotSolved:
        """Return the header's WCS if it holds, else what the first solver that succeeds finds."""
        return self.from_header(measured) or self.asked(self.solvers.hinted, self.field(measured))

    def from_header(self, measured: MeasuredFrame) -> Solution | None:
        """Return the place that a frame's header tells, if stars confirm it; None where they do not."""
        frame = measured.frame
        if frame.header_wcs is None or self.context.settings.force_resolve_existing_wcs:
            return None
        for catalogue in self.solvers.catalogues:
            answer = verify(frame.header_wcs, self.field(measured), catalogue)
            if isinstance(answer, Solution):
                return answer
        if frame.frame_id not in self.claims and frame.frame_id not in self.doubts:
            answer = unchecked(frame.header_wcs, self.field(measured), self.solvers.catalogues)
            if isinstance(answer, Solution):
                self.claims[frame.frame_id] = answer
            else:
                self.doubts[frame.frame_id] = answer.reason
                self.context.log(message("log.header_wcs_refused", path=frame.path))
        return None

    def propagated(self, measured: MeasuredFrame, near: Sequence[SolvedFrame]) -> Solution | None:
        """Return the place that the stars of solved frames give a frame, if stars confirm it.

        Where they do not, what stands still on the sensor is no star: the others are tried by themselves.

        Parameters
        ----------
        measured : MeasuredFrame
        near : sequence of SolvedFrame
            Neighbours, the nearest first; one at least.
        """
        field, neighbours = self.field(measured), [neighbour_of(frame, measured.frame) for frame in near]
        for seen, known in ((field, neighbours), moved_only(field, neighbours)):
            answer = propagate(seen, known_stars([(frame.wcs, frame.x_px, frame.y_px) for frame in known]), near[0].wcs)
            if answer is None:
                return None
            if is_believed(answer.wcs, field, self.solvers.catalogues, neighbours):
                return replace(answer, how=UNCHECKED_PLACE) if all(map(is_unchecked, near)) else answer
        return None

    def asked(self, solvers: Iterable[Solver], field: StarField) -> Solution | NotSolved:
        """Return the answer of the first solver that has a solution, else the last answer.

        Parameters
        ----------
        solvers : iterable of Solver
        field : StarField
        """
        failure = not_solved("reason.unsolved_pointing")
        for solver in solvers:
            try:
                answer = solver.solve(field)
            except FrameError as fault:  # its pixels are asked for only now, and the file may be gone
                failure = NotSolved(fault.reason)
                continue
            if isinstance(solver, AstapSolver):
                solved = isinstance(answer, Solution)
                self._astap_solved[field.name] = solved or self._astap_solved.get(field.name, False)
            if isinstance(answer, Solution):
                return answer
            if answer.failure.is_final:
                self._tell_useless(answer.reason)
                self.solvers = self.solvers.without_astap()
            else:
                failure = answer
        return failure

    def field(self, measured: MeasuredFrame, hinted: bool = True) -> StarField:
        """Return a frame's stars as solvers take them; its pixels are read only by solvers that ask for them.

        Parameters
        ----------
        measured : MeasuredFrame
        hinted : bool
            Whether the pointing of its header goes with them.
        """
        frame = measured.frame

        def green() -> np.ndarray:
            pixels = calibrated_pixels(frame, self.defects[frame.camera_key].path, self.context.scratch)
            planes = colour_planes(pixels, frame.bayer)
            green: np.ndarray = planes[green_channel(len(planes))]
            return green

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

    def tell_of_astap(self) -> None:
        """Warn where ASTAP, chosen as the solver, did not solve what it was asked for."""
        asked, solved = len(self._astap_solved), sum(self._astap_solved.values())
        if self.context.settings.solver == "astap" and solved < asked:
            self.context.warn(message("warning.astap_solved_few", asked=asked, solved=solved))
        elif asked and not solved:
            self.context.log(message("warning.astap_located_none", frames=asked))

    def _tell_useless(self, fault: Message) -> None:
        """Warn of an ASTAP that cannot work where it was chosen; elsewhere once a frame is left without a place."""
        if self.context.settings.solver == "astap" or self._frames_lost:
            self.context.warn(fault)
        else:
            self.context.log(fault)
            self._useless = fault

    def frame_lost(self) -> None:
        """Take in that a frame is left without a place; a solver that cannot work is then told, once."""
        self._frames_lost = True
        if self._useless is not None:
            self.context.warn(self._useless)
            self._useless = None
