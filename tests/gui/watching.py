"""A watch on the window's thread: how long it works before it looks at the user again."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from waiting import wait_until

if TYPE_CHECKING:
    import tkinter as tk

LONGEST_TURN_S = 0.1
"""CPU seconds that the window's thread may take before it looks at the user again, on the machine of the benchmarks."""
PIECE_OF_WORK_S = 0.0014
"""CPU seconds that `piece_of_work` takes there, when nothing else runs."""


MOST_EVENTS = 1000
DONT_WAIT = 2
"""Of Tcl (tcl.h)."""


def one_event(root: tk.Tk) -> Callable[[], object]:
    """Return what lets a Tk window do one thing that waits."""
    return lambda: root.tk.dooneevent(DONT_WAIT)


def piece_of_work() -> float:
    """Return the CPU seconds of a fixed piece of Python's work."""
    began = time.thread_time()
    sorted(str(number * number) for number in range(15_000))
    return time.thread_time() - began


def longest_turn_s() -> float:
    """Return `LONGEST_TURN_S` for the speed of this machine at this moment; never less than that."""
    now = statistics.median(piece_of_work() for _ in range(25))
    return LONGEST_TURN_S * max(1.0, now / PIECE_OF_WORK_S)


class Watch:
    """Lets a window work and keeps the CPU time of each turn of its thread.

    Parameters
    ----------
    work : callable
        Lets the window do one thing that waits and says whether there was any, or all that waits and says nothing.
        Between two things a window looks at the user.
    counts : callable
        Whether a turn counts that begins or ends now.
    """

    def __init__(self, work: Callable[[], object], counts: Callable[[], bool] = lambda: True) -> None:
        self._work, self._counts = work, counts
        self.turns: list[float] = []

    def turn(self, act: Callable[[], object] = lambda: None) -> None:
        """Do something, and let the window do what follows from it."""
        self._timed(act)
        for _ in range(MOST_EVENTS):
            if not self._timed(self._work):
                break

    def _timed(self, act: Callable[[], object]) -> object:
        counted, began = self._counts(), time.thread_time()
        done = act()
        if counted and self._counts():
            self.turns.append(time.thread_time() - began)
        return done

    def until(self, condition: Callable[[], bool]) -> None:
        """Let the window work until a condition holds."""
        wait_until(condition, self.turn)
