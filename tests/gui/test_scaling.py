"""Both windows with larger letters on a small screen: nothing is cut, and the keyboard goes through in order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_worker import FakeRun, make_demo
from waiting import PATIENCE_S

from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
LANGUAGES = sorted(Translator("en").languages())
QT_PROBE = """
import os, sys
sys.path[:0] = sys.argv[2].split(os.pathsep)
from test_scaling import qt_faults
print("\\n".join(qt_faults(sys.argv[1], int(sys.argv[3]), int(sys.argv[4]))))
"""


def session_of(environ, language):
    return Session(Translator(language), environ, lambda settings, until=None: FakeRun(settings), make_demo)


def all_of(widget):
    for child in widget.winfo_children():
        yield child
        yield from all_of(child)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("scaling", "screen"), [(1.0, (900, 640)), (1.25, (1366, 768)), (1.5, (2048, 1152)), (2.0, (2732, 1536))]
)
def test_nothing_is_cut_in_tk(scaling, screen, language, display, environ):
    """In a window of 900 x 640; on 1366 x 768 up to 125 %; on screens with more pixels up to 200 %."""
    tk = pytest.importorskip("tkinter")
    from tkinter import ttk

    from zemosaic.gui.tk.window import MainWindow

    root = tk.Tk()
    root.tk.call("tk", "scaling", scaling * 96 / 72)
    window = MainWindow(root, session_of(environ, language))
    width, height = screen
    root.geometry(f"{width}x{height}+0+0")
    faults = []
    for page in range(4):
        window.pages.select(page)
        root.update()
        right, bottom = root.winfo_rootx() + width, root.winfo_rooty() + height
        for widget in all_of(root):
            if not isinstance(widget, ttk.Button | ttk.Checkbutton | ttk.Radiobutton | ttk.Combobox | ttk.Entry):
                continue
            if not widget.winfo_viewable():
                continue
            inside = widget.winfo_rootx() + widget.winfo_width() <= right
            if page != 1:  # the settings scroll
                inside = inside and widget.winfo_rooty() + widget.winfo_height() <= bottom
            tight = not isinstance(widget, ttk.Entry) and widget.winfo_width() < widget.winfo_reqwidth()
            if tight or not inside or widget.winfo_height() < widget.winfo_reqheight():
                faults.append((page, str(widget), widget.winfo_width(), widget.winfo_reqwidth()))
    last = root.tk.call(window.pages, "identify", "tab", window.language.winfo_rootx() - root.winfo_rootx(), 30)
    assert last == "", "the choices of the header lie over a tab"
    root.tk.call("tk", "scaling", 96 / 72)  # it is the display's, so that windows of later tests would have it too
    window.close()
    assert faults == []


def qt_faults(config, width, height):
    """Return the widgets that are cut in a Qt window as large as the screen, in every language."""
    from PySide6.QtCore import QPoint
    from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QPushButton

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication(["ZeMosaic"])
    faults = []
    for language in LANGUAGES:
        window = MainWindow(session_of({"ZEMOSAIC_CONFIG_DIR": config}, language))
        window.resize(width, height)
        window.show()
        for page in range(4):
            window.pages.setCurrentIndex(page)
            app.processEvents()
            if window.width() > width or window.height() > height:
                faults.append(f"{language} {page}: the window became {window.width()} x {window.height()}")
            for kind in (QPushButton, QCheckBox, QComboBox):
                for widget in window.findChildren(kind):
                    if not widget.isVisible() or len(getattr(widget, "text", str)()) == 1:
                        continue
                    right = widget.mapTo(window, QPoint(widget.width(), 0)).x()
                    if widget.width() < widget.minimumSizeHint().width() or right > window.width():
                        told = getattr(widget, "text", widget.objectName)()
                        faults.append(f"{language} {page}: {kind.__name__} {told} {widget.width()} to {right}")
        window.close()
    return faults


@pytest.mark.parametrize(
    ("factor", "size"),
    [("1", ("900", "640")), ("1.25", ("1093", "576")), ("1.5", ("1366", "768")), ("2", ("1366", "768"))],
)
def test_nothing_is_cut_in_qt(factor, size, tmp_path):
    """As in Tk; Qt counts in units that grow with the factor, and a panel of the desktop takes some of the height."""
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    environ = os.environ | {"QT_SCALE_FACTOR": factor, "QT_QPA_PLATFORM": "offscreen"}
    argv = [sys.executable, "-c", QT_PROBE, str(tmp_path), os.pathsep.join(map(str, Path(__file__).parents[:2])), *size]
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("page", range(4))
def test_the_keyboard_goes_through_qt_in_the_order_of_reading(page, environ):
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest
    from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(session_of(environ, "en"))
    window.resize(1366, 768)
    window.show()
    window.pages.setCurrentIndex(page)
    window.activateWindow()
    app.processEvents()
    begin = window.pages.tabBar()
    begin.setFocus()
    reached = [begin]
    for _ in range(400):
        QTest.keyClick(app.focusWidget(), Qt.Key.Key_Tab)
        if app.focusWidget() in reached:
            break
        reached.append(app.focusWidget())
    body = window.pages.currentWidget()
    wanted = [
        widget
        for kind in (QAbstractButton, QComboBox, QLineEdit)
        for widget in body.findChildren(kind)
        if widget.isVisible()
        and widget.isEnabled()
        and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        and not isinstance(widget.parent(), QComboBox | QLineEdit)
        and widget.objectName() != "qt_spinbox_lineedit"
    ]
    missed = [widget for widget in wanted if widget not in reached]
    # Of radio-like buttons Tab reaches the one that is chosen.
    missed = [widget for widget in missed if not (isinstance(widget, QAbstractButton) and widget.group())]
    assert missed == []
    if page == 1:
        view = window.settings
        ordered = [reached.index(row.control) for row in view.rows.values() if row.control in reached]
        assert len(ordered) > 5 and ordered == sorted(ordered), "the settings from top to bottom"
    assert window.start_button in reached and window.language in reached
    window.close()
    window.deleteLater()
    app.processEvents()
