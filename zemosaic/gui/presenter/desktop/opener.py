"""Files and folders opened with other programs, off the thread that draws the window."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from zemosaic.gui.presenter.desktop.system_desktop import open_path

__all__ = ["Opener"]


class Opener:
    """Opens paths in threads; `failures` hands over those that could not be opened."""

    def __init__(self) -> None:
        self._not_opened: queue.SimpleQueue[Path] = queue.SimpleQueue()

    def open(self, path: Path, act: Callable[[Path], bool] | None = None) -> None:
        """Open a path with the desktop's program, unless an action that returns its success is given.

        Parameters
        ----------
        path : Path
            The file or folder.
        act : callable, optional
            Takes the path instead of the desktop's program, for example to start a chosen program with it.  It runs in
            the thread and returns whether it succeeded.
        """

        def work() -> None:
            if not (act or open_path)(path):
                self._not_opened.put(path)

        threading.Thread(target=work, name="opener", daemon=True).start()

    def failures(self) -> Iterator[Path]:
        """Yield each path that could not be opened, once."""
        while not self._not_opened.empty():
            yield self._not_opened.get()
