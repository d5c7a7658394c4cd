"""Whether folders are the same or lie in each other, as the disk sees it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_same_folder", "is_within"]


def is_same_folder(first: Path, second: Path) -> bool:
    """Return whether two paths lead to the same folder.

    Paths that differ in upper and lower case alone do on many disks of macOS and Windows, so that existing
    folders are compared by what the system says of them.

    Parameters
    ----------
    first, second : Path
        They need not exist.
    """
    if first.resolve() == second.resolve():
        return True
    return first.exists() and second.exists() and first.samefile(second)


def is_within(path: Path, folder: Path) -> bool:
    """Return whether a path is a folder or lies anywhere below it.

    Parameters
    ----------
    path, folder : Path
        They need not exist.
    """
    whole = path.resolve()
    return any(is_same_folder(place, folder) for place in (whole, *whole.parents))
