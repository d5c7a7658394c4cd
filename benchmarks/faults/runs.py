"""Whole runs of the very small survey, what is watched of them, and whether they end with the same bytes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults.survey import make_survey
from zemosaic import worker
from zemosaic.events import Event, FrameDropped, PhaseAdvanced, ResourceSample, RunFailed, RunFinished, Warned
from zemosaic.settings.schema import Settings
from zemosaic.worker import Run

__all__ = [
    "Act",
    "Survey",
    "Tally",
    "digests",
    "events_of",
    "is_step",
    "other_bytes",
    "prepare",
    "settings_of",
    "why_failed",
]

Act = Callable[[Run, list[Event]], None]
"""Called after each event of a run with its handle and all events so far."""
_NO_STEPS = (PhaseAdvanced, ResourceSample)
"""Events that depend on the time that a run takes."""


@dataclass(frozen=True)
class Survey:
    """Frames, and what a run makes of them when nothing happens to it."""

    frames: Path
    whole: dict[str, str]
    """Checksums of the files of the mosaic by their names."""
    steps: int
    """Events of such a run that do not depend on time."""
    content: dict[str, tuple[int, bytes]]
    """Times and bytes of the frames."""

    def untouched(self) -> bool:
        """Whether all frames are byte for byte and time for time as they were."""
        return _content(self.frames) == self.content


@dataclass
class Tally:
    """What became of the faults of one kind."""

    name: str
    faults: int = 0
    """Faults that hit something."""
    runs: int = 0
    failures: list[str] = field(default_factory=list)

    def failed(self, where: str, why: object) -> None:
        """Remember a fault that was not survived, and tell it at once: whole trials take long."""
        self.failures.append(f"{self.name}, {where}: {why}")
        print(self.failures[-1], file=sys.stderr, flush=True)


def settings_of(frames: Path, output: Path, workers: int, **changes: object) -> Settings:
    """Return the settings of the harness's runs."""
    values: dict[str, object] = {
        "input_dir": str(frames),
        "output_dir": str(output),
        "solver": "embedded",
        "num_processing_workers": workers,
        "grid_tile_px": 128,
        "preview_max_px": 256,
        "save_picture": "none",
        "language": "en",
    }
    return Settings(**(values | changes))


def prepare(folder: Path) -> Survey:
    """Make the survey and its undisturbed mosaic in a new folder."""
    frames = make_survey(folder / "frames")
    events = events_of(settings_of(frames, folder / "whole", 2))
    if not isinstance(events[-1], RunFinished):
        raise RuntimeError(f"the undisturbed run did not finish: {events[-1]}")
    return Survey(frames, digests(folder / "whole"), sum(map(is_step, events)), _content(frames))


def events_of(settings: Settings, act: Act | None = None) -> list[Event]:
    """Return all events of a run; `act` is called after each."""
    run = worker.start(settings)
    seen: list[Event] = []
    try:
        for event in run.events():
            seen.append(event)
            if act is not None and run.alive:
                act(run, seen)
    finally:
        run.close()
    return seen


def is_step(event: Event) -> bool:
    """Whether an event comes in every run of the same frames, however long it takes."""
    return not isinstance(event, _NO_STEPS)


def digests(output: Path) -> dict[str, str]:
    """Return checksums of the files of a mosaic."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(output.glob("zemosaic_MT*"))}


def other_bytes(survey: Survey, output: Path, events: list[Event]) -> str:
    """Return which files of a mosaic differ from those of the undisturbed run, and what was told; empty where none do.

    Parameters
    ----------
    survey : Survey
    output : Path
    events : list of Event
        Of the run that made them.
    """
    made = digests(output)
    names = sorted(name for name in made.keys() | survey.whole.keys() if made.get(name) != survey.whole.get(name))
    told = [f"{event.text.key} {event.text.params}" for event in events if isinstance(event, Warned)]
    told += [f"{Path(event.path).name}: {event.reason.key}" for event in events if isinstance(event, FrameDropped)]
    return f"other bytes: {', '.join(names)}; {'; '.join(told)}" if names else ""


def why_failed(event: Event) -> str:
    """Return how a run ended that ought to have finished."""
    return f"{event.error.key} {event.error.params}" if isinstance(event, RunFailed) else str(event)


def _content(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.iterdir())}
