"""A button whose menu is made anew each time it is opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QMenu, QPushButton

from zemosaic.gui.presenter.desktop.menu_entries import MenuEntry

__all__ = ["EntriesButton", "image_of"]

_ICON_STYLE = "QMenu { icon-size: 48px; }"


class EntriesButton(QPushButton):
    """Offers what a presenter has to offer at the moment.

    Parameters
    ----------
    entries : callable
        Returns the lines of the menu.
    """

    def __init__(self, entries: Callable[[], Sequence[MenuEntry]]) -> None:
        super().__init__()
        self._offered = entries
        self.popup = QMenu(self)
        self.popup.aboutToShow.connect(self.fill)
        self.setMenu(self.popup)

    def fill(self) -> None:
        """Make the menu."""
        self.popup.clear()
        lines = self._offered()
        self.popup.setStyleSheet(_ICON_STYLE if any(line.picture is not None for line in lines) else "")
        for line in lines:
            action = self.popup.addAction(line.text.replace("&", "&&"))
            action.setEnabled(line.is_enabled)
            if line.is_checked is not None:
                action.setCheckable(True)
                action.setChecked(line.is_checked)
            if line.picture is not None:
                action.setIcon(QIcon(QPixmap.fromImage(image_of(line.picture))))
            action.triggered.connect(lambda _, act=line.act: act())


def image_of(picture: NDArray[np.uint8]) -> QImage:
    """Return a picture, shape (h, w, 3), as Qt shows it.

    Parameters
    ----------
    picture : ndarray, shape (h, w, 3), uint8
    """
    height, width = picture.shape[:2]
    # A copy of its own: the image outlives the bytes it is made of.
    return QImage(picture.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888).copy()
