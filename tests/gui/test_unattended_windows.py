"""Runs that nobody sits beside, in both windows: watching, the queue, and what makes starting them short."""

from __future__ import annotations

import base64
import contextlib
import os
import re
import subprocess
import sys
import threading
import types
from pathlib import Path

import pytest
from fake_worker import FakeRun, make_demo
from test_windows_remember import Qt, Tk
from waiting import wait_until

from zemosaic.gui.presenter.desktop import notifications
from zemosaic.gui.presenter.desktop.notifications import notification_command
from zemosaic.gui.presenter.desktop.recent_folders import MOST_PAIRS, RecentFolders
from zemosaic.gui.presenter.desktop.window_presenter import FRAMES, RESULT, RUN, SETTINGS
from zemosaic.gui.presenter.run.dropped_paths import folders_of, paths_of_text
from zemosaic.gui.presenter.run.input_folder import InputFolder
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings import doctor
from zemosaic.gui.presenter.unattended import growing_folder
from zemosaic.gui.presenter.unattended.job_queue import JobStatus
from zemosaic.i18n import Translator

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@pytest.fixture
def works(tmp_path):
    """A telescope's folder with two targets."""
    for name in ("M 42_sub/L.fit", "M 8_sub/L.fit"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


@pytest.fixture(params=["tk", "qt"])
def opened(request, environ, display, monkeypatch):
    """A function that opens a window whose runs fail where a word is in their input folder."""
    pytest.importorskip("tkinter" if request.param == "tk" else "PySide6.QtWidgets", exc_type=ImportError)
    monkeypatch.setattr(growing_folder, "SETTLED_S", 0.05)
    monkeypatch.setattr(growing_folder, "LOOK_S", 0.02)
    made = []

    def make(fails="nothing", step_s=0.0):
        def start(settings, until=None, *, only=None):
            ending = "failed" if fails in settings.input_dir else "finished"
            return FakeRun(settings, step_s=step_s, until=until, ending=ending)

        session = Session(Translator("en"), environ, start, make_demo)
        made.append((Tk if request.param == "tk" else Qt)(session))
        return made[0]

    yield make
    made[0].window.ask = lambda *told: True
    made[0].close()


def row(driver, key):
    return driver.window.session.form.row(key).text


def test_a_dropped_folder_is_taken_on_every_page_with_a_folder_for_its_mosaic(opened, works):
    driver = opened()
    desk = driver.window.presenter
    for page, name in ((SETTINGS, "M 42_sub"), (FRAMES, "M 8_sub"), (RUN, "M 42_sub"), (RESULT, "M 8_sub")):
        driver.select(page)
        desk.actions.dropped([str(works / name / "L.fit"), str(works / name)])
        assert row(driver, "input_dir") == str(works / name)
        assert row(driver, "output_dir") == str(works / name.replace("_sub", "_zemosaic"))
        assert desk.session.frames.folder == str(works / name)
    desk.session.edit("output_dir", str(works / "mine"))
    desk.actions.pasted(f'"{works / "M 42_sub"}"\n')
    assert row(driver, "output_dir") == str(works / "mine"), "the user's own choice stands"
    desk.actions.dropped(["/no/such/place"])
    assert desk.footer().is_problem and "no folder that can be read" in desk.footer().text


def test_several_dropped_folders_make_a_queue_in_which_a_failure_stops_nothing(opened, works, environ):
    driver = opened(fails="M 42")
    window = driver.window
    desk = window.presenter
    desk.actions.dropped([str(works / "M 42_sub"), str(works / "M 8_sub")])
    driver.work()
    face = desk.queue.face()
    assert [cells[1] for cells in face.rows] == ["M 42", "M 8"]
    shown = window.queue.table
    rows = len(shown.get_children()) if hasattr(shown, "get_children") else shown.topLevelItemCount()
    assert rows == 2
    window.queue.buttons["start"].invoke() if hasattr(shown, "get_children") else window.queue.buttons["start"].click()
    assert desk.queue.is_running
    wait_until(lambda: not desk.queue.is_running, driver.work)
    assert [entry.status for entry in desk.queue.jobs.entries] == [JobStatus.FAILED, JobStatus.FINISHED]
    assert desk.queue.face().rows[1][4] == "zemosaic_MT6_R16.fits"
    assert "M 42_sub →" in desk.queue.details(0)
    assert (works / "M 8_zemosaic" / "zemosaic_MT6_R16_preview.png").is_file()
    assert row(driver, "input_dir") == "", "the form keeps the user's own folders"
    again = Session(Translator("en"), environ, lambda settings: FakeRun(settings), make_demo)
    saved = type(desk.queue)(again, lambda: None, lambda fault: None)
    assert [entry.job.name for entry in saved.jobs.entries] == ["M 42"], "what has no mosaic waits at the next start"
    assert "replace" not in desk.queue.details(1)
    list_of_jobs = window.queue
    list_of_jobs.close()
    driver.work()
    assert desk.queue.view is None
    gone = list_of_jobs.isHidden() if hasattr(list_of_jobs, "isHidden") else not list_of_jobs.window.winfo_exists()
    assert gone, "a list that cannot be closed lies before the window for good"


def test_stopping_a_run_of_the_queue_stops_the_queue(opened, works):
    driver = opened(step_s=0.02)
    desk = driver.window.presenter
    desk.queue.add_below(str(works))
    desk.queue.start()
    driver.press(driver.window.stop_button)
    wait_until(lambda: not driver.window.session.running, driver.work)
    driver.work()
    assert not desk.queue.is_running
    assert [entry.status for entry in desk.queue.jobs.entries] == [JobStatus.STOPPED, JobStatus.WAITING]
    desk.queue.remove(0)
    assert len(desk.queue.jobs.entries) == 1


def test_a_mosaic_that_a_job_may_replace_is_told_before_the_queue_begins(opened, works):
    (works / "M 8_zemosaic").mkdir()
    (works / "M 8_zemosaic" / "zemosaic_MT1_R2.fits").touch()
    desk = opened().window.presenter
    desk.queue.add_below(str(works))
    assert [cells[4] != "" for cells in desk.queue.face().rows] == [False, True]
    assert "may replace it" in desk.queue.face().rows[1][4]
    assert "may replace it" in desk.queue.details(1), "a narrow column does not hold it"


def test_a_folder_without_targets_is_told(opened, works):
    driver = opened()
    desk = driver.window.presenter
    desk.queue.add_below(str(works / "M 42_sub"))
    assert "No subfolder of" in desk.footer().text


def test_a_watch_waits_for_frames_and_the_same_button_makes_the_mosaic(opened, works):
    driver = opened()
    window = driver.window
    desk = window.presenter
    desk.actions.dropped([str(works / "M 42_sub")])
    desk.actions.choose("watch")
    assert window.session.watching and window.page == RUN
    wait_until(
        lambda: "Watching: 1 frame complete" in desk.footer().text and not window.session.state.current, driver.work
    )
    assert desk.footer().title == "Watching: 1 · ZeMosaic"
    (works / "M 42_sub" / "M.fit").write_bytes(b"y")
    wait_until(lambda: "2 frames complete" in desk.footer().text, driver.work)
    wait_until(lambda: window.session.frames.folder and window.session.state.watch.fresh == 0, driver.work)
    assert desk.footer().start == "Finish: make the mosaic" and desk.footer().can_start
    driver.press(window.start_button)
    wait_until(lambda: not window.session.running, driver.work)
    assert window.session.state.result is not None
    assert desk.footer().title == "✓ ZeMosaic" and desk.footer().start.startswith("Start")


def test_the_latest_pairs_of_folders_are_offered(opened, works):
    driver = opened()
    desk = driver.window.presenter
    desk.actions.dropped([str(works / "M 42_sub")])
    driver.press(driver.window.start_button)
    wait_until(lambda: not driver.window.session.running, driver.work)
    desk.actions.dropped([str(works / "M 8_sub")])
    entry = desk.actions.start_menu()[-1]
    assert entry.text.endswith(str(Path("M 42_zemosaic"))) and entry.can_choose
    desk.actions.choose(entry.value)
    assert row(driver, "input_dir") == str(works / "M 42_sub")


def test_the_menus_are_those_of_the_presenter(opened):
    driver = opened()
    window = driver.window
    desk = window.presenter
    told = []
    window.tell = lambda title, text, can_copy=False: told.append((title, text))
    opened_files = []
    window.session.opener.open = opened_files.append
    for value in ("shortcuts", "about", "documentation", "problem", "tour"):
        assert value in [entry.value for entry in desk.actions.help_menu()]
        desk.actions.choose(value)
    assert "F5 — Start Hierarchical Mosaic" in told[0][1]
    assert "numpy" in told[1][1] and told[1][1].startswith("ZeMosaic ")
    assert [path.name for path in opened_files] == ["guide.md", "zemosaic_problem.txt"]
    assert opened_files[0].is_file()
    if hasattr(window.help_button, "menu") and hasattr(window.help_button.menu, "post"):
        window.help_button.show_entries(desk.actions.help_menu())
        assert window.help_button.menu.index("end") == 5
        window.help_button.menu.invoke(4)
    else:
        from PySide6.QtWidgets import QMenu

        menu = window.help_button.findChild(QMenu)
        menu.aboutToShow.emit()
        assert len(menu.actions()) == 6
        menu.actions()[4].trigger()
    assert len(opened_files) == 3
    wait_until(driver.greeted, driver.work)


def test_the_installation_is_examined_and_the_report_can_be_copied(opened, monkeypatch):
    """The window goes on meanwhile, says so at its foot, and begins no second examination."""
    may_end = threading.Event()

    def lines(settings, environ, words):
        may_end.wait(10.0)
        yield from ("ZeMosaic 1.2.3", f"ASTAP: {settings.astap_executable_path}")

    monkeypatch.setattr(doctor, "doctor_lines", lines)
    driver = opened()
    window = driver.window
    desk = window.presenter
    window.session.edit("astap_executable_path", "/opt/astap")
    resting = desk.footer().text
    desk.actions.choose("doctor")
    assert desk.footer().text == "Testing…"
    assert not next(entry for entry in desk.actions.help_menu() if entry.value == "doctor").can_choose
    may_end.set()
    press_when_asked(window, "Copy")
    wait_until(lambda: clipboard_text(window), driver.work)
    assert clipboard_text(window) == "ZeMosaic 1.2.3\nASTAP: /opt/astap"
    wait_until(lambda: desk.footer().text == resting, driver.work)
    assert all(entry.can_choose for entry in desk.actions.help_menu())


def press_when_asked(window, words):
    """Press a button of the next dialog as soon as it is open."""
    if hasattr(window, "root"):
        dialogs = [child for child in window.root.winfo_children() if child.winfo_class() == "Toplevel"]
        waiting = [widget for dialog in dialogs for widget in descendants(dialog) if widget.winfo_class() == "TButton"]
        button = next((widget for widget in waiting if str(widget.cget("text")) == words), None)
        if button is not None and button.winfo_viewable():
            button.invoke()
        else:
            window.root.after(20, press_when_asked, window, words)
        return
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication, QMessageBox

    box = QApplication.activeModalWidget()
    if isinstance(box, QMessageBox) and box.isVisible():
        next(button for button in box.buttons() if button.text() == words).click()
    else:
        QTimer.singleShot(20, lambda: press_when_asked(window, words))


def descendants(widget):
    for child in widget.winfo_children():
        yield child
        yield from descendants(child)


def clipboard_text(window):
    if hasattr(window, "root"):
        import tkinter as tk

        with contextlib.suppress(tk.TclError):  # nothing is there yet
            return window.root.clipboard_get()
        return ""
    from PySide6.QtWidgets import QApplication

    return QApplication.clipboard().text()


def test_a_missing_folder_is_marked_without_a_start(opened):
    driver = opened()
    window = driver.window
    driver.select(SETTINGS)
    window.session.edit("input_dir", "/no/such/folder")
    spec = window.session.form.row("input_dir").spec
    wait_until(lambda: "does not exist" in window.settings.page.row_state(spec).problem, driver.work)
    window.session.edit("input_dir", "")
    wait_until(lambda: not window.settings.page.row_state(spec).problem, driver.work)


def test_the_end_of_a_run_is_told_by_the_desktop(opened, works, monkeypatch):
    driver = opened()
    told = []
    monkeypatch.setattr(
        "zemosaic.gui.presenter.desktop.window_presenter.notify", lambda *notice: told.append(notice) or True
    )
    driver.window.presenter.actions.dropped([str(works / "M 42_sub")])
    driver.press(driver.window.start_button)
    wait_until(lambda: told, driver.work)
    title, text, picture = told[0]
    assert title == "ZeMosaic: Finished" and text.endswith("zemosaic_MT6_R16.fits") and Path(picture).is_file()


def test_launchers_are_told_how_far_a_run_is(opened, works, monkeypatch):
    told = []
    monkeypatch.setattr("zemosaic.gui.presenter.desktop.taskbar._run", told.append)
    monkeypatch.setattr("zemosaic.gui.presenter.desktop.taskbar.which", lambda name: f"/bin/{name}")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x")
    monkeypatch.setattr(notifications, "notification_command", lambda *told: None)
    driver = opened(step_s=0.005)
    driver.window.presenter.actions.dropped([str(works / "M 42_sub")])
    driver.press(driver.window.start_button)
    wait_until(lambda: not driver.window.session.running, driver.work)
    wait_until(lambda: told and "<false>" in told[-1][-1], driver.work)
    parts = [float(command[-1].split("<")[1].split(">")[0]) for command in told]
    assert len(set(parts)) > 3 and all(0.0 <= part <= 1.0 for part in parts)
    assert told[0][:2] == ["/bin/gdbus", "emit"] and "'application://zemosaic.desktop'" in told[0]


def test_commands_of_notifications(tmp_path, monkeypatch):
    picture = tmp_path / "p.png"
    picture.touch()
    found = lambda name: f"/bin/{name}"  # noqa: E731
    linux = notification_command("T", "-x", str(picture), "linux", found)
    assert linux == ["/bin/notify-send", "--app-name", "ZeMosaic", "--icon", str(picture), "--", "T", "-x"]
    assert notification_command("T", "x", "", "darwin", found)[-2:] == ["T", "x"]
    *_, coded = notification_command("T'", "x", str(picture), "win32", found)
    script = base64.b64decode(coded).decode("utf-16-le")
    words = [base64.b64decode(word).decode() for word in re.findall(r"'([\w+/=]*)'", script.partition(")")[0])]
    assert words == ["T'", "x", picture.as_uri()] and "T'" not in script
    assert notification_command("T", "x", "", "win32", lambda name: None) is None
    assert notification_command("T", "x", "", "linux", lambda name: None) is None
    shown = []
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x")
    monkeypatch.setattr(notifications, "notification_command", lambda *told: ["show", *told])
    monkeypatch.setattr(subprocess, "run", lambda command, **kind: shown.append(command))
    assert notifications.notify("T", "x")
    wait_until(lambda: shown)
    assert shown == [["show", "T", "x", ""]]


def test_paths_are_taken_as_other_programs_give_them(works):
    folder = works / "M 42_sub"
    text = f"{folder.as_uri()}\n  '{folder}'\nrelative\n\n"
    assert paths_of_text(text) == [str(folder), str(folder), "relative"]
    assert folders_of([*paths_of_text(text), str(folder / "L.fit"), str(works / "gone")]) == [str(folder)]


def test_recent_pairs_are_few_and_survive_a_broken_file(tmp_path):
    recent = RecentFolders(tmp_path / "config")
    for number in range(MOST_PAIRS + 3):
        recent.add(f"in{number}", "out")
    recent.add("in5", "out")
    kept = RecentFolders(tmp_path / "config").pairs
    assert kept == recent.pairs and kept[0] == ("in5", "out") and len(set(kept)) == MOST_PAIRS
    (tmp_path / "config" / "recent_folders.json").write_text('[["a"], 5, ["b", "c"]]', encoding="utf-8")
    assert RecentFolders(tmp_path / "config").pairs == [("b", "c")]


def test_a_proposed_folder_follows_the_frames_and_gives_way_to_the_users(tmp_path):
    folder = InputFolder()
    first = folder.proposal(str(tmp_path / "a_sub"), "")
    assert first == str(tmp_path / "a_zemosaic")
    assert folder.proposal(str(tmp_path / "b"), first) == str(tmp_path / "b_zemosaic")
    assert folder.proposal(str(tmp_path / "b"), "mine") == ""
    assert not folder.stands_still("x", 0.0) and not folder.stands_still("xy", 5.0)
    assert folder.stands_still("xy", 7.0) and folder.is_missing


def test_tk_takes_drops_where_the_extension_is_there(display, monkeypatch):
    tk = pytest.importorskip("tkinter")
    from zemosaic.gui.tk.desktop.drops import accept_drops

    root, dropped = tk.Tk(), []
    try:
        monkeypatch.setitem(sys.modules, "tkinterdnd2", None)
        assert not accept_drops(root, dropped.append)
        extension = types.ModuleType("tkinterdnd2")
        extension.TkinterDnD = types.SimpleNamespace(
            require=lambda root: root.tk.eval("namespace eval tkdnd {proc drop_target args {set ::registered $args}}")
        )
        monkeypatch.setitem(sys.modules, "tkinterdnd2", extension)
        assert accept_drops(root, dropped.append)
        assert root.tk.eval("set ::registered") == "register . DND_Files"
        # The extension puts the paths in the place of %D, as a list of Tcl.
        script = root.tk.eval("bind . <<Drop:DND_Files>>").replace("%D", "{{/data/M 42_sub} /data/b}")
        assert root.tk.eval(script) == "copy"
        assert dropped == [["/data/M 42_sub", "/data/b"]]
    finally:
        root.destroy()


def test_qt_takes_drops_anywhere_and_a_path_field_takes_them_itself(environ, works):
    pytest.importorskip("PySide6.QtWidgets", exc_type=ImportError)
    from PySide6.QtCore import QMimeData, QPointF, QUrl
    from PySide6.QtCore import Qt as Core
    from PySide6.QtGui import QDropEvent

    driver = Qt(Session(Translator("en"), environ, lambda settings: FakeRun(settings), make_demo))
    window = driver.window
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(works / "M 42_sub"))])
    action, button = Core.DropAction.CopyAction, Core.MouseButton.LeftButton
    event = QDropEvent(QPointF(5, 5), action, data, button, Core.KeyboardModifier.NoModifier)
    window.dropEvent(event)
    assert row(driver, "input_dir") == str(works / "M 42_sub")
    window.settings.rows["output_dir"].control.dropEvent(event)
    assert row(driver, "output_dir") == str(works / "M 42_sub"), "the field that it was dropped onto"
    driver.close()
