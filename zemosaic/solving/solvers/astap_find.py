"""Finds the ASTAP program and its star database."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from zemosaic.catalogue import database_names
from zemosaic.errors import Message, message

__all__ = ["AstapInstallation", "detect_astap_installation", "find_astap", "misleading_paths"]

_EXECUTABLE_VARIABLES = ("ASTAP_EXE", "ASTAP_BIN", "ASTAP_PATH")
_DATA_VARIABLES = ("ASTAP_DATA_DIR", "ASTAP_STAR_DB", "ASTAP_DATABASE")


@dataclass(frozen=True)
class AstapInstallation:
    """A program that can be called and the stars it will use."""

    executable: Path
    data_dir: Path | None
    """Folder of the star database; None where none was found, and ASTAP looks for itself."""
    catalogue: str = ""
    """Name of the deepest database there (``d50``), empty where none was found."""


def detect_astap_installation(executable: str = "", data_dir: str = "") -> AstapInstallation | None:
    """Return this machine's ASTAP, None where there is none; the arguments are the paths in the settings.

    Parameters
    ----------
    executable : str
        Path of the program or its folder; empty where the settings name none.
    data_dir : str
        Folder of the star databases; empty where the settings name none.

    Returns
    -------
    AstapInstallation or None
    """
    return find_astap(executable, data_dir, environ=os.environ, platform=sys.platform)


def find_astap(
    executable: str,
    data_dir: str,
    *,
    environ: Mapping[str, str],
    platform: str,
    root: Path | None = None,
) -> AstapInstallation | None:
    """Return the first ASTAP found: environment, settings, usual places, search path.

    Parameters
    ----------
    executable, data_dir : str
        Paths from the settings, empty where the user gave none; a folder serves as well as the program itself.
    environ : mapping
        Environment: ``ASTAP_EXE``, ``ASTAP_BIN``, ``ASTAP_PATH``, ``ASTAP_DATA_DIR``, ``ASTAP_STAR_DB``,
        ``ASTAP_DATABASE``, ``PATH`` and on Windows ``ProgramFiles`` ....
    platform : str
        As `sys.platform`.
    root : Path, optional
        Where the file system begins; tests put another one in place.
    """
    root = root or Path(Path.cwd().anchor)
    names = _program_names(platform)
    # ASTAP starts in a folder of its own, where a relative path leads elsewhere.
    given = [Path(environ[v]).expanduser().absolute() for v in _EXECUTABLE_VARIABLES if environ.get(v)]
    if executable:
        given.append(Path(executable).expanduser().absolute())
    program = next((p for place in given if (p := _program_at(place, names)) is not None), None)
    if program is None:
        usual = _program_places(platform, environ, root)
        program = next((p for place in usual if (p := _program_at(place, names)) is not None), None)
    if program is None:
        on_path = (shutil.which(name, path=environ.get("PATH", "")) for name in names)
        program = next((Path(p).absolute() for p in on_path if p), None)
    if program is None:
        return None
    folders = [Path(environ[v]).expanduser().absolute() for v in _DATA_VARIABLES if environ.get(v)]
    if data_dir:
        folders.append(Path(data_dir).expanduser().absolute())
    folders += [program.parent, *_data_places(platform, environ, root)]
    for folder in folders:
        databases = database_names(folder)
        if databases:
            return AstapInstallation(program, folder, databases[0])
    return AstapInstallation(program, None)


def misleading_paths(executable: str, data_dir: str, environ: Mapping[str, str]) -> tuple[Message, ...]:
    """Return a warning for each path that is given and does not lead to what it should, naming where it is set.

    Parameters
    ----------
    executable, data_dir : str
        Paths in the settings; empty where they name none.
    environ : mapping of str to str
        Environment variables.

    Returns
    -------
    tuple of Message
    """
    names = _program_names(sys.platform)
    programs = [(name, environ.get(name, "")) for name in _EXECUTABLE_VARIABLES]
    folders = [(name, environ.get(name, "")) for name in _DATA_VARIABLES]
    wrong = [
        message("warning.astap_no_program", setting=setting, path=path)
        for setting, path in [*programs, ("astap_executable_path", executable)]
        if path and _program_at(Path(path).expanduser(), names) is None
    ]
    wrong += [
        message("warning.astap_no_stars", setting=setting, path=path)
        for setting, path in [*folders, ("astap_data_directory_path", data_dir)]
        if path and not database_names(Path(path).expanduser())
    ]
    return tuple(wrong)


def _program_names(platform: str) -> tuple[str, ...]:
    if platform == "win32":
        return ("astap_cli.exe", "astap.exe")
    return ("astap_cli", "astap", "ASTAP")


def _program_at(place: Path, names: tuple[str, ...]) -> Path | None:
    """Return the program at a place that is the program, its folder or a macOS application."""
    if place.is_file() and os.access(place, os.X_OK):
        return place
    for folder in (place, place / "Contents" / "MacOS"):
        for name in names:
            if (folder / name).is_file() and os.access(folder / name, os.X_OK):
                return folder / name
    return None


def _program_places(platform: str, environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    if platform == "win32":
        for variable in ("ProgramFiles", "ProgramW6432", "ProgramFiles(x86)", "LOCALAPPDATA"):
            if environ.get(variable):
                yield Path(environ[variable]) / "astap"
        yield root / "Program Files" / "astap"
        yield root / "ASTAP"
    elif platform == "darwin":
        for folder in (root / "Applications", _home(environ) / "Applications"):
            yield from sorted(folder.glob("ASTAP*.app"))
        yield from (root / "usr/local/bin", root / "opt/homebrew/bin", root / "usr/local/opt/astap")
    else:
        yield from (root / "usr/bin", root / "usr/local/bin", root / "opt/astap")


def _data_places(platform: str, environ: Mapping[str, str], root: Path) -> Iterator[Path]:
    home = _home(environ)
    if platform == "win32":
        yield from _program_places(platform, environ, root)
        if environ.get("ProgramData"):
            yield Path(environ["ProgramData"]) / "astap"
    elif platform == "darwin":
        for library in (root / "Library", home / "Library"):
            yield library / "Application Support" / "ASTAP"
            yield library / "Application Support" / "astap"
        yield from (root / "usr/local/opt/astap", home / ".astap")
    else:
        yield from (
            root / "opt/astap",
            root / "usr/share/astap/data",
            root / "usr/share/astap",
            root / "usr/local/share/astap",
            home / ".local/share/astap",
            home / ".astap",
        )


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("HOME") or environ.get("USERPROFILE") or Path.home())
