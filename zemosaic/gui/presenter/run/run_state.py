"""What a run looks like from outside: `advanced` folds the worker's events into one `RunState`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from zemosaic.errors import Message
from zemosaic.events import (
    PHASES,
    Event,
    FrameDropped,
    FrameMeasured,
    FramesFound,
    FrameSolved,
    Logged,
    PhaseAdvanced,
    PhaseFinished,
    PhaseStarted,
    PlanReady,
    Preparation,
    PreparationFinished,
    PreviewReady,
    ResourceSample,
    RunCancelled,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    TileStacked,
    Warned,
    Watching,
)
from zemosaic.gui.presenter.run.eta import SHARES, Speed, remaining_s

__all__ = ["Drops", "LogLine", "Phase", "PhaseStatus", "RunState", "Status", "WarningCount", "advanced"]

_LOG_LINES = 5000
"""Lines of the log that are kept for the windows; the file keeps all."""
_WARNINGS_PER_KEY = 5
"""Warnings of one kind shown apart; more of them are only counted."""


class Status(StrEnum):
    """Where a run stands."""

    IDLE = "idle"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPING = "stopping"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    FAILED = "failed"

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self in (Status.FINISHED, Status.CANCELLED, Status.FAILED)

    @property
    def under_way(self) -> bool:
        """Whether the run can be stopped."""
        return self in (Status.RUNNING, Status.PAUSED)


class PhaseStatus(StrEnum):
    """Where a phase stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Phase:
    """One phase of the run."""

    name: str
    status: PhaseStatus = PhaseStatus.WAITING
    done: int = 0
    total: int | None = None
    started_s: float = 0.0
    wall_s: float = 0.0
    speed: Speed = field(default_factory=Speed)

    @property
    def fraction(self) -> float | None:
        """Part that is done, 0 to 1; None while the total is unknown."""
        if self.status is PhaseStatus.DONE:
            return 1.0
        if self.status is PhaseStatus.WAITING:
            return 0.0
        return None if not self.total else min(self.done / self.total, 1.0)

    def later(self, by_s: float) -> Phase:
        """Return the phase as if it had begun so much later."""
        speed = replace(self.speed, at_s=self.speed.at_s + by_s)
        return replace(self, started_s=self.started_s + by_s, speed=speed)

    def left_s(self, at_s: float) -> float | None:
        """Return the seconds left at a time of the run's clock; None while unknown."""
        left = self.speed.remaining_s(self.done, self.total)
        return None if left is None else max(left - max(at_s - self.speed.at_s, 0.0), 0.0)


@dataclass(frozen=True)
class Drops:
    """Frames that share a reason for not being in the mosaic."""

    status: str
    reason: Message
    """The first frame's."""
    count: int
    same: bool = True
    """Whether all have the very same sentence; otherwise `reason` is an example."""


@dataclass(frozen=True)
class WarningCount:
    """A warning and how often it came."""

    text: Message
    count: int


@dataclass(frozen=True)
class LogLine:
    """One line of the log."""

    at_s: float
    level: str
    text: Message


@dataclass(frozen=True)
class RunState:
    """All that a front end shows of a run; times are seconds of one monotonic clock."""

    status: Status = Status.IDLE
    started_s: float = 0.0
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    """Part of the time that each phase takes, as earlier runs took it."""
    paused_at_s: float | None = None
    """When the pause that lasts began."""
    paused_s: float = 0.0
    """What pauses took before."""
    phases: tuple[Phase, ...] = tuple(Phase(name) for name in PHASES)
    current: str | None = None
    found: FramesFound | None = None
    plan: PlanReady | None = None
    measured: int = 0
    solved: int = 0
    tiles: int = 0
    dropped: int = 0
    drops: tuple[Drops, ...] = ()
    warnings: tuple[WarningCount, ...] = ()
    log: tuple[LogLine, ...] = ()
    log_count: int = 0
    """Lines so far, those no longer kept included."""
    preview: PreviewReady | None = None
    sample: ResourceSample | None = None
    peak_rss_bytes: int = 0
    output_dir: str = ""
    until: Preparation | None = None
    """The last phase of a run that only prepares."""
    result: RunFinished | None = None
    watch: Watching | None = None
    """How the folder stands, where it is still growing."""
    prepared: PreparationFinished | None = None
    error: RunFailed | None = None

    def phase(self, name: str) -> Phase | None:
        """Return a phase by its name."""
        return next((phase for phase in self.phases if phase.name == name), None)

    @property
    def walls_s(self) -> dict[str, float]:
        """Seconds that each phase took."""
        return {phase.name: phase.wall_s for phase in self.phases}

    def clock_s(self, at_s: float) -> float:
        """Return the time at which the run's own clock stands: it stops during a pause."""
        return at_s if self.paused_at_s is None else self.paused_at_s

    def elapsed_s(self, at_s: float) -> float:
        """Return the seconds since the start, without pauses."""
        return max(self.clock_s(at_s) - self.started_s - self.paused_s, 0.0)

    def left_s(self, at_s: float) -> float | None:
        """Return the estimated seconds left of the whole run; None while unknown."""
        if not self.status.under_way:
            return None
        at_s = self.clock_s(at_s)
        taken = {phase.name: max(phase.wall_s, 0.0) for phase in self.phases if phase.status is PhaseStatus.DONE}
        current = self.phase(self.current) if self.current else None
        planned = self.plan.estimated_s if self.plan else None
        if current is None:
            left = remaining_s(taken, None, None, planned, self.until, self.shares)
        else:
            taken[current.name] = max(at_s - current.started_s, 0.0)
            left = remaining_s(taken, current.name, current.left_s(at_s), planned, self.until, self.shares)
        return None if left is None or not math.isfinite(left) else max(left, 0.0)

    def stopping(self) -> RunState:
        """Return the state after the user asked the run to stop."""
        return replace(self, status=Status.STOPPING) if self.status.under_way else self


def advanced(state: RunState, event: Event, at_s: float) -> RunState:
    """Return the state after an event that arrived at a time (s) of a monotonic clock.

    Parameters
    ----------
    state : RunState
        Stays as it is.
    event : Event
        Any event of a run.
    at_s : float
        When it arrived.  All calls for one run have to use the same clock.
    """
    match event:
        case PhaseStarted() | PhaseAdvanced() | PhaseFinished():
            return _with_phase_event(state, event, at_s)
        case FramesFound() | FrameMeasured() | FrameSolved() | FrameDropped() | PlanReady() | TileStacked():
            return _with_finding(state, event)
        case PreviewReady():
            return replace(state, preview=event)
        case ResourceSample():
            return replace(state, sample=event, peak_rss_bytes=max(state.peak_rss_bytes, event.rss_bytes))
        case Warned():
            return _with_warning(state, event, at_s)
        case Logged():
            return _with_line(state, LogLine(at_s, event.level, event.text))
        case RunPaused() | RunResumed():
            return _with_pause(state, event, at_s)
        case Watching():
            return replace(state, watch=event)
        case RunStarted() | RunFinished() | PreparationFinished() | RunCancelled() | RunFailed():
            return _with_turn(state, event, at_s)
        case _:
            assert_never(event)


Turn = RunStarted | RunFinished | PreparationFinished | RunCancelled | RunFailed


def _with_turn(state: RunState, event: Turn, at_s: float) -> RunState:
    match event:
        case RunStarted():
            status = Status.STOPPING if state.status is Status.STOPPING else Status.RUNNING
            fresh = RunState(
                status=status, started_s=at_s, shares=state.shares, output_dir=event.output_dir, until=event.until
            )
            # What is known of a growing folder, and its picture, stand from one run over it to the next.
            return fresh if state.watch is None else replace(fresh, watch=state.watch, preview=state.preview)
        case RunFinished():
            peak = max(state.peak_rss_bytes, event.peak_rss_bytes)
            return replace(state, status=Status.FINISHED, result=event, current=None, peak_rss_bytes=peak)
        case PreparationFinished():
            return replace(state, status=Status.FINISHED, prepared=event, current=None)
        case RunCancelled():
            phases = _ended(state.phases, PhaseStatus.STOPPED)
            return replace(state, status=Status.CANCELLED, current=None, output_dir=event.output_dir, phases=phases)
        case RunFailed():
            phases = _ended(state.phases, PhaseStatus.FAILED)
            failed = replace(state, status=Status.FAILED, error=event, current=None, phases=phases)
            return _with_line(failed, LogLine(at_s, "ERROR", event.error))
        case _:
            assert_never(event)


def _ended(phases: tuple[Phase, ...], how: PhaseStatus) -> tuple[Phase, ...]:
    """Return the phases after the run ended in one of them."""
    return tuple(replace(phase, status=how) if phase.status is PhaseStatus.RUNNING else phase for phase in phases)


def _with_pause(state: RunState, event: RunPaused | RunResumed, at_s: float) -> RunState:
    """Return the state with its clock stopped, or set going again: to the phases it is as if no time had passed."""
    stopping = state.status is Status.STOPPING
    match event:
        case RunPaused():
            return replace(state, status=Status.STOPPING if stopping else Status.PAUSED, paused_at_s=at_s)
        case RunResumed():
            took = 0.0 if state.paused_at_s is None else max(at_s - state.paused_at_s, 0.0)
            return replace(
                state,
                status=Status.STOPPING if stopping else Status.RUNNING,
                paused_at_s=None,
                paused_s=state.paused_s + took,
                phases=tuple(phase.later(took) for phase in state.phases),
            )
        case _:
            assert_never(event)


def _with_phase_event(state: RunState, event: PhaseStarted | PhaseAdvanced | PhaseFinished, at_s: float) -> RunState:
    known = state.phase(event.phase)
    phase = Phase(event.phase) if known is None else known
    match event:
        case PhaseStarted():
            speed = Speed(0, at_s)
            phase = Phase(event.phase, PhaseStatus.RUNNING, 0, event.total, at_s, 0.0, speed)
        case PhaseAdvanced():
            total = phase.total if event.total is None else event.total
            speed = phase.speed.advanced(event.done, at_s)
            done = max(event.done, phase.done)
            phase = replace(phase, status=PhaseStatus.RUNNING, done=done, total=total, speed=speed)
        case PhaseFinished():
            done = phase.total if phase.total is not None else phase.done
            phase = replace(phase, status=PhaseStatus.DONE, done=done, wall_s=event.wall_s)
        case _:
            assert_never(event)
    phases = tuple(phase if item.name == phase.name else item for item in state.phases)
    if known is None:
        phases = (*phases, phase)
    finished = phase.status is PhaseStatus.DONE
    current = (None if state.current == phase.name else state.current) if finished else phase.name
    return replace(state, phases=phases, current=current)


Finding = FramesFound | FrameMeasured | FrameSolved | FrameDropped | PlanReady | TileStacked


def _with_finding(state: RunState, event: Finding) -> RunState:
    match event:
        case FramesFound():
            return replace(state, found=event)
        case FrameMeasured():
            return replace(state, measured=state.measured + 1)
        case FrameSolved():
            return replace(state, solved=state.solved + 1)
        case FrameDropped():
            return replace(state, dropped=state.dropped + 1, drops=_with_drop(state.drops, event))
        case PlanReady():
            return replace(state, plan=event)
        case TileStacked():
            return replace(state, tiles=state.tiles + 1)
        case _:
            assert_never(event)


def _with_drop(drops: tuple[Drops, ...], event: FrameDropped) -> tuple[Drops, ...]:
    for i, known in enumerate(drops):
        if (known.status, known.reason.key) == (event.status, event.reason.key):
            more = replace(known, count=known.count + 1, same=known.same and known.reason == event.reason)
            return (*drops[:i], more, *drops[i + 1 :])
    return (*drops, Drops(event.status, event.reason, 1))


def _with_warning(state: RunState, event: Warned, at_s: float) -> RunState:
    alike = [i for i, known in enumerate(state.warnings) if known.text.key == event.text.key]
    same = next((i for i in alike if state.warnings[i].text == event.text), None)
    if same is None and len(alike) >= _WARNINGS_PER_KEY:
        same = alike[-1]
    if same is not None:
        more = replace(state.warnings[same], count=state.warnings[same].count + 1)
        return replace(state, warnings=(*state.warnings[:same], more, *state.warnings[same + 1 :]))
    extended = replace(state, warnings=(*state.warnings, WarningCount(event.text, 1)))
    return _with_line(extended, LogLine(at_s, "WARNING", event.text))


def _with_line(state: RunState, line: LogLine) -> RunState:
    return replace(state, log=(*state.log[-_LOG_LINES + 1 :], line), log_count=state.log_count + 1)
