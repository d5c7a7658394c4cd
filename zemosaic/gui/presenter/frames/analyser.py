"""Another program that analyses frames, where one stands beside this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import zemosaic

__all__ = ["Analyser", "find_analyser", "program_folder", "start_analyser"]

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


def program_folder() -> Path:
    """Return the folder ``zemosaic/`` stands in; for a built program the folder of the program itself."""
    if getattr(sys, "frozen", False):
        return Path(sys.executable).parent
    return Path(zemosaic.__file__).resolve().parents[1]


def find_analyser(root: Path) -> Analyser | None:
    """Return the analyser in a folder or the one above, ``zeanalyser`` first; None where there is none."""
    for parent in (root, root.parent):
        for name, place in _FOLDERS:
            if (parent / place).is_dir():
                return Analyser(name, parent / place)
    return None


def _python() -> str | None:
    """Return what runs a Python file: this interpreter, or for a built program one that is installed."""
    if not getattr(sys, "frozen", False):
        return sys.executable
    # Without Python, Windows has a `python3` that opens its shop.
    names = ("py", "python", "python3") if os.name == "nt" else ("python3", "python")
    return next((program for name in names if (program := shutil.which(name))), None)


def start_analyser(analyser: Analyser) -> subprocess.Popen[bytes] | None:
    """Start it in a process of its own; None where that was not possible."""
    entry, python = analyser.entry, _python()
    if entry is None or python is None:
        return None
    started = str(analyser.folder if entry.name == "__main__.py" else entry)
    try:
        return subprocess.Popen([python, started], cwd=analyser.folder, start_new_session=True)
    except OSError:
        return None
