"""The table of frames that a user keeps, leaves out or groups: a CSV file as a stack plan has it."""

from __future__ import annotations

import csv
import io
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zemosaic.atomic import write_atomic
from zemosaic.errors import InputError

__all__ = ["GROUP_COLUMN", "PATH_COLUMNS", "Selection", "group_name", "read_selection", "same_file", "write_selection"]

PATH_COLUMNS = ("path", "file_path", "filepath", "file", "filename", "fits", "raw")
_KEEP_COLUMNS = ("keep", "use", "pick")
GROUP_COLUMN = "group"
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


def group_name(text: str) -> str:
    """Return a group's name in the one spelling in which equal names compare equal: of one line, no space around."""
    plain = "".join(" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text)
    return unicodedata.normalize("NFC", " ".join(plain.split()))


@dataclass(frozen=True)
class Selection:
    """What a table says of frames; paths are spelled as by `same_file`."""

    unwanted: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    """The frames of a stack plan, which names those to use and no others; None where frames not named are kept."""
    groups: Mapping[str, str] | None = None
    """Names of the groups put together by hand, by frame; None where the table says nothing of groups."""

    def leaves_out(self, path: str) -> bool:
        """Return whether a frame is left out."""
        spelled = same_file(path)
        return spelled in self.unwanted or (self.only is not None and spelled not in self.only)

    def group_of(self, path: str) -> str:
        """Return the name of a frame's group; empty where the program groups it."""
        return (self.groups or {}).get(same_file(path), "")


def read_selection(table: Path, folder: Path) -> Selection:
    """Return what a table of frames leaves out and groups.

    Parameters
    ----------
    table : Path
        CSV, separated by commas, semicolons, bars or tabs, with a heading.  One column names the file (`path`,
        `file_path` and others of a ``stack_plan.csv``).  Where there is a column `keep` (or `use`, `pick`), it says
        yes or no, and frames that the table does not name are kept; without one the frames named are the ones to use.
        A column `group` names the group of a frame; it is empty where the program is to group it.
    folder : Path
        What relative paths start from where nothing lies beside the table.

    Raises
    ------
    InputError
        If the file cannot be read, no column names files, or a frame is in two groups.
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
    placed = [_placed(row[path], table, folder) for row in named]
    groups = None
    if GROUP_COLUMN in names:
        groups = _groups(table, placed, [group_name(row[GROUP_COLUMN] or "") for row in named])
    if said is None:
        return Selection(only=frozenset(placed), groups=groups)
    unwanted = (file for file, row in zip(placed, named, strict=True) if (row[said] or "").strip().lower() in _NO)
    return Selection(unwanted=frozenset(unwanted), groups=groups)


def _groups(table: Path, files: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Return the name of each file's group, without those that have none."""
    groups: dict[str, str] = {}
    for file, name in zip(files, names, strict=True):
        if name and groups.setdefault(file, name) != name:
            raise InputError("error.frame_in_two_groups", path=str(table), file=file, one=groups[file], other=name)
    return groups


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
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
        write_atomic(table, text.getvalue().encode("utf-8"))
    except OSError as fault:
        raise InputError("error.frame_table_not_written", path=str(table), detail=str(fault)) from None


def _placed(path: str, table: Path, folder: Path) -> str:
    """Return the one spelling of a path that may start beside the table or from the folder of frames."""
    beside = table.parent / path
    return same_file(str(beside) if beside.exists() else path, folder)
