"""Tk's own dialogs for files: their language, and what they list."""

from __future__ import annotations

import tkinter as tk

__all__ = ["speak"]


def speak(root: tk.Misc, language: str) -> None:
    """Let Tk's dialogs for files use a language, English where they have no words in it, and leave hidden files out.

    Parameters
    ----------
    root : tk.Misc
        The window; on Windows and macOS its dialogs are the system's, which none of this concerns.
    language : str
        Code, such as ``"fr"``.
    """
    if root.tk.call("tk", "windowingsystem") != "x11":
        return
    root.tk.call("::msgcat::mclocale", language)
    root.tk.eval("namespace eval ::tk {::msgcat::mcload [file join $::tk_library msgs]}")
    # The variables exist only once a dialog was made; one with a wrong option is never shown.
    root.tk.eval("catch {tk_getOpenFile -none}")
    root.tk.eval("set ::tk::dialog::file::showHiddenBtn 1; set ::tk::dialog::file::showHiddenVar 0")
