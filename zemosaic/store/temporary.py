"""Folders of the moment in the system's temporary folder; those of killed processes are removed by later ones."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["sweep_temporary_folders", "temporary_folder"]

MIN_AGE_S = 86_400.0
"""Younger folders stay: their process may run in a container whose process numbers mean nothing here."""
_NAME = re.compile(r"zemosaic_(?:astap|pixel|compiled)_(\d+)_\w+")


@contextlib.contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """Make a private folder that goes when the block ends.

    Parameters
    ----------
    purpose : {"astap", "pixel"}
        Part of its name.

    Raises
    ------
    OSError
        When it cannot be made.
    """
    prefix = f"zemosaic_{purpose}_{os.getpid()}_"
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def sweep_temporary_folders() -> None:
    """Remove this user's folders whose processes have gone without removing them."""
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).iterdir():
            name = _NAME.fullmatch(folder.name)
            if name is not None and _is_left_over(folder, int(name[1])):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left_over(folder: Path, process: int) -> bool:
    import psutil

    try:
        status = folder.lstat()
    except OSError:
        return False
    foreign = hasattr(os, "getuid") and status.st_uid != os.getuid()
    young = time.time() - status.st_mtime < MIN_AGE_S
    return not foreign and not young and not folder.is_symlink() and not psutil.pid_exists(process)
