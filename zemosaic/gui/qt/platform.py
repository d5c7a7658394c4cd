"""Whether Qt can reach the screen at all: where it cannot, it ends the whole program."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Mapping

__all__ = ["require_platform"]

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
