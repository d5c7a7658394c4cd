"""How many ASTAP calls run at once, over all ZeMosaic processes of the machine.

A slot is a locked file: the system frees it when its holder ends in whatever way, so that nobody waits for the dead.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from zemosaic.errors import Message, message

__all__ = ["AstapSlots"]

_FOLDER = "zemosaic_astap_slots"
_POLL_S = 0.05
_REPORT_AFTER_S = 2.0


def _silent(_: Message) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class AstapSlots:
    """Slots shared by every process that uses the same folder; calling it gives a context that holds one."""

    instances: int
    """Calls that may run at once."""
    folder: Path
    enabled: bool = True
    rate_s: float = 0.0
    """Seconds in which at most `burst` calls begin; 0 sets no limit."""
    burst: int = 1
    report: Callable[[Message], None] = _silent
    """Told once per call when it has to wait."""

    @classmethod
    def from_environment(
        cls, instances: int, environ: Mapping[str, str], report: Callable[[Message], None] = _silent
    ) -> AstapSlots:
        """Return the slots that the ``ZEMOSAIC_ASTAP_...`` variables ask for.

        ``DISABLE_IPC_LOCK`` (1 switches the slots off), ``LOCK_DIR``, ``RATE_SEC`` and ``RATE_BURST``; a value that is
        no number counts as not given.
        """
        folder = environ.get("ZEMOSAIC_ASTAP_LOCK_DIR") or str(Path(tempfile.gettempdir()) / _FOLDER)
        return cls(
            instances=max(1, instances),
            folder=Path(folder),
            enabled=environ.get("ZEMOSAIC_ASTAP_DISABLE_IPC_LOCK", "") not in ("1", "true", "yes"),
            rate_s=max(0.0, _number(environ.get("ZEMOSAIC_ASTAP_RATE_SEC"), 0.0)),
            burst=max(1, int(_number(environ.get("ZEMOSAIC_ASTAP_RATE_BURST"), 1.0))),
            report=report,
        )

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Hold a slot; waits until one is free."""
        if not self.enabled:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._free_slot()
        try:
            self._keep_the_rate()
            yield
        finally:
            lock.release()

    def _free_slot(self) -> FileLock:
        started, told = time.monotonic(), False
        while True:
            for number in range(self.instances):
                lock = FileLock(self.folder / f"slot_{number}.lock")
                try:
                    return lock.acquire(timeout=0).lock
                except Timeout:
                    continue  # taken: try the next one
            if not told and time.monotonic() - started > _REPORT_AFTER_S:
                self.report(message("log.astap_waiting", instances=self.instances, folder=str(self.folder)))
                told = True
            time.sleep(_POLL_S)

    def _keep_the_rate(self) -> None:
        """Wait until fewer than `burst` calls began within the last `rate_s` seconds, and note this one."""
        if self.rate_s <= 0.0:
            return
        while True:
            with FileLock(self.folder / "rate.lock"):
                now = time.time()
                begun = [t for t in _read_times(self.folder / "rate.json") if now - self.rate_s < t <= now]
                if len(begun) < self.burst:
                    (self.folder / "rate.json").write_text(json.dumps([*begun, now]))
                    return
            time.sleep(max(_POLL_S, min(begun) + self.rate_s - now))


def _number(text: str | None, default: float) -> float:
    try:
        return float(text) if text else default
    except ValueError:
        return default


def _read_times(path: Path) -> list[float]:
    """Return the times noted in a file; a damaged one, left by a killed process, counts as empty."""
    try:
        noted = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return [float(t) for t in noted if isinstance(t, int | float)] if isinstance(noted, list) else []
