"""Composition root: arguments to a front end.  The only module that knows all of them."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from zemosaic.errors import InstallationError, Message, ZeMosaicError, message
from zemosaic.events import Preparation
from zemosaic.gui.cli.commands import Engine, run_cli, translator_for
from zemosaic.gui.cli.console import Console
from zemosaic.gui.cli.flags import window_flags
from zemosaic.gui.presenter.run.runs import RunHandle
from zemosaic.health import installation_error, is_built_program, package_troubles
from zemosaic.i18n import Translator
from zemosaic.settings.load import environment_name, load_settings, shipped_settings_file, user_settings_file
from zemosaic.settings.schema import Settings

if TYPE_CHECKING:
    from zemosaic.gui.presenter.run.session import Session

__all__ = ["NO_WINDOW", "main"]

NO_WINDOW = 8
"""Exit code where no window can be opened: no display, or no tkinter."""
_INTERNAL = 1
_FLAGS = {"--qt-gui": "qt", "--tk-gui": "tk"}
"""Flags that choose the window; the last one counts."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.  None at all, or the
        choice of a window, opens the window, with the settings named beside it; any other run is headless.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = Console(sys.stdout, sys.stderr)
    try:
        words = translator_for(arguments, os.environ)
        front_ends = [_FLAGS[word] for word in arguments if word in _FLAGS]
        rest = [word for word in arguments if word not in _FLAGS]
        flags = window_flags(rest) if front_ends else None
        if rest and flags is None:
            # Another program may show the pictures that the events tell of; a user of the command line sees none.
            start = partial(_start, pictures="--log-json" in rest)
            return run_cli(rest, os.environ, Engine(start, _make_demo))
        return _open_window(front_ends[-1] if front_ends else _backend(os.environ), words, console, flags or {})
    except ZeMosaicError as fault:
        console.error(_said(fault.message))
        return fault.exit_code
    except ImportError as fault:
        broken = installation_error(fault)
        console.error(_said(broken.message))
        return broken.exit_code
    except Exception as fault:  # noqa: BLE001 - the border of the process: no traceback reaches the user
        return _told_internal_error(fault, console)


def _backend(environ: Mapping[str, str]) -> str:
    """Return the toolkit the settings name; what is wrong with them is told in the window."""
    try:
        return str(load_settings({}, environ, user_settings_file(environ), shipped_settings_file()).gui_backend)
    except ZeMosaicError:
        return environ.get(environment_name("gui_backend"), "tk")


def _open_window(backend: str, words: Translator, console: Console, flags: Mapping[str, str]) -> int:
    # Here, for a run without a window does not need it.
    from zemosaic.gui.presenter.run.session import Session

    session = Session(words, os.environ, _start, _make_demo, flags=flags)
    if backend == "qt":
        try:
            from zemosaic.gui.qt.platform import require_platform, require_sound_binding

            require_platform(os.environ)
            require_sound_binding()
            from zemosaic.gui.qt.window import run_window as run_qt_window
        except ImportError as fault:
            reason = message("error.built_no_qt" if is_built_program() else "error.no_qt", detail=str(fault))
        except InstallationError as fault:
            reason = fault.message
        else:
            return run_qt_window(session)
        console.error(words.message(reason))
        session.problem = session.problem or reason  # the Tk window says why it is not the one asked for
    return _open_tk_window(session, console)


def _open_tk_window(session: Session, console: Console) -> int:
    words = session.words
    try:
        import tkinter as tk
    except ImportError as fault:
        console.error(words.text("error.no_tkinter", detail=str(fault)))
        return NO_WINDOW
    from zemosaic.gui.tk.window import run_window

    try:
        return run_window(session)
    except tk.TclError as fault:
        if "display" not in str(fault):
            raise
        console.error(words.text("error.no_display", detail=str(fault)))
        return NO_WINDOW


def _start(
    settings: Settings,
    until: Preparation | None = None,
    pictures: bool = True,
    *,
    only: Collection[str] | None = None,
) -> RunHandle:
    for trouble in package_troubles():
        raise InstallationError(trouble.key, **trouble.params)
    try:
        from zemosaic.worker import start
    except ImportError as fault:
        raise installation_error(fault) from fault
    return start(settings, until, pictures, only)


def _make_demo(folder: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    try:
        from zemosaic.demo import make_demo
    except ImportError as fault:
        raise installation_error(fault) from fault
    return make_demo(folder, progress)


def _said(told: Message) -> str:
    """Return a sentence in the user's language, or its key and values where no language can be read."""
    try:
        return Translator().message(told)
    except ZeMosaicError:
        return f"{told.key} {dict(told.params)}"


def _told_internal_error(fault: Exception, console: Console) -> int:
    """Write the traceback to a file, and tell the user where it is."""
    try:
        words = Translator()
    except ZeMosaicError:
        words = None
    log = _write_crash_log("".join(traceback.format_exception(fault)))
    details = {"detail": f"{type(fault).__name__}: {fault}", "path": log}
    console.error(words.text("error.internal", **details) if words else f"{details['detail']} ({log})")
    return _INTERNAL


def _write_crash_log(text: str) -> str:
    """Write a traceback to a file and return its path; the text itself where no folder can be written."""
    content = text.encode("utf-8", "backslashreplace")
    try:
        folder = Path(platformdirs.user_log_dir("zemosaic", appauthor=False))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "zemosaic_crash.log").write_bytes(content)
        return str(folder / "zemosaic_crash.log")
    except OSError:
        pass  # the home folder is full or read-only: the temporary folder may not be
    try:
        # Everybody may write there: a file of a new name, lest another user's link lie in wait under a known one.
        path = Path(tempfile.mkdtemp(prefix="zemosaic_crash_")) / "zemosaic_crash.log"
        path.write_bytes(content)
    except OSError:
        return text
    return str(path)
