"""The desktop: files and folders handed to its own programs, and whether it is dark."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

__all__ = ["open_path", "system_is_dark"]

_ASKING = {
    "darwin": ("defaults", "read", "-g", "AppleInterfaceStyle"),
    "linux": ("gsettings", "get", "org.gnome.desktop.interface", "color-scheme"),
}
_OPENER_WAIT_S = 5.0
_WINDOWS_KEY = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"


def open_path(path: Path) -> bool:
    """Open a file or folder with the program that the desktop has for it; return whether that worked.

    The desktop's opener tells by its exit code that it knows no program for the file.  It is waited for, some seconds
    at most: where no desktop helps, it is the viewer itself and ends when the user closes it.  Windows must call this
    outside the thread that draws them.
    """
    if not path.exists():
        return False
    try:
        if sys.platform == "win32":
            os.startfile(path)
            return True
        opener = "open" if sys.platform == "darwin" else "xdg-open"
        quiet = subprocess.DEVNULL
        process = subprocess.Popen([opener, str(path)], stdin=quiet, stdout=quiet, stderr=quiet)
    except OSError:
        return False
    try:
        return process.wait(_OPENER_WAIT_S) == 0
    except subprocess.TimeoutExpired:
        # Python complains of a process that is forgotten while it runs.
        threading.Thread(target=process.wait, name="viewer", daemon=True).start()
        return True


def system_is_dark() -> bool:
    """Return whether the desktop is in its dark look; a desktop that does not tell counts as dark."""
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_CURRENT_USER, _WINDOWS_KEY) as key:
                return not winreg.QueryValueEx(key, "AppsUseLightTheme")[0]
        except OSError:
            return True
    try:
        asked = subprocess.run(_ASKING.get(sys.platform, _ASKING["linux"]), capture_output=True, timeout=1, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return True
    # macOS knows the key in its dark look only; GNOME says default, prefer-light or prefer-dark.
    return b"dark" in asked.stdout.lower() or (sys.platform != "darwin" and not asked.stdout)
