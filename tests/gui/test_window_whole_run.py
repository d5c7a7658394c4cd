"""A whole run of the demo's frames, driven through the real window, and the same run without one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zemosaic import demo, worker
from zemosaic.gui.presenter.session import Session
from zemosaic.i18n import Translator

tk = pytest.importorskip("tkinter")

from zemosaic.gui.tk.window import RESULT, RUN, MainWindow  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
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


def type_into(window, key, value):
    """Put a folder into its field as a user does: by the keyboard."""
    entry = window.settings.rows[key].control
    entry.focus_force()
    entry.delete(0, "end")
    entry.insert(0, str(value))
    window.root.update()


def test_a_run_through_the_window_makes_the_same_bytes_as_without(display, environ, frames, tmp_path, wait_until):
    session = Session(Translator("en"), environ, worker.start, demo.make_demo)
    root = tk.Tk()
    faults = []
    root.report_callback_exception = lambda kind, fault, trace: faults.append(fault)
    window = MainWindow(root, session)
    root.update()
    try:
        type_into(window, "input_dir", frames)
        type_into(window, "output_dir", tmp_path / "window")
        window.start_button.invoke()
        assert window.pages.index("current") == RUN
        wait_until(root, lambda: window.pages.index("current") == RESULT, seconds=120)
        wait_until(root, lambda: window.result.picture._loaded is not None)
    finally:
        root.destroy()
    assert faults == []
    argv = [sys.executable, "run_zemosaic.py", "--input_dir", str(frames), "--output_dir", str(tmp_path / "headless")]
    done = subprocess.run(argv, cwd=ROOT, env=os.environ | environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    made = pixel_files(tmp_path / "window")
    assert len(made) == 4
    assert made == pixel_files(tmp_path / "headless")
