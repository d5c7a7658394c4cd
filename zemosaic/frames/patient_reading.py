"""Files that cannot be read for a moment are waited for: network folders that hang, cloud folders that fetch a file.

A file that the system cannot read at all, or that is not there, is no such case and is told at once.
"""

from __future__ import annotations

import errno
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["WAITS_S", "is_momentary", "patiently", "regular_file"]

R = TypeVar("R")

WAITS_S = (0.3, 1.0, 3.0)
"""How long is waited before each further try."""
_MOMENTARY = {
    number
    for name in (
        "EAGAIN",
        "EBUSY",
        "ECONNABORTED",
        "ECONNRESET",
        "EDEADLK",  # macOS: a file that lies in the cloud only
        "EHOSTDOWN",
        "EHOSTUNREACH",
        "EIO",
        "ENETDOWN",
        "ENETUNREACH",
        "ENOTCONN",
        "ESTALE",
        "ETIMEDOUT",
    )
    if (number := getattr(errno, name, None)) is not None
}
_MOMENTARY_WINDOWS = {53, 54, 59, 64, 121, 362, 426}
"""Network path not found, busy, failed, name deleted, timed out; cloud provider not running, cloud timed out."""


def patiently(read: Callable[[], R]) -> R:
    """Return what `read` returns; where the system cannot read for now, try again after a while.

    Parameters
    ----------
    read : callable

    Raises
    ------
    OSError
        What the last try ended with, after `WAITS_S`; what cannot be helped by waiting, at once.
    """
    for wait_s in WAITS_S:
        try:
            return read()
        except OSError as problem:
            if not is_momentary(problem):
                raise
        time.sleep(wait_s)
    return read()


def is_momentary(problem: OSError) -> bool:
    """Whether another try may succeed where reading failed so."""
    return problem.errno in _MOMENTARY or getattr(problem, "winerror", None) in _MOMENTARY_WINDOWS


def regular_file(path: Path) -> io.FileIO:
    """Open a file for reading, unbuffered; a pipe that lies in its place does not block.

    Parameters
    ----------
    path : Path

    Raises
    ------
    OSError
        When it cannot be opened.
    """
    return io.FileIO(path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))
