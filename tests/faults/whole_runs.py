"""Whole runs that something happens to."""

from __future__ import annotations

import hashlib
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from zemosaic import worker
from zemosaic.events import Event
from zemosaic.settings.schema import Settings
from zemosaic.worker import Run

__all__ = ["FRAMES", "KILL", "Undisturbed", "events_of", "pixels", "pool_workers"]

FRAMES = (0, 1, 6, 7)
"""Of the demo: two pointings."""
KILL = signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM


@dataclass(frozen=True)
class Undisturbed:
    """Frames, and checksums of the files that a run makes of them when nothing happens to it."""

    frames: Path
    pixels: dict[str, str]


def events_of(frames: Path, output: Path, act: Callable[[Run, list[Event]], None] | None = None) -> list[Event]:
    """Return all events of a run; `act(run, events so far)` is called after each."""
    values = {"solver": "embedded", "num_processing_workers": 2, "grid_tile_px": 256}
    run = worker.start(Settings(input_dir=str(frames), output_dir=str(output), **values))
    seen: list[Event] = []
    try:
        for event in run.events():
            seen.append(event)
            if act is not None:
                act(run, seen)
    finally:
        run.close()
    return seen


def pixels(output: Path) -> dict[str, str]:
    """Return checksums of the pixel files of a finished run."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.glob("zemosaic_MT*.fits")}


def pool_workers(run: Run) -> list[psutil.Process]:
    """Return the worker processes of a run's pool."""
    found = []
    for child in psutil.Process(run.pid).children():
        try:
            if any("spawn_main" in part for part in child.cmdline()):
                found.append(child)
        except psutil.Error:
            continue  # it is ending
    return found
