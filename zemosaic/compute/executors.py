"""Where tasks run: one seam in the shape of `concurrent.futures`.

Tasks are picklable functions of picklable arguments; results come back in the order of the tasks,
whatever the number of workers.  Worker processes are spawned, use one thread each, ignore Ctrl-C
(the front end handles it) and end by themselves when their parent is gone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from multiprocessing import heap
from typing import Any, Protocol, TypeVar

import psutil

from zemosaic.compute.pool import TaskKilled, WorkerPool
from zemosaic.errors import RunCancelled, WorkerDied

__all__ = [
    "Flag",
    "SerialExecutor",
    "TaskKilled",
    "exit_with_parent",
    "kill_children",
    "limit_library_threads",
    "limit_opencv",
    "make_executor",
    "map_ordered",
    "shared_flag",
]

T = TypeVar("T")
R = TypeVar("R")

POLL_S = 0.2
"""How often a waiting map looks whether the run was cancelled."""

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class SerialExecutor(Executor):
    """Runs each task at once in the calling thread."""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Run fn now and return its finished future.

        Parameters
        ----------
        fn : callable
        *args, **kwargs
            Its arguments.
        """
        future: Future[R] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - the future carries it to the caller
            future.set_exception(error)
        return future


def limit_library_threads() -> None:
    """Let the processes started from here use one thread per native library."""
    for name in _THREAD_VARIABLES:
        os.environ[name] = "1"


class Flag(Protocol):
    """A number that processes share: 0 or 1 (`multiprocessing.RawValue`)."""

    value: int


def shared_flag() -> Flag:
    """Return a number that processes share, 0; in a temporary file where the shared memory cannot be written."""
    spawn = multiprocessing.get_context("spawn")
    flag: Flag
    try:
        flag = spawn.RawValue("b", 0)
    except OSError:
        heap.Arena._dir_candidates = []  # type: ignore[attr-defined]
        flag = spawn.RawValue("b", 0)
    return flag


_OF_THIS_WORKER: list[Flag] = []
"""In a worker process, where a pool's initialiser can leave it: whether the run is paused."""


def make_executor(workers: int, held: Flag | None = None, *, apart: bool = False) -> Executor:
    """Return an executor: serial for one worker, else a pool of spawned processes that are replaced when they die.

    Parameters
    ----------
    workers : int
    held : Flag, optional
        While it is 1, workers begin no task.
    apart : bool
        Whether a single worker is a process too; it is not replaced.
    """
    limit_library_threads()
    if workers <= 1 and not apart:
        limit_opencv()
        return SerialExecutor()
    if workers > 1:
        return WorkerPool(workers, _prepare_worker, (held,))
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(1, mp_context=context, initializer=_prepare_worker, initargs=(held,))


def _prepare_worker(held: Flag | None) -> None:
    _OF_THIS_WORKER[:] = [] if held is None else [held]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    exit_with_parent()
    limit_opencv()


def limit_opencv() -> None:
    """Let OpenCV use one thread in this process."""
    import cv2

    cv2.setNumThreads(1)


def exit_with_parent() -> None:
    """End this process when its parent ends, however that ends."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def kill_children(pid: int | None = None) -> None:
    """End what a process started, by itself or through others; None is this process.  Any may be ending already."""
    try:
        children = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return
    for child in children:
        with contextlib.suppress(psutil.Error):  # Windows denies access to one that is ending
            child.kill()


def map_ordered(
    executor: Executor,
    function: Callable[[T], R],
    tasks: Iterable[T],
    *,
    ahead: int,
    cancelled: Callable[[], bool] = lambda: False,
    lost: Callable[[T, BaseException], R] | None = None,
) -> Iterator[R]:
    """Yield function(task) for each task, in order; what has not begun is withdrawn when the caller stops early.

    Parameters
    ----------
    executor : Executor
    function : callable
    tasks : iterable
        Arguments of `function`, one each.
    ahead : int
        Tasks submitted before their turn at most, so that neither arguments nor results pile up.
    cancelled : callable
        Asked a few times a second; while it does not answer, nothing new is submitted.
    lost : callable, optional
        Takes a task and the exception that it ended with, a `TaskKilled` where its workers died of it; returns what is
        yielded for it, or raises.  Without it the exception is raised.

    Raises
    ------
    RunCancelled
        When `cancelled` answers true.
    WorkerDied
        When two workers died of a task, or no worker can be started (often: the system ran out of memory).
    """
    waiting: deque[tuple[T, Future[R]]] = deque()
    source = iter(tasks)
    exhausted = False
    try:
        while waiting or not exhausted:
            while not exhausted and len(waiting) < max(1, ahead):
                try:
                    task = next(source)
                except StopIteration:
                    exhausted = True
                    break
                waiting.append((task, _submit(executor, function, task)))
            if not waiting:
                return
            task, future = waiting.popleft()
            _wait_for(future, cancelled)
            yield _result(task, future, lost)
    finally:
        for _, future in waiting:
            future.cancel()


def _submit(executor: Executor, function: Callable[[T], R], task: T) -> Future[R]:
    try:
        return executor.submit(_unless_held, function, task)
    except BrokenExecutor as error:
        raise WorkerDied("error.pool_died") from error


def _unless_held(function: Callable[[T], R], task: T) -> R:
    # No lock: a worker that is killed while it holds one would stop the others for ever.
    while any(flag.value for flag in _OF_THIS_WORKER):
        time.sleep(POLL_S)
    return function(task)


def _wait_for(future: Future[R], cancelled: Callable[[], bool]) -> None:
    while True:
        if cancelled():
            raise RunCancelled("error.cancelled")
        wait([future], timeout=POLL_S)
        if future.done():
            return


def _result(task: T, future: Future[R], lost: Callable[[T, BaseException], R] | None) -> R:
    fault = future.exception()
    if fault is None:
        return future.result()
    broken = isinstance(fault, BrokenExecutor)
    if lost is not None and (not broken or isinstance(fault, TaskKilled)):
        return lost(task, fault)
    if broken:
        raise WorkerDied("error.pool_died") from fault
    return future.result()
