"""One pixel of the mosaic asked about: looked at in a process of its own, told once it is known."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path

from zemosaic.errors import Message, ZeMosaicError, message
from zemosaic.provenance.pixel_story import PixelStory, Place
from zemosaic.store.temporary import temporary_folder

__all__ = ["PixelPresenter"]

LOOK_S = 0.1
"""How often the thread looks whether the window was closed."""


@dataclass(frozen=True)
class _Asked:
    """A pixel that somebody wants to know about."""

    number: int
    mosaic: Path
    place: Place


class PixelPresenter:
    """Holds what is known of one pixel; no method takes long.

    The frames are read in a process of its own, begun with the first question and kept for the next: a large report
    takes a while to read, during which a thread would hold the window up.
    """

    def __init__(self) -> None:
        self.story: PixelStory | None = None
        self.problem: Message | None = None
        self.place: tuple[int, int] | None = None
        """Column and row of the pixel asked for, counted from 0, rows from the bottom; None where none is."""
        self._number = 0
        self._wanted: queue.SimpleQueue[_Asked | None] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[tuple[int, PixelStory | Message]] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def busy(self) -> bool:
        """Whether an answer is awaited."""
        return self.place is not None and self.story is None and self.problem is None

    def ask(self, mosaic: str, column: int, row: int) -> None:
        """Ask about a pixel of a mosaic's file; earlier questions are forgotten.

        Parameters
        ----------
        mosaic : str
            Path of the mosaic's file.
        column, row : int
            Of the file's pixels, counted from 0, rows from the bottom.
        """
        self._number += 1
        self.story, self.problem, self.place = None, None, (column, row)
        self._wanted.put(_Asked(self._number, Path(mosaic), Place(float(column), float(row))))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="pixel", daemon=True)
            self._thread.start()

    def forget(self) -> None:
        """Ask about nothing any more."""
        self._number += 1
        self.story, self.problem, self.place = None, None, None

    def pump(self) -> bool:
        """Take in what was found; return whether there is news."""
        news = False
        while not self._told.empty():
            number, answer = self._told.get()
            if number == self._number:
                self.story = answer if isinstance(answer, PixelStory) else None
                self.problem = answer if isinstance(answer, Message) else None
                news = True
        return news

    def close(self) -> None:
        """End the process."""
        self.forget()
        if self._thread is not None:
            self._closing.set()
            self._wanted.put(None)
            self._thread.join(10)
            self._thread = None

    def _work(self) -> None:
        # Here, in the thread: both load what the first window does not need.
        from zemosaic.compute.executors import make_executor
        from zemosaic.provenance.explain import explain_pixel

        executor: Executor | None = None
        with temporary_folder("pixel") as scratch:
            while (asked := self._latest()) is not None:
                executor = executor or make_executor(1, apart=True)
                future = executor.submit(explain_pixel, asked.mosaic, scratch, asked.place)
                while not self._closing.is_set() and not wait([future], timeout=LOOK_S).done:
                    pass
                if not future.done():
                    break
                self._told.put((asked.number, _answer(future)))
                if isinstance(future.exception(), BrokenExecutor):
                    _ended(executor)
                    executor = None
            if executor is not None:
                _ended(executor)

    def _latest(self) -> _Asked | None:
        """Wait for a question and return the last one."""
        asked = self._wanted.get()
        while not self._wanted.empty():
            asked = self._wanted.get()
        return asked


def _answer(future: Future[PixelStory]) -> PixelStory | Message:
    fault = future.exception()
    if fault is None:
        return future.result()
    if isinstance(fault, ZeMosaicError):
        return fault.message
    return message("error.pixel_failed", detail=f"{type(fault).__name__}: {fault}")


def _ended(executor: Executor) -> None:
    """End a process, in the middle of its work if need be: `shutdown` alone would wait for that."""
    for process in list((getattr(executor, "_processes", None) or {}).values()):
        process.kill()
    executor.shutdown(wait=True, cancel_futures=True)
