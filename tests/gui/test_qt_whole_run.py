"""A whole run of the demo's frames through the real Qt window: watched, paused, stopped, begun again."""

from __future__ import annotations

import os

import pytest
from watching import Watch, longest_turn_s

from zemosaic import demo, worker
from zemosaic.gui.presenter.run.run_state import Status
from zemosaic.gui.presenter.run.run_text import caption_text
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from zemosaic.gui.presenter.desktop.window_presenter import RESULT, RUN
from zemosaic.gui.qt.window import MainWindow


def test_a_run_paused_stopped_and_begun_again_makes_the_same_bytes_and_never_blocks(environ, headless, tmp_path):
    app = QApplication.instance() or QApplication(["ZeMosaic"])
    session = Session(Translator("en"), environ, worker.start, demo.make_demo)
    window = MainWindow(session)
    window.ask = lambda *_: True
    window.show()
    watch = Watch(app.processEvents, lambda: session.running)
    try:
        form = session.form.edited("input_dir", str(headless.frames))
        session.form = form.edited("output_dir", str(tmp_path / "window"))
        QTest.mouseClick(window.start_button, Qt.MouseButton.LeftButton)
        assert window.pages.currentIndex() == RUN
        watch.until(lambda: session.state.preview is not None or not session.running)
        assert session.running and not session.state.preview.final, "the mosaic is seen before it is finished"
        assert 2 <= session.state.preview.quick_frames <= 4, "of each place, before anything is stacked"
        assert caption_text(session.state, session.words).startswith("Quick look: ")
        QTest.mouseClick(window.pause_button, Qt.MouseButton.LeftButton)
        watch.until(lambda: session.state.status is Status.PAUSED or not session.running)
        assert window.pause_button.text() == "Continue"
        QTest.mouseClick(window.stop_button, Qt.MouseButton.LeftButton)
        watch.until(lambda: not session.running)
        assert session.state.status is Status.CANCELLED
        QTest.mouseClick(window.start_button, Qt.MouseButton.LeftButton)
        watch.until(lambda: window.pages.currentIndex() == RESULT)
    finally:
        window.close()
        window.deleteLater()
        app.processEvents()
    assert max(watch.turns) < longest_turn_s()
    assert len(headless.made) == 5
    assert headless.files(tmp_path / "window") == headless.made
