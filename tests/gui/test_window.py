"""The Tk window on a real display."""

from __future__ import annotations

import gc
import json
import threading
import time
import warnings
from functools import partial

import psutil
import pytest
from fake_worker import FakeRun, make_demo, picture
from waiting import wait_until

from zemosaic.errors import message
from zemosaic.gui.presenter.desktop.window_presenter import FRAMES, RESULT, RUN, SETTINGS
from zemosaic.gui.presenter.desktop.window_state import load_window_state
from zemosaic.gui.presenter.result.picture_loader import Loaded
from zemosaic.gui.presenter.run.run_state import Status
from zemosaic.gui.presenter.run.session import Session
from zemosaic.i18n import Translator
from zemosaic.settings.schema import specs

tk = pytest.importorskip("tkinter")

from zemosaic.gui.tk import window as window_module  # noqa: E402
from zemosaic.gui.tk.desktop.questions import ask  # noqa: E402
from zemosaic.gui.tk.window import MainWindow  # noqa: E402


@pytest.fixture
def opened(display, environ):
    """A function that opens windows; what is still open at the end is closed."""
    roots = []

    def make(language="en", **kind):
        session = Session(Translator(language), environ, lambda settings: FakeRun(settings, **kind), make_demo)
        root = tk.Tk()
        roots.append(root)
        root.errors = []
        root.report_callback_exception = lambda kind, fault, trace: root.errors.append(fault)
        window = MainWindow(root, session)
        root.update()
        return window

    yield make
    for root in roots:
        if _alive(root):
            root.destroy()
        assert root.errors == []


def _alive(root):
    try:
        return bool(root.winfo_exists())
    except tk.TclError:
        return False


@pytest.fixture
def frames_folder(tmp_path):
    """A folder whose scan finds files that are no frames."""
    for i in range(20):
        (tmp_path / f"light_{i}.fit").write_bytes(b"x" * 2880)
    return tmp_path


def fill_in(window, folder):
    window.settings.rows["input_dir"]._variable.set(str(folder))
    window.settings.rows["output_dir"]._variable.set(str(folder / "out"))


def page(window):
    return window.pages.index("current")


def texts(widget):
    """Return all texts a widget and its children show."""
    found = []
    for child in [widget, *widget.winfo_children()]:
        if "text" in (child.keys() if hasattr(child, "keys") else ()):
            found.append(str(child.cget("text")))
        if child is not widget:
            found += texts(child)
    return found


def test_a_mosaic_in_three_clicks(opened, tmp_path, wait_until):
    window = opened()
    assert page(window) == SETTINGS
    fill_in(window, tmp_path)
    window.start_button.invoke()
    assert page(window) == RUN
    assert window.start_button.instate(["disabled"])
    wait_until(window.root, lambda: page(window) == RESULT)
    wait_until(window.root, lambda: window.result.picture.has_pixels)
    told = window.result._told.get("1.0", "end")
    assert "zemosaic_MT6_R16.fits" in told
    assert "2 × A solution was found whose pixels are not square" in told
    assert "Details are in a (3 times)" in window.run._warnings.get("1.0", "end")
    assert window.start_button.instate(["!disabled"])
    window.result.picture.update()
    assert window.result.picture.find_all()


def test_a_run_that_is_over_before_the_window_looks_ends_on_the_result_page(opened, tmp_path, wait_until):
    window = opened()
    fill_in(window, tmp_path)
    window.presenter.start()
    window.session._run._thread.join()
    wait_until(window.root, lambda: page(window) == RESULT)


def test_a_picture_read_before_the_run_ended_is_on_the_result_page(opened, tmp_path, wait_until):
    window = opened(ending="early picture")
    fill_in(window, tmp_path)
    window.presenter.start()
    wait_until(window.root, lambda: window.run.picture.has_pixels)
    assert window.session.running
    wait_until(window.root, lambda: window.result.picture.has_pixels)


def test_the_picture_of_an_earlier_run_does_not_come_into_the_next_one(opened, tmp_path, wait_until, monkeypatch):
    window, late = opened(), []
    loader = type(window.presenter.loader)
    read = loader._work
    monkeypatch.setattr(loader, "_work", lambda self, *asked: late.append(partial(read, self, *asked)))
    fill_in(window, tmp_path)
    window.presenter.start()
    wait_until(window.root, lambda: not window.session.running and len(late) == 2)
    monkeypatch.setattr(window.session, "earlier_result", lambda: None)
    window.session._start = lambda settings: FakeRun(settings, step_s=60.0)
    window.presenter.start()
    for reading in late:
        reading()
    assert window.session.running
    assert window.presenter.loader.take() is None


def test_the_window_is_there_at_once_and_draws_fast(opened):
    begun = time.thread_time()
    window = opened()
    assert time.thread_time() - begun < 1.5
    window.settings.page.use_tier("expert")
    for which in (RUN, RESULT, SETTINGS):
        begun = time.thread_time()
        window.pages.select(which)
        window.root.update()
        # Half transparent pixels in the theme's pictures made this seconds.
        assert time.thread_time() - begun < 0.5


def test_starting_without_folders_says_what_is_lacking(opened):
    window = opened()
    window.start_button.invoke()
    assert page(window) == SETTINGS
    assert "Folder of your frames" in window._status.cget("text")
    assert not window.session.running


def test_a_wrong_value_is_shown_at_its_row_and_found_by_start(opened, tmp_path):
    window = opened()
    fill_in(window, tmp_path)
    row = window.settings.rows["grid_tile_px"]
    row._variable.set("1")
    assert "128 ... 4096" in row._problem.cget("text")
    assert row.control.instate(["invalid"])
    window.start_button.invoke()
    window.root.update()
    assert not window.session.running
    assert window.settings.page.tier == "expert"
    assert row.control.winfo_viewable()
    row._reset.invoke()
    assert row._problem.winfo_manager() == ""
    window.start_button.invoke()
    assert window.session.running


def test_every_setting_can_be_edited_and_reset(opened):
    window = opened()
    window.settings.page.use_tier("expert")
    window.settings.page.filter()
    window.root.update()
    for spec in specs():
        if spec.key == "language":
            continue
        row = window.settings.rows[spec.key]
        assert row.control.winfo_viewable() or row.control.winfo_ismapped(), spec.key
        if spec.kind == "choice":
            other = next(choice for choice in spec.choices if choice != spec.default)
            row.control.choose(other)
            row.control.event_generate("<<ComboboxSelected>>")
        elif spec.kind == "bool":
            row.control.invoke()
        elif spec.kind in ("int", "float"):
            row.control.delete(0, "end")
            row.control.insert(0, f"{spec.maximum:g}")
        else:
            forms = {"region_of_interest": "202.5,47.2,1,0.8", "pointing": "202.5,47.2", "watch_until": "05:30"}
            row.control.insert(0, forms.get(spec.key, "somewhere"))
        assert window.session.form.row(spec.key).changed, spec.key
        assert window.session.form.row(spec.key).problem is None, spec.key
        row.reset()
        assert not window.session.form.row(spec.key).changed, spec.key


def test_the_wheel_does_not_change_a_choice(opened):
    window = opened()
    window.root.update()
    choice = window.settings.rows["solver"].control
    before = choice.value
    for event in ("<Button-4>", "<Button-5>"):
        choice.event_generate(event)
    window.root.update()
    assert choice.value == before
    choice.event_generate("<Down>")
    assert choice.winfo_class() == "TCombobox"


def test_search_looks_through_all_levels(opened):
    window = opened()
    window.settings.search.set("tile size")
    window.root.update()
    assert window.settings.rows["grid_tile_px"].control.winfo_ismapped()
    assert not window.settings.rows["solver"].control.winfo_ismapped()
    window.settings.search.set("xyzzy")
    window.root.update()
    assert window.settings._none.winfo_ismapped()


def test_a_hidden_row_shows_no_reset(opened):
    window = opened()
    window.show_page(1)
    window.session.form = window.session.form.edited("stacking_kappa_low", "2.5")
    window.settings.page.update_values()
    window.root.update()
    row = window.settings.rows["stacking_kappa_low"]
    assert not row.control.winfo_ismapped() and not row._reset.winfo_ismapped()
    window.settings.page.use_tier("expert")
    window.root.update()
    assert row._reset.winfo_manager() == "grid"


def test_languages_switch_while_open_and_everything_follows(opened):
    window = opened("en")
    window.presenter._pumps = 99  # what is found of the computer meanwhile would change the texts
    english = texts(window.root)
    window.presenter.use_language("fr")
    window.root.update()
    french = texts(window.root)
    assert "Lancer la mosaïque hiérarchique" in french
    same = {
        "ZeMosaic",
        "Expert",
        "ASTAP",
        "+",
        "−",
        "1:1",
        "↺",
        "Rejet",
        "Annotation",
        "Normalisation",
        "Orientation",
        "px",
        "s",
        "°",
    }
    left = {text for text in english if len(text) > 3 and text in french and not any(word in text for word in same)}
    assert not left
    assert [key for key in french if key.count(".") == 1 and " " not in key and key.islower()] == []
    window.presenter.use_language("en")
    assert sorted(texts(window.root)) == sorted(english)


def test_language_theme_and_folders_are_remembered(opened, tmp_path):
    window = opened()
    fill_in(window, tmp_path)
    window.presenter.use_language("fr")
    assert window.presenter.theme_name == "system"
    window.presenter.use_theme("light")
    theme = window.theme.name
    window.frames.table.use_widths({"file": 333})
    window.settings.page.use_tier("advanced")
    window.close()
    assert not _alive(window.root)
    config = tmp_path / "config"
    saved = json.loads((config / "zemosaic_config.json").read_text(encoding="utf-8"))
    assert saved["language"] == "fr"
    assert saved["input_dir"] == str(tmp_path)
    state = load_window_state(config / "window.json")
    assert (state.theme, state.tier) == (theme, "advanced")
    again = opened()
    assert again.theme.name == theme
    assert again.frames.table.widths()["file"] == 333
    assert again.session.form.row("output_dir").value == str(tmp_path / "out")


def test_both_looks_recolour_everything(opened):
    window = opened()
    for theme in ("light", "dark"):
        window.presenter.use_theme(theme)
        window.root.update()
        look = window.theme.palette
        assert str(window.run.log.text.cget("background")) == look.field
        assert str(window.settings._scroll._canvas.cget("background")) == look.background
        assert str(window.result._told.cget("background")) == look.card


def test_stop_ends_a_run_and_says_how_to_go_on(opened, tmp_path, wait_until):
    window = opened(step_s=0.05)
    fill_in(window, tmp_path)
    window.presenter.start()
    wait_until(window.root, lambda: window.session.state.current is not None)
    window.stop_button.invoke()
    assert window.stop_button.instate(["disabled"])
    wait_until(window.root, lambda: not window.session.running)
    assert window.session.state.status is Status.CANCELLED
    assert "start again to continue" in window._status.cget("text")


@pytest.mark.parametrize("answer", [0, 1, None])
def test_closing_during_a_run_asks_first(answer, opened, tmp_path, monkeypatch, wait_until):
    asked = []
    monkeypatch.setattr(window_module, "ask", lambda *args, **kind: asked.append(args) or answer)
    window = opened(step_s=0.05)
    fill_in(window, tmp_path)
    window.presenter.start()
    run = window.session._run
    window.close()
    assert len(asked) == 1
    if answer == 0:
        wait_until(window.root, lambda: run.closed)
        assert run.cancelled
        assert not _alive(window.root)
    else:
        assert not run.cancelled
        assert _alive(window.root)
        window.session.close()


def test_a_failed_run_is_explained(opened, tmp_path, wait_until):
    window = opened(ending="died")
    fill_in(window, tmp_path)
    window.presenter.start()
    wait_until(window.root, lambda: not window.session.running)
    window.root.update()
    assert "“Memory limit”" in window._status.cget("text")
    assert "“Memory limit”" in window.run.log.text.get("1.0", "end"), "labels stand in the log, not keys"


def test_an_earlier_mosaic_is_not_replaced_unasked(opened, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "zemosaic_MT1_R2.fits").write_bytes(b"")
    window = opened()
    fill_in(window, tmp_path)
    monkeypatch.setattr(window_module, "ask", lambda *args, **kind: 1)
    window.presenter.start()
    assert not window.session.running
    monkeypatch.setattr(window_module, "ask", lambda *args, **kind: 0)
    window.presenter.start()
    assert window.session.running


def test_the_demo_runs_from_the_window(opened, tmp_path, monkeypatch, wait_until):
    window = opened()
    monkeypatch.setattr(window_module.filedialog, "askdirectory", lambda **kind: str(tmp_path))
    assert not window.settings._demo_card.winfo_manager(), "the card of the first start offers it"
    window.settings.welcome.close_button.invoke()
    assert window.settings._demo_card.winfo_manager()
    window.settings._demo_button.invoke()
    wait_until(window.root, lambda: page(window) == RESULT)
    assert window.session.form.row("input_dir").value == str(tmp_path / "zemosaic_demo" / "lights")
    assert not window.settings._demo_card.winfo_manager()


def test_the_log_is_filtered_by_level(opened, tmp_path, wait_until):
    window = opened()
    fill_in(window, tmp_path)
    window.presenter.start()
    wait_until(window.root, lambda: not window.session.running)
    log = window.run.log
    assert "Finding frames" in log.text.get("1.0", "end")
    log._level.choose("WARNING")
    log._level.event_generate("<<ComboboxSelected>>")
    assert "Finding frames" not in log.text.get("1.0", "end")
    assert "Details are in a" in log.text.get("1.0", "end")
    log._copy.invoke()
    assert "Details are in a" in window.root.clipboard_get()


def test_the_end_of_a_run_leaves_the_user_on_the_page_he_works_on(opened, tmp_path, wait_until):
    window = opened()
    fill_in(window, tmp_path)
    window.presenter.start()
    window.pages.select(SETTINGS)
    wait_until(window.root, lambda: window.session.state.result is not None and not window.session.running)
    assert page(window) == SETTINGS


def test_buttons_open_the_folder_and_the_report(opened, tmp_path, monkeypatch, wait_until):
    from zemosaic.gui.presenter.desktop import opener

    seen = []
    monkeypatch.setattr(opener, "open_path", lambda path: bool(seen.append(path)))
    window = opened()
    assert window.result._open_folder.instate(["disabled"])
    fill_in(window, tmp_path)
    window.presenter.start()
    wait_until(window.root, lambda: page(window) == RESULT)
    window.result._open_folder.invoke()
    wait_until(window.root, lambda: len(seen) == 1)
    window.result._open_report.invoke()
    wait_until(window.root, lambda: len(seen) == 2)
    assert seen == [tmp_path / "out", tmp_path / "out" / "run_report.html"]
    wait_until(window.root, lambda: "could not be opened" in window._status.cget("text"))


def test_the_picture_zooms_where_the_pointer_is(opened, tmp_path, wait_until):
    window = opened()
    window.pages.select(RESULT)
    path = tmp_path / "p.png"
    picture(2000, 1500).save(path)
    window.presenter.loader.load(str(path))
    wait_until(window.root, lambda: window.run.picture.has_pixels)
    shown = window.result.picture
    shown.show(Loaded(str(path), window.run.picture._levels))
    window.root.update()
    assert shown.view.fitted
    for _ in range(8):
        shown.event_generate("<Button-4>", x=300, y=200)
    before = shown.view.to_picture(300, 200)
    shown.event_generate("<Button-4>", x=300, y=200)
    window.root.update()
    assert shown.view.to_picture(300, 200) == pytest.approx(before, abs=1e-6)
    begun = time.thread_time()
    shown._draw_now()
    assert time.thread_time() - begun < 0.2
    shown.full_size()
    assert shown.view.scale == pytest.approx(1.0)
    shown.fit()
    assert shown.view.fitted


def test_the_keyboard_does_all(opened, tmp_path, wait_until):
    window = opened()
    fill_in(window, tmp_path)
    root = window.root
    root.focus_force()
    root.update()
    root.event_generate("<Control-Key-4>")
    assert page(window) == RESULT
    root.event_generate("<Control-f>")
    root.update()
    assert page(window) == SETTINGS
    assert root.focus_get() is window.settings.entry
    reached, widget = set(), window.settings.entry
    for _ in range(80):
        widget = widget.tk_focusNext()
        reached.add(str(widget))
    assert str(window.start_button) in reached
    assert str(window.settings.rows["solver"].control) in reached
    assert str(window.language) in reached
    root.event_generate("<F5>")
    assert window.session.running


def test_a_flood_of_events_does_not_hold_the_window(opened, tmp_path):
    window = opened()
    from zemosaic.events import Logged, RunStarted

    window.session._run = type("R", (), {"alive": True, "poll": lambda self: [], "close": lambda self: None})()
    window.session._events.append(RunStarted("1", "a", "b", "c"))
    window.session._events.extend(Logged("INFO", message("phase.scan")) for _ in range(20000))
    begun = time.thread_time()
    window.session.pump()
    assert time.thread_time() - begun < 0.1


def test_questions_are_answered_with_keys(opened):
    window = opened()
    answers = []

    def press(key):
        dialog = next(child for child in window.root.winfo_children() if isinstance(child, tk.Toplevel))
        window.root.after(3000, lambda: dialog.destroy() if _alive(dialog) else None)
        dialog.focus_force()
        dialog.update()
        dialog.event_generate(key)

    for key in ("<Return>", "<Escape>"):
        window.root.after(300, press, key)
        answers.append(ask(window.root, window.theme, "T", "Text", ("Yes", "No")))
    assert answers == [0, None]


@pytest.mark.parametrize("cycles", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_windows_leave_nothing_behind(cycles, opened, frames_folder):
    opened().close()
    gc.collect()
    threads = threading.active_count()
    processes = psutil.Process().children(recursive=True)
    for _ in range(cycles):
        window = opened()
        window.frames.commands.open_folder(str(frames_folder))
        window.frames.page.thumbnails.ask(None)
        window.settings.page.equipment.look(test=True)
        waiting = window.root.tk.splitlist(window.root.tk.call("after", "info"))
        assert 1 <= len(waiting) <= 3
        root = window.root
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            window.close()
        assert root.tk.splitlist(root.tk.call("after", "info")) == ()
    wait_until(lambda: threading.active_count() <= threads)
    assert psutil.Process().children(recursive=True) == processes


def test_long_texts_do_not_break_the_layout(opened, tmp_path, monkeypatch):
    real = Translator.text

    def long(self, key, **params):
        told = real(self, key, **params)
        return told if key.startswith("locale") else f"{told} {'ŵ' * (len(told) // 2)}"

    monkeypatch.setattr(Translator, "text", long)
    window = opened()
    window.root.geometry("1280x700")
    for which in (FRAMES, SETTINGS, RUN, RESULT):
        window.pages.select(which)
        window.root.update()
        for widget in (window.start_button, window.stop_button, window.look, window.language):
            right = widget.winfo_rootx() - window.root.winfo_rootx() + widget.winfo_width()
            assert widget.winfo_ismapped()
            assert right <= window.root.winfo_width()
