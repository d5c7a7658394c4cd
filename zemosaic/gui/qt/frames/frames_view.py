"""The frames page: the folder's frames on a map of the sky, in a table and in histograms."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QInputDialog,
    QLineEdit,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.desktop.palette import Palette
from zemosaic.gui.presenter.desktop.window_state import WindowState
from zemosaic.gui.presenter.frames.frames_commands import NAMED, SIGNS, FramesCommands, widget_name
from zemosaic.gui.presenter.frames.frames_page import BUTTONS, FramesPage
from zemosaic.gui.presenter.frames.frames_presenter import TABLE_NAME
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.qt.frames.frames_histograms import HistogramWidget
from zemosaic.gui.qt.frames.frames_map import MapWidget
from zemosaic.gui.qt.frames.frames_plot import PlotWidget
from zemosaic.gui.qt.frames.frames_table import FrameTableView
from zemosaic.gui.qt.frames.large_frame import LargeFrameWindow
from zemosaic.gui.qt.widgets import Choice, label

__all__ = ["FramesView"]


class FramesView(QWidget):
    """Frames to look at and to choose from."""

    def __init__(self, session: Session, refresh: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self._session = session
        self.page = FramesPage(session)
        self.commands = FramesCommands(self.page, self, refresh)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 10, 20, 0)
        self.buttons = {key: QPushButton(SIGNS.get(key, "")) for key in BUTTONS}
        for key, button in self.buttons.items():
            button.clicked.connect(lambda _, key=key: self.commands.press(key))
        self.map = MapWidget(self.page, self.commands.take_region)
        self.plot = PlotWidget(self.page)
        self.table = FrameTableView(session)
        self.large = LargeFrameWindow(self, self.page.viewer, session.words, self.commands.pick)
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
        text, page = self._session.words.text, self.page
        self.large.retranslate()
        self.table.fit_headings()
        for key, button in self.buttons.items():
            if key in SIGNS:
                button.setAccessibleName(text(f"frames.{key}"))
            else:
                button.setText(text(f"frames.{key}"))
            button.setToolTip(page.tooltip(key))
        for name in NAMED:
            getattr(self, name).setAccessibleName(widget_name(name, self._session.words))
        self.search.setPlaceholderText(text("frames.search"))
        self._colour_label.setText(text("frames.colour"))
        self._limit_label.setText(text("frames.limit"))
        self._to.setText(text("frames.limit_to"))
        self._against.setText(text("plot.against"))
        self.commands.offer_choices()

    @property
    def search_text(self) -> str:
        return self.search.text()

    @property
    def typed_limits(self) -> tuple[str, str]:
        return self.low.text(), self.high.text()

    @property
    def map_share(self) -> float:
        left, right = self.split.sizes()
        return left / (left + right) if left and right else WindowState().map_share

    def focus_search(self) -> None:
        self.search.setFocus()

    def share_width(self, map_share: float) -> None:
        self.split.setSizes([round(1000 * map_share), round(1000 * (1 - map_share))])

    def show_texts(self, summary: str, selected: str, given: str) -> None:
        self._summary.setText(summary)
        self._summary.setToolTip(given)
        self._selected.setText(selected)

    def show_button(self, key: str, is_enabled: bool, is_visible: bool) -> None:
        self.buttons[key].setEnabled(is_enabled)
        self.buttons[key].setVisible(is_visible)

    def show_plot(self, is_shown: bool) -> None:
        self.buttons["plot"].setChecked(is_shown)
        self.panes.setCurrentIndex(int(is_shown))

    def show_region_marking(self, is_marking: bool) -> None:
        self.buttons["region"].setChecked(is_marking)

    def show_limits(self, low: str, high: str, spread: str) -> None:
        # A limit that is being typed stays as it is.
        for entry, text in ((self.low, low), (self.high, high)):
            if not entry.hasFocus() or not entry.isModified():
                entry.setText(text)
        self._range.setText(spread)

    def redraw(self) -> None:
        """Paint the map and the histograms anew."""
        painted: list[QWidget] = [self.plot if self.page.is_plot_shown else self.map, *self.histograms.values()]
        for widget in painted:
            widget.update()
        for histogram in self.histograms.values():
            histogram.name_for_readers()

    def show_large(self) -> None:
        self.large.look()

    def ask_folder(self, title: str, begin: str) -> str:
        return QFileDialog.getExistingDirectory(self, title, begin)

    def ask_table(self, title: str, is_new: bool) -> str:
        kinds = "CSV (*.csv)"
        if is_new:
            return QFileDialog.getSaveFileName(self, title, TABLE_NAME, kinds)[0]
        return QFileDialog.getOpenFileName(self, title, "", kinds)[0]

    def ask_name(self, title: str, question: str, offered: Sequence[str], begin: str, accept: str) -> str | None:
        asked = QInputDialog(self)
        asked.setWindowTitle(title)
        asked.setLabelText(question)
        asked.setComboBoxItems(list(offered))
        asked.setComboBoxEditable(True)
        asked.setTextValue(begin)
        asked.setOkButtonText(accept)
        asked.setCancelButtonText(self._session.words.text("window.cancel"))
        return asked.textValue() if asked.exec() else None

    def recolour(self, look: Palette) -> None:
        """Take the colours of a look."""
        for histogram in self.histograms.values():
            histogram.look = look
            histogram.update()

    def close_page(self) -> None:
        """End what works in the background."""
        self.page.close()

    def _connect(self) -> None:
        for signal in (self.map.picked, self.plot.picked, self.table.picked, self.table.frames.edited):
            signal.connect(self.commands.update)
        for picked in (self.map.picked, self.plot.picked):
            picked.connect(self.table.reveal_selected)
        for commanded in (self.table.commanded, self.map.commanded, self.plot.commanded):
            commanded.connect(self.commands.press)
        for standard, key in (
            (QKeySequence.StandardKey.Delete, "leave_out"),
            (QKeySequence.StandardKey.Undo, "undo"),
            (QKeySequence.StandardKey.Redo, "redo"),
        ):
            shortcut = QShortcut(QKeySequence(standard), self)
            if key == "leave_out":
                shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(lambda key=key: self.commands.press(key))

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
        self._colour_label = label("muted", yields=True)
        self.colour = Choice()
        self.colour.setMinimumContentsLength(10)
        self.colour.currentIndexChanged.connect(lambda _: self.commands.colour_by(self.colour.value))
        for key in ("region", "plot"):
            self.buttons[key].setCheckable(True)
        self._colour_label.setBuddy(self.colour)
        tools.addWidget(self._colour_label)
        tools.addWidget(self.colour, 1)
        for key in ("fit", "region", "whole", "plot"):
            tools.addWidget(self.buttons[key])
        layout.addLayout(tools)
        self.panes = QStackedWidget()
        self.panes.addWidget(self.map)
        self.panes.addWidget(self._made_plot())
        layout.addWidget(self.panes, 1)
        return side

    def _made_plot(self) -> QWidget:
        pane = QWidget()
        layout, axes = QVBoxLayout(pane), QHBoxLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        self.plot_x, self.plot_y, self._against = Choice(), Choice(), label("muted")
        for widget in (self.plot_y, self._against, self.plot_x):
            axes.addWidget(widget)
        axes.addStretch(1)
        for choice in (self.plot_x, self.plot_y):
            choice.currentIndexChanged.connect(lambda _: self.commands.use_axes())
        layout.addLayout(axes)
        layout.addWidget(self.plot, 1)
        return pane

    def _made_right(self) -> QWidget:
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(4, 4, 0, 0)
        tools = QHBoxLayout()
        self.search = QLineEdit()
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self.commands.filter())
        self.kinds = Choice()
        self.kinds.currentIndexChanged.connect(lambda _: self.commands.filter())
        tools.addWidget(self.search, 1)
        tools.addWidget(self.kinds)
        for key in ("leave_out", "keep", "undo", "redo"):
            tools.addWidget(self.buttons[key])
        for key in SIGNS:
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
            widget.edited.connect(self.commands.update)
            widget.chosen.connect(lambda metric=metric: self.commands.use_metric(metric))
            strip.addWidget(widget, 1)
        return strip

    def _made_limits(self) -> QHBoxLayout:
        line = QHBoxLayout()
        self._limit_label, self._to, self._range = label("muted"), label("muted"), label("muted")
        self._selected = label("muted")
        self.limited, self.low, self.high = Choice(), QLineEdit(), QLineEdit()
        self.limited.currentIndexChanged.connect(lambda _: self.commands.use_metric(self.limited.value))
        self._limit_label.setBuddy(self.limited)
        for entry in (self.low, self.high):
            entry.setFixedWidth(84)
            entry.editingFinished.connect(self._limits_typed)
        for widget in (self._limit_label, self.limited, self.low, self._to, self.high, self._range):
            line.addWidget(widget)
        line.addStretch(1)
        line.addWidget(self._selected)
        line.addWidget(self.buttons["group"])
        return line

    def _limits_typed(self) -> None:
        for entry in (self.low, self.high):
            entry.setModified(False)
        self.commands.take_limits()
