"""The result page: the mosaic with zoom, what it is made of, and the way to its files."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from zemosaic.gui.presenter.desktop import open_path
from zemosaic.gui.presenter.session import Session
from zemosaic.gui.presenter.wording import summary_lines
from zemosaic.gui.qt.picture import Loaded, Picture, picture_buttons
from zemosaic.gui.qt.widgets import card, label

__all__ = ["ResultView"]


class ResultView(QWidget):
    """What the last run made."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 0)
        left = QVBoxLayout()
        self.picture = Picture(lambda: session.words.text("result.empty"))
        left.addWidget(self.picture, 1)
        tools = QHBoxLayout()
        self._tools = picture_buttons(self.picture)
        for tool in self._tools.values():
            tools.addWidget(tool)
        self._hint = label("muted")
        tools.addWidget(self._hint)
        tools.addStretch(1)
        left.addLayout(tools)
        layout.addLayout(left, 1)
        side, column = card()
        side.setFixedWidth(360)
        self._heading = label("heading")
        self.told = QPlainTextEdit()
        self.told.setReadOnly(True)
        self.open_folder, self.open_report = QPushButton(), QPushButton()
        self.open_folder.clicked.connect(self._folder_pressed)
        self.open_report.clicked.connect(self._report_pressed)
        column.addWidget(self._heading)
        column.addWidget(self.told, 1)
        column.addWidget(self.open_folder)
        column.addWidget(self.open_report)
        layout.addWidget(side)
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._heading.setText(words.text("result.heading"))
        self.open_report.setText(words.text("result.open_report"))
        self.open_folder.setText(words.text("result.open_folder"))
        self._hint.setText(words.text("result.hint"))
        for key, button in self._tools.items():
            button.setText(words.text(key))
        self.picture.update()
        self.update_state()

    def show_picture(self, loaded: Loaded | None) -> None:
        """Show the finished mosaic."""
        self.picture.show_picture(loaded)

    def update_state(self) -> None:
        """Show the result of the last run."""
        result = self._session.state.result
        lines = summary_lines(self._session.state, self._session.words) if result is not None else []
        self.told.setPlainText("\n".join(lines) or self._session.words.text("result.none"))
        for button in (self.open_report, self.open_folder, *self._tools.values()):
            button.setEnabled(result is not None)

    def _folder_pressed(self) -> None:
        if self._session.state.result is not None:
            self._open(Path(self._session.state.result.mosaic).parent)

    def _report_pressed(self) -> None:
        if self._session.state.result is not None:
            self._open(Path(self._session.state.result.report_html))

    def _open(self, path: Path) -> None:
        if not open_path(path):
            self._session.tell_problem("error.not_opened", path=str(path))
