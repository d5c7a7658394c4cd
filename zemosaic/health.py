"""Whether the packages that a run needs are there, new enough and can be loaded; and why not."""

from __future__ import annotations

import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from zemosaic.about import REQUIRED
from zemosaic.errors import InstallationError, Message, message

__all__ = ["PackageState", "installation_error", "is_built_program", "package_states", "package_troubles"]

PATIENCE_S = 60.0
"""A package that takes longer to load counts as broken."""
MAX_LOADING_PROCESSES = 2


@dataclass(frozen=True)
class PackageState:
    """What is known of one required package."""

    name: str
    version: str
    """Empty where it is not installed."""
    trouble: Message | None
    """None where nothing is wrong with it."""


def is_built_program() -> bool:
    """Return whether this is the double-click program: it holds its packages, and none can be put into it."""
    return bool(getattr(sys, "frozen", False))


def package_states(load: bool = False) -> list[PackageState]:
    """Return the state of every required package.

    Parameters
    ----------
    load : bool
        Whether to load each package in a process of its own, which takes seconds and finds broken ones; without,
        only missing and outdated ones are found.
    """
    if is_built_program():
        return [PackageState(name, _version(name), None) for name in REQUIRED]
    with ThreadPoolExecutor(MAX_LOADING_PROCESSES) as pool:
        return list(pool.map(partial(_state, load=load), REQUIRED))


def package_troubles() -> Iterator[Message]:
    """Yield what is wrong with required packages as far as can be seen without loading them."""
    return (state.trouble for state in package_states() if state.trouble is not None)


def installation_error(fault: BaseException) -> InstallationError:
    """Return what to tell where the program's own modules cannot be loaded.

    Parameters
    ----------
    fault : BaseException
        What the import raised; the package is the one whose code raised it, or the one that is missing.
    """
    module = _module_of(fault)
    name = next((name for name, package in REQUIRED.items() if package.module == module), module)
    detail = f"{type(fault).__name__}: {fault}"
    if name == "zemosaic" or is_built_program():
        return InstallationError("error.program_broken", detail=detail)
    return InstallationError(
        "error.package_broken", package=name, version=_version(name) or "?", detail=detail, cure=_cure(name)
    )


def _state(name: str, load: bool) -> PackageState:
    package, version = REQUIRED[name], _version(name)
    if not _is_there(package.module):
        return PackageState(name, "", message("error.package_missing", package=name, cure=_cure(name)))
    if version and _numbers(version) < _numbers(package.minimum):
        told = {"package": name, "version": version, "minimum": package.minimum}
        return PackageState(name, version, message("error.package_old", **told, cure=_cure(name)))
    detail = _loading_error(package.module) if load else ""
    if detail:
        told = {"package": name, "version": version or "?", "detail": detail}
        return PackageState(name, version, message("error.package_broken", **told, cure=_cure(name)))
    return PackageState(name, version, None)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:
        return True  # another thread is importing it, and it says nothing of itself before that is done


def _loading_error(module: str) -> str:
    """Return the last line of what loading a module in another process says; empty where it works."""
    command = [sys.executable, "-c", f"import {module}"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as fault:
        return str(fault)
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {done.returncode}"


def _module_of(fault: BaseException) -> str:
    """Return the top-level module that is missing, or else the outermost foreign one whose code failed."""
    if isinstance(fault, ModuleNotFoundError) and fault.name:
        return fault.name.partition(".")[0]
    modules = {package.module for package in REQUIRED.values()}
    for frame, _ in traceback.walk_tb(fault.__traceback__):
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module in modules:
            return module
    named = fault.name.partition(".")[0] if isinstance(fault, ImportError) and fault.name else ""
    return named or "zemosaic"


def _cure(name: str) -> str:
    """Return the command that brings a package."""
    python = sys.executable if " " not in sys.executable else f'"{sys.executable}"'
    package = REQUIRED.get(name)
    wanted = f'"{name}>={package.minimum}"' if package else name
    return f"{python} -m pip install --force-reinstall {wanted}"


def _numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, without zeros at its end: ``2.18.7rc1`` is (2, 18, 7)."""
    found = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in found[0].split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def writable(folder: Path) -> bool:
    """Return whether a file can be made in a folder, or in the nearest folder above that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    probe = folder / ".zemosaic_probe"
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        return False
    return True
