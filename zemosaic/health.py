"""Whether the packages that a run needs are there, new enough and can be loaded; and why not."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import io
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

from zemosaic.about import REQUIRED
from zemosaic.errors import InstallationError, Message, message

__all__ = [
    "PackageState",
    "compiled_for_now",
    "give_compiled_code_a_folder",
    "installation_error",
    "is_built_program",
    "package_states",
    "package_troubles",
    "writable",
]

PATIENCE_S = 60.0
"""A package that takes longer to load counts as broken."""
MAX_LOADING_PROCESSES = 2
COMPILED_FOLDER = "NUMBA_CACHE_DIR"
"""The environment variable by which numba is told where compiled code lies."""
FOR_NOW = "zemosaic_compiled_"
"""How the names of temporary folders of compiled code begin."""


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
    version = _version(name)
    trouble = _trouble_outside(name, version) if not is_built_program() else None
    if trouble is None and load:
        detail = _loading_error(REQUIRED[name].module)
        trouble = _broken(name, version, detail) if detail else None
    return PackageState(name, version, trouble)


def _trouble_outside(name: str, version: str) -> Message | None:
    """Return what is wrong with a package that pip brought, as far as can be seen without loading it."""
    package = REQUIRED[name]
    if not _is_there(package.module):
        return message("error.package_missing", package=name, cure=_cure(name))
    if version and _numbers(version) < _numbers(package.minimum):
        told = {"package": name, "version": version, "minimum": package.minimum}
        return message("error.package_old", **told, cure=_cure(name))
    return None


def _broken(name: str, version: str, detail: str) -> Message:
    """Return what to tell of a package that cannot be loaded; the double-click program is replaced as a whole."""
    if is_built_program():
        return message("error.program_broken", detail=f"{name} {version or '?'}: {detail}")
    return message("error.package_broken", package=name, version=version or "?", detail=detail, cure=_cure(name))


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:
        return True  # another thread is importing it, and it says nothing of itself before that is done


def _loading_error(module: str) -> str:
    """Return the last line of what loading a module in another process says; empty where it works.

    The other process may die of a broken library.  It is one of multiprocessing, which the double-click program can
    start as well, since that holds no interpreter to give a command to.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_load, args=(module, sender), daemon=True)
    with receiver:
        try:
            process.start()
        except OSError as fault:
            return str(fault)
        finally:
            sender.close()
        said = _all_said(receiver, time.monotonic() + PATIENCE_S)
    if said is None:
        process.kill()
        process.join()
        return f"not loaded after {PATIENCE_S:g} s"
    process.join()
    if process.exitcode == 0:
        return ""
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {process.exitcode}"


def _all_said(receiver: Connection, until: float) -> str | None:
    """Return what comes through a pipe until it is closed; None where it is still open at a time."""
    said = ""
    while receiver.poll(max(until - time.monotonic(), 0.0)):
        try:
            said += receiver.recv()
        except EOFError:
            return said
    return None


def _load(module: str, sender: Connection) -> None:
    """Load a module in a process of its own, whose errors go through the pipe."""
    sys.stderr = _Pipe(sender)
    importlib.import_module(module)


class _Pipe(io.TextIOBase):
    """A text file whose text is sent to another process."""

    def __init__(self, sender: Connection) -> None:
        self._sender = sender

    def write(self, text: str) -> int:
        self._sender.send(text)
        return len(text)


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
        probe.unlink(missing_ok=True)  # another process may look at the same time
    except OSError:
        return False
    return True


def give_compiled_code_a_folder(environ: MutableMapping[str, str], package: Path) -> None:
    """Name a folder for compiled code where numba would find none that can be written and refuse to load the program.

    numba writes beside the modules, else into the user's cache folder.  Where neither can be, the program's own cache
    folder is taken, or a private temporary one that goes when this process ends.  Call it before numba is loaded.

    Parameters
    ----------
    environ : mutable mapping
        Environment variables of this process, which those that it starts inherit.
    package : Path
        The folder of the program's modules.
    """
    if environ.get(COMPILED_FOLDER) or (not is_built_program() and writable(package)):
        return
    from platformdirs import user_cache_dir

    if writable(Path(user_cache_dir("numba", appauthor=False))):
        return
    own = environ.get("ZEMOSAIC_CACHE_DIR")
    if own and writable(Path(own)):
        environ[COMPILED_FOLDER] = str(Path(own) / "compiled")
        return
    with contextlib.suppress(OSError):  # numba will say that it has no folder
        folder = tempfile.mkdtemp(prefix=f"{FOR_NOW}{os.getpid()}_")
        environ[COMPILED_FOLDER] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def compiled_for_now(environ: MutableMapping[str, str]) -> bool:
    """Return whether compiled code is kept in a temporary folder, so that every start compiles it again."""
    return Path(environ.get(COMPILED_FOLDER, "")).name.startswith(FOR_NOW)
