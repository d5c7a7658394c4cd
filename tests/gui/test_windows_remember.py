"""What both windows remember, how they greet, and how they write numbers."""

from __future__ import annotations

import os

import numpy as np
import pytest
from fake_worker import FakeRun, make_demo
from test_frames import table_of

from zemosaic.gui.presenter.frames.frame_cells import metric_text
from zemosaic.gui.presenter.frames.histograms import Histogram
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.form import Form, range_text, shown_value
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


class Tk:
    """A Tk window."""

    def __init__(self, session):
        import tkinter as tk

        from zemosaic.gui.tk.window import MainWindow

        self.root = tk.Tk()
        self.root.geometry("1366x768+0+0")
        self.window = MainWindow(self.root, session)
        self.work = self.root.update
        self.work()

    def select(self, page):
        self.window.pages.select(page)
        self.work()

    def press(self, button):
        button.invoke()
        self.work()

    def move_split(self, share):
        split = self.window.frames.split
        split.sashpos(0, round(share * split.winfo_width()))
        self.window.frames._sash_moved()
        self.work()

    def share(self):
        split = self.window.frames.split
        return split.sashpos(0) / split.winfo_width()

    def menu(self):
        menu = self.window.frames.table.columns_menu("fwhm")
        entries = range(menu.index("end") + 1)
        return {menu.entrycget(i, "label"): (lambda i=i: menu.invoke(i)) for i in entries if menu.type(i) == "command"}

    def greeted(self):
        return bool(self.window.settings.welcome.winfo_ismapped())

    def close(self):
        self.window.close()


class Qt:
    """A Qt window."""

    def __init__(self, session):
        from PySide6.QtWidgets import QApplication

        from zemosaic.gui.qt.window import MainWindow

        self.app = QApplication.instance() or QApplication(["ZeMosaic"])
        self.window = MainWindow(session)
        self.window.resize(1366, 768)
        self.window.show()
        self.work = self.app.processEvents
        self.work()

    def select(self, page):
        self.window.pages.setCurrentIndex(page)
        self.work()

    def press(self, button):
        button.click()
        self.work()

    def move_split(self, share):
        total = sum(self.window.frames.split.sizes())
        self.window.frames.split.setSizes([round(share * total), round((1 - share) * total)])
        self.work()

    def share(self):
        left, right = self.window.frames.split.sizes()
        return left / (left + right)

    def menu(self):
        actions = self.window.frames.table.columns_menu().actions()
        return {action.text(): action.trigger for action in actions}

    def greeted(self):
        return self.window.settings.welcome.frame.isVisible()

    def close(self):
        self.window.close()
        self.window.deleteLater()
        self.work()


@pytest.fixture(params=["tk", "qt"])
def opened(request, environ, display):
    """A function that opens windows one after the other, with the same configuration folder."""
    pytest.importorskip("tkinter" if request.param == "tk" else "PySide6.QtWidgets", exc_type=ImportError)
    made = []

    def make(language="en"):
        if made:
            made.pop().close()
        session = Session(Translator(language), environ, lambda settings, until=None: FakeRun(settings), make_demo)
        made.append((Tk if request.param == "tk" else Qt)(session))
        made[0].window.start = lambda: None
        return made[0]

    yield make
    made.pop().close()


def test_the_frames_page_is_as_it_was_left(opened):
    driver = opened()
    driver.select(0)
    frames = driver.window.frames
    session = frames.page.session
    session.frames.table, session.frames.version = table_of(), session.frames.version + 1
    frames.commands.update()
    session.frames.table.sort("snr", True)
    frames.commands.update()
    frames.colour.choose("coverage")
    driver.move_split(0.52)
    share = driver.share()
    before = frames.table.shown_columns()
    driver.menu()[next(name for name in driver.menu() if "ccentricity" in name)]()
    assert frames.table.shown_columns() == [name for name in before if name != "eccentricity"]
    frames.table.show_columns(["keep", "file", "snr", "verdict"])

    again = opened()
    again.select(0)
    frames = again.window.frames
    assert frames.table.shown_columns() == ["keep", "file", "snr", "verdict"]
    assert frames.colour.value == frames.page.map.colouring == "coverage"
    assert again.share() == pytest.approx(share, abs=0.02)
    session = frames.page.session
    table = table_of()
    table.take_numbers({"snr": np.arange(7.0)})
    session.frames.table, session.frames.version = table, session.frames.version + 1
    frames.commands.update()
    assert table.sorting == ("snr", True) and table.shown[0] == 6
    again.menu()["Show all columns"]()
    assert frames.table.shown_columns()[:4] == before[:4] and len(frames.table.shown_columns()) == len(before)


def test_the_first_start_greets_once_and_again_when_asked(opened):
    driver = opened()
    driver.select(1)
    settings = driver.window.settings
    settings.page.equipment.look(test=False)
    settings.page.equipment.close()
    settings.page.show_equipment()
    assert driver.greeted()
    assert settings.page.equipment.finding("catalogue").text.key == "equipment.catalogue_found"
    assert settings.page.equipment.finding("computer").text.params["cpus"] >= 1
    assert settings.page.equipment.finding("astap").text.key != "equipment.astap_unknown"
    driver.press(settings.welcome.close_button)
    assert not driver.greeted()
    again = opened()
    again.select(1)
    assert not again.greeted(), "once"
    again.select(0)
    again.window.presenter.actions.choose("tour")
    again.work()
    assert again.greeted()


def test_masters_are_browsed_for_as_files_and_as_folders(opened, tmp_path, monkeypatch):
    driver = opened()
    chosen = str(tmp_path)
    monkeypatch.setattr("tkinter.filedialog.askdirectory", lambda **_: chosen)
    dialogs = pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError).QFileDialog
    monkeypatch.setattr(dialogs, "getExistingDirectory", lambda *_: chosen)
    rows = driver.window.settings.rows
    assert list(rows["master_dark"].browse) == ["file", "folder"]
    assert list(rows["input_dir"].browse) == ["folder"] and not rows["stacking_kappa_low"].browse
    for key in ("master_dark", "master_flat", "master_bias"):
        driver.press(rows[key].browse["folder"])
        assert driver.window.session.form.row(key).value == chosen


def test_numbers_are_written_and_read_the_language_s_way(opened):
    french = Translator("fr")
    assert metric_text("fwhm", 2.345, french) == "2,35" or metric_text("fwhm", 2.345, french) == "2,34"
    driver = opened("fr")
    session = driver.window.frames.page.session
    session.frames.table = table_of()
    histogram = Histogram(session.frames, "fwhm")
    session.frames.table.take_numbers({"fwhm": np.linspace(1.5, 3.5, 7)})
    assert histogram.type_limits("1,75", "")
    assert histogram.typed(french) == ("1,75", "") and histogram.title(french).count(",") == 1
    form = Form.of(Settings()).edited("stacking_kappa_low", "2,5")
    assert form.row("stacking_kappa_low").value == 2.5 and form.settings().stacking_kappa_low == 2.5
    spec = form.row("stacking_kappa_low").spec
    assert "0,1" in range_text(spec, french) and shown_value(0.25, french) == "0,25"


def test_fields_of_settings_show_and_take_the_language_s_decimals(opened):
    driver = opened("fr")
    driver.select(1)
    settings, session = driver.window.settings, driver.window.session
    key = "stacking_kappa_low"
    control = settings.rows[key].control
    shown = control.get if hasattr(control, "get") else control.text

    def typed(text):
        (control.delete(0, "end") if hasattr(control, "get") else control.clear())
        for letter in text:
            control.insert(*(("end", letter) if hasattr(control, "get") else (letter,)))
            driver.work()
        return shown(), session.form.row(key).value

    assert typed("2,25") == ("2,25", 2.25)
    assert typed("2.75") == ("2.75", 2.75), "what is typed stands as it is typed"
    driver.window.presenter.use_language("en")
    driver.work()
    assert shown() == "2.75"
    driver.window.presenter.use_language("fr")
    driver.work()
    assert shown() == "2,75" and session.form.row(key).value == 2.75
    session.form = session.form.edited(key, "1.5")
    settings.page.update_rows()
    assert shown() == "1,5", "a preset's number, too"
    assert typed("2,,5")[0] == "2,,5" and session.form.row(key).problem is not None
    driver.window.presenter.use_language("en")
    driver.work()
    assert shown() == "2,,5", "what is wrong is left to be put right"
    session.form = session.form.reset(key)
