"""What runs the tasks of the phases: the pool of workers, its memory, and what a failed task is blamed on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from zemosaic.compute.budget import Budget, make_budget, worthwhile_workers
from zemosaic.compute.executors import SerialExecutor, TaskKilled, map_ordered
from zemosaic.errors import FrameError, Message, RunCancelled, ZeMosaicError, disk_full, message
from zemosaic.model import FrameRef
from zemosaic.settings.schema import Settings
from zemosaic.stacking.kernel import is_compiled

__all__ = ["Workers", "frame_fault"]

T = TypeVar("T")
R = TypeVar("R")

MAX_DETAIL_CHARS = 200


@dataclass
class Workers:
    """The run's workers; until `open` the tasks run in the process of the run itself."""

    executor: Executor
    budget: Budget
    cancelled: Callable[[], bool]
    """Whether the user stopped the run; while the run is paused the answer waits."""
    run_files: Path
    """Folder of the run's own files, which no frame is blamed for."""
    opener: Callable[[Budget], tuple[Executor, Budget]] | None = None
    """Opens what runs the tasks, once the number of frames is known, and says what each task may take there."""

    def open(self, settings: Settings, frames: int, picture: int = 0) -> None:
        """Divide the memory for so many frames, and make as many workers as fit beside them.

        Parameters
        ----------
        settings : Settings
            Memory limit and number of workers.
        frames : int
        picture : int
            Numbers of the run's usual picture, which every worker has to hold.

        Raises
        ------
        ResourceError
            When the limit is too small for the frames.
        """
        workers = worthwhile_workers(settings.num_processing_workers, frames * picture)
        limits = settings.memory_limit_gb, workers
        self.budget = make_budget(*limits, frames=frames, picture=picture, compiling=not is_compiled())
        if self.opener is not None:
            self.executor, self.budget = self.opener(self.budget)

    def close(self) -> None:
        """Let the workers go, and with them their memory; later tasks run in this process."""
        self.executor.shutdown()
        self.executor = SerialExecutor()

    def check_cancelled(self) -> None:
        """Raise RunCancelled if the user asked to stop."""
        if self.cancelled():
            raise RunCancelled("error.cancelled")

    def map(
        self,
        function: Callable[[T], R],
        tasks: Iterable[T],
        *,
        ahead: int | None = None,
        lost: Callable[[T, BaseException], R] | None = None,
    ) -> Iterator[R]:
        """Run tasks on the workers; results come in the order of the tasks.

        Parameters
        ----------
        function : callable
            Takes a task, on a worker.
        tasks : iterable
        ahead : int, optional
            Tasks that may be under way or waiting to be taken; twice the number of workers by default.
        lost : callable, optional
            Takes a task that raised and the exception, and returns its result instead, or raises.

        Yields
        ------
        object
        """
        ahead = 2 * self.budget.workers if ahead is None else ahead
        return map_ordered(self.executor, function, tasks, ahead=ahead, cancelled=self.cancelled, lost=lost)

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
            return frame_fault(frame_of(task), fault, self.run_files)

        yield from self.map(function, tasks, lost=lost)


def frame_fault(frame: FrameRef, fault: BaseException, run_files: Path) -> Message:
    """Return why a frame whose task raised cannot be used; raise what something else is to blame for.

    Parameters
    ----------
    frame : FrameRef
    fault : BaseException
        What the task raised, `TaskKilled` where its workers died of it.
    run_files : Path
        Folder of the run's own files, which no frame is blamed for.

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
        or (fault.filename is not None and Path(os.fsdecode(fault.filename)).is_relative_to(run_files))
    )
    if ours or not isinstance(fault, Exception) or isinstance(fault, ZeMosaicError | MemoryError):
        raise fault
    detail = f"{type(fault).__name__}: {fault}".splitlines()[0][:MAX_DETAIL_CHARS]
    return message("reason.task_failed", file=name, detail=detail)
