"""A folder that answers slowly, or fails for a moment: stands in for network folders and folders kept in a cloud.

The process of a run opens files of some names late, or not at all the first times.  It is of use where that process
reads the frames itself, with one worker.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zemosaic import worker

__all__ = ["disturbed_reading"]

VARIABLE = "ZEMOSAIC_FAULTS_READING"
_CHILD = worker._child


@contextlib.contextmanager
def disturbed_reading(
    folder: Path, names: Sequence[str], first: int, times: int, delay_s: float, code: int
) -> Iterator[None]:
    """Let runs that are started in the block read some files of a folder badly.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        Of the files.
    first : int
        The opening of each file from which on it goes badly, counted from 1.
    times : int
        How many openings go badly.
    delay_s : float
        How long each of them takes.
    code : int
        Number of the error that each of them ends with; 0 for none.
    """
    values = {"files": [str(folder / name) for name in names], "first": first, "times": times}
    os.environ[VARIABLE] = json.dumps(values | {"delay_s": delay_s, "code": code})
    worker._child = _disturbed_child
    try:
        yield
    finally:
        worker._child = _CHILD
        del os.environ[VARIABLE]


def _disturbed_child(*arguments: Any) -> None:
    """Do what the process of a run does, but with files that open badly."""
    values = json.loads(os.environ[VARIABLE])
    counts = dict.fromkeys(values["files"], 0)
    really_open = io.open

    def opened(file: Any, *args: Any, **named: Any) -> Any:
        name = os.fspath(file) if isinstance(file, str | os.PathLike) else ""
        if name in counts:
            counts[name] += 1
            if values["first"] <= counts[name] < values["first"] + values["times"]:
                time.sleep(values["delay_s"])
                if values["code"]:
                    raise OSError(values["code"], os.strerror(values["code"]), name)
        return really_open(file, *args, **named)

    io.open = builtins.open = opened
    _CHILD(*arguments)
