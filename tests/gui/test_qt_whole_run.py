"""A whole run of the demo's frames through the real Qt window: watched, paused, stopped, begun again."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from watching import LONGEST_TURN_S, Watch

from zemosaic import demo, worker
from zemosaic.events import RunFinished
from zemosaic.gui.presenter.run_state import Status
from zemosaic.gui.presenter.session import Session
from zemosaic.gui.presenter.telling import caption_text
from zemosaic.i18n import Translator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from zemosaic.gui.qt.window import RESULT, RUN, MainWindow

SHOTS = (0, 1, 6, 7)


@pytest.fixture(scope="module")
def frames(tmp_path_factory):
    """Four frames of two pointings of the demo."""
    plan = [demo.exposures()[number] for number in SHOTS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "exposures", lambda: plan)
        return demo.make_demo(tmp_path_factory.mktemp("survey"))


def pixel_files(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).iterdir()
        if path.suffix in (".fits", ".png")
    }


def test_a_run_paused_stopped_and_begun_again_makes_the_same_bytes_and_never_blocks(environ, frames, tmp_path):
    app = QApplication.instance() or QApplication(["ZeMosaic"])
    session = Session(Translator("en"), environ, worker.start, demo.make_demo)
    window = MainWindow(session)
    window._may_overwrite = window._ask = lambda *_: True
    window.show()
    watch = Watch(app.processEvents, lambda: session.running)
    try:
        form = session.form.edited("input_dir", str(frames))
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
        chosen = session.form.settings()
    finally:
        window.close()
        window.deleteLater()
        app.processEvents()
    assert max(watch.turns) < LONGEST_TURN_S
    run = worker.start(chosen.model_copy(update={"output_dir": str(tmp_path / "headless")}))
    try:
        assert isinstance(list(run.events())[-1], RunFinished)
    finally:
        run.close()
    made = pixel_files(tmp_path / "window")
    assert len(made) == 4
    assert made == pixel_files(tmp_path / "headless")
