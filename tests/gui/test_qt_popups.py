"""What pops up over the Qt window can be read: the highlighted entry of lists and menus, in both themes."""

from __future__ import annotations

import os
from collections import Counter

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)

from PySide6.QtCore import QRect
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from zemosaic.gui.qt.theme import use_theme
from zemosaic.gui.qt.widgets import Choice

READABLE_CONTRAST = 4.5
"""The contrast that WCAG 2.1 asks for in text (success criterion 1.4.3)."""


@pytest.fixture(scope="module")
def app():
    return QApplication.instance() or QApplication(["ZeMosaic"])


@pytest.fixture(params=["light", "dark"])
def theme(app, request):
    before = app.styleSheet(), app.palette()
    use_theme(app, request.param)
    yield request.param
    app.setStyleSheet(before[0])
    app.setPalette(before[1])


def luminance(colour: QColor) -> float:
    """Return the relative luminance of a colour as WCAG 2.1 defines it."""
    channels = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (colour.redF(), colour.greenF(), colour.blueF())
    )
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), channels, strict=True))


def contrast_of_text(image: QImage, area: QRect) -> float:
    """Return the largest contrast between a pixel of an area, its rim left out, and its most frequent colour."""
    area = area.adjusted(4, 4, -4, -4).intersected(image.rect())
    colours = Counter(
        image.pixel(x, y) for y in range(area.top(), area.bottom() + 1) for x in range(area.left(), area.right() + 1)
    )
    background = luminance(QColor(colours.most_common(1)[0][0]))
    return max(
        (max(background, light) + 0.05) / (min(background, light) + 0.05)
        for light in (luminance(QColor(colour)) for colour in colours)
    )


def test_every_entry_of_an_open_list_can_be_read(app, theme):
    window = QWidget()
    choice = Choice(window)
    choice.offer(["a", "b", "c"], ["MMMM MMMM", "WWWW WWWW", "HHHH HHHH"], "b")
    choice.resize(240, 32)
    window.show()
    choice.showPopup()
    app.processEvents()
    view = choice.view()
    image = view.viewport().grab().toImage()
    areas = [view.visualRect(view.model().index(row, 0)) for row in range(3)]
    contrasts = [contrast_of_text(image, area) for area in areas]
    choice.hidePopup()
    window.close()
    assert min(contrasts) >= READABLE_CONTRAST, contrasts


def test_the_entry_of_a_menu_that_the_mouse_is_on_can_be_read(app, theme):
    menu = QMenu()
    actions = [menu.addAction(text) for text in ("MMMM MMMM", "WWWW WWWW")]
    menu.popup(menu.pos())
    menu.setActiveAction(actions[1])
    app.processEvents()
    image = menu.grab().toImage()
    contrasts = [contrast_of_text(image, menu.actionGeometry(action)) for action in actions]
    menu.close()
    assert min(contrasts) >= READABLE_CONTRAST, contrasts
