"""Whole runs of the very small survey that something happens to."""

from __future__ import annotations

import hashlib
import signal
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import runs
from benchmarks.faults.runs import Act, settings_of
from zemosaic.events import Event

__all__ = ["KILL", "Undisturbed", "events_of", "pixels"]

KILL = signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM


@dataclass(frozen=True)
class Undisturbed:
    """Frames, and checksums of the files that a run makes of them when nothing happens to it."""

    frames: Path
    pixels: dict[str, str]


def events_of(frames: Path, output: Path, act: Act | None = None) -> list[Event]:
    """Return all events of a run with two workers; `act(run, events so far)` is called after each."""
    return runs.events_of(settings_of(frames, output, 2), act)


def pixels(output: Path) -> dict[str, str]:
    """Return checksums of the pixel files of a finished run."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.glob("zemosaic_MT*.fits")}
