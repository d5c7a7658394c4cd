"""Long translations, large screens' scaling and the keyboard, in both real windows."""

from __future__ import annotations

import json
import os

import pytest
from fake_worker import FakeRun, make_demo

from zemosaic.gui.presenter.session import Session
from zemosaic.i18n import Translator, locales_folder

PAGES = range(4)


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory):
    """A folder with a language whose every sentence is 40 % longer and full of accents."""
    folder = tmp_path_factory.mktemp("locales")
    english = json.loads((locales_folder() / "en.json").read_text(encoding="utf-8"))
    longer = {key: text + "é" * round(0.4 * len(text)) for key, text in english.items() if key[:7] != "locale."}
    (folder / "en.json").write_text(json.dumps(english), encoding="utf-8")
    (folder / "xx.json").write_text(json.dumps({**english, **longer, "locale.name": "Pseudo"}), encoding="utf-8")
    return folder


def session_of(words, environ):
    return Session(words, environ, lambda settings, until=None: FakeRun(settings), make_demo)


def tk_children(widget):
    for child in widget.winfo_children():
        yield child
        yield from tk_children(child)


@pytest.mark.parametrize("scaling", [1.0, 1.5])
def test_no_button_of_tk_is_cut(scaling, display, environ, pseudo):
    tk = pytest.importorskip("tkinter")
    from tkinter import ttk

    from zemosaic.gui.tk.window import MainWindow

    root = tk.Tk()
    root.tk.call("tk", "scaling", scaling * 96 / 72)
    window = MainWindow(root, session_of(Translator("xx", folder=pseudo), environ))
    # The screen of the tests cannot grow with the letters; a window can be larger than it.
    width, height = round(1366 * scaling), round(768 * scaling)
    root.geometry(f"{width}x{height}+0+0")
    for page in PAGES:
        window.pages.select(page)
        root.update()
        for widget in tk_children(window.root):
            if isinstance(widget, ttk.Button | ttk.Radiobutton) and widget.winfo_viewable():
                told = f"{page}: {widget.cget('text')}"
                assert widget.winfo_width() >= widget.winfo_reqwidth(), told
                assert widget.winfo_rootx() + widget.winfo_width() <= root.winfo_rootx() + width, told
    root.tk.call("tk", "scaling", 96 / 72)  # it is the display's, so that windows of later tests would have it too
    window.close()


def test_no_button_of_qt_is_cut(environ, pseudo):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    from PySide6.QtWidgets import QApplication, QPushButton

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(session_of(Translator("xx", folder=pseudo), environ))
    window.resize(1366, 768)
    window.show()
    for page in PAGES:
        window.pages.setCurrentIndex(page)
        app.processEvents()
        for button in window.findChildren(QPushButton):
            if button.isVisible() and len(button.text()) > 1:
                assert button.width() >= button.minimumSizeHint().width(), f"{page}: {button.text()}"
                right = button.mapTo(window, button.rect().topRight()).x()
                assert right < window.width(), f"{page}: {button.text()}"
    window.close()
    window.deleteLater()
    app.processEvents()


def test_the_keyboard_reaches_every_control_of_tk(display, environ):
    tk = pytest.importorskip("tkinter")
    from zemosaic.gui.tk.window import MainWindow

    root = tk.Tk()
    window = MainWindow(root, session_of(Translator("en"), environ))
    window.pages.select(0)
    root.geometry("1366x768+0+0")
    root.update()
    reached, at = [], window.frames.buttons["choose"]
    for _ in range(80):
        reached.append(at)
        at = at.tk_focusNext()
        if at is reached[0]:
            break
    frames = window.frames
    wanted = [frames.buttons["choose"], frames.colour, frames.map, frames.entry, frames.table.tree]
    wanted += [*frames.histograms.values(), frames.limited, window.start_button]
    places = [reached.index(widget) for widget in wanted]
    assert places == sorted(places), "from top to bottom"
    window.close()
