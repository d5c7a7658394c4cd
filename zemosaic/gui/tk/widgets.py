"""Small widgets the views share."""

from __future__ import annotations

import math
import sys
import tkinter as tk
from collections.abc import Callable, Iterator, Sequence
from tkinter import font as tk_font
from tkinter import ttk
from typing import Any

from zemosaic.gui.presenter.desktop.window_menus import MenuEntry
from zemosaic.gui.tk.theme import Theme
from zemosaic.i18n import Translator

__all__ = [
    "RIGHT_CLICKS",
    "Choice",
    "EntryMenu",
    "MenuButton",
    "ScrollFrame",
    "Tooltip",
    "on_write",
    "take_apart",
    "wrap_to_width",
    "yield_labels",
]

_MAX_BODY_PX = 1400
_LEAST_LETTERS = 4
"""So narrow a choice may become that gives way to others."""

RIGHT_CLICKS = (
    ("<ButtonPress-2>", "<ButtonPress-3>", "<Control-ButtonPress-1>")
    if sys.platform == "darwin"
    else ("<ButtonPress-3>",)
)
"""Tk on macOS calls the right button 2, from Tk 9 on 3; many a mouse there has one button."""


class ScrollFrame(ttk.Frame):
    """A frame that scrolls its `body` up and down."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent)
        self._theme = theme
        self._canvas = tk.Canvas(self, highlightthickness=0, borderwidth=0, takefocus=False)
        self._bar = ttk.Scrollbar(self, orient="vertical", command=self._canvas.yview)
        self._canvas.configure(yscrollcommand=self._scrolled, yscrollincrement=theme.px(20))
        self._gap = ttk.Frame(self, width=theme.px(12))
        self._gap.pack(side="right", fill="y")
        self._bar.lift(self._gap)  # it is placed over the gap, which was made later and would hide it
        self._canvas.pack(side="left", fill="both", expand=True)
        self._bar.place(in_=self._gap, relx=1.0, relheight=1.0, anchor="ne")
        self.body = ttk.Frame(self._canvas)
        self._window = self._canvas.create_window(0, 0, anchor="nw", window=self.body)
        self.body.bind("<Configure>", self._body_changed)
        self._canvas.bind("<Configure>", self._canvas_changed)
        self.bind("<<ThemeChanged>>", lambda _: self._recolour())
        self._recolour()

    def scroll(self, lines: int) -> None:
        """Scroll by some lines, where there is anything to scroll."""
        if self.body.winfo_reqheight() > self._canvas.winfo_height():
            self._canvas.yview_scroll(lines, "units")

    def to_top(self) -> None:
        """Show the beginning."""
        self._canvas.yview_moveto(0)

    def reveal(self, widget: tk.Misc) -> None:
        """Scroll so far that a widget of the body is seen."""
        top, height = self._canvas.canvasy(0), self._canvas.winfo_height()
        y = widget.winfo_rooty() - self.body.winfo_rooty()
        total = max(self.body.winfo_height(), 1)
        if y < top:
            self._canvas.yview_moveto(max(y - self._theme.px(24), 0) / total)
        elif y + widget.winfo_height() > top + height:
            self._canvas.yview_moveto((y + widget.winfo_height() + self._theme.px(24) - height) / total)

    def _scrolled(self, first: float, last: float) -> None:
        self._bar.set(float(first), float(last))
        if float(first) <= 0.0 and float(last) >= 1.0:
            self._bar.place_forget()
        elif not self._bar.winfo_manager():
            self._bar.place(in_=self._gap, relx=1.0, relheight=1.0, anchor="ne")

    def _body_changed(self, event: tk.Event[tk.Misc]) -> None:
        self._canvas.configure(scrollregion=(0, 0, event.width, event.height))

    def _canvas_changed(self, event: tk.Event[tk.Misc]) -> None:
        # On a very wide screen a label would stand far from its field.
        self._canvas.itemconfigure(self._window, width=min(event.width, self._theme.px(_MAX_BODY_PX)))

    def _recolour(self) -> None:
        self._canvas.configure(background=self._theme.palette.background)


class Choice(ttk.Combobox):
    """A read-only choice between values that are shown in words; without a width it is as wide as the longest."""

    def __init__(self, parent: tk.Misc, theme: Theme, chosen: Callable[[str], None], width: int | None = 24) -> None:
        super().__init__(parent, state="readonly", postcommand=self._recolour_list)
        self._theme = theme
        self._fits = width is None
        if width is not None:
            self.configure(width=width)
        self._values: tuple[str, ...] = ()
        self._chosen = chosen
        self.bind("<<ComboboxSelected>>", self._selected)
        # The wheel scrolls the page; a setting must not change because the pointer happened to pass it.
        self.bindtags(tuple("ZmChoice" if tag == "TCombobox" else tag for tag in self.bindtags()))
        self._copy_class_bindings()

    @property
    def value(self) -> str:
        return self._values[self.current()] if self.current() >= 0 else ""

    def offer(self, values: Sequence[str], texts: Sequence[str], value: str) -> None:
        self._values = tuple(values)
        self.configure(values=list(texts))
        if self._fits:
            self.fit()
        self.choose(value)

    def fit(self, room: int = sys.maxsize) -> None:
        """Be as wide as the longest text, or as there is room in pixels."""
        letters = tk_font.nametofont("TkDefaultFont", self)
        letter, needed = letters.measure("0"), max(map(letters.measure, self.cget("values")), default=0)
        around = self.winfo_reqwidth() - int(self.cget("width")) * letter  # what arrow and margins take
        width = min(math.ceil(needed / letter), (room - around) // letter)
        self.configure(width=max(width, _LEAST_LETTERS))

    def choose(self, value: str) -> None:
        if value in self._values:
            self.current(self._values.index(value))

    def _selected(self, _event: tk.Event[tk.Misc]) -> None:
        self.selection_clear()
        self._chosen(self.value)

    def _copy_class_bindings(self) -> None:
        if self.bind_class("ZmChoice"):
            return
        for event in self.bind_class("TCombobox"):
            if "Wheel" not in event and event not in ("<Button-4>", "<Button-5>", "<Button-6>", "<Button-7>"):
                self.tk.call("bind", "ZmChoice", event, self.tk.call("bind", "TCombobox", event))

    def _recolour_list(self) -> None:
        look = self._theme.palette
        popdown = self.tk.call("ttk::combobox::PopdownWindow", self)
        colours = ("-background", look.card, "-foreground", look.text)
        picked = ("-selectbackground", look.accent, "-selectforeground", look.on_accent)
        edge = ("-highlightthickness", 0, "-borderwidth", 0, "-font", "TkDefaultFont")
        self.tk.call(f"{popdown}.f.l", "configure", *colours, *picked, *edge)


class MenuButton(ttk.Button):
    """A button that offers things to do, one of which is then done."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        chosen: Callable[[str], None],
        entries: Callable[[], Sequence[MenuEntry]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(parent, command=self._post, **options)
        self._theme = theme
        self._chosen = chosen
        self._entries = entries
        self.menu = tk.Menu(self, tearoff=False)

    def offer(self, values: Sequence[str], texts: Sequence[str]) -> None:
        """Set what can be chosen and its words, in place of what was offered before.

        Parameters
        ----------
        values : sequence of str
            `chosen` is called with one of them.
        texts : sequence of str
            As many as values.
        """
        self.show_entries([MenuEntry(value, text) for value, text in zip(values, texts, strict=True)])

    def show_entries(self, entries: Sequence[MenuEntry]) -> None:
        """Set what can be chosen, some of which perhaps not now."""
        self.menu.delete(0, "end")
        for entry in entries:
            self.menu.add_command(
                label=entry.text,
                state="normal" if entry.can_choose else "disabled",
                command=lambda value=entry.value: self._chosen(value),  # type: ignore[misc]
            )

    def _post(self) -> None:
        if self._entries is not None:
            self.show_entries(self._entries())
        self._theme.dress_menu(self.menu)
        self.menu.tk_popup(self.winfo_rootx(), self.winfo_rooty() + self.winfo_height())


class EntryMenu:
    """What every field that is typed into can do: Control-A selects all, and a menu cuts, copies and pastes."""

    _ACTS = ("Cut", "Copy", "Paste", "SelectAll")

    def __init__(self, root: tk.Misc, theme: Theme, words: Translator) -> None:
        self._theme = theme
        self._words = words
        self.menu = tk.Menu(root, tearoff=False)
        for kind in ("TEntry", "TCombobox"):
            root.bind_class(kind, "<Control-a>", self._select_all)
            for button in RIGHT_CLICKS:
                root.bind_class(kind, button, self._post)

    def _select_all(self, event: tk.Event[tk.Misc]) -> str:
        event.widget.event_generate("<<SelectAll>>")
        return "break"

    def _post(self, event: tk.Event[tk.Misc]) -> None:
        widget = event.widget
        if "readonly" in widget.state():  # type: ignore[attr-defined]
            return
        widget.focus_set()
        self.menu.delete(0, "end")
        self._theme.dress_menu(self.menu)
        for act in self._ACTS:
            text = self._words.text(f"entry.{act.lower()}")
            self.menu.add_command(label=text, command=lambda act=act: widget.event_generate(f"<<{act}>>"))  # type: ignore[misc]
        self.menu.tk_popup(event.x_root, event.y_root)


def on_write(variable: tk.Variable, owner: tk.Misc, act: Callable[[], object]) -> None:
    """Call a function whenever a variable is written, as long as a widget is there.

    Tk keeps what watches a variable beyond the widget's end, and with it the whole window.

    Parameters
    ----------
    variable : tk.Variable
    owner : tk.Misc
    act : callable
    """
    name = variable.trace_add("write", lambda *_: act())

    def end(event: tk.Event[tk.Misc]) -> None:
        if event.widget is owner:
            variable.trace_remove("write", name)

    owner.bind("<Destroy>", end, add=True)


class Tooltip:
    """A short text that appears beside a widget the pointer rests on."""

    _DELAY_MS = 500

    def __init__(self, widget: tk.Misc, theme: Theme, text: Callable[[], str]) -> None:
        self._widget = widget
        self._theme = theme
        self._text = text
        self._waiting: str | None = None
        self._shown: tk.Toplevel | None = None
        widget.bind("<Enter>", self._enter, add=True)
        for event in ("<Leave>", "<ButtonPress>", "<Destroy>"):
            widget.bind(event, self._leave, add=True)

    def _enter(self, _event: tk.Event[tk.Misc]) -> None:
        self._cancel()
        self._waiting = self._widget.after(self._DELAY_MS, self._show)

    def _leave(self, _event: tk.Event[tk.Misc]) -> None:
        self._cancel()
        if self._shown is not None:
            self._shown.destroy()
            self._shown = None

    def _cancel(self) -> None:
        if self._waiting is not None:
            self._widget.after_cancel(self._waiting)
            self._waiting = None

    def _show(self) -> None:
        self._waiting = None
        text, look = self._text(), self._theme.palette
        if not text or self._shown is not None:
            return
        self._shown = tk.Toplevel(self._widget, background=look.border, padx=1, pady=1)
        self._shown.wm_overrideredirect(True)
        label = tk.Label(self._shown, text=text, background=look.card, foreground=look.text, padx=8, pady=5)
        label.configure(font="ZmSmall", wraplength=self._theme.px(380), justify="left")
        label.pack()
        x, y = self._widget.winfo_rootx(), self._widget.winfo_rooty() + self._widget.winfo_height() + 4
        self._shown.update_idletasks()
        width, height = self._shown.winfo_reqwidth(), self._shown.winfo_reqheight()
        x = max(min(x, self._widget.winfo_screenwidth() - width), 0)
        if y + height > self._widget.winfo_screenheight():
            y = self._widget.winfo_rooty() - height - 4
        self._shown.wm_geometry(f"+{x}+{y}")


def take_apart(root: tk.Misc) -> None:
    """Destroy a window and let go of all that its widgets hold.

    Widgets, what they call and what they show hold each other.  Left to the collector of garbage they would be freed
    by whatever thread it happens to run in, and Tk's variables and pictures may be freed by Tk's own thread only.

    Parameters
    ----------
    root : tkinter widget
    """
    widgets = list(_all_of(root))
    root.destroy()
    for widget in widgets:
        vars(widget).clear()


def _all_of(widget: tk.Misc) -> Iterator[tk.Misc]:
    for child in widget.winfo_children():
        yield child
        yield from _all_of(child)


def yield_labels(line: ttk.Frame, *labels: ttk.Label) -> None:
    """Let labels of a line go where it is too narrow for all that is in it, before a button would be cut.

    Parameters
    ----------
    line : ttk.Frame
        Its children lie in a grid.
    *labels : ttk.Label
        The first one goes first.
    """

    def fit(width: int) -> None:
        hidden = [label for label in labels if not label.winfo_manager()]
        needed = line.winfo_reqwidth() + sum(label.winfo_reqwidth() for label in hidden)
        for label in labels:
            if needed > width:
                label.grid_remove()
                needed -= label.winfo_reqwidth()
            else:
                label.grid()

    line.bind("<Configure>", lambda event: fit(event.width), add=True)


def wrap_to_width(label: ttk.Label, margin: int = 4) -> None:
    """Let a label break its lines at its own width, which its place must give it.

    Parameters
    ----------
    label : ttk.Label
        Loses what width it asked for.
    margin : int
        Pixels that its frame takes of its width.
    """
    # A label that also asked for a width of its own would change what it reacts to, and never come to rest.
    label.configure(width=1)
    label.bind("<Configure>", lambda event: _wrap(label, max(event.width - margin, 60)), add=True)


def _wrap(label: ttk.Label, length: int) -> None:
    if str(label.cget("wraplength")) != str(length):
        label.configure(wraplength=length)
