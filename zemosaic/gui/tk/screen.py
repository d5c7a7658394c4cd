"""How large the desktop wants letters and controls: one scale for fonts and sizes."""

from __future__ import annotations

import ctypes
import re
import sys
import tkinter as tk

__all__ = ["adopt_screen_scale", "font_dpi_of"]

_BASE_DPI = 96.0
_POINTS_PER_INCH = 72.0
_FONT_DPI = re.compile(r"^Xft\.dpi:\s*([0-9.]+)\s*$", re.MULTILINE)


def adopt_screen_scale(root: tk.Misc) -> float:
    """Let Tk count inches as the desktop's fonts do, and return the pixels per pixel of a 96 dpi screen.

    Tk measures the screen, but Xft draws letters by the resource ``Xft.dpi`` where the desktop sets it.  Unless
    both agree, letters are twice as large as the controls that hold them.

    Parameters
    ----------
    root : tkinter.Misc
        Any widget of the display; `tk scaling` is changed for all of it.

    Returns
    -------
    float
        At least 1.
    """
    dpi = font_dpi_of(_x_resources()) or root.winfo_fpixels("1i")
    scale = max(dpi / _BASE_DPI, 1.0)
    root.tk.call("tk", "scaling", scale * _BASE_DPI / _POINTS_PER_INCH)
    return scale


def font_dpi_of(resources: str) -> float | None:
    """Return the resolution that X resources set for fonts; None where they set none that makes sense."""
    match = _FONT_DPI.search(resources)
    try:
        dpi = float(match.group(1)) if match else 0.0
    except ValueError:
        return None
    return dpi if 48.0 <= dpi <= 960.0 else None


def _x_resources() -> str:
    """Return the resources of the X display as text; empty on other systems and where there are none."""
    if sys.platform in ("win32", "darwin"):
        return ""
    try:
        library = ctypes.CDLL("libX11.so.6")
    except OSError:
        return ""
    library.XOpenDisplay.restype = ctypes.c_void_p
    library.XOpenDisplay.argtypes = [ctypes.c_char_p]
    library.XResourceManagerString.restype = ctypes.c_char_p
    library.XResourceManagerString.argtypes = [ctypes.c_void_p]
    library.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = library.XOpenDisplay(None)
    if not display:
        return ""
    try:
        return (library.XResourceManagerString(display) or b"").decode("utf-8", "replace")
    finally:
        library.XCloseDisplay(display)
