"""Programs of this computer that a finished mosaic can be sent to."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zemosaic.gui.presenter.desktop.system_desktop import open_path

__all__ = ["DEFAULT", "Program", "Programs", "find_programs"]

DEFAULT = ""
"""Name of the program that the desktop has for such files."""

_LINUX_NAMES = {"Siril": ("siril",), "ASTAP": ("astap",), "SAOImageDS9": ("ds9",)}
_WINDOWS_PLACES = {
    "Siril": ("Siril/bin/siril.exe", "SiriL/bin/siril.exe"),
    "ASTAP": ("astap/astap.exe",),
    "SAOImageDS9": ("SAOImageDS9/ds9.exe",),
}
_MACOS_PLACES = {
    "Siril": ("Siril.app/Contents/MacOS/Siril", "Siril.app/Contents/MacOS/siril"),
    "ASTAP": ("ASTAP.app/Contents/MacOS/astap",),
    "SAOImageDS9": ("SAOImageDS9.app/Contents/MacOS/ds9",),
}
_WINDOWS_ROOTS = ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)", "LOCALAPPDATA")


@dataclass(frozen=True)
class Program:
    """A program that opens FITS files named on its command line."""

    name: str
    path: Path


class Programs:
    """The programs of this computer, and those started from here."""

    def __init__(self, programs: Sequence[Program] | None = None) -> None:
        self._found = {program.name: program for program in (find_programs() if programs is None else programs)}
        # Held on to, for Python complains of a process that is forgotten while it runs.
        self._started: list[subprocess.Popen[bytes]] = []

    @property
    def names(self) -> tuple[str, ...]:
        """What a file can be sent to, the desktop's own choice last."""
        return (*self._found, DEFAULT)

    def send(self, name: str, file: Path) -> bool:
        """Open a file with one of `names`; return whether it was started.

        Parameters
        ----------
        name : str
            One of `names`; `DEFAULT` for the program that the desktop has for such files.
        file : Path
            The program starts in its folder.

        Raises
        ------
        KeyError
            When `name` is not among `names`.
        """
        if name == DEFAULT:
            return open_path(file)
        self._started = [process for process in self._started if process.poll() is None]
        quiet = subprocess.DEVNULL
        argv = [str(self._found[name].path), str(file)]
        try:
            started = subprocess.Popen(argv, cwd=file.parent, stdin=quiet, stdout=quiet, stderr=quiet)
        except OSError:
            return False
        self._started.append(started)
        return True


def find_programs(
    environ: Mapping[str, str] = os.environ, platform: str = sys.platform, root: Path | None = None
) -> list[Program]:
    """Return the programs found: on the search path, and where their installers put them.

    Parameters
    ----------
    environ : mapping
    platform : str
        As `sys.platform`.
    root : Path, optional
        Where the file system begins; tests put another one in place.
    """
    root = root or Path(Path.cwd().anchor)
    programs = []
    for name in _LINUX_NAMES:
        path = next((place for place in _places(name, environ, platform, root) if place.is_file()), None)
        if path is not None:
            programs.append(Program(name, path))
    return programs


def _places(name: str, environ: Mapping[str, str], platform: str, root: Path) -> Iterator[Path]:
    if platform == "win32":
        for variable in _WINDOWS_ROOTS:
            if environ.get(variable):
                yield from (Path(environ[variable]) / place for place in _WINDOWS_PLACES[name])
        return
    if platform == "darwin":
        yield from (root / "Applications" / place for place in _MACOS_PLACES[name])
    for command in _LINUX_NAMES[name]:
        on_path = shutil.which(command, path=environ.get("PATH", ""))
        if on_path:
            yield Path(on_path)
