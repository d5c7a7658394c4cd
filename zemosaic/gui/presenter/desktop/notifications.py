"""A notification of the desktop: who lets a run work overnight looks at something else."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

__all__ = ["notification_command", "notify"]

_WAIT_S = 10.0
_FLAGS = getattr(subprocess, "CREATE_NO_WINDOW", 0)
"""Without this Windows opens a console for a moment."""
_TOASTER = r"{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe"
"""Who shows notifications on Windows: a program without an entry in the start menu may not."""


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
        program = find("powershell")
        script = _toast_script(title, text, Path(picture).absolute().as_uri() if picture else "")
        # Encoded, so that nothing in the texts is taken for a command.
        coded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
        return [program, "-NoProfile", "-NonInteractive", "-EncodedCommand", coded] if program else None
    program = find("notify-send")
    icon = ["--icon", picture] if picture and Path(picture).is_file() else []
    return [program, "--app-name", "ZeMosaic", *icon, "--", title, text] if program else None


def _toast_script(title: str, text: str, picture: str) -> str:
    """Return what PowerShell shows a notification with; it has a name that Windows knows, which a toast needs."""
    coded = (base64.b64encode(word.encode("utf-8")).decode("ascii") for word in (title, text, picture))
    words = ", ".join(f"'{word}'" for word in coded)
    return (
        f"$words = @({words}) | ForEach-Object "
        "{ [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($_)) }\n"
        "$null = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications,"
        " ContentType = WindowsRuntime]\n"
        "$kind = if ($words[2]) { 'ToastImageAndText02' } else { 'ToastText02' }\n"
        "$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent($kind)\n"
        "$lines = $toast.GetElementsByTagName('text')\n"
        "foreach ($n in 0, 1) { $null = $lines.Item($n).AppendChild($toast.CreateTextNode($words[$n])) }\n"
        "if ($words[2]) { $toast.GetElementsByTagName('image').Item(0).SetAttribute('src', $words[2]) }\n"
        f"[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('{_TOASTER}')"
        ".Show([Windows.UI.Notifications.ToastNotification]::new($toast))\n"
    )


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
            subprocess.run(
                command, stdin=quiet, stdout=quiet, stderr=quiet, timeout=_WAIT_S, check=False, creationflags=_FLAGS
            )
        except (OSError, subprocess.TimeoutExpired):
            return  # the window tells the same

    threading.Thread(target=show, name="notification", daemon=True).start()
    return True
