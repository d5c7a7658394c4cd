"""The run page: phases, time left, warnings, the mosaic growing, the log."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtGui import QColor, QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import (
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from zemosaic.gui.presenter.desktop.palette import Palette
from zemosaic.gui.presenter.run.run_state import PhaseStatus, RunState, Status
from zemosaic.gui.presenter.run.run_text import (
    LEVELS,
    PhaseCells,
    caption_text,
    facts_text,
    known_level,
    log_line,
    phase_cells,
    time_text,
)
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import warning_text
from zemosaic.gui.qt.picture import Loaded, Picture
from zemosaic.gui.qt.widgets import Choice, card, label, restyle

__all__ = ["LogPane", "RunView"]

_KINDS = {PhaseStatus.WAITING: "muted", PhaseStatus.RUNNING: "changed", PhaseStatus.DONE: "good"}


class PhaseRow:
    """One phase: sign, name, bar, count, time."""

    def __init__(self, grid: QGridLayout, place: int) -> None:
        self._sign, self._name, self._count, self._time = label("muted"), label(), label("muted"), label("muted")
        self._bar = _bar()
        for column, widget in enumerate((self._sign, self._name, self._bar, self._count, self._time)):
            grid.addWidget(widget, place, column)
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
        self._written = 0
        self._run_s = session.state.started_s
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
        self.text = QPlainTextEdit()
        self.text.setReadOnly(True)
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
        self.copy.setText(words.text("run.copy"))
        self.save.setText(words.text("run.save"))
        texts = [words.text(f"choice.log_level.{level}") for level in LEVELS]
        self.level_choice.offer(LEVELS, texts, self.level)
        self.rewrite()

    def recolour(self, look: Palette) -> None:
        """Use the inks of a look."""
        self._inks = {"DEBUG": look.muted, "INFO": look.text, "WARNING": look.warning, "ERROR": look.bad}
        self.rewrite()

    def rewrite(self) -> None:
        """Write all lines anew."""
        self.text.clear()
        self._written = 0
        self.update_lines()

    def update_lines(self) -> None:
        """Add the lines that came since the last time."""
        state = self._session.state
        if state.started_s != self._run_s:
            self._run_s = state.started_s
            self.rewrite()
            return
        fresh = state.log[len(state.log) - min(state.log_count - self._written, len(state.log)) :]
        self._written = state.log_count
        lines = [line for line in fresh if LEVELS.index(known_level(line.level)) >= LEVELS.index(self.level)]
        bar = self.text.verticalScrollBar()
        at_end = bar.value() >= bar.maximum() - 2
        cursor = QTextCursor(self.text.document())
        for line in lines:
            cursor.movePosition(QTextCursor.MoveOperation.End)
            ink = QTextCharFormat()
            ink.setForeground(QColor(self._inks.get(known_level(line.level), "#888888")))
            newline = "" if self.text.document().isEmpty() else "\n"
            cursor.insertText(newline + log_line(line, state, self._session.words), ink)
        if lines and at_end:
            bar.setValue(bar.maximum())

    def _copy_pressed(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    def _save_pressed(self) -> None:
        chosen, _ = QFileDialog.getSaveFileName(self, self.save.text(), "zemosaic_log.txt")
        if not chosen:
            return
        try:
            Path(chosen).write_text(self.text.toPlainText(), encoding="utf-8")
        except OSError as fault:
            self._session.tell_problem("error.log_not_saved", path=chosen, detail=str(fault))


class RunView(QWidget):
    """What a run does right now."""

    def __init__(self, session: Session, log_level: str) -> None:
        super().__init__()
        self._session = session
        layout = QHBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 0)
        left = QWidget()
        left.setFixedWidth(520)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._made_phases())
        column.addWidget(self._made_warnings(), 1)
        layout.addWidget(left)
        right = QSplitter()
        right.setOrientation(right.orientation().Vertical)
        self.picture = Picture(lambda: session.words.text("run.no_picture"))
        self.log = LogPane(session, log_level)
        right.addWidget(self.picture)
        right.addWidget(self.log)
        right.setSizes([360, 240])
        layout.addWidget(right, 1)
        self.retranslate()

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        self._warnings_heading.setText(self._session.words.text("run.warnings"))
        self.log.retranslate()
        self.picture.update()
        self.update_state()

    def show_picture(self, loaded: Loaded | None) -> None:
        """Show the mosaic so far."""
        self.picture.show_picture(loaded)

    def update_state(self) -> None:
        """Show the run as it is now."""
        state, words, now = self._session.state, self._session.words, self._session.clock()
        self._heading.setText(words.text(f"run.status.{state.status.value}"))
        self._time.setText(time_text(state, now, words))
        shares = [phase.fraction or 0.0 for phase in state.phases]
        self._whole.setValue(round(1000 * sum(shares) / max(len(shares), 1)))
        for row, phase in zip(self._phases, state.phases, strict=False):
            row.update(phase_cells(phase, state, now, words))
        self._facts.setText(facts_text(state, words))
        self.picture.tell(caption_text(state, words))
        self._show_warnings(state)
        self.log.update_lines()

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
        for column, width in ((0, 20), (1, 150), (2, 90), (3, 70), (4, 80)):
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
        self.warnings = QPlainTextEdit()
        self.warnings.setReadOnly(True)
        self.warnings.setMinimumHeight(50)
        layout.addWidget(self.warnings, 1)
        return frame

    def _show_warnings(self, state: RunState) -> None:
        words = self._session.words
        lines = ["⚠ " + warning_text(warning, words) for warning in state.warnings]
        text = "\n".join(lines) or ("" if state.status is Status.IDLE else words.text("run.no_warnings"))
        if text != self.warnings.toPlainText():
            self.warnings.setPlainText(text)


def _bar() -> QProgressBar:
    bar = QProgressBar()
    bar.setRange(0, 1000)
    bar.setTextVisible(False)
    return bar
