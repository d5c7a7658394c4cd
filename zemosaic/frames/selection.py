"""The tables of frames that a user keeps, leaves out, picks or groups: CSV files as a stack plan has them.

One reader serves both settings that name such a table, `excluded_frames` and `quality_picks_file`, so that one table
says the same under either.
"""

from __future__ import annotations

import csv
import io
import math
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zemosaic.atomic import write_atomic
from zemosaic.errors import InputError
from zemosaic.text.plain_text import plain_cell, typed_cell

__all__ = [
    "GROUP_COLUMN",
    "LIMIT_COLUMN",
    "PATH_COLUMNS",
    "Limit",
    "Selection",
    "group_name",
    "limit_text",
    "read_selection",
    "same_file",
    "write_selection",
]

PATH_COLUMNS = ("path", "file_path", "filepath", "file", "filename", "fits", "raw")
_KEEP_COLUMNS = ("keep", "use", "pick")
GROUP_COLUMN = "group"
LIMIT_COLUMN = "beyond_limit"
"""Says by which limit of a metric a frame is left out, as `limit_text` writes it; empty where it is by hand."""
Limit = tuple[float | None, float | None]
"""Smallest and largest value that is kept; None where there is no such limit."""
_PLAN_COLUMNS = ("order", "seq", "sequence", "index", "batch_id", "batch", "session", "night", GROUP_COLUMN)
"""What tells a plan from any other table where no column says which frames are kept."""
_DELIMITERS = ",;|\t"
_YES = ("1", "true", "yes", "y", "oui", "vrai", "keep", "x")
_NO = ("0", "false", "no", "n", "non", "faux", "reject")
"""What the column says of a frame that is used whatever its verdict, and of one that is left out."""


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
    """What a table says of frames.

    Paths are spelled as by `same_file`; a frame that the table names without a folder, and that is neither beside the
    table nor in the folder of frames, stands there by its name alone.
    """

    wanted: frozenset[str] = frozenset()
    """Frames that the user wants whatever their verdict."""
    unwanted: frozenset[str] = frozenset()
    only: frozenset[str] | None = None
    """The frames of a stack plan, which names those to use and no others; None where frames not named are kept."""
    groups: Mapping[str, str] | None = None
    """Names of the groups put together by hand, by frame; None where the table says nothing of groups."""

    limits: Mapping[str, Limit] = field(default_factory=dict)
    """Limits of metrics that leave frames out, by the metric's column."""
    measured: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Values of those metrics by frame, as far as the table has them."""

    def of(self, path: str) -> bool | None:
        """Return what the user said of a frame: True (used), False (left out) or None (left to the program)."""
        names = _names_of(path)
        if not self.unwanted.isdisjoint(names) or (self.only is not None and self.only.isdisjoint(names)):
            return False
        return None if self.wanted.isdisjoint(names) else True

    def leaves_out(self, path: str) -> bool:
        """Return whether a frame is left out."""
        return self.of(path) is False

    def measured_of(self, metric: str, path: str) -> float:
        """Return a metric of a frame as the table has it; NaN where it does not.

        Parameters
        ----------
        metric : str
            One of those in `limits`.
        path : str
        """
        values = self.measured.get(metric, {})
        return next((values[name] for name in _names_of(path) if name in values), math.nan)

    def group_of(self, path: str) -> str:
        """Return the name of a frame's group; empty where the program groups it."""
        groups = self.groups or {}
        return next((groups[name] for name in _names_of(path) if name in groups), "")


def read_selection(table: Path, folder: Path) -> Selection:
    """Return what a table of frames leaves out and groups.

    Parameters
    ----------
    table : Path
        CSV, separated by commas, semicolons, bars or tabs, with a heading.  One column names the file (`path`,
        `file_path` and others of a ``stack_plan.csv``).  Where there is a column `keep` (or `use`, `pick`), it says
        yes or no, or nothing where the frame is left to the program, as frames are that the table does not name.
        Without such a column, a stack plan (a column such as `order`, `batch_id` or `group`), or a list of nothing but
        files, names the frames to use.  A column `group` names the group of a frame; it is empty where the program is
        to group it.  A column `beyond_limit` tells limits of metrics, whose values stand in columns of their own.
    folder : Path
        What relative paths start from where nothing lies beside the table.

    Raises
    ------
    InputError
        If the file cannot be read, lacks the columns, or puts a frame into two groups.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as lines:
            heading = lines.readline()
            delimiter = max(_DELIMITERS, key=heading.count)
            names = [name.strip().lower() for name in next(csv.reader([heading], delimiter=delimiter), [])]
            path = next((name for name in PATH_COLUMNS if name in names), None)
            said = next((name for name in _KEEP_COLUMNS if name in names), None)
            is_plan = len(names) == 1 or any(name in names for name in _PLAN_COLUMNS)
            if path is None or (said is None and not is_plan):
                raise InputError("error.frame_table_columns", path=str(table))
            rows = list(csv.DictReader(lines, fieldnames=names, delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise InputError("error.frame_table_unreadable", path=str(table), detail=str(fault)) from None
    named = [(_placed(name, table, folder), row) for row in rows if (name := typed_cell((row[path] or "").strip()))]
    groups = None
    if GROUP_COLUMN in names:
        groups = _groups(
            table, [(file, group_name(typed_cell(row[GROUP_COLUMN] or ""))) for files, row in named for file in files]
        )
    if said is None:
        return Selection(only=frozenset(file for files, _ in named for file in files), groups=groups)
    words = [(files, (row[said] or "").strip().lower()) for files, row in named]
    wanted, unwanted = (
        frozenset(file for files, word in words if word in kind for file in files) for kind in (_YES, _NO)
    )
    limits = dict(found for _, row in named if (found := _limit(row.get(LIMIT_COLUMN) or "")) is not None)
    measured = {metric: _measured(metric, named) for metric in limits}
    return Selection(wanted, unwanted, groups=groups, limits=limits, measured=measured)


def _measured(metric: str, named: Iterable[tuple[Iterable[str], Mapping[str, str | None]]]) -> dict[str, float]:
    """Return the values of a metric's column by frame."""
    values = ((files, _value(row.get(metric))) for files, row in named)
    return {file: value for files, value in values if value is not None for file in files}


def limit_text(metric: str, limit: Limit) -> str:
    """Return the limit of a metric as a table tells it: ``fwhm 1.5..3.2``, ``stars 40..``.

    Parameters
    ----------
    metric : str
        Name of the metric's column.
    limit : Limit
    """
    low, high = ("" if end is None else f"{end:.9g}" for end in limit)
    return f"{metric} {low}..{high}"


def _limit(told: str) -> tuple[str, Limit] | None:
    """Return the metric and the limit that `limit_text` told; None where it is none."""
    metric, _, ends = typed_cell(told.strip()).partition(" ")
    low, dots, high = ends.partition("..")
    if not dots:
        return None
    return metric, (_value(low), _value(high))


def _value(told: str | None) -> float | None:
    """Return a number of a table; None where there is none."""
    try:
        value = float(told or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _groups(table: Path, named: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the name of each file's group, without those that have none."""
    groups: dict[str, str] = {}
    for file, name in named:
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
        writer.writerows([plain_cell(value) for value in row] for row in rows)
        write_atomic(table, text.getvalue().encode("utf-8"))
    except OSError as fault:
        raise InputError("error.frame_table_not_written", path=str(table), detail=str(fault)) from None


def _placed(path: str, table: Path, folder: Path) -> tuple[str, ...]:
    """Return by which names a frame is meant: its place beside the table or below the folder of frames.

    Where it is at neither, both places and, where the table names no folder, its name alone.
    """
    places = [table.parent / path, folder / path]
    there = next((place for place in places if place.exists()), None)
    if there is not None:
        return (same_file(str(there)),)
    alone = [os.path.normcase(path)] if Path(path).name == path else []
    return tuple(dict.fromkeys([*(same_file(str(place)) for place in places), *alone]))


def _names_of(path: str) -> tuple[str, str]:
    """Return by which names a table may mean a frame."""
    spelled = same_file(path)
    return spelled, os.path.basename(spelled)  # noqa: PTH119 - 50,000 of them
