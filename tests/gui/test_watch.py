"""A folder that is still growing: what is complete in it, and what is run over it when."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from fake_worker import FakeRun, make_demo

from zemosaic.errors import SettingsError, message
from zemosaic.events import PreparationFinished, RunCancelled, RunFailed, RunFinished, RunStarted, Warned, Watching
from zemosaic.gui.cli.commands import Engine, run_cli
from zemosaic.gui.cli.following import _Asked
from zemosaic.gui.presenter.run.run_state import RunState, advanced
from zemosaic.gui.presenter.run.summary_text import watch_text
from zemosaic.gui.presenter.unattended import growing_folder
from zemosaic.gui.presenter.unattended.growing_folder import SETTLED_S, GrowingFolder, Look, stamps_of
from zemosaic.gui.presenter.unattended.watched_run import LAST_WAIT_S, QUIET_S, WatchedRun, WatchEnd, watch_end
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings

NIGHT = datetime(2026, 11, 30, 23, 0)


def test_a_file_is_complete_once_it_has_stopped_changing():
    folder = GrowingFolder()
    assert folder.seen({"a": (10, 1)}, 100.0) == Look(frozenset(), frozenset("a"), 0.0)
    assert folder.seen({"a": (20, 2)}, 100.0 + SETTLED_S).unfinished == {"a"}, "it still grew"
    later = folder.seen({"a": (20, 2), "b": (5, 3)}, 100.0 + 2 * SETTLED_S)
    assert (later.settled, later.unfinished, later.quiet_s) == ({"a"}, {"b"}, 0.0)
    still = folder.seen({"a": (20, 2), "b": (5, 3)}, 130.0 + 2 * SETTLED_S)
    assert (still.settled, still.quiet_s) == ({"a", "b"}, 30.0)
    assert folder.seen({"b": (5, 3)}, 131.0 + 2 * SETTLED_S).settled == {"b"}, "what is removed is gone"


def test_a_share_that_goes_for_a_while_is_neither_quiet_nor_empty():
    folder = GrowingFolder()
    folder.seen({"a": (10, 1)}, 0.0)
    folder.seen({"a": (10, 1)}, 50.0)
    assert folder.seen(None, 90.0) == Look(frozenset("a"), frozenset(), 0.0)
    assert folder.seen({"a": (10, 1)}, 100.0) == Look(frozenset("a"), frozenset(), 10.0)


def test_only_frames_are_looked_at_and_not_those_of_the_output_folder(tmp_path):
    (tmp_path / "out").mkdir()
    for name in ("a.fit", "notes.txt", "out/b.fit"):
        (tmp_path / name).write_bytes(b"12345")
    stamps = stamps_of(tmp_path, tmp_path / "out")
    assert [(path, stamp[0]) for path, stamp in stamps.items()] == [(str(tmp_path / "a.fit"), 5)]
    assert stamps_of(tmp_path / "gone", tmp_path / "out") is None


@pytest.mark.parametrize(
    ("text", "at"), [("05:30", NIGHT.replace(day=30, hour=5, minute=30) + timedelta(days=1)), ("", None)]
)
def test_the_time_of_the_end_is_the_next_one_on_the_clock(text, at):
    end = watch_end(Settings(watch_until=text, watch_idle_min=2.0), NIGHT)
    assert end == WatchEnd(120.0, at)
    assert end.reached(Look(frozenset("a"), frozenset(), 120.0), NIGHT)
    assert not end.reached(Look(frozenset("a"), frozenset(), 119.0), NIGHT)
    assert not end.reached(Look(frozenset(), frozenset(), 500.0), NIGHT), "the night has not begun"
    assert end.reached(Look(), NIGHT + timedelta(hours=7)) == (at is not None)


class Watch:
    """A watched run over a folder of the test's making, with a clock of its own."""

    def __init__(self, tmp_path, **kind):
        self.settings = Settings(
            input_dir=str(tmp_path), output_dir=str(tmp_path / "out"), resume="off", num_processing_workers=1
        )
        self.now_s, self.seen, self.started, self.closed = 0.0, None, [], False
        self.kind = kind
        self.run = WatchedRun(self.settings, self.start, self, WatchEnd(600.0), lambda: self.now_s)

    def start(self, settings, until=None, *, only=None):
        self.started.append((until, set(only), settings.resume, FakeRun(settings, until=until, **self.kind)))
        return self.started[-1][3]

    def look(self):
        return self.seen

    def close(self):
        self.closed = True

    def shows(self, settled, unfinished="", quiet_s=0.0):
        self.seen = Look(frozenset(settled), frozenset(unfinished), quiet_s)

    def until_idle(self):
        """Return what is told until no run is under way."""
        told = self.run.poll()
        while self.run.alive and self.run._run is not None:
            told += self.run.poll()
        return told


def kinds(events):
    return [type(event) for event in events]


def test_rounds_begin_as_frames_come_and_the_last_run_makes_the_mosaic(tmp_path):
    watch = Watch(tmp_path)
    assert watch.run.poll() == [Watching(0, 0, 0)] and not watch.started, "nothing was looked at yet"
    watch.shows("", "a")
    assert watch.run.poll() == [Watching(0, 0, 1)] and not watch.started
    watch.shows("abcdefghijklmnopqrst", "u")
    told = watch.until_idle()
    assert watch.started[0][:3] == ("plan", set("abcdefghijklmnopqrst"), "off")
    assert RunStarted in kinds(told) and PreparationFinished not in kinds(told), "the watch goes on"
    watch.shows("abcdefghijklmnopqrstu", "", 5.0)
    watch.until_idle()
    assert len(watch.started) == 1, "one frame of twenty-one is not worth a round yet"
    watch.run._took_s = 20.0
    watch.shows("abcdefghijklmnopqrstu", "", QUIET_S)
    watch.until_idle()
    assert len(watch.started) == 1, "looking takes half of the time at most"
    watch.now_s += 20.0
    watch.until_idle()
    assert watch.started[1][:3] == ("plan", set("abcdefghijklmnopqrstu"), "auto"), "its own work is not thrown away"
    watch.until_idle()
    assert len(watch.started) == 2
    watch.shows("abcdefghijklmnopqrstu", "", 600.0)
    told = watch.until_idle()
    assert watch.started[2][:3] == (None, set("abcdefghijklmnopqrstu"), "auto")
    assert kinds(told)[-1] is RunFinished and not watch.run.alive and watch.closed
    assert all(run.closed for *_, run in watch.started)


def test_finish_gives_up_a_round_that_newer_frames_have_outrun(tmp_path):
    watch = Watch(tmp_path, step_s=0.01)
    watch.shows("ab")
    watch.run.poll()
    watch.shows("abc", "d")
    watch.run.finish()
    told = watch.until_idle()
    assert watch.started[0][3].cancelled and RunCancelled not in kinds(told)
    assert told[-1] == Watching(3, 1, 1, finishing=True)
    assert len(watch.started) == 1, "a file is being written"
    watch.now_s = LAST_WAIT_S
    told = watch.until_idle()
    assert Warned(message("warning.files_unfinished", count=1)) in told
    assert watch.started[1][:2] == (None, set("abc"))
    assert kinds(told)[-1] is RunFinished


def test_stopping_stops_the_watch(tmp_path):
    watch = Watch(tmp_path, step_s=0.01)
    watch.shows("ab")
    watch.run.poll()
    watch.run.cancel()
    assert kinds(watch.until_idle())[-1] is RunCancelled and not watch.run.alive
    idle = Watch(tmp_path)
    idle.run.cancel()
    assert kinds(idle.run.poll()) == [RunCancelled] and not idle.run.alive


def test_a_round_that_fails_is_told_and_the_watch_goes_on(tmp_path):
    watch = Watch(tmp_path, ending="failed")
    watch.start = lambda settings, until=None, *, only=None: FakeRun(settings, ending="failed")
    watch.run._start = watch.start
    watch.shows("ab")
    told = watch.until_idle()
    assert Warned(message("error.worker_died")) in told and RunFailed not in kinds(told) and watch.run.alive


def test_a_wrong_setting_ends_the_watch(tmp_path):
    class Refused(FakeRun):
        def _tell(self):
            self._events.append(RunFailed(message("error.no_input_dir"), SettingsError.exit_code, ""))

    watch = Watch(tmp_path)
    watch.run._start = lambda settings, until=None, *, only=None: Refused(settings)
    watch.shows("ab")
    assert kinds(watch.until_idle())[-1] is RunFailed and not watch.run.alive


def test_a_paused_watch_begins_nothing(tmp_path):
    watch = Watch(tmp_path)
    watch.shows("ab")
    watch.run.pause()
    watch.run.poll()
    assert not watch.started
    watch.run.resume()
    watch.run.poll()
    assert len(watch.started) == 1


def test_what_is_known_of_the_folder_stands_from_run_to_run():
    told = Watching(3, 1, 2)
    state = advanced(advanced(RunState(), told, 0.0), RunStarted("1", "i", "o", "0", "plan"), 1.0)
    assert state.watch == told
    assert watch_text(told, Translator("en")) == "Watching: 3 frames complete · 1 new · 2 still being written"


def test_ctrl_c_asks_first_for_the_mosaic_then_to_stop(tmp_path):
    watch, said = Watch(tmp_path), []
    asked = _Asked(watch.run, said.append)
    asked.heed(0)
    assert not watch.run.finishing
    asked.heed(1)
    assert watch.run.finishing and asked.stopping_s() is None
    asked.heed(2)
    assert asked.stopping_s() is not None
    with pytest.raises(KeyboardInterrupt):
        asked.heed(3)
    assert said == ["cli.finishing", "cli.stopping"]


def test_ctrl_c_stops_a_watch_that_makes_its_mosaic_already(tmp_path):
    watch, said = Watch(tmp_path), []
    watch.run.finish()
    _Asked(watch.run, said.append).heed(1)
    assert said == ["cli.stopping"]


def test_the_command_line_watches_until_nothing_comes_any_more(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(growing_folder, "SETTLED_S", 0.05)
    monkeypatch.setattr(growing_folder, "LOOK_S", 0.02)
    (tmp_path / "a.fit").write_bytes(b"x")
    started = []

    def start(settings, until=None, *, only=None):
        started.append((until, only))
        return FakeRun(settings, until=until)

    argv = ["--watch", "--input_dir", str(tmp_path), "--output_dir", str(tmp_path / "out"), "--watch_idle_min", "0.01"]
    environ = {"ZEMOSAIC_CONFIG_DIR": str(tmp_path / "config"), "LANG": "en_US.UTF-8"}
    assert run_cli(argv, environ, Engine(start, make_demo)) == 0
    told = capsys.readouterr()
    assert [until for until, _ in started] == ["plan", None]
    assert started[-1][1] == {str(tmp_path / "a.fit")}
    assert f"Watching {tmp_path}" in told.err and "zemosaic_MT6_R16.fits" in told.out
