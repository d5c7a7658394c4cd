"""Every widget of the Frames and the Run page is reached by the keyboard and has a name for screen readers (Qt)."""

from __future__ import annotations

import os
import re

import pytest

from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.settings.schema import specs

KEYS = {spec.key for spec in specs() if "_" in spec.key}


@pytest.fixture(params=["en", "ja"])
def window(request, environ):
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtWidgets import QApplication

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication.instance() or QApplication(["ZeMosaic"])
    made = MainWindow(Session(Translator(request.param), environ, None, None))
    made.show()
    made.pages.setCurrentIndex(0)
    app.processEvents()
    yield made
    made.close()
    made.deleteLater()
    app.processEvents()


def widgets(page):
    """Return the widgets of a page that take the focus; those of a list that drops down belong to their field."""
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QListView, QWidget

    return [
        widget
        for widget in page.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and not isinstance(widget, QListView)
    ]


def test_widgets_have_names_and_no_name_is_a_key(window):
    from PySide6.QtGui import QAccessible

    seen = {}
    for page in (window.frames, window.run):
        for widget in widgets(page):
            name = QAccessible.queryAccessibleInterface(widget).text(QAccessible.Text.Name)
            assert name, f"{type(widget).__name__} of {type(page).__name__} has no name"
            assert not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", name), name
            assert name not in KEYS
            seen[widget] = name
    assert len(seen) > 30
    names = [seen[widget] for widget in window.frames.histograms.values()]
    assert len(set(names)) == len(names)


def test_tab_reaches_everything_that_can_be_used(window):
    from PySide6.QtWidgets import QApplication

    window.activateWindow()
    wanted = {widget for widget in widgets(window.frames) if widget.isVisible() and widget.isEnabled()}
    assert len(wanted) > 12
    window.frames.buttons["choose"].setFocus()
    for _ in range(120):
        wanted.discard(QApplication.focusWidget())
        window.focusNextChild()
    assert not wanted
