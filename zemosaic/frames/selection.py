"""The table of frames that a user keeps or leaves out: a CSV file as a stack plan has it."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zemosaic.errors import InputError

__all__ = ["PATH_COLUMNS", "Selection", "read_selection", "same_file", "write_selection"]

PATH_COLUMNS = ("path", "file_path", "filepath", "file", "filename", "fits", "raw")
_KEEP_COLUMNS = ("keep", "use", "pick")
_DELIMITERS = ",;|\t"
_NO = ("0", "false", "no", "n", "non", "faux", "reject")
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


@dataclass(frozen=True)
class Selection:
    """What a table says of frames; paths are spelled as by `same_file`."""

    unwanted: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    """The frames of a stack plan, which names those to use and no others; None where frames not named are kept."""

    def leaves_out(self, path: str) -> bool:
        """Return whether a frame is left out."""
        spelled = same_file(path)
        return spelled in self.unwanted or (self.only is not None and spelled not in self.only)


def read_selection(table: Path, folder: Path) -> Selection:
    """Return what a table of frames leaves out.

    Parameters
    ----------
    table : Path
        CSV, separated by commas, semicolons, bars or tabs, with a heading.  One column names the file (`path`,
        `file_path` and others of a ``stack_plan.csv``).  Where there is a column `keep` (or `use`, `pick`), it says
        yes or no, and frames that the table does not name are kept; without one the frames named are the ones to use.
    folder : Path
        What relative paths start from where nothing lies beside the table.

    Raises
    ------
    InputError
        If the file cannot be read or no column names files.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            heading = file.readline()
            delimiter = max(_DELIMITERS, key=heading.count)
            names = [name.strip().lower() for name in next(csv.reader([heading], delimiter=delimiter), [])]
            path = next((name for name in PATH_COLUMNS if name in names), None)
            if path is None:
                raise InputError("error.frame_table_columns", path=str(table))
            rows = list(csv.DictReader(file, fieldnames=names, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError("error.frame_table_unreadable", path=str(table), detail=str(fault)) from None
    said = next((name for name in _KEEP_COLUMNS if name in names), None)
    named = [row for row in rows if row[path]]
    if said is None:
        return Selection(only=frozenset(_placed(row[path], table, folder) for row in named))
    unwanted = [row for row in named if (row[said] or "").strip().lower() in _NO]
    return Selection(unwanted=frozenset(_placed(row[path], table, folder) for row in unwanted))


def write_selection(table: Path, names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table of frames that `read_selection` understands.

    Parameters
    ----------
    table : Path
    names : sequence of str
        The heading, with `file_path` and `keep` (1 or 0) among them.
    rows : iterable of sequences

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
            writer.writerow(names)
            writer.writerows(rows)
        fresh.replace(table)
    except OSError as fault:
        raise InputError("error.frame_table_not_written", path=str(table), detail=str(fault)) from None


def _placed(path: str, table: Path, folder: Path) -> str:
    """Return the one spelling of a path that may start beside the table or from the folder of frames."""
    beside = table.parent / path
    return same_file(str(beside) if beside.exists() else path, folder)
