"""The row of one setting: its name, its field, what is wrong with it."""

from __future__ import annotations

import tkinter as tk
from functools import partial
from tkinter import filedialog, ttk

from zemosaic.gui.presenter.run.input_folder import folder_to_begin_in
from zemosaic.gui.presenter.settings.form import browsed_kinds
from zemosaic.gui.presenter.settings.settings_page import SettingsPage
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import Choice, Tooltip, on_write, wrap_to_width
from zemosaic.settings.schema import Spec

__all__ = ["SettingRow"]


class SettingRow:
    """The widgets of one setting."""

    def __init__(self, card: ttk.Frame, place: int, spec: Spec, page: SettingsPage, theme: Theme) -> None:
        self._spec = spec
        self._page = page
        self._place = place
        self._theme = theme
        gap = theme.px(7)
        self._told = ttk.Frame(card, style="Inner.TFrame")
        self._label = ttk.Label(self._told, style="Card.Bold.TLabel")
        self._help = ttk.Label(self._told, style="Card.Muted.TLabel", justify="left")
        self._problem = ttk.Label(self._told, style="Card.Problem.TLabel", justify="left")
        self._label.pack(anchor="w", fill="x")
        for label in (self._help, self._problem):
            wrap_to_width(label)
        self._help.pack(anchor="w", fill="x")
        self._field = ttk.Frame(card, style="Inner.TFrame")
        self._variable = tk.StringVar(card, page.row_state(spec).text)
        self.browse: dict[str, ttk.Button] = {}
        self.control = self._made_control()
        self.control.pack(side="left", fill="x", expand=True)
        for button in self.browse.values():
            button.lift()  # so that the keyboard comes to it after the field
        self._unit = ttk.Label(card, style="Card.Muted.TLabel")
        self._reset = ttk.Button(card, text="↺", style="Ghost.TButton", width=2, command=self.reset)
        Tooltip(self._reset, theme, lambda: page.row_texts(spec).reset)
        self._told.grid(row=place, column=0, sticky="ew", pady=gap, padx=(0, theme.px(24)))
        self._field.grid(row=place, column=1, sticky="ew", pady=gap)
        self._unit.grid(row=place, column=2, sticky="w", padx=(theme.px(8), 0))
        self._reset.grid(row=place, column=3, sticky="e")
        self._setting_variable = False
        self._is_shown = True
        on_write(self._variable, self._field, self._typed)
        self.retranslate()

    def retranslate(self) -> None:
        texts = self._page.row_texts(self._spec)
        for label, text in ((self._label, texts.label), (self._help, texts.help), (self._unit, texts.unit)):
            label.configure(text=text)
        if isinstance(self.control, Choice):
            self.control.offer(self._spec.choices, texts.choices, self._page.row_state(self._spec).text)
        for kind, text in texts.browse.items():
            self.browse[kind].configure(text=text)
        self.update(anew=True)

    def update(self, anew: bool = False) -> None:
        """Show the form's row; what was typed stands as it is, unless all is written anew."""
        state = self._page.row_state(self._spec)
        if isinstance(self.control, Choice):
            self.control.choose(state.text)
        elif self._variable.get() != state.written and (anew or self._variable.get() != state.text):
            self._setting_variable = True
            self._variable.set(state.written)
            self._setting_variable = False
        if isinstance(self.control, ttk.Checkbutton):
            self.control.configure(text=state.switch)
        self._problem.configure(text=state.problem)
        if state.problem:
            self._problem.pack(anchor="w", fill="x")
        else:
            self._problem.pack_forget()
        if isinstance(self.control, ttk.Entry):
            self.control.state(["invalid" if state.problem else "!invalid"])
        self._label.configure(style="Card.Accent.TLabel" if state.is_changed else "Card.Bold.TLabel")
        if state.can_reset and self._is_shown:
            self._reset.grid()
        else:
            self._reset.grid_remove()

    def focus(self) -> None:
        """Put the keyboard here."""
        self.control.focus_set()

    def reset(self) -> None:
        """Put the setting back to its default."""
        self._page.reset(self._spec)

    def set_shown(self, shown: bool) -> None:
        self._is_shown = shown
        for widget in (self._told, self._field, self._unit):
            if shown:
                widget.grid()
            else:
                widget.grid_remove()
        if shown:
            self.update()
        else:
            self._reset.grid_remove()

    def _made_control(self) -> ttk.Widget:
        spec = self._spec
        if spec.kind == "choice":
            return Choice(self._field, self._theme, lambda value: self._page.edit(spec.key, value))
        if spec.kind == "bool":
            switch = ttk.Checkbutton(self._field, style="Switch.TCheckbutton", variable=self._variable)
            switch.configure(onvalue="true", offvalue="false")
            return switch
        for kind in browsed_kinds(spec):
            self.browse[kind] = ttk.Button(self._field, command=partial(self._browse_pressed, kind))
        for button in reversed(self.browse.values()):
            button.pack(side="right", padx=(self._theme.px(8), 0))
        return ttk.Entry(self._field, textvariable=self._variable, width=26)

    def _typed(self) -> None:
        if not self._setting_variable:
            self._page.edit(self._spec.key, self._variable.get())

    def _browse_pressed(self, kind: str) -> None:
        title, parent = self._page.row_texts(self._spec).label, self._field.winfo_toplevel()
        begin = folder_to_begin_in(self._page.row_state(self._spec).text)
        if kind == "folder":
            chosen = filedialog.askdirectory(parent=parent, title=title, initialdir=begin)
        else:
            chosen = filedialog.askopenfilename(parent=parent, title=title, initialdir=begin)
        if chosen:
            self._page.edit(self._spec.key, str(chosen))
