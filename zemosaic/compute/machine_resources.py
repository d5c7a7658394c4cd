"""What the run takes: memory and CPU time of a process and all its children."""

from __future__ import annotations

import contextlib
import ctypes
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

__all__ = ["ResourceMonitor", "Usage", "disk_free", "lent_floats", "return_freed_memory"]


@dataclass(frozen=True)
class Usage:
    """A moment's load."""

    rss_bytes: int
    cpu_s: float
    cpu_percent: float


class ResourceMonitor:
    """Samples this process and its children in a thread and keeps the peak."""

    def __init__(self, interval_s: float = 0.5, on_sample: Callable[[Usage], None] | None = None) -> None:
        self.peak_rss_bytes = 0
        self._interval_s = interval_s
        self._on_sample = on_sample
        self._children_cpu: dict[int, float] = {}
        self._last = (time.monotonic(), 0.0)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._loop, name="resources", daemon=True)

    def __enter__(self) -> ResourceMonitor:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def cpu_s(self) -> float:
        """Return the CPU seconds used so far by this process and its children, ended ones included."""
        return self.sample().cpu_s

    def sample(self) -> Usage:
        """Take a sample now."""
        with self._lock:
            this_process = psutil.Process()
            rss, cpu = this_process.memory_info().rss, sum(this_process.cpu_times()[:2])
            for child in this_process.children(recursive=True):
                try:
                    rss += child.memory_info().rss
                    self._children_cpu[child.pid] = sum(child.cpu_times()[:2])
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue  # it ended between the two calls: its last sample stands
            cpu += sum(self._children_cpu.values())
            self.peak_rss_bytes = max(self.peak_rss_bytes, rss)
            before, cpu_before = self._last
            now = time.monotonic()
            percent = 100.0 * (cpu - cpu_before) / max(now - before, 1e-3)
            self._last = (now, cpu)
            return Usage(rss, cpu, percent)

    def _loop(self) -> None:
        while not self._stop.wait(self._interval_s):
            # Samples are for whoever looks: where the system refuses them for a while, the run goes on without.
            with contextlib.suppress(OSError, psutil.Error):
                usage = self.sample()
                if self._on_sample is not None:
                    self._on_sample(usage)


def disk_free(folder: Path) -> int:
    """Return the free bytes of the disk that holds folder."""
    free: int = psutil.disk_usage(str(folder)).free
    return free


_KEPT: list[NDArray[np.float32]] = []
"""In each process, what `lent_floats` lends next."""


@contextlib.contextmanager
def lent_floats(shape: tuple[int, ...]) -> Iterator[NDArray[np.float32]]:
    """Lend an array of any values, to tasks that need much memory one after the other.

    New memory has to be cleared by the system first, which costs a third of the time of resampling.  What was lent is
    kept for the next task, until `return_freed_memory` is called.
    """
    size = math.prod(shape)
    kept = _KEPT.pop() if _KEPT else np.empty(0, np.float32)
    if kept.size < size:
        del kept  # not both at once
        kept = np.empty(size, np.float32)
    try:
        yield kept[:size].reshape(shape)
    finally:
        _KEPT[:] = [kept]


def return_freed_memory() -> None:
    """Hand back what this process keeps for later: `lent_floats`, and what glibc keeps of all that was freed."""
    _KEPT.clear()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
