"""The list of jobs in a window of its own."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk

from zemosaic.gui.presenter.unattended.queue_page import BUTTONS, QueueFace, QueuePage
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import wrap_to_width

__all__ = ["QueueWindow"]

_WIDTHS = (120, 120, 250, 250, 260)


class QueueWindow:
    """Shows the jobs, adds some and takes some away."""

    def __init__(self, root: tk.Tk, theme: Theme, page: QueuePage) -> None:
        self._page, self._empty = page, ""
        px = theme.px
        self.window = tk.Toplevel(root, background=theme.palette.background)
        self.window.transient(root)
        self.window.geometry(f"{px(940)}x{px(420)}")
        self.window.protocol("WM_DELETE_WINDOW", self.close)
        self.window.bind("<Escape>", lambda _: self.close())
        inner = ttk.Frame(self.window, padding=px(16))
        inner.pack(fill="both", expand=True)
        self._hint = ttk.Label(inner, style="Muted.TLabel", justify="left")
        wrap_to_width(self._hint)
        row = ttk.Frame(inner)
        row.pack(side="bottom", fill="x", pady=(px(12), 0))
        acts: dict[str, Callable[[], None]] = {
            "add_pair": page.add_pair,
            "add_below": self._add_below,
            "remove": self._remove,
            "start": page.start,
        }
        self.buttons = {key: ttk.Button(row, command=acts[key]) for key in BUTTONS}
        for key, button in self.buttons.items():
            button.pack(side="right" if key == "start" else "left", padx=(0, px(8)))
        self.buttons["start"].configure(style="Accent.TButton")
        self._hint.pack(side="bottom", fill="x", pady=(px(8), 0))
        self.table = ttk.Treeview(
            inner, columns=[str(k) for k in range(len(_WIDTHS))], show="headings", style="Frames.Treeview"
        )
        bar = ttk.Scrollbar(inner, orient="vertical", command=self.table.yview)
        self.table.configure(yscrollcommand=bar.set)
        bar.pack(side="right", fill="y")
        self.table.pack(side="left", fill="both", expand=True)
        for column, width in enumerate(_WIDTHS):
            self.table.column(column, width=px(width), stretch=column == len(_WIDTHS) - 1)
        self.table.bind("<<TreeviewSelect>>", lambda _: self._show_details())
        self.table.bind("<Double-Button-1>", lambda _: page.open(self._chosen()))
        self.table.bind("<Return>", lambda _: page.open(self._chosen()))
        self.table.bind("<Delete>", lambda _: self._remove())
        page.view = self

    def show_queue(self, face: QueueFace) -> None:
        """Show the jobs, and keep the row that is chosen."""
        self.window.title(face.heading)
        self._empty = face.empty
        chosen = self._chosen()
        for column, words in enumerate(face.columns):
            self.table.heading(column, text=words, anchor="w")
        self.table.delete(*self.table.get_children())
        for number, row in enumerate(face.rows):
            self.table.insert("", "end", iid=str(number), values=row)
        if 0 <= chosen < len(face.rows):
            self.table.selection_set(str(chosen))
        self._show_details()
        for key, words, can_press in face.buttons:
            self.buttons[key].configure(text=words)
            self.buttons[key].state(["!disabled" if can_press else "disabled"])

    def lift(self) -> None:
        """Bring the list to the front."""
        self.window.deiconify()
        self.window.lift()
        self.table.focus_set()

    def close(self) -> None:
        """Put the list away; what is in it stays."""
        self._page.view = None
        self.window.destroy()

    def _chosen(self) -> int:
        chosen = self.table.selection()
        return int(chosen[0]) if chosen else -1

    def _show_details(self) -> None:
        self._hint.configure(text=self._empty or self._page.details(self._chosen()))

    def _remove(self) -> None:
        self._page.remove(self._chosen())

    def _add_below(self) -> None:
        title = self.buttons["add_below"].cget("text")
        folder = filedialog.askdirectory(parent=self.window, title=title, initialdir=Path.home())
        if folder:
            self._page.add_below(str(folder))
