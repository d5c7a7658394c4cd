"""The run's memory: what was learnt about frames and tiles, each with what it depended on.

An entry counts only while its digest (file identity, settings its phase reads, version) is that of
the present run; so a killed run goes on where it stopped, and nothing stale is ever used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from zemosaic.errors import OutputError, ResourceError

__all__ = ["Journal", "digest"]

SCHEMA_VERSION = 1


def digest(*parts: Any) -> str:
    """Return a hash of plain values (str, numbers, None, lists, dictionaries).

    Raises
    ------
    TypeError
        For anything else, since what merely prints alike would share a digest.
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_number)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _number(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"no plain value: {type(value).__name__}")


class Journal:
    """Entries by kind and key in one SQLite file; only the run's worker process writes it.

    All methods raise OutputError when the file cannot be read or written, ResourceError when the disk is full.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._told():
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            if self._db.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                self._db.execute("DROP TABLE IF EXISTS entries")
                self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS entries"
                " (kind TEXT, key TEXT, digest TEXT, payload BLOB, PRIMARY KEY (kind, key))"
            )

    def get(self, kind: str, key: str, wanted: str) -> bytes | None:
        """Return the payload of an entry with the wanted digest, else None."""
        with self._told():
            row = self._db.execute(
                "SELECT payload FROM entries WHERE kind=? AND key=? AND digest=?", (kind, _stored(key), wanted)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def put(self, kind: str, key: str, depends_on: str, payload: bytes) -> None:
        """Store an entry; it survives the process from here on."""
        with self._told():
            self._db.execute(
                "INSERT OR REPLACE INTO entries VALUES (?,?,?,?)", (kind, _stored(key), depends_on, payload)
            )

    def forget(self, kind: str) -> None:
        """Remove all entries of a kind."""
        with self._told():
            self._db.execute("DELETE FROM entries WHERE kind=?", (kind,))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            if getattr(problem, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise ResourceError("error.disk_full", folder=str(self._path.parent)) from problem
            raise OutputError("error.system", file=str(self._path), detail=str(problem)) from problem


def _stored(key: str) -> bytes:
    """Return a key as bytes: paths of other systems' disks need not be valid text."""
    return key.encode("utf-8", "surrogateescape")
