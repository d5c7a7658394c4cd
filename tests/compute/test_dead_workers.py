"""A worker that dies is replaced; a task that kills its workers is told by itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import psutil
import pytest
import tasks
from waiting import wait_until

from zemosaic.compute import pool
from zemosaic.compute.executors import make_executor, map_ordered
from zemosaic.compute.pool import TaskKilled, WorkerPool
from zemosaic.errors import WorkerDied

KILL = signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM


def test_a_task_whose_worker_died_is_done_again(tmp_path: Path) -> None:
    with make_executor(2) as executor:
        results = list(map_ordered(executor, tasks.die_once, [(str(tmp_path), n) for n in range(8)], ahead=6))
        assert results == [n * n for n in range(8)]
        everyone = [(str(tmp_path), n) for n in range(101, 104)]
        assert list(map_ordered(executor, tasks.die_once, everyone, ahead=3)) == [n * n for _, n in everyone]


def test_a_task_that_kills_two_workers_is_told_by_itself_and_the_rest_goes_on() -> None:
    with make_executor(2) as executor:
        results = map_ordered(
            executor, tasks.crash, range(8), ahead=8, lost=lambda task, fault: f"{task}: {type(fault).__name__}"
        )
        assert list(results) == [0, 1, 2, "3: TaskKilled", 4, 5, 6, 7]
        with pytest.raises(WorkerDied):
            list(map_ordered(executor, tasks.die, range(4), ahead=4))
        assert list(map_ordered(executor, tasks.square, range(4), ahead=4)) == [0, 1, 4, 9]


def test_workers_killed_from_outside_cost_nothing(tmp_path: Path) -> None:
    with WorkerPool(2, tasks.prepared) as executor:
        killed: set[int] = set()

        def kill_some() -> bool:
            living = set(executor.pids()) - killed
            if len(killed) < 3 and living and len(list(tmp_path.iterdir())) > 4 * len(killed):
                victim = min(living)
                killed.add(victim)
                os.kill(victim, KILL)
            return False

        work = [(str(tmp_path), n, 0.02) for n in range(40)]
        assert list(map_ordered(executor, tasks.mark_and_wait, work, ahead=6, cancelled=kill_some)) == list(range(40))
        assert killed and executor.limit == 2


def test_other_exceptions_are_handed_over_too() -> None:
    with make_executor(2) as executor:
        results = map_ordered(executor, tasks.fail, range(5), ahead=5, lost=lambda task, fault: type(fault).__name__)
        assert list(results) == [0, 1, 2, "FrameError", 4]


def test_an_exception_that_cannot_travel_comes_as_its_text_with_its_place() -> None:
    with make_executor(2) as executor:
        future = executor.submit(tasks.cannot_travel, 5)
        error = future.exception(timeout=120)
        assert isinstance(error, RuntimeError) and "Local: number 5" in str(error)
        assert "cannot_travel" in str(error.__cause__)
        with pytest.raises(AttributeError):
            raise executor.submit(lambda: 1).exception(timeout=120) or AssertionError


def test_fewer_workers_after_the_system_killed_one_for_want_of_memory(tmp_path, monkeypatch) -> None:
    kills = iter(range(100))
    monkeypatch.setattr(pool, "kills_for_memory", lambda: next(kills))
    with WorkerPool(3, tasks.prepared) as executor:
        work = [(str(tmp_path), n) for n in range(8)]
        assert list(map_ordered(executor, tasks.die_once, work, ahead=8)) == [n * n for n in range(8)]
        assert executor.limit == 2 and len(executor.pids()) <= 2


def test_workers_that_cannot_start_break_the_pool_instead_of_being_tried_for_ever() -> None:
    with WorkerPool(2, tasks.refuse_to_start) as executor:
        future = executor.submit(tasks.square, 3)
        assert isinstance(future.exception(timeout=120), BrokenExecutor)
        assert not isinstance(future.exception(), TaskKilled)
        with pytest.raises(BrokenExecutor):
            executor.submit(tasks.square, 3)


def test_an_error_in_the_block_ends_the_workers_at_once_and_starts_no_new_ones(tmp_path: Path) -> None:
    begun = time.monotonic()
    futures, pids = [], []
    with pytest.raises(KeyError), WorkerPool(2, tasks.prepared) as executor:
        futures = [executor.submit(tasks.mark_and_wait, (str(tmp_path), n, 600.0)) for n in range(6)]
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        pids = executor.pids()
        psutil.Process(pids[0]).kill()
        raise KeyError
    assert time.monotonic() - begun < 300
    assert all(future.done() for future in futures)
    wait_until(lambda: not any(psutil.pid_exists(pid) for pid in pids))
    assert not [thread for thread in threading.enumerate() if thread.name == "pool"]


def test_the_end_waits_for_what_was_handed_in(tmp_path: Path) -> None:
    executor = WorkerPool(2, tasks.prepared)
    futures = [executor.submit(tasks.mark_and_wait, (str(tmp_path), n, 0.01)) for n in range(9)]
    executor.shutdown()
    assert [future.result(timeout=0) for future in futures] == list(range(9))
    with pytest.raises(RuntimeError):
        executor.submit(tasks.square, 1)
    WorkerPool(2, tasks.prepared).shutdown()
