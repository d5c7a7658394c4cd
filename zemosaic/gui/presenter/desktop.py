"""The desktop: files and folders handed to its own programs, and whether it is dark."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["open_path", "system_is_dark"]

_ASKING = {
    "darwin": ("defaults", "read", "-g", "AppleInterfaceStyle"),
    "linux": ("gsettings", "get", "org.gnome.desktop.interface", "color-scheme"),
}
_WINDOWS_KEY = r"Software\Microsoft\Windows\CurrentVersion\Themes\Personalize"


def open_path(path: Path) -> bool:
    """Open a file or folder with the program the desktop has for it; return whether one was started."""
    if not path.exists():
        return False
    try:
        if sys.platform == "win32":
            os.startfile(path)
        else:
            opener = "open" if sys.platform == "darwin" else "xdg-open"
            subprocess.Popen([opener, str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:
        return False
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
