"""The frames of the demo, made in the background of a window."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from pathlib import Path

from zemosaic.errors import Message, ZeMosaicError
from zemosaic.gui.presenter.run.runs import DemoMaker

__all__ = ["DemoFrames", "DemoProgress"]

_END_WAIT_S = 10.0


@dataclass(frozen=True)
class DemoProgress:
    """How far the demo frames are."""

    done: int
    total: int
    folder: Path | None = None
    """Folder of the raw frames once they are finished."""
    error: Message | None = None


class _CancelledError(Exception):
    """The user does not want the demo any more."""


class DemoFrames:
    """Makes the frames of the demo; no method but `close` blocks."""

    def __init__(self, make_demo: DemoMaker) -> None:
        self.folder = Path()
        """Where the demo is made; its mosaic goes there too."""
        self._make_demo = make_demo
        self._news: queue.SimpleQueue[DemoProgress] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()

    @property
    def under_way(self) -> bool:
        """Whether frames are being made."""
        return self._thread is not None

    def start(self, folder: Path) -> None:
        """Begin to make the frames below a folder, unless some are being made."""
        if self.under_way:
            return
        self.folder = folder
        self._cancelled.clear()
        self._thread = threading.Thread(target=self._make, args=(folder,), name="demo", daemon=True)
        self._thread.start()

    def cancel(self) -> None:
        """Give the demo up after the frame that is being made."""
        self._cancelled.set()

    def pump(self) -> DemoProgress | None:
        """Return the latest news; None where there are none."""
        latest: DemoProgress | None = None
        while not self._news.empty():
            latest = self._news.get()
        is_over = latest is not None and (latest.folder is not None or latest.error is not None)
        if is_over or (self._thread is not None and not self._thread.is_alive() and self._news.empty()):
            self._thread = None
        return None if self._cancelled.is_set() else latest

    def close(self) -> None:
        """Give the demo up and wait for its thread."""
        self.cancel()
        if self._thread is not None:
            self._thread.join(_END_WAIT_S)

    def _make(self, folder: Path) -> None:
        try:
            raw = self._make_demo(folder, self._told)
            self._news.put(DemoProgress(1, 1, raw))
        except _CancelledError:
            return
        except ZeMosaicError as fault:
            self._news.put(DemoProgress(0, 1, error=fault.message))
        except OSError as fault:
            problem = Message("error.demo_failed", {"path": str(folder), "detail": str(fault)})
            self._news.put(DemoProgress(0, 1, error=problem))

    def _told(self, done: int, total: int) -> None:
        if self._cancelled.is_set():
            raise _CancelledError
        self._news.put(DemoProgress(done, total))
