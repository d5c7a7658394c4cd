"""The panel beside the mosaic that tells of one pixel: which frames are in it, which are not, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, Qt
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QHeaderView, QPlainTextEdit, QPushButton, QTableView

from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.result.pixel_text import (
    COLUMNS,
    PixelRow,
    detail_lines,
    panel_heading,
    panel_lines,
    pixel_rows,
)
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.qt.frames.frames_table import Index
from zemosaic.gui.qt.widgets import card, label

__all__ = ["PixelPanel"]

_WIDTHS = {"state": 124, "file": 140, "sigmas": 132, "share": 64}


class PixelModel(QAbstractTableModel):
    """The frames on a pixel."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.rows: list[PixelRow] = []

    def show_rows(self, rows: list[PixelRow]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's name and default
        """Return how many frames there are."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's name and default
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows: its words, its tooltip (the frame's path) or its alignment.

        Parameters
        ----------
        index : QModelIndex
            Row of `rows`, and column.
        role : int
            A `Qt.ItemDataRole`; of others than these three nothing is told.
        """
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.cells[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return row.frame.path
        if role == Qt.ItemDataRole.TextAlignmentRole and COLUMNS[index.column()] in ("sigmas", "share"):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the heading of a column or how it is aligned; rows have none.

        Parameters
        ----------
        section : int
            Place of the column in `COLUMNS`.
        orientation : Qt.Orientation
        role : int
            A `Qt.ItemDataRole`.
        """
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._session.words.text(f"pixel.column.{COLUMNS[section]}")
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            side = (
                Qt.AlignmentFlag.AlignRight if COLUMNS[section] in ("sigmas", "share") else Qt.AlignmentFlag.AlignLeft
            )
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None


class PixelPanel:
    """Shows what a `PixelPresenter` holds; `frame` is the widget to be placed."""

    def __init__(self, session: Session, desk: PixelPresenter, closed: Callable[[], None]) -> None:
        self._session, self._desk = session, desk
        self.frame, column = card()
        self.frame.setFixedWidth(506)
        self._heading, self.summary = label("heading"), label(wrap=True)
        self.close_button, self.show_file = QPushButton(), QPushButton()
        self.close_button.clicked.connect(closed)
        self.show_file.clicked.connect(self._show_file)
        self.model = PixelModel(session)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setAlternatingRowColors(True)
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        for number, name in enumerate(COLUMNS):
            self.table.setColumnWidth(number, _WIDTHS[name])
        header.setSectionResizeMode(COLUMNS.index("file"), QHeaderView.ResizeMode.Stretch)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._show_details())
        self.table.activated.connect(lambda _: self._show_file())
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        self.details.setFixedHeight(170)
        self.details.setTabChangesFocus(True)
        top = QHBoxLayout()
        top.addWidget(self._heading, 1)
        top.addWidget(self.close_button)
        column.addLayout(top)
        column.addWidget(self.summary)
        column.addWidget(self.table, 1)
        column.addWidget(self.details)
        column.addWidget(self.show_file)
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        self.close_button.setText(self._session.words.text("pixel.close"))
        self.show_file.setText(self._session.words.text("pixel.show_file"))
        self.model.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(COLUMNS) - 1)
        self.update()

    def update(self) -> None:
        """Show what is known now."""
        words, story = self._session.words, self._desk.story
        self._heading.setText(panel_heading(self._desk, words))
        self.summary.setText("\n".join(panel_lines(self._desk, words)))
        self.model.show_rows([] if story is None else pixel_rows(story, words))
        if self.model.rows:
            self.table.selectRow(0)
        self._show_details()

    @property
    def _row(self) -> PixelRow | None:
        chosen = self.table.selectionModel().selectedRows()
        return self.model.rows[chosen[0].row()] if chosen and self.model.rows else None

    def _show_details(self) -> None:
        row, story = self._row, self._desk.story
        known = row is not None and story is not None
        lines = detail_lines(row.frame, story, self._session.words) if row is not None and story is not None else []
        self.details.setPlainText("\n".join(lines))
        self.show_file.setEnabled(known)

    def _show_file(self) -> None:
        row = self._row
        if row is not None:
            self._session.opener.open(Path(row.frame.path).parent)
