"""A picture with zoom and pan; loading happens off the window's thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
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

from zemosaic.gui.presenter.result.picture_view import Viewport

__all__ = ["Loaded", "Picture", "PictureLoader", "picture_buttons"]

Source = Callable[[Viewport], NDArray[np.uint8] | None]
"""Makes the picture of a view, (h, w, 3), as large as on the screen; None while it cannot."""

_STEP = 1.25
_KEYS = {Qt.Key.Key_Left: (60, 0), Qt.Key.Key_Right: (-60, 0), Qt.Key.Key_Up: (0, 60), Qt.Key.Key_Down: (0, -60)}


@dataclass(frozen=True)
class Loaded:
    """A picture that was read."""

    path: str
    image: QImage


class PictureLoader:
    """Reads pictures in threads; `take` hands over the latest finished one."""

    def __init__(self) -> None:
        self._finished: queue.SimpleQueue[tuple[int, Loaded]] = queue.SimpleQueue()
        self._asked = 0

    def load(self, path: str) -> None:
        """Begin to read a picture; earlier requests are forgotten."""
        self._asked += 1
        threading.Thread(target=self._read, args=(self._asked, path), name="picture", daemon=True).start()

    def forget(self) -> None:
        """Hand over nothing that was asked for so far."""
        self._asked += 1

    def take(self) -> Loaded | None:
        """Return the picture asked for last, once, when it is there."""
        while not self._finished.empty():
            number, loaded = self._finished.get()
            if number == self._asked and not loaded.image.isNull():
                return loaded
        return None

    def _read(self, number: int, path: str) -> None:
        reader = QImageReader(path)
        reader.setAllocationLimit(4096)
        self._finished.put((number, Loaded(path, reader.read())))


class Picture(QWidget):
    """Shows a picture: wheel and +/- zoom, dragging and arrows pan, 0 fits, 1 is full size."""

    def __init__(self, empty: Callable[[], str]) -> None:
        super().__init__()
        self._empty = empty
        self._caption = ""
        self.loaded: Loaded | None = None
        self._source: Source | None = None
        self.hovered: Callable[[float, float], None] = lambda x, y: None
        """Called with the picture point under the pointer."""
        self.clicked: Callable[[float, float], None] | None = None
        """Called with the picture point that was clicked, or that lies in the middle when Return is pressed."""
        self.mark: tuple[float, float] | None = None
        """A picture point that a cross shows."""
        self.view = Viewport(1, 1, 1, 1)
        self._drag: QPointF | None = None
        self._pressed: QPointF | None = None
        self._released_at = QPointF()
        self._click = QTimer(self)
        self._click.setSingleShot(True)
        self._click.timeout.connect(lambda: self._clicked_at(self._released_at))
        self.setMinimumSize(200, 150)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setMouseTracking(True)

    def show_picture(self, loaded: Loaded | None) -> None:
        """Show a picture; one of the same size keeps its place."""
        self.loaded, self._source = loaded, None
        if loaded is not None:
            self._take_size(loaded.image.width(), loaded.image.height())
        self.update()

    def tell(self, caption: str) -> None:
        """Write a line over the foot of the picture; none when empty."""
        if caption != self._caption:
            self._caption = caption
            self.update()

    def look_through(self, source: Source, size: tuple[int, int]) -> None:
        """Show what a source makes of a view, for a picture of some width and height; the same part stays in sight."""
        self._source = source
        self._take_size(*size)
        self.update()

    def zoom(self, turns: int) -> None:
        """Zoom about the middle."""
        self._zoom_at(_STEP**turns, self.width() / 2, self.height() / 2)

    def fit(self) -> None:
        """Show the whole picture."""
        self.view = self.view.fit()
        self.update()

    def full_size(self) -> None:
        """Show one picture pixel per screen pixel."""
        self._zoom_at(1.0 / max(self.view.scale, 1e-9), self.width() / 2, self.height() / 2)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the part that is seen."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor("#0b0e14"))
        seen = None if self._source is None else self._source(self.view)
        if seen is not None:
            height, width = seen.shape[:2]
            image = QImage(seen.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
            painter.drawImage((self.width() - width) // 2, (self.height() - height) // 2, image)
            self._paint_mark(painter)
            return
        if self.loaded is None:
            painter.setPen(QColor("#aab2c0"))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(30, 0, -30, 0), flags, self._empty())
            return
        left, top, right, bottom = self.view.box()
        width, height = self.view.size_on_screen()
        target = QRectF((self.width() - width) / 2, (self.height() - height) / 2, width, height)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, self.view.scale <= 3)
        painter.drawImage(target, self.loaded.image, QRectF(left, top, right - left, bottom - top))
        self._paint_caption(painter)

    def _paint_caption(self, painter: QPainter) -> None:
        if not self._caption:
            return
        flags = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom | Qt.TextFlag.TextWordWrap
        area = painter.boundingRect(self.rect().adjusted(20, 0, -20, -10), flags, self._caption)
        painter.fillRect(area.adjusted(-8, -4, 8, 4), QColor("#0b0e14"))
        painter.setPen(QColor("#e8ebf2"))
        painter.drawText(area, flags, self._caption)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep a fitted picture fitted."""
        self.view = self.view.resized(self.width(), self.height())

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom about the pointer."""
        at = event.position()
        self._zoom_at(_STEP if event.angleDelta().y() > 0 else 1 / _STEP, at.x(), at.y())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to drag, or to click."""
        self._drag = event.position()
        self._pressed = event.position() if event.button() is Qt.MouseButton.LeftButton else None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Take a press that went nowhere for a click, unless another one follows at once."""
        if self._pressed is not None and self.clicked is not None:
            self._released_at = event.position()
            self._click.start(QApplication.doubleClickInterval())
        self._pressed = None

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the picture, and tell what lies under the pointer."""
        if self.loaded is not None or self._source is not None:
            self.hovered(*self.view.to_picture(event.position().x(), event.position().y()))
        if self._pressed is not None:
            if (event.position() - self._pressed).manhattanLength() < QApplication.startDragDistance():
                return
            self._pressed = None
        if self._drag is not None and event.buttons() & Qt.MouseButton.LeftButton:
            moved = event.position() - self._drag
            self._drag = event.position()
            self._pan(moved.x(), moved.y())

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Change between the whole picture and full size at a point."""
        self._click.stop()
        self._pressed = None
        if self.view.fitted:
            self._zoom_at(1.0 / max(self.view.scale, 1e-9), event.position().x(), event.position().y())
        else:
            self.fit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom and pan by keys."""
        key = Qt.Key(event.key())
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom(1)
        elif key == Qt.Key.Key_Minus:
            self.zoom(-1)
        elif key == Qt.Key.Key_0:
            self.fit()
        elif key == Qt.Key.Key_1:
            self.full_size()
        elif key in _KEYS:
            self._pan(*_KEYS[key])
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.clicked is not None:
            self._clicked_at(QPointF(self.width() / 2, self.height() / 2))
        else:
            super().keyPressEvent(event)

    def _clicked_at(self, point: QPointF) -> None:
        if self.clicked is not None and (self.loaded is not None or self._source is not None):
            self.clicked(*self.view.to_picture(point.x(), point.y()))

    def _paint_mark(self, painter: QPainter) -> None:
        if self.mark is None:
            return
        u, v = self.view.to_window(*self.mark)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for ink, width in ((QColor("#000000"), 4.0), (self.palette().highlight().color(), 2.0)):
            painter.setPen(QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            for du, dv in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                painter.drawLine(QPointF(u + 6 * du, v + 6 * dv), QPointF(u + 18 * du, v + 18 * dv))

    def _take_size(self, width: int, height: int) -> None:
        if (width, height) != (self.view.picture_width, self.view.picture_height):
            self.view = self.view.of_picture(width, height)

    def _zoom_at(self, factor: float, u: float, v: float) -> None:
        if self.loaded is not None or self._source is not None:
            self.view = self.view.zoomed(factor, u, v)
            self.update()

    def _pan(self, du: float, dv: float) -> None:
        if self.loaded is not None or self._source is not None:
            self.view = self.view.panned(du, dv)
            self.update()


def picture_buttons(picture: Picture) -> dict[str, QPushButton]:
    """Return the buttons of a picture by the key of their text, not yet placed."""
    made = {
        "result.fit": picture.fit,
        "result.full_size": picture.full_size,
        "result.zoom_in": lambda: picture.zoom(1),
        "result.zoom_out": lambda: picture.zoom(-1),
    }
    buttons = {}
    for key, act in made.items():
        buttons[key] = QPushButton()
        buttons[key].clicked.connect(act)
    return buttons
