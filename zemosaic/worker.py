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

import contextlib
import faulthandler
import logging
import multiprocessing
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event as ProcessEvent
from pathlib import Path
from typing import IO

import psutil
from filelock import FileLock, Timeout

from zemosaic import __version__
from zemosaic.compute.budget import Budget, make_budget
from zemosaic.compute.cluster import join_cluster
from zemosaic.compute.executors import Flag, exit_with_parent, limit_library_threads, make_executor
from zemosaic.compute.resources import ResourceMonitor, Usage, disk_free
from zemosaic.errors import (
    InputError,
    NothingUsable,
    OutputError,
    RunCancelled,
    SettingsError,
    WorkerDied,
    ZeMosaicError,
    message,
)
from zemosaic.events import (
    Event,
    FrameMeasured,
    FrameSolved,
    Logged,
    PhaseAdvanced,
    Preparation,
    PreparationFinished,
    ResourceSample,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    Warned,
    to_dict,
)
from zemosaic.events import RunCancelled as RunCancelledEvent
from zemosaic.i18n import Translator
from zemosaic.phases.context import RunContext
from zemosaic.phases.pipeline import prepare_frames, run_pipeline
from zemosaic.settings.load import settings_hash
from zemosaic.settings.schema import Settings
from zemosaic.solving.astap import no_crash_dialogs
from zemosaic.store.journal import Journal

__all__ = ["LOG_NAME", "WORK_NAME", "Run", "start"]

LOG_NAME = "zemosaic_worker.log"
WORK_NAME = ".zemosaic_work"
GRACE_S = 3.5
PAUSE_LOOK_S = 0.2
"""How soon a paused run sees that it may go on."""
SAMPLE_S = 1.0
_ENDINGS = (RunFinished, PreparationFinished, RunCancelledEvent, RunFailed)
_QUIET = (PhaseAdvanced, ResourceSample)
_DETAIL = (FrameMeasured, FrameSolved)


class Run:
    """Handle of one run in its own process."""

    def __init__(self, settings: Settings, until: Preparation | None = None) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._log_path = str(Path(settings.output_dir) / LOG_NAME)
        self._output_dir = settings.output_dir
        self._cancel = spawn.Event()
        self._reader, writer = spawn.Pipe(duplex=False)
        self._held: Flag = spawn.RawValue("b", 0)
        arguments = (settings, until, writer, self._cancel, self._held)
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
        found: list[Event] = []
        while not self._ended and self._reader.poll():
            found.append(self._receive())
        return found

    def cancel(self) -> None:
        """Ask the run to stop; `RunCancelled` follows within five seconds."""
        self._cancel.set()

    def pause(self) -> None:
        """Let the run hold after the tasks under way; `RunPaused` follows."""
        self._held.value = 1

    def resume(self) -> None:
        """Let a paused run go on; `RunResumed` follows."""
        self._held.value = 0

    def close(self) -> None:
        """End the process if it still runs, and free what belongs to it."""
        self._ended = True
        if self._process.is_alive():
            for child in psutil.Process(self._process.pid).children(recursive=True):
                child.kill()
            self._process.kill()
        self._process.join()
        self._reader.close()

    def _receive(self) -> Event:
        try:
            event: Event = self._reader.recv()
        except (EOFError, OSError):
            self._process.join()
            event = self._last_word()
        if isinstance(event, _ENDINGS):
            self._ended = True
            self._process.join(timeout=10)
        return event

    def _last_word(self) -> Event:
        if self._cancel.is_set():
            return RunCancelledEvent(self._output_dir)
        told = message("error.worker_died")
        return RunFailed(told, WorkerDied.exit_code, self._log_path)


def start(settings: Settings, until: Preparation | None = None) -> Run:
    """Start a run in its own process and return its handle.

    Parameters
    ----------
    settings : Settings
    until : {"measure", "solve"}, optional
        End after this phase: every frame is told of by `FrameMeasured`, `FrameSolved` or `FrameDropped`, the run ends
        with `PreparationFinished`, makes no mosaic and no report, and keeps its work folder, so that the next run
        with the same output folder takes over what was learnt.
    """
    return Run(settings, until)


class _Outbox:
    """Sends events from a thread, so that the run never waits for its front end."""

    def __init__(self, connection: Connection, log: logging.Logger) -> None:
        self._connection, self._log = connection, log
        self._waiting: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._english = Translator("en")
        self._thread = threading.Thread(target=self._send, name="outbox", daemon=True)
        self._thread.start()

    def emit(self, event: Event) -> None:
        self._write_log(event)
        self._waiting.put(event)

    def close(self) -> None:
        """Send what waits and end."""
        self._waiting.put(None)
        self._thread.join(timeout=5)

    def _send(self) -> None:
        while (event := self._waiting.get()) is not None:
            try:
                self._connection.send(event)
            except OSError:
                return  # the front end is gone; the parent watch ends this process

    def _write_log(self, event: Event) -> None:
        if isinstance(event, _QUIET):
            return
        if isinstance(event, Logged):
            self._log.log(logging.getLevelName(event.level), self._english.message(event.text))
        elif isinstance(event, Warned):
            self._log.warning(self._english.message(event.text))
        elif isinstance(event, RunFailed):
            self._log.error(self._english.message(event.error))
        else:
            level = logging.DEBUG if isinstance(event, _DETAIL) else logging.INFO
            values = to_dict(event)
            name = values.pop("event")
            for key, value in values.items():
                if isinstance(value, dict) and "key" in value:
                    values[key] = self._english.text(value["key"], **value["params"])
            self._log.log(level, "%s %s", name, " ".join(f"{key}={value}" for key, value in values.items()))


class _Control:
    """What the user asks of the run, as its process sees it."""

    def __init__(self, cancel: ProcessEvent, held: Flag, emit: Callable[[Event], None]) -> None:
        self.cancel, self.held, self._emit = cancel, held, emit
        self._paused_s = 0.0

    def paused_s(self) -> float:
        """Return the seconds that the run was paused so far."""
        return self._paused_s

    def cancelled(self) -> bool:
        """Return whether the user stopped the run; while it is paused, wait for the user's next word."""
        if self.held.value and not self.cancel.is_set():
            began = time.monotonic()
            self._emit(RunPaused())
            while self.held.value and not self.cancel.wait(PAUSE_LOOK_S):
                pass
            took = time.monotonic() - began
            self._paused_s += took
            self._emit(RunResumed(took))
        return self.cancel.is_set()


def _child(
    settings: Settings, until: Preparation | None, connection: Connection, cancel: ProcessEvent, held: Flag
) -> None:
    """Main function of the run's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    exit_with_parent()
    limit_library_threads()
    no_crash_dialogs()
    log = logging.getLogger("zemosaic.run")
    log.addHandler(logging.NullHandler())
    # A log that a full disk refuses shall not print tracebacks to the user's console.
    logging.raiseExceptions = False
    outbox = _Outbox(connection, log)
    log_path = ""
    ending: Event
    try:
        output = _prepare_output(settings)
        log_path = str(output / LOG_NAME)
        crash_log = _open_log(log, settings, output)
        faulthandler.enable(crash_log)
        _end_in_time(cancel, outbox, settings.output_dir)
        run = (__version__, settings.input_dir, settings.output_dir, settings_hash(settings))
        outbox.emit(RunStarted(*run, until))
        ending = _run(settings, until, outbox, _Control(cancel, held, outbox.emit))
    except RunCancelled:
        ending = RunCancelledEvent(settings.output_dir)
    except ZeMosaicError as error:
        log.debug("the run ended", exc_info=True)
        ending = RunFailed(error.message, error.exit_code, log_path)
    except OSError as error:
        log.exception("the run ended")
        told = message("error.system", detail=error.strerror or str(error), file=str(error.filename or "?"))
        ending = RunFailed(told, OutputError.exit_code, log_path)
    except Exception as error:  # the border of the process: whatever it is, the user is told
        log.exception("the run ended")
        ending = RunFailed(
            message("error.internal", detail=f"{type(error).__name__}: {error}", path=log_path), 1, log_path
        )
    _kill_children()
    outbox.emit(ending)
    outbox.close()


def _run(
    settings: Settings, until: Preparation | None, outbox: _Outbox, control: _Control
) -> RunFinished | PreparationFinished:
    """Run the phases in a work folder that no other run uses at the same time."""
    work = Path(settings.output_dir) / WORK_NAME
    if settings.resume == "off":
        shutil.rmtree(work, ignore_errors=True)
    begun = work.exists()
    work.mkdir(exist_ok=True)
    lock = FileLock(work / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OutputError("error.output_busy", folder=settings.output_dir) from None
    keep = True
    try:
        ending = _pipeline(settings, until, work, outbox, control)
        keep = settings.keep_work_files or until is not None
        return ending
    except (InputError, NothingUsable, SettingsError):
        keep = begun  # what an earlier run learnt is not lost over a wrong folder or setting
        raise
    finally:
        lock.release()
        if not keep:
            shutil.rmtree(work, ignore_errors=True)


def _pipeline(
    settings: Settings, until: Preparation | None, work: Path, outbox: _Outbox, control: _Control
) -> RunFinished | PreparationFinished:
    began, output = time.monotonic(), Path(settings.output_dir)
    journal = Journal(work / "journal.sqlite")

    def sampled(usage: Usage) -> None:
        outbox.emit(ResourceSample(usage.rss_bytes, usage.cpu_percent, disk_free(output)))

    with ResourceMonitor(SAMPLE_S, sampled) as monitor, _workers(settings, work, control.held) as (executor, budget):
        context = RunContext(
            settings=settings,
            emit=outbox.emit,
            cancelled=control.cancelled,
            paused_s=control.paused_s,
            executor=executor,
            budget=budget,
            journal=journal,
            work_dir=work,
            monitor=monitor,
        )
        try:
            if until is not None:
                measured, solved = prepare_frames(context, until)
                taken = (time.monotonic() - began - control.paused_s(), monitor.cpu_s())
                return PreparationFinished(until, measured, solved, len(context.dropped), *taken)
            outcome = run_pipeline(context)
        except BaseException:
            _kill_children()
            raise
        finally:
            journal.close()
        cpu_s = monitor.cpu_s()
    product = outcome.outputs[0].product
    return RunFinished(
        mosaic=str(output / product.mosaic),
        preview=str(output / product.preview),
        report_html=str(outcome.report_html),
        report_json=str(outcome.report_json),
        frames_used=sum(one.product.frames_used for one in outcome.outputs),
        frames_dropped=outcome.frames_dropped,
        wall_s=time.monotonic() - began - control.paused_s(),
        cpu_s=cpu_s,
        peak_rss_bytes=monitor.peak_rss_bytes,
        mosaics=tuple(str(output / one.product.mosaic) for one in outcome.outputs),
    )


@contextlib.contextmanager
def _workers(settings: Settings, work: Path, held: Flag) -> Iterator[tuple[Executor, Budget]]:
    """Open what runs the tasks: processes of this computer, or a cluster."""
    if settings.dask_scheduler:
        with join_cluster(settings.dask_scheduler, [Path(settings.input_dir), work]) as cluster:
            yield cluster
        return
    budget = make_budget(settings.memory_limit_gb, settings.num_processing_workers)
    with make_executor(budget.workers, held) as executor:
        yield executor, budget


def _prepare_output(settings: Settings) -> Path:
    """Return the output folder, made if need be."""
    if not settings.input_dir:
        raise SettingsError("error.no_input_dir")
    if not settings.output_dir:
        raise SettingsError("error.no_output_dir")
    output = Path(settings.output_dir)
    if output.resolve() == Path(settings.input_dir).resolve():
        raise SettingsError("error.output_is_input", folder=settings.output_dir)
    try:
        output.mkdir(parents=True, exist_ok=True)
        probe = output / f".zemosaic_probe_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError("error.output_unwritable", folder=str(output), detail=error.strerror or str(error)) from error
    return output


def _open_log(log: logging.Logger, settings: Settings, output: Path) -> IO[str]:
    handler = logging.FileHandler(output / LOG_NAME, mode="w", encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
    log.addHandler(handler)
    log.setLevel(settings.log_level)
    log.propagate = False
    assert handler.stream is not None
    return handler.stream


def _end_in_time(cancel: ProcessEvent, outbox: _Outbox, output_dir: str) -> None:
    """End this process `GRACE_S` after the user stopped the run, whatever it is doing."""

    def watch() -> None:
        cancel.wait()
        time.sleep(GRACE_S)
        _kill_children()
        outbox.emit(RunCancelledEvent(output_dir))
        outbox.close()
        os._exit(RunCancelled.exit_code)

    threading.Thread(target=watch, name="stop-watch", daemon=True).start()


def _kill_children() -> None:
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue  # it ended by itself
