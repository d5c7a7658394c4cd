"""Composition root: arguments to a front end.  The only module that knows all of them."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import platformdirs

from zemosaic.errors import ZeMosaicError
from zemosaic.gui.cli import Engine, run_cli, translator_for
from zemosaic.gui.console import Console
from zemosaic.gui.presenter.runs import RunHandle
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings

__all__ = ["NO_WINDOW", "main"]

NO_WINDOW = 8
"""Exit code where no window can be opened: no display, or no tkinter."""
_INTERNAL = 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.  None at all opens
        the window, any other run is headless.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = Console(sys.stdout, sys.stderr)
    try:
        words = translator_for(arguments, os.environ)
        if arguments:
            return run_cli(arguments, os.environ, Engine(_start, _make_demo))
        return _open_window(words, console)
    except ZeMosaicError as fault:
        console.error(str(fault))
        return fault.exit_code
    except Exception as fault:  # noqa: BLE001 - the border of the process: no traceback reaches the user
        return _told_internal_error(fault, console)


def _open_window(words: Translator, console: Console) -> int:
    try:
        import tkinter as tk
    except ImportError as fault:
        console.error(words.text("error.no_tkinter", detail=str(fault)))
        return NO_WINDOW
    from zemosaic.gui.tk.window import run_window

    try:
        return run_window(words, os.environ, _start, _make_demo)
    except tk.TclError as fault:
        if "display" not in str(fault):
            raise
        console.error(words.text("error.no_display", detail=str(fault)))
        return NO_WINDOW


def _start(settings: Settings) -> RunHandle:
    from zemosaic.worker import start

    return start(settings)


def _make_demo(folder: Path, progress: Callable[[int, int], None] | None = None) -> Path:
    from zemosaic.demo import make_demo

    return make_demo(folder, progress)


def _told_internal_error(fault: Exception, console: Console) -> int:
    """Write the traceback to a file, and tell the user where it is."""
    try:
        words = Translator()
    except ZeMosaicError:
        words = None
    try:
        folder = Path(platformdirs.user_log_dir("zemosaic", appauthor=False))
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir())
    log = folder / "zemosaic_crash.log"
    log.write_text("".join(traceback.format_exception(fault)), encoding="utf-8")
    told = {"detail": f"{type(fault).__name__}: {fault}", "path": str(log)}
    console.error(words.text("error.internal", **told) if words else f"{told['detail']} ({log})")
    return _INTERNAL
