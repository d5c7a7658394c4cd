"""A whole run of the demo's frames, driven through the real window, and the same run without one."""

from __future__ import annotations

from pathlib import Path

import pytest
from watching import Watch, longest_turn_s, one_event

from zemosaic import demo, worker
from zemosaic.gui.presenter.result.render.mosaic_render import LAYERS
from zemosaic.gui.presenter.run.run_state import Status
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator

tk = pytest.importorskip("tkinter")

from zemosaic.gui.presenter.desktop.window_presenter import RESULT, RUN  # noqa: E402
from zemosaic.gui.tk.window import MainWindow  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def type_into(window, key, value):
    """Put a folder into its field as a user does: by the keyboard."""
    entry = window.settings.rows[key].control
    entry.focus_force()
    entry.delete(0, "end")
    entry.insert(0, str(value))
    window.root.update()


def look_closely(window, root, wait_until):
    """Look at the finished mosaic with wheel, pointer and sliders."""
    picture, desk = window.result.picture, window.result.page.desk
    wait_until(root, lambda: desk.size is not None)
    root.update()
    assert (picture.view.picture_width, picture.view.picture_height) == desk.size
    before = picture.view.scale
    for _ in range(6):
        picture.event_generate("<Button-4>", x=200, y=150)
    root.update()
    assert picture.view.scale > 2 * before
    picture.event_generate("<Motion>", x=210, y=160)
    root.update()
    assert window.result._read_out.cget("text").startswith("RA ")
    window.result.sliders["sky"].set(0.7)
    layers = window.result.menus["result.layers"]
    layers.fill()
    layers.menu.invoke(LAYERS.index("coverage"))
    root.update()
    assert desk.adjustment.sky == 0.7 and desk.adjustment.layers == {"coverage"}
    window.result._reset.invoke()
    assert desk.adjustment.sky == 0.0


def test_a_run_opens_no_socket(headless):
    processes = headless.network.count("watched")
    assert processes >= 3, "the program, the run and its workers are watched"
    assert headless.network == ["watched"] * processes


def test_a_run_through_the_window_never_blocks_it_and_makes_the_same_bytes_as_without(
    display, environ, headless, tmp_path, wait_until
):
    session = Session(Translator("en"), environ, worker.start, demo.make_demo)
    root = tk.Tk()
    faults = []
    root.report_callback_exception = lambda kind, fault, trace: faults.append(fault)
    window = MainWindow(root, session)
    root.update()
    watch = Watch(one_event(root), lambda: session.running)
    try:
        type_into(window, "input_dir", headless.frames)
        type_into(window, "output_dir", tmp_path / "window")
        window.start_button.invoke()
        assert window.pages.index("current") == RUN
        watch.until(lambda: session.state.preview is not None or not session.running)
        assert session.running and not session.state.preview.final, "the mosaic is seen before it is finished"
        window.pause_button.invoke()
        watch.until(lambda: session.state.status is Status.PAUSED or not session.running)
        watch.until(lambda: window.run.picture.has_pixels or not session.running)
        window.stop_button.invoke()
        watch.until(lambda: not session.running)
        assert session.state.status is Status.CANCELLED
        window.start_button.invoke()
        watch.until(lambda: window.pages.index("current") == RESULT)
        look_closely(window, root, wait_until)
    finally:
        root.destroy()
    assert faults == []
    assert max(watch.turns) < longest_turn_s()
    assert len(headless.made) == 5
    assert headless.files(tmp_path / "window") == headless.made
