"""Worker processes that may die: each has a pipe of its own, and its death costs nobody else anything.

A task whose worker died is done again, alone, so that it has all memory for itself.  A task that its second worker
dies of as well ends with `TaskKilled`.  No lock is shared with the workers: one that is killed can hold none.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

__all__ = ["MAX_WORKERS", "TaskKilled", "WorkerPool", "kills_for_memory"]

R = TypeVar("R")

MAX_DEATHS = 2
"""A task that so many workers died of is given up."""
MAX_FAILED_STARTS = 3
"""After so many workers in a row that died before they were ready, fewer are tried, and in the end none."""
MAX_WORKERS = 31 if os.name == "nt" else 4096
"""Windows waits for 63 things at a time: two of each worker, and a word from the pool itself."""
LEAVE_S = 10.0
"""A worker that was told to leave has this time to do so."""
_KILLED = -int(getattr(signal, "SIGKILL", 9))


class TaskKilled(BrokenExecutor):
    """Every worker that began this task died of it."""


class _WorkerTraceback(Exception):
    """Where an exception was raised in the worker; its cause here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


@dataclass
class _Job:
    future: Future[Any]
    packed: bytes
    deaths: int = 0


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    job: _Job | None = None
    ready: bool = False


class WorkerPool(Executor):
    """Spawned processes behind the contract of `concurrent.futures`.

    Parameters
    ----------
    workers : int
        Processes at most; they are started when there is something to do.
    prepare : callable
        Called in every new process with `arguments`; both must be picklable.
    arguments : tuple
    """

    def __init__(self, workers: int, prepare: Callable[..., None], arguments: tuple[Any, ...] = ()) -> None:
        self.limit = min(workers, MAX_WORKERS)
        """Processes at most; fewer once the system has killed some for want of memory."""
        self._spawn = multiprocessing.get_context("spawn")
        self._prepare = (prepare, arguments)
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._alone: deque[_Job] = deque()
        self._workers: list[_Worker] = []
        self._failed_starts = 0
        self._memory_kills = kills_for_memory()
        self._closing = self._killing = False
        self._broken = ""
        self._woken, self._waker = self._spawn.Pipe(duplex=False)
        self._thread: threading.Thread | None = None

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Hand a task to the next worker that is free.

        Parameters
        ----------
        fn : callable
            Importable in the workers.
        *args, **kwargs
            Its arguments, which are pickled.

        Returns
        -------
        Future

        Raises
        ------
        BrokenExecutor
            When no worker can be started any more.
        RuntimeError
            After `shutdown`.
        """
        future: Future[R] = Future()
        try:
            packed = bytes(ForkingPickler.dumps((fn, args, kwargs)))
        except BaseException as error:  # noqa: BLE001 - the future carries it to the caller
            future.set_exception(error)
            return future
        with self._lock:
            if self._broken:
                raise BrokenExecutor(self._broken)
            if self._closing:
                raise RuntimeError("the workers have been let go")
            self._waiting.append(_Job(future, packed))
            if self._thread is None:
                self._thread = threading.Thread(target=self._serve, name="pool", daemon=True)
                self._thread.start()
        self._wake()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the workers go when everything is done; with `cancel_futures` when what was begun is done.

        Parameters
        ----------
        wait : bool
            Whether to return only when the workers have gone.
        cancel_futures : bool
            Whether tasks that no worker has begun are withdrawn.
        """
        with self._lock:
            self._closing = True
            if cancel_futures:
                for job in self._waiting:
                    job.future.cancel()
        self._wake()
        if wait and self._thread is not None:
            self._thread.join()

    def kill(self) -> None:
        """End the workers at once; what they had not finished is cancelled or broken."""
        with self._lock:
            self._closing = self._killing = True
        self._wake()
        if self._thread is not None:
            self._thread.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the workers finish, or end them at once where an error leads out of the block."""
        if kind is None:
            self.shutdown()
        else:
            self.kill()

    def pids(self) -> list[int]:
        """Return the process numbers of the workers."""
        return [worker.process.pid for worker in list(self._workers) if worker.process.pid is not None]

    def _wake(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            if not self._woken.poll():
                self._waker.send_bytes(b"!")

    def _serve(self) -> None:
        """Give tasks out and take results in, until there is nothing more to do."""
        while not self._killing:
            self._give_out()
            if self._broken or (self._closing and not self._busy() and not self._waiting and not self._alone):
                break
            sources: list[Any] = [self._woken]
            for worker in self._workers:
                sources += [worker.connection, worker.process.sentinel]
            ready = wait(sources)
            if self._woken in ready:
                self._woken.recv_bytes()
            for worker in list(self._workers):
                if worker.connection in ready or worker.process.sentinel in ready:
                    self._hear(worker)
        self._leave()

    def _busy(self) -> bool:
        return any(worker.job is not None for worker in self._workers)

    def _give_out(self) -> None:
        if self._alone and self._busy():
            return
        jobs = self._alone or self._waiting
        free = [worker for worker in self._workers if worker.ready and worker.job is None]
        while jobs:
            if not free:
                self._start_workers(1 if jobs is self._alone else len(jobs))
                return
            with self._lock:
                job = jobs.popleft()
            # A task that is done again is running already as far as its future knows.
            if job.deaths or job.future.set_running_or_notify_cancel():
                worker = free.pop()
                worker.job = job
                try:
                    worker.connection.send_bytes(job.packed)
                except OSError:
                    self._bury(worker)
                if jobs is self._alone:
                    return

    def _start_workers(self, wanted: int) -> None:
        starting = sum(not worker.ready for worker in self._workers)
        for _ in range(min(wanted - starting, self.limit - len(self._workers))):
            ours, theirs = self._spawn.Pipe()
            process = self._spawn.Process(target=_work, args=(theirs, *self._prepare), name="pool-worker", daemon=True)
            try:
                process.start()
            except OSError as error:
                self._start_failed(str(error))
                return
            finally:
                theirs.close()
            self._workers.append(_Worker(process, ours))

    def _hear(self, worker: _Worker) -> None:
        """Take what a worker says, or see that it is dead."""
        try:
            if not worker.connection.poll():
                if not worker.process.is_alive() and not worker.connection.poll():
                    self._bury(worker)
                return
            packed = worker.connection.recv_bytes()
        except (EOFError, OSError):
            self._bury(worker)
            return
        if not worker.ready:
            worker.ready, self._failed_starts = True, 0
            return
        job, worker.job = worker.job, None
        assert job is not None
        try:
            value, error, where = pickle.loads(packed)
        except BaseException as unreadable:  # noqa: BLE001 - the future carries it to the caller
            job.future.set_exception(unreadable)
            return
        if error is None:
            job.future.set_result(value)
        else:
            error.__cause__ = _WorkerTraceback(where)
            job.future.set_exception(error)

    def _bury(self, worker: _Worker) -> None:
        """Forget a worker that died, and see to the task that it leaves."""
        self._workers.remove(worker)
        worker.process.join(LEAVE_S)
        code = worker.process.exitcode
        worker.connection.close()
        kills = kills_for_memory()
        if code == _KILLED and kills != self._memory_kills:
            self.limit = max(1, self.limit - 1)
        self._memory_kills = kills
        job = worker.job
        if job is None:
            if not worker.ready:
                self._start_failed(f"exit code {code}")
            return
        job.deaths += 1
        if job.deaths >= MAX_DEATHS:
            job.future.set_exception(TaskKilled(f"exit code {code}"))
        else:
            self._alone.append(job)

    def _start_failed(self, why: str) -> None:
        self._failed_starts += 1
        if self._failed_starts < MAX_FAILED_STARTS:
            return
        self._failed_starts = 0
        living = sum(worker.ready for worker in self._workers)
        if living:
            self.limit = living
        else:
            self._broken = f"no worker can be started: {why}"

    def _leave(self) -> None:
        """Let all workers go and settle what is left."""
        with self._lock:
            self._closing = True
            left = [*self._alone, *self._waiting]
        for worker in self._workers:
            if self._killing or self._broken:
                worker.process.kill()
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(LEAVE_S)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            if worker.job is not None:
                left.append(worker.job)
        self._workers = []
        for job in left:
            if job.future.running() or job.future.set_running_or_notify_cancel():
                job.future.set_exception(BrokenExecutor(self._broken or "the workers were ended"))
        self._woken.close()
        self._waker.close()


def kills_for_memory() -> int:
    """Return how many processes the system has killed for want of memory, as far as it tells."""
    total = 0
    for file in ("/proc/vmstat", "/sys/fs/cgroup/memory.events"):
        with contextlib.suppress(OSError, ValueError):
            counts = dict(line.split(maxsplit=1) for line in Path(file).read_text(encoding="ascii").splitlines())
            total += int(counts.get("oom_kill", 0))
    return total


def _work(connection: Connection, prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """Do one task after the other; the main function of a worker."""
    prepare(*arguments)
    with contextlib.suppress(EOFError, OSError):  # the pool has let go
        connection.send_bytes(b"ready")
        while True:
            connection.send_bytes(_answer(connection.recv_bytes()))


def _answer(packed: bytes) -> bytes:
    """Return the packed (value, error, traceback) of a packed task."""
    try:
        function, arguments, named = pickle.loads(packed)
        value, error, where = function(*arguments, **named), None, ""
        return bytes(ForkingPickler.dumps((value, error, where)))
    except BaseException as raised:  # noqa: BLE001 - it travels to who asked for the task
        return _packed_error(raised)


def _packed_error(raised: BaseException) -> bytes:
    where = "".join(traceback.format_exception(raised))
    try:
        packed = bytes(ForkingPickler.dumps((None, raised, where)))
        pickle.loads(packed)
    except BaseException:  # noqa: BLE001 - an exception that cannot travel goes as its text
        packed = bytes(ForkingPickler.dumps((None, RuntimeError(f"{type(raised).__name__}: {raised}"), where)))
    return packed
