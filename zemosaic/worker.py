"""The worker: owns one run in a process of its own and tells about it in typed events.

Which process is what
    The front end (a window or the command line) calls `start` and gets a `Run`.  The run's process
    is spawned; it makes the pool of workers itself.  Events travel from a queue, emptied by a
    thread of the run's process, through a one-way pipe, so that the run never waits for a front end
    and the front end sees at once when the run's process is gone.

How a run pauses
    A number that all its processes see says whether it is held.  Workers look at it before each
    task, the run's process wherever it looks whether it was stopped; so the tasks under way are
    finished, and then nothing happens until the user goes on or stops.

How a run ends
    With exactly one of `RunFinished`, `PreparationFinished`, `RunCancelled`, `RunFailed`.  A process that dies without
    saying so becomes ``RunFailed(error.worker_died)``.  When the user stops the run, its process has
    `GRACE_S` seconds to end by itself; after that it ends at once, which is safe at any moment:
    everything finished is in the journal, everything else is made again by the next run.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections.abc import Collection, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

from zemosaic.compute.executors import Flag, kill_children, limit_library_threads, shared_flag
from zemosaic.errors import WorkerDied, message
from zemosaic.events import Event, Preparation, PreparationFinished, RunFailed, RunFinished
from zemosaic.events import RunCancelled as RunCancelledEvent
from zemosaic.health import installation_error
from zemosaic.phases.run.assignment import Assignment
from zemosaic.settings.schema import Settings

__all__ = ["Run", "start"]

LOG_NAME = "zemosaic_worker.log"
_LEAVE_S = 10.0
"""A process that told its run's end has this time to leave by itself."""
_ENDINGS = (RunFinished, PreparationFinished, RunCancelledEvent, RunFailed)


class Run:
    """Handle of one run in its own process."""

    def __init__(
        self,
        settings: Settings,
        until: Preparation | None = None,
        pictures: bool = True,
        only: Collection[str] | None = None,
    ) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._log = Path(settings.output_dir) / LOG_NAME
        self._output_dir = settings.output_dir
        # A number: whoever sets an event waits for those who wait for it, for ever if their process has died.
        self._cancel = shared_flag()
        self._reader, writer = spawn.Pipe(duplex=False)
        self._held = shared_flag()
        work = Assignment(settings, until, pictures, None if only is None else frozenset(only))
        arguments = (work, self._log, writer, self._cancel, self._held)
        self._process = spawn.Process(target=_child, args=arguments, name="zemosaic-worker")
        self._ended = False
        limit_library_threads()  # read when the child loads its libraries
        self._process.start()
        writer.close()

    @property
    def alive(self) -> bool:
        """Whether more events may come."""
        return not self._ended

    @property
    def pid(self) -> int | None:
        """Process number of the run."""
        return self._process.pid

    def events(self) -> Iterator[Event]:
        """Yield events as they come, until the run has ended."""
        while not self._ended:
            yield self._receive()

    def poll(self) -> list[Event]:
        """Return all events that wait, without waiting."""
        events: list[Event] = []
        while not self._ended and self._waits():
            events.append(self._receive())
        return events

    def cancel(self) -> None:
        """Ask the run to stop; `RunCancelled` follows within five seconds."""
        self._cancel.value = 1

    def pause(self) -> None:
        """Let the run hold after the tasks under way; `RunPaused` follows."""
        self._held.value = 1

    def resume(self) -> None:
        """Let a paused run go on; `RunResumed` follows."""
        self._held.value = 0

    def close(self) -> None:
        """End the process if it still runs, and free what belongs to it."""
        if self._ended:
            self._process.join(timeout=_LEAVE_S)
        self._ended = True
        if self._process.is_alive():
            kill_children(self._process.pid)
            self._process.kill()
        self._process.join()
        self._reader.close()

    def _waits(self) -> bool:
        """Return whether there is something to receive: an event, or that no more will come."""
        try:
            return self._reader.poll()
        except OSError:  # on Windows, where the other end is gone
            return True

    def _receive(self) -> Event:
        try:
            event: Event = self._reader.recv()
        except (EOFError, OSError):
            event = self._last_word()
        # Its process takes a moment to leave; `close` waits for that, as the window's thread must not.
        self._ended = isinstance(event, _ENDINGS)
        return event

    def _last_word(self) -> Event:
        if self._cancel.value:
            return RunCancelledEvent(self._output_dir)
        text = message("error.worker_died")
        return RunFailed(text, WorkerDied.exit_code, str(self._log))


def start(
    settings: Settings,
    until: Preparation | None = None,
    pictures: bool = True,
    only: Collection[str] | None = None,
) -> Run:
    """Start a run in its own process and return its handle.

    Parameters
    ----------
    settings : Settings
    until : {"measure", "solve", "plan"}, optional
        End after this phase: every frame is told of by `FrameMeasured`, `FrameSolved` or `FrameDropped`, the run ends
        with `PreparationFinished`, makes no mosaic and no report, and keeps its work folder, so that the next run
        with the same output folder takes over what was learnt.
    pictures : bool
        Whether anybody looks at pictures of the mosaic while it grows; nothing else depends on them.
    only : collection of str, optional
        Paths of the files of the input folder that the run may look at; the others, which may still be written, count
        as if they were not there.
    """
    return Run(settings, until, pictures, only)


def _child(
    work: Assignment,
    log: Path,
    connection: Connection,
    cancel: Flag,
    held: Flag,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches this process too; the front end handles it
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # and so does the end of a terminal
    # Imported here, in the new process: a front end needs none of what a run is made of.  All of it stays to the end,
    # so that Python need not look through it again and again for what could be freed.
    gc.disable()
    try:
        from zemosaic.worker_process import run_process
    except Exception as fault:  # noqa: BLE001 - whatever a broken package raises, the user is told which it is
        told = installation_error(fault)
        connection.send(RunFailed(told.message, told.exit_code, ""))
        return
    gc.freeze()
    gc.enable()
    run_process(work, log, connection, cancel, held)
