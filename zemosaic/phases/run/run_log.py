"""The log file of a run."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
from logging.handlers import MemoryHandler
from pathlib import Path

__all__ = ["RunLog"]

MAX_WAITING_LINES = 1000
"""Lines of the log that wait for the output folder."""


class RunLog:
    """The log file of a run, opened once the folder is the run's own; until then lines wait."""

    def __init__(self, log: logging.Logger, file: Path, level: str) -> None:
        self.path = ""
        """Where the log lies; empty as long as there is none."""
        self._log, self._file = log, file
        self._waiting = MemoryHandler(MAX_WAITING_LINES, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
        log.addHandler(self._waiting)
        log.setLevel(level)
        log.propagate = False

    def open(self) -> None:
        """Write what waits, and everything from here on, to the file; of a crash too."""
        handler = logging.FileHandler(self._file, mode="w", encoding="utf-8", errors="backslashreplace")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s"))
        self._log.addHandler(handler)
        self._log.removeHandler(self._waiting)
        self._waiting.setTarget(handler)
        self._waiting.flush()
        assert handler.stream is not None
        faulthandler.enable(handler.stream)
        self.path = str(self._file)

    def remove(self) -> None:
        """Close the file and remove it."""
        faulthandler.disable()
        for handler in [handler for handler in self._log.handlers if isinstance(handler, logging.FileHandler)]:
            self._log.removeHandler(handler)
            handler.close()
        if self.path:
            with contextlib.suppress(OSError):
                self._file.unlink()
        self.path = ""
