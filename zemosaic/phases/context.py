"""What every phase may use: settings, events, cancellation, workers, memory, the work folder."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zemosaic import __version__
from zemosaic.compute.budget import Budget, make_budget
from zemosaic.compute.executors import SerialExecutor, TaskKilled, map_ordered
from zemosaic.compute.machine_resources import ResourceMonitor, return_freed_memory
from zemosaic.errors import FrameError, Message, RunCancelled, ZeMosaicError, disk_full, message
from zemosaic.events import Event, FrameDropped, Logged, PhaseAdvanced, PhaseFinished, PhaseStarted, Warned
from zemosaic.model import Dropped, FrameRef
from zemosaic.settings.schema import Settings, specs
from zemosaic.stacking.kernel import is_compiled
from zemosaic.store.journal import Journal, digest
from zemosaic.zeanalyser.verdicts import QualityLimits

if TYPE_CHECKING:
    from zemosaic.phases.previous_run.state import PreviousRun

__all__ = ["RunContext", "Timing", "camera_groups", "quality_limits"]

T = TypeVar("T")
R = TypeVar("R")

ADVANCE_S = 0.1
"""Shortest time between two `PhaseAdvanced` events."""
MAX_DETAIL_CHARS = 200


@dataclass(frozen=True)
class Timing:
    """What a phase took."""

    wall_s: float
    cpu_s: float


@dataclass
class RunContext:
    """The run as its phases see it; the worker makes it."""

    settings: Settings
    emit: Callable[[Event], None]
    cancelled: Callable[[], bool]
    """Whether the user stopped the run; while the run is paused the answer waits."""
    executor: Executor
    budget: Budget
    journal: Journal
    work_dir: Path
    monitor: ResourceMonitor
    open_workers: Callable[[Budget], tuple[Executor, Budget]] | None = None
    """Opens what runs the tasks, once it is known how many frames there are, and says what each may take there."""
    previous_run: PreviousRun | None = None
    """What is known from earlier nights; None where nothing is to be kept."""
    paused_s: Callable[[], float] = float
    """Seconds that the run was paused so far."""
    pictures: bool = True
    """Whether anybody looks at pictures of the mosaic while it grows."""
    dropped: list[Dropped] = field(default_factory=list)
    warnings: list[Message] = field(default_factory=list)
    timings: dict[str, Timing] = field(default_factory=dict)

    @property
    def output_dir(self) -> Path:
        return Path(self.settings.output_dir)

    @property
    def scratch(self) -> Path:
        """Where decoded frames and defect maps lie during the run."""
        return self.work_dir / "scratch"

    @property
    def stores(self) -> Path:
        """Where this run's tiles lie, beside those of the last finished run."""
        number = self.previous_run.number if self.previous_run is not None else 0
        return self.work_dir / f"night_{number}" if number else self.work_dir

    def divide_memory(self, frames: int) -> None:
        """Divide the memory for so many frames, and make as many workers as fit beside them.

        Raises
        ------
        ResourceError
            When the limit is too small for the frames.
        """
        settings = self.settings
        given = settings.memory_limit_gb, settings.num_processing_workers
        self.budget = make_budget(*given, frames=frames, compiling=not is_compiled())
        if self.open_workers is not None:
            self.executor, self.budget = self.open_workers(self.budget)

    def end_workers(self) -> None:
        """Let the workers go, and with them their memory; what comes later runs in this process."""
        self.monitor.sample()  # of the CPU time of processes that have ended only what was seen before counts
        self.executor.shutdown()
        self.executor = SerialExecutor()

    def check_cancelled(self) -> None:
        """Raise RunCancelled if the user asked to stop."""
        if self.cancelled():
            raise RunCancelled("error.cancelled")

    def warn(self, text: Message) -> None:
        """Tell the user something; also every fallback."""
        self.warnings.append(text)
        self.emit(Warned(text))

    def log(self, text: Message, level: str = "INFO") -> None:
        """Add a line to the log."""
        self.emit(Logged(level, text))

    def drop(self, dropped: Dropped) -> None:
        """Leave a frame out and say why."""
        self.dropped.append(dropped)
        self.emit(FrameDropped(dropped.frame_id, dropped.path, dropped.phase, dropped.status.value, dropped.reason))

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Run tasks on the run's workers; results come in the order of the tasks."""
        return map_ordered(self.executor, function, tasks, ahead=2 * self.budget.workers, cancelled=self.cancelled)

    def map_frames(
        self, function: Callable[[T], R | Message], tasks: Iterable[T], frame_of: Callable[[T], FrameRef]
    ) -> Iterator[R | Message]:
        """Run tasks of one frame each; a frame that raises, or kills its workers, costs itself only.

        Parameters
        ----------
        function : callable
            Takes a task, on a worker.
        tasks : iterable
        frame_of : callable
            Returns the frame that a task is about.

        Yields
        ------
        object or Message
            In the order of the tasks what the function returned, or why the frame cannot be used.

        Raises
        ------
        ZeMosaicError
            Where something else than the frame is at fault.
        """

        def lost(task: T, fault: BaseException) -> Message:
            return self.frame_fault(frame_of(task), fault)

        ahead = 2 * self.budget.workers
        yield from map_ordered(self.executor, function, tasks, ahead=ahead, cancelled=self.cancelled, lost=lost)

    def frame_fault(self, frame: FrameRef, fault: BaseException) -> Message:
        """Return why a frame whose task raised cannot be used; raise what something else is to blame for.

        Parameters
        ----------
        frame : FrameRef
        fault : BaseException
            What the task raised, `TaskKilled` where its workers died of it.

        Raises
        ------
        ZeMosaicError, MemoryError, OSError
            Where the run's memory, its disk or its own files are at fault.
        """
        name = Path(frame.path).name
        if isinstance(fault, FrameError):
            return fault.reason
        if isinstance(fault, TaskKilled):
            return message("reason.killed_workers", file=name, detail=str(fault))
        ours = isinstance(fault, OSError) and (
            disk_full(fault, "") is not None
            or (fault.filename is not None and Path(os.fsdecode(fault.filename)).is_relative_to(self.work_dir))
        )
        if ours or not isinstance(fault, Exception) or isinstance(fault, ZeMosaicError | MemoryError):
            raise fault
        detail = f"{type(fault).__name__}: {fault}".splitlines()[0][:MAX_DETAIL_CHARS]
        return message("reason.task_failed", file=name, detail=detail)

    def depends(self, phase: str, *parts: object) -> str:
        """Return the digest of what a phase's result depends on: its settings, the version and `parts`."""
        values = {spec.key: getattr(self.settings, spec.key) for spec in specs() if phase in spec.affects}
        return digest(phase, __version__, values, *parts)

    @contextlib.contextmanager
    def phase(self, name: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """Announce and time a phase; yields a function that takes the steps done so far."""
        self.check_cancelled()
        self.emit(PhaseStarted(name, total))
        wall, cpu = time.monotonic() - self.paused_s(), self.monitor.cpu_s()
        last = [0.0]

        def advance(done: int) -> None:
            now = time.monotonic()
            if now - last[0] >= ADVANCE_S or done == total:
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


def quality_limits(settings: Settings) -> QualityLimits:
    """Return what the user calls a good frame."""
    return QualityLimits(
        settings.quality_max_fwhm_ratio,
        settings.quality_max_eccentricity,
        settings.quality_min_transparency,
        settings.quality_max_sky_ratio,
        settings.quality_min_star_ratio,
    )


def camera_groups(frames: Sequence[FrameRef]) -> list[int]:
    """Return the number of each frame's camera group, counted in the order of appearance."""
    numbers: dict[object, int] = {}
    return [numbers.setdefault(frame.camera_key, len(numbers)) for frame in frames]
