"""A button whose menu is made anew each time it is opened."""

from __future__ import annotations

import io
import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zemosaic.gui.presenter.desktop.menu_entries import MenuEntry
from zemosaic.gui.tk.theme import Theme

__all__ = ["EntriesButton", "photo_of"]


class EntriesButton(ttk.Button):
    """Offers what a presenter has to offer at the moment.

    Parameters
    ----------
    parent : tkinter widget
    theme : Theme
    entries : callable
        Returns the lines of the menu.
    """

    def __init__(self, parent: tk.Misc, theme: Theme, entries: Callable[[], Sequence[MenuEntry]]) -> None:
        super().__init__(parent, command=self._post)
        self._theme, self._entries = theme, entries
        self.menu = tk.Menu(self, tearoff=False)
        self._kept: list[tk.Variable | tk.PhotoImage] = []

    def fill(self) -> None:
        """Make the menu."""
        self._theme.dress_menu(self.menu)
        self.menu.delete(0, "end")
        self._kept = []  # Tk shows no picture, and no tick, of which Python holds no name
        for entry in self._entries():
            self._add(entry)

    def _add(self, entry: MenuEntry) -> None:
        state = "normal" if entry.is_enabled else "disabled"
        if entry.is_checked is not None:
            ticked = tk.BooleanVar(self, entry.is_checked)
            self._kept.append(ticked)
            self.menu.add_checkbutton(label=entry.text, command=entry.act, variable=ticked, state=state)  # type: ignore[arg-type]
            return
        self.menu.add_command(label=entry.text, command=entry.act, state=state)  # type: ignore[arg-type]
        if entry.picture is not None:
            self._kept.append(photo := photo_of(self, entry.picture))
            self.menu.entryconfigure("end", image=photo, compound="left")

    def _post(self) -> None:
        self.fill()
        self.menu.tk_popup(self.winfo_rootx(), self.winfo_rooty() + self.winfo_height())


def photo_of(master: tk.Misc, picture: NDArray[np.uint8], size: tuple[int, int] | None = None) -> tk.PhotoImage:
    """Return a picture, shape (h, w, 3), as Tk shows it.

    Parameters
    ----------
    master : tkinter widget
    picture : ndarray, shape (h, w, 3), uint8
    size : (int, int), optional
        Width and height on the screen, in pixels; those of the picture by default.
    """
    buffer, image = io.BytesIO(), Image.fromarray(picture)
    (image if size is None else image.resize(size, Image.Resampling.BOX)).save(buffer, "PPM")
    return tk.PhotoImage(master=master, data=buffer.getvalue(), format="PPM")
