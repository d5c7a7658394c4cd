"""Names of settings in texts that lead to the rows of these settings."""

from __future__ import annotations

import html

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QMouseEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QLabel, QPlainTextEdit

from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.setting_links import setting_links

__all__ = ["LinkedText", "show_linked"]


class LinkedText(QPlainTextEdit):
    """A text to read; a click on the name of a setting leads to its row."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setReadOnly(True)
        self.viewport().setMouseTracking(True)

    def show_text(self, text: str) -> None:
        """Show a text in place of what was there."""
        self.clear()
        self.add_text(text)

    def add_text(self, text: str, ink: str = "") -> None:
        """Write a text at the end.

        Parameters
        ----------
        text : str
        ink : str
            Its colour; that of the widget by default.
        """
        cursor, plain, done = QTextCursor(self.document()), QTextCharFormat(), 0
        cursor.movePosition(QTextCursor.MoveOperation.End)
        if ink:
            plain.setForeground(QColor(ink))
        for link in setting_links(text, self._session.words):
            linked = QTextCharFormat(plain)
            linked.setAnchor(True)
            linked.setAnchorHref(link.key)
            linked.setFontUnderline(True)
            cursor.insertText(text[done : link.start], plain)
            cursor.insertText(text[link.start : link.end], linked)
            done = link.end
        cursor.insertText(text[done:], plain)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        is_link = bool(self.anchorAt(event.position().toPoint()))
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if is_link else Qt.CursorShape.IBeamCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        super().mouseReleaseEvent(event)
        key = self.anchorAt(event.position().toPoint())
        if key and not self.textCursor().hasSelection():
            self._session.visit(key)


def show_linked(label: QLabel, text: str, session: Session) -> None:
    """Show a text in a label, the names of settings as links; who owns it connects `linkActivated`.

    Parameters
    ----------
    label : QLabel
    text : str
        Plain; nothing in it is taken for HTML.
    session : Session
    """
    links = setting_links(text, session.words)
    if not links:
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setText(text)
        return
    parts, done = [], 0
    for link in links:
        name = html.escape(text[link.start : link.end])
        parts.append(f'{html.escape(text[done : link.start])}<a href="{link.key}" style="color: inherit">{name}</a>')
        done = link.end
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setText("".join(parts) + html.escape(text[done:]))
