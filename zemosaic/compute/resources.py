"""What the run takes: memory and CPU time of a process and all its children."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

__all__ = ["ResourceMonitor", "Usage", "disk_free", "return_freed_memory"]


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
            own = psutil.Process()
            rss, cpu = own.memory_info().rss, sum(own.cpu_times()[:2])
            for child in own.children(recursive=True):
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
            usage = self.sample()
            if self._on_sample is not None:
                self._on_sample(usage)


def disk_free(folder: Path) -> int:
    """Return the free bytes of the disk that holds folder."""
    return psutil.disk_usage(str(folder)).free


def return_freed_memory() -> None:
    """Let the C library hand back what was freed: glibc keeps much of it; elsewhere there is nothing to do."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)
