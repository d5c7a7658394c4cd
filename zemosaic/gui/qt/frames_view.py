"""The frames page: the folder's frames on a map of the sky and in a table."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QSplitter, QVBoxLayout, QWidget

import zemosaic
from zemosaic.errors import ZeMosaicError
from zemosaic.gui.presenter.analyser import find_analyser, start_analyser
from zemosaic.gui.presenter.frame_table import METRICS, SHOWN
from zemosaic.gui.presenter.frames_desk import TABLE_NAME
from zemosaic.gui.presenter.limits import beyond_text, rows_beyond, spread_text
from zemosaic.gui.presenter.map_picture import COLOURINGS
from zemosaic.gui.presenter.session import Session
from zemosaic.gui.presenter.sky_map import SkyMap
from zemosaic.gui.qt.frames_map import MapWidget
from zemosaic.gui.qt.frames_table import FrameTableView
from zemosaic.gui.qt.widgets import Choice, label

__all__ = ["FramesView"]

SIDES = ("above", "below")


class FramesView(QWidget):
    """Frames to look at and to choose from."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._analyser = find_analyser(Path(zemosaic.__file__).resolve().parents[1])
        # Held on to, for Python complains of a process that is forgotten while it runs.
        self._analysing: subprocess.Popen[bytes] | None = None
        self._shown: tuple[int, int] | None = None
        self.setAcceptDrops(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 0)
        self.map = MapWidget(SkyMap(session.frames), session, lambda: session.words.text("frames.empty"))
        self.table = FrameTableView(session)
        layout.addLayout(self._made_top())
        split = QSplitter()
        split.addWidget(self._made_left())
        split.addWidget(self._made_right())
        split.setSizes([560, 680])
        layout.addWidget(split, 1)
        for signal in (self.map.picked, self.table.picked, self.table.frames.edited):
            signal.connect(self.update_state)
        self.map.picked.connect(self.table.reveal_selected)
        for standard, act in (
            (QKeySequence.StandardKey.Delete, self.leave_out),
            (QKeySequence.StandardKey.Undo, self.undo),
        ):
            shortcut = QShortcut(QKeySequence(standard), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(act)
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        for key, button in self.buttons.items():
            button.setText(words.text(f"frames.{key}"))
        if self._analyser is not None:
            told = {"name": self._analyser.name, "folder": str(self._analyser.folder)}
            self.buttons["analyse"].setToolTip(words.text("frames.analyse_with", **told))
        self.search.setPlaceholderText(words.text("frames.search"))
        self.colour.offer(COLOURINGS, [words.text(f"frames.colour.{name}") for name in COLOURINGS], self.colour.value)
        self._colour_label.setText(words.text("frames.colour"))
        self.kinds.offer(SHOWN, [words.text(f"frames.show.{name}") for name in SHOWN], self.kinds.value)
        self.limited.offer(METRICS, [words.text(f"frames.column.{name}") for name in METRICS], self.limited.value)
        self.side.offer(SIDES, [words.text(f"frames.limit_{name}") for name in SIDES], self.side.value)
        self._limit_label.setText(words.text("frames.limit"))
        self._hint.setText(words.text("frames.hint"))
        self._shown = None
        self.update_state()

    def update_state(self) -> None:
        """Show the frames as they are now, where anything changed."""
        desk, words = self._session.frames, self._session.words
        self._summary.setText(desk.summary(words))
        table = desk.table
        shown = (desk.version, table.version if table is not None else 0)
        if shown == self._shown:
            return
        fresh = self._shown is None or self._shown[0] != desk.version
        self._shown = shown
        if fresh and table is not None:
            table.filter(self.search.text(), self.kinds.value)
            self._shown = (desk.version, table.version)
        chosen = 0 if table is None else int(table.selected.sum())
        self._selected.setText(words.text("frames.selected", count=chosen) if table is not None else "")
        for key in ("leave_out", "keep"):
            self.buttons[key].setEnabled(chosen > 0)
        for key in ("export", "import"):
            self.buttons[key].setEnabled(table is not None)
        self.buttons["undo"].setEnabled(table is not None and table.can_undo)
        self.table.refresh()
        self.map.update()
        self._show_limit()

    def choose(self) -> None:
        """Ask for a folder of frames."""
        start = str(self._session.form.row("input_dir").value) or str(Path.home())
        chosen = QFileDialog.getExistingDirectory(self, self.buttons["choose"].text(), start)
        if chosen:
            self.open_folder(chosen)

    def open_folder(self, folder: str) -> None:
        """Look at the frames of a folder."""
        self._session.problem = None
        self._session.scan_frames(str(Path(folder)))
        self.update_state()

    def leave_out(self) -> None:
        """Leave the selected frames out."""
        self._set_keep(False)

    def undo(self) -> None:
        """Take the last choice back."""
        if self._session.frames.table is not None:
            self._session.frames.table.undo()
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

    def _made_top(self) -> QHBoxLayout:
        acts = {
            "choose": self.choose,
            "leave_out": self.leave_out,
            "keep": lambda: self._set_keep(True),
            "undo": self.undo,
            "export": self._export_pressed,
            "import": self._import_pressed,
            "analyse": self._analyse_pressed,
            "fit": self._fit_pressed,
        }
        self.buttons = {key: QPushButton() for key in acts}
        for key, act in acts.items():
            self.buttons[key].clicked.connect(act)
        self.buttons["analyse"].setVisible(self._analyser is not None)
        top = QHBoxLayout()
        self._summary = label(wrap=True)
        top.addWidget(self.buttons["choose"])
        top.addWidget(self._summary, 1)
        for key in ("analyse", "import", "export"):
            top.addWidget(self.buttons[key])
        return top

    def _made_left(self) -> QWidget:
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(0, 6, 6, 0)
        tools = QHBoxLayout()
        self._colour_label = label("muted")
        self.colour = Choice()
        self.colour.offer(COLOURINGS, COLOURINGS, "night")
        self.colour.currentIndexChanged.connect(self._colour_chosen)
        for widget in (self._colour_label, self.colour, self.buttons["fit"]):
            tools.addWidget(widget)
        tools.addStretch(1)
        layout.addLayout(tools)
        layout.addWidget(self.map, 1)
        self._hint = label("muted", wrap=True)
        layout.addWidget(self._hint)
        return side

    def _made_right(self) -> QWidget:
        side = QWidget()
        layout = QVBoxLayout(side)
        layout.setContentsMargins(6, 6, 0, 0)
        tools = QHBoxLayout()
        self.search = QLineEdit()
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(lambda _: self._filter())
        self.kinds = Choice()
        self.kinds.offer(SHOWN, SHOWN, "all")
        self.kinds.currentIndexChanged.connect(lambda _: self._filter())
        tools.addWidget(self.search, 1)
        for widget in (self.kinds, self.buttons["leave_out"], self.buttons["keep"], self.buttons["undo"]):
            tools.addWidget(widget)
        layout.addLayout(tools)
        layout.addWidget(self.table, 1)
        layout.addLayout(self._made_limit())
        return side

    def _made_limit(self) -> QHBoxLayout:
        line = QHBoxLayout()
        self._limit_label, self._range, self._selected = label("muted"), label("muted"), QLabel()
        self.limited, self.side, self.limit = Choice(), Choice(), QLineEdit()
        self.limited.offer(METRICS, METRICS, "fwhm")
        self.side.offer(SIDES, SIDES, "above")
        self.limit.setMaximumWidth(80)
        self.apply_limit = QPushButton()
        self.apply_limit.clicked.connect(self._limit_pressed)
        for choice in (self.limited, self.side):
            choice.currentIndexChanged.connect(lambda _: self._show_limit())
        self.limit.textChanged.connect(lambda _: self._show_limit())
        for widget in (self._limit_label, self.limited, self.side, self.limit, self.apply_limit, self._range):
            line.addWidget(widget)
        line.addStretch(1)
        line.addWidget(self._selected)
        return line

    def _beyond(self) -> NDArray[np.intp]:
        return rows_beyond(self._session.frames.table, self.limited.value, self.limit.text(), self.side.value)

    def _show_limit(self) -> None:
        table, words = self._session.frames.table, self._session.words
        self._range.setText(spread_text(table, self.limited.value, words))
        count = len(self._beyond())
        self.apply_limit.setText(beyond_text(count, words))
        self.apply_limit.setEnabled(count > 0)

    def _limit_pressed(self) -> None:
        if self._session.frames.table is not None:
            self._session.frames.table.set_keep(self._beyond(), False)
            self.update_state()

    def _set_keep(self, keep: bool) -> None:
        table = self._session.frames.table
        if table is not None:
            table.set_keep(np.flatnonzero(table.selected), keep)
            self.update_state()

    def _filter(self) -> None:
        if self._session.frames.table is not None:
            self._session.frames.table.filter(self.search.text(), self.kinds.value)
            self.update_state()

    def _colour_chosen(self) -> None:
        self.map.sky.colour_by(self.colour.value)
        self.map.update()

    def _fit_pressed(self) -> None:
        self.map.sky.fit()
        self.map.update()

    def _export_pressed(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, self.buttons["export"].text(), TABLE_NAME, "CSV (*.csv)")
        if chosen:
            self._try(lambda: self._session.frames.export(Path(chosen)))

    def _import_pressed(self) -> None:
        chosen, _ = QFileDialog.getOpenFileName(self, self.buttons["import"].text(), "", "CSV (*.csv)")
        if chosen:
            self._try(lambda: self._session.frames.import_csv(Path(chosen)))

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except ZeMosaicError as fault:
            self._session.problem = fault.message
        self.update_state()

    def _analyse_pressed(self) -> None:
        if self._analyser is None:
            return
        self._analysing = start_analyser(self._analyser)
        if self._analysing is None:
            self._session.tell_problem("error.not_opened", path=str(self._analyser.entry))
