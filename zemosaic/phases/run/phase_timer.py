"""The beginning, progress and end of a phase, and the time that it took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from zemosaic.compute.machine_resources import ResourceMonitor, return_freed_memory
from zemosaic.events import Event, PhaseAdvanced, PhaseFinished, PhaseStarted

__all__ = ["PhaseTimer", "Timing"]

MIN_ADVANCE_INTERVAL_S = 0.1
"""Shortest time between two `PhaseAdvanced` events."""


@dataclass(frozen=True)
class Timing:
    """What a phase took."""

    wall_s: float
    cpu_s: float


@dataclass
class PhaseTimer:
    """Announces the phases and measures them."""

    emit: Callable[[Event], None]
    monitor: ResourceMonitor
    check_cancelled: Callable[[], None]
    """Raises where the user stopped the run."""
    paused_s: Callable[[], float] = float
    """Seconds that the run was paused so far, which no phase is charged with."""
    timings: dict[str, Timing] = field(default_factory=dict)
    """By name of the phase."""

    @contextlib.contextmanager
    def phase(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Announce and time a phase.

        Parameters
        ----------
        name : str
        total : int, optional
            Steps of the phase; None where their number is not known.

        Yields
        ------
        callable
            Takes the number of steps done so far; raises where the user stopped the run.
        """
        self.check_cancelled()
        self.emit(PhaseStarted(name, total))
        wall, cpu = time.monotonic() - self.paused_s(), self.monitor.cpu_s()
        last = [0.0]

        def advance(done: int) -> None:
            now = time.monotonic()
            if now - last[0] >= MIN_ADVANCE_INTERVAL_S or done == total:
                last[0] = now
                self.emit(PhaseAdvanced(name, done, total))
            self.check_cancelled()

        yield advance
        return_freed_memory()
        timing = Timing(time.monotonic() - self.paused_s() - wall, self.monitor.cpu_s() - cpu)
        # With several fields a phase runs once for each.
        before = self.timings.get(name, Timing(0.0, 0.0))
        self.timings[name] = Timing(before.wall_s + timing.wall_s, before.cpu_s + timing.cpu_s)
        self.emit(PhaseFinished(name, timing.wall_s, timing.cpu_s))
