"""The frames page: the folder's frames on a map of the sky and in a table."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from pathlib import Path
from tkinter import filedialog, ttk

import numpy as np

from zemosaic.errors import ZeMosaicError
from zemosaic.gui.presenter.frame_table import METRICS, SHOWN
from zemosaic.gui.presenter.frames_desk import TABLE_NAME
from zemosaic.gui.presenter.limits import beyond_text, rows_beyond, spread_text
from zemosaic.gui.presenter.map_picture import COLOURINGS
from zemosaic.gui.presenter.session import Session
from zemosaic.gui.presenter.sky_map import SkyMap
from zemosaic.gui.tk.frames_map import MapCanvas
from zemosaic.gui.tk.frames_table import FrameTableView
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import Choice, wrap_to_width

__all__ = ["FramesView"]

SIDES = ("above", "below")


class FramesView(ttk.Frame):
    """Frames to look at and to choose from."""

    def __init__(self, parent: tk.Misc, session: Session, theme: Theme) -> None:
        super().__init__(parent, padding=(theme.px(20), theme.px(14), theme.px(20), 0))
        self._session = session
        self._theme = theme
        self._shown: tuple[int, int] | None = None
        self.buttons: dict[str, ttk.Button] = {}
        self._make_top()
        split = ttk.Frame(self)
        split.pack(fill="both", expand=True, pady=(theme.px(10), 0))
        split.columnconfigure(0, weight=5, uniform="half")
        split.columnconfigure(1, weight=7, uniform="half")
        split.rowconfigure(1, weight=1)
        self.map = MapCanvas(split, SkyMap(session.frames), session, theme, self._map_picked)
        self.map.grid(row=1, column=0, sticky="nsew", padx=(0, theme.px(10)))
        self.table = FrameTableView(split, session, theme, self.update_state)
        self.table.grid(row=1, column=1, sticky="nsew")
        self._make_map_tools(split)
        self._make_table_tools(split)
        self._make_foot(split)
        self.bind_all_keys()
        self.retranslate()

    def bind_all_keys(self) -> None:
        """Let Delete leave frames out and Control-Z undo, where map or table has the focus."""
        for widget in (self.map, self.table.tree):
            widget.bind("<Delete>", lambda _: self._set_keep(False))
            widget.bind("<Control-z>", lambda _: self.undo())

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        for key, button in self.buttons.items():
            button.configure(text=words.text(f"frames.{key}"))
        for key, text in (("search", self._search_label), ("colour", self._colour_label), ("limit", self._limit_label)):
            text.configure(text=words.text(f"frames.{key}"))
        self._hint.configure(text=words.text("frames.hint"))
        colour, kind = self.colour.value or "night", self.kinds.value or "all"
        self.colour.offer(COLOURINGS, [words.text(f"frames.colour.{name}") for name in COLOURINGS], colour)
        self.kinds.offer(SHOWN, [words.text(f"frames.show.{name}") for name in SHOWN], kind)
        limited, side = self.limited.value or "fwhm", self.side.value or "above"
        self.limited.offer(METRICS, [words.text(f"frames.column.{name}") for name in METRICS], limited)
        self.side.offer(SIDES, [words.text(f"frames.limit_{name}") for name in SIDES], side)
        self.table.retranslate()
        self._shown = None
        self.update_state()

    def update_state(self) -> None:
        """Show the frames as they are now, where anything changed."""
        desk, words = self._session.frames, self._session.words
        self._summary.configure(text=desk.summary(words))
        table = desk.table
        shown = (desk.version, table.version if table is not None else 0)
        if shown == self._shown:
            return
        if table is not None and (self._shown is None or self._shown[0] != desk.version):
            table.filter(self.search.get(), self.kinds.value)
        self._shown = (desk.version, table.version if table is not None else 0)
        chosen = 0 if table is None else int(table.selected.sum())
        self._selected.configure(text=words.text("frames.selected", count=chosen) if table is not None else "")
        able = {"leave_out": chosen > 0, "keep": chosen > 0, "export": table is not None, "import": table is not None}
        able["undo"] = table is not None and table.can_undo
        for key, on in able.items():
            self.buttons[key].state(["!disabled" if on else "disabled"])
        self.table.refresh()
        self.map.redraw()
        self._show_limit()

    def choose(self) -> None:
        """Ask for a folder of frames."""
        start = str(self._session.form.row("input_dir").value) or str(Path.home())
        title = self._session.words.text("setting.input_dir.label")
        chosen = filedialog.askdirectory(parent=self.winfo_toplevel(), title=title, initialdir=start)
        if chosen:
            self.open_folder(str(chosen))

    def open_folder(self, folder: str) -> None:
        """Look at the frames of a folder."""
        self._session.problem = None
        self._session.scan_frames(str(Path(folder)))
        self.update_state()

    def undo(self) -> None:
        """Take the last choice back."""
        if self._session.frames.table is not None:
            self._session.frames.table.undo()
            self.update_state()

    def _button(self, parent: tk.Misc, key: str, act: Callable[[], None]) -> ttk.Button:
        self.buttons[key] = ttk.Button(parent, command=act)
        return self.buttons[key]

    def _make_top(self) -> None:
        gap = self._theme.px(6)
        top = ttk.Frame(self)
        top.pack(fill="x")
        self._button(top, "choose", self.choose).pack(side="left", padx=(0, 2 * gap))
        self._button(top, "export", self._export_pressed).pack(side="right", padx=(gap, 0))
        self._button(top, "import", self._import_pressed).pack(side="right", padx=(gap, 0))
        self._summary = ttk.Label(top, justify="left")
        self._summary.pack(side="left", fill="x", expand=True)
        wrap_to_width(self._summary)

    def _make_map_tools(self, split: ttk.Frame) -> None:
        gap = self._theme.px(6)
        tools = ttk.Frame(split)
        tools.grid(row=0, column=0, sticky="ew", pady=(0, gap))
        self._colour_label = ttk.Label(tools, style="Muted.TLabel")
        self.colour = Choice(tools, self._theme, self._colour_chosen, width=22)
        self._colour_label.pack(side="left", padx=(0, gap))
        self.colour.pack(side="left", padx=(0, gap))
        self._button(tools, "fit", self._fit_pressed).pack(side="left")

    def _make_table_tools(self, split: ttk.Frame) -> None:
        gap = self._theme.px(6)
        tools = ttk.Frame(split)
        tools.grid(row=0, column=1, sticky="ew", pady=(0, gap))
        self._button(tools, "undo", self.undo).pack(side="right", padx=(gap, 0))
        self._button(tools, "keep", lambda: self._set_keep(True)).pack(side="right", padx=(gap, 0))
        self._button(tools, "leave_out", lambda: self._set_keep(False)).pack(side="right", padx=(gap, 0))
        self._search_label = ttk.Label(tools, style="Muted.TLabel")
        self._search_label.pack(side="left")
        self.search = tk.StringVar(self)
        self.search.trace_add("write", lambda *_: self._filter())
        self.entry = ttk.Entry(tools, textvariable=self.search, width=8)
        self.entry.pack(side="left", fill="x", expand=True, padx=gap)
        self.kinds = Choice(tools, self._theme, lambda _: self._filter(), width=16)
        self.kinds.pack(side="left")

    def _make_foot(self, split: ttk.Frame) -> None:
        gap = self._theme.px(6)
        self._hint = ttk.Label(split, style="Muted.TLabel", justify="left")
        self._hint.grid(row=2, column=0, sticky="ew", pady=(gap, 0))
        wrap_to_width(self._hint)
        foot = ttk.Frame(split)
        foot.grid(row=2, column=1, sticky="ew", pady=(gap, 0))
        self._limit_label = ttk.Label(foot, style="Muted.TLabel")
        self.limited = Choice(foot, self._theme, lambda _: self._show_limit(), width=12)
        self.side = Choice(foot, self._theme, lambda _: self._show_limit(), width=11)
        self.limit = tk.StringVar(self)
        self.limit.trace_add("write", lambda *_: self._show_limit())
        entry = ttk.Entry(foot, textvariable=self.limit, width=6)
        self.apply_limit = ttk.Button(foot, command=self._limit_pressed)
        for widget in (self._limit_label, self.limited, self.side, entry, self.apply_limit):
            widget.pack(side="left", padx=(0, gap))
        self._selected = ttk.Label(foot, style="Muted.TLabel")
        self._selected.pack(side="right")
        self._range = ttk.Label(foot, style="Muted.TLabel")
        self._range.pack(side="left")

    def _show_limit(self) -> None:
        if not hasattr(self, "_range"):
            return
        table, words = self._session.frames.table, self._session.words
        self._range.configure(text=spread_text(table, self.limited.value, words))
        rows = rows_beyond(table, self.limited.value, self.limit.get(), self.side.value)
        self.apply_limit.configure(text=beyond_text(len(rows), words))
        self.apply_limit.state(["!disabled" if len(rows) else "disabled"])

    def _limit_pressed(self) -> None:
        table = self._session.frames.table
        if table is not None:
            table.set_keep(rows_beyond(table, self.limited.value, self.limit.get(), self.side.value), False)
            self.update_state()

    def _map_picked(self) -> None:
        self.table.reveal_selected()
        self.update_state()

    def _set_keep(self, keep: bool) -> None:
        table = self._session.frames.table
        if table is not None:
            table.set_keep(np.flatnonzero(table.selected), keep)
            self.update_state()

    def _filter(self) -> None:
        if self._session.frames.table is not None:
            self._session.frames.table.filter(self.search.get(), self.kinds.value)
            self.update_state()

    def _colour_chosen(self, colouring: str) -> None:
        self.map.sky.colour_by(colouring)
        self.map.redraw()

    def _fit_pressed(self) -> None:
        self.map.sky.fit()
        self.map.redraw()

    def _export_pressed(self) -> None:
        parent = self.winfo_toplevel()
        chosen = filedialog.asksaveasfilename(parent=parent, defaultextension=".csv", initialfile=TABLE_NAME)
        if chosen:
            self._try(lambda: self._session.frames.export(Path(chosen)))

    def _import_pressed(self) -> None:
        chosen = filedialog.askopenfilename(parent=self.winfo_toplevel(), filetypes=[("CSV", "*.csv")])
        if chosen:
            self._try(lambda: self._session.frames.import_csv(Path(chosen)))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except ZeMosaicError as fault:
            self._session.problem = fault.message
        self.update_state()
