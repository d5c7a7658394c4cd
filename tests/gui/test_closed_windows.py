"""A window that was closed and, with Qt, deleted leaves nothing behind: nothing of it is held any more."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
from fake_worker import FakeRun, make_demo

from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator

CYCLES = 3
MANY_CYCLES = 50
MAX_GROWTH_OBJECTS = 200


def session_of(environ: dict[str, str]) -> Session:
    return Session(Translator("en"), environ, lambda settings, until=None: FakeRun(settings), make_demo)


def tk_window(environ: dict[str, str]) -> weakref.ref[object]:
    """Open a window of Tk and close it."""
    import tkinter as tk

    from zemosaic.gui.tk.window import MainWindow

    root = tk.Tk()
    window = MainWindow(root, session_of(environ))
    root.update()
    window.close()
    return weakref.ref(window)


def qt_window(environ: dict[str, str]) -> weakref.ref[object]:
    """Open a window of Qt and close it."""
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    from zemosaic.gui.qt.window import MainWindow

    app = QApplication.instance() or QApplication(["ZeMosaic"])
    window = MainWindow(session_of(environ))
    window.show()
    app.processEvents()
    window.close()
    window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    return weakref.ref(window)


@pytest.mark.parametrize("cycles", [CYCLES, pytest.param(MANY_CYCLES, marks=pytest.mark.slow)])
@pytest.mark.parametrize("opened", [tk_window, qt_window], ids=["tk", "qt"])
def test_closed_windows_are_let_go(
    opened: Callable[[dict[str, str]], weakref.ref[object]],
    cycles: int,
    display: str,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if opened is qt_window:
        pytest.importorskip("PySide6.QtWidgets")
        monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    counts = []
    for _ in range(cycles):
        closed = opened(environ)
        gc.collect()
        assert closed() is None, "something holds the closed window"
        counts.append(len(gc.get_objects()))
    assert counts[-1] - counts[1] < MAX_GROWTH_OBJECTS


def test_what_tk_holds_goes_with_its_window_and_not_with_the_collector(environ: dict[str, str], display: str) -> None:
    """The collector may run in any thread, and Tk's variables, pictures and interpreter may go in Tk's own only."""
    tk = pytest.importorskip("tkinter")
    kinds = (tk.Variable, tk.Image, tk.Tk)

    def held() -> int:
        return sum(isinstance(one, kinds) for one in gc.get_objects())

    gc.collect()
    gc.disable()
    try:
        before = held()
        closed = tk_window(environ)
        assert closed() is None and held() == before
    finally:
        gc.enable()
