"""The run page: phases, time left, warnings, the mosaic growing, the log."""

from __future__ import annotations

import tkinter as tk
from tkinter import filedialog, ttk

from zemosaic.gui.presenter.result.picture_loader import Loaded
from zemosaic.gui.presenter.run.run_page import LogFeed, RunFace, empty_text, run_face
from zemosaic.gui.presenter.run.run_state import PhaseStatus
from zemosaic.gui.presenter.run.run_text import LEVELS, PhaseCells
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.tk.linked_text import insert_linked
from zemosaic.gui.tk.picture import Levels, Picture
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import Choice, wrap_to_width

__all__ = ["LogPane", "RunView"]

_STYLES = {
    PhaseStatus.WAITING: "Card.Muted.TLabel",
    PhaseStatus.RUNNING: "Card.Accent.TLabel",
    PhaseStatus.DONE: "Card.Good.TLabel",
    PhaseStatus.FAILED: "Card.Bad.TLabel",
    PhaseStatus.STOPPED: "Card.Muted.TLabel",
}


class PhaseRow:
    """One phase: sign, name, bar, count, time."""

    def __init__(self, card: ttk.Frame, place: int, theme: Theme) -> None:
        self._sign = ttk.Label(card, style="Card.Muted.TLabel", width=2)
        self._name = ttk.Label(card, style="Card.TLabel")
        self._bar = ttk.Progressbar(card, length=theme.px(50), maximum=1.0)
        self._count = ttk.Label(card, style="Card.Muted.TLabel", anchor="e", width=11)
        self._time = ttk.Label(card, style="Card.Muted.TLabel", anchor="e", width=10)
        for column, widget in enumerate((self._sign, self._name, self._bar, self._count, self._time)):
            sticky = "ew" if column in (1, 2) else "e"
            widget.grid(row=place, column=column, sticky=sticky, pady=theme.px(3), padx=(0, theme.px(8)))
        self._shown: PhaseCells | None = None

    def update(self, cells: PhaseCells) -> None:
        """Show the phase as it is now."""
        if cells == self._shown:
            return
        self._shown = cells
        self._sign.configure(text=cells.sign, style=_STYLES[cells.status])
        self._name.configure(text=cells.name)
        self._bar.configure(value=cells.fraction)
        self._count.configure(text=cells.count)
        self._time.configure(text=cells.time)


class LogPane(ttk.Frame):
    """The log with a level filter, to copy and to save."""

    def __init__(self, parent: tk.Misc, session: Session, theme: Theme, level: str) -> None:
        super().__init__(parent, style="Card.TFrame", padding=theme.px(16))
        self._session = session
        self._theme = theme
        self._feed = LogFeed(session)
        px = theme.px
        top = ttk.Frame(self, style="Inner.TFrame")
        top.pack(fill="x")
        self._heading = ttk.Label(top, style="Card.Heading.TLabel")
        self._heading.pack(side="left")
        self._save = ttk.Button(top, command=self._save_pressed)
        self._copy = ttk.Button(top, command=self._copy_pressed)
        for button in (self._save, self._copy):
            button.pack(side="right", padx=(px(6), 0))
        self._level = Choice(top, theme, lambda _: self.rewrite(), width=14)
        self._level.pack(side="right")
        self._level.offer(LEVELS, LEVELS, level)
        body = ttk.Frame(self, style="Inner.TFrame")
        body.pack(fill="both", expand=True, pady=(px(8), 0))
        self.text = tk.Text(body, height=7, wrap="word", state="disabled", borderwidth=0, highlightthickness=1)
        self.text.configure(font="ZmSmall", padx=px(8), pady=px(6))
        bar = ttk.Scrollbar(body, orient="vertical", style="Card.Vertical.TScrollbar", command=self.text.yview)
        self.text.configure(yscrollcommand=bar.set)
        bar.pack(side="right", fill="y", padx=(px(4), 0))
        self.text.pack(side="left", fill="both", expand=True)
        self.bind("<<ThemeChanged>>", lambda _: self._recolour())
        self._recolour()
        self.retranslate()

    @property
    def level(self) -> str:
        """The least important level that is shown."""
        return self._level.value

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._heading.configure(text=words.text("run.log"))
        self._copy.configure(text=words.text("run.copy"))
        self._save.configure(text=words.text("run.save"))
        self._level.offer(LEVELS, self._feed.level_texts(), self.level)
        self.rewrite()

    def rewrite(self) -> None:
        """Write all lines anew."""
        self._feed.begin_again()
        self.update_lines()

    def update_lines(self) -> None:
        """Add the lines that came since the last time."""
        is_anew, lines = self._feed.take(self.level)
        if not lines and not is_anew:
            return
        at_end = self.text.yview()[1] >= 0.999
        self.text.configure(state="normal")
        if is_anew:
            self.text.delete("1.0", "end")
        for line, level in lines:
            insert_linked(self.text, line + "\n", self._session, level)
        self.text.configure(state="disabled")
        if at_end:
            self.text.see("end")

    def _copy_pressed(self) -> None:
        self.clipboard_clear()
        self.clipboard_append(self.text.get("1.0", "end-1c"))

    def _save_pressed(self) -> None:
        chosen = filedialog.asksaveasfilename(
            parent=self.winfo_toplevel(), defaultextension=".txt", initialfile="zemosaic_log.txt"
        )
        self._feed.save(str(chosen or ""), self.text.get("1.0", "end-1c"))

    def _recolour(self) -> None:
        look = self._theme.palette
        self.text.configure(background=look.field, foreground=look.text, insertbackground=look.text)
        self.text.configure(highlightbackground=look.border, highlightcolor=look.accent)
        self.text.configure(selectbackground=look.accent, selectforeground=look.on_accent)
        colours = {"DEBUG": look.muted, "INFO": look.text, "WARNING": look.warning, "ERROR": look.bad}
        for level, ink in colours.items():
            self.text.tag_configure(level, foreground=ink)


class RunView(ttk.Frame):
    """What a run does right now."""

    def __init__(self, parent: tk.Misc, session: Session, theme: Theme, log_level: str) -> None:
        px = theme.px
        super().__init__(parent, padding=(px(20), px(14), px(20), 0))
        self._session = session
        self._theme = theme
        self._face: RunFace | None = None
        self.columnconfigure(0, weight=0, minsize=px(420))
        self.columnconfigure(1, weight=1)
        self.rowconfigure(0, weight=3)
        self.rowconfigure(2, weight=2)
        left = ttk.Frame(self)
        left.grid(row=0, column=0, rowspan=3, sticky="nsew", padx=(0, px(12)))
        self._make_phases(left)
        self._make_warnings(left)
        self.picture = Picture(self, theme, lambda: empty_text(session))
        self.picture.grid(row=0, column=1, sticky="nsew")
        self._caption = ttk.Label(self, style="Muted.TLabel", anchor="center")
        self._caption.grid(row=1, column=1, sticky="ew", pady=(px(4), px(8)))
        self.log = LogPane(self, session, theme, log_level)
        self.log.grid(row=2, column=1, sticky="nsew")
        self.retranslate()

    def retranslate(self) -> None:
        self._warnings_heading.configure(text=self._session.words.text("run.warnings"))
        self._face = None
        self.log.retranslate()
        self.picture.redraw()
        self.update_state()

    def show_picture(self, loaded: Loaded[Levels] | None) -> None:
        self.picture.show(loaded)

    def update_state(self) -> None:
        face = run_face(self._session)
        if self._face is not None and face.heading != self._face.heading:
            self.picture.redraw()  # what stands in place of a mosaic tells how the run ended
        self._heading.configure(text=face.heading)
        self._time.configure(text=face.time)
        self._whole.configure(value=face.fraction)
        for row, cells in zip(self._phases, face.phases, strict=False):
            row.update(cells)
        self._facts.configure(text=face.facts)
        self._caption.configure(text=face.caption)
        if self._face is None or face.warnings != self._face.warnings:
            self._show_warnings(face)
        self._face = face
        self.log.update_lines()

    @property
    def log_level(self) -> str:
        return self.log.level

    def _make_phases(self, parent: ttk.Frame) -> None:
        px = self._theme.px
        card = ttk.Frame(parent, style="Card.TFrame", padding=px(16))
        card.pack(fill="x")
        card.columnconfigure(2, weight=1)
        self._heading = ttk.Label(card, style="Card.Heading.TLabel")
        self._heading.grid(row=0, column=0, columnspan=2, sticky="w")
        self._time = ttk.Label(card, style="Card.TLabel", anchor="e")
        self._time.grid(row=0, column=2, columnspan=3, sticky="e", padx=(0, px(8)))
        self._whole = ttk.Progressbar(card, maximum=1.0)
        self._whole.grid(row=1, column=0, columnspan=5, sticky="ew", pady=px(8), padx=(0, px(8)))
        self._phases = [PhaseRow(card, 2 + i, self._theme) for i in range(len(self._session.state.phases))]
        self._facts = ttk.Label(card, style="Card.Muted.TLabel", justify="left")
        self._facts.grid(row=20, column=0, columnspan=5, sticky="ew", pady=(px(8), 0))
        wrap_to_width(self._facts)

    def _make_warnings(self, parent: ttk.Frame) -> None:
        px = self._theme.px
        card = ttk.Frame(parent, style="Card.TFrame", padding=px(16))
        card.pack(fill="both", expand=True, pady=(px(12), 0))
        self._warnings_heading = ttk.Label(card, style="Card.Heading.TLabel")
        self._warnings_heading.pack(anchor="w")
        self._warnings = tk.Text(card, height=3, width=40, wrap="word", state="disabled", borderwidth=0)
        self._warnings.configure(highlightthickness=0, font="ZmSmall", padx=0, pady=px(6), takefocus=False)
        self._warnings.pack(fill="both", expand=True)
        self._warnings.bind("<<ThemeChanged>>", lambda _: self._recolour())
        self._recolour()

    def _show_warnings(self, face: RunFace) -> None:
        self._warnings.configure(state="normal")
        self._warnings.delete("1.0", "end")
        insert_linked(self._warnings, face.warnings, self._session)
        self._warnings.configure(state="disabled")
        self._face = face
        self._recolour()

    def _recolour(self) -> None:
        look = self._theme.palette
        ink = look.warning if self._face is not None and self._face.has_warnings else look.muted
        self._warnings.configure(background=look.card, foreground=ink, selectbackground=look.accent)
