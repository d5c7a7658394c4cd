"""The frames page: the folder's frames on a map of the sky, in a table and in histograms."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.desktop.palette import Palette
from zemosaic.gui.presenter.desktop.window_state import WindowState
from zemosaic.gui.presenter.frames.frame_table import SHOWN
from zemosaic.gui.presenter.frames.frames_page import BUTTONS, FramesPage
from zemosaic.gui.presenter.frames.frames_presenter import TABLE_NAME
from zemosaic.gui.presenter.frames.histograms import SHOWN_METRICS
from zemosaic.gui.presenter.frames.map_picture import COLOURINGS
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.qt.frames_histograms import HistogramWidget
from zemosaic.gui.qt.frames_map import MapWidget
from zemosaic.gui.qt.frames_table import FrameTableView
from zemosaic.gui.qt.widgets import Choice, label

__all__ = ["FramesView"]

_SIGNS = {"undo": "↶", "redo": "↷"}


class FramesView(QWidget):
    """Frames to look at and to choose from."""

    def __init__(self, session: Session, refresh: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._session = session
        self._refresh = refresh
        self.page = FramesPage(session)
        self.setAcceptDrops(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 10, 20, 0)
        self.buttons = {key: QPushButton(_SIGNS.get(key, "")) for key in BUTTONS}
        for key, button in self.buttons.items():
            button.clicked.connect(lambda _, key=key: self.press(key))
        self.map = MapWidget(self.page, self._region_marked)
        self.table = FrameTableView(session)
        layout.addLayout(self._made_top())
        self.split = QSplitter()
        self.split.addWidget(self._made_left())
        self.split.addWidget(self._made_right())
        self.split.setChildrenCollapsible(False)
        layout.addWidget(self.split, 1)
        layout.addLayout(self._made_strip())
        layout.addLayout(self._made_limits())
        self._connect()
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words, page = self._session.words, self.page
        for key, button in self.buttons.items():
            if key in _SIGNS:
                button.setAccessibleName(words.text(f"frames.{key}"))
            else:
                button.setText(words.text(f"frames.{key}"))
            button.setToolTip(page.tooltip(key))
        self.search.setPlaceholderText(words.text("frames.search"))
        self.colour.offer(COLOURINGS, [words.text(f"frames.colour.{name}") for name in COLOURINGS], self.colour.value)
        self._colour_label.setText(words.text("frames.colour"))
        self.kinds.offer(SHOWN, [words.text(f"frames.show.{name}") for name in SHOWN], self.kinds.value)
        metrics = [words.text(f"frames.column.{name}") for name in SHOWN_METRICS]
        self.limited.offer(SHOWN_METRICS, metrics, page.metric)
        self._limit_label.setText(words.text("frames.limit"))
        self._to.setText(words.text("frames.limit_to"))
        page.forget_shown()
        self.update_state()

    def restore(self, state: WindowState) -> None:
        """Take columns, sorting, colouring and the splitter as they were left."""
        self.table.use_widths(state.columns)
        self.table.show_columns(state.shown_columns)
        self.page.sorting = (state.sort_column, state.sort_downward)
        self.table.show_sorting(*self.page.sorting)
        self.colour.choose(state.colouring)
        self._colour_chosen()
        self.split.setSizes([round(1000 * state.map_share), round(1000 * (1 - state.map_share))])

    def remembered(self) -> dict[str, Any]:
        """Return what `restore` takes, by the names of `WindowState`."""
        left, right = self.split.sizes()
        return {
            "columns": self.table.widths(),
            "shown_columns": self.table.shown_columns(),
            "sort_column": self.page.sorting[0],
            "sort_downward": self.page.sorting[1],
            "colouring": self.colour.value,
            "map_share": left / (left + right) if left and right else WindowState().map_share,
        }

    def recolour(self, look: Palette) -> None:
        """Take the colours of a look."""
        for histogram in self.histograms.values():
            histogram.look = look
            histogram.update()

    def update_state(self) -> None:
        """Show the frames as they are now, where anything changed."""
        self._summary.setText(self._session.frames.summary(self._session.words))
        if self.page.thumbnails.pump():
            self.map.update()
        if not self.page.changed():
            return
        self._selected.setText(self.page.selected_text())
        for key, button in self.buttons.items():
            button.setEnabled(self.page.enabled(key))
            button.setVisible(self.page.visible(key))
        self.table.refresh()
        self.map.update()
        for histogram in self.histograms.values():
            histogram.update()
        self._show_limits()

    def press(self, key: str) -> None:
        """Do what a button does."""
        asking = {
            "choose": self.choose,
            "export": self._export,
            "import": self._import,
            "region": self._mark_region,
            "group": self._ask_group,
        }
        if key in asking:
            asking[key]()
        else:
            self.page.act(key)
        self.map.update()
        self.update_state()
        self._refresh()

    def choose(self) -> None:
        """Ask for a folder of frames."""
        start = str(self._session.form.row("input_dir").value) or str(Path.home())
        chosen = QFileDialog.getExistingDirectory(self, self.buttons["choose"].text(), start)
        if chosen:
            self.open_folder(chosen)

    def open_folder(self, folder: str) -> None:
        """Look at the frames of a folder."""
        self.page.open_folder(folder)
        self.update_state()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Welcome folders."""
        if any(Path(url.toLocalFile()).is_dir() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Look at the folder that was dropped."""
        folders = [url.toLocalFile() for url in event.mimeData().urls() if Path(url.toLocalFile()).is_dir()]
        if folders:
            event.acceptProposedAction()
            self.open_folder(folders[0])

    def close_page(self) -> None:
        """End what works in the background."""
        self.page.close()

    def _connect(self) -> None:
        for signal in (self.map.picked, self.table.picked, self.table.frames.edited):
            signal.connect(self.update_state)
        self.map.picked.connect(self.table.reveal_selected)
        for standard, key in (
            (QKeySequence.StandardKey.Delete, "leave_out"),
            (QKeySequence.StandardKey.Undo, "undo"),
            (QKeySequence.StandardKey.Redo, "redo"),
        ):
            shortcut = QShortcut(QKeySequence(standard), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda key=key: self.press(key))

    def _made_top(self) -> QHBoxLayout:
        top = QHBoxLayout()
        self._summary = label(wrap=True)
        top.addWidget(self.buttons["choose"])
        top.addWidget(self._summary, 1)
        for key in ("measure", "solve", "analyse", "import", "export"):
            top.addWidget(self.buttons[key])
        return top

    def _made_left(self) -> QWidget:
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(0, 4, 4, 0)
        tools = QHBoxLayout()
        self._colour_label = label("muted")
        self.colour = Choice()
        self.colour.offer(COLOURINGS, COLOURINGS, "night")
        self.colour.setMinimumContentsLength(10)
        self.colour.currentIndexChanged.connect(self._colour_chosen)
        self.buttons["region"].setCheckable(True)
        tools.addWidget(self._colour_label)
        tools.addWidget(self.colour, 1)
        for key in ("fit", "region", "whole"):
            tools.addWidget(self.buttons[key])
        layout.addLayout(tools)
        layout.addWidget(self.map, 1)
        return side

    def _made_right(self) -> QWidget:
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(4, 4, 0, 0)
        tools = QHBoxLayout()
        self.search = QLineEdit()
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self._filter())
        self.kinds = Choice()
        self.kinds.offer(SHOWN, SHOWN, "all")
        self.kinds.currentIndexChanged.connect(lambda _: self._filter())
        tools.addWidget(self.search, 1)
        tools.addWidget(self.kinds)
        for key in ("leave_out", "keep", "undo", "redo"):
            tools.addWidget(self.buttons[key])
        for key in _SIGNS:
            self.buttons[key].setFixedWidth(40)
            self.buttons[key].setStyleSheet("padding: 6px 0px")
        layout.addLayout(tools)
        layout.addWidget(self.table, 1)
        return side

    def _made_strip(self) -> QHBoxLayout:
        strip = QHBoxLayout()
        strip.setSpacing(6)
        self.histograms = {
            metric: HistogramWidget(histogram, self._session) for metric, histogram in self.page.histograms.items()
        }
        for metric, widget in self.histograms.items():
            widget.edited.connect(self.update_state)
            widget.chosen.connect(lambda metric=metric: self._use_metric(metric))
            strip.addWidget(widget, 1)
        return strip

    def _made_limits(self) -> QHBoxLayout:
        line = QHBoxLayout()
        self._limit_label, self._to, self._range = label("muted"), label("muted"), label("muted")
        self._selected = label("muted")
        self.limited, self.low, self.high = Choice(), QLineEdit(), QLineEdit()
        self.limited.currentIndexChanged.connect(lambda _: self._use_metric(self.limited.value))
        for entry in (self.low, self.high):
            entry.setFixedWidth(84)
            entry.editingFinished.connect(self._limits_typed)
        for widget in (self._limit_label, self.limited, self.low, self._to, self.high, self._range):
            line.addWidget(widget)
        line.addStretch(1)
        line.addWidget(self._selected)
        line.addWidget(self.buttons["group"])
        return line

    def _use_metric(self, metric: str) -> None:
        self.page.use_metric(metric)
        self.limited.choose(metric)
        self.map.update()
        self._show_limits()

    def _show_limits(self) -> None:
        for entry, text in zip(
            (self.low, self.high), self.page.histograms[self.page.metric].typed(self._session.words), strict=True
        ):
            if not entry.hasFocus() or not entry.isModified():
                entry.setText(text)
        self._range.setText(self.page.range_text())

    def _limits_typed(self) -> None:
        for entry in (self.low, self.high):
            entry.setModified(False)
        self.page.histograms[self.page.metric].type_limits(self.low.text(), self.high.text())
        self.update_state()
        self._show_limits()

    def _filter(self) -> None:
        self.page.filter(self.search.text(), self.kinds.value)
        self.update_state()

    def _colour_chosen(self) -> None:
        self.page.map.colour_by(self.colour.value)
        self.map.update()

    def _mark_region(self) -> None:
        self.page.map.marking_region = self.buttons["region"].isChecked()

    def _region_marked(self, text: str | None) -> None:
        self.buttons["region"].setChecked(False)
        self.page.mark_region(text)

    def _ask_group(self) -> None:
        """Ask for the name of a group, offering those that there are."""
        page, words = self.page, self._session.words
        asked = QInputDialog(self)
        asked.setWindowTitle(words.text("frames.group.title"))
        asked.setLabelText(page.group_question())
        asked.setComboBoxItems(page.group_names)
        asked.setComboBoxEditable(True)
        asked.setTextValue(page.selected_group)
        asked.setOkButtonText(words.text("frames.group.accept"))
        asked.setCancelButtonText(words.text("window.cancel"))
        if asked.exec():
            page.put_together(asked.textValue())

    def _export(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, self.buttons["export"].text(), TABLE_NAME, "CSV (*.csv)")
        if chosen:
            self.page.export(Path(chosen))

    def _import(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, self.buttons["import"].text(), "", "CSV (*.csv)")
        if chosen:
            self.page.import_csv(Path(chosen))
