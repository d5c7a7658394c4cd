"""The result page: the mosaic with zoom, what it is made of, and the way to its files."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from tkinter import ttk

from zemosaic.gui.presenter.desktop import open_path
from zemosaic.gui.presenter.session import Session
from zemosaic.gui.presenter.wording import summary_lines
from zemosaic.gui.tk.picture import Loaded, Picture, picture_buttons
from zemosaic.gui.tk.theme import Theme

__all__ = ["ResultView"]


class ResultView(ttk.Frame):
    """What the last run made."""

    def __init__(self, parent: tk.Misc, session: Session, theme: Theme) -> None:
        px = theme.px
        super().__init__(parent, padding=(px(20), px(14), px(20), 0))
        self._session = session
        self._theme = theme
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.picture = Picture(self, theme, lambda: session.words.text("result.empty"))
        self.picture.grid(row=0, column=0, sticky="nsew")
        side = ttk.Frame(self, style="Card.TFrame", padding=px(16), width=px(360))
        side.grid(row=0, column=1, rowspan=2, sticky="ns", padx=(px(12), 0))
        side.pack_propagate(False)
        self._heading = ttk.Label(side, style="Card.Heading.TLabel")
        self._heading.pack(anchor="w")
        buttons = ttk.Frame(side, style="Inner.TFrame")
        buttons.pack(side="bottom", fill="x")
        self._told = tk.Text(side, wrap="word", state="disabled", borderwidth=0, highlightthickness=0, width=1)
        self._told.configure(font="TkDefaultFont", spacing3=px(5), takefocus=False, padx=0, pady=px(6))
        self._told.pack(fill="both", expand=True)
        self._told.bind("<<ThemeChanged>>", lambda _: self._recolour())
        self._recolour()
        self._open_report = ttk.Button(buttons, command=self._report_pressed)
        self._open_folder = ttk.Button(buttons, command=self._folder_pressed)
        for button in (self._open_report, self._open_folder):
            button.pack(side="bottom", fill="x", pady=(px(8), 0))
        tools = ttk.Frame(self)
        tools.grid(row=1, column=0, sticky="w", pady=(px(10), 0))
        self._tools = picture_buttons(tools, self.picture)
        for tool in self._tools.values():
            tool.pack(side="left", padx=(0, px(6)))
        self._hint = ttk.Label(tools, style="Muted.TLabel")
        self._hint.pack(side="left", padx=px(8))
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._heading.configure(text=words.text("result.heading"))
        self._open_report.configure(text=words.text("result.open_report"))
        self._open_folder.configure(text=words.text("result.open_folder"))
        self._hint.configure(text=words.text("result.hint"))
        for key, button in self._tools.items():
            button.configure(text=words.text(key))
        self.picture.redraw()
        self.update_state()

    def show_picture(self, loaded: Loaded | None) -> None:
        """Show the finished mosaic."""
        self.picture.show(loaded)
        self._set_tools(loaded is not None)

    def update_state(self) -> None:
        """Show the result of the last run."""
        result = self._session.state.result
        lines = summary_lines(self._session.state, self._session.words) if result is not None else []
        self._told.configure(state="normal")
        self._told.delete("1.0", "end")
        self._told.insert("end", "\n".join(lines) or self._session.words.text("result.none"))
        self._told.configure(state="disabled")
        for button in (self._open_report, self._open_folder):
            button.state(["!disabled" if result is not None else "disabled"])
        self._set_tools(self._session.state.result is not None)

    def _recolour(self) -> None:
        look = self._theme.palette
        self._told.configure(background=look.card, foreground=look.text)
        self._told.configure(selectbackground=look.accent, selectforeground=look.on_accent)

    def _set_tools(self, on: bool) -> None:
        for tool in self._tools.values():
            tool.state(["!disabled" if on else "disabled"])

    def _folder_pressed(self) -> None:
        if self._session.state.result is not None:
            self._open(Path(self._session.state.result.mosaic).parent)

    def _report_pressed(self) -> None:
        if self._session.state.result is not None:
            self._open(Path(self._session.state.result.report_html))

    def _open(self, path: Path) -> None:
        if not open_path(path):
            self._session.tell_problem("error.not_opened", path=str(path))
