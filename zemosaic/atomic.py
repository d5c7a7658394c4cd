"""The one way to write a file whole: it is there as it was before or as it shall be, whenever the process ends.

It stands below all rooms, since settings, frames, catalogues, the store, exports and windows all write files.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import re
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

__all__ = ["atomic_file", "sync_file", "write_atomic"]

SUFFIX = ".zemosaic-part"
"""End of the names of files that are being written."""
HELD_BY_OTHERS = os.name == "nt"
"""Whether a file that another program reads (a viewer, an antivirus) cannot be replaced for that time."""
MAX_REPLACE_S = 3.0
"""How long such a file is waited for."""
FIRST_WAIT_S = 0.02
MAX_WAIT_S = 0.32

_numbers = itertools.count()
_lock = threading.Lock()
_tidied: set[Path] = set()
"""Folders in which this process has looked for leftovers."""


@contextlib.contextmanager
def atomic_file(path: Path, *, durable: bool = True) -> Iterator[BinaryIO]:
    """Open a new file beside `path` that takes its place when the block ends without an error.

    Parameters
    ----------
    path : Path
        Where the finished file shall stand; its folder must exist.  When the block fails it is as it was before.
    durable : bool
        Whether the file shall outlive a power failure; working copies, which can be made again, need not.

    Raises
    ------
    OSError
        If the file cannot be written or replaced.
    """
    _remove_leftovers(path.parent)
    part = _new_part(path.parent)
    try:
        with part.open("wb") as stream:
            yield stream
            stream.flush()
            if durable:
                os.fsync(stream.fileno())
        _replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    if durable:
        _sync_folder(path.parent)


def write_atomic(path: Path, data: bytes) -> None:
    """Write a small file whole.

    Parameters
    ----------
    path : Path
        See `atomic_file`.
    data : bytes

    Raises
    ------
    OSError
        If the file cannot be written or replaced.
    """
    with atomic_file(path) as stream:
        stream.write(data)


def sync_file(path: Path) -> None:
    """Have the system put a file that another writer made, and its name, on the disk; raises OSError."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())
    _sync_folder(path.parent)


def _new_part(folder: Path) -> Path:
    """Return the path of a new, empty file that no other process writes."""
    while True:
        part = folder / f".{_machine()}-{os.getpid()}-{next(_numbers)}{SUFFIX}"
        try:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue  # another machine with that name; the next number is free
        return part


def _replace(part: Path, path: Path) -> None:
    """Put a finished file in its place; where another program holds the present one, try again for a while."""
    until, wait = time.monotonic() + MAX_REPLACE_S, FIRST_WAIT_S
    while True:
        try:
            part.replace(path)
            return
        except PermissionError:
            if not HELD_BY_OTHERS or path.is_dir() or time.monotonic() >= until:
                raise
        time.sleep(wait)
        wait = min(2.0 * wait, MAX_WAIT_S)


def _sync_folder(folder: Path) -> None:
    """Make a folder's new names outlive a power failure, where the system has that."""
    if os.name == "nt":
        return  # NTFS keeps a log of its names, and a folder cannot be opened
    with contextlib.suppress(OSError):  # some network drives refuse; the file itself is safe
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes of this machine left unfinished in a folder; done once by each process."""
    with _lock:
        if folder in _tidied:
            return
        _tidied.add(folder)
        pattern = re.compile(rf"\.{re.escape(_machine())}-(\d+)-\d+{re.escape(SUFFIX)}")
        with contextlib.suppress(OSError):  # writing will say what is wrong with the folder
            for path in folder.iterdir():
                unfinished = pattern.fullmatch(path.name)
                if unfinished and not _is_running(int(unfinished[1])):
                    path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    """Whether another process has this number; what has that of this process was left by an earlier one."""
    import psutil

    return process != os.getpid() and psutil.pid_exists(process)


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return this machine's name as a part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]", "_", platform.node())[:40] or "machine"
