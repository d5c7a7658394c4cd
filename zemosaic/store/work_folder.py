"""The folder in which a run keeps its work: where it lies, and what may be removed there.

Only what this program makes by name is ever removed, and never anything behind a link.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from zemosaic.errors import OutputError, write_refused
from zemosaic.store.temporary import sweep_temporary_folders

__all__ = ["JOURNAL_NAME", "LOCK_NAME", "WORK_NAME", "empty_work", "open_work", "sweep_scratch", "work_folder"]

WORK_NAME = ".zemosaic_work"
JOURNAL_NAME = "journal.sqlite"
LOCK_NAME = "lock"
SCRATCH_NAME = "scratch"
_MADE = (f"{JOURNAL_NAME}*", SCRATCH_NAME, "canvas_*.zarr", "night_*", LOCK_NAME)
"""Patterns of the names that the program makes in a work folder."""
_LEFT_OVER = ("*.npy", "*.part", "cube_*.f4", "growing_*.png")
"""What a killed run leaves among its scratch files: decoded frames, half of one, sums, pictures."""
_SCRATCH_FILES = (*_LEFT_OVER, "*.npz", "*.png")
_SCRATCH_FOLDERS = ("coadd*", "masters_*")


def work_folder(output_dir: Path, work_dir: str) -> Path:
    """Return the work folder of runs into an output folder.

    Parameters
    ----------
    output_dir : Path
    work_dir : str
        The setting: a folder on another disk, in which each output folder gets a work folder of its own; empty for the
        output folder itself.
    """
    if not work_dir:
        return output_dir / WORK_NAME
    place = os.fsencode(output_dir.resolve())
    return Path(work_dir) / f"zemosaic_work_{hashlib.sha256(place).hexdigest()[:12]}"


def open_work(work: Path) -> None:
    """Make a work folder if need be, and take away links that lie there in the place of what a run makes.

    Raises
    ------
    OutputError
        When the folder cannot be made, or is a link: what is behind it may be somebody's.
    """
    if _is_link(work):
        raise OutputError("error.work_is_link", folder=str(work), target=os.path.realpath(work))
    try:
        work.mkdir(parents=True, exist_ok=True)
        for path in work.iterdir():
            if _is_made(path.name) and _is_link(path):
                _unlink(path)
    except OSError as failure:
        raise write_refused(failure, str(work)) from failure


def sweep_scratch(work: Path) -> None:
    """Remove what killed runs left: scratch files, decoded frames that a crash spoilt, and temporary folders.

    A folder in the place of a scratch file and a file in that of a folder go as well: a damaged disk or a program that
    mends it leaves such, and neither can be written over.
    """
    scratch = work / SCRATCH_NAME
    with contextlib.suppress(OSError):  # writing will say what is wrong with the folder
        if scratch.is_file():
            scratch.unlink()
        for path in scratch.iterdir() if scratch.is_dir() else ():
            if path.is_dir() and not _is_link(path):
                if _is_named(path.name, _SCRATCH_FILES):
                    shutil.rmtree(path, ignore_errors=True)
            elif _is_named(path.name, _LEFT_OVER + _SCRATCH_FOLDERS):
                _unlink(path)
    sweep_temporary_folders()


def empty_work(work: Path, *, lock_too: bool = False) -> None:
    """Remove what the program made in a work folder that this process has locked.

    Parameters
    ----------
    work : Path
    lock_too : bool
        Whether the file of the lock goes as well.
    """
    for path in work.iterdir():
        if not _is_made(path.name) or (path.name == LOCK_NAME and not lock_too):
            continue
        if _is_link(path):
            _unlink(path)
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # on Windows the lock itself removes its file
                path.unlink()


def _is_made(name: str) -> bool:
    return _is_named(name, _MADE)


def _is_named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _is_link(path: Path) -> bool:
    """Whether a path is a symbolic link, or a junction of Windows."""
    try:
        status = os.lstat(path)
    except OSError:
        return False
    junction = getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    return stat.S_ISLNK(status.st_mode) or (junction is not None and getattr(status, "st_reparse_tag", 0) == junction)


def _unlink(link: Path) -> None:
    """Remove a link itself; Windows removes those of folders as folders."""
    try:
        link.unlink()
    except OSError:
        with contextlib.suppress(OSError):
            link.rmdir()
