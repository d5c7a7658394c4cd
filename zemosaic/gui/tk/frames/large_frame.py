"""The window in which frames are seen large, in Tk."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import partial
from tkinter import ttk

from zemosaic.gui.presenter.large_frame.frame_viewer import VIEWER_BUTTONS, VIEWER_KEYS, FrameViewer, button_text
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import Tooltip, wrap_to_width
from zemosaic.i18n import Translator

__all__ = ["LargeFrameWindow"]

_TICK_MS = 20
_KEYSYMS = {"Space": "<space>", "+": "<plus>", "=": "<equal>", "-": "<minus>", "0": "<Key-0>", "1": "<Key-1>"}
"""Tk's names of keys, where they are not those of `VIEWER_KEYS`."""


class LargeFrameWindow(tk.Toplevel):
    """One frame large, its texts above and its buttons below; keys are those of `VIEWER_KEYS`.

    Parameters
    ----------
    parent : tkinter widget
        Before whose window it stands.
    viewer : FrameViewer
    theme : Theme
    words : Translator
    changed : callable
        Called after each step, for the table follows.
    """

    def __init__(
        self, parent: tk.Misc, viewer: FrameViewer, theme: Theme, words: Translator, changed: Callable[[], None]
    ) -> None:
        super().__init__(parent, background=theme.palette.background)
        self._viewer, self._theme, self._words, self._changed = viewer, theme, words, changed
        self._photo: tk.PhotoImage | None = None
        self._ticking: str | None = None
        self._drawing: str | None = None
        self._last = (0, 0)
        self.buttons: dict[str, ttk.Button] = {}
        self._make()
        self._bind_keys()
        self.protocol("WM_DELETE_WINDOW", lambda: self.press("close"))
        self.bind("<Destroy>", self._destroyed)
        width, height = (min(theme.px(1100), self.winfo_screenwidth()), min(theme.px(760), self.winfo_screenheight()))
        self.geometry(f"{width}x{height - theme.px(60)}")

    def look(self) -> None:
        """Show the frame that the viewer was opened with."""
        self.title(self._words.text("viewer.window"))
        for key, button in self.buttons.items():
            button.configure(text=button_text(key, self._words))
        self.lift()
        self.canvas.focus_force()
        if self._ticking is None:
            self._tick()
        self.refresh()

    def press(self, command: str) -> None:
        """Do what a key or a button does."""
        self._viewer.press(command)
        if self._viewer.is_open:
            self.refresh()
            self._changed()
        else:
            self.destroy()

    def refresh(self) -> None:
        """Show the frame as it is now."""
        texts = self._viewer.texts(self._words)
        self._title.configure(text=texts.title)
        self._verdict.configure(text=texts.verdict, style="Problem.TLabel" if texts.is_excluded else "Bold.TLabel")
        self._facts.configure(text=texts.facts)
        for key, button in self.buttons.items():
            button.state(["!disabled" if self._viewer.enabled(key) else "disabled"])
        self.buttons["same_place"].state(["pressed" if self._viewer.only_same_place else "!pressed"])
        self.redraw()

    def redraw(self) -> None:
        """Draw soon, once for any number of requests."""
        if self._drawing is None:
            self._drawing = self.after_idle(self._draw)

    def _draw(self) -> None:
        self._drawing = None
        seen = self._viewer.picture()
        self.canvas.delete("all")
        if seen is None:
            return
        height, width = seen.shape[:2]
        data = b"P6 %d %d 255\n" % (width, height) + seen.tobytes()
        self._photo = tk.PhotoImage(master=self, data=data, format="PPM")
        self.canvas.create_image(0, 0, image=self._photo, anchor="nw")
        note, middle = self._viewer.note(self._words), (width // 2, height // 2)
        self.canvas.create_text(*middle, text=note, fill="#e7eaf0", width=max(width - 80, 60), justify="center")

    def _make(self) -> None:
        px, theme = self._theme.px, self._theme
        inner = ttk.Frame(self, padding=px(10))
        inner.pack(fill="both", expand=True)
        head = ttk.Frame(inner)
        head.pack(side="top", fill="x")
        self._title, self._verdict = ttk.Label(head, style="Bold.TLabel"), ttk.Label(head)
        self._title.pack(side="left")
        self._verdict.pack(side="left", padx=px(16))
        self._facts = ttk.Label(inner, style="Muted.TLabel", justify="left")
        self._facts.pack(side="top", fill="x", pady=(px(2), px(8)))
        wrap_to_width(self._facts)
        row = ttk.Frame(inner)
        row.pack(side="bottom", fill="x", pady=(px(8), 0))
        self.canvas = tk.Canvas(inner, highlightthickness=1, borderwidth=0, takefocus=True, cursor="crosshair")
        look = theme.palette
        self.canvas.configure(background=look.sky, highlightbackground=look.border, highlightcolor=look.accent)
        self.canvas.pack(side="top", fill="both", expand=True)
        for key in VIEWER_BUTTONS:
            self.buttons[key] = ttk.Button(row, command=partial(self.press, key))
            self.buttons[key].pack(side="left", padx=(0, px(6)))
            Tooltip(self.buttons[key], theme, lambda key=key: self._words.text(f"viewer.{key}.help"))  # type: ignore[misc]

    def _bind_keys(self) -> None:
        for name, command in VIEWER_KEYS.items():
            keysym = _KEYSYMS.get(name, f"<{name}>" if len(name) > 1 else f"<Key-{name.lower()}>")
            self.bind(keysym, partial(self._key_pressed, command))
        for keys, command in (("<Control-z>", "undo"), ("<Control-Z>", "redo"), ("<Control-y>", "redo")):
            self.bind(keys, partial(self._key_pressed, command))
        canvas = self.canvas
        canvas.bind("<Configure>", self._resized)
        canvas.bind("<ButtonPress-1>", self._pressed)
        canvas.bind("<B1-Motion>", self._dragged)
        canvas.bind("<Double-Button-1>", lambda _: self.press("close"))
        canvas.bind("<MouseWheel>", lambda event: self._wheel(event, event.delta))
        for button, turn in ((4, 1), (5, -1)):
            canvas.bind(f"<Button-{button}>", lambda event, turn=turn: self._wheel(event, turn))  # type: ignore[misc]

    def _key_pressed(self, command: str, event: tk.Event[tk.Misc]) -> str | None:
        """Do what a key does, but leave Space to a button that has the focus."""
        if event.keysym == "space" and isinstance(event.widget, ttk.Button):
            return None
        self.press(command)
        return "break"

    def _wheel(self, event: tk.Event[tk.Misc], turn: int) -> str:
        self._viewer.zoom(1 if turn > 0 else -1, event.x, event.y)
        self.redraw()
        return "break"

    def _pressed(self, event: tk.Event[tk.Misc]) -> None:
        self.canvas.focus_set()
        self._last = (event.x, event.y)

    def _dragged(self, event: tk.Event[tk.Misc]) -> None:
        self._viewer.pan(event.x - self._last[0], event.y - self._last[1])
        self._last = (event.x, event.y)
        self.redraw()

    def _resized(self, event: tk.Event[tk.Misc]) -> None:
        self._viewer.resize(event.width, event.height)
        self.redraw()

    def _tick(self) -> None:
        self._ticking = self.after(_TICK_MS, self._tick)
        if not self._viewer.is_open:
            self.destroy()
        elif self._viewer.pump():
            self.refresh()

    def _destroyed(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is not self:
            return
        for booked in (self._ticking, self._drawing):
            if booked is not None:
                self.after_cancel(booked)
        self._viewer.close()
