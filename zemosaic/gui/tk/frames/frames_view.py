"""The frames page: the folder's frames on a map of the sky, in a table and in histograms."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from functools import partial
from tkinter import filedialog, ttk

from zemosaic.gui.presenter.desktop.window_state import WindowState
from zemosaic.gui.presenter.frames.frames_commands import SIGNS, FramesCommands
from zemosaic.gui.presenter.frames.frames_page import FramesPage
from zemosaic.gui.presenter.frames.frames_presenter import TABLE_NAME
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.desktop.questions import ask_name
from zemosaic.gui.tk.frames.frames_histograms import HistogramCanvas
from zemosaic.gui.tk.frames.frames_map import MapCanvas
from zemosaic.gui.tk.frames.frames_plot import PlotCanvas
from zemosaic.gui.tk.frames.frames_table import FrameTableView
from zemosaic.gui.tk.frames.large_frame import LargeFrameWindow
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import Choice, Tooltip, on_write, wrap_to_width

__all__ = ["FramesView"]


class FramesView(ttk.Frame):
    """Frames to look at and to choose from."""

    def __init__(
        self, parent: tk.Misc, session: Session, theme: Theme, refresh: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(parent, padding=(theme.px(20), theme.px(10), theme.px(20), 0))
        self._session = session
        self._theme = theme
        self.page = FramesPage(session)
        self.commands = FramesCommands(self.page, self, refresh)
        self.buttons: dict[str, ttk.Button] = {}
        self.large: LargeFrameWindow | None = None
        self._make_top()
        self._make_limits()
        self._make_strip()
        self.split = ttk.PanedWindow(self, orient="horizontal")
        self.split.pack(side="top", fill="both", expand=True, pady=(theme.px(8), 0))
        left, right = ttk.Frame(self.split), ttk.Frame(self.split)
        self.split.add(left, weight=5)
        self.split.add(right, weight=7)
        self.map_share = WindowState().map_share
        self.split.bind("<Configure>", lambda event: self._place_sash(event.width))
        self.split.bind("<ButtonRelease-1>", lambda _: self._sash_moved())
        self._make_map_tools(left)
        self.map = MapCanvas(left, self.page, theme, self.commands.pick, self.commands.take_region)
        self.map.pack(fill="both", expand=True, padx=(0, theme.px(4)))
        self._make_plot(left)
        self._make_table_tools(right)
        self.table = FrameTableView(right, session, theme, self.commands.update, self.commands.press)
        self.table.pack(fill="both", expand=True, padx=(theme.px(4), 0))
        # The keyboard goes through the page from top to bottom, not in the order in which it was made.
        self._strip.lift()
        self._line.lift()
        self._bind_keys()
        self.bind("<Destroy>", self._destroyed)
        self.retranslate()

    def retranslate(self) -> None:
        words = self._session.words
        for key, button in self.buttons.items():
            button.configure(text=SIGNS.get(key) or words.text(f"frames.{key}"))
        self._against.configure(text=words.text("plot.against"))
        labels = {"search": self._search_label, "colour": self._colour_label, "limit": self._limit_label}
        for key, label in (labels | {"limit_to": self._to}).items():
            label.configure(text=words.text(f"frames.{key}"))
        self.table.retranslate()
        self.commands.offer_choices()

    @property
    def search_text(self) -> str:
        return self.search.get()

    @property
    def typed_limits(self) -> tuple[str, str]:
        return self.low.get(), self.high.get()

    def focus_search(self) -> None:
        self.entry.focus_set()

    def share_width(self, map_share: float) -> None:
        """Give the map a part of the width, once the page has one."""
        self.map_share = map_share

    def show_texts(self, summary: str, selected: str, given: str) -> None:
        self._given = given
        self._summary.configure(text=summary)
        self._selected.configure(text=selected)

    def show_button(self, key: str, is_enabled: bool, is_visible: bool) -> None:
        button, packed = self.buttons[key], self._places.get(key)
        button.state(["!disabled" if is_enabled else "disabled"])
        if packed is not None and is_visible and not button.winfo_manager():
            packed()
        elif not is_visible:
            button.pack_forget()

    def show_plot(self, is_shown: bool) -> None:
        self.buttons["plot"].state(["pressed" if is_shown else "!pressed"])
        shown, hidden = (self._plot_pane, self.map) if is_shown else (self.map, self._plot_pane)
        hidden.pack_forget()
        shown.pack(fill="both", expand=True, padx=(0, self._theme.px(4)))

    def show_region_marking(self, is_marking: bool) -> None:
        self.buttons["region"].state(["pressed" if is_marking else "!pressed"])

    def show_limits(self, low: str, high: str, spread: str) -> None:
        self.low.set(low)
        self.high.set(high)
        self._range.configure(text=spread)

    def redraw(self) -> None:
        """Draw the map and the histograms anew."""
        (self.plot if self.page.is_plot_shown else self.map).redraw()
        for histogram in self.histograms.values():
            histogram.redraw()

    def show_large(self) -> None:
        if self.large is None or not self.large.winfo_exists():
            viewer, words = self.page.viewer, self._session.words
            self.large = LargeFrameWindow(self, viewer, self._theme, words, self.commands.pick)
        self.large.look()

    def ask_folder(self, title: str, begin: str) -> str:
        return str(filedialog.askdirectory(parent=self.winfo_toplevel(), title=title, initialdir=begin) or "")

    def ask_table(self, title: str, is_new: bool) -> str:
        parent, kinds = self.winfo_toplevel(), [("CSV", "*.csv")]
        if is_new:
            return filedialog.asksaveasfilename(parent=parent, defaultextension=".csv", initialfile=TABLE_NAME)
        return filedialog.askopenfilename(parent=parent, filetypes=kinds)

    def ask_name(self, title: str, question: str, offered: Sequence[str], begin: str, accept: str) -> str | None:
        answers = accept, self._session.words.text("window.cancel")
        return ask_name(self, self._theme, (title, question), offered, begin, answers)

    def _bind_keys(self) -> None:
        """Let Delete leave frames out, where map or table has the focus, and Control-Z undo."""
        places: list[tk.Misc] = [self.map, self.plot, self.table.tree]
        for widget in places:
            for keys, command in (("<Delete>", "leave_out"), ("<space>", "large"), ("<Double-Button-1>", "large")):
                widget.bind(keys, partial(self._pressed, command))
        for keys, command in (("<Control-z>", "undo"), ("<Control-Z>", "redo"), ("<Control-y>", "redo")):
            self.winfo_toplevel().bind(keys, partial(self._key_pressed, command), add=True)

    def _pressed(self, command: str, event: tk.Event[tk.Misc]) -> str | None:
        """Do what a key does, or a double click on a frame: on a heading or a check mark it is two clicks."""
        if event.widget is self.table.tree and event.num == 1 and not self.table.is_frame_at(event.x, event.y):
            return None
        self.commands.press(command)
        return "break"

    def _key_pressed(self, command: str, event: tk.Event[tk.Misc]) -> None:
        """Undo or redo wherever the focus is on this page, but in a field that is typed into."""
        if self.winfo_viewable() and not isinstance(event.widget, ttk.Entry):
            self.commands.press(command)

    def _button(self, parent: tk.Misc, key: str, width: int | None = None) -> ttk.Button:
        button = ttk.Button(parent, command=partial(self.commands.press, key))
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
        self._given = ""
        Tooltip(self._summary, self._theme, lambda: self._given)

    def _make_map_tools(self, side: ttk.Frame) -> None:
        gap = self._theme.px(6)
        tools = self._map_tools = ttk.Frame(side)
        tools.pack(side="top", fill="x", pady=(0, gap), padx=(0, self._theme.px(4)))
        right = ttk.Frame(tools)
        right.pack(side="right")
        made = {key: self._button(right, key) for key in ("fit", "region", "whole", "plot")}
        made["plot"].pack(side="left", padx=(gap, 0))
        for key in ("fit", "region", "whole"):
            self._places[key] = partial(made[key].pack, side="left", padx=(gap, 0), before=made["plot"])
        self._colour_label = ttk.Label(tools, style="Muted.TLabel")
        self.colour = Choice(tools, self._theme, self.commands.colour_by, width=8)
        self._colour_label.pack(side="left", padx=(0, gap))
        self.colour.pack(side="left", fill="x", expand=True)

    def _make_plot(self, side: ttk.Frame) -> None:
        gap = self._theme.px(6)
        pane = self._plot_pane = ttk.Frame(side)
        axes = ttk.Frame(pane)
        axes.pack(side="top", fill="x", pady=(0, gap))
        self.plot_y, self.plot_x = (
            Choice(axes, self._theme, lambda _: self.commands.use_axes(), width=13) for _ in range(2)
        )
        self._against = ttk.Label(axes, style="Muted.TLabel")
        for widget in (self.plot_y, self._against, self.plot_x):
            widget.pack(side="left", padx=(0, gap))
        self.plot = PlotCanvas(pane, self.page, self._theme, self.commands.pick)
        self.plot.pack(fill="both", expand=True)

    def _make_table_tools(self, side: ttk.Frame) -> None:
        gap = self._theme.px(6)
        tools = self._table_tools = ttk.Frame(side)
        tools.pack(side="top", fill="x", pady=(0, gap), padx=(self._theme.px(4), 0))
        right = ttk.Frame(tools)
        right.pack(side="right")
        for key in ("leave_out", "keep"):
            self._button(right, key).pack(side="left", padx=(gap, 0))
        for key in SIGNS:
            self._button(right, key, width=2).pack(side="left", padx=(gap, 0))
        self._search_label = ttk.Label(tools, style="Muted.TLabel")
        self._search_label.pack(side="left")
        self.search = tk.StringVar(self)
        on_write(self.search, tools, self.commands.filter)
        self.entry = ttk.Entry(tools, textvariable=self.search, width=6)
        self.entry.pack(side="left", fill="x", expand=True, padx=gap)
        self.kinds = Choice(tools, self._theme, lambda _: self.commands.filter(), width=None)
        self.kinds.pack(side="left")

    def _make_strip(self) -> None:
        strip = self._strip = ttk.Frame(self)
        strip.pack(side="bottom", fill="x", pady=(self._theme.px(8), 0))
        self.histograms: dict[str, HistogramCanvas] = {}
        for column, (metric, histogram) in enumerate(self.page.histograms.items()):
            chosen = partial(self.commands.use_metric, metric)
            made = HistogramCanvas(strip, histogram, self._session, self._theme, self.commands.update, chosen)
            made.grid(row=0, column=column, sticky="nsew", padx=(0 if column == 0 else self._theme.px(6), 0))
            strip.columnconfigure(column, weight=1, uniform="histogram")
            self.histograms[metric] = made

    def _make_limits(self) -> None:
        gap = self._theme.px(6)
        line = self._line = ttk.Frame(self)
        line.pack(side="bottom", fill="x", pady=(gap, 0))
        self._limit_label, self._to = (ttk.Label(line, style="Muted.TLabel") for _ in range(2))
        self.limited = Choice(line, self._theme, self.commands.use_metric, width=14)
        self.low, self.high = tk.StringVar(self), tk.StringVar(self)
        entries = [ttk.Entry(line, textvariable=variable, width=8) for variable in (self.low, self.high)]
        for widget in (self._limit_label, self.limited, entries[0], self._to, entries[1]):
            widget.pack(side="left", padx=(0, gap))
        for entry in entries:
            for event in ("<Return>", "<FocusOut>"):
                entry.bind(event, lambda _: self.commands.take_limits())
        self._button(line, "group").pack(side="right")
        self._selected: ttk.Label = ttk.Label(line, style="Muted.TLabel")
        self._selected.pack(side="right", padx=gap)
        self._range = ttk.Label(line, style="Muted.TLabel")
        self._range.pack(side="left")

    def _place_sash(self, width: int) -> None:
        """Give the map its share of a width, but no side less than its buttons need."""
        left, right = self._widths_needed(width)
        self.split.sashpos(0, max(left, min(round(self.map_share * width), width - right)))

    def _widths_needed(self, width: int) -> list[int]:
        """Return how wide map and table have to be; where both do not fit the labels of their tools go."""
        tools = (
            (self._map_tools, self._colour_label, self.colour),
            (self._table_tools, self._search_label, self.entry),
        )
        labels = [label.winfo_reqwidth() + self._theme.px(6) for _, label, _ in tools]
        are_shown = bool(self._colour_label.winfo_manager())
        needed = [bar.winfo_reqwidth() + self._theme.px(8) for bar, *_ in tools]
        bare = [side - are_shown * label for side, label in zip(needed, labels, strict=True)]
        if sum(bare) + sum(labels) > width:
            for _, label, _ in tools:
                label.pack_forget()  # what it names explains itself, which a button that is pushed out does not
            return bare
        for _, label, neighbour in tools:
            label.pack(side="left", before=neighbour, padx=(0, self._theme.px(6)))
        return [side + label for side, label in zip(bare, labels, strict=True)]

    def _sash_moved(self) -> None:
        self.map_share = self.split.sashpos(0) / max(self.split.winfo_width(), 1)

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self.page.close()
