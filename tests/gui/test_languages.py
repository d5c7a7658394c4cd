"""Languages in both windows: letters that no font has are not shown as empty boxes."""

from __future__ import annotations

import os

import pytest
from fake_worker import FakeRun, make_demo

from zemosaic.gui.presenter.desktop.scripts import has_east_asian_letters, has_kana, names_an_east_asian_font
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


def session_of(environ, language):
    return Session(Translator(language), environ, lambda settings, until=None: FakeRun(settings), make_demo)


def test_letters_and_fonts():
    assert has_kana("カメラ") and not has_kana("简体中文")
    assert has_east_asian_letters("简体中文") and has_east_asian_letters("日本語")
    assert not has_east_asian_letters("Français, Polski: ąęłż")
    assert names_an_east_asian_font(["DejaVu Sans", "Noto Sans CJK JP"])
    assert not names_an_east_asian_font(["DejaVu Sans", "Liberation Mono"])


@pytest.fixture(params=["tk", "qt"])
def opened(request, environ, monkeypatch):
    """Return a function that opens a window in a language, with or without fonts that have its letters."""
    windows = []

    def opened_tk(language, has_font):
        tk = pytest.importorskip("tkinter")
        request.getfixturevalue("display")
        from zemosaic.gui.tk import theme
        from zemosaic.gui.tk.window import MainWindow

        monkeypatch.setattr(theme, "names_an_east_asian_font", lambda families: has_font)
        windows.append(MainWindow(tk.Tk(), session_of(environ, language)))
        return windows[-1]

    def opened_qt(language, has_font):
        pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
        from PySide6.QtGui import QFontDatabase
        from PySide6.QtWidgets import QApplication

        from zemosaic.gui.qt.window import MainWindow

        request.node.app = QApplication.instance() or QApplication(["ZeMosaic"])
        monkeypatch.setattr(QFontDatabase, "families", lambda system: ["Noto Sans CJK JP"] if has_font else [])
        windows.append(MainWindow(session_of(environ, language)))
        return windows[-1]

    yield {"tk": opened_tk, "qt": opened_qt}[request.param]
    for window in windows:
        window.close()


@pytest.mark.parametrize("language", ["ja", "zh"])
def test_without_a_font_the_window_is_english_and_says_why(opened, language):
    window = opened(language, has_font=False)
    assert window.session.words.language == "en"
    assert window.session.problem.key == "note.no_font"
    assert window.session.problem.params == {"language": language}


@pytest.mark.parametrize("language", ["de", "ja", "pl", "zh"])
def test_with_a_font_the_window_is_in_its_language(opened, language):
    window = opened(language, has_font=True)
    assert window.session.words.language == language
    assert window.session.problem is None
    window.presenter.use_language("it")
    assert window.session.words.language == "it"


def test_short_exposures_are_not_no_hours():
    from zemosaic.gui.presenter.run.eta import exposure_text

    words = Translator("en")
    told = [exposure_text(seconds, words) for seconds in (30, 120, 3540, 3600, 32_000)]
    assert told == ["30 s", "2 min", "59 min", "1.0 h", "8.9 h"]
