"""Many equal records as columns: plain values of one field side by side in an array, which takes little room.

A column is one of these, by what its values are:

========================== =====================================================================
array                      numbers, or rows of numbers that are equally long; first axis: records
``distinct``, ``which``    the same where few rows of numbers or texts stand for many: the different ones, and
                           which of them each record has
``fields``                 records, as a column for each of their fields
``ends``, ``items``        rows of different length: where each ends in the column of all their items
``at``, ``rest``           values that may be None: where each stands in the column of the others, -1 for None
list                       anything else, as it is
========================== =====================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.store.codec import Tree

__all__ = ["as_columns", "compacted", "expanded", "row_of"]

_COLUMNS, _ROWS = "__columns__", "rows"
MIN_RECORDS = 2
"""Fewer records stay as they are."""
MAX_DISTINCT_FRACTION = 0.5
"""Values are told apart by number where the different ones are at most this part of all."""


def as_columns(rows: Sequence[Tree]) -> Tree:
    """Return values of one kind, such as `zemosaic.store.codec.to_plain` makes of records, as columns.

    Parameters
    ----------
    rows : sequence of Tree
        Without arrays.

    Returns
    -------
    Tree
        See the module; `row_of` returns the values again, with numbers bit for bit.
    """
    return _with_distinct(_column(rows))


def row_of(column: Tree, row: int) -> Tree:
    """Return the values of one record of a column.

    Parameters
    ----------
    column : Tree
        What `as_columns` returned.
    row : int
        Place of the record, counted from 0.
    """
    if isinstance(column, np.ndarray):
        return column[row].tolist()
    if isinstance(column, list):
        return column[row]
    if "fields" in column:
        return {name: row_of(item, row) for name, item in column["fields"].items()}
    if "which" in column:
        return row_of(column["distinct"], int(column["which"][row]))
    if "at" in column:
        place = int(column["at"][row])
        return None if place < 0 else row_of(column["rest"], place)
    first, last = column["ends"][row : row + 2].tolist()
    items = column["items"]
    if isinstance(items, np.ndarray):
        return items[first:last].tolist()
    return [row_of(items, place) for place in range(first, last)]


def compacted(value: Tree) -> Tree:
    """Return plain values with each list of equal records in it as columns."""
    if isinstance(value, dict):
        return {key: compacted(item) for key, item in value.items()}
    if not isinstance(value, list):
        return value
    if len(value) >= MIN_RECORDS and _is_of_records(value) and not any(map(_has_array, value)):
        return {_COLUMNS: as_columns(value), _ROWS: len(value)}
    return [compacted(item) for item in value]


def expanded(value: Tree) -> Tree:
    """Return what `compacted` was given."""
    if isinstance(value, dict):
        if _COLUMNS in value:
            return [row_of(value[_COLUMNS], row) for row in range(value[_ROWS])]
        return {key: expanded(item) for key, item in value.items()}
    return [expanded(item) for item in value] if isinstance(value, list) else value


def _is_of_records(rows: Sequence[Tree]) -> bool:
    return all(isinstance(row, dict) for row in rows) and all(row.keys() == rows[0].keys() for row in rows)


def _has_array(value: Tree) -> bool:
    if isinstance(value, dict):
        return any(map(_has_array, value.values()))
    if isinstance(value, list):
        return any(map(_has_array, value))
    return isinstance(value, np.ndarray)


def _column(rows: Sequence[Tree]) -> Tree:
    kinds = set(map(type, rows))
    if type(None) in kinds and len(kinds) > 1:
        there = np.array([row is not None for row in rows])
        at = np.where(there, np.cumsum(there) - 1, -1).astype(np.int32)
        return {"at": at, "rest": _column([row for row in rows if row is not None])}
    if kinds == {bool}:
        return np.array(rows, np.bool_)
    if kinds == {float}:
        return np.array(rows, np.float64)
    if kinds == {int}:
        return _integers(rows)
    if kinds == {dict} and _is_of_records(rows):
        return {"fields": {name: _column([row[name] for row in rows]) for name in rows[0]}}
    return _of_lists(rows) if kinds == {list} else list(rows)


def _integers(rows: Sequence[int]) -> Tree:
    """Return an array of the narrower kind that holds all numbers; a list where none does."""
    least, most = min(rows), max(rows)
    for kind in (np.int32, np.int64):
        if np.iinfo(kind).min <= least and most <= np.iinfo(kind).max:
            return np.array(rows, kind)
    return list(rows)


def _of_lists(rows: Sequence[list[Tree]]) -> Tree:
    lengths = [len(row) for row in rows]
    items = _column([item for row in rows for item in row])
    if isinstance(items, np.ndarray) and len(set(lengths)) == 1:
        return items.reshape(len(rows), lengths[0], *items.shape[1:])
    return {"ends": np.cumsum([0, *lengths], dtype=np.int64), "items": items}


def _with_distinct(column: Tree) -> Tree:
    """Return a column with numbers in place of values that many records share."""
    if isinstance(column, np.ndarray):
        return _distinct_rows(column) if column.ndim > 1 and column.dtype != np.bool_ else column
    if isinstance(column, dict):
        if "fields" in column:
            return {"fields": {name: _with_distinct(item) for name, item in column["fields"].items()}}
        return {name: _with_distinct(item) if name in ("items", "rest") else item for name, item in column.items()}
    if column and all(isinstance(item, str) for item in column):
        numbers = {item: number for number, item in enumerate(dict.fromkeys(column))}
        if len(numbers) <= MAX_DISTINCT_FRACTION * len(column):
            return {"distinct": list(numbers), "which": np.array([numbers[item] for item in column], np.int32)}
    return column


def _distinct_rows(column: NDArray[Any]) -> Tree:
    """Return rows of numbers told apart bit by bit."""
    flat = np.ascontiguousarray(column).reshape(len(column), -1)
    if not flat.shape[1]:
        return column
    keys = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1])))[:, 0]
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    if len(first) > MAX_DISTINCT_FRACTION * len(column):
        return column
    return {"distinct": column[first], "which": which.reshape(-1).astype(np.int32)}
