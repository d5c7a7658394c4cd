"""The Frames page of both windows by mouse and keys, on the 24 frames of the demo."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import numpy as np
import pytest
from fake_worker import FakeRun
from waiting import wait_until
from watching import Watch, longest_turn_s, one_event

from benchmarks.frames_view import table_of
from zemosaic.frames.selection import read_selection
from zemosaic.gui.presenter.frames.frame_table import COLUMNS
from zemosaic.gui.presenter.frames.map_picture import COLOURINGS
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator


@pytest.fixture(scope="module")
def frames(demo_frames, tmp_path_factory):
    return demo_frames(tmp_path_factory.mktemp("survey"), range(24))


class TkDriver:
    """Makes the events that a user of the Tk window makes."""

    def __init__(self, session):
        import tkinter as tk

        from zemosaic.gui.tk.window import MainWindow

        self.root = tk.Tk()
        self.window = MainWindow(self.root, session)
        self.root.geometry("1366x768+0+0")
        self.window.pages.select(0)
        self.root.update()

    def work(self):
        self.root.update()

    def drag(self, widget, begin, end):
        widget.event_generate("<ButtonPress-1>", x=begin[0], y=begin[1])
        widget.event_generate("<B1-Motion>", x=(begin[0] + end[0]) // 2, y=(begin[1] + end[1]) // 2, state=0x100)
        widget.event_generate("<B1-Motion>", x=end[0], y=end[1], state=0x100)
        widget.event_generate("<ButtonRelease-1>", x=end[0], y=end[1], state=0x100)
        self.root.update()

    def press(self, button):
        button.invoke()
        self.root.update()

    def delete(self, widget):
        widget.focus_force()
        self.root.update()
        widget.event_generate("<Delete>")
        self.root.update()

    def key(self, widget, keysym):
        widget.focus_force()
        self.root.update()
        widget.event_generate(f"<{keysym}>")
        self.root.update()

    def close(self):
        self.window.close()


class QtDriver:
    """Makes the events that a user of the Qt window makes."""

    def __init__(self, session):
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from PySide6.QtWidgets import QApplication

        from zemosaic.gui.qt.window import MainWindow

        self.app = QApplication.instance() or QApplication(["ZeMosaic"])
        self.window = MainWindow(session)
        self.window.resize(1366, 768)
        self.window.show()
        self.window.pages.setCurrentIndex(0)
        self.app.processEvents()

    def work(self):
        self.app.processEvents()

    def drag(self, widget, begin, end):
        from PySide6.QtCore import QPoint, QPointF, Qt
        from PySide6.QtGui import QMouseEvent
        from PySide6.QtTest import QTest

        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mousePress(widget, left, none, QPoint(*begin))
        for at in (((begin[0] + end[0]) // 2, (begin[1] + end[1]) // 2), end):
            place = QPointF(*at)
            moved = QMouseEvent(QMouseEvent.Type.MouseMove, place, widget.mapToGlobal(place), left, left, none)
            self.app.sendEvent(widget, moved)
        QTest.mouseRelease(widget, left, none, QPoint(*end))
        self.app.processEvents()

    def press(self, button):
        button.click()
        self.app.processEvents()

    def delete(self, widget):
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        QTest.keyClick(widget, Qt.Key.Key_Delete)
        self.app.processEvents()

    def key(self, widget, keysym):
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        key = Qt.Key.Key_Space if keysym == "space" else getattr(Qt.Key, f"Key_{keysym}")
        widget.window().activateWindow()
        QTest.keyClick(widget, key)
        self.app.processEvents()

    def close(self):
        self.window.close()
        self.window.deleteLater()
        self.app.processEvents()


@pytest.fixture(params=["tk", "qt"])
def driver(request, environ, display):
    pytest.importorskip("tkinter" if request.param == "tk" else "PySide6.QtWidgets", exc_type=ImportError)
    begun = []

    def start(settings, until=None):
        begun.append((settings, until))
        return FakeRun(settings)

    session = Session(Translator("en"), environ, start, lambda folder, told=None: folder)
    made = (TkDriver if request.param == "tk" else QtDriver)(session)
    made.begun = begun
    made.session = session
    yield made
    session.stop()
    wait(made, lambda: not session.running)
    made.close()


def wait(driver, condition):
    wait_until(condition, driver.work)


def test_frames_are_chosen_by_mouse_and_the_choice_reaches_the_run(driver, frames, tmp_path):
    session, view = driver.session, driver.window.frames
    session.form = session.form.edited("output_dir", str(tmp_path / "out"))
    view.commands.open_folder(str(frames))
    wait(driver, lambda: session.frames.table is not None and view.page.table.shown.size == 24)
    view.commands.update()
    driver.work()
    table = session.frames.table
    at = [round(x) for x in view.map.sky.view.to_window(table.footprints.quads[5].mean(axis=0))]
    driver.drag(view.map, at, at)
    assert table.selected.sum() == 1
    wait(driver, lambda: view.page.thumbnails.shown is not None or view.page.thumbnails.pump())
    driver.delete(view.map)
    assert len(table.left_out) == 1
    driver.press(view.buttons["undo"])
    assert not len(table.left_out)
    driver.press(view.buttons["redo"])
    assert len(table.left_out) == 1

    driver.press(view.buttons["region"])
    driver.drag(view.map, (180, 120), (380, 260))
    region = [float(part) for part in session.form.row("region_of_interest").value.split(",")]
    scale = view.map.sky.view.scale
    assert region[2:] == pytest.approx((200 / scale, 140 / scale), rel=0.01)
    assert not view.map.sky.marking_region, "one rectangle, then the mouse selects again"

    driver.press(driver.window.start_button)
    wait(driver, lambda: driver.begun)
    settings, until = driver.begun[0]
    assert until is None
    assert settings.region_of_interest == session.form.row("region_of_interest").value
    chosen = read_selection(tmp_path / "out" / "zemosaic_selection.csv", frames)
    assert [path for path in table.paths if chosen.leaves_out(path)] == [table.paths[int(table.left_out[0])]]


def test_a_limit_is_dragged_and_measuring_is_asked_for(driver, frames, tmp_path):
    session, view = driver.session, driver.window.frames
    session.form = session.form.edited("output_dir", str(tmp_path / "out"))
    view.commands.open_folder(str(frames))
    wait(driver, lambda: session.frames.table is not None)
    table = session.frames.table
    table.take_numbers({"fwhm": 2.0 + 0.1 * (table.metrics["exposure"].cumsum() / 10.0)})
    view.commands.update()
    driver.work()
    widget = view.histograms["fwhm"]
    width = widget.winfo_width() if hasattr(widget, "winfo_width") else widget.width()
    driver.drag(widget, (width - 4, 50), (width // 2, 50))
    assert 8 < len(table.left_out) < 16
    assert view.page.metric == "fwhm"
    driver.press(view.buttons["measure"])
    assert driver.begun[0][1] == "measure"


def test_fifty_thousand_frames_never_hold_the_window(driver):
    session, view = driver.session, driver.window.frames
    importlib.import_module("cv2")  # as the scan does
    session.frames.table, session.frames.version = table_of(50_000), session.frames.version + 1
    watch = Watch(one_event(driver.root) if hasattr(driver, "root") else driver.work)
    watch.turn(view.commands.update)
    watch.until(lambda: session.frames.forecast is not None)
    for colouring in COLOURINGS:
        watch.turn(lambda colouring=colouring: (view.page.map.colour_by(colouring), redraw(view)))
    for _ in range(5):
        watch.turn(lambda: (view.page.map.zoom(1, 300, 200), redraw(view)))
    watch.turn(lambda: (session.frames.table.sort("snr", True), view.commands.update()))
    watch.turn(lambda: (session.frames.table.set_limit("fwhm", (None, 3.0)), view.commands.update()))
    assert len(view.page.table.left_out) > 1000
    assert max(watch.turns) < longest_turn_s()


def test_frames_are_picked_in_the_plot(driver, frames):
    session, view = driver.session, driver.window.frames
    view.commands.open_folder(str(frames))
    wait(driver, lambda: session.frames.table is not None and view.page.table.shown.size == 24)
    table = session.frames.table
    table.take_numbers({"fwhm": np.linspace(2.0, 4.0, 24)})
    driver.press(view.buttons["plot"])
    view.plot_x.choose("fwhm")
    view.plot_y.choose("fwhm")
    view.commands.use_axes()
    driver.work()
    points = view.page.plot.points()
    driver.drag(view.plot, [round(x) for x in points[7]], [round(x) for x in points[7]])
    assert np.flatnonzero(table.selected).tolist() == [7]
    driver.key(view.plot, "Right")
    assert np.flatnonzero(table.selected).tolist() == [8]
    driver.delete(view.plot)
    assert table.left_out.tolist() == [8]
    driver.press(view.buttons["undo"])
    assert not len(table.left_out)
    driver.press(view.buttons["plot"])
    assert not view.page.is_plot_shown


def test_frames_are_seen_large_by_keys(driver, frames):
    session, view = driver.session, driver.window.frames
    view.commands.open_folder(str(frames))
    wait(driver, lambda: session.frames.table is not None and view.page.table.shown.size == 24)
    table = session.frames.table
    driver.key(view.table.tree if hasattr(view.table, "tree") else view.table, "space")
    assert view.page.viewer.is_open
    wait(driver, lambda: view.page.viewer.is_ready)
    canvas = view.large.canvas
    for _ in range(2):
        driver.key(canvas, "Right")
    assert np.flatnonzero(table.selected).tolist() == [2], "the table follows"
    wait(driver, lambda: view.page.viewer.is_ready)
    driver.key(canvas, "Delete")
    assert table.left_out.tolist() == [2]
    driver.key(canvas, "Left")
    driver.key(canvas, "Insert")
    assert not len(table.left_out)
    driver.press(view.large.buttons["next"])
    assert np.flatnonzero(table.selected).tolist() == [3]
    driver.key(canvas, "Escape")
    assert not view.page.viewer.is_open
    assert np.flatnonzero(table.selected).tolist() == [3], "the table stays where one was looking"
    assert view.page.viewer._decoded.kept_bytes == 0


def redraw(view):
    (view.map.redraw if hasattr(view.map, "redraw") else view.map.update)()


class TkName:
    """Types a name into the window that asks for it."""

    def __init__(self, driver, name, key):
        self.offered = None
        root = driver.root

        def act():
            asking = [child for child in children(root) if child.winfo_class() == "Toplevel" and child.grab_status()]
            if not asking:
                root.after(20, act)
                return
            box = next(child for child in children(asking[0]) if child.winfo_class() == "TCombobox")
            if root.focus_get() is not box:
                box.focus_force()
                root.after(20, act)
                return
            self.offered, self.text = list(box["values"]), box.get()
            self.question = [child["text"] for child in children(asking[0]) if child.winfo_class() == "TLabel"][-1]
            box.delete(0, "end")
            for letter in name:
                box.event_generate("<Key>", keysym={" ": "space"}.get(letter, letter))
            asking[0].event_generate(f"<{key}>")

        root.after(20, act)


class QtName:
    """Types a name into the window that asks for it."""

    def __init__(self, driver, name, key):
        from PySide6.QtCore import Qt, QTimer
        from PySide6.QtTest import QTest
        from PySide6.QtWidgets import QApplication, QComboBox, QInputDialog

        self.offered = None

        def act():
            asking = QApplication.activeModalWidget()
            if not isinstance(asking, QInputDialog):
                QTimer.singleShot(20, act)
                return
            box = asking.findChild(QComboBox)
            self.offered, self.text = [box.itemText(i) for i in range(box.count())], box.currentText()
            self.question = asking.labelText()
            box.lineEdit().selectAll()
            QTest.keyClick(box.lineEdit(), Qt.Key.Key_Delete)
            QTest.keyClicks(box.lineEdit(), name)
            QTest.keyClick(asking, getattr(Qt.Key, f"Key_{key}"))

        QTimer.singleShot(20, act)


def children(widget):
    for child in widget.winfo_children():
        yield child
        yield from children(child)


def group(driver, name, key="Return"):
    """Press Group… and answer with a name; returns what stood there before."""
    asked = (TkName if hasattr(driver, "root") else QtName)(driver, name, key)
    driver.press(driver.window.frames.buttons["group"])
    wait_until(lambda: asked.offered is not None, driver.work)
    return asked


@pytest.mark.parametrize("language", ["en", "fr"])
def test_frames_are_grouped_by_a_name_and_the_groups_reach_the_run(driver, frames, tmp_path, language):
    session, view = driver.session, driver.window.frames
    driver.window.presenter.use_language(language)
    session.form = session.form.edited("output_dir", str(tmp_path / "out"))
    view.commands.open_folder(str(frames))
    wait_until(lambda: session.frames.table is not None and view.page.table.shown.size == 24, driver.work)
    view.commands.update()
    table = session.frames.table
    press_rows(driver, 2, 5)
    assert np.flatnonzero(table.selected).tolist() == table.shown[2:6].tolist()
    asked = group(driver, "pier")
    assert asked.offered == [] and asked.text == ""
    assert asked.question == session.words.text("frames.group.name", count=4)
    assert [table.group_of(row) for row in table.shown[:7]] == ["", ""] + ["pier"] * 4 + [""]
    assert shown_text(driver, 3, "field") == "pier"
    press_rows(driver, 5, 6)
    assert group(driver, "balcony", "Escape").offered == ["pier"]
    assert table.group_names == ["pier"], "Escape changes nothing"
    group(driver, "balcony")
    assert table.group_names == ["balcony", "pier"]
    driver.press(view.buttons["undo"])
    assert [table.group_of(row) for row in table.shown[4:7]] == ["pier", "pier", ""]
    driver.press(view.buttons["redo"])
    press_rows(driver, 2, 2)
    assert group(driver, "").text == "pier", "the name that the selected frames have"
    assert [table.group_of(row) for row in table.shown[:7]] == [""] * 3 + ["pier"] * 2 + ["balcony"] * 2

    view.page.export(tmp_path / "export.csv")
    driver.press(driver.window.start_button)
    wait_until(lambda: driver.begun, driver.work)
    settings, _ = driver.begun[0]
    for path in (tmp_path / "export.csv", Path(settings.excluded_frames)):
        chosen = read_selection(path, frames)
        assert [chosen.group_of(table.paths[row]) for row in table.shown[:7]] == [
            table.group_of(row) for row in table.shown[:7]
        ]


def press_rows(driver, first, last):
    """Click the row of one place, and with Shift that of another."""
    view = driver.window.frames.table
    if hasattr(driver, "root"):
        for place, state in ((first, 0), (last, 1)):
            x, y, _, height = view.tree.bbox(view.tree.get_children()[place], "file")
            view.tree.event_generate("<ButtonPress-1>", x=x + 5, y=y + height // 2, state=state)
        driver.work()
        return
    from PySide6.QtCore import Qt
    from PySide6.QtTest import QTest

    keys = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
    for place, held in zip((first, last), keys, strict=True):
        at = view.visualRect(view.model().index(place, COLUMNS.index("file"))).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, held, at)
    driver.work()


def shown_text(driver, place, column):
    """Return what stands in a cell."""
    view = driver.window.frames.table
    if hasattr(driver, "root"):
        return view.tree.set(view.tree.get_children()[place], column)
    return view.model().index(place, COLUMNS.index(column)).data()
