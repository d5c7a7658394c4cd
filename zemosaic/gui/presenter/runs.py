"""What a front end needs of the worker and the demo, so that views can be shown without either."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from zemosaic.events import Event
from zemosaic.settings.schema import Settings

__all__ = ["DemoMaker", "RunHandle", "Starter"]


class RunHandle(Protocol):
    """One run in its own process."""

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""

    def poll(self) -> list[Event]:
        """Return the events waiting, never block."""

    def cancel(self) -> None:
        """Ask the run to stop; `RunCancelled` follows within 5 s."""

    def close(self) -> None:
        """End the process and its queue; may be called again."""


Starter = Callable[[Settings], RunHandle]
"""Starts a run."""

DemoMaker = Callable[[Path, Callable[[int, int], None] | None], Path]
"""Makes demo frames below a folder, telling (done, total); returns the folder of the raw frames."""
