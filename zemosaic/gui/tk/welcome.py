"""The card of the first start: what was found, and the offer of the demo."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk

from zemosaic.gui.presenter.run.run_text import welcome_line
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.equipment import EQUIPMENT, Equipment
from zemosaic.gui.tk.theme import Theme
from zemosaic.gui.tk.widgets import wrap_to_width

__all__ = ["WelcomeCard"]


class WelcomeCard(ttk.Frame):
    """Greets, tells what there is to work with, and is put away by a button."""

    def __init__(
        self,
        parent: tk.Misc,
        session: Session,
        theme: Theme,
        equipment: Equipment,
        demo: Callable[[], None],
        closed: Callable[[], None],
    ) -> None:
        px = theme.px
        super().__init__(parent, style="Card.TFrame", padding=px(16))
        self._session = session
        self._equipment = equipment
        self._heading = ttk.Label(self, style="Card.Heading.TLabel")
        self._heading.pack(anchor="w")
        self._text = ttk.Label(self, style="Card.TLabel", justify="left")
        self._findings = {name: ttk.Label(self, style="Card.Muted.TLabel", justify="left") for name in EQUIPMENT}
        for label in (self._text, *self._findings.values()):
            wrap_to_width(label)
            label.pack(fill="x", pady=(px(6), 0))
        buttons = ttk.Frame(self, style="Inner.TFrame")
        buttons.pack(anchor="w", pady=(px(12), 0))
        self.close_button = ttk.Button(buttons, command=closed)
        self.demo_button = ttk.Button(buttons, command=demo)
        for button in (self.close_button, self.demo_button):
            button.pack(side="left", padx=(0, px(8)))

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._heading.configure(text=words.text("welcome.heading"))
        self._text.configure(text=words.text("welcome.text", start=words.text("window.start")))
        self.close_button.configure(text=words.text("welcome.close"))
        self.demo_button.configure(text=words.text("settings.demo_button"))
        self.update_findings()

    def update_findings(self) -> None:
        """Show what is known by now."""
        for name, label in self._findings.items():
            label.configure(text=welcome_line(self._equipment, name))
