"""Memory as a budget: the formula holds, and too little is said to be too little."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.compute.budget import (
    BASE_BYTES,
    COMPILING_BYTES,
    FRAME_BYTES,
    MAX_TASK_BYTES,
    MIN_TASK_BYTES,
    PROCESS_BYTES,
    available_cpus,
    make_budget,
    worthwhile_workers,
)
from zemosaic.compute.machine_resources import ResourceMonitor, lent_floats, return_freed_memory
from zemosaic.compute.pool import WorkerPool
from zemosaic.errors import ResourceError

SMALLEST_GB = (BASE_BYTES + PROCESS_BYTES + MIN_TASK_BYTES) / 1e9


@given(st.floats(SMALLEST_GB + 1e-6, 500.0), st.integers(-1, 200), st.integers(1, 128), st.integers(0, 60_000))
def test_planned_memory_never_exceeds_the_limit(limit_gb, workers, cpus, frames):
    try:
        budget = make_budget(limit_gb, workers, cpus=cpus, frames=frames)
    except ResourceError as refused:
        needed = float(refused.message.params["needed_gb"])
        assert needed > limit_gb and frames > 0
        assert make_budget(needed + 1e-6, 1, frames=frames).workers == 1
        return
    assert budget.limit_bytes == int(limit_gb * 1e9)
    held = BASE_BYTES + frames * FRAME_BYTES + budget.workers * (PROCESS_BYTES + budget.task_bytes)
    assert held <= budget.planned_bytes <= budget.limit_bytes
    assert MIN_TASK_BYTES <= budget.task_bytes <= MAX_TASK_BYTES
    assert 1 <= budget.workers <= (workers if workers > 0 else cpus)


@given(st.floats(SMALLEST_GB + 1e-6, 500.0), st.integers(2, 64))
def test_no_worker_is_given_up_without_need(limit_gb, workers):
    budget = make_budget(limit_gb, workers)
    if budget.workers < workers:
        one_more = BASE_BYTES + (budget.workers + 1) * (PROCESS_BYTES + MIN_TASK_BYTES)
        assert one_more > budget.limit_bytes


def test_fifty_thousand_frames_fit_three_gigabytes():
    budget = make_budget(3.0, 8, frames=50_000)
    assert budget.workers >= 1 and budget.planned_bytes <= 3e9
    assert make_budget(3.0, 8).workers > budget.workers
    with pytest.raises(ResourceError):
        make_budget(1.5, 8, frames=50_000)


def test_compiling_counts():
    first, later = make_budget(1.6, 2, compiling=True), make_budget(1.6, 2)
    assert later.task_bytes - first.task_bytes == COMPILING_BYTES
    assert first.planned_bytes == later.planned_bytes <= 1.6e9


def test_plenty_gives_all_workers_the_most():
    budget = make_budget(100.0, 8)
    assert (budget.workers, budget.task_bytes) == (8, MAX_TASK_BYTES)


def test_too_little_is_an_error_that_says_how_much_is_needed():
    with pytest.raises(ResourceError) as caught:
        make_budget(SMALLEST_GB - 0.001, 4)
    assert caught.value.message.params["needed_gb"] == pytest.approx(SMALLEST_GB)
    assert make_budget(SMALLEST_GB + 1e-6, 4).workers == 1


@pytest.mark.parametrize("wanted", [0, -1])
def test_auto_takes_the_cpus(wanted):
    assert make_budget(100.0, wanted, cpus=5).workers == 5
    assert make_budget(100.0, wanted).workers == min(available_cpus(), make_budget(100.0, 10**3).workers)
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


def test_auto_limit_is_part_of_the_free_memory(monkeypatch):
    class Memory:
        available = int(10e9)

    monkeypatch.setattr("zemosaic.compute.budget.psutil.virtual_memory", lambda: Memory)
    assert make_budget(0.0, 1).limit_bytes == int(6e9)


def test_monitor_sees_the_peak_and_the_work():
    with ResourceMonitor(0.02) as monitor:
        before = monitor.sample()
        # Fresh pages: what earlier tests let go may still be the process's.
        block = mmap.mmap(-1, 96_000_000)
        np.frombuffer(block, np.float64)[:] = 1.0
        held = monitor.sample()
        block.close()
        after = monitor.sample()
    assert held.rss_bytes - before.rss_bytes > 80e6
    assert monitor.peak_rss_bytes >= held.rss_bytes
    assert after.cpu_s >= held.cpu_s >= before.cpu_s > 0


def test_no_process_of_a_run_loads_what_it_does_not_need():
    """A megabyte of libraries counts once for each process: these alone would take thirty."""
    heavy = {"scipy.stats", "scipy.optimize", "distributed", "PySide6", "tkinter"}
    code = f"import sys, zemosaic.worker_process; print(*{heavy} & set(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []


def test_lent_memory_is_lent_again_but_never_twice_at_once():
    """A thread of a Dask worker may run beside another; what was lent is let go when memory is to be handed back."""
    return_freed_memory()
    with lent_floats((2, 3)) as first, lent_floats((2, 2)) as second:
        assert first.shape == (2, 3) and first.dtype == np.float32
        assert not np.shares_memory(first, second)
    with lent_floats((3, 2)) as larger:
        assert np.shares_memory(first, larger)
    with lent_floats((50,)) as grown:
        assert grown.shape == (50,)
    with lent_floats((2, 2)) as again:
        assert np.shares_memory(grown, again)
    return_freed_memory()
    with lent_floats((2, 2)) as fresh:
        assert not np.shares_memory(grown, fresh)


def test_no_more_workers_than_the_system_can_wait_for(monkeypatch):
    monkeypatch.setattr("zemosaic.compute.pool.MAX_WORKERS", 31)
    assert make_budget(64.0, 96).workers == 31
    assert WorkerPool(96, print).limit == 31


def test_a_small_survey_asks_for_few_workers_unless_their_number_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zemosaic.compute.budget.available_cpus", lambda: 8)
    demo, seestar = 24 * 720 * 1280, 180 * 1080 * 1920
    assert [worthwhile_workers(0, numbers) for numbers in (0, demo, 3 * demo, seestar)] == [1, 1, 2, 8]
    assert [worthwhile_workers(wanted, demo) for wanted in (-1, 1, 4)] == [-1, 1, 4]
