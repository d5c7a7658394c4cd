"""What the process of a run does: the phases, with the log, the events, and one ending whatever happens.

`zemosaic.worker` starts it and says how it talks to the front end.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from multiprocessing.connection import Connection
from pathlib import Path

from filelock import FileLock, Timeout

from zemosaic.about import full_version
from zemosaic.compute.budget import Budget, make_budget
from zemosaic.compute.cluster import join_cluster
from zemosaic.compute.executors import (
    Flag,
    SerialExecutor,
    exit_with_parent,
    kill_children,
    limit_library_threads,
    make_executor,
)
from zemosaic.compute.gpu_load import GpuMeter
from zemosaic.compute.machine_resources import ResourceMonitor, Usage, disk_free
from zemosaic.errors import (
    InputError,
    InputGone,
    NothingUsable,
    OutputError,
    ResourceError,
    RunCancelled,
    SettingsError,
    ZeMosaicError,
    disk_full,
    message,
)
from zemosaic.events import (
    Event,
    FrameMeasured,
    FrameSolved,
    Logged,
    PhaseAdvanced,
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
from zemosaic.health import compiled_for_now
from zemosaic.i18n import Translator
from zemosaic.phases.context import make_context
from zemosaic.phases.pipeline import RunOutcome, prepare_frames, run_pipeline
from zemosaic.phases.run.assignment import Assignment
from zemosaic.phases.run.run_log import RunLog
from zemosaic.phases.run.workers import Workers
from zemosaic.settings.load import settings_hash
from zemosaic.settings.schema import Settings
from zemosaic.solving.solvers.astap import no_crash_dialogs
from zemosaic.store.folder_identity import is_same_folder, is_within
from zemosaic.store.journal import Journal
from zemosaic.store.work_folder import JOURNAL_NAME, LOCK_NAME, empty_work, open_work, sweep_scratch, work_folder
from zemosaic.text.plain_text import printable

__all__ = ["run_process"]

LOCK_S = 2.0
"""How long a run that was just ended may take to let go of its work folder."""
GRACE_S = 3.5
LOOK_S = 0.2
"""How soon a run sees that it is to stop, a paused one that it may go on."""
SAMPLE_S = 1.0
_QUIET = (PhaseAdvanced, ResourceSample)
_DETAIL = (FrameMeasured, FrameSolved)


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

    def close(self, timeout_s: float | None = None) -> None:
        """Send what waits and end; a front end that is busy gets it later, for at most so long."""
        self._waiting.put(None)
        self._thread.join(timeout_s)

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
            for key, value in values.items():
                if isinstance(value, dict) and "key" in value:
                    values[key] = self._english.text(value["key"], **value["params"])
            self._log.log(
                level, printable(" ".join([values.pop("event"), *map("{0[0]}={0[1]}".format, values.items())]))
            )


class _Control:
    """What the user asks of the run, as its process sees it."""

    def __init__(self, cancel: Flag, held: Flag, emit: Callable[[Event], None]) -> None:
        self.cancel, self.held, self._emit = cancel, held, emit
        self._paused_s = 0.0

    def paused_s(self) -> float:
        """Return the seconds that the run was paused so far."""
        return self._paused_s

    def cancelled(self) -> bool:
        """Return whether the user stopped the run; while it is paused, wait for the user's next word."""
        if self.held.value and not self.cancel.value:
            began = time.monotonic()
            self._emit(RunPaused())
            while self.held.value and not self.cancel.value:
                time.sleep(LOOK_S)
            took = time.monotonic() - began
            self._paused_s += took
            self._emit(RunResumed(took))
        return bool(self.cancel.value)


def run_process(
    work: Assignment,
    log_file: Path,
    connection: Connection,
    cancel: Flag,
    held: Flag,
) -> None:
    """Run to the end and tell it; the main function of the run's process.

    Parameters
    ----------
    work : Assignment
        What the run is asked to do.
    log_file : Path
        Written once the output folder is there.
    connection : Connection
        Where events go.
    cancel : Flag
        1 when the user stops the run.
    held : Flag
        1 while the run is paused.
    """
    settings = work.settings
    exit_with_parent()
    limit_library_threads()
    no_crash_dialogs()
    log = logging.getLogger("zemosaic.run")
    log.addHandler(logging.NullHandler())
    # A log that a full disk refuses shall not print tracebacks to the user's console.
    logging.raiseExceptions = False
    outbox = _Outbox(connection, log)
    run_log = RunLog(log, log_file, settings.log_level)
    made: Sequence[Path] = ()
    ending: Event
    try:
        made = _prepare_output(settings)
        _end_in_time(cancel, outbox, settings.output_dir)
        run = (full_version(), settings.input_dir, settings.output_dir, settings_hash(settings))
        outbox.emit(RunStarted(*run, work.until))
        ending = _run(work, outbox, _Control(cancel, held, outbox.emit), run_log)
    except RunCancelled:
        ending = RunCancelledEvent(settings.output_dir)
    except ZeMosaicError as error:
        log.debug("the run ended", exc_info=True)
        if made and isinstance(error, InputError | SettingsError) and not isinstance(error, InputGone):
            _take_back(run_log, made)
        ending = RunFailed(error.message, error.exit_code, run_log.path)
    except OSError as error:
        log.exception("the run ended")
        file = str(error.filename or settings.output_dir)
        system_error = OutputError("error.system", detail=error.strerror or str(error), file=file)
        reported = disk_full(error, settings.output_dir) or system_error
        ending = RunFailed(reported.message, reported.exit_code, run_log.path)
    except MemoryError:
        log.exception("the run ended")
        ending = RunFailed(message("error.memory"), ResourceError.exit_code, run_log.path)
    except Exception as error:  # the border of the process: whatever it is, the user is told
        log.exception("the run ended")
        ending = RunFailed(
            message("error.internal", detail=f"{type(error).__name__}: {error}", path=run_log.path), 1, run_log.path
        )
    kill_children()
    outbox.emit(ending)
    outbox.close()


def _run(work: Assignment, outbox: _Outbox, control: _Control, run_log: RunLog) -> RunFinished | PreparationFinished:
    """Run the phases in a work folder that no other run uses at the same time."""
    settings, until = work.settings, work.until
    folder = work_folder(Path(settings.output_dir), settings.work_dir)
    open_work(folder)
    lock = FileLock(folder / LOCK_NAME)
    try:
        lock.acquire(timeout=LOCK_S)
    except Timeout:
        raise OutputError("error.output_busy", folder=settings.output_dir) from None
    keep = True
    try:
        run_log.open()
        if compiled_for_now(os.environ):
            outbox.emit(Warned(message("warning.compiled_for_now")))
        if settings.resume == "off":
            empty_work(folder)
        sweep_scratch(folder)
        earlier = (folder / JOURNAL_NAME).is_file()
        ending = _pipeline(work, folder, outbox, control)
        keep = settings.keep_work_files or until is not None
        return ending
    except (InputError, NothingUsable, SettingsError) as failure:
        # What another run learnt, or this preparation did, helps the next one; a start in vain leaves nothing behind.
        keep = earlier or isinstance(failure, InputGone) or (until is not None and isinstance(failure, NothingUsable))
        raise
    finally:
        if not keep:
            empty_work(folder, lock_too=True)
        lock.release()
        if not keep:
            with contextlib.suppress(OSError):  # another run has come for the folder
                folder.rmdir()


def _pipeline(work: Assignment, folder: Path, outbox: _Outbox, control: _Control) -> RunFinished | PreparationFinished:
    settings = work.settings
    began, output = time.monotonic(), Path(settings.output_dir)
    budget = make_budget(settings.memory_limit_gb, settings.num_processing_workers)
    journal = Journal(folder / JOURNAL_NAME)

    def sampled(usage: Usage) -> None:
        load = meter.read()
        gpu = (load.name, load.percent, load.used_bytes, load.total_bytes) if load is not None else ()
        outbox.emit(ResourceSample(usage.rss_bytes, usage.cpu_percent, disk_free(output), *gpu))

    with (
        GpuMeter(settings.gpu_id_phase5) as meter,
        ResourceMonitor(SAMPLE_S, sampled) as monitor,
        contextlib.ExitStack() as pools,
    ):
        context = make_context(
            settings=settings,
            emit=outbox.emit,
            workers=Workers(
                SerialExecutor(), budget, control.cancelled, folder, _workers(settings, folder, control.held, pools)
            ),
            journal=journal,
            monitor=monitor,
            paused_s=control.paused_s,
            pictures=work.pictures,
            only=work.only,
        )
        journal.listen(context.warn)
        try:
            if work.until is not None:
                measured, solved = prepare_frames(context, work.until)
                taken = (time.monotonic() - began - control.paused_s(), monitor.cpu_s())
                return PreparationFinished(work.until, measured, solved, len(context.reporter.dropped), *taken)
            outcome = run_pipeline(context)
        except BaseException:
            kill_children()
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
        frames_used=sum(field_output.product.frames_used for field_output in outcome.outputs),
        frames_dropped=outcome.frames_dropped,
        wall_s=time.monotonic() - began - control.paused_s(),
        cpu_s=cpu_s,
        peak_rss_bytes=monitor.peak_rss_bytes,
        mosaics=tuple(str(output / name) for name in _shown_first(outcome)),
    )


def _shown_first(outcome: RunOutcome) -> list[str]:
    """Return the names of all mosaics: pictures that were asked for of several, what they are made of, lines."""
    bands = outcome.bands
    return [
        *(combined.product.mosaic for combined in bands.combined),
        *(outputs.product.mosaic for outputs in outcome.outputs),
        *(line.mosaic for line in bands.lines),
    ]


def _workers(
    settings: Settings, work: Path, held: Flag, pools: contextlib.ExitStack
) -> Callable[[Budget], tuple[Executor, Budget]]:
    """Return what opens the workers until `pools` closes; a cluster is joined at once, lest a run begin in vain."""
    if settings.dask_scheduler:
        cluster = pools.enter_context(join_cluster(settings.dask_scheduler, [Path(settings.input_dir), work]))
        return lambda _: cluster
    return lambda budget: (pools.enter_context(make_executor(budget.workers, held)), budget)


def _prepare_output(settings: Settings) -> list[Path]:
    """Make the output folder if need be, and see that it can be written; returns the folders made, innermost first."""
    if not settings.input_dir:
        raise SettingsError("error.no_input_dir")
    if not settings.output_dir:
        raise SettingsError("error.no_output_dir")
    output = Path(settings.output_dir)
    if is_same_folder(output, Path(settings.input_dir)):
        raise SettingsError("error.output_is_input", folder=settings.output_dir)
    if settings.work_dir and is_within(Path(settings.work_dir), Path(settings.input_dir)):
        raise SettingsError("error.work_in_input", folder=settings.work_dir)
    missing = [folder for folder in (output, *output.parents) if not folder.exists()]
    try:
        output.mkdir(parents=True, exist_ok=True)
        probe = output / f".zemosaic_probe_{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError("error.output_unwritable", folder=str(output), detail=error.strerror or str(error)) from error
    return missing


def _take_back(run_log: RunLog, made: Sequence[Path]) -> None:
    """Remove what a start in vain made: the log, and the folders that were not there before."""
    run_log.remove()
    with contextlib.suppress(OSError):  # what others have put there meanwhile stays
        for folder in made:
            folder.rmdir()


def _end_in_time(cancel: Flag, outbox: _Outbox, output_dir: str) -> None:
    """End this process `GRACE_S` after the user stopped the run, whatever it is doing."""

    def watch() -> None:
        while not cancel.value:
            time.sleep(LOOK_S)
        time.sleep(GRACE_S)
        kill_children()
        outbox.emit(RunCancelledEvent(output_dir))
        outbox.close(LOOK_S)
        os._exit(RunCancelled.exit_code)

    threading.Thread(target=watch, name="stop-watch", daemon=True).start()
