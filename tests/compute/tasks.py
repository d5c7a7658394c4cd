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
