"""How many ASTAP calls run at once, over all ZeMosaic processes of a user on the machine.

A slot is a locked file: the system frees it when its holder ends in whatever way, so that nobody waits for the dead.
"""

from __future__ import annotations

import errno
import json
import math
import os
import stat
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from zemosaic.atomic import write_atomic
from zemosaic.errors import Message, message
from zemosaic.text.plain_text import json_value

__all__ = ["AstapSlots", "SlotsUnusable", "default_folder", "retries_from_environment"]

_FOLDER = "zemosaic_astap_slots"
_POLL_S = 0.05
_REPORT_EACH_S = 2.0
_IMAGE_LOCKS = 64
"""Lock files that frames share by their names' checksums: few files, and waiting for a stranger is rare."""
_RETRIES, _BACKOFF_S = 1, 0.5


class SlotsUnusable(Exception):
    """The folder of the locks cannot be used; ASTAP is not called without them."""

    def __init__(self, folder: Path, detail: str) -> None:
        super().__init__(str(folder), detail)
        self.folder, self.detail = folder, detail


def default_folder() -> Path:
    """Return the folder of this user's locks: everybody may write to the temporary folder, so each has one there."""
    user = f"_{os.getuid()}" if hasattr(os, "getuid") else ""
    return Path(tempfile.gettempdir()) / f"{_FOLDER}{user}"


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
    private: bool = False
    """Whether the folder must be this user's alone: no link, and nobody else's."""
    report: Callable[[Message], None] = _silent
    """Told every few seconds as long as a call has to wait; it may raise to end the waiting."""

    @classmethod
    def from_environment(
        cls, instances: int, environ: Mapping[str, str], report: Callable[[Message], None] = _silent
    ) -> AstapSlots:
        """Return the slots that the ``ZEMOSAIC_ASTAP_...`` variables ask for.

        ``DISABLE_IPC_LOCK`` (1 switches the slots off), ``LOCK_DIR``, ``RATE_SEC`` and ``RATE_BURST``; a value that is
        no number counts as not given.

        Parameters
        ----------
        instances : int
            ASTAP processes that may run at once, at least 1.
        environ : mapping of str to str
            Environment variables.
        report : callable(Message)
            Told while a slot is waited for.

        Returns
        -------
        AstapSlots
        """
        named = environ.get("ZEMOSAIC_ASTAP_LOCK_DIR")
        return cls(
            instances=max(1, instances),
            folder=Path(named) if named else default_folder(),
            private=not named,
            enabled=environ.get("ZEMOSAIC_ASTAP_DISABLE_IPC_LOCK", "") not in ("1", "true", "yes"),
            rate_s=max(0.0, _number(environ.get("ZEMOSAIC_ASTAP_RATE_SEC"), 0.0)),
            burst=max(1, int(_number(environ.get("ZEMOSAIC_ASTAP_RATE_BURST"), 1.0))),
            report=report,
        )

    @contextmanager
    def __call__(self, image: str = "") -> Iterator[None]:
        """Hold a slot, and the image named; waits until both are free.

        Raises
        ------
        SlotsUnusable
            If the folder of the locks cannot be made, is somebody else's or refuses files.
        """
        if not self.enabled:
            yield
            return
        with ExitStack() as held:
            try:
                self._make_folder()
            except OSError as fault:
                raise SlotsUnusable(self.folder, fault.strerror or str(fault)) from fault
            if image:
                number = zlib.crc32(image.encode("utf-8", "surrogateescape")) % _IMAGE_LOCKS
                held.callback(self._first_free([f"image_{number}.lock"]).release)
            held.callback(self._first_free([f"slot_{n}.lock" for n in range(self.instances)]).release)
            self._keep_the_rate()
            yield

    def _make_folder(self) -> None:
        """Make the folder; one of a user alone may not be a link or another user's, who could let files be written."""
        self.folder.mkdir(mode=0o700 if self.private else 0o777, parents=True, exist_ok=True)
        if not self.private or not hasattr(os, "getuid"):
            return
        found = self.folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "it is a link or belongs to another user", str(self.folder))
        if found.st_mode & 0o022:
            self.folder.chmod(0o700)

    def _first_free(self, names: Sequence[str]) -> FileLock:
        """Return the first of some locks that is free, held; waits for it."""
        reported_at = time.monotonic()
        while True:
            for name in names:
                lock = FileLock(self.folder / name)
                try:
                    lock.acquire(timeout=0)
                except Timeout:
                    continue  # taken: try the next one
                except OSError as fault:
                    raise SlotsUnusable(self.folder, fault.strerror or str(fault)) from fault
                return lock
            if time.monotonic() - reported_at > _REPORT_EACH_S:
                self.report(message("log.astap_waiting", instances=self.instances, folder=str(self.folder)))
                reported_at = time.monotonic()
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
                    self._note_calls([*begun, now])
                    return
            time.sleep(max(_POLL_S, min(begun) + self.rate_s - now))

    def _note_calls(self, begun: Sequence[float]) -> None:
        """Write when calls began into a new file, which takes the place of a link that somebody may have put there."""
        try:
            write_atomic(self.folder / "rate.json", json.dumps(begun).encode("ascii"))
        except OSError as fault:
            raise SlotsUnusable(self.folder, fault.strerror or str(fault)) from fault


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
        noted = json_value(path.read_text())
    except (OSError, ValueError):
        return []
    return [float(t) for t in noted if isinstance(t, int | float)] if isinstance(noted, list) else []
