"""The run page: phases, time left, warnings, the mosaic growing, the log."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.desktop.palette import Palette
from zemosaic.gui.presenter.result.picture_loader import Loaded
from zemosaic.gui.presenter.run.run_page import LogFeed, empty_text, run_face
from zemosaic.gui.presenter.run.run_state import PhaseStatus
from zemosaic.gui.presenter.run.run_text import LEVELS, PhaseCells
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.qt.linked_text import LinkedText
from zemosaic.gui.qt.picture import Picture
from zemosaic.gui.qt.widgets import Choice, card, label, restyle

__all__ = ["LogPane", "RunView"]

_KINDS = {
    PhaseStatus.WAITING: "muted",
    PhaseStatus.RUNNING: "changed",
    PhaseStatus.DONE: "good",
    PhaseStatus.FAILED: "problem",
    PhaseStatus.STOPPED: "muted",
}


class PhaseRow:
    """One phase: sign, name, bar, count, time."""

    def __init__(self, grid: QGridLayout, place: int) -> None:
        self._sign, self._name, self._count, self._time = label("muted"), label(), label("muted"), label("muted")
        self._bar = _bar()
        for column, widget in enumerate((self._sign, self._name, self._bar, self._count, self._time)):
            grid.addWidget(widget, place, column)
        for told in (self._count, self._time):
            told.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._shown: PhaseCells | None = None

    def update(self, cells: PhaseCells) -> None:
        """Show the phase as it is now."""
        if cells == self._shown:
            return
        self._shown = cells
        self._sign.setText(cells.sign)
        restyle(self._sign, _KINDS[cells.status])
        self._name.setText(cells.name)
        self._bar.setValue(round(1000 * cells.fraction))
        self._count.setText(cells.count)
        self._time.setText(cells.time)


class LogPane(QFrame):
    """The log with a level filter, to copy and to save."""

    def __init__(self, session: Session, level: str) -> None:
        super().__init__()
        self.setObjectName("card")
        self._session = session
        self._feed = LogFeed(session)
        self._inks: dict[str, str] = {}
        layout = QVBoxLayout(self)
        top = QHBoxLayout()
        self._heading = label("heading")
        self.level_choice = Choice()
        self.level_choice.offer(LEVELS, LEVELS, level)
        self.level_choice.currentIndexChanged.connect(lambda _: self.rewrite())
        self.copy, self.save = QPushButton(), QPushButton()
        self.copy.clicked.connect(self._copy_pressed)
        self.save.clicked.connect(self._save_pressed)
        top.addWidget(self._heading)
        top.addStretch(1)
        for widget in (self.level_choice, self.copy, self.save):
            top.addWidget(widget)
        layout.addLayout(top)
        self.text = LinkedText(session)
        self.text.setMaximumBlockCount(5000)
        layout.addWidget(self.text, 1)

    @property
    def level(self) -> str:
        """The least important level that is shown."""
        return self.level_choice.value

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        words = self._session.words
        self._heading.setText(words.text("run.log"))
        self.text.setAccessibleName(words.text("run.log"))
        self.copy.setText(words.text("run.copy"))
        self.save.setText(words.text("run.save"))
        self.level_choice.offer(LEVELS, self._feed.level_texts(), self.level)
        self.rewrite()

    def recolour(self, look: Palette) -> None:
        """Use the inks of a look."""
        self._inks = {"DEBUG": look.muted, "INFO": look.text, "WARNING": look.warning, "ERROR": look.bad}
        self.rewrite()

    def rewrite(self) -> None:
        """Write all lines anew."""
        self._feed.begin_again()
        self.update_lines()

    def update_lines(self) -> None:
        """Add the lines that came since the last time."""
        anew, lines = self._feed.take(self.level)
        if anew:
            self.text.clear()
        bar = self.text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        for text, level in lines:
            newline = "" if self.text.document().isEmpty() else "\n"
            self.text.add_text(newline + text, self._inks.get(level, "#888888"))
        if lines and at_end:
            bar.setValue(bar.maximum())

    def _copy_pressed(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    def _save_pressed(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, self.save.text(), "zemosaic_log.txt")
        self._feed.save(chosen, self.text.toPlainText())


class RunView(QWidget):
    """What a run does right now."""

    def __init__(self, session: Session, log_level: str) -> None:
        super().__init__()
        self._session = session
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 0)
        left = QWidget()
        left.setMaximumWidth(520)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._made_phases())
        column.addWidget(self._made_warnings(), 1)
        layout.addWidget(left, 1)
        right = QSplitter()
        right.setOrientation(right.orientation().Vertical)
        self.picture = Picture(lambda: empty_text(session))
        self.log = LogPane(session, log_level)
        seen = QWidget()
        shown = QVBoxLayout(seen)
        shown.setContentsMargins(0, 0, 0, 0)
        self._caption = label("muted", wrap=True)
        shown.addWidget(self.picture, 1)
        shown.addWidget(self._caption)
        right.addWidget(seen)
        right.addWidget(self.log)
        right.setSizes([360, 240])
        layout.addWidget(right, 1)
        self.retranslate()

    def retranslate(self) -> None:
        self._warnings_heading.setText(self._session.words.text("run.warnings"))
        self.warnings.setAccessibleName(self._session.words.text("run.warnings"))
        self.picture.setAccessibleName(self._session.words.text("run.picture"))
        self.log.retranslate()
        self.picture.update()
        self.update_state()

    def show_picture(self, loaded: Loaded[QImage] | None) -> None:
        self.picture.show_picture(loaded)

    def update_state(self) -> None:
        face = run_face(self._session)
        if face.heading != self._heading.text():
            self.picture.redraw()  # what stands in place of a mosaic tells how the run ended
        self._heading.setText(face.heading)
        self._time.setText(face.time)
        self._whole.setValue(round(1000 * face.fraction))
        for row, cells in zip(self._phases, face.phases, strict=False):
            row.update(cells)
        self._facts.setText(face.facts)
        self._caption.setText(face.caption)
        if face.warnings != self.warnings.toPlainText():
            self.warnings.show_text(face.warnings)
        self.log.update_lines()

    @property
    def log_level(self) -> str:
        return self.log.level

    def _made_phases(self) -> QFrame:
        frame, layout = card()
        top = QHBoxLayout()
        self._heading, self._time = label("heading"), label()
        top.addWidget(self._heading)
        top.addStretch(1)
        top.addWidget(self._time)
        layout.addLayout(top)
        self._whole = _bar()
        layout.addWidget(self._whole)
        grid = QGridLayout()
        grid.setColumnStretch(2, 1)
        for column, width in ((0, 20), (1, 150), (2, 40), (3, 50), (4, 60)):
            grid.setColumnMinimumWidth(column, width)
        self._phases = [PhaseRow(grid, i) for i in range(len(self._session.state.phases))]
        layout.addLayout(grid)
        self._facts = label("muted", wrap=True)
        layout.addWidget(self._facts)
        return frame

    def _made_warnings(self) -> QFrame:
        frame, layout = card()
        self._warnings_heading = label("heading")
        layout.addWidget(self._warnings_heading)
        self.warnings = LinkedText(self._session)
        self.warnings.setMinimumHeight(50)
        layout.addWidget(self.warnings, 1)
        return frame


def _bar() -> QProgressBar:
    bar = QProgressBar()
    bar.setRange(0, 1000)
    bar.setTextVisible(False)
    return bar
