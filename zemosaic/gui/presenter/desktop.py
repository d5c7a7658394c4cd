"""Files and folders handed to the desktop's own programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["open_path"]


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
