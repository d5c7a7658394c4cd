"""Folders dropped onto the Tk window, where tkinterdnd2 is installed: Tk alone takes no drops."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence

__all__ = ["accept_drops"]

_KIND = "DND_Files"


def accept_drops(root: tk.Tk, dropped: Callable[[Sequence[str]], None]) -> bool:
    """Let a window take files and folders from other programs; return whether it can.

    Parameters
    ----------
    root : tkinter.Tk
        The window takes what is dropped onto any widget in it.
    dropped : callable
        Takes the paths.
    """
    try:
        from tkinterdnd2 import TkinterDnD

        TkinterDnD.require(root)
    except (ImportError, RuntimeError):
        return False  # it is optional; a path can be pasted instead

    def take(data: str) -> str:
        dropped([str(path) for path in root.tk.splitlist(data)])
        return "copy"

    command = root.register(take)
    root.tk.call("tkdnd::drop_target", "register", root, _KIND)
    root.tk.call("bind", root, f"<<Drop:{_KIND}>>", f"{command} %D")
    return True
