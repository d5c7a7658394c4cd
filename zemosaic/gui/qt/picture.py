"""A picture with zoom and pan, painted by Qt."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QLineF, QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import (
    QColor,
    QImage,
    QImageReader,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QApplication, QPushButton, QWidget

from zemosaic.gui.presenter.result.picture_control import PAN_PX, PictureControl
from zemosaic.gui.presenter.result.picture_loader import Loaded

__all__ = ["Picture", "picture_buttons", "read_image"]

_ARROWS = {
    Qt.Key.Key_Left: (PAN_PX, 0),
    Qt.Key.Key_Right: (-PAN_PX, 0),
    Qt.Key.Key_Up: (0, PAN_PX),
    Qt.Key.Key_Down: (0, -PAN_PX),
}
_MAX_IMAGE_MB = 4096


def read_image(path: str) -> QImage | None:
    """Return a picture file; None where it cannot be read."""
    reader = QImageReader(path)
    reader.setAllocationLimit(_MAX_IMAGE_MB)
    image = reader.read()
    return None if image.isNull() else image


class Picture(PictureControl, QWidget):
    """Shows an image or a source: wheel and +/- zoom, dragging and arrows pan, 0 fits, 1 is full size."""

    def __init__(self, empty: Callable[[], str]) -> None:
        QWidget.__init__(self)
        PictureControl.__init__(self, empty)
        self.loaded: Loaded[QImage] | None = None
        self._drag: QPointF | None = None
        self._pressed: QPointF | None = None
        self._released_at = QPointF()
        self._click = QTimer(self)
        self._click.setSingleShot(True)
        self._click.timeout.connect(lambda: self.click_at(*self._released_at.toTuple()))
        self._acts: dict[Qt.Key, Callable[[], None]] = {
            Qt.Key.Key_Plus: lambda: self.zoom(1),
            Qt.Key.Key_Equal: lambda: self.zoom(1),
            Qt.Key.Key_Minus: lambda: self.zoom(-1),
            Qt.Key.Key_0: self.fit,
            Qt.Key.Key_1: self.full_size,
            Qt.Key.Key_Return: self.click_middle,
            Qt.Key.Key_Enter: self.click_middle,
        }
        self.setMinimumSize(200, 150)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setMouseTracking(True)

    def show_picture(self, loaded: Loaded[QImage] | None) -> None:
        """Show a preview."""
        self.loaded = loaded
        self.show_size(None if loaded is None else (loaded.pixels.width(), loaded.pixels.height()))

    def redraw(self) -> None:
        """Paint soon."""
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the part that is seen."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("#0b0e14"))
        seen = self.seen()
        if seen is not None:
            height, width = seen.shape[:2]
            image = QImage(seen.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
            painter.drawImage((self.width() - width) // 2, (self.height() - height) // 2, image)
            self._paint_mark(painter)
            return
        if self.loaded is None:
            painter.setPen(QColor("#aab2c0"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(30, 0, -30, 0), flags, self.empty_text())
            return
        left, top, right, bottom = self.view.box()
        width, height = self.view.size_on_screen()
        target = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.view.scale <= 3)
        painter.drawImage(target, self.loaded.pixels, QRectF(left, top, right - left, bottom - top))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep a fitted picture fitted."""
        self.take_window(self.width(), self.height())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        at = event.position()
        self.turn_at(event.angleDelta().y(), at.x(), at.y())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag, or to click."""
        if event.button() is Qt.MouseButton.LeftButton and self.press_at(*event.position().toTuple()):
            self._drag = self._pressed = None
            return
        self._drag = event.position()
        self._pressed = event.position() if event.button() is Qt.MouseButton.LeftButton else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Take a press that went nowhere for a click, unless another one follows at once."""
        if self.release_at(*event.position().toTuple()):
            return
        if self._pressed is not None and self.clicked is not None:
            self._released_at = event.position()
            self._click.start(QApplication.doubleClickInterval())
        self._pressed = None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the picture, and tell what lies under the pointer."""
        if self.drag_to(*event.position().toTuple()):
            return
        self.hover_at(event.position().x(), event.position().y())
        if self._pressed is not None:
            if (event.position() - self._pressed).manhattanLength() < QApplication.startDragDistance():
                return
            self._pressed = None
        if self._drag is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = event.position() - self._drag
            self._drag = event.position()
            self.pan(moved.x(), moved.y())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Change between the whole picture and full size at a point."""
        self._click.stop()
        self._pressed = None
        self.toggle(event.position().x(), event.position().y())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom and pan by keys."""
        key = Qt.Key(event.key())
        if key in _ARROWS:
            self.pan(*_ARROWS[key])
        elif key in self._acts:
            self._acts[key]()
        else:
            super().keyPressEvent(event)

    def _paint_mark(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for ink, width in ((QColor("#000000"), 4.0), (self.palette().highlight().color(), 2.0)):
            painter.setPen(QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawLines([QLineF(*line) for line in self.mark_lines(6, 18)])


def picture_buttons(picture: Picture) -> dict[str, QPushButton]:
    """Return the buttons of a picture by the key of their text, not yet placed."""
    buttons = {key: QPushButton() for key in picture.buttons()}
    for key, act in picture.buttons().items():
        buttons[key].clicked.connect(lambda _, act=act: act())
    return buttons
