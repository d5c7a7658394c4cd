"""Long translations, large screens' scaling and the keyboard, in both real windows."""

from __future__ import annotations

import json
import os

import pytest
from fake_worker import FakeRun, make_demo
from test_pixel_windows import story

from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator, locales_folder
from zemosaic.provenance.pixel_story import FrameHere, PixelState

PAGES = range(4)
PIXEL = 4
"""The last page once more, with the panel that tells of a pixel."""


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


def tell_of_a_pixel(result):
    """Let a result page show the panel of a pixel, as `ask_pixel` and the answer do."""
    frames = [FrameHere(f"/a/Light_NGC 7000_{state.name}.fit", state, sigmas=(-3.2, 9.6, 0.1)) for state in PixelState]
    result.page.pixel.place, result.page.pixel.story = (4, 9), story(*frames)
    if hasattr(result.panel, "frame"):
        result._side.hide()
        result.panel.frame.show()
        result.panel.update()
    else:
        result._side.grid_remove()
        result.panel.grid()
        result.panel.update_state()


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
    for page in (*PAGES, PIXEL):
        window.pages.select(min(page, PAGES[-1]))
        if page == PIXEL:
            tell_of_a_pixel(window.result)
        root.update()
        labels = [child for child in tk_children(window.result.panel) if isinstance(child, ttk.Label)]
        for widget in tk_children(window.root):
            if (isinstance(widget, ttk.Button | ttk.Radiobutton) or widget in labels) and widget.winfo_viewable():
                told = f"{page}: {widget.cget('text')}"
                assert widget.winfo_width() >= widget.winfo_reqwidth(), told
                assert widget.winfo_rootx() + widget.winfo_width() <= root.winfo_rootx() + width, told
        assert (page == PIXEL) == all(label.winfo_viewable() for label in labels) and labels
    root.tk.call("tk", "scaling", 96 / 72)  # it is the display's, so that windows of later tests would have it too
    window.close()


def test_no_button_of_qt_is_cut(environ, pseudo):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    from PySide6.QtWidgets import QApplication, QLabel, QPushButton

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(session_of(Translator("xx", folder=pseudo), environ))
    window.resize(1366, 768)
    window.show()
    for page in (*PAGES, PIXEL):
        window.pages.setCurrentIndex(min(page, PAGES[-1]))
        if page == PIXEL:
            tell_of_a_pixel(window.result)
            assert window.result.panel.frame.isVisible() and window.result.panel.model.rows
        app.processEvents()
        for told in window.result.panel.frame.findChildren(QLabel):
            assert not told.isVisible() or told.width() >= told.minimumSizeHint().width(), told.text()
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


@pytest.mark.parametrize("language", sorted(Translator("en").languages()))
def test_what_became_of_a_frame_can_be_read_in_full(language, environ):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    from PySide6.QtWidgets import QApplication

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(session_of(Translator(language), environ))
    tell_of_a_pixel(window.result)
    table = window.result.panel.table
    texts = [row.state for row in window.result.panel.model.rows]
    assert len(texts) == len(PixelState)
    for text in texts:
        assert table.fontMetrics().horizontalAdvance(text) + 8 <= table.columnWidth(0), text
    window.close()
    window.deleteLater()
    app.processEvents()
