"""The card of the first start: what was found, and the offer of the demo."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QHBoxLayout, QPushButton

from zemosaic.gui.presenter.run.run_text import welcome_line
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.equipment import EQUIPMENT, Equipment
from zemosaic.gui.qt.widgets import card, label

__all__ = ["WelcomeCard"]


class WelcomeCard:
    """Greets, tells what there is to work with, and is put away by a button."""

    def __init__(
        self, session: Session, equipment: Equipment, demo: Callable[[], None], closed: Callable[[], None]
    ) -> None:
        self._session = session
        self._equipment = equipment
        self.frame, layout = card()
        self._heading, self._text = label("heading"), label(wrap=True)
        self._findings = {name: label("muted", wrap=True) for name in EQUIPMENT}
        for text in (self._heading, self._text, *self._findings.values()):
            layout.addWidget(text)
        buttons = QHBoxLayout()
        self.close_button, self.demo_button = QPushButton(), QPushButton()
        self.close_button.clicked.connect(closed)
        self.demo_button.clicked.connect(demo)
        for button in (self.close_button, self.demo_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        layout.addLayout(buttons)

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._heading.setText(words.text("welcome.heading"))
        self._text.setText(words.text("welcome.text", start=words.text("window.start")))
        self.close_button.setText(words.text("welcome.close"))
        self.demo_button.setText(words.text("settings.demo_button"))
        self.update_findings()

    def update_findings(self) -> None:
        """Show what is known by now."""
        for name, text in self._findings.items():
            text.setText(welcome_line(self._equipment, name))
