"""Small widgets the views share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QPointF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QPen, QWheelEvent
from PySide6.QtWidgets import QComboBox, QFrame, QLabel, QMenu, QPushButton, QStyledItemDelegate, QVBoxLayout, QWidget

from zemosaic.gui.presenter.desktop.window_menus import MenuEntry

__all__ = ["Choice", "YieldingLabel", "card", "drop_menu", "label", "restyle"]

_LEAST_LETTERS = 12
"""So narrow, arrow and borders included, a choice can become."""


class Choice(QComboBox):
    """A choice between values that are shown in words; the wheel passes by, for it scrolls the page."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        # Fusion's own delegate for lists draws entries as those of a menu and ignores the style sheet's colours.
        self.setItemDelegate(QStyledItemDelegate(self))

    @property
    def value(self) -> str:
        return str(self.currentData() or "")

    def minimumSizeHint(self) -> QSize:
        """Give way in a narrow window, where buttons would be cut instead: what is chosen is then shortened."""
        hint = super().minimumSizeHint()
        return QSize(min(hint.width(), _LEAST_LETTERS * self.fontMetrics().averageCharWidth()), hint.height())

    def offer(self, values: Sequence[str], texts: Sequence[str], value: str) -> None:
        # Only the user's choices are told.
        self.blockSignals(True)
        self.clear()
        for item, text in zip(values, texts, strict=True):
            self.addItem(text, item)
        self.setCurrentIndex(max(self.findData(value), 0))
        self.blockSignals(False)

    def choose(self, value: str) -> None:
        """Show a value as chosen; tells no one."""
        self.blockSignals(True)
        self.setCurrentIndex(max(self.findData(value), 0))
        self.blockSignals(False)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the arrow too, which a style sheet takes away."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.PlaceholderText), 1.6))
        x, y = self.width() - 15.0, self.height() / 2
        painter.drawPolyline([QPointF(x - 4, y - 2), QPointF(x, y + 2), QPointF(x + 4, y - 2)])

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to the page."""
        event.ignore()


def card() -> tuple[QFrame, QVBoxLayout]:
    """Return a framed surface and its layout."""
    frame = QFrame()
    frame.setObjectName("card")
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(16, 12, 16, 12)
    return frame, layout


def drop_menu(button: QPushButton, entries: Callable[[], Sequence[MenuEntry]], chosen: Callable[[str], None]) -> None:
    """Let a button drop a menu whose entries are asked for each time.

    Parameters
    ----------
    button : QPushButton
    entries : callable
        Returns what is offered.
    chosen : callable
        Takes the value of the entry that is chosen.
    """
    menu = QMenu(button)

    def fill() -> None:
        menu.clear()
        for entry in entries():
            action = menu.addAction(entry.text.replace("&", "&&"))
            action.setEnabled(entry.can_choose)
            action.triggered.connect(lambda _, value=entry.value: chosen(value))

    menu.aboutToShow.connect(fill)
    button.clicked.connect(lambda: menu.popup(button.mapToGlobal(QPoint(0, button.height()))))


def label(kind: str = "", wrap: bool = False, yields: bool = False) -> QLabel:
    """Return an empty label that shows its text as it is, never as HTML.

    Parameters
    ----------
    kind : str
        One that the style sheet of `zemosaic.gui.qt.theme` knows, as ``heading``; empty for plain text.
    wrap : bool
        Whether long lines are broken.
    yields : bool
        Whether it goes where there is no room for it.
    """
    made = YieldingLabel() if yields else QLabel()
    made.setObjectName(kind)
    made.setWordWrap(wrap)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made


class YieldingLabel(QLabel):
    """A label that goes where there is no room for all of its text, before a button beside it would be cut."""

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        if self.width() >= self.sizeHint().width():
            super().paintEvent(event)


def restyle(widget: QWidget, kind: str) -> None:
    """Give a widget another kind of the style sheet.

    Parameters
    ----------
    widget : QWidget
        Is drawn anew, unless it is of that kind already.
    kind : str
        As `label` takes it.
    """
    if widget.objectName() != kind:
        widget.setObjectName(kind)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
