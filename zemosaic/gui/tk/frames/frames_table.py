"""The table of frames in Tk: only the rows in sight exist, so that 50,000 scroll like fifty."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from tkinter import font as tk_font
from tkinter import ttk
from typing import Literal

import numpy as np

from zemosaic.gui.presenter.frames.frame_cells import cell_text, short_name
from zemosaic.gui.presenter.frames.frame_table import COLUMNS, METRICS, FrameTable
from zemosaic.gui.presenter.frames.frames_page import ROW_COMMANDS
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import RIGHT_CLICKS
from zemosaic.i18n import Translator

__all__ = ["FrameTableView"]

_WIDTHS = {
    "keep": 62,
    "file": 190,
    "verdict": 150,
    "night": 90,
    "eccentricity": 104,
    "background": 100,
    "fwhm": 92,
    "weight": 92,
    "exposure": 104,
    "telescope": 110,
    "field": 124,
}
_SHIFT, _CONTROL = 0x1, 0x4


class FrameTableView(ttk.Frame):
    """A table whose window moves over the rows that the presenter shows."""

    def __init__(
        self,
        parent: tk.Misc,
        session: Session,
        theme: Theme,
        changed: Callable[[], None],
        press: Callable[[str], None],
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._theme = theme
        self._changed = changed
        self._press = press
        self._first = 0
        """Place, among the rows shown, of the first one in sight."""
        self._anchor = 0
        self._row_px = theme.px(24)
        self.tree = ttk.Treeview(self, columns=COLUMNS, show="headings", selectmode="none", style="Frames.Treeview")
        for name in COLUMNS:
            anchor: Literal["e", "w"] = "e" if name in METRICS else "w"
            self.tree.column(name, width=theme.px(_WIDTHS.get(name, 86)), stretch=False, anchor=anchor)
            self.tree.heading(name, anchor=anchor, command=partial(self._sort, name))
        self._bar = ttk.Scrollbar(self, orient="vertical", command=self._scrolled)
        across = ttk.Scrollbar(self, orient="horizontal", command=self.tree.xview)
        self.tree.configure(xscrollcommand=across.set)
        self.tree.grid(row=0, column=0, sticky="nsew")
        self._bar.grid(row=0, column=1, sticky="ns")
        across.grid(row=1, column=0, sticky="ew")
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self._menu = tk.Menu(self, tearoff=False)
        self.show_columns(())
        self._bind()

    @property
    def _frames(self) -> FrameTable | None:
        return self._session.frames.table

    @property
    def _in_sight(self) -> int:
        return max((self.tree.winfo_height() - self._theme.px(30)) // self._row_px, 1)

    def retranslate(self) -> None:
        self.show_headings()
        self.refresh()

    def widths(self) -> dict[str, int]:
        return {name: int(self.tree.column(name, "width")) for name in COLUMNS}

    def use_widths(self, widths: Mapping[str, int]) -> None:
        for name in COLUMNS:
            if name in widths:
                self.tree.column(name, width=widths[name])

    def shown_columns(self) -> list[str]:
        return [str(name) for name in self.tree.cget("displaycolumns")]

    def show_columns(self, names: Sequence[str]) -> None:
        """Show some columns in an order; all of them where none is named."""
        self.tree.configure(displaycolumns=list(names) or list(COLUMNS))

    def columns_menu(self, clicked: str) -> tk.Menu:
        """Return the menu that moves the column clicked on, and shows and hides others; the first two stay."""
        words, shown = self._session.words, self.shown_columns()
        self._menu.delete(0, "end")
        self._theme.dress_menu(self._menu)
        if clicked in shown[2:]:
            for key, step in (("left", -1), ("right", 1)):
                to = shown.index(clicked) + step
                state: Literal["normal", "disabled"] = "normal" if 2 <= to < len(shown) else "disabled"
                move = partial(self._move_column, clicked, to)
                self._menu.add_command(label=words.text(f"frames.columns_{key}"), command=move, state=state)
            self._menu.add_separator()
        for name in COLUMNS[2:]:
            sign = "☑" if name in shown else "☐"
            label = f"{sign}  {words.text(f'frames.column.{name}')}"
            self._menu.add_command(label=label, command=partial(self._toggle_column, name))
        self._menu.add_separator()
        self._menu.add_command(label=words.text("frames.columns_all"), command=lambda: self.show_columns(()))
        return self._menu

    def _move_column(self, name: str, to: int) -> None:
        shown = [column for column in self.shown_columns() if column != name]
        self.show_columns([*shown[:to], name, *shown[to:]])

    def _toggle_column(self, name: str) -> None:
        shown = self.shown_columns()
        self.show_columns([field for field in shown if field != name] if name in shown else [*shown, name])

    def _offer_menu(self, event: tk.Event[tk.Misc]) -> None:
        region = self.tree.identify_region(event.x, event.y)
        if region == "heading":
            clicked = str(self.tree.column(self.tree.identify_column(event.x), "id"))
            self.columns_menu(clicked).tk_popup(event.x_root, event.y_root)
        elif region == "cell" and self._frames is not None:
            row = self._frames.shown[[self._first + self.tree.index(self.tree.identify_row(event.y))]]
            if not self._frames.selected[row[0]]:
                self._frames.select(row)
                self._changed()
            self.rows_menu().tk_popup(event.x_root, event.y_root)

    def rows_menu(self) -> tk.Menu:
        """Return the menu of the selected rows."""
        self._menu.delete(0, "end")
        self._theme.dress_menu(self._menu)
        for key in ROW_COMMANDS:
            text = self._session.words.text(f"frames.{key}")
            self._menu.add_command(label=text, command=partial(self._press, key))
        return self._menu

    def refresh(self) -> None:
        """Show the rows in sight as they are now."""
        table, words = self._frames, self._session.words
        shown = np.empty(0, np.intp) if table is None else table.shown
        room = self._in_sight
        self._first = min(max(self._first, 0), max(len(shown) - room, 0))
        rows = shown[self._first : self._first + room]
        lines = [] if table is None else [_line(table, int(row), words) for row in rows]
        existing = self.tree.get_children()
        for item in existing[len(lines) :]:
            self.tree.delete(item)
        for item, line in zip(existing, lines, strict=False):
            self.tree.item(item, values=line)
        for line in lines[len(existing) :]:
            self.tree.insert("", "end", values=line)
        items = self.tree.get_children()
        chosen = [item for item, row in zip(items, rows, strict=False) if table is not None and table.selected[row]]
        self.tree.selection_set(chosen)
        total = max(len(shown), 1)
        self._bar.set(self._first / total, min((self._first + room) / total, 1.0))

    def reveal_selected(self) -> None:
        """Scroll to the first selected row, unless one is in sight."""
        if self._frames is None:
            return
        places = np.flatnonzero(self._frames.selected[self._frames.shown])
        in_sight = (places >= self._first) & (places < self._first + self._in_sight)
        if len(places) and not in_sight.any():
            self._first = int(places[0])
        self.refresh()

    def _bind(self) -> None:
        tree = self.tree
        tree.bind("<Configure>", lambda _: self.refresh())
        tree.bind("<ButtonPress-1>", self._pressed)
        for button in RIGHT_CLICKS:
            tree.bind(button, self._offer_menu)
        tree.bind("<MouseWheel>", lambda event: self._move(-3 if event.delta > 0 else 3))
        tree.bind("<Button-4>", lambda _: self._move(-3))
        tree.bind("<Button-5>", lambda _: self._move(3))
        for key, steps in (("Up", -1), ("Down", 1)):
            tree.bind(f"<{key}>", lambda event, steps=steps: self._walk(event, steps))  # type: ignore[misc]
        for key, pages in (("Prior", -1), ("Next", 1)):
            tree.bind(f"<{key}>", lambda event, pages=pages: self._walk(event, pages * self._in_sight))  # type: ignore[misc]
        for key, end in (("Home", -(10**9)), ("End", 10**9)):
            tree.bind(f"<{key}>", lambda event, end=end: self._walk(event, end))  # type: ignore[misc]
        tree.bind("<Insert>", lambda _: self._press("keep"))
        tree.bind("<Control-a>", lambda _: self._select_all())

    def _sort(self, name: str) -> None:
        if self._frames is not None:
            column, downward = self._frames.sorting
            self._frames.sort(name, not downward if column == name else False)
            self._first = 0
            self.show_headings()
            self._changed()

    def show_sorting(self, column: str, downward: bool) -> None:
        for name in COLUMNS:
            # In front, for a narrow column cuts the end of its heading off.
            arrow = "" if name != column else "▼ " if downward else "▲ "
            self.tree.heading(name, text=arrow + self._session.words.text(f"frames.column.{name}"))

    def show_headings(self) -> None:
        """Show the columns' names and by which one the rows are sorted; no column is narrower than its name."""
        letters = tk_font.nametofont("ZmBold", self)
        for name in COLUMNS:
            needed = letters.measure(self._session.words.text(f"frames.column.{name}")) + self._theme.px(10)
            if needed > int(self.tree.column(name, "width")):
                self.tree.column(name, width=needed)
        self.show_sorting(*(("file", False) if self._frames is None else self._frames.sorting))

    def _scrolled(self, how: str, amount: str, unit: str = "") -> None:
        if self._frames is None:
            return
        if how == "moveto":
            self._first = round(float(amount) * len(self._frames.shown))
        else:
            self._first += int(amount) * (self._in_sight if unit == "pages" else 1)
        self.refresh()

    def _move(self, lines: int) -> str:
        self._first += lines
        self.refresh()
        return "break"

    def _pressed(self, event: tk.Event[tk.Misc]) -> str | None:
        if self.tree.identify_region(event.x, event.y) != "cell" or self._frames is None:
            return None
        self.tree.focus_set()
        place = self._first + self.tree.index(self.tree.identify_row(event.y))
        row = self._frames.shown[[place]]
        if self.tree.column(self.tree.identify_column(event.x), "id") == "keep":
            self._frames.set_keep(row, not bool(self._frames.keep[row[0]]))
        elif int(event.state) & _CONTROL:
            self._frames.select(row, add=True)
            self._anchor = place
        else:
            self._select_to(place, bool(int(event.state) & _SHIFT))
        self._changed()
        return "break"

    def _walk(self, event: tk.Event[tk.Misc], steps: int) -> str:
        """Move the selection by the keyboard; with Shift it grows."""
        if self._frames is not None and len(self._frames.shown):
            places = np.flatnonzero(self._frames.selected[self._frames.shown])
            at = self._anchor if not len(places) else int(places[-1] if steps > 0 else places[0])
            at = min(max(at + steps, 0), len(self._frames.shown) - 1)
            self._select_to(at, bool(int(event.state) & _SHIFT))
            if not self._first <= at < self._first + self._in_sight:
                self._first = at if steps < 0 else at - self._in_sight + 1
            self._changed()
        return "break"

    def is_frame_at(self, x: int, y: int) -> bool:
        """Return whether a point lies in a row, beside its check mark.

        Parameters
        ----------
        x, y : int
            Pixels of the table.
        """
        in_cell = self.tree.identify_region(x, y) == "cell"
        return in_cell and self.tree.column(self.tree.identify_column(x), "id") != "keep"

    def _select_to(self, place: int, extend: bool) -> None:
        assert self._frames is not None
        if not extend:
            self._anchor = place
        low, high = sorted((self._anchor, place))
        self._frames.select(self._frames.shown[low : high + 1])

    def _select_all(self) -> str:
        if self._frames is not None:
            self._frames.select(self._frames.shown)
            self._changed()
        return "break"


def _line(table: FrameTable, row: int, words: Translator) -> list[str]:
    """Return the texts of a row; of a long file name beginning and end, which Tk would cut off."""
    short = short_name(table.files[row])
    return [short if column == "file" else cell_text(table, row, column, words) for column in COLUMNS]
