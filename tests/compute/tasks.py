"""Tasks that worker processes can import."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from zemosaic.errors import FrameError


def square(x: int) -> int:
    time.sleep(0.002 * (x % 3))
    return x * x


def mark_and_wait(folder_and_number: tuple[str, int, float]) -> int:
    folder, number, wait_s = folder_and_number
    (Path(folder) / str(number)).touch()
    time.sleep(wait_s)
    return number


def wait_to_go(files: tuple[str, str, str]) -> None:
    begun, go, ended = map(Path, files)
    begun.touch()
    until = time.monotonic() + 120
    while not go.exists() and time.monotonic() < until:
        time.sleep(0.01)
    ended.touch()


def fail(x: int) -> int:
    if x == 3:
        raise FrameError("reason.no_pixels", path=f"frame {x}")
    return x


def time_out(x: int) -> int:
    raise TimeoutError(f"the task's own {x}")


def die(x: int) -> int:
    if x == 2:
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    return x


def threads_at_work(seconds: float) -> tuple[int, int, float]:
    """Return the threads of OpenCV and numba, and how many cores matrix products keep busy."""
    import cv2
    import numba
    import numpy as np

    matrix = np.random.default_rng(0).normal(size=(600, 600))
    matrix @ matrix
    wall, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds:
        matrix @ matrix
    busy = (time.process_time() - cpu) / (time.perf_counter() - wall)
    return cv2.getNumThreads(), numba.get_num_threads(), busy


def die_once(marked: tuple[str, int]) -> int:
    """Kill the worker at the first try of task 2, or of every task beyond 100."""
    folder, number = marked
    mark = Path(folder) / f"tried_{number}"
    if (number == 2 or number > 100) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    return number * number


def crash(number: int) -> int:
    """Fail as native code does."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGSEGV)
    return number


def cannot_travel(number: int) -> int:
    class Local(Exception):
        pass

    raise Local(f"number {number}")


def refuse_to_start() -> None:
    raise SystemExit(3)


def process_number(_: int) -> int:
    return os.getpid()


def prepared() -> None:
    """Prepare nothing."""
