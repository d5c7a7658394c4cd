"""Another program that analyses frames, where one stands beside this one."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Analyser", "find_analyser", "start_analyser"]

_FOLDERS = (("ZeAnalyser", "zeanalyser"), ("Seestar Stacker", "seestar/beforehand"))
_ENTRIES = ("analyse_gui_qt.py", "run_zeanalyser.py", "__main__.py", "analyse_gui.py", "main.py")


@dataclass(frozen=True)
class Analyser:
    """A program that was found."""

    name: str
    folder: Path

    @property
    def entry(self) -> Path | None:
        """The Python file that starts it; None where there is none of the known ones."""
        return next((self.folder / file for file in _ENTRIES if (self.folder / file).is_file()), None)


def find_analyser(parent: Path) -> Analyser | None:
    """Return the analyser below a folder, ``zeanalyser`` before ``seestar/beforehand``; None for neither."""
    for name, place in _FOLDERS:
        if (parent / place).is_dir():
            return Analyser(name, parent / place)
    return None


def start_analyser(analyser: Analyser) -> subprocess.Popen[bytes] | None:
    """Start it in a process of its own; None where that was not possible."""
    entry = analyser.entry
    if entry is None:
        return None
    started = str(analyser.folder if entry.name == "__main__.py" else entry)
    try:
        return subprocess.Popen([sys.executable, started], cwd=analyser.folder, start_new_session=True)
    except OSError:
        return None
