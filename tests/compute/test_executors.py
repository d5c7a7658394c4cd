"""One contract for every executor, and what happens when things end early."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path

import psutil
import pytest
import tasks

from zemosaic.compute.executors import SerialExecutor, kill_children, make_executor, map_ordered
from zemosaic.compute.pool import WorkerPool
from zemosaic.errors import FrameError, RunCancelled


class ExecutorContract:
    """What `map_ordered` promises on any executor; subclasses give one."""

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        raise NotImplementedError

    def test_order_is_kept(self, executor: Executor) -> None:
        assert list(map_ordered(executor, tasks.square, range(40), ahead=7)) == [x * x for x in range(40)]

    def test_nothing_to_do(self, executor: Executor) -> None:
        assert list(map_ordered(executor, tasks.square, [], ahead=4)) == []

    def test_exceptions_travel_whole(self, executor: Executor) -> None:
        results = map_ordered(executor, tasks.fail, range(6), ahead=2)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(FrameError) as caught:
            next(results)
        assert caught.value.reason.params == {"path": "frame 3"}

    def test_a_time_out_of_the_task_is_an_exception_like_any(self, executor: Executor) -> None:
        with pytest.raises(TimeoutError, match="own 5"):
            list(map_ordered(executor, tasks.time_out, [5], ahead=1))

    def test_no_more_tasks_ahead_than_allowed(self, executor: Executor) -> None:
        taken = []

        def source() -> Iterator[int]:
            for x in range(20):
                taken.append(x)
                yield x

        results = map_ordered(executor, tasks.square, source(), ahead=3)
        for done in range(1, 21):
            next(results)
            assert len(taken) <= done + 2

    def test_cancel_ends_the_map_at_once(self, executor: Executor, tmp_path: Path) -> None:
        cancelled = threading.Event()
        work = [(str(tmp_path), n, 0.05) for n in range(400)]
        results = map_ordered(executor, tasks.mark_and_wait, work, ahead=4, cancelled=cancelled.is_set)
        next(results)
        cancelled.set()
        with pytest.raises(RunCancelled):
            list(results)
        time.sleep(0.3)
        assert len(list(tmp_path.iterdir())) <= 6

    def test_what_waits_is_withdrawn_when_the_map_ends_early(self, executor: Executor, tmp_path: Path) -> None:
        work = [(str(tmp_path), n, 0.1) for n in range(600)]
        results = map_ordered(executor, tasks.mark_and_wait, work, ahead=600 if self.parallel else 2)
        next(results)
        results.close()
        executor.shutdown(wait=True)
        assert len(list(tmp_path.iterdir())) < 300

    parallel = True


class TestSerial(ExecutorContract):
    parallel = False

    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        with make_executor(1) as executor:
            assert isinstance(executor, SerialExecutor)
            yield executor


@pytest.fixture(scope="module")
def pool() -> Iterator[Executor]:
    with make_executor(2) as executor:
        yield executor


class TestProcesses(ExecutorContract):
    @pytest.fixture
    def executor(self, pool: Executor, request: pytest.FixtureRequest) -> Iterator[Executor]:
        if "withdrawn" not in request.node.name:
            yield pool
            return
        with make_executor(2) as own:
            list(map_ordered(own, tasks.square, [1, 2], ahead=2))
            yield own

    def test_cancel_while_a_long_task_runs(self, executor: Executor, tmp_path: Path) -> None:
        begun, ended = tmp_path / "begun", tmp_path / "ended"
        task = (str(begun), str(tmp_path / "go"), str(ended))
        results = map_ordered(executor, tasks.wait_to_go, [task], ahead=1, cancelled=begun.exists)
        with pytest.raises(RunCancelled):
            next(results)
        assert not ended.exists()
        (tmp_path / "go").touch()


def test_workers_begin_nothing_while_the_run_is_paused(tmp_path: Path) -> None:
    held = multiprocessing.get_context("spawn").RawValue("b", 0)
    looks: list[int] = []

    def look() -> bool:
        looks.append(len(list(tmp_path.iterdir())))
        held.value = len(looks) < 4
        return False

    with make_executor(2, held) as executor:
        list(map_ordered(executor, tasks.square, range(8), ahead=8))
        held.value = 1
        list(
            map_ordered(
                executor, tasks.mark_and_wait, [(str(tmp_path), n, 0.0) for n in range(6)], ahead=6, cancelled=look
            )
        )
    assert looks[:4] == [0, 0, 0, 0]
    assert len(list(tmp_path.iterdir())) == 6


def test_children_are_ended_though_one_of_them_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    argv = [sys.executable, "-c", "import time; time.sleep(600)"]
    gone, busy = subprocess.Popen(argv), subprocess.Popen(argv)
    found = [psutil.Process(gone.pid), psutil.Process(busy.pid)]
    gone.kill()
    gone.wait()
    monkeypatch.setattr(psutil.Process, "children", lambda *_, **__: found)
    kill_children()
    assert busy.wait(60) != 0
    monkeypatch.undo()
    kill_children(gone.pid)


def test_workers_are_spawned_processes() -> None:
    with make_executor(3) as executor:
        assert isinstance(executor, WorkerPool)
        assert all(pid != os.getpid() for pid in map_ordered(executor, tasks.process_number, range(3), ahead=3))


class _LateFuture(Future):  # type: ignore[type-arg]
    """Finishes in the very moment after a wait for it has run out."""

    def result(self, timeout: float | None = None) -> int:
        if timeout is not None and not self.done():
            self.set_result(7)
            raise TimeoutError
        return super().result(timeout)


class _LateExecutor(Executor):
    def submit(self, *_: object, **__: object) -> Future:  # type: ignore[override,type-arg]
        future = _LateFuture()
        threading.Timer(0.4, lambda: future.done() or future.set_result(7)).start()
        return future


def test_a_result_just_after_the_wait_is_a_result() -> None:
    assert list(map_ordered(_LateExecutor(), tasks.square, [1], ahead=1)) == [7]
