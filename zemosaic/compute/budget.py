"""Memory as a budget: one number, divided by a formula that is written down.

``limit = base + frames + workers * (process + task)``

* `BASE_BYTES`: the front end, and the worker process with its libraries;
* frames: `FRAME_BYTES` for what is known of each, its stars and its place, in the worker process;
* process: `PROCESS_BYTES`, one pool process with its libraries; in the first run after an installation, when
  each compiles what the later ones find compiled, `COMPILING_BYTES` more;
* task: what remains, split evenly, and at least what measuring the survey's usual picture takes,
  `PICTURE_BYTES` for each of its numbers; a stacking task puts the cube of samples of a band of its tile
  there, together with the results and the window of the frame that is being resampled.

The solutions for all frames together take `SOLVING_FRAME_BYTES` more for each, up to `MAX_SOLVING_BYTES`:
beyond that they take part of each frame's stars and sky.  They run while the workers have little to do, so
that they and the tasks need not fit at the same time.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import psutil

from zemosaic.compute import pool
from zemosaic.errors import ResourceError

__all__ = [
    "PICTURE_BYTES",
    "Budget",
    "Share",
    "available_cpus",
    "largest_picture",
    "make_budget",
    "stack_share",
    "worthwhile_workers",
]

MIB = 1 << 20
BASE_BYTES = 400 * MIB
PROCESS_BYTES = 260 * MIB
COMPILING_BYTES = 200 * MIB
FRAME_BYTES = 24 << 10
SOLVING_FRAME_BYTES = 90 << 10
MAX_SOLVING_BYTES = 850 * MIB
MIN_TASK_BYTES = 96 * MIB
MAX_TASK_BYTES = 640 * MIB
"""More than this per task brings no speed."""

PICTURE_BYTES = 30
"""What reading and measuring a frame takes for each number of its picture: as stored, as float32, sky, masks."""


NUMBERS_PER_WORKER = 24_000_000
"""To start a worker takes as long as to measure and stack this many numbers of pictures: some two seconds."""


@dataclass(frozen=True)
class Budget:
    """How many workers run and what each task may take."""

    limit_bytes: int
    workers: int
    task_bytes: int
    frames: int = 0
    process_bytes: int = PROCESS_BYTES
    share_bytes: int = 0
    """What the limit leaves for each task, also beyond `MAX_TASK_BYTES`; 0 where nobody has worked it out."""

    @property
    def largest_picture(self) -> int:
        """Numbers of the largest picture that a task can read and measure within its share."""
        return max(self.share_bytes, self.task_bytes) // PICTURE_BYTES

    @property
    def planned_bytes(self) -> int:
        """The most that all processes together are meant to take."""
        held = BASE_BYTES + self.frames * FRAME_BYTES + self.workers * self.process_bytes
        return held + max(self.workers * self.task_bytes, _solving_bytes(self.frames))


def make_budget(
    memory_limit_gb: float,
    workers: int,
    *,
    frames: int = 0,
    picture: int = 0,
    compiling: bool = False,
    cpus: int | None = None,
) -> Budget:
    """Divide the memory.

    Parameters
    ----------
    memory_limit_gb : float
        The user's limit in GB (1e9 bytes); 0 takes 60 % of the free memory.
    workers : int
        Processes wanted; 0 or -1 takes one per available CPU.
    frames : int
        Frames of the run; 0 while nobody knows.
    picture : int
        Numbers of the usual picture of the run; fewer workers run where they could not all hold one.
    compiling : bool
        Whether the workers will have to compile their kernels.
    cpus : int, optional
        CPUs to count on; asked from the system by default.

    Raises
    ------
    ResourceError
        When not even one worker fits the limit.
    """
    limit = _limit_bytes(memory_limit_gb)
    worker_count = min(workers if workers > 0 else cpus or available_cpus(), pool.MAX_WORKERS)
    process = PROCESS_BYTES + (COMPILING_BYTES if compiling else 0)
    left = limit - BASE_BYTES - frames * FRAME_BYTES
    wanted = max(MIN_TASK_BYTES, picture * PICTURE_BYTES)
    while worker_count > 1 and _task_share(left, worker_count, process, frames) < wanted:
        worker_count -= 1
    task = _task_share(left, worker_count, process, frames)
    if task < MIN_TASK_BYTES:
        smallest = limit - left + process + max(MIN_TASK_BYTES, _solving_bytes(frames))
        raise ResourceError("error.memory_limit_too_small", limit_gb=limit / 1e9, needed_gb=smallest / 1e9)
    return Budget(limit, worker_count, min(task, MAX_TASK_BYTES), frames, process, task)


def worthwhile_workers(wanted: int, numbers: int) -> int:
    """Return the number of workers to ask for, fewer than there are CPUs where the survey is small.

    Parameters
    ----------
    wanted : int
        As in the settings: 0 leaves the choice to the program, any other number stands.
    numbers : int
        Numbers of all pictures of the run together.

    Returns
    -------
    int
        As `make_budget` takes it.
    """
    return wanted if wanted else min(available_cpus(), max(1, numbers // NUMBERS_PER_WORKER))


def largest_picture(memory_limit_gb: float) -> int:
    """Return the numbers of the largest picture that a single worker could read and measure within the limit (GB)."""
    return max(_limit_bytes(memory_limit_gb) - BASE_BYTES - PROCESS_BYTES, MIN_TASK_BYTES) // PICTURE_BYTES


def _limit_bytes(memory_limit_gb: float) -> int:
    return int(memory_limit_gb * 1e9) or int(psutil.virtual_memory().available * 0.6)


@dataclass(frozen=True)
class Share:
    """How one phase uses the workers."""

    ahead: int
    """Tasks under way at a time, those that wait included."""
    task_bytes: int


def stack_share(budget: Budget, worker_limit: int) -> Share:
    """Return how stacking, the only phase whose tasks may take all their memory, uses the workers.

    Every phase but this one hands each worker two frames at a time: reading, measuring and placing a
    frame takes some 60 MB whatever its number of neighbours, less than the smallest task's share.
    Without a limit stacking does the same with tiles.  With a limit below the number of workers only so
    many tiles are under way, none waits, and each gets the memory of those that are not.
    Threads do not multiply the workers: see `zemosaic.compute.executors.limit_library_threads`.

    Parameters
    ----------
    budget : Budget
    worker_limit : int
        Tiles that may be under way at once; 0 or less for no limit.

    Returns
    -------
    Share
    """
    if worker_limit <= 0 or worker_limit >= budget.workers:
        return Share(2 * budget.workers, budget.task_bytes)
    task = budget.task_bytes * budget.workers // worker_limit
    return Share(worker_limit, min(task, MAX_TASK_BYTES))


def available_cpus() -> int:
    """Return the CPUs this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return max(1, os.cpu_count() or 1)


def _task_share(left: int, workers: int, process: int, frames: int) -> int:
    """Return what remains for each task; nothing where the solutions for all frames do not fit beside the workers."""
    for_tasks = left - workers * process
    return for_tasks // workers if for_tasks >= _solving_bytes(frames) else 0


def _solving_bytes(frames: int) -> int:
    return min(frames * SOLVING_FRAME_BYTES, MAX_SOLVING_BYTES)
