"""A click on the mosaic tells of its pixel: the presenter, and both windows by real events."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from fake_worker import make_demo
from waiting import wait_until
from watching import Watch, longest_turn_s

from zemosaic.events import PreviewReady, RunFinished
from zemosaic.gui.presenter.result import pixel_text
from zemosaic.gui.presenter.result.pixel_presenter import PixelPresenter
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.provenance.pixel_story import FrameHere, PixelState, PixelStory
from zemosaic.store.mosaic_file import MosaicFile

WORDS = Translator("en")
"""CPU seconds that the window's thread may take before it looks at the user again."""


class FinishedRun:
    """A run that was made before, told once more."""

    alive = True

    def __init__(self, mosaic: Path) -> None:
        preview = str(mosaic.with_name(f"{mosaic.stem}_preview.png"))
        reports = str(mosaic.parent / "run_report.html"), str(mosaic.parent / "run_report.json")
        self._told = [
            [],
            [PreviewReady(preview, 100, 100, True)],
            [],
            [RunFinished(str(mosaic), preview, *reports, 8, 1, 1.0, 1.0, 1)],
        ]

    def poll(self) -> list:
        return self._told.pop(0) if self._told else []

    def cancel(self) -> None: ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def close(self) -> None: ...


def wait(work, condition):
    wait_until(condition, work)


def answered(desk: PixelPresenter) -> None:
    wait(desk.pump, lambda: not desk.busy)


@pytest.fixture(scope="module")
def crossed(explained_run):
    """Column and row of a pixel from which light was rejected, and the size of the mosaic."""
    maps = {
        name: MosaicFile(explained_run.mosaic.with_name(f"{explained_run.mosaic.stem}_{name}.fits"))
        for name in ("rejected", "coverage")
    }
    gone, used = (np.nan_to_num(np.array(maps[name][:, :, :])[0]) for name in ("rejected", "coverage"))
    for file in maps.values():
        file.close()
    # Single rejected pixels are noise.
    trail = (gone[1:-1, 1:-1] > 0) & (gone[1:-1, 2:] > 0) & (gone[2:, 1:-1] > 0) & (used[1:-1, 1:-1] > 3)
    rows, columns = np.nonzero(trail)
    return int(columns[len(rows) // 2]) + 1, int(rows[len(rows) // 2]) + 1, gone.shape[::-1]


def test_one_process_answers_until_the_desk_is_closed(explained_run, crossed):
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    column, row, _ = crossed
    desk = PixelPresenter()
    assert not desk.busy and not desk.pump()
    desk.ask(str(explained_run.mosaic), column, row)
    assert desk.busy and desk.place == (column, row)
    assert pixel_text.panel_lines(desk, WORDS) == ["Examining the frames…"]
    answered(desk)
    assert (desk.story.column, desk.story.row) == (column, row) and desk.story.value == desk.story.stored
    desk.ask(str(explained_run.mosaic), 1, 1)
    desk.ask(str(explained_run.mosaic), column + 1, row)
    answered(desk)
    assert desk.story.column == column + 1, "only the last question counts"
    desk.ask(str(explained_run.mosaic.with_name("other.fits")), 1, 1)
    answered(desk)
    assert desk.problem.key == "error.pixel_other_run" and desk.story is None
    assert "not one of the mosaics" in pixel_text.panel_lines(desk, WORDS)[0]
    desk.ask(str(explained_run.mosaic), column, row)
    desk.close()
    assert not desk.pump() and desk.place is None
    assert {child.pid for child in psutil.Process().children(recursive=True) if child.is_running()} <= before | {
        child.pid for child in psutil.Process().children() if "resource_tracker" in " ".join(child.cmdline())
    }
    assert "pixel" not in {thread.name for thread in threading.enumerate()}


def story(*frames: FrameHere, **changes: object) -> PixelStory:
    values = {"value": (1.5, 2.0, 3.0), "stored": (1.5, 2.0, 3.0), "kappa_low": 3.0, "kappa_high": 2.5}
    place = {"mosaic": "m.fits", "column": 4, "row": 9, "ra_deg": 83.82, "dec_deg": -5.391}
    names = {"rejection": "winsorized_sigma_clip", "combine": "mean"}
    return PixelStory(**(place | values | names | {"frames": frames} | changes))


def test_the_summary_counts_what_became_of_the_frames():
    used = [FrameHere(f"/a/{k}.fit", PixelState.USED, share=0.25, sigmas=(0.1, -0.04, 0.0)) for k in range(4)]
    gone = [FrameHere("/a/h.fit", PixelState.HIGH, trail=True), FrameHere("/a/i.fit", PixelState.HIGH)]
    rest = [FrameHere("/a/r.fit", PixelState.HIDDEN), FrameHere("/a/o.fit", PixelState.LEFT_OUT)]
    lines = pixel_text.summary_lines(story(*used, *gone, *rest), WORDS)
    assert lines[0] == (
        "In this pixel: 4 of 7 frames; 2 rejected as too bright (1 on the trail of a satellite or aeroplane),"
        " 1 hidden by an obstacle."
    )
    assert "Excluded from the whole mosaic although they cover it: 1" in lines
    assert "RA 05h35m16.8s  Dec −05°23′28″" in lines
    assert pixel_text.summary_lines(story(*used), WORDS)[0] == "In this pixel: every frame that covers it (4)."
    assert "Never located, so they may or may not cover it: 2" in pixel_text.summary_lines(
        story(*used, placeless=2), WORDS
    )
    nan = (float("nan"),) * 3
    assert pixel_text.summary_lines(story(value=nan, stored=nan), WORDS) == [
        "No frame has light here.",
        "RA 05h35m16.8s  Dec −05°23′28″",
    ]
    rows = pixel_text.pixel_rows(story(*used, *gone, *rest), WORDS)
    assert [row.state[0] for row in rows] == list("▲▲■✓✓✓✓×")
    assert rows[3].cells == ("✓ used", "0.fit", "+0.1  +0.0  +0.0", "25.0%")


@pytest.mark.parametrize("state", PixelState)
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_state_has_its_words(state, language):
    words = Translator(language)
    frame = FrameHere("/a/b.fit", state, x_px=1.0, y_px=2.0, value=(1.0,), sigmas=(9.0,), interpolated=True, master=3)
    lines = pixel_text.detail_lines(frame, story(frame), words)
    lines += [cell for row in pixel_text.pixel_rows(story(frame), words) for cell in row.cells]
    lines += pixel_text.summary_lines(story(frame), words)
    assert not [line for line in lines if re.search(r"pixel\.\w|{", line)]


class TkHand:
    """Opens the Tk window on a mosaic and works it by events."""

    def __init__(self, session, opened, patch):
        import tkinter as tk

        from zemosaic.gui.presenter.desktop import opener as opener_module
        from zemosaic.gui.presenter.desktop.window_presenter import RESULT
        from zemosaic.gui.tk.window import MainWindow

        patch.setattr(opener_module, "open_path", lambda path: opened.append(path) or True)
        self.root = tk.Tk()
        self.errors = []
        self.root.report_callback_exception = lambda kind, fault, trace: self.errors.append(fault)
        self.window, self.double_s = MainWindow(self.root, session), 0.3
        self.work, self.at_result = self.root.update, lambda: self.window.pages.index("current") == RESULT
        self.picture, self.panel = self.window.result.picture, self.window.result.panel

    @property
    def view(self):
        return self.picture.view

    @property
    def shown(self):
        return bool(self.panel.winfo_viewable()), bool(self.window.result._side.winfo_viewable())

    @property
    def summary(self):
        return self.panel.summary.cget("text")

    @property
    def details(self):
        return self.panel.details.get("1.0", "end")

    @property
    def rows(self):
        return [self.panel._rows[int(item)] for item in self.panel.table.get_children()]

    def mouse(self, *steps):
        for name, u, v in steps:
            now = int(time.monotonic() * 1000) % 2**30
            self.picture.event_generate(name, x=round(u), y=round(v), time=now)

    def press(self, u, v):
        self.mouse(("<ButtonPress-1>", u, v))

    def move(self, u, v):
        self.mouse(("<B1-Motion>", u, v))

    def release(self, u, v):
        self.mouse(("<ButtonRelease-1>", u, v))

    def double_click(self, u, v):
        press, release = "<ButtonPress-1>", "<ButtonRelease-1>"
        self.mouse((press, u, v), (release, u, v), (press, u, v), (release, u, v))

    def key(self, name, on_table=True):
        widget = self.panel.table if on_table else self.picture
        widget.focus_force()
        widget.event_generate(f"<{name}>")
        self.work()

    def close(self):
        self.window.close()
        assert self.errors == []


class QtHand:
    """The same with the Qt window."""

    def __init__(self, session, opened, patch):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from PySide6.QtWidgets import QApplication

        from zemosaic.gui.presenter.desktop import opener as opener_module
        from zemosaic.gui.presenter.desktop.window_presenter import RESULT
        from zemosaic.gui.qt.window import MainWindow

        patch.setattr(opener_module, "open_path", lambda path: opened.append(path) or True)
        self.app = QApplication.instance() or QApplication(["ZeMosaic"])
        self.window, self.double_s = MainWindow(session), QApplication.doubleClickInterval() / 1000
        self.window.resize(1366, 768)
        self.window.show()
        self.work, self.at_result = self.app.processEvents, lambda: self.window.pages.currentIndex() == RESULT
        self.picture, self.panel = self.window.result.picture, self.window.result.panel

    @property
    def view(self):
        return self.picture.view

    @property
    def shown(self):
        return self.panel.frame.isVisible(), self.window.result._side.isVisible()

    @property
    def summary(self):
        return self.panel.summary.text()

    @property
    def details(self):
        return self.panel.details.toPlainText()

    @property
    def rows(self):
        return self.panel.model.rows

    def mouse(self, name, u, v):
        from PySide6.QtCore import QPoint, Qt
        from PySide6.QtTest import QTest

        at = QPoint(round(u), round(v))
        if name == "mouseMove":
            QTest.mouseMove(self.picture, at)
        else:
            getattr(QTest, name)(self.picture, Qt.MouseButton.LeftButton, pos=at)

    def press(self, u, v):
        self.mouse("mousePress", u, v)

    def move(self, u, v):
        self.mouse("mouseMove", u, v)

    def release(self, u, v):
        self.mouse("mouseRelease", u, v)

    def double_click(self, u, v):
        self.mouse("mouseClick", u, v)
        self.mouse("mouseDClick", u, v)

    def key(self, name, on_table=True):
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        widget = self.panel.table if on_table else self.picture
        widget.setFocus()
        QTest.keyClick(widget, getattr(Qt.Key, f"Key_{name}"))
        self.work()

    def close(self):
        self.window.close()
        self.window.deleteLater()
        self.work()


@pytest.fixture(params=["tk", "qt"])
def hand(request, environ, explained_run, crossed, monkeypatch):
    """A window of each toolkit that shows the mosaic, the crossed pixel as large as can be in its middle."""
    if request.param == "tk":
        pytest.importorskip("tkinter")
        request.getfixturevalue("display")
    else:
        pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    session = Session(
        Translator("en"), environ, lambda settings, until=None: FinishedRun(explained_run.mosaic), make_demo
    )
    for key in ("input_dir", "output_dir"):
        session.form = session.form.edited(key, str(explained_run.output))
    opened = []
    made = (TkHand if request.param == "tk" else QtHand)(session, opened, monkeypatch)
    made.opened, made.desk = opened, made.window.result.page.pixel
    made.point = crossed[0] + 0.5, crossed[2][1] - crossed[1] - 0.5
    made.window.presenter._may_overwrite = lambda: True
    try:
        made.window.presenter.start()
        wait(made.work, lambda: made.window.result.page.desk.size is not None and made.at_result())
        wait(made.work, lambda: made.view.picture_width == crossed[2][0])
        made.picture.zoom(30)
        u, v = made.view.to_window(*made.point)
        made.picture.pan(made.view.width / 2 - u, made.view.height / 2 - v)
        made.work()
        yield made
    finally:
        made.close()


def settle(work, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        work()
        time.sleep(0.01)


def click(hand):
    at = hand.view.to_window(*hand.point)
    hand.press(*at)
    hand.release(*at)
    wait(hand.work, lambda: hand.desk.place is not None)


def test_a_click_tells_of_the_pixel_and_escape_puts_the_panel_away(hand, explained_run, crossed):
    click(hand)
    assert hand.desk.place == crossed[:2] and hand.shown == (True, False)
    assert hand.summary == "Examining the frames…" and hand.rows == []
    wait(hand.work, lambda: hand.rows)
    assert "rejected as too bright" in hand.summary and hand.rows[0].frame.state is PixelState.HIGH
    assert Path(hand.rows[0].frame.path).name in hand.details, "the first row is chosen"
    hand.key("Down")
    assert Path(hand.rows[1].frame.path).name in hand.details
    hand.panel.show_file.invoke() if hasattr(hand.panel.show_file, "invoke") else hand.panel.show_file.click()
    wait(hand.work, lambda: hand.opened == [explained_run.frames])
    hand.window.presenter.use_language("fr")
    assert "trop lumineuse" in hand.summary and "Rejetée" in hand.details
    hand.key("Escape")
    assert hand.shown == (False, True) and hand.desk.place is None and hand.picture.mark is None


def test_neither_a_drag_nor_a_double_click_asks_and_return_asks_about_the_middle(hand, crossed):
    u, v = hand.view.to_window(*hand.point)
    hand.press(u, v)
    for step in (20, 40, 64):
        hand.move(u + step, v)
    hand.release(u + 64, v)
    settle(hand.work, hand.double_s + 0.2)
    assert hand.desk.place is None and hand.shown == (False, True)
    assert hand.view.to_window(*hand.point)[0] == pytest.approx(u + 64, abs=1), "the picture went along"
    hand.key("Return", on_table=False)
    assert hand.desk.place == (crossed[0] - round(64 / hand.view.scale), crossed[1])
    hand.key("Escape", on_table=False)
    hand.double_click(u, v)
    settle(hand.work, hand.double_s + 0.2)
    assert hand.view.fitted and hand.desk.place is None


def test_the_window_stays_awake_while_the_frames_are_read(hand):
    click(hand)
    watch = Watch(hand.work)
    watch.until(lambda: hand.rows)
    assert len(watch.turns) > 10 and max(watch.turns) < longest_turn_s()
