"""Tasks on the computers of a Dask cluster, behind the same seam as the processes of this one.

A task names files by their paths and leaves its pixels in the work folder, so every computer must see the folders of
the run under the same paths (a network share), and run the same code with the same numerical packages.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from pathlib import Path
from typing import Any, TypeVar

from zemosaic.about import part_versions
from zemosaic.compute.budget import MAX_TASK_BYTES, MIN_TASK_BYTES, PROCESS_BYTES, Budget
from zemosaic.compute.executors import TaskKilled, limit_opencv
from zemosaic.errors import Message, ResourceError, SettingsError, message
from zemosaic.health import is_built_program

__all__ = ["ClusterExecutor", "join_cluster"]

R = TypeVar("R")

CONNECT_S = 10
SCHEDULER_PARTS = ("python", "dask", "distributed")
ABANDONED_S = 60.0
"""A cluster without a worker for so long is lost."""
_USABLE = 0.6
"""Part of a worker's memory that is used: from there on Dask moves results to the disk."""


class ClusterExecutor(Executor):
    """Hands tasks to a connected `distributed.Client`."""

    def __init__(self, client: Any) -> None:
        self._inner = client.get_executor(pure=False)
        self._waiting: set[_Answer[Any]] = set()
        self._lock = threading.Lock()
        self._given_up = ""

    def submit(self, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        """Send fn to the cluster and return its future, which breaks when the cluster is lost.

        Parameters
        ----------
        fn : callable
            Importable on the cluster's workers.
        *args, **kwargs
            Its arguments, which are pickled.

        Raises
        ------
        BrokenExecutor
            When the cluster was given up.
        """
        answer: _Answer[R] = _Answer(self._inner.submit(fn, *args, **kwargs))
        with self._lock:
            if self._given_up:
                raise BrokenExecutor(self._given_up)
            self._waiting.add(answer)
        answer.add_done_callback(self._forget)
        answer.sent.add_done_callback(answer.take)
        return answer

    def give_up(self, why: str) -> None:
        """Break every future that is still waited for, and take no more tasks."""
        with self._lock:
            self._given_up = why
            waiting = list(self._waiting)
        for answer in waiting:
            answer.break_off(why)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Withdraw what is still waited for.

        Parameters
        ----------
        wait, cancel_futures : bool
            Neither is looked at.
        """
        with self._lock:
            waiting = list(self._waiting)
        for answer in waiting:
            answer.cancel()

    def _forget(self, answer: Future[Any]) -> None:
        with self._lock:
            self._waiting.discard(answer)


class _Answer(Future[R]):
    """A future whose withdrawal reaches the cluster."""

    def __init__(self, sent: Future[R]) -> None:
        super().__init__()
        self.sent = sent

    def cancel(self) -> bool:
        self.sent.cancel()
        return super().cancel()

    def take(self, sent: Future[R]) -> None:
        """Take over how the task ended."""
        if sent.cancelled():
            self.break_off("the scheduler is gone")
        elif (error := sent.exception()) is None:
            self._settle(lambda: self.set_result(sent.result()))
        elif type(error).__name__ == "KilledWorker":
            self._settle(lambda: self.set_exception(TaskKilled(str(error))))
        elif _stumbled(error):
            self.break_off(str(error))
        else:
            self._settle(lambda: self.set_exception(error))

    def break_off(self, why: str) -> None:
        """End without a result."""
        self._settle(lambda: self.set_exception(BrokenExecutor(why)))

    def _settle(self, end: Callable[[], None]) -> None:
        # Whoever comes second, of a result, a withdrawal and the watch, finds it settled.
        if not self.done() and self.set_running_or_notify_cancel():
            end()


def _stumbled(error: BaseException) -> bool:
    """Return whether the client failed: it does where a worker goes between telling and giving a result."""
    raised = [frame.f_globals.get("__name__") for frame, _ in traceback.walk_tb(error.__traceback__)]
    return raised[-1:] == ["distributed.cfexecutor"]


@contextlib.contextmanager
def join_cluster(address: str, folders: Sequence[Path]) -> Iterator[tuple[ClusterExecutor, Budget]]:
    """Connect to a scheduler, make sure its workers can do the run's tasks, and let go of it at the end.

    Parameters
    ----------
    address : str
        Of the scheduler, as in ``tcp://192.168.1.10:8786``.
    folders : sequence of Path
        What every worker must see under the same path.

    Yields
    ------
    executor : ClusterExecutor
    budget : Budget
        One task per worker, in the memory of the smallest of them.

    Raises
    ------
    SettingsError
        If the scheduler cannot be reached or has no workers, or one of them cannot do the tasks; it is named.
    ResourceError
        If a worker has not the memory for the smallest task.
    """
    try:
        from distributed import Client
    except ImportError as fault:
        if is_built_program():
            raise SettingsError("error.built_no_cluster") from fault
        raise SettingsError("error.no_distributed", detail=str(fault)) from fault
    # What goes wrong there ends in an error of this program; its own lines would only confuse.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as fault:
        raise SettingsError("error.cluster_unreachable", address=address, detail=str(fault)) from fault
    stop = threading.Event()
    try:
        budget = _checked(client, address, [str(folder) for folder in folders])
        executor = ClusterExecutor(client)
        threading.Thread(target=_watch, args=(client, executor, stop), name="cluster-watch", daemon=True).start()
        with executor:
            yield executor, budget
    finally:
        stop.set()
        client.close()


def _checked(client: Any, address: str, folders: list[str]) -> Budget:
    workers = client.scheduler_info(n_workers=-1)["workers"]
    if not workers:
        raise SettingsError("error.cluster_empty", address=address)
    for name, worker in sorted(workers.items()):
        if worker["nthreads"] != 1:
            raise SettingsError("error.cluster_threads", worker=name, threads=worker["nthreads"])
    _check_scheduler(client, address)
    versions = client.run(_prepare, folders, part_versions(), on_error="return")
    for name, trouble in sorted(versions.items()):
        if isinstance(trouble, BaseException):
            trouble = message("error.cluster_worker", worker=name, detail=f"{type(trouble).__name__}: {trouble}")
        if trouble is not None:
            raise SettingsError(trouble.key, **(dict(trouble.params) | {"worker": name}))
    limits = [worker["memory_limit"] for worker in workers.values() if worker["memory_limit"]]
    task = min(int(min(limits, default=1 << 62) * _USABLE) - PROCESS_BYTES, MAX_TASK_BYTES)
    if task < MIN_TASK_BYTES:
        needed = (MIN_TASK_BYTES + PROCESS_BYTES) / _USABLE
        raise ResourceError("error.memory_limit_too_small", limit_gb=min(limits) / 1e9, needed_gb=needed / 1e9)
    return Budget(sum(limits), len(workers), task)


def _check_scheduler(client: Any, address: str) -> None:
    """Refuse a scheduler with other versions of what it shares with its clients; it need not have this program."""
    told = client.get_versions(check=False)
    theirs, ours = (told[side].get("packages") or {} for side in ("scheduler", "client"))
    for part in SCHEDULER_PARTS:
        pair = [str(side.get(part, "")) for side in (theirs, ours)]
        if part == "python":
            pair = [".".join(version.split(".")[:2]) for version in pair]
        if pair[0] != pair[1]:
            raise SettingsError("error.scheduler_version", address=address, part=part, theirs=pair[0], ours=pair[1])


def _prepare(folders: list[str], versions: Mapping[str, str]) -> Message | None:
    """Make a worker ready; runs there, where nobody knows its name.  Returns what is wrong with it."""
    limit_opencv()
    for part, theirs in part_versions().items():
        if versions.get(part) != theirs:
            told = {"part": part, "theirs": theirs, "ours": versions.get(part, "")}
            return message("error.cluster_version", worker="", **told)
    unseen = [folder for folder in folders if not Path(folder).is_dir()]
    return message("error.cluster_folder", worker="", folder=unseen[0]) if unseen else None


def _watch(client: Any, executor: ClusterExecutor, stop: threading.Event) -> None:
    """Give the cluster up when its workers are gone for long, or when its scheduler cannot be asked any more."""
    alone_s, every_s = 0.0, ABANDONED_S / 12
    why = "the scheduler is gone"
    try:
        while not stop.wait(every_s) and client.status in ("running", "connecting"):
            alone_s = 0.0 if client.scheduler_info(n_workers=-1)["workers"] else alone_s + every_s
            if alone_s >= ABANDONED_S:
                why = "all workers are gone"
                return
    finally:  # whatever the question ended with: nobody may wait for answers that do not come
        if not stop.is_set():
            executor.give_up(why)
