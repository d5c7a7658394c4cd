"""The strip of histograms in Qt."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from zemosaic.gui.presenter.desktop.palette import Palette
from zemosaic.gui.presenter.frames.histograms import Histogram
from zemosaic.gui.presenter.run.session import Session

__all__ = ["HistogramWidget"]

_HEAD = 20


class HistogramWidget(QWidget):
    """One metric: lines are dragged; Left and Right move the upper, with Shift the lower limit; Delete clears."""

    edited = Signal()
    chosen = Signal()

    def __init__(self, histogram: Histogram, session: Session) -> None:
        super().__init__()
        self.histogram = histogram
        self.look: Palette | None = None
        self._session = session
        self.setMinimumSize(90, 78)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)

    def name_for_readers(self) -> None:
        """Tell screen readers the metric, its limits and how many frames lie beyond them."""
        words = self._session.words
        self.setAccessibleName(self.histogram.title(words))
        self.setAccessibleDescription(self.histogram.told(words) or words.text("frames.histogram.help"))

    def sizeHint(self) -> QSize:
        """Return a size that shows the shape of the distribution."""
        return QSize(150, 92)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the bars, the two lines and the title."""
        look = self.look
        if look is None:
            return
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(look.card))
        painter.setPen(QPen(QColor(look.accent if self.hasFocus() else look.border), 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        painter.setPen(QColor(look.text))
        title = self.fontMetrics().elidedText(
            self.histogram.title(self._session.words), Qt.TextElideMode.ElideRight, self.width() - 14
        )
        painter.drawText(QRectF(7, 2, self.width() - 14, _HEAD - 2), Qt.AlignmentFlag.AlignVCenter, title)
        for bar in self.histogram.bars():
            ink = QColor(look.accent if bar.kept else look.muted)
            ink.setAlphaF(1.0 if bar.kept else 0.35)
            painter.fillRect(QRectF(QPointF(bar.u0, bar.v0 + _HEAD), QPointF(bar.u1, bar.v1 + _HEAD)), ink)
        lines = self.histogram.lines
        if lines is None:
            painter.setPen(QColor(look.muted))
            area = self.rect().adjusted(4, _HEAD, -4, 0)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self._session.words.text("frames.not_measured"))
            return
        for line, limit in zip(lines, self.histogram.limit, strict=True):
            painter.setPen(QPen(QColor(look.bad if limit is not None else look.border), 2))
            at = min(max(line, 2.0), self.width() - 3.0)
            painter.drawLine(QPointF(at, _HEAD), QPointF(at, self.height() - 2))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell the histogram its room."""
        self.histogram.resize(self.width(), self.height() - _HEAD - 2)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take hold of a line."""
        self.histogram.press(event.position().x())
        self.chosen.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the line that is held."""
        near = self.histogram.near(event.position().x())
        self.setCursor(Qt.CursorShape.SplitHCursor if near else Qt.CursorShape.ArrowCursor)
        if event.buttons() & Qt.MouseButton.LeftButton:
            self.histogram.drag(event.position().x())
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go: the frames beyond the line are left out."""
        self.histogram.release()
        self.edited.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the limits by keys."""
        lower = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self.histogram.nudge(1 if event.key() == Qt.Key.Key_Right else -1, lower)
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.histogram.clear()
        else:
            super().keyPressEvent(event)
            return
        self.edited.emit()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus, and the limits of this metric where they are typed."""
        self.chosen.emit()
        super().focusInEvent(event)
