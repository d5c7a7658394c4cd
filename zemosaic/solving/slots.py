"""How many ASTAP calls run at once, over all ZeMosaic processes of the machine.

A slot is a locked file: the system frees it when its holder ends in whatever way, so that nobody waits for the dead.
"""

from __future__ import annotations

import json
import math
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from zemosaic.errors import Message, message

__all__ = ["AstapSlots", "retries_from_environment"]

_FOLDER = "zemosaic_astap_slots"
_POLL_S = 0.05
_REPORT_EACH_S = 2.0
_IMAGE_LOCKS = 64
"""Lock files that frames share by their names' checksums: few files, and waiting for a stranger is rare."""
_RETRIES, _BACKOFF_S = 1, 0.5


def _silent(_: Message) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class AstapSlots:
    """Slots shared by every process that uses the same folder; calling it gives a context that holds one.

    No two calls work on the same image at a time, whichever process they come from.
    """

    instances: int
    """Calls that may run at once."""
    folder: Path
    enabled: bool = True
    rate_s: float = 0.0
    """Seconds in which at most `burst` calls begin; 0 sets no limit."""
    burst: int = 1
    report: Callable[[Message], None] = _silent
    """Told every few seconds as long as a call has to wait; it may raise to end the waiting."""

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
    def __call__(self, image: str = "") -> Iterator[None]:
        """Hold a slot, and the image named; waits until both are free."""
        if not self.enabled:
            yield
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as held:
            if image:
                number = zlib.crc32(image.encode("utf-8", "surrogateescape")) % _IMAGE_LOCKS
                held.callback(self._first_free([f"image_{number}.lock"]).release)
            held.callback(self._first_free([f"slot_{n}.lock" for n in range(self.instances)]).release)
            self._keep_the_rate()
            yield

    def _first_free(self, names: Sequence[str]) -> FileLock:
        """Return the first of some locks that is free, held; waits for it."""
        told = time.monotonic()
        while True:
            for name in names:
                lock = FileLock(self.folder / name)
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue  # taken: try the next one
                return lock
            if time.monotonic() - told > _REPORT_EACH_S:
                self.report(message("log.astap_waiting", instances=self.instances, folder=str(self.folder)))
                told = time.monotonic()
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


def retries_from_environment(environ: Mapping[str, str]) -> tuple[int, float]:
    """Return how often a call without an answer is repeated, and the seconds before the first repetition.

    ``ZEMOSAIC_ASTAP_RETRIES`` and ``ZEMOSAIC_ASTAP_BACKOFF_SEC``; a value that is no number counts as not given.
    """
    retries = _number(environ.get("ZEMOSAIC_ASTAP_RETRIES"), _RETRIES)
    backoff_s = _number(environ.get("ZEMOSAIC_ASTAP_BACKOFF_SEC"), _BACKOFF_S)
    return min(max(int(retries), 0), 100), min(max(backoff_s, 0.0), 600.0)


def _number(text: str | None, default: float) -> float:
    try:
        value = float(text) if text else default
    except ValueError:
        return default
    return value if math.isfinite(value) else default


def _read_times(path: Path) -> list[float]:
    """Return the times noted in a file; a damaged one, left by a killed process, counts as empty."""
    try:
        noted = json.loads(path.read_text())
    except (OSError, ValueError):
        return []
    return [float(t) for t in noted if isinstance(t, int | float)] if isinstance(noted, list) else []
