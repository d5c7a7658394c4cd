"""The panel beside the mosaic that tells of one pixel: which frames are in it, which are not, and why."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import ttk
from typing import Literal

from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.result.pixel_text import (
    COLUMNS,
    PixelRow,
    detail_lines,
    panel_heading,
    panel_lines,
    pixel_rows,
)
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.theme import Theme

__all__ = ["PixelPanel"]

_WIDTHS = {"state": 124, "file": 140, "sigmas": 132, "share": 64}
_AT_A_TIME = 200
"""Rows put into the table before the window looks at its user again."""


class PixelPanel(ttk.Frame):
    """Shows what a `PixelPresenter` holds."""

    def __init__(
        self, parent: tk.Misc, session: Session, theme: Theme, desk: PixelPresenter, closed: Callable[[], None]
    ) -> None:
        px = theme.px
        super().__init__(parent, style="Card.TFrame", padding=px(16), width=px(506))
        self._session, self._theme, self._desk = session, theme, desk
        self._rows: list[PixelRow] = []
        self._filling: str | None = None
        self.grid_propagate(False)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(2, weight=1)
        self._heading = ttk.Label(self, style="Card.Heading.TLabel")
        self._heading.grid(row=0, column=0, sticky="w")
        self.close_button = ttk.Button(self, command=closed)
        self.close_button.grid(row=0, column=1, sticky="e")
        self.summary = ttk.Label(self, style="Card.TLabel", wraplength=px(470), justify="left")
        self.summary.grid(row=1, column=0, columnspan=2, sticky="ew", pady=px(8))
        self._make_table()
        self.details = tk.Text(self, wrap="word", state="disabled", height=8, width=1, borderwidth=0)
        self.details.configure(font="ZmSmall", highlightthickness=0, takefocus=False, padx=0, pady=px(6))
        self.details.grid(row=3, column=0, columnspan=2, sticky="ew", pady=(px(6), 0))
        self.show_file = ttk.Button(self, command=self._show_file)
        self.show_file.grid(row=4, column=0, columnspan=2, sticky="ew", pady=(px(6), 0))
        self.bind("<<ThemeChanged>>", lambda _: self._recolour())
        self.bind("<Destroy>", lambda event: self._stop_filling() if event.widget is self else None)
        self._recolour()
        self.retranslate()

    def _make_table(self) -> None:
        box = ttk.Frame(self, style="Inner.TFrame")
        box.grid(row=2, column=0, columnspan=2, sticky="nsew")
        box.columnconfigure(0, weight=1)
        box.rowconfigure(0, weight=1)
        self.table = ttk.Treeview(box, columns=COLUMNS, show="headings", selectmode="browse", style="Frames.Treeview")
        for name in COLUMNS:
            anchor: Literal["e", "w"] = "e" if name in ("sigmas", "share") else "w"
            self.table.column(name, width=self._theme.px(_WIDTHS[name]), stretch=name == "file", anchor=anchor)
            self.table.heading(name, anchor=anchor)
        bar = ttk.Scrollbar(box, orient="vertical", command=self.table.yview)
        self.table.configure(yscrollcommand=bar.set)
        self.table.grid(row=0, column=0, sticky="nsew")
        bar.grid(row=0, column=1, sticky="ns")
        self.table.bind("<<TreeviewSelect>>", lambda _: self._show_details())
        for event in ("<Return>", "<Double-Button-1>"):
            self.table.bind(event, lambda _: self._show_file())

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self.close_button.configure(text=words.text("pixel.close"))
        self.show_file.configure(text=words.text("pixel.show_file"))
        for name in COLUMNS:
            self.table.heading(name, text=words.text(f"pixel.column.{name}"))
        self.update_state()

    def update_state(self) -> None:
        """Show what is known now."""
        words, story = self._session.words, self._desk.story
        self._heading.configure(text=panel_heading(self._desk, words))
        self.summary.configure(text="\n".join(panel_lines(self._desk, words)))
        self._stop_filling()
        self.table.delete(*self.table.get_children())
        self._rows = [] if story is None else pixel_rows(story, words)
        self._fill(0)
        if self._rows:
            self.table.selection_set("0")
            self.table.focus("0")
        self._show_details()

    def _fill(self, first: int) -> None:
        """Put rows into the table, a part at a time."""
        for number, row in enumerate(self._rows[first : first + _AT_A_TIME], first):
            self.table.insert("", "end", str(number), values=(row.state, row.short_file, row.sigmas, row.share))
        more = first + _AT_A_TIME < len(self._rows)
        self._filling = self.after(1, self._fill, first + _AT_A_TIME) if more else None

    def _stop_filling(self) -> None:
        if self._filling is not None:
            self.after_cancel(self._filling)
            self._filling = None

    @property
    def _row(self) -> PixelRow | None:
        chosen = self.table.selection()
        return self._rows[int(chosen[0])] if chosen and self._rows else None

    def _show_details(self) -> None:
        row, story = self._row, self._desk.story
        lines = [] if row is None or story is None else detail_lines(row.frame, story, self._session.words)
        self.details.configure(state="normal")
        self.details.delete("1.0", "end")
        self.details.insert("end", "\n".join(lines))
        self.details.configure(state="disabled")
        self.show_file.state(["!disabled" if lines else "disabled"])

    def _show_file(self) -> None:
        row = self._row
        if row is not None:
            self._session.opener.open(Path(row.frame.path).parent)

    def _recolour(self) -> None:
        look = self._theme.palette
        self.details.configure(background=look.card, foreground=look.text)
        self.details.configure(selectbackground=look.accent, selectforeground=look.on_accent)
