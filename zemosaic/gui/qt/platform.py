"""Whether Qt can work here at all: where it cannot, it ends the whole program."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Mapping

from zemosaic.errors import InstallationError

__all__ = ["require_platform", "require_sound_binding"]

_NEEDED = "libxcb-cursor.so.0"
"""What Qt 6.5 and newer need on X11 and no package of Python brings."""


def require_platform(environ: Mapping[str, str]) -> None:
    """Make sure that Qt can open a window here.

    Raises
    ------
    ImportError
        If a library is missing that Qt needs on X11; it says which package has it.
    """
    elsewhere = environ.get("QT_QPA_PLATFORM", "xcb").partition(":")[0] != "xcb" or environ.get("WAYLAND_DISPLAY")
    if not sys.platform.startswith("linux") or elsewhere:
        return
    try:
        ctypes.CDLL(_NEEDED)
    except OSError as fault:
        raise ImportError(f"{_NEEDED} is missing (Debian, Ubuntu: apt install libxcb-cursor0)") from fault


def require_sound_binding() -> None:
    """Make sure that PySide6 counts Python's references to ``None`` right.

    PySide6 6.12.0 is made for Python 3.12, where ``None`` cannot be freed.  On Python 3.11 each of its calls that
    returns nothing frees one reference, and after some ten thousand calls Python ends the process.

    Raises
    ------
    ImportError
        If PySide6 cannot be loaded.
    InstallationError
        If it loses references.
    """
    import PySide6
    from PySide6.QtCore import QObject

    if _lost_references(QObject().setObjectName) >= _CALLS // 2:
        version = ".".join(map(str, sys.version_info[:3]))
        raise InstallationError("error.qt_unsound", pyside=PySide6.__version__, python=version)


_CALLS = 200
"""Calls of the trial: enough to tell a lost reference at each from what other threads do meanwhile."""


def _lost_references(call: Callable[[str], None]) -> int:
    before = sys.getrefcount(None)
    for _ in range(_CALLS):
        call("")
    return before - sys.getrefcount(None)
