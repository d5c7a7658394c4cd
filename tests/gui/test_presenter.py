"""Presenters: form, run state, time left, preview, session, window state."""

from __future__ import annotations

import json
import math
import threading
import time
from dataclasses import replace
from typing import get_args

import pytest
from fake_worker import FakeRun, make_demo
from hypothesis import given
from hypothesis import strategies as st
from waiting import wait_until

from zemosaic.errors import InputError, SettingsError, message
from zemosaic.events import (
    PHASES,
    PREPARATIONS,
    Event,
    FrameDropped,
    Logged,
    PhaseAdvanced,
    PhaseFinished,
    PhaseStarted,
    PlanReady,
    RunFailed,
    RunFinished,
    RunPaused,
    RunResumed,
    RunStarted,
    Warned,
)
from zemosaic.gui.presenter.desktop.window_state import WindowState, load_window_state, save_window_state
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.gui.presenter.run.eta import SHARES, Speed, duration_text, remaining_s
from zemosaic.gui.presenter.run.run_state import PhaseStatus, RunState, Status, advanced
from zemosaic.gui.presenter.run.session import Session
from zemosaic.gui.presenter.run.summary_text import size_text, summary_lines
from zemosaic.gui.presenter.settings.form import Form, text_of
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings, specs

WORDS = Translator("en")


# --- form -------------------------------------------------------------------------------------


def test_the_form_starts_unchanged_and_complete():
    form = Form.of(Settings())
    assert [row.key for row in form.rows] == [spec.key for spec in specs()]
    assert not any(row.changed for row in form.rows)
    assert form.settings() == Settings()
    assert form.changes == {}


def test_typing_a_wrong_value_shows_a_problem_and_keeps_the_last_good_one():
    form = Form.of(Settings()).edited("grid_tile_px", "256").edited("grid_tile_px", "25x")
    row = form.row("grid_tile_px")
    assert (row.text, row.value) == ("25x", 256)
    assert row.problem is not None
    assert "25x" in WORDS.message(row.problem)
    assert "128 ... 4096" in WORDS.message(row.problem)
    assert row.changed
    assert form.problems == (row.problem,)
    with pytest.raises(SettingsError):
        form.settings()
    fixed = form.edited("grid_tile_px", " 300 ")
    assert fixed.settings().grid_tile_px == 300
    assert fixed.changes == {"grid_tile_px": 300}
    assert not fixed.reset("grid_tile_px").row("grid_tile_px").changed


def test_depth_and_search_choose_the_rows():
    form = Form.of(Settings()).edited("grid_tile_px", "256")
    basic = form.shown("basic", "", WORDS)
    assert {row.spec.tier for row in basic} == {"basic"}
    assert form.hidden_changes(basic) == 1
    assert form.hidden_changes(form.shown("expert", "", WORDS)) == 0
    assert len(form.shown("advanced", "", WORDS)) < len(form.shown("expert", "", WORDS)) == len(specs()) - 1
    found = form.shown("basic", "TILE size", WORDS)
    assert "grid_tile_px" in [row.key for row in found]
    french = form.shown("basic", "etoiles base", Translator("fr"))
    assert "astap_data_directory_path" in [row.key for row in french]
    assert form.shown("expert", "xyzzy", WORDS) == ()


@given(st.floats(0.1, 180))
def test_numbers_survive_the_form(value):
    form = Form.of(Settings(astap_default_search_radius=value))
    assert form.edited("astap_default_search_radius", text_of(value)).settings().astap_default_search_radius == value


# --- run state --------------------------------------------------------------------------------


def messages():
    return st.builds(message, st.sampled_from(["a.b", "c.d"]), n=st.integers(0, 3))


def events():
    def built(kind):
        hints = {"phase": st.sampled_from([*PHASES, "later"]), "level": st.sampled_from(["INFO", "ERROR"])}
        hints |= {name: messages() for name in ("text", "reason", "error")}
        hints |= {"total": st.none() | st.integers(0, 50), "done": st.integers(0, 50)}
        return st.builds(kind, **{key: value for key, value in hints.items() if key in kind.__annotations__})

    return st.one_of([built(kind) for kind in get_args(Event)])


@given(st.lists(st.tuples(events(), st.floats(0, 30)), max_size=40))
def test_any_stream_of_events_leaves_a_state_that_can_be_shown(stream):
    state, now = RunState(), 0.0
    for event, pause in stream:
        now += pause
        state = advanced(state, event, now)
        left = state.left_s(now)
        assert left is None or (left >= 0 and math.isfinite(left)) or not math.isfinite(state.plan.estimated_s)
        for phase in state.phases:
            assert phase.fraction is None or 0 <= phase.fraction <= 1
    assert sum(drops.count for drops in state.drops) == state.dropped
    assert state.log_count >= len(state.log)


def told(*stream):
    state = RunState()
    for at_s, event in stream:
        state = advanced(state, event, at_s)
    return state


def test_a_phase_knows_its_progress():
    state = told((0, PhaseStarted("stack", 10)), (5, PhaseAdvanced("stack", 5, 10)))
    phase = state.phase("stack")
    assert (phase.status, phase.fraction) == (PhaseStatus.RUNNING, 0.5)
    assert phase.left_s(5) == pytest.approx(5)
    assert phase.left_s(7) == pytest.approx(3)
    done = advanced(state, PhaseFinished("stack", 9.5, 9.0), 10)
    assert done.phase("stack").status is PhaseStatus.DONE
    assert done.current is None


def test_dropped_frames_are_grouped_by_reason():
    def drop(i, n):
        return FrameDropped(
            i, f"{i}.fit", "solve", "unsolved", message("reason.unsolved_too_few_stars", found=n, needed=8)
        )

    state = told((0, drop(0, 3)), (0, drop(1, 3)), (0, FrameDropped(2, "c", "scan", "unreadable", message("x"))))
    assert [(drops.count, drops.same) for drops in state.drops] == [(2, True), (1, True)]
    assert not advanced(state, drop(3, 4), 1).drops[0].same


def test_the_end_names_every_mosaic():
    ended = RunFinished("a.fits", "a.png", "", "", 5, 0, 1.0, 1.0, 1, ("a.fits", "b.fits"))
    lines = summary_lines(told((0, ended)), WORDS)
    assert lines[:2] == ["Mosaic: a.fits", "Mosaic: b.fits"]
    assert sum("Mosaic:" in line for line in lines) == 2


def test_warnings_come_once_with_a_count_and_never_flood():
    state = told(*[(0, Warned(message("w", n=1)))] * 3)
    assert [(warning.count) for warning in state.warnings] == [3]
    assert state.log_count == 1
    for i in range(100):
        state = advanced(state, Warned(message("v", n=i)), 1)
    assert len(state.warnings) == 6
    assert sum(warning.count for warning in state.warnings) == 103


def test_the_log_keeps_its_end():
    state = told(*[(i, Logged("INFO", message("l", n=i))) for i in range(5100)])
    assert state.log_count == 5100
    assert len(state.log) == 5000
    assert state.log[-1].text.params["n"] == 5099


def test_a_run_that_is_asked_to_stop_stays_so_and_a_new_one_starts_clean():
    state = told((0, RunStarted("1", "a", "b", "c")), (1, Warned(message("w")))).stopping()
    assert state.status is Status.STOPPING
    failed = advanced(state, RunFailed(message("error.worker_died"), 7, "x.log"), 2)
    assert failed.status.over
    assert summary_lines(failed, WORDS)[-1].endswith("x.log")
    assert advanced(failed, RunStarted("1", "a", "b", "c"), 3).warnings == ()


def test_a_pause_stops_the_clocks():
    def at(steps, paused):
        later = 0 if steps < 5 else paused
        return (steps + later, PhaseAdvanced("measure", steps, 10))

    start = [(0, RunStarted("1", "a", "b", "c")), (0, PhaseStarted("measure", 10))]
    plain = told(*start, *(at(steps, 0) for steps in range(1, 8)))
    before = told(*start, *(at(steps, 1000) for steps in range(1, 5)))
    paused = advanced(before, RunPaused(), 4.5)
    assert paused.status is Status.PAUSED
    assert paused.elapsed_s(900) == 4.5
    assert paused.left_s(900) == paused.left_s(4.5)
    state = advanced(paused, RunResumed(1000), 1004.5)
    for steps in (5, 6, 7):
        state = advanced(state, at(steps, 1000)[1], at(steps, 1000)[0])
    assert state.elapsed_s(1007) == pytest.approx(plain.elapsed_s(7))
    assert state.left_s(1007) == pytest.approx(plain.left_s(7))


# --- time left --------------------------------------------------------------------------------


@given(st.floats(0.01, 100), st.integers(2, 200), st.integers(1, 100))
def test_a_steady_phase_knows_exactly_how_long(per_s, total, seen):
    seen = min(seen, total)
    speed = Speed(0, 100.0)
    for step in range(1, seen + 1):
        speed = speed.advanced(step, 100.0 + step / per_s)
    assert speed.remaining_s(seen, total) == pytest.approx((total - seen) / per_s, rel=1e-6, abs=1e-6)


def test_recent_speed_counts_most():
    speed = Speed(0, 0.0).advanced(100, 10.0)
    for step in range(60):
        speed = speed.advanced(101 + step, 11.0 + step)
    assert speed.per_s == pytest.approx(1.0, rel=0.7)


@given(st.floats(1, 1000), st.sampled_from(list(SHARES)), st.floats(0, 1))
def test_a_typical_run_is_foreseen(whole, current, part):
    order = list(SHARES)
    at = order.index(current)
    taken = {name: whole * SHARES[name] for name in order[:at]}
    taken[current] = whole * SHARES[current] * part
    here = whole * SHARES[current] * (1 - part)
    later = sum(whole * SHARES[name] for name in order[at + 1 :])
    left = remaining_s(taken, current, here, None)
    if current == "scan":
        assert left is None
    else:
        assert left == pytest.approx(here + later, rel=1e-6, abs=1e-6)
        assert remaining_s(taken, current, here, 3 * whole) == pytest.approx(left, rel=1e-6) or at < 5


def test_nothing_is_said_while_nothing_is_known():
    assert remaining_s({}, None, None, None) is None
    assert remaining_s({"scan": 0.1}, "scan", None, None) is None


def test_the_plan_replaces_the_guess():
    taken = dict.fromkeys(("scan", "measure", "solve", "calibrate", "plan"), 1.0)
    assert remaining_s(taken, None, None, 57.0) == pytest.approx(57.0)
    state = told((0, PhaseStarted("stack", 10)), (0, PlanReady(1, 1, 1.0, 1, 1, 1, 1, 57.0)))
    assert replace(state, status=Status.RUNNING).left_s(0) == pytest.approx(57.0)


def test_durations_read_well():
    assert [duration_text(s) for s in (0, 59.6, 3599, 3600, 36061)] == ["0:00", "1:00", "59:59", "1:00:00", "10:01:01"]


# --- preview ----------------------------------------------------------------------------------

sizes = st.integers(1, 8000)


@given(sizes, sizes, sizes, sizes)
def test_a_fitted_picture_is_seen_whole(pw, ph, w, h):
    view = Viewport(pw, ph, w, h).fit()
    assert view.box() == pytest.approx((0, 0, pw, ph))
    width, height = view.size_on_screen()
    assert width <= max(w, 1) + 1
    assert height <= max(h, 1) + 1
    assert view.scale <= 1


@given(st.data(), st.integers(500, 8000), st.integers(500, 8000))
def test_zooming_keeps_the_point_under_the_pointer(data, pw, ph):
    view = Viewport(pw, ph, 800, 600).fit()
    u, v = data.draw(st.floats(0, 800)), data.draw(st.floats(0, 600))
    near = view.zoomed(6.0, 400, 300).zoomed(1.2, 400, 300)
    x, y = near.to_picture(u, v)
    zoomed = near.zoomed(1.1, u, v)
    inside = zoomed.box()[0] > 0 and zoomed.box()[2] < pw and zoomed.box()[1] > 0 and zoomed.box()[3] < ph
    if inside:
        assert zoomed.to_picture(u, v) == pytest.approx((x, y), abs=1e-6)


@given(st.lists(st.tuples(st.sampled_from(["zoom", "pan", "size"]), st.floats(-900, 900), st.floats(-900, 900))))
def test_whatever_is_done_the_picture_stays_in_the_window(moves):
    view = Viewport(3200, 1800, 800, 600).fit()
    for kind, a, b in moves:
        if kind == "zoom":
            view = view.zoomed(2 ** (a / 300), abs(b), abs(a))
        elif kind == "pan":
            view = view.panned(a, b)
        else:
            view = view.resized(round(abs(a)), round(abs(b)))
        left, top, right, bottom = view.box()
        assert 0 <= left < right <= 3200
        assert 0 <= top < bottom <= 1800
        assert view.fit_scale * 0.999 <= view.scale <= 8.001


# --- session and window state -----------------------------------------------------------------


def opened(environ, **kind):
    return Session(Translator("en"), environ, lambda settings: FakeRun(settings, **kind), make_demo)


def run_out(session):
    wait_until(lambda: not session.running, session.pump)


def test_a_session_runs_and_remembers(environ, tmp_path):
    session = opened(environ)
    with pytest.raises(InputError):
        session.start()
    session.form = session.form.edited("input_dir", str(tmp_path / "nowhere")).edited("output_dir", str(tmp_path / "o"))
    with pytest.raises(InputError):
        session.start()
    session.form = session.form.edited("input_dir", str(tmp_path))
    session.start()
    run_out(session)
    assert session.state.status is Status.FINISHED
    assert opened(environ).form.row("output_dir").value == str(tmp_path / "o")


def test_a_session_pauses_goes_on_and_can_be_stopped_while_it_is_paused(environ, tmp_path):
    session = opened(environ, step_s=0.01)
    form = session.form.edited("input_dir", str(tmp_path))
    session.form = form.edited("output_dir", str(tmp_path / "o"))
    session.start()

    def until(status):
        wait_until(lambda: session.state.status is status, session.pump)

    session.pause()
    until(Status.PAUSED)
    steps = session.state.phases
    time.sleep(0.1)
    session.pump()
    assert session.state.phases == steps
    session.pause()
    until(Status.RUNNING)
    session.pause()
    until(Status.PAUSED)
    session.stop()
    until(Status.CANCELLED)
    assert not session.held, "the next run is not paused"


def test_the_end_of_each_run_is_told_once_however_short_it_was(environ, tmp_path):
    session = opened(environ)
    form = session.form.edited("input_dir", str(tmp_path))
    session.form = form.edited("output_dir", str(tmp_path / "o"))
    for _ in range(2):
        session.start()
        assert not session.run_ended()
        session._run._thread.join()
        run_out(session)
        assert session.run_ended()
        assert not session.run_ended()


def test_a_run_that_cannot_start_leaves_everything_as_it_was(environ, tmp_path):
    def start(settings):
        raise InputError("error.folder_gone", path="x")

    session = Session(WORDS, environ, start, make_demo)
    form = session.form.edited("input_dir", str(tmp_path))
    session.form = form.edited("output_dir", str(tmp_path / "o"))
    before = session.state
    with pytest.raises(InputError):
        session.start()
    assert session.state == before
    assert not session.running


@pytest.mark.parametrize("until", PREPARATIONS)
def test_a_session_prepares_frames_without_a_mosaic(until, environ, tmp_path):
    session = Session(WORDS, environ, lambda settings, until=None: FakeRun(settings, until=until), make_demo)
    form = session.form.edited("input_dir", str(tmp_path))
    session.form = form.edited("output_dir", str(tmp_path / "o"))
    session.prepare(until)
    assert session.state.until == until
    run_out(session)
    assert session.state.status is Status.FINISHED
    assert session.state.result is None
    assert (session.state.prepared.until, session.state.prepared.measured) == (until, 16)
    assert "16 measured" in summary_lines(session.state, WORDS)[0]


def test_a_preparation_foresees_its_own_end_only():
    taken = {"scan": 1.0, "measure": 12.5}
    whole = remaining_s(taken, None, None, None)
    assert remaining_s(taken, None, None, None, "solve") < 0.3 * whole
    assert remaining_s(taken, None, None, None, "measure") == 0


def test_values_of_the_environment_are_not_saved(environ, tmp_path):
    session = opened(environ | {"ZEMOSAIC_GRID_TILE_PX": "300"})
    assert session.form.row("grid_tile_px").value == 300
    session.form = session.form.edited("resume", "off")
    session.close()
    assert json.loads((tmp_path / "config" / "zemosaic_config.json").read_text()) == {"resume": "off"}


@pytest.mark.parametrize(("ending", "status"), [("failed", Status.FAILED), ("died", Status.FAILED)])
def test_a_session_sees_runs_fail(ending, status, environ, tmp_path):
    session = opened(environ, ending=ending)
    session.form = session.form.edited("input_dir", str(tmp_path)).edited("output_dir", str(tmp_path / "o"))
    session.start()
    run_out(session)
    assert session.state.status is status


def test_stopping_ends_even_a_deaf_run(environ, tmp_path):
    clock = [0.0]
    session = Session(Translator("en"), environ, lambda s: FakeRun(s, 1.0, deaf=True), make_demo, lambda: clock[0])
    session.form = session.form.edited("input_dir", str(tmp_path)).edited("output_dir", str(tmp_path / "o"))
    session.start()
    while session.pump():
        pass
    session.stop()
    session.pump()
    assert session.running
    clock[0] = 5.1
    for _ in range(3):
        session.pump()
    assert not session.running
    assert session.state.status is Status.CANCELLED


def test_a_broken_user_file_opens_with_defaults_and_says_so(environ, tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "zemosaic_config.json").write_text("{", encoding="utf-8")
    session = opened(environ)
    assert session.problem is not None
    assert session.problem.key == "error.bad_settings_file"
    assert session.form.settings() == Settings()


def demo_made(session, folder):
    """Return the folder of the frames of a demo that a session made."""
    news = []
    session.demo.start(folder)
    wait_until(lambda: not session.demo.under_way, lambda: news.append(session.demo.pump()))
    return news[-1].folder


def test_the_demo_fills_in_the_folders_of_a_form_that_has_none(environ, tmp_path):
    session = opened(environ)
    session.use_demo(demo_made(session, tmp_path / "d"))
    assert session.form.row("input_dir").value == str(tmp_path / "d" / "lights")
    assert session.form.row("output_dir").value == str(tmp_path / "d" / "mosaic")


def test_the_demo_keeps_the_folders_and_the_choice_of_the_user(environ, tmp_path):
    started = []
    session = Session(WORDS, environ, lambda settings: started.append(settings) or FakeRun(settings), make_demo)
    mine = {"input_dir": str(tmp_path / "mine"), "output_dir": str(tmp_path / "o"), "region_of_interest": "1,2,3,4"}
    for key, text in mine.items():
        session.edit(key, text)
    session.use_demo(demo_made(session, tmp_path / "d"))
    session.start()
    folders = str(tmp_path / "d" / "lights"), str(tmp_path / "d" / "mosaic")
    assert (started[0].input_dir, started[0].output_dir, started[0].region_of_interest) == (*folders, "")
    run_out(session)
    session.close()
    saved = json.loads((tmp_path / "config" / "zemosaic_config.json").read_text(encoding="utf-8"))
    assert {key: saved[key] for key in mine} == mine
    (tmp_path / "mine").mkdir()
    assert session.check().input_dir == mine["input_dir"], "the next run is the user's again"


def test_a_demo_under_way_is_given_up(environ, tmp_path):
    going_on = threading.Event()

    def slow(folder, progress):
        progress(1, 3)
        going_on.wait(10)
        progress(2, 3)
        raise AssertionError("goes on although it was given up")

    session = Session(WORDS, environ, FakeRun, slow)
    session.demo.start(tmp_path / "d")
    wait_until(lambda: session.demo.pump() is not None)
    session.demo.cancel()
    going_on.set()
    wait_until(lambda: not session.demo.under_way, session.demo.pump)
    assert session.form.row("input_dir").text == ""


def test_window_state_comes_back_and_bad_files_do_no_harm(tmp_path):
    path = tmp_path / "deep" / "window.json"
    state = WindowState("800x600+1+2", True, "light", "expert", "DEBUG")
    assert save_window_state(state, path)
    assert load_window_state(path) == state
    for text in ("", "[]", '{"theme": "pink", "tier": 3, "geometry": 5, "maximised": "x", "more": 1}'):
        path.write_text(text, encoding="utf-8")
        assert load_window_state(path) == WindowState()
    assert not save_window_state(state, path / "below" / "a.json")


def test_sizes_read_well():
    assert size_text(750_000_000, WORDS) == "750 MB"
    assert size_text(3_140_000_000, Translator("fr")) == "3,1\u00a0Go"
