"""Another program that analyses frames, where one stands beside this one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Analyser", "find_analyser", "start_analyser"]

_FOLDERS = (("ZeAnalyser", "zeanalyser"), ("Seestar Stacker", "seestar/beforehand"))
_ENTRIES = ("__main__.py", "run_zeanalyser.py", "analyse_gui_qt.py", "analyse_gui.py", "main.py")


@dataclass(frozen=True)
class Analyser:
    """A program that was found."""

    name: str
    folder: Path
    entry: Path
    """The Python file that starts it."""


def find_analyser(parent: Path) -> Analyser | None:
    """Return the analyser below a folder, ``zeanalyser`` before ``seestar/beforehand``.

    None where neither stands there with something that can be started.
    """
    for name, place in _FOLDERS:
        folder = parent / place
        entry = next((folder / file for file in _ENTRIES if (folder / file).is_file()), None)
        if entry is not None:
            return Analyser(name, folder, entry)
    return None


def start_analyser(analyser: Analyser) -> subprocess.Popen[bytes] | None:
    """Start it in a process of its own; None where that was not possible."""
    started = [str(analyser.folder if analyser.entry.name == "__main__.py" else analyser.entry)]
    try:
        return subprocess.Popen([sys.executable, *started], cwd=analyser.folder, start_new_session=True)
    except OSError:
        return None
