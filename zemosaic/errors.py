"""Messages that travel as keys, and the errors that end a run.

A sentence is made where a person reads it (`zemosaic.i18n`); everything below passes a `Message`.
A frame that cannot be used is no error but a value (`zemosaic.model.Dropped`); an exception of
this module ends the run with a documented exit code.

::

    ZeMosaicError
    ├── SettingsError     2   a setting is wrong
    ├── InputError        3   the input folder is missing, empty or holds no frames
    ├── NothingUsable     4   frames were found, and none of them can be used
    ├── ResourceError     5   the mosaic does not fit memory, disk or the canvas limit
    ├── OutputError       6   the output folder cannot be written
    ├── WorkerDied        7   the worker process ended without a word
    ├── InstallationError 9   a required package is missing or broken
    └── RunCancelled    130   the user stopped the run
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "FrameError",
    "InputError",
    "InputGone",
    "InstallationError",
    "Message",
    "NothingUsable",
    "OutputError",
    "ResourceError",
    "RunCancelled",
    "SettingsError",
    "TileDamaged",
    "WorkerDied",
    "ZeMosaicError",
    "disk_full",
    "message",
    "write_refused",
]


@dataclass(frozen=True)
class Message:
    """A sentence to be: a key of the locale files and the values to put into it."""

    key: str
    """Key in `locales/*.json`."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Plain values (str, int, float, bool) named in the sentence's placeholders."""

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain JSON values."""
        return {"key": self.key, "params": dict(self.params)}


def message(key: str, **params: Any) -> Message:
    """Return ``Message(key, params)``.

    Parameters
    ----------
    key : str
        Of the sentence in `locales/`.
    **params
        What the sentence names.
    """
    return Message(key, params)


class ZeMosaicError(Exception):
    """An error that ends the run and that its user can do something about."""

    exit_code = 1

    def __init__(self, key: str, **params: Any) -> None:
        super().__init__(key, params)
        self.message = Message(key, params)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message)

    def __str__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.message.params.items())
        return f"{self.message.key}({values})"


def _rebuild(kind: type[ZeMosaicError], text: Message) -> ZeMosaicError:
    return kind(text.key, **text.params)


class SettingsError(ZeMosaicError):
    """A setting has a value outside its range, or a name nobody knows."""

    exit_code = 2


class InputError(ZeMosaicError):
    """The input folder is missing, unreadable, empty or holds no frames."""

    exit_code = 3


class InputGone(InputError):
    """The input folder has gone while the run read its frames: a drive or a network share is away."""


class NothingUsable(ZeMosaicError):
    """Frames were found, and none of them can be used."""

    exit_code = 4


class ResourceError(ZeMosaicError):
    """The mosaic would not fit the memory, the disk or the allowed canvas."""

    exit_code = 5


class OutputError(ZeMosaicError):
    """The output folder cannot be written."""

    exit_code = 6


class TileDamaged(OutputError):
    """A stacked tile is not on the disk any more as it was written; it can be stacked again."""


_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def disk_full(error: OSError, folder: str) -> ResourceError | None:
    """Return what to tell the user when the disk of a folder is full; None where the error is another.

    Parameters
    ----------
    error : OSError
    folder : str
        That was written into.
    """
    return ResourceError("error.disk_full", folder=folder) if error.errno in _DISK_FULL else None


def write_refused(error: OSError, folder: str, path: str = "") -> ZeMosaicError:
    """Return what to tell the user when the system refuses to write into a folder, or a file there.

    Parameters
    ----------
    error : OSError
    folder : str
        That was written into.
    path : str
        Of the file, where it is known.
    """
    write_failed = OutputError("error.write_failed", path=path or folder, detail=error.strerror or str(error))
    return disk_full(error, folder) or write_failed


class WorkerDied(ZeMosaicError):
    """The worker process ended without a result and without an error."""

    exit_code = 7


class InstallationError(ZeMosaicError):
    """A package that the program needs is missing, outdated or cannot be loaded."""

    exit_code = 9


class RunCancelled(ZeMosaicError):
    """The user stopped the run; what is finished is kept for the next one."""

    exit_code = 130


class FrameError(Exception):
    """One frame cannot be used; caught by the phase, which drops the frame with this reason."""

    def __init__(self, key: str, **params: Any) -> None:
        super().__init__(key, params)
        self.reason = Message(key, params)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_frame_error, (self.reason,)


def _rebuild_frame_error(reason: Message) -> FrameError:
    return FrameError(reason.key, **reason.params)
