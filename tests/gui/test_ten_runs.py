"""Ten real runs in one window leave neither processes nor threads behind."""

from __future__ import annotations

import gc
import threading

import psutil
import pytest
from test_frames_windows import QtDriver, TkDriver
from waiting import wait_until

from zemosaic import demo, worker
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator


@pytest.mark.slow
@pytest.mark.parametrize("toolkit", ["tk", "qt"])
def test_ten_runs_leave_nothing_behind(toolkit, display, environ, demo_frames, tmp_path):
    pytest.importorskip("tkinter" if toolkit == "tk" else "PySide6.QtWidgets", exc_type=ImportError)
    frames = demo_frames(tmp_path / "survey", (0, 1))
    session = Session(Translator("en"), environ, worker.start, demo.make_demo)
    driver = (TkDriver if toolkit == "tk" else QtDriver)(session)
    form = session.form.edited("output_dir", str(tmp_path / "out")).edited("num_processing_workers", "1")
    session.form = form.edited("solver", "embedded")
    driver.window.frames.commands.open_folder(str(frames))

    def work(condition):
        wait_until(condition, driver.work)

    def left():
        gc.collect()
        return threading.active_count(), len(psutil.Process().children(recursive=True))

    def run():
        driver.press(driver.window.frames.buttons["measure"])
        work(lambda: not session.running)
        assert session.state.prepared is not None and session.state.prepared.measured == 2
        work(lambda: not (session._ending and session._ending.is_alive()))

    work(lambda: session.frames.forecast is not None)
    run()
    before = left()
    for _ in range(9):
        run()
    work(lambda: session.frames._thread is None or not session.frames._thread.is_alive())
    after = left()
    assert after[0] <= before[0] and after[1] <= before[1]
    driver.close()
