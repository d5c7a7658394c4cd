"""The Qt window, offscreen."""

from __future__ import annotations

import gc
import json
import os
import threading
from functools import partial

import numpy as np
import psutil
import pytest
from fake_worker import FakeRun, make_demo
from waiting import PATIENCE_S, wait_until

from zemosaic import worker
from zemosaic.gui.presenter.run.run_state import Status
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.settings.schema import specs

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)

from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QCheckBox, QFileDialog, QLabel, QLineEdit, QPushButton

from zemosaic.gui.presenter.desktop.window_presenter import FRAMES, RESULT, RUN, SETTINGS
from zemosaic.gui.presenter.frames import frames_page
from zemosaic.gui.qt.widgets import Choice
from zemosaic.gui.qt.window import MainWindow


@pytest.fixture(scope="module")
def app():
    return QApplication.instance() or QApplication(["ZeMosaic"])


@pytest.fixture(scope="module")
def frames(demo_frames, tmp_path_factory):
    """Four frames of two pointings of the demo."""
    return demo_frames(tmp_path_factory.mktemp("survey"), (0, 1, 6, 7))


@pytest.fixture
def opened(app, environ):
    """A function that opens windows; what is still open at the end is closed."""
    windows = []

    def make(language="en", start=None, **kind):
        begin = start or (lambda settings: FakeRun(settings, **kind))
        window = MainWindow(Session(Translator(language), environ, begin, make_demo))
        windows.append(window)
        window.resize(1366, 768)
        window.show()
        app.processEvents()
        return window

    yield make
    for window in windows:
        if window.isVisible():
            window.ask = lambda *told: True
            window.close()
            wait(lambda window=window: not window.isVisible())
        window.deleteLater()
    app.processEvents()


def wait(condition):
    wait_until(condition, QApplication.processEvents)


def fill_in(window, folder, output):
    window.settings.rows["input_dir"].control.setText(str(folder))
    window.settings.rows["output_dir"].control.setText(str(output))


def look(window, folder):
    window.pages.setCurrentIndex(FRAMES)
    window.frames.commands.open_folder(str(folder))
    wait(lambda: window.session.frames.table is not None)
    wait(lambda: window.frames.table.frames.rowCount() == len(window.session.frames.table))
    return window.session.frames.table


def click(button):
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_a_mosaic_in_three_clicks(opened, tmp_path):
    window = opened()
    fill_in(window, tmp_path, tmp_path / "out")
    click(window.start_button)
    assert window.pages.currentIndex() == RUN
    wait(lambda: window.pages.currentIndex() == RESULT)
    wait(lambda: window.result.picture.loaded is not None)
    assert "zemosaic_MT6_R16.fits" in window.result.told.toPlainText()


def test_the_end_of_a_run_leaves_the_user_on_the_page_he_works_on(opened, tmp_path):
    window = opened()
    fill_in(window, tmp_path, tmp_path / "out")
    window.presenter.start()
    window.pages.setCurrentIndex(SETTINGS)
    wait(lambda: window.session.state.result is not None and not window.session.running)
    wait(lambda: window.result.picture.loaded is not None)
    assert window.pages.currentIndex() == SETTINGS


def test_the_picture_of_an_earlier_run_does_not_come_into_the_next_one(opened, tmp_path, monkeypatch):
    window, late = opened(), []
    loader = type(window.presenter.loader)
    read = loader._work
    monkeypatch.setattr(loader, "_work", lambda self, *asked: late.append(partial(read, self, *asked)))
    fill_in(window, tmp_path, tmp_path / "out")
    window.presenter.start()
    wait(lambda: not window.session.running and len(late) == 2)
    monkeypatch.setattr(window.session, "earlier_result", lambda: None)
    window.session._start = lambda settings: FakeRun(settings, step_s=60.0)
    window.presenter.start()
    for reading in late:
        reading()
    assert window.session.running
    assert window.presenter.loader.take() is None


def test_a_run_that_is_over_before_the_window_looks_ends_on_the_result_page(opened, tmp_path):
    window = opened()
    fill_in(window, tmp_path, tmp_path / "out")
    window.presenter.start()
    window.session._run._thread.join()
    wait(lambda: window.pages.currentIndex() == RESULT)


def test_frames_are_looked_at_and_left_out_by_mouse(opened, frames, tmp_path):
    window = opened()
    started = []
    window.session._start = lambda settings: started.append(settings) or FakeRun(settings)
    table = look(window, frames)
    assert window.session.form.row("input_dir").value == str(frames)
    assert "4" in window.frames._summary.text()
    point = window.frames.map.sky.view.to_window(table.footprints.quads[2].mean(axis=0))
    QTest.mouseClick(window.frames.map, Qt.MouseButton.LeftButton, pos=QPoint(*(int(x) for x in point)))
    assert table.selected.sum() == 1
    chosen = int(np.flatnonzero(table.selected)[0])
    assert len(window.frames.table.selectionModel().selectedRows()) == 1, "map and table share the selection"
    click(window.frames.buttons["leave_out"])
    assert table.left_out.tolist() == [chosen]
    window.session.form = window.session.form.edited("output_dir", str(tmp_path / "out"))
    click(window.start_button)
    wait(lambda: started)
    assert started[0].excluded_frames == str(tmp_path / "out" / "zemosaic_selection.csv")
    wait(lambda: not window.session.running)


def test_the_table_sorts_checks_and_undoes(opened, frames):
    window = opened()
    table, view = look(window, frames), window.frames.table
    view.sortByColumn(1, Qt.SortOrder.DescendingOrder)
    assert table.shown.tolist() == [3, 2, 1, 0]
    assert view.frames.setData(view.frames.index(0, 0), Qt.CheckState.Unchecked.value, Qt.ItemDataRole.CheckStateRole)
    assert table.left_out.tolist() == [3]
    click(window.frames.buttons["undo"])
    assert table.left_out.tolist() == []
    view.selectRow(1)
    assert np.flatnonzero(table.selected).tolist() == [2]
    QTest.keyClick(view, Qt.Key.Key_Delete)
    assert table.left_out.tolist() == [2]
    window.frames.search.setText("no such frame")
    assert view.frames.rowCount() == 0


def test_a_folder_can_be_dropped(opened, frames):
    window = opened()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(frames))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    window.dropEvent(QDropEvent(QPointF(50, 50), Qt.DropAction.CopyAction, data, buttons, keys))
    wait(lambda: window.session.frames.table is not None)
    assert len(window.session.frames.table) == 4


def test_csv_goes_out_and_in(opened, frames, tmp_path, monkeypatch):
    window = opened()
    table = look(window, frames)
    table.set_keep(np.array([1]), False)
    path = str(tmp_path / "frames.csv")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *told: (path, ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *told: (path, ""))
    click(window.frames.buttons["export"])
    table.undo()
    click(window.frames.buttons["import"])
    assert table.left_out.tolist() == [1]


def test_analyse_is_there_only_with_an_analyser(opened, tmp_path, monkeypatch):
    assert opened().frames.buttons["analyse"].isHidden()
    (tmp_path / "zeanalyser").mkdir()
    (tmp_path / "zeanalyser" / "__main__.py").write_text("", encoding="utf-8")
    found = frames_page.find_analyser(tmp_path)
    monkeypatch.setattr(frames_page, "find_analyser", lambda folder: found)
    window = opened()
    button = window.frames.buttons["analyse"]
    assert not button.isHidden()
    assert "ZeAnalyser" in button.toolTip()
    window.pages.setCurrentIndex(FRAMES)
    click(button)
    assert window.frames.page.analysing.wait(PATIENCE_S) == 0


def test_every_setting_can_be_edited_and_reset(opened):
    window = opened()
    window.settings.page.use_tier("expert")
    for spec in specs():
        if spec.key == "language":
            continue
        row = window.settings.rows[spec.key]
        assert row.control.isVisible(), spec.key
        if isinstance(row.control, Choice):
            row.control.setCurrentIndex(1 - row.control.currentIndex() if row.control.currentIndex() < 2 else 0)
        elif isinstance(row.control, QCheckBox):
            row.control.toggle()
        else:
            assert isinstance(row.control, QLineEdit)
            row.control.setText("somewhere" if spec.maximum is None else f"{spec.maximum:g}")
        assert window.session.form.row(spec.key).changed, spec.key
        row.reset.click()
        assert not window.session.form.row(spec.key).changed, spec.key


def test_a_wrong_value_is_shown_at_its_row(opened, tmp_path):
    window = opened()
    fill_in(window, tmp_path, tmp_path / "out")
    row = window.settings.rows["grid_tile_px"]
    row.control.setText("1")
    assert "128 ... 4096" in row._problem.text()
    click(window.start_button)
    assert not window.session.running
    assert window.settings.page.tier == "expert"
    assert row.control.isVisible()


def test_languages_switch_while_open_and_nothing_stays_behind(opened):
    def texts(window):
        shown = [item.text() for kind in (QLabel, QPushButton, QCheckBox) for item in window.findChildren(kind)]
        return {text for text in shown if len(text) > 6}

    window = opened("en")
    english = texts(window)
    window.language.setCurrentIndex(window.language.findData("fr"))
    french = texts(window)
    assert "Lancer la mosaïque hiérarchique" in french
    assert not {text for text in english & french if " " in text} - {"Master dark", "Master flat"}
    assert not [text for text in french if text.count(".") == 1 and text.islower() and " " not in text]


@pytest.mark.parametrize("answer", [True, False])
def test_closing_during_a_run_asks_first(answer, opened, tmp_path):
    window = opened(step_s=0.05)
    fill_in(window, tmp_path, tmp_path / "out")
    window.presenter.start()
    run = window.session._run
    window.ask = lambda *told: answer
    window.close()
    if answer:
        wait(lambda: not window.isVisible())
        assert run.cancelled
    else:
        assert window.isVisible()
        assert not run.cancelled


def test_stop_ends_a_run_and_says_how_to_go_on(opened, tmp_path):
    window = opened(step_s=0.05)
    fill_in(window, tmp_path, tmp_path / "out")
    window.presenter.start()
    wait(lambda: window.session.state.current is not None)
    click(window.stop_button)
    wait(lambda: not window.session.running)
    assert window.session.state.status is Status.CANCELLED
    assert "start again to continue" in window.status.text()


def test_look_and_depth_are_remembered(opened, tmp_path):
    window = opened()
    assert window.presenter.theme_name == "system"
    window.theme.setCurrentIndex(window.theme.findData("light"))
    window.settings.page.use_tier("advanced")
    window.frames.table.use_widths({"file": 333})
    window.pages.setCurrentIndex(FRAMES)
    window.close()
    saved = json.loads((tmp_path / "config" / "window_qt.json").read_text(encoding="utf-8"))
    assert (saved["theme"], saved["tier"]) == ("light", "advanced")
    again = opened()
    assert (again.presenter.theme_name, again.settings.page.tier) == ("light", "advanced")
    assert again.frames.table.widths()["file"] == 333
    assert again.pages.currentIndex() == FRAMES


@pytest.mark.parametrize("cycles", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_windows_leave_no_thread_behind(cycles, opened, frames):
    look(opened(), frames)
    gc.collect()
    threads = threading.active_count()
    processes = psutil.Process().children(recursive=True)
    for _ in range(cycles):
        window = opened()
        window.settings.page.equipment.look(test=True)
        window.frames.commands.open_folder(str(frames))
        window.close()
        assert not window._timer.isActive()
    assert threading.active_count() <= threads
    assert psutil.Process().children(recursive=True) == processes


def test_a_real_run_leaves_out_what_the_map_left_out(opened, frames, tmp_path):
    window = opened(start=worker.start)
    table = look(window, frames)
    table.select(np.array([3]))
    window.frames.commands.update()
    click(window.frames.buttons["leave_out"])
    window.session.form = window.session.form.edited("output_dir", str(tmp_path / "out"))
    click(window.start_button)
    wait(lambda: not window.session.running)
    assert window.session.state.error is None, window.session.state.error
    assert window.pages.currentIndex() == RESULT
    desk, picture = window.result.page.desk, window.result.picture
    wait(lambda: desk.size is not None)
    QTest.mouseMove(picture, QPoint(200, 150))
    before = picture.view.scale
    for _ in range(6):
        picture.zoom(1)
    assert picture.view.scale > 2 * before and desk.picture(picture.view).any()
    picture.hovered(*picture.view.to_picture(200, 150))
    assert window.result._read_out.text().startswith("RA ")
    window.result.sliders["white"].setValue(40)
    window.result.checks["linked"].setChecked(False)
    assert desk.adjustment.white == 0.4 and not desk.adjustment.linked
    assert not picture.grab().toImage().isNull()
    report = json.loads((tmp_path / "out" / "run_report.json").read_text(encoding="utf-8"))
    told = [item for item in report["frames"] if item["path"] == table.paths[3]]
    assert told[0]["status"] == "rejected"
    assert table.footprints.exact.tolist() == [True, True, True, False]
    window.pages.setCurrentIndex(SETTINGS)
    assert window.settings.rows["excluded_frames"].control.text().endswith("zemosaic_selection.csv")
