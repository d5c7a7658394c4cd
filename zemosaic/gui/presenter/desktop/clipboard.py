"""A picture on the clipboard, by the system's own program where a toolkit can put text there only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["clipboard_command", "copy_png"]

_WAIT_S = 20.0


def clipboard_command(file: str, environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> list[str]:
    """Return the command that puts a PNG file on the clipboard; nothing where this computer has no program for it.

    Parameters
    ----------
    file : str
    environ : mapping
    platform : str
        As `sys.platform`.
    """
    if platform == "win32":
        quoted = file.replace("'", "''")
        load = "Add-Type -AssemblyName System.Windows.Forms,System.Drawing"
        put = f"[System.Windows.Forms.Clipboard]::SetImage([System.Drawing.Image]::FromFile('{quoted}'))"
        return ["powershell", "-NoProfile", "-STA", "-Command", f"{load}; {put}"]
    if platform == "darwin":
        quoted = file.replace("\\", "\\\\").replace('"', '\\"')
        return ["osascript", "-e", f'set the clipboard to (read (POSIX file "{quoted}") as «class PNGf»)']
    search = environ.get("PATH", "")
    if environ.get("WAYLAND_DISPLAY") and (found := shutil.which("wl-copy", path=search)):
        return [found, "--type", "image/png"]
    if found := shutil.which("xclip", path=search):
        return [found, "-selection", "clipboard", "-target", "image/png", "-in", file]
    return []


def copy_png(content: bytes) -> bool:
    """Put the bytes of a PNG file on the clipboard; returns whether that was possible.

    Parameters
    ----------
    content : bytes
    """
    with tempfile.TemporaryDirectory(prefix="zemosaic_") as folder:
        file = Path(folder) / "picture.png"
        try:
            file.write_bytes(content)
            command = clipboard_command(str(file))
            if not command:
                return False
            # Both programs of Linux stay to serve the clipboard, and would keep a pipe open for as long.
            quiet = subprocess.DEVNULL
            told = content if command[-1] == "image/png" else None
            done = subprocess.run(
                command,
                input=told,
                stdin=quiet if told is None else None,
                stdout=quiet,
                stderr=quiet,
                timeout=_WAIT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
    return done.returncode == 0
