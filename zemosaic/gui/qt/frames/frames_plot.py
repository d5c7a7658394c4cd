"""The plot of metrics in Qt."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
)
from PySide6.QtWidgets import QWidget

from zemosaic.gui.presenter.frames.frames_page import FramesPage

__all__ = ["PlotWidget"]

_INK, _FAINT = QColor("#d5d9e2"), QColor("#3a4150")
_STEPS = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1, Qt.Key.Key_Home: -(10**9), Qt.Key.Key_End: 10**9}


class PlotWidget(QWidget):
    """Shows a `MetricPlot`: a line round points selects them, a click or an arrow key selects one."""

    picked = Signal()
    commanded = Signal(str)
    """A command, as `FramesCommands.press` takes it."""

    def __init__(self, page: FramesPage) -> None:
        super().__init__()
        self._page = page
        self._plot = page.plot
        self._words = page.session.words
        self.setMinimumSize(260, 110)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the points, the axes, what the colours mean and the line that is drawn."""
        painter = QPainter(self)
        seen = self._plot.picture()
        height, width = seen.shape[:2]
        painter.drawImage(0, 0, QImage(seen.data, width, height, 3 * width, QImage.Format.Format_RGB888))
        empty = self._plot.empty_text(self._words)
        if empty:
            painter.setPen(QColor("#aab2c0"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(30, 0, -30, 0), flags, empty)
            return
        self._paint_axes(painter)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if len(self._plot.lasso) > 1:
            painter.setPen(QPen(_INK, 1, Qt.PenStyle.DashLine))
            painter.drawPolygon(QPolygonF([QPointF(*point) for point in self._plot.lasso]))
        if self.hasFocus():
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell the plot its room."""
        self._plot.resize(self.width(), self.height())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to draw."""
        self._plot.press(*event.position().toTuple())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on drawing."""
        self._plot.drag(*event.position().toTuple())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select what the line goes round."""
        add = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        self._plot.release(*event.position().toTuple(), add)
        self.picked.emit()
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """See the frame large that the first click selected."""
        self.commanded.emit("large")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Go from point to point."""
        key = Qt.Key(event.key())
        if key == Qt.Key.Key_Space:
            self.commanded.emit("large")
        elif key in _STEPS:
            self._plot.step(_STEPS[key])
            self.picked.emit()
            self.update()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show the focus."""
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show that the focus is elsewhere."""
        self.update()

    def _paint_axes(self, painter: QPainter) -> None:
        u0, v0, u1, v1 = self._plot.area
        below, left = self._plot.ticks(self._words)
        painter.setPen(_FAINT)
        painter.drawPolyline([QPointF(u0, v0 - 6), QPointF(u0, v1 + 6), QPointF(u1, v1 + 6)])
        for tick in below:
            painter.drawLine(QPointF(tick.at, v1 + 6), QPointF(tick.at, v1 + 10))
        for tick in left:
            painter.drawLine(QPointF(u0 - 4, tick.at), QPointF(u0, tick.at))
        painter.setPen(_INK)
        for tick in below:
            at = QRectF(max(min(tick.at - 50, self.width() - 102), 2), v1 + 9, 100, 16)
            painter.drawText(at, Qt.AlignmentFlag.AlignCenter, tick.text)
        for tick in left:
            area = QRectF(0, tick.at - 9, u0 - 8, 18)
            painter.drawText(area, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, tick.text)
        for row, line in enumerate(self._plot.legend(self._words)):
            y, x = 10 + 18 * row, self.width() - 16
            painter.fillRect(QRectF(x, y + 3, 10, 10), QColor(*line.ink))
            painter.drawText(QRectF(0, y, x - 6, 16), Qt.AlignmentFlag.AlignRight, line.text)
