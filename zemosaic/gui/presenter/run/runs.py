"""What a front end needs of the worker and the demo, so that views can be shown without either."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from zemosaic.errors import WorkerDied
from zemosaic.events import Event, Preparation, RunCancelled, RunFailed
from zemosaic.settings.schema import Settings

__all__ = ["STOP_WITHIN_S", "DemoMaker", "RunHandle", "Starter", "waiting_events"]

STOP_WITHIN_S = 5.0
"""A run that was asked to stop counts as stopped after this time."""


class RunHandle(Protocol):
    """One run in its own process."""

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""

    def poll(self) -> list[Event]:
        """Return the events waiting, never block."""

    def cancel(self) -> None:
        """Ask the run to stop; `RunCancelled` follows within 5 s."""

    def pause(self) -> None:
        """Let the run hold after the tasks under way; `RunPaused` follows."""

    def resume(self) -> None:
        """Let a paused run go on; `RunResumed` follows."""

    def close(self) -> None:
        """End the process and its queue; may be called again."""


class Starter(Protocol):
    """Starts a run, as `zemosaic.worker.start` does."""

    def __call__(
        self, settings: Settings, until: Preparation | None = None, *, only: Collection[str] | None = None
    ) -> RunHandle:
        """Start a run to the mosaic, or one that ends after a phase; over some files only where they are named."""


DemoMaker = Callable[[Path, Callable[[int, int], None] | None], Path]
"""Makes demo frames below a folder, telling (done, total); returns the folder of the raw frames."""


def waiting_events(run: RunHandle, stopping_s: float | None) -> list[Event]:
    """Return the events waiting; a run that ended silently, or will not stop, gets its last one here.

    Parameters
    ----------
    run : RunHandle
    stopping_s : float or None
        Seconds since the run was asked to stop; None if it was not.
    """
    alive = run.alive
    events = run.poll()
    if events:
        return events
    if stopping_s is not None and (not alive or stopping_s > STOP_WITHIN_S):
        return [RunCancelled("")]
    if not alive:
        died = WorkerDied("error.worker_died")
        return [RunFailed(died.message, died.exit_code, "")]
    return []
