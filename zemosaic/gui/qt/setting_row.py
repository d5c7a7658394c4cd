"""The row of one setting: its name, its field, what is wrong with it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.run.input_folder import folder_to_begin_in
from zemosaic.gui.presenter.settings.form import browsed_kinds
from zemosaic.gui.presenter.settings.settings_page import SettingsPage
from zemosaic.gui.qt.widgets import Choice, label, restyle
from zemosaic.settings.schema import Spec

__all__ = ["SettingRow"]


class _PathEntry(QLineEdit):
    """A field for a path: what is dropped onto it is its path, not the address that Qt would write."""

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Welcome a file or folder."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()
        else:
            super().dragEnterEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Take the path of what was dropped."""
        urls = event.mimeData().urls()
        if urls:
            event.acceptProposedAction()
            self.setText(str(Path(urls[0].toLocalFile())))
        else:
            super().dropEvent(event)


class SettingRow:
    """The widgets of one setting."""

    def __init__(self, grid: QGridLayout, place: int, spec: Spec, page: SettingsPage) -> None:
        self._spec = spec
        self._page = page
        self.told = QWidget()
        help_box = QVBoxLayout(self.told)
        help_box.setContentsMargins(0, 6, 24, 6)
        help_box.setSpacing(2)
        self._label = label("bold", wrap=True)
        self._help, self._problem = label("muted", wrap=True), label("problem", wrap=True)
        for text in (self._label, self._help, self._problem):
            help_box.addWidget(text)
        self.field = QWidget()
        field = QHBoxLayout(self.field)
        field.setContentsMargins(0, 0, 0, 0)
        self.browse = {kind: QPushButton() for kind in browsed_kinds(self._spec)}
        self.control = self._made_control()
        field.addWidget(self.control, 1)
        for kind, button in self.browse.items():
            field.addWidget(button)
            button.clicked.connect(lambda _, kind=kind: self._browse_pressed(kind))
        self._unit = label("muted")
        self.reset = QPushButton("↺")
        self.reset.setFixedWidth(34)
        self.reset.setStyleSheet("padding: 2px")
        self.reset.clicked.connect(lambda: page.reset(spec))
        for column, widget in enumerate((self.told, self.field, self._unit, self.reset)):
            grid.addWidget(widget, place, column)
        self._label.setBuddy(self.control)

    def retranslate(self) -> None:
        texts, spec = self._page.row_texts(self._spec), self._spec
        self._label.setText(texts.label)
        self._help.setText(texts.help)
        self._unit.setText(texts.unit)
        self.reset.setToolTip(texts.reset)
        self.reset.setAccessibleName(f"{texts.label}: {texts.reset}")
        self.control.setAccessibleName(texts.label)
        self.control.setAccessibleDescription(texts.help)
        if isinstance(self.control, Choice):
            self.control.offer(spec.choices, texts.choices, self._page.row_state(spec).text)
        for kind, button in self.browse.items():
            button.setText(texts.browse[kind])
        self.update(anew=True)

    def update(self, anew: bool = False) -> None:
        """Show the form's row; what was typed stands as it is, unless all is written anew."""
        state = self._page.row_state(self._spec)
        self.control.blockSignals(True)
        if isinstance(self.control, Choice):
            self.control.choose(state.text)
        elif isinstance(self.control, QCheckBox):
            self.control.setChecked(state.is_on)
            self.control.setText(state.switch)
        elif isinstance(self.control, QLineEdit):
            typed = self.control.text()
            if typed != state.written and (anew or typed != state.text):
                self.control.setText(state.written)
            self.control.setProperty("wrong", "true" if state.problem else "false")
            self.control.style().unpolish(self.control)
            self.control.style().polish(self.control)
        self.control.blockSignals(False)
        self._problem.setVisible(bool(state.problem))
        self._problem.setText(state.problem)
        restyle(self._label, "changed" if state.is_changed else "bold")
        self.reset.setVisible(not self.told.isHidden() and state.can_reset)

    def set_shown(self, shown: bool) -> None:
        for widget in (self.told, self.field, self._unit):
            widget.setVisible(shown)
        self.update()

    def _made_control(self) -> QWidget:
        key = self._spec.key
        if self._spec.kind == "choice":
            choice = Choice()
            # A long choice must not push the page beyond the window.
            choice.setSizeAdjustPolicy(Choice.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            choice.setMinimumContentsLength(12)
            choice.currentIndexChanged.connect(lambda _: self._page.edit(key, choice.value))
            return choice
        if self._spec.kind == "bool":
            switch = QCheckBox()
            switch.toggled.connect(lambda on: self._page.edit(key, "true" if on else "false"))
            return switch
        entry = _PathEntry() if browsed_kinds(self._spec) else QLineEdit()
        entry.textChanged.connect(lambda text: self._page.edit(key, text))
        return entry

    def _browse_pressed(self, kind: str) -> None:
        title = self._page.row_texts(self._spec).label
        begin = folder_to_begin_in(self._page.row_state(self._spec).text)
        if kind == "folder":
            path = QFileDialog.getExistingDirectory(self.field, title, begin)
        else:
            path, _ = QFileDialog.getOpenFileName(self.field, title, begin)
        if path:
            self._page.edit(self._spec.key, str(Path(path)))
