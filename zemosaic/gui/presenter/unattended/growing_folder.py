"""A folder to which a telescope is still adding frames: which files are complete, and since when all is quiet."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from zemosaic.errors import ZeMosaicError

__all__ = ["FolderLooker", "GrowingFolder", "Look", "Stamp", "stamps_of"]

SETTLED_S = 8.0
"""A file is complete when neither its size nor its time has changed for so long."""
LOOK_S = 2.0
"""Between two looks at the folder."""
SHARE = 20.0
"""A folder that takes long to list, as on a slow network, is listed for at most one part in so many of the time."""

Stamp = tuple[int, int]
"""Size in bytes and time of the last change in nanoseconds."""


@dataclass(frozen=True)
class Look:
    """What a folder held at a time."""

    settled: frozenset[str] = frozenset()
    """Paths of the files that are complete."""
    unfinished: frozenset[str] = frozenset()
    """Paths of the files that are still being written."""
    quiet_s: float = 0.0
    """Seconds since anything changed; 0 while the folder cannot be read."""


class GrowingFolder:
    """Learns from one look to the next which files of a folder still change."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Stamp, float]] = {}
        """The stamp of each file and since when it is that."""
        self._changed_s: float | None = None

    def seen(self, stamps: Mapping[str, Stamp] | None, at_s: float) -> Look:
        """Return what a look tells.

        Parameters
        ----------
        stamps : mapping of str to Stamp, or None
            By path; None where the folder could not be read, as when the telescope's share has gone for a while.
        at_s : float
            When it was looked at, seconds of a monotonic clock.

        Returns
        -------
        Look
        """
        if self._changed_s is None or stamps is None:
            self._changed_s = at_s
        if stamps is None:
            return Look(frozenset(path for path, _ in self._settled(at_s)))
        before = {path: stamp for path, (stamp, _) in self._known.items()}
        if before != stamps:
            self._changed_s = at_s
            self._known = {
                path: self._known[path] if before.get(path) == stamp else (stamp, at_s)
                for path, stamp in stamps.items()
            }
        settled = frozenset(path for path, _ in self._settled(at_s))
        return Look(settled, frozenset(stamps) - settled, at_s - self._changed_s)

    def _settled(self, at_s: float) -> list[tuple[str, Stamp]]:
        return [(path, stamp) for path, (stamp, since_s) in self._known.items() if at_s - since_s >= SETTLED_S]


def stamps_of(folder: Path, exclude: Path) -> dict[str, Stamp] | None:
    """Return the stamps of the FITS files below a folder; None where it cannot be read.

    Parameters
    ----------
    folder : Path
    exclude : Path
        A folder to pass over, the one of the mosaic.
    """
    # Here, because it loads the numerical libraries, which the first window does not need.
    from zemosaic.frames.frame_files import fits_files

    stamps: dict[str, Stamp] = {}
    try:
        for path in fits_files(folder, [exclude]):
            try:
                status = path.stat()
            except OSError:
                continue  # renamed or removed since it was listed
            stamps[str(path)] = status.st_size, status.st_mtime_ns
    except (ZeMosaicError, OSError):
        return None
    return stamps


class FolderLooker:
    """Looks at a folder again and again, in a thread, since a network may take its time.

    Parameters
    ----------
    stamps : callable
        Returns the stamps of the files, as `stamps_of`.
    """

    def __init__(self, stamps: Callable[[], Mapping[str, Stamp] | None]) -> None:
        self._stamps, self._growing = stamps, GrowingFolder()
        self._latest: Look | None = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self._thread.start()

    def look(self) -> Look | None:
        """Return the latest look; None before the first one."""
        return self._latest

    def close(self) -> None:
        """Look no more."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            stamps = self._stamps()
            ended = time.monotonic()
            self._latest = self._growing.seen(stamps, ended)
            self._over.wait(max(LOOK_S, SHARE * (ended - began)))
