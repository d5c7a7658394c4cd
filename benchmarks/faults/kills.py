"""Processes of a run that are killed or stopped at moments drawn by seed."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.faults.runs import Survey, Tally, events_of, is_step, other_bytes, settings_of, why_failed
from zemosaic.events import Event, RunFinished
from zemosaic.worker import Run

__all__ = ["Kill", "kill_group", "kill_run", "kill_worker", "kills", "pool_workers", "suspend_group"]

KILLS_A_CHAIN = 4
"""An output folder sees so many kills before its run may finish."""
WORKERS_A_RUN = 3
MAX_DELAY_S = 0.4
"""A kill comes so long after an event at most: between events much happens."""
LEAVE_S = 60.0
"""Workers whose run was killed end within this time."""
SUSPENDED_S = 3.0
Kill = Callable[[Run], bool]
"""Returns whether there was anything to kill."""


def kills(survey: Survey, folder: Path, seed: int, count: int, kill: Kill, workers: int = 2) -> Tally:
    """Kill runs at `count` moments and start them again, until each output folder holds a finished mosaic.

    Parameters
    ----------
    survey : Survey
    folder : Path
        Where the outputs may lie meanwhile.
    seed, count : int
    kill : callable
        One of `kill_group`, `kill_run`, `kill_worker`, `suspend_group`.
    workers : int

    Returns
    -------
    Tally
    """
    rng = random.Random(f"{seed} {kill.__name__} {workers}")
    tally = Tally(f"{kill.__name__}, {workers} workers")
    survives = kill in (kill_worker, suspend_group)
    while tally.faults < count:
        where = f"seed {seed}, after {tally.faults} kills"
        output, last, before = folder / f"{kill.__name__}_{tally.runs}", None, tally.faults
        while not isinstance(last, RunFinished):
            left = min(KILLS_A_CHAIN - (tally.faults - before), count - tally.faults)
            if survives:
                third = survey.steps // WORKERS_A_RUN
                moments = [k * third + rng.randint(1, third - 6) for k in range(min(WORKERS_A_RUN, left))]
            else:
                moments = [rng.randint(1, survey.steps)] if left else []
            hits, events, gone = _killed(survey, output, workers, kill, moments, rng)
            last = events[-1]
            tally.faults += hits
            tally.runs += 1
            if not gone:
                tally.failed(where, "processes outlived their run")
            if not isinstance(last, RunFinished) and (not hits or survives):
                tally.failed(where, why_failed(last))
                break
        if isinstance(last, RunFinished) and (why := other_bytes(survey, output, events)):
            tally.failed(where, why)
        if (output / ".zemosaic_work").exists():
            tally.failed(where, "the work folder was left behind")
        shutil.rmtree(output)
    return tally


def _killed(
    survey: Survey, output: Path, workers: int, kill: Kill, moments: Sequence[int], rng: random.Random
) -> tuple[int, list[Event], bool]:
    """Run once; returns how many kills hit, the events, and whether all processes of the run have ended."""
    waiting = sorted(moments)
    children: set[psutil.Process] = set()
    hits = 0

    def act(run: Run, seen: list[Event]) -> None:
        nonlocal hits
        if not waiting or not is_step(seen[-1]) or sum(map(is_step, seen)) < waiting[0]:
            return
        time.sleep(rng.uniform(0, MAX_DELAY_S))
        with contextlib.suppress(psutil.NoSuchProcess):
            children.update(psutil.Process(run.pid).children(recursive=True))
        if kill(run):
            hits += 1
            waiting.pop(0)

    events = events_of(settings_of(survey.frames, output, workers), act)
    _, alive = psutil.wait_procs(list(children), LEAVE_S)
    return hits, events, not alive


def kill_group(run: Run) -> bool:
    """Kill all processes of a run, as a power cut does."""
    try:
        process = psutil.Process(run.pid)
        victims = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return False
    return sum(map(_kill, victims)) > 0


def kill_run(run: Run) -> bool:
    """Kill the run's own process; its workers have to end by themselves."""
    try:
        return _kill(psutil.Process(run.pid))
    except psutil.NoSuchProcess:
        return False


def kill_worker(run: Run) -> bool:
    """Kill the worker that was started first of those that live."""
    return any(_kill(victim) for victim in pool_workers(run)[:1])


def suspend_group(run: Run) -> bool:
    """Stop all processes for a while and let them go on, as a computer that sleeps does."""
    try:
        process = psutil.Process(run.pid)
        group = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return False
    for each, number in ((SUSPENDED_S, signal.SIGSTOP), (0.0, signal.SIGCONT)):
        for member in group:
            with contextlib.suppress(ProcessLookupError):
                os.kill(member.pid, number)
        time.sleep(each)
    return True


def pool_workers(run: Run) -> list[psutil.Process]:
    """Return the worker processes of a run's pool."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(run.pid).children():
            with contextlib.suppress(psutil.Error):  # it is ending
                if any("spawn_main" in part for part in child.cmdline()):
                    found.append(child)
    return found


def _kill(process: psutil.Process) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True
