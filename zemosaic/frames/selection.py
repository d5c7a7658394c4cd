"""The table of frames that a user keeps or leaves out: a CSV file with the columns ``path`` and ``keep``."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from zemosaic.errors import InputError

__all__ = ["left_out", "same_file", "write_selection"]

_NO = ("0", "false", "no", "non", "faux")
"""What a column ``keep`` says of a frame that is left out."""


def same_file(path: str, folder: Path | None = None) -> str:
    """Return a path in the one spelling in which equal files compare equal.

    Parameters
    ----------
    path : str
    folder : Path, optional
        What a relative path starts from; the current folder by default.
    """
    return os.path.normcase(os.path.abspath(path if folder is None else folder / path))  # noqa: PTH100 - follows no link


def left_out(table: Path, folder: Path) -> frozenset[str]:
    """Return the frames that a table leaves out, spelled as by `same_file`.

    Parameters
    ----------
    table : Path
        CSV, separated by commas or semicolons, with a heading.  Frames it does not name are kept; other
        columns do not matter.
    folder : Path
        What relative paths start from.

    Raises
    ------
    InputError
        If the file cannot be read or lacks one of the two columns.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            heading = file.readline()
            delimiter = ";" if heading.count(";") > heading.count(",") else ","
            names = [name.strip().lower() for name in next(csv.reader([heading], delimiter=delimiter), [])]
            if "path" not in names or "keep" not in names:
                raise InputError("error.frame_table_columns", path=str(table))
            rows = list(csv.DictReader(file, fieldnames=names, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError("error.frame_table_unreadable", path=str(table), detail=str(fault)) from None
    unwanted = (row["path"] for row in rows if (row["keep"] or "").strip().lower() in _NO and row["path"])
    return frozenset(same_file(path, folder) for path in unwanted)


def write_selection(table: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table of frames; the first two columns are ``path`` and ``keep`` (1 or 0).

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        table.parent.mkdir(parents=True, exist_ok=True)
        fresh = table.with_name(table.name + ".new")
        with fresh.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["path", "keep", *names])
            writer.writerows(rows)
        fresh.replace(table)
    except OSError as fault:
        raise InputError("error.frame_table_not_written", path=str(table), detail=str(fault)) from None
