"""Disks that are full, or cannot be written any more, from a moment drawn by seed until the run has ended.

A small file system in memory is mounted for it, which takes Linux and root.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.faults.runs import Survey, Tally, events_of, is_step, other_bytes, settings_of, why_failed
from zemosaic.errors import OutputError, ResourceError
from zemosaic.events import Event, RunFailed, RunFinished
from zemosaic.worker import Run

__all__ = ["Trouble", "can_mount", "full_disk", "full_disks", "mounted", "read_only_disk"]

SIZE_MB = 400
FILLER = "filler"
MAX_FREE_BYTES = 40_000
"""A disk that is filled keeps so much at most, so that writing fails at different places."""
Trouble = Callable[[Path, random.Random], Callable[[], None]]
"""Makes a disk unusable; returns what undoes it."""


def can_mount(folder: Path) -> bool:
    """Whether this process may mount file systems."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        return False
    try:
        with mounted(folder / "probe"):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Path]:
    """Mount a small file system in memory at a new folder.

    Raises
    ------
    OSError, subprocess.CalledProcessError
        When that is not allowed.
    """
    folder.mkdir()
    try:
        _call("mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "zemosaic-faults", str(folder))
        try:
            yield folder
        finally:
            _call("umount", str(folder))
    finally:
        folder.rmdir()


def full_disk(disk: Path, rng: random.Random) -> Callable[[], None]:
    """Fill a disk; returns what makes room again."""
    filler = disk / FILLER
    with filler.open("wb") as stream, contextlib.suppress(OSError):
        usage = os.statvfs(disk)
        size = max(usage.f_bavail * usage.f_frsize - rng.randrange(MAX_FREE_BYTES), 1)
        os.posix_fallocate(stream.fileno(), 0, size)
    return filler.unlink


def read_only_disk(disk: Path, rng: random.Random) -> Callable[[], None]:
    """Make a disk read-only, as the system does after errors; returns what makes it writable.

    A disk with files open for writing refuses that; it is filled then.
    """
    try:
        _call("mount", "-o", "remount,ro", str(disk))
    except subprocess.CalledProcessError:
        return full_disk(disk, rng)
    return lambda: _call("mount", "-o", "remount,rw", str(disk))


def full_disks(survey: Survey, folder: Path, seed: int, count: int, trouble: Trouble) -> Tally:
    """Make the disk of the output, or of the work folder alone, unusable at `count` moments, and start again after.

    Parameters
    ----------
    survey : Survey
    folder : Path
    seed, count : int
    trouble : callable
        `full_disk` or `read_only_disk`.

    Returns
    -------
    Tally
    """
    rng = random.Random(f"{seed} {trouble.__name__}")
    tally = Tally(trouble.__name__)
    while tally.faults < count:
        with mounted(folder / f"disk_{tally.faults}") as disk:
            apart = tally.faults % 3 == 2
            output = folder / f"output_{tally.faults}" if apart else disk / "output"
            changes = {"work_dir": str(disk / "work")} if apart else {}
            settings = settings_of(survey.frames, output, 1, **changes)
            moment = rng.randint(2, survey.steps - 2)
            where = f"seed {seed}, step {moment}, {'work' if apart else 'output'} folder"
            undo: list[Callable[[], None]] = []

            def act(run: Run, seen: list[Event], moment: int = moment, disk: Path = disk, undo: list = undo) -> None:
                if not undo and sum(map(is_step, seen)) >= moment:
                    undo.append(trouble(disk, rng))

            last = events_of(settings, act)[-1]
            for make_good in undo:
                make_good()
            tally.faults += bool(undo)
            _judge_trouble(tally, where, last, output)
            events = events_of(settings)
            tally.runs += 2
            if not isinstance(events[-1], RunFinished):
                tally.failed(where, f"again: {why_failed(events[-1])}")
            elif why := other_bytes(survey, output, events):
                tally.failed(where, why)
            if apart:
                shutil.rmtree(output)
    return tally


def _judge_trouble(tally: Tally, where: str, last: Event, output: Path) -> None:
    """Say what is wrong with how a run on an unusable disk ended."""
    if isinstance(last, RunFinished):
        return
    known = isinstance(last, RunFailed) and last.exit_code in (ResourceError.exit_code, OutputError.exit_code)
    if not known:
        tally.failed(where, why_failed(last))
    for left in output.glob("*.zemosaic-part"):
        tally.failed(where, f"{left.name} is half a file")


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
