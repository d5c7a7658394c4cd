"""The list of jobs in a window of its own."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.unattended.queue_page import BUTTONS, QueueFace, QueuePage
from zemosaic.gui.qt.widgets import label

__all__ = ["QueueWindow"]


class QueueWindow(QDialog):
    """Shows the jobs, adds some and takes some away."""

    def __init__(self, parent: QWidget, page: QueuePage) -> None:
        super().__init__(parent)
        self._page = page
        self.resize(940, 420)
        layout = QVBoxLayout(self)
        self.table = QTreeWidget()
        self.table.setRootIsDecorated(False)
        self.table.setUniformRowHeights(True)
        self.table.currentItemChanged.connect(lambda *_: self._show_details())
        self.table.itemActivated.connect(lambda *_: page.open(self._chosen()))
        layout.addWidget(self.table, 1)
        self._hint = label("muted", wrap=True)
        self._empty = ""
        layout.addWidget(self._hint)
        line = QHBoxLayout()
        self.buttons = {key: QPushButton() for key in BUTTONS}
        for key, act in zip(BUTTONS, (page.add_pair, self._add_below, self._remove, page.start), strict=True):
            if key == BUTTONS[-1]:
                line.addStretch(1)
                self.buttons[key].setObjectName("start")
            self.buttons[key].setAutoDefault(False)
            self.buttons[key].clicked.connect(lambda _, act=act: act())
            line.addWidget(self.buttons[key])
        layout.addLayout(line)
        shortcut = QShortcut(QKeySequence(QKeySequence.StandardKey.Delete), self.table)
        shortcut.activated.connect(self._remove)
        page.view = self

    def show_queue(self, face: QueueFace) -> None:
        """Show the jobs, and keep the row that is chosen."""
        self.setWindowTitle(face.heading)
        self._empty = face.empty
        chosen = self._chosen()
        self.table.setHeaderLabels(list(face.columns))
        self.table.clear()
        for cells in face.rows:
            row = QTreeWidgetItem(list(cells))
            for column, text in enumerate(cells):
                row.setToolTip(column, text)
            self.table.addTopLevelItem(row)
        item = self.table.topLevelItem(chosen)
        if item is not None:
            self.table.setCurrentItem(item)
        self._show_details()
        header = self.table.header()
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        header.setStretchLastSection(True)
        for column, width in enumerate((120, 120, 230, 230)):
            header.resizeSection(column, width)
        for key, words, can_press in face.buttons:
            self.buttons[key].setText(words)
            self.buttons[key].setEnabled(can_press)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Put the list away; what is in it stays."""
        self._page.view = None
        super().closeEvent(event)

    def reject(self) -> None:
        """Let Escape close the list as its frame does."""
        self.close()

    def _chosen(self) -> int:
        item = self.table.currentItem()
        return -1 if item is None else self.table.indexOfTopLevelItem(item)

    def _show_details(self) -> None:
        self._hint.setText(self._empty or self._page.details(self._chosen()))

    def _remove(self) -> None:
        self._page.remove(self._chosen())

    def _add_below(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.buttons["add_below"].text(), str(Path.home()))
        if folder:
            self._page.add_below(folder)
