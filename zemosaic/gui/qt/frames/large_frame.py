"""The window in which frames are seen large, in Qt."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QCloseEvent,
    QColor,
    QImage,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QShortcut,
    QWheelEvent,
)
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from zemosaic.gui.presenter.large_frame.frame_viewer import VIEWER_BUTTONS, VIEWER_KEYS, FrameViewer, button_text
from zemosaic.gui.qt.widgets import label, restyle
from zemosaic.i18n import Translator

__all__ = ["LargeFrameWindow"]

_TICK_MS = 20


class _Canvas(QWidget):
    """The frame itself: the wheel zooms, dragging pans."""

    toggled = Signal()

    def __init__(self, viewer: FrameViewer, note: Callable[[], str]) -> None:
        super().__init__()
        self._viewer = viewer
        self._note = note
        self._last = QPointF()
        self.setMinimumSize(320, 240)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint what is seen, and over it what is to be told."""
        painter = QPainter(self)
        seen = self._viewer.picture()
        if seen is None:
            return
        height, width = seen.shape[:2]
        image = QImage(seen.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        image.setDevicePixelRatio(self.devicePixelRatioF())
        painter.drawImage(0, 0, image)
        painter.setPen(QColor("#e7eaf0"))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(self.rect().adjusted(40, 20, -40, -20), flags, self._note())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep a fitted frame fitted."""
        # A frame's pixels are those of the screen, of which a scaled desktop has more than the window counts.
        ratio = self.devicePixelRatioF()
        self._viewer.resize(round(self.width() * ratio), round(self.height() * ratio))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        at = event.position() * self.devicePixelRatioF()
        self._viewer.zoom(1 if event.angleDelta().y() > 0 else -1, at.x(), at.y())
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag."""
        self._last = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the sky."""
        moved, self._last = (event.position() - self._last) * self.devicePixelRatioF(), event.position()
        self._viewer.pan(moved.x(), moved.y())
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Close, as a double click opened it."""
        self.toggled.emit()


class LargeFrameWindow(QWidget):
    """One frame large, its texts above and its buttons below; keys are those of `VIEWER_KEYS`.

    Parameters
    ----------
    parent : QWidget
        Of whose window it is a part.
    viewer : FrameViewer
    words : Translator
    changed : callable
        Called after each step, for the table follows.
    """

    def __init__(self, parent: QWidget, viewer: FrameViewer, words: Translator, changed: Callable[[], None]) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self._viewer, self._words, self._changed = viewer, words, changed
        self.canvas = _Canvas(viewer, lambda: viewer.note(words))
        self.title, self.verdict, self.facts = label("bold"), label(), label("muted", wrap=True)
        self.buttons = {key: QPushButton() for key in VIEWER_BUTTONS}
        self.buttons["same_place"].setCheckable(True)
        lines, row = QVBoxLayout(self), QHBoxLayout()
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addSpacing(16)
        head.addWidget(self.verdict, 1)
        lines.addLayout(head)
        lines.addWidget(self.facts)
        lines.addWidget(self.canvas, 1)
        lines.addLayout(row)
        for key, button in self.buttons.items():
            button.clicked.connect(lambda _, key=key: self.press(key))
            row.addWidget(button)
        row.addStretch(1)
        self._bind()
        self._timer = QTimer(self)
        self._timer.setInterval(_TICK_MS)
        self._timer.timeout.connect(self._tick)
        self.retranslate()
        room = self.screen().availableGeometry()
        self.resize(min(1100, room.width()), min(760, room.height() - 40))

    def retranslate(self) -> None:
        """Put all texts in the language of the moment."""
        text = self._words.text
        self.setWindowTitle(text("viewer.window"))
        self.canvas.setAccessibleName(text("viewer.window"))
        for key, button in self.buttons.items():
            button.setText(button_text(key, self._words))
            button.setToolTip(text(f"viewer.{key}.help"))

    def look(self) -> None:
        """Show the frame that the viewer was opened with."""
        self.retranslate()
        self.show()
        self.raise_()
        self.activateWindow()
        self.canvas.setFocus()
        self._timer.start()
        self.refresh()

    def press(self, command: str) -> None:
        """Do what a key or a button does."""
        self._viewer.press(command)
        if not self._viewer.is_open:
            self.close()
            return
        self._changed()
        self.refresh()

    def refresh(self) -> None:
        """Show the frame as it is now."""
        texts = self._viewer.texts(self._words)
        self.title.setText(texts.title)
        self.verdict.setText(texts.verdict)
        restyle(self.verdict, "problem" if texts.is_excluded else "bold")
        self.facts.setText(texts.facts)
        self.canvas.setAccessibleName(f"{texts.title}, {texts.verdict}")
        self.canvas.setAccessibleDescription(texts.facts)
        for key, button in self.buttons.items():
            button.setEnabled(self._viewer.enabled(key))
        self.buttons["same_place"].setChecked(self._viewer.only_same_place)
        self.canvas.update()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Let the pictures go."""
        self._timer.stop()
        self._viewer.close()
        self._changed()

    def _tick(self) -> None:
        if not self._viewer.is_open:
            self.close()
        elif self._viewer.pump():
            self.refresh()

    def _bind(self) -> None:
        for keys, command in VIEWER_KEYS.items():
            QShortcut(QKeySequence(keys), self).activated.connect(lambda command=command: self.press(command))
        for standard, command in ((QKeySequence.StandardKey.Undo, "undo"), (QKeySequence.StandardKey.Redo, "redo")):
            QShortcut(QKeySequence(standard), self).activated.connect(lambda command=command: self.press(command))
        self.canvas.toggled.connect(self.close)
