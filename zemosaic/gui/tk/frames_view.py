"""The frames page: the folder's frames on a map of the sky, in a table and in histograms."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from zemosaic.gui.presenter.desktop.window_state import WindowState
from zemosaic.gui.presenter.frames.frame_table import SHOWN
from zemosaic.gui.presenter.frames.frames_page import FramesPage
from zemosaic.gui.presenter.frames.frames_presenter import TABLE_NAME
from zemosaic.gui.presenter.frames.histograms import SHOWN_METRICS
from zemosaic.gui.presenter.frames.map_picture import COLOURINGS
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.frames_histograms import HistogramCanvas
from zemosaic.gui.tk.frames_map import MapCanvas
from zemosaic.gui.tk.frames_table import FrameTableView
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import Choice, Tooltip, ask_name, wrap_to_width

__all__ = ["FramesView"]

_SIGNS = {"undo": "↶", "redo": "↷"}


class FramesView(ttk.Frame):
    """Frames to look at and to choose from."""

    def __init__(
        self, parent: tk.Misc, session: Session, theme: Theme, refresh: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(parent, padding=(theme.px(20), theme.px(10), theme.px(20), 0))
        self._session = session
        self._theme = theme
        self._refresh = refresh
        self.page = FramesPage(session)
        self.buttons: dict[str, ttk.Button] = {}
        self._make_top()
        self._make_limits()
        self._make_strip()
        self.split = ttk.PanedWindow(self, orient="horizontal")
        self.split.pack(side="top", fill="both", expand=True, pady=(theme.px(8), 0))
        left, right = ttk.Frame(self.split), ttk.Frame(self.split)
        self.split.add(left, weight=5)
        self.split.add(right, weight=7)
        self._share = WindowState().map_share
        self.split.bind("<Configure>", lambda event: self._place_sash(event.width))
        self.split.bind("<ButtonRelease-1>", lambda _: self._sash_moved())
        self._make_map_tools(left)
        self.map = MapCanvas(left, self.page, theme, self._map_picked, self._region_marked)
        self.map.pack(fill="both", expand=True, padx=(0, theme.px(4)))
        self._make_table_tools(right)
        self.table = FrameTableView(right, session, theme, self.update_state)
        self.table.pack(fill="both", expand=True, padx=(theme.px(4), 0))
        # The keyboard goes through the page from top to bottom, not in the order in which it was made.
        self._strip.lift()
        self._line.lift()
        self._bind_keys()
        self.bind("<Destroy>", self._destroyed)
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words, page = self._session.words, self.page
        for key, button in self.buttons.items():
            button.configure(text=_SIGNS.get(key) or words.text(f"frames.{key}"))
        self._search_label.configure(text=words.text("frames.search"))
        self._colour_label.configure(text=words.text("frames.colour"))
        self._limit_label.configure(text=words.text("frames.limit"))
        self._to.configure(text=words.text("frames.limit_to"))
        colour, kind = self.colour.value or "night", self.kinds.value or "all"
        self.colour.offer(COLOURINGS, [words.text(f"frames.colour.{name}") for name in COLOURINGS], colour)
        self.kinds.offer(SHOWN, [words.text(f"frames.show.{name}") for name in SHOWN], kind)
        metrics = [words.text(f"frames.column.{name}") for name in SHOWN_METRICS]
        self.limited.offer(SHOWN_METRICS, metrics, page.metric)
        self.table.retranslate()
        page.forget_shown()
        self.update_state()

    def restore(self, state: WindowState) -> None:
        """Take columns, sorting, colouring and the sash as they were left."""
        self.table.use_widths(state.columns)
        self.table.show_columns(state.shown_columns)
        self.page.sorting = (state.sort_column, state.sort_downward)
        self.colour.choose(state.colouring)
        self._colour_chosen(state.colouring)
        self._share = state.map_share

    def remembered(self) -> dict[str, Any]:
        """Return what `restore` takes, by the names of `WindowState`."""
        return {
            "columns": self.table.widths(),
            "shown_columns": self.table.shown_columns(),
            "sort_column": self.page.sorting[0],
            "sort_downward": self.page.sorting[1],
            "colouring": self.colour.value,
            "map_share": self._share,
        }

    def update_state(self) -> None:
        """Show the frames as they are now, where anything changed."""
        self._summary.configure(text=self._session.frames.summary(self._session.words))
        if self.page.thumbnails.pump():
            self.map.redraw()
        if not self.page.changed():
            return
        self._selected.configure(text=self.page.selected_text())
        for key, button in self.buttons.items():
            button.state(["!disabled" if self.page.enabled(key) else "disabled"])
        for key, packed in self._places.items():
            if self.page.visible(key) and not self.buttons[key].winfo_manager():
                packed()
            elif not self.page.visible(key):
                self.buttons[key].pack_forget()
        self.table.show_headings()
        self.table.refresh()
        self.map.redraw()
        for histogram in self.histograms.values():
            histogram.redraw()
        self._show_limits()

    def press(self, key: str) -> None:
        """Do what a button does."""
        asking = {
            "choose": self.choose,
            "export": self._export,
            "import": self._import,
            "region": self._mark_region,
            "group": self._ask_group,
        }
        if key in asking:
            asking[key]()
        else:
            self.page.act(key)
        self.map.redraw()
        self.update_state()
        self._refresh()

    def choose(self) -> None:
        """Ask for a folder of frames."""
        start = str(self._session.form.row("input_dir").value) or str(Path.home())
        title = self._session.words.text("setting.input_dir.label")
        chosen = filedialog.askdirectory(parent=self.winfo_toplevel(), title=title, initialdir=start)
        if chosen:
            self.open_folder(str(chosen))

    def open_folder(self, folder: str) -> None:
        """Look at the frames of a folder."""
        self.page.open_folder(folder)
        self.update_state()

    def _bind_keys(self) -> None:
        """Let Delete leave frames out, and Control-Z and its like undo, where map, table or histogram has the focus."""
        places: list[tk.Misc] = [self.map, self.table.tree]
        for widget in places:
            widget.bind("<Delete>", lambda _: self.press("leave_out"))
        for widget in [*places, *self.histograms.values()]:
            widget.bind("<Control-z>", lambda _: self.press("undo"))
            for keys in ("<Control-Z>", "<Control-y>"):
                widget.bind(keys, lambda _: self.press("redo"))

    def _button(self, parent: tk.Misc, key: str, width: int | None = None) -> ttk.Button:
        button = ttk.Button(parent, command=partial(self.press, key))
        if width is not None:
            button.configure(width=width, style="Sign.TButton")
        Tooltip(button, self._theme, lambda: self.page.tooltip(key))
        self.buttons[key] = button
        return button

    def _make_top(self) -> None:
        gap = self._theme.px(6)
        top = ttk.Frame(self)
        top.pack(side="top", fill="x")
        self._button(top, "choose").pack(side="left", padx=(0, 2 * gap))
        right = ttk.Frame(top)
        right.pack(side="right")
        for key in ("measure", "solve"):
            self._button(right, key).pack(side="left", padx=(gap, 0))
        analyse = self._button(right, "analyse")
        for key in ("import", "export"):
            self._button(right, key).pack(side="left", padx=(gap, 0))
        self._places: dict[str, Callable[[], None]] = {
            "analyse": lambda: analyse.pack(side="left", padx=(gap, 0), before=self.buttons["import"])
        }
        self._summary = ttk.Label(top, justify="left")
        self._summary.pack(side="left", fill="x", expand=True)
        wrap_to_width(self._summary)

    def _make_map_tools(self, side: ttk.Frame) -> None:
        gap = self._theme.px(6)
        tools = self._map_tools = ttk.Frame(side)
        tools.pack(side="top", fill="x", pady=(0, gap), padx=(0, self._theme.px(4)))
        self._places["whole"] = partial(self._button(tools, "whole").pack, side="right", padx=(gap, 0))
        region = self._button(tools, "region")
        self._places["region"] = partial(region.pack, side="right", padx=(gap, 0))
        self._button(tools, "fit").pack(side="right", padx=(gap, 0))
        self._colour_label = ttk.Label(tools, style="Muted.TLabel")
        self.colour = Choice(tools, self._theme, self._colour_chosen, width=8)
        self._colour_label.pack(side="left", padx=(0, gap))
        self.colour.pack(side="left", fill="x", expand=True)

    def _make_table_tools(self, side: ttk.Frame) -> None:
        gap = self._theme.px(6)
        tools = self._table_tools = ttk.Frame(side)
        tools.pack(side="top", fill="x", pady=(0, gap), padx=(self._theme.px(4), 0))
        right = ttk.Frame(tools)
        right.pack(side="right")
        for key in ("leave_out", "keep"):
            self._button(right, key).pack(side="left", padx=(gap, 0))
        for key in _SIGNS:
            self._button(right, key, width=2).pack(side="left", padx=(gap, 0))
        self._search_label = ttk.Label(tools, style="Muted.TLabel")
        self._search_label.pack(side="left")
        self.search = tk.StringVar(self)
        self.search.trace_add("write", lambda *_: self._filter())
        self.entry = ttk.Entry(tools, textvariable=self.search, width=6)
        self.entry.pack(side="left", fill="x", expand=True, padx=gap)
        self.kinds = Choice(tools, self._theme, lambda _: self._filter(), width=15)
        self.kinds.pack(side="left")

    def _make_strip(self) -> None:
        strip = self._strip = ttk.Frame(self)
        strip.pack(side="bottom", fill="x", pady=(self._theme.px(8), 0))
        self.histograms: dict[str, HistogramCanvas] = {}
        for column, (metric, histogram) in enumerate(self.page.histograms.items()):
            chosen = partial(self._use_metric, metric)
            made = HistogramCanvas(strip, histogram, self._session, self._theme, self.update_state, chosen)
            made.grid(row=0, column=column, sticky="nsew", padx=(0 if column == 0 else self._theme.px(6), 0))
            strip.columnconfigure(column, weight=1, uniform="histogram")
            self.histograms[metric] = made

    def _make_limits(self) -> None:
        gap = self._theme.px(6)
        line = self._line = ttk.Frame(self)
        line.pack(side="bottom", fill="x", pady=(gap, 0))
        self._limit_label, self._to = (ttk.Label(line, style="Muted.TLabel") for _ in range(2))
        self.limited = Choice(line, self._theme, self._use_metric, width=14)
        self.low, self.high = tk.StringVar(self), tk.StringVar(self)
        entries = [ttk.Entry(line, textvariable=variable, width=8) for variable in (self.low, self.high)]
        for widget in (self._limit_label, self.limited, entries[0], self._to, entries[1]):
            widget.pack(side="left", padx=(0, gap))
        for entry in entries:
            for event in ("<Return>", "<FocusOut>"):
                entry.bind(event, lambda _: self._limits_typed())
        self._button(line, "group").pack(side="right")
        self._selected = ttk.Label(line, style="Muted.TLabel")
        self._selected.pack(side="right", padx=gap)
        self._range = ttk.Label(line, style="Muted.TLabel")
        self._range.pack(side="left")

    def _use_metric(self, metric: str) -> None:
        self.page.use_metric(metric)
        self.limited.choose(metric)
        self.map.redraw()
        self._show_limits()

    def _show_limits(self) -> None:
        low, high = self.page.histograms[self.page.metric].typed(self._session.words)
        self.low.set(low)
        self.high.set(high)
        self._range.configure(text=self.page.range_text())

    def _limits_typed(self) -> None:
        self.page.histograms[self.page.metric].type_limits(self.low.get(), self.high.get())
        self.update_state()
        self._show_limits()

    def _map_picked(self) -> None:
        self.table.reveal_selected()
        self.update_state()

    def _filter(self) -> None:
        self.page.filter(self.search.get(), self.kinds.value)
        self.update_state()

    def _colour_chosen(self, colouring: str) -> None:
        self.page.map.colour_by(colouring)
        self.map.redraw()

    def _mark_region(self) -> None:
        self.page.map.marking_region = not self.page.map.marking_region
        self.buttons["region"].state(["pressed" if self.page.map.marking_region else "!pressed"])

    def _region_marked(self, text: str | None) -> None:
        self.buttons["region"].state(["!pressed"])
        self.page.mark_region(text)

    def _ask_group(self) -> None:
        """Ask for the name of a group, offering those that there are."""
        page, words = self.page, self._session.words
        answers = words.text("frames.group.accept"), words.text("window.cancel")
        asked = words.text("frames.group.title"), page.group_question()
        name = ask_name(self, self._theme, asked, page.group_names, page.selected_group, answers)
        if name is not None:
            page.put_together(name)

    def _export(self) -> None:
        parent = self.winfo_toplevel()
        chosen = filedialog.asksaveasfilename(parent=parent, defaultextension=".csv", initialfile=TABLE_NAME)
        if chosen:
            self.page.export(Path(chosen))

    def _import(self) -> None:
        chosen = filedialog.askopenfilename(parent=self.winfo_toplevel(), filetypes=[("CSV", "*.csv")])
        if chosen:
            self.page.import_csv(Path(chosen))

    def _place_sash(self, width: int) -> None:
        """Give the map its share of a width, but no side less than its buttons need."""
        left, right = (tools.winfo_reqwidth() + self._theme.px(8) for tools in (self._map_tools, self._table_tools))
        self.split.sashpos(0, max(left, min(round(self._share * width), width - right)))

    def _sash_moved(self) -> None:
        self._share = self.split.sashpos(0) / max(self.split.winfo_width(), 1)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self.page.close()
