"""The run's memory: what was learnt about frames and tiles, each with what it depended on.

An entry counts only while its digest (file identity, settings its phase reads, version) is that of
the present run; so a killed run goes on where it stopped, and nothing stale is ever used.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from zemosaic.errors import Message, OutputError, ResourceError, message

__all__ = ["BROKEN_SUFFIX", "Journal", "digest"]

T = TypeVar("T")

SCHEMA_VERSION = 2
BROKEN_SUFFIX = ".broken"
"""Added to the name of a file that is set aside."""
_BROKEN_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT}
"""Of these SQLITE_ERROR is a table that lacks columns."""


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

    Every entry carries a checksum, which is compared when it is read: a damaged entry counts as none.  A file that is
    no journal any more is set aside beside its place, and a new one is begun: entries only save work.

    All methods raise OutputError when the file cannot be read or written, ResourceError when the disk is full.

    Parameters
    ----------
    path : Path
    tell : callable, optional
        Takes a `Message` about damage, of each kind once; without it messages wait in `untold`.
    """

    def __init__(self, path: Path, tell: Callable[[Message], None] | None = None) -> None:
        self._path, self._tell = path, tell
        self.untold: list[Message] = []
        self._told: set[str] = set()
        self._db = self._safely(self._opened)

    def listen(self, tell: Callable[[Message], None]) -> None:
        """Have messages about damage taken by `tell` from here on, those that wait first."""
        self._tell = tell
        for text in self.untold:
            tell(text)
        self.untold.clear()

    def get(self, kind: str, key: str, depends_on: str) -> bytes | None:
        """Return the payload of an entry with the wanted digest, else None.

        Parameters
        ----------
        kind, key : str
            What the entry is about, such as ``tile`` and the number of one.
        depends_on : str
            Digest of what the result depends on now.

        Returns
        -------
        bytes or None
            None too where the entry is damaged, which is told.
        """

        def read() -> tuple[Any, Any] | None:
            found: tuple[Any, Any] | None = self._db.execute(
                "SELECT payload, mark FROM entries WHERE kind=? AND key=? AND digest=?",
                (kind, _stored(key), depends_on),
            ).fetchone()
            return found

        row = self._safely(read)
        if row is None:
            return None
        payload, mark = row
        if not isinstance(payload, bytes) or mark != _mark(kind, key, depends_on, payload):
            self._say(message("warning.journal_entry_damaged", file=str(self._path)))
            return None
        return payload

    def put(self, kind: str, key: str, depends_on: str, payload: bytes) -> None:
        """Store an entry; it survives the process from here on.

        Parameters
        ----------
        kind, key : str
            What the entry is about; an entry of both is replaced.
        depends_on : str
            Digest of what the result depended on.
        payload : bytes
        """
        values = (kind, _stored(key), depends_on, payload, _mark(kind, key, depends_on, payload))
        self._safely(lambda: self._db.execute("INSERT OR REPLACE INTO entries VALUES (?,?,?,?,?)", values))

    def forget(self, kind: str) -> None:
        """Remove all entries of a kind."""
        self._safely(lambda: self._db.execute("DELETE FROM entries WHERE kind=?", (kind,)))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _opened(self) -> sqlite3.Connection:
        """Return the open file with its table, made where it is not there."""
        if self._path.is_dir():
            raise sqlite3.DatabaseError("a folder lies in its place")
        database = sqlite3.connect(self._path, isolation_level=None)
        try:
            database.text_factory = bytes  # damaged text need not be valid
            # A run has its journal to itself; so the write-ahead log needs no memory that processes share, which
            # network drives do not offer.
            database.execute("PRAGMA locking_mode=EXCLUSIVE")
            database.execute("PRAGMA journal_mode=WAL")
            # Enough for entries that may be lost, but not half: what they speak of was synced before they are written.
            database.execute("PRAGMA synchronous=NORMAL")
            if database.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
                database.execute("DROP TABLE IF EXISTS entries")
                database.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
            database.execute(
                "CREATE TABLE IF NOT EXISTS entries"
                " (kind TEXT, key BLOB, digest TEXT, payload BLOB, mark BLOB, PRIMARY KEY (kind, key))"
            )
            database.execute("SELECT kind, key, digest, payload, mark FROM entries LIMIT 1").fetchone()
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _safely(self, act: Callable[[], T]) -> T:
        """Do something with the file; where the file turns out to be broken, do it with a new one."""
        try:
            try:
                return act()
            except sqlite3.DatabaseError as problem:
                if not _is_broken(problem):
                    raise
                self._set_aside()
                # Opening is what was to be done already, or has to come first.
                if act == self._opened:
                    return act()
                self._db = self._opened()
                return act()
        except sqlite3.Error as problem:
            if getattr(problem, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise ResourceError("error.disk_full", folder=str(self._path.parent)) from problem
            raise OutputError("error.system", file=str(self._path), detail=str(problem)) from problem

    def _set_aside(self) -> None:
        """Move the broken file out of the way and say so."""
        if hasattr(self, "_db"):
            self._db.close()
        aside = self._path.with_name(self._path.name + BROKEN_SUFFIX)
        try:
            for old in (aside, *(Path(f"{self._path}{end}") for end in ("-wal", "-shm"))):
                if old.is_dir() and not old.is_symlink():
                    shutil.rmtree(old)
                else:
                    old.unlink(missing_ok=True)
            self._path.replace(aside)
        except OSError as problem:
            detail = problem.strerror or str(problem)
            raise OutputError("error.system", file=str(self._path), detail=detail) from problem
        self._say(message("warning.journal_broken", file=str(self._path), aside=str(aside)))

    def _say(self, text: Message) -> None:
        if text.key in self._told:
            return
        self._told.add(text.key)
        if self._tell is None:
            self.untold.append(text)
        else:
            self._tell(text)


def _is_broken(problem: sqlite3.DatabaseError) -> bool:
    """Whether the file itself is at fault, not the disk, the folder or another process."""
    code = getattr(problem, "sqlite_errorcode", None)
    if code is None:  # raised by this module or by Python's, over what it read
        return not isinstance(problem, sqlite3.ProgrammingError | sqlite3.InterfaceError)
    return code & 0xFF in _BROKEN_CODES


def _mark(kind: str, key: str, depends_on: str, payload: bytes) -> bytes:
    """Return the checksum of an entry, with which no part of it can be another entry's."""
    head = json.dumps([kind, key, depends_on, len(payload)]).encode()
    return hashlib.sha256(head + payload).digest()


def _stored(key: str) -> bytes:
    """Return a key as bytes: paths of other systems' disks need not be valid text."""
    return key.encode("utf-8", "surrogateescape")
