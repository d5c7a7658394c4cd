"""A notification of the desktop: who lets a run work overnight looks at something else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["notification_command", "notify"]

_WAIT_S = 10.0


def notification_command(
    title: str,
    text: str,
    picture: str = "",
    platform: str = sys.platform,
    find: Callable[[str], str | None] = shutil.which,
) -> list[str] | None:
    """Return the command that shows a notification; None where the system has none.

    Parameters
    ----------
    title, text : str
    picture : str
        Path of a thumbnail; empty for none.  macOS shows none.
    platform : str
        As `sys.platform`.
    find : callable
        Returns the path of a program.
    """
    if platform == "darwin":
        program = find("osascript")
        script = "on run words\ndisplay notification (item 2 of words) with title (item 1 of words)\nend run"
        # Passed as arguments, so that no quotation mark of theirs ends the script.
        return [program, "-e", script, title, text] if program else None
    if platform == "win32":
        return None
    program = find("notify-send")
    icon = ["--icon", picture] if picture and Path(picture).is_file() else []
    return [program, "--app-name", "ZeMosaic", *icon, "--", title, text] if program else None


def notify(title: str, text: str, picture: str = "") -> bool:
    """Show a notification without waiting for it; return whether the system has any.

    Parameters
    ----------
    title : str
    text : str
    picture : str
        Path of a thumbnail; empty for none.
    """
    command = notification_command(title, text, picture)
    if command is None or (sys.platform == "linux" and not os.environ.get("DBUS_SESSION_BUS_ADDRESS")):
        return False

    def show() -> None:
        quiet = subprocess.DEVNULL
        try:
            subprocess.run(command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=_WAIT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return  # the window tells the same

    threading.Thread(target=show, name="notification", daemon=True).start()
    return True
