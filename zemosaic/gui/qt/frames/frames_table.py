"""The table of frames as a Qt model; its rows are those of the presenter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    Qt,
    Signal,
)
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QTableView

from zemosaic.gui.presenter.frames.frame_cells import cell_text, short_name, verdict_text
from zemosaic.gui.presenter.frames.frame_table import COLUMNS, METRICS, FrameTable
from zemosaic.gui.presenter.frames.frames_page import ROW_COMMANDS
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator

__all__ = ["FrameModel", "FrameTableView", "Index"]

Index: TypeAlias = "QModelIndex | QPersistentModelIndex"
_WIDTHS = {
    "keep": 68,
    "file": 200,
    "verdict": 150,
    "night": 90,
    "eccentricity": 104,
    "background": 100,
    "fwhm": 92,
    "weight": 92,
    "exposure": 104,
    "telescope": 100,
    "field": 124,
}


class FrameModel(QAbstractTableModel):
    """Shows the rows that pass the filter."""

    edited = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._rows = 0
        """As many as the view knows."""

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's name and default
        """Return how many rows are shown."""
        table = self._session.frames.table
        return 0 if table is None or parent.isValid() else len(table.shown)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's name and default
        """Return how many columns there are."""
        return 0 if parent.isValid() else len(COLUMNS)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return what a cell shows: its words, its tooltip, its alignment or, in the first column, its check mark.

        Parameters
        ----------
        index : QModelIndex
            Row among those that pass the filter, and column.
        role : int
            A `Qt.ItemDataRole`; of others than these four nothing is told.
        """
        table = self._session.frames.table
        if table is None or index.row() >= len(table.shown):
            return None
        row, column = int(table.shown[index.row()]), COLUMNS[index.column()]
        if column == "keep":
            return _check_state(table, row) if role == Qt.ItemDataRole.CheckStateRole else None
        if role == Qt.ItemDataRole.DisplayRole and column == "file":
            return short_name(table.files[row])
        if role == Qt.ItemDataRole.DisplayRole:
            return cell_text(table, row, column, self._session.words)
        if role == Qt.ItemDataRole.ToolTipRole:
            return table.paths[row] if column == "file" else _tooltip(table, row, column, self._session.words)
        if role == Qt.ItemDataRole.TextAlignmentRole and column in METRICS:
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Keep or leave out a frame by its check mark; half a mark is a frame that is kept, so that it is left out.

        Parameters
        ----------
        index : QModelIndex
            Any cell of the frame's row.
        value : object
            Not looked at: each call turns the mark round.
        role : int
            A `Qt.ItemDataRole`; with others than that of check marks nothing changes, and the answer is False.
        """
        table = self._session.frames.table
        if table is None or role != Qt.ItemDataRole.CheckStateRole:
            return False
        rows = table.shown[[index.row()]]
        table.set_keep(rows, not bool(table.keep[rows[0]]))
        self.edited.emit()
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Return what can be done with a cell."""
        able = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return able | Qt.ItemFlag.ItemIsUserCheckable if COLUMNS[index.column()] == "keep" else able

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the heading of a column or how it is aligned; rows have none.

        Parameters
        ----------
        section : int
            Place of the column in `COLUMNS`, wherever the user has moved it.
        orientation : Qt.Orientation
        role : int
            A `Qt.ItemDataRole`.
        """
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self._session.words.text(f"frames.column.{COLUMNS[section]}")
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if COLUMNS[section] in METRICS else Qt.AlignmentFlag.AlignLeft
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort the rows by a column, as Qt asks for when a heading is clicked; nothing happens without frames.

        Parameters
        ----------
        column : int
            Place of the column in `COLUMNS`.
        order : Qt.SortOrder
        """
        if self._session.frames.table is not None:
            self._session.frames.table.sort(COLUMNS[column], order == Qt.SortOrder.DescendingOrder)
            self.edited.emit()

    def refresh(self) -> None:
        """Show the rows as they are now."""
        rows, last = self.rowCount(), len(COLUMNS) - 1
        if rows != self._rows:
            self._rows = rows
            self.beginResetModel()
            self.endResetModel()
        elif rows:
            # A reset would forget from which row Shift and the arrow keys go on.
            self.dataChanged.emit(self.index(0, 0), self.index(rows - 1, last))
            self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, last)


class FrameTableView(QTableView):
    """The table with a selection that the map shares."""

    picked = Signal()
    commanded = Signal(str)
    """A command of the menu of rows, as `FramesCommands.press` takes it."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._syncing = False
        self.frames = FrameModel(session)
        self.setModel(self.frames)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setAlternatingRowColors(True)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setTabKeyNavigation(False)
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.verticalHeader().setDefaultSectionSize(24)
        for i, name in enumerate(COLUMNS):
            self.setColumnWidth(i, _WIDTHS.get(name, 86))
        self.horizontalHeader().setSortIndicator(1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)
        self.horizontalHeader().setSectionsMovable(True)
        self.horizontalHeader().setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.horizontalHeader().customContextMenuRequested.connect(self._offer_columns)
        self.horizontalHeader().sortIndicatorChanged.connect(lambda *_: self.scrollToTop())
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(lambda at: self.rows_menu().popup(self.viewport().mapToGlobal(at)))
        self.selectionModel().selectionChanged.connect(self._selected)

    def fit_headings(self) -> None:
        """Make no column narrower than its name."""
        header = self.horizontalHeader()
        for place in range(len(COLUMNS)):
            self.setColumnWidth(place, max(self.columnWidth(place), header.sectionSizeHint(place)))

    def widths(self) -> dict[str, int]:
        return {name: self.columnWidth(place) for place, name in enumerate(COLUMNS)}

    def use_widths(self, widths: Mapping[str, int]) -> None:
        for place, name in enumerate(COLUMNS):
            if name in widths:
                self.setColumnWidth(place, widths[name])

    def shown_columns(self) -> list[str]:
        header = self.horizontalHeader()
        order = sorted(range(len(COLUMNS)), key=header.visualIndex)
        return [COLUMNS[place] for place in order if not header.isSectionHidden(place)]

    def show_columns(self, names: Sequence[str]) -> None:
        """Show some columns in an order; all of them where none is named."""
        header, shown = self.horizontalHeader(), list(names) or list(COLUMNS)
        for to, name in enumerate([*shown, *(name for name in COLUMNS if name not in shown)]):
            header.moveSection(header.visualIndex(COLUMNS.index(name)), to)
            header.setSectionHidden(COLUMNS.index(name), name not in shown)

    def show_sorting(self, column: str, downward: bool) -> None:
        # The table sorts by what its header shows.
        order = Qt.SortOrder.DescendingOrder if downward else Qt.SortOrder.AscendingOrder
        self.horizontalHeader().setSortIndicator(COLUMNS.index(column), order)

    def columns_menu(self) -> QMenu:
        """Return the menu that shows and hides columns; the first two stay."""
        menu, shown = QMenu(self), self.shown_columns()
        for name in COLUMNS[2:]:
            action = menu.addAction(self._session.words.text(f"frames.column.{name}"))
            action.setCheckable(True)
            action.setChecked(name in shown)
            action.toggled.connect(lambda on, name=name: self.setColumnHidden(COLUMNS.index(name), not on))
        menu.addSeparator()
        menu.addAction(self._session.words.text("frames.columns_all")).triggered.connect(lambda: self.show_columns(()))
        return menu

    def rows_menu(self) -> QMenu:
        """Return the menu of the selected rows."""
        menu = QMenu(self)
        for key in ROW_COMMANDS:
            action = menu.addAction(self._session.words.text(f"frames.{key}"))
            action.triggered.connect(lambda _, key=key: self.commanded.emit(key))
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """See a frame large, or include frames."""
        command = {Qt.Key.Key_Space: "large", Qt.Key.Key_Insert: "keep"}.get(Qt.Key(event.key()))
        if command is None:
            super().keyPressEvent(event)
        else:
            self.commanded.emit(command)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """See a frame large; on a check mark it is two clicks."""
        at = self.indexAt(event.position().toPoint())
        if at.isValid() and COLUMNS[at.column()] != "keep":
            self.commanded.emit("large")
        else:
            super().mouseDoubleClickEvent(event)

    def _offer_columns(self, at: QPoint) -> None:
        self.columns_menu().popup(self.horizontalHeader().mapToGlobal(at))

    def refresh(self) -> None:
        """Show rows and selection as they are now, without scrolling."""
        at = self.verticalScrollBar().value()
        self._syncing = True
        self.frames.refresh()
        table = self._session.frames.table
        if table is not None:
            chosen = QItemSelection()
            for first, last in _runs(np.flatnonzero(table.selected[table.shown])):
                chosen.select(self.frames.index(first, 0), self.frames.index(last, len(COLUMNS) - 1))
            self.selectionModel().select(chosen, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        self.verticalScrollBar().setValue(at)
        self._syncing = False

    def reveal_selected(self) -> None:
        """Scroll to the first selected row."""
        table = self._session.frames.table
        if table is not None and table.selected[table.shown].any():
            first = int(np.argmax(table.selected[table.shown]))
            self.scrollTo(self.frames.index(first, 1))

    def _selected(self, *_: QItemSelection) -> None:
        table = self._session.frames.table
        if self._syncing or table is None:
            return
        chosen = self.selectionModel().selection()
        ranges = [(chosen.at(i).top(), chosen.at(i).bottom() + 1) for i in range(chosen.count())]
        rows = [table.shown[first:last] for first, last in ranges]
        table.select(np.concatenate(rows) if rows else np.empty(0, np.intp))
        self.picked.emit()


def _check_state(table: FrameTable, row: int) -> Qt.CheckState | None:
    """Return the mark of a frame: half of one where the user keeps what the last run left out; None for no frame."""
    if not table.usable[row]:
        return None
    if not table.keep[row]:
        return Qt.CheckState.Unchecked
    return Qt.CheckState.PartiallyChecked if row in table.why else Qt.CheckState.Checked


def _tooltip(table: FrameTable, row: int, column: str, words: Translator) -> str:
    """Return a cell's text in full, as rich text so that Qt breaks its lines."""
    text = verdict_text(table, row, words) if column == "verdict" else cell_text(table, row, column, words)
    return f"<p>{escape(text)}</p>" if text else ""


def _runs(places: NDArray[np.intp]) -> list[tuple[int, int]]:
    """Return (first, last) of the unbroken runs of ascending numbers."""
    if not len(places):
        return []
    breaks = np.flatnonzero(np.diff(places) > 1)
    first, last = np.r_[places[0], places[breaks + 1]], np.r_[places[breaks], places[-1]]
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]
