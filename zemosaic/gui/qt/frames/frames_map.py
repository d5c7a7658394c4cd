"""The map of the sky in Qt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QImage, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from zemosaic.gui.presenter.frames.frames_page import FramesPage

__all__ = ["MapWidget"]

_KEYS = {Qt.Key.Key_Left: (60, 0), Qt.Key.Key_Right: (-60, 0), Qt.Key.Key_Up: (0, 60), Qt.Key.Key_Down: (0, -60)}
_INK = QColor("#d5d9e2")


class MapWidget(QWidget):
    """Shows a `SkyMap`: wheel and +/- zoom, dragging pans, Shift and dragging selects, a click selects."""

    picked = Signal()
    commanded = Signal(str)
    """A command, as `FramesCommands.press` takes it."""

    def __init__(self, page: FramesPage, region_marked: Callable[[str | None], None]) -> None:
        super().__init__()
        self.sky = page.map
        self._page = page
        self._session = page.session
        self._region_marked = region_marked
        self.setMinimumSize(260, 200)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the map, the compass, the legend and the rectangle."""
        painter = QPainter(self)
        picture = self.sky.picture()
        if picture is None:
            painter.fillRect(self.rect(), QColor("#0b0e14"))
            painter.setPen(QColor("#aab2c0"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(30, 0, -30, 0), flags, self._session.words.text("frames.empty"))
            return
        picture = np.ascontiguousarray(picture)
        height, width = picture.shape[:2]
        image = QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
        painter.drawImage(0, 0, image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_compass(painter)
        self._paint_legend(painter)
        self._paint_thumbnail(painter)
        self._paint_hint(painter)
        if self.hasFocus():
            painter.setPen(QPen(self.palette().highlight().color(), 2))
            painter.drawRect(self.rect().adjusted(1, 1, -1, -1))
        if self.sky.rectangle is not None:
            u0, v0, u1, v1 = self.sky.rectangle
            painter.setPen(QPen(_INK, 1, Qt.PenStyle.DashLine))
            painter.drawRect(QRectF(QPointF(u0, v0), QPointF(u1, v1)).normalized())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep a fitted map fitted."""
        self.sky.resize(self.width(), self.height())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        at = event.position()
        self.sky.zoom(1 if event.angleDelta().y() > 0 else -1, at.x(), at.y())
        self.update()
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag or to select."""
        selecting = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self.sky.press(event.position().x(), event.position().y(), selecting)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the map or the rectangle."""
        self.sky.drag(event.position().x(), event.position().y())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Select what was drawn around or clicked on."""
        add = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        self._region_marked(self.sky.release(event.position().x(), event.position().y(), add))
        self.picked.emit()
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """See the frame large that the first click selected."""
        self.commanded.emit("large")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom and pan by keys."""
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.sky.zoom(1)
        elif key == Qt.Key.Key_Minus:
            self.sky.zoom(-1)
        elif key == Qt.Key.Key_0:
            self.sky.fit()
        elif key in _KEYS:
            self.sky.pan(*_KEYS[key])
        elif key == Qt.Key.Key_Space:
            self.commanded.emit("large")
        else:
            super().keyPressEvent(event)
            return
        self.update()

    def _paint_compass(self, painter: QPainter) -> None:
        words, x, y = self._session.words, self.width() - 26, self.height() - 22
        painter.setPen(QPen(_INK, 1.5))
        painter.drawLine(x, y, x, y - 34)
        painter.drawLine(x, y, x - 34, y)
        painter.drawText(QRectF(x - 15, y - 54, 30, 18), Qt.AlignmentFlag.AlignCenter, words.text("frames.north"))
        painter.drawText(QRectF(x - 56, y - 9, 20, 18), Qt.AlignmentFlag.AlignCenter, words.text("frames.east"))

    def _paint_hint(self, painter: QPainter) -> None:
        key = "frames.region_hint" if self.sky.marking_region else "frames.hint"
        room = self.width() - 90
        text = self.fontMetrics().elidedText(self._session.words.text(key), Qt.TextElideMode.ElideRight, room)
        painter.setPen(QColor("#8d95a5"))
        painter.drawText(QPointF(12, self.height() - 10), text)

    def _paint_thumbnail(self, painter: QPainter) -> None:
        shown = self._page.thumbnails.shown
        if shown is None:
            return
        right, top = self.width() - 12, 12
        if shown.picture is not None:
            height, width = shown.picture.shape[:2]
            image = QImage(shown.picture.data, width, height, 3 * width, QImage.Format.Format_RGB888)
            size = image.size().scaled(
                round(0.34 * self.width()), round(0.45 * self.height()), Qt.AspectRatioMode.KeepAspectRatio
            )
            area = QRectF(right - size.width(), top, size.width(), size.height())
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(area, image)
            painter.setPen(QPen(_INK, 1))
            painter.drawRect(area)
            top += size.height() + 4
        painter.setPen(_INK)
        room = round(0.5 * self.width())
        name = self.fontMetrics().elidedText(self._page.thumbnail_text(), Qt.TextElideMode.ElideMiddle, room)
        painter.drawText(QRectF(right - room, top, room, 18), Qt.AlignmentFlag.AlignRight, name)

    def _paint_legend(self, painter: QPainter) -> None:
        for i, line in enumerate(self.sky.legend(self._session.words)):
            y = 12 + 20 * i
            painter.fillRect(QRectF(12, y + 3, 10, 10), QColor(*line.ink))
            painter.setPen(_INK)
            painter.drawText(QPointF(30, y + 13), line.text)
