"""Pictures read off the window's thread, whatever holds their pixels."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Loaded", "PictureLoader"]

Pixels = TypeVar("Pixels")


@dataclass(frozen=True)
class Loaded(Generic[Pixels]):
    """A picture that was read."""

    path: str
    pixels: Pixels


class PictureLoader(Generic[Pixels]):
    """Reads pictures in threads; `take` hands over the latest finished one.

    Parameters
    ----------
    read : callable
        Returns the pixels of a file; None where it cannot be read.
    """

    def __init__(self, read: Callable[[str], Pixels | None]) -> None:
        self._read = read
        self._finished: queue.SimpleQueue[tuple[int, Loaded[Pixels]]] = queue.SimpleQueue()
        self._asked = 0

    def load(self, path: str) -> None:
        """Begin to read a picture; earlier requests are forgotten."""
        self._asked += 1
        threading.Thread(target=self._work, args=(self._asked, path), name="picture", daemon=True).start()

    def forget(self) -> None:
        """Hand over nothing that was asked for so far."""
        self._asked += 1

    def take(self) -> Loaded[Pixels] | None:
        """Return the picture asked for last, once, when it is there."""
        while not self._finished.empty():
            number, loaded = self._finished.get()
            if number == self._asked:
                return loaded
        return None

    def _work(self, number: int, path: str) -> None:
        pixels = self._read(path)
        if pixels is not None:  # else a preview that is just being replaced; the next event names the new one
            self._finished.put((number, Loaded(path, pixels)))
