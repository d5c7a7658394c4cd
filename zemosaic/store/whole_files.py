"""Files that appear whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from zemosaic.atomic import atomic_file
from zemosaic.errors import ResourceError, write_refused

__all__ = ["check_free_disk", "replacing", "write_whole"]

SPARE_BYTES = 16 << 20


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a new file beside `path` that takes its place when the block ends without an error.

    Parameters
    ----------
    path : Path
        Where the finished file shall stand; its folder must exist.

    Raises
    ------
    OutputError
        The file cannot be written (rights, a folder of that name); `path` is as it was before.
    ResourceError
        The disk is full; the same holds.
    """
    try:
        with atomic_file(path) as out:
            yield out
    except OSError as failure:
        raise write_refused(failure, str(path.parent), str(path)) from failure


def write_whole(path: Path, content: bytes) -> None:
    """Write a small file in one piece; raises what `replacing` raises.

    Parameters
    ----------
    path : Path
    content : bytes
    """
    with replacing(path) as out:
        out.write(content)


def check_free_disk(path: Path, needed_bytes: int) -> None:
    """Raise ResourceError when the disk that holds `path` has not `needed_bytes` left.

    Parameters
    ----------
    path : Path
        Of the file that shall be written.
    needed_bytes : int
        Its size; some room beyond it must be left.
    """
    try:
        free = shutil.disk_usage(path.parent).free
    except OSError as failure:
        raise write_refused(failure, str(path.parent), str(path)) from failure
    if free < needed_bytes + SPARE_BYTES:
        raise ResourceError(
            "error.disk_full_for_file",
            path=str(path),
            needed_mb=round((needed_bytes + SPARE_BYTES) / 1e6),
            free_mb=round(free / 1e6),
        )
