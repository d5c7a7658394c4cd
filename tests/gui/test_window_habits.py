"""What both windows do alike for who works with them: foot, questions, demo, menus, opening with settings."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from fake_worker import FakeRun, make_demo
from test_windows_remember import Qt, Tk
from waiting import wait_until

from zemosaic.errors import message
from zemosaic.gui.presenter.desktop.window_presenter import RESULT, RUN, SETTINGS
from zemosaic.gui.presenter.frames.frames_page import ROW_COMMANDS
from zemosaic.gui.presenter.run.run_page import empty_text, run_face
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.settings.form import with_labels
from zemosaic.gui.presenter.settings.setting_links import setting_links
from zemosaic.i18n import Translator
from zemosaic.store.work_folder import JOURNAL_NAME

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
WORDS = Translator("en")


@pytest.fixture(params=["tk", "qt"])
def opened(request, environ, display):
    """A function that opens one window; more flags and another maker of the demo may be given."""
    pytest.importorskip("tkinter" if request.param == "tk" else "PySide6.QtWidgets", exc_type=ImportError)
    made = []

    def make(demo=make_demo, flags=None, **kind):
        start = lambda settings, until=None: FakeRun(settings, until=until, **kind)  # noqa: E731
        session = Session(Translator("en"), environ, start, demo, flags=flags)
        made.append((Tk if request.param == "tk" else Qt)(session))
        return made[0]

    yield make
    made[0].window.ask = lambda *told: True
    made[0].close()


def foot(driver):
    """Return what the foot of the window says, and whether it is red."""
    footer = driver.window.presenter.footer()
    shown = driver.window.forecast
    text = shown.cget("text") if hasattr(shown, "cget") else shown.text()
    return footer, text


def test_the_foot_says_what_is_lacking_then_what_would_be_made(opened, demo_frames, tmp_path):
    driver = opened()
    session = driver.window.session
    assert foot(driver)[0].text.startswith("Choose a folder of frames and a folder")
    session.edit("output_dir", str(tmp_path / "out"))
    assert foot(driver)[0].text == "Choose the folder of your frames."
    frames = demo_frames(tmp_path, (0, 1))
    session.edit("input_dir", str(frames))
    driver.select(SETTINGS)
    wait_until(lambda: foot(driver)[1].startswith("2 frames → "), driver.work)
    assert foot(driver)[0].text == "Ready. Press Start."
    session.edit("max_canvas_megapixels", "1")
    wait_until(lambda: foot(driver)[0].is_refused, driver.work)
    wait_until(lambda: "Max" in foot(driver)[1] or "megapixels" in foot(driver)[1], driver.work)


def test_settings_that_the_window_was_opened_with_are_in_its_form_and_not_saved(opened, tmp_path):
    driver = opened(flags={"grid_tile_px": "300"})
    assert driver.window.session.form.row("grid_tile_px").value == 300
    driver.window.session.save()
    assert not (tmp_path / "config" / "zemosaic_config.json").exists()


def test_the_demo_is_given_up_by_stop(opened, tmp_path):
    going_on, told = threading.Event(), []

    def slow(folder, progress):
        progress(1, 24)
        told.append(going_on.wait(20))
        progress(2, 24)
        return folder

    driver = opened(demo=slow)
    window = driver.window
    window.ask_folder = lambda title: str(tmp_path)
    window.presenter.demo()
    wait_until(lambda: "1 of 24" in foot(driver)[0].text, driver.work)
    assert foot(driver)[0].can_stop and not foot(driver)[0].can_start
    driver.press(window.stop_button)
    going_on.set()
    wait_until(lambda: foot(driver)[0].can_start, driver.work)
    assert told == [True] and not window.session.running and window.session.form.row("input_dir").text == ""


def test_an_error_goes_when_its_cause_may_be_mended_and_settings_come_before_questions(opened, tmp_path):
    driver = opened()
    window, asked = driver.window, []
    window.ask = lambda *told: asked.append(told)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "zemosaic_MT1_R2.fits").touch()
    window.session.edit("output_dir", str(tmp_path / "out"))
    driver.press(window.start_button)
    assert foot(driver)[0].is_problem and asked == [], "there are no frames yet, so nothing is asked"
    window.settings.page.edit("input_dir", str(tmp_path))
    assert not foot(driver)[0].is_problem
    driver.press(window.start_button)
    assert len(asked) == 1 and not window.session.running


def test_what_was_stopped_goes_on_unasked(opened, tmp_path):
    driver = opened(step_s=0.05)
    window, asked = driver.window, []
    window.ask = lambda *told: asked.append(told) or True
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "zemosaic_MT1_R2.fits").touch()
    window.session.edit("input_dir", str(tmp_path))
    window.session.edit("output_dir", str(tmp_path / "out"))
    for _ in range(2):
        driver.press(window.start_button)
        assert window.session.running
        driver.press(window.stop_button)
        wait_until(lambda: not window.session.running, driver.work)
    assert len(asked) == 1


def test_measuring_does_not_claim_a_mosaic(opened, tmp_path):
    driver = opened()
    session = driver.window.session
    session.edit("input_dir", str(tmp_path))
    session.edit("output_dir", str(tmp_path / "out"))
    session.prepare("measure")
    wait_until(lambda: not session.running, driver.work)
    assert foot(driver)[0].text.startswith("The frames are measured.")


def test_the_result_page_opens_the_newest_mosaic_by_itself(opened, tmp_path):
    (tmp_path / "zemosaic_MT1_R2.fits").touch()
    driver = opened()
    driver.window.session.edit("output_dir", str(tmp_path))
    driver.select(RESULT)
    page = driver.window.result.page
    wait_until(lambda: page.desk.path.endswith("zemosaic_MT1_R2.fits"), driver.work)


def test_rows_have_a_menu(opened, demo_frames, tmp_path):
    driver = opened()
    window = driver.window
    driver.select(0)
    window.frames.commands.open_folder(str(demo_frames(tmp_path, (0, 1))))
    session, seen = window.session, []
    wait_until(lambda: session.frames.table is not None, driver.work)
    session.opener.open = seen.append
    session.frames.table.select(np.array([1]))
    menu = window.frames.table.rows_menu()
    acts = menu.actions() if hasattr(menu, "actions") else range(menu.index("end") + 1)
    assert len(acts) == len(ROW_COMMANDS)
    for act in acts:
        act.trigger() if hasattr(act, "trigger") else menu.invoke(act)
    path = session.frames.table.paths[1]
    assert [str(seen[0]), str(seen[1])] == [path, str(seen[0].parent)]
    session.frames.table.undo()
    assert session.frames.table.left_out.tolist() == [1], "left out by the menu, then kept by it"


def test_messages_name_settings_as_the_window_does(opened):
    driver = opened()
    driver.window.session.problem = message("error.memory")
    text = foot(driver)[0].text
    assert "memory_limit_gb" not in text and "“Memory limit”" in text


def test_other_folders_end_what_was_told_of_the_last_run(opened, tmp_path):
    driver = opened()
    session = driver.window.session
    session.edit("input_dir", str(tmp_path))
    session.edit("output_dir", str(tmp_path / "out"))
    session.start()
    wait_until(lambda: not session.running, driver.work)
    assert foot(driver)[0].text == "The mosaic is finished." and foot(driver)[0].title.startswith("✓")
    session.edit("stacking_kappa_low", "2.5")
    assert foot(driver)[0].text == "The mosaic is finished."
    (tmp_path / "other").mkdir()
    session.edit("input_dir", str(tmp_path / "other"))
    assert foot(driver)[0].text == "Ready. Press Start." and foot(driver)[0].title == "ZeMosaic"


def test_what_a_run_would_do_is_found_out_anew_after_each(opened, demo_frames, tmp_path):
    driver = opened()
    session = driver.window.session
    session.edit("output_dir", str(tmp_path / "out"))
    session.edit("input_dir", str(demo_frames(tmp_path, (0, 1))))
    (tmp_path / "out" / ".zemosaic_work").mkdir(parents=True)
    journal = tmp_path / "out" / ".zemosaic_work" / JOURNAL_NAME
    journal.touch()
    driver.select(SETTINGS)
    wait_until(lambda: foot(driver)[0].start == "Resume the mosaic", driver.work)
    journal.unlink()
    session.start()
    wait_until(lambda: not session.running, driver.work)
    wait_until(lambda: foot(driver)[0].start == "Start Hierarchical Mosaic", driver.work)


@pytest.mark.parametrize(("ending", "sign"), [("failed", "✗"), ("stopped", "■")])
def test_a_run_that_ended_early_waits_for_nothing(opened, tmp_path, ending, sign):
    driver = opened(ending=ending, step_s=0.02 if ending == "stopped" else 0.0)
    session = driver.window.session
    session.edit("input_dir", str(tmp_path))
    session.edit("output_dir", str(tmp_path / "out"))
    session.start()
    wait_until(lambda: session.state.current or not session.running, driver.work)
    if ending == "stopped":
        session.stop()
    wait_until(lambda: not session.running, driver.work)
    assert empty_text(session) == "This run made no mosaic."
    signs = [phase.sign for phase in run_face(session).phases]
    assert "▶" not in signs and (sign in signs) == (ending == "stopped")
    assert driver.window.result.page.empty_text().startswith(
        "This run made no mosaic." if ending == "failed" else "No mosaic yet."
    )


def test_names_of_settings_lead_to_their_rows(opened, tmp_path):
    driver = opened(ending="failed")
    window, session = driver.window, driver.window.session
    session.edit("input_dir", str(tmp_path))
    session.edit("output_dir", str(tmp_path / "out"))
    session.start()
    wait_until(lambda: not session.running, driver.work)
    named = WORDS.text("settings.named", label=WORDS.text("setting.memory_limit_gb.label"))
    assert named in foot(driver)[0].text
    for click in (click_in_foot, click_in_log):
        window.settings.page.use_tier("basic")
        driver.select(RUN)
        driver.work()
        visited = []
        show = window.presenter.show_setting
        session.visit = lambda key, visited=visited, show=show: (visited.append(key), show(key))
        click(driver)
        driver.work()
        assert window.page == SETTINGS, click
        assert window.settings.page.tier == "basic"


def click_in_foot(driver):
    window = driver.window
    if hasattr(window, "root"):
        window._status.event_generate("<Button-1>")
    else:
        assert 'href="memory_limit_gb"' in window.status.text()
        window.status.linkActivated.emit("memory_limit_gb")


def click_in_log(driver):
    text = driver.window.run.log.text
    if hasattr(driver.window, "root"):
        text.see("setting memory_limit_gb.first")
        driver.work()
        x, y, *_ = text.bbox("setting memory_limit_gb.first")
        text.event_generate("<Motion>", x=x + 2, y=y + 2)
        text.event_generate("<Button-1>", x=x + 2, y=y + 2)
    else:
        from PySide6.QtCore import Qt
        from PySide6.QtTest import QTest

        at = text.document().find(WORDS.text("setting.memory_limit_gb.label"))
        at.setPosition(at.selectionStart() + 2)
        text.setTextCursor(at)
        QTest.mouseClick(text.viewport(), Qt.MouseButton.LeftButton, pos=text.cursorRect(at).center())


@pytest.mark.parametrize("language", sorted(WORDS.languages()))
def test_every_language_leads_to_settings(language):
    words = Translator(language)
    told = with_labels(words.text("error.worker_died"), words)
    (link,) = setting_links(told, words)
    assert link.key == "memory_limit_gb" and told[link.start : link.end] == words.text("setting.memory_limit_gb.label")
