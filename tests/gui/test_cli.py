"""The command line with a made-up worker."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from fake_worker import FakeRun, make_demo
from waiting import PATIENCE_S, wait_until

from zemosaic import app
from zemosaic.errors import SettingsError, message
from zemosaic.events import FramesFound, RunPaused
from zemosaic.gui.cli.commands import Engine, run_cli
from zemosaic.gui.cli.console import Console, Progress
from zemosaic.gui.cli.flags import SHELLS, help_text, parse
from zemosaic.gui.presenter.run.run_state import RunState
from zemosaic.i18n import Translator
from zemosaic.settings.schema import Settings, specs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environ(tmp_path):
    return {"ZEMOSAIC_CONFIG_DIR": str(tmp_path / "config"), "LANG": "en_US.UTF-8"}


def run(argv, environ, **kind):
    started = []

    def start(settings: Settings, until=None) -> FakeRun:
        started.append((settings, FakeRun(settings, until=until, **kind)))
        return started[-1][1]

    return run_cli(argv, environ, Engine(start, make_demo)), started


def folders(tmp_path):
    return ["--input_dir", str(tmp_path), "--output_dir", str(tmp_path / "out")]


def test_a_run_ends_with_zero_and_a_summary(tmp_path, environ, capsys):
    code, started = run(folders(tmp_path), environ)
    told = capsys.readouterr()
    assert code == 0
    assert started[0][1].closed
    assert "zemosaic_MT6_R16.fits" in told.out
    assert "16 used, 2 excluded" in told.out
    assert "2 × A solution was found whose pixels are not square" in told.out
    assert "(3 times)" in told.out
    assert "peak memory 750 MB" in told.out
    assert "Stacking tiles" in told.err


def test_frames_are_prepared_on_request(tmp_path, environ, capsys):
    code, _ = run([*folders(tmp_path), "--until", "solve"], environ)
    told = capsys.readouterr()
    assert code == 0
    assert "16 measured, 16 solved, 2 excluded" in told.out
    assert "Stacking" not in told.err


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no such signals")
def test_signals_pause_the_run_and_let_it_go_on(tmp_path, environ, capsys, monkeypatch):
    before = signal.getsignal(signal.SIGUSR1)

    def interfere():
        # Who sends these before somebody listens kills this process.
        wait_until(lambda: signal.getsignal(signal.SIGUSR1) != before)
        os.kill(os.getpid(), signal.SIGUSR1)
        wait_until(paused.is_set)
        os.kill(os.getpid(), signal.SIGUSR2)

    def told(run):
        events = poll(run)
        if any(isinstance(event, RunPaused) for event in events):
            paused.set()
        return events

    paused, poll = threading.Event(), FakeRun.poll
    monkeypatch.setattr(FakeRun, "poll", told)
    helper = threading.Thread(target=interfere)
    helper.start()
    code, _ = run([*folders(tmp_path), "--log-json"], environ, step_s=0.01)
    helper.join()
    told = capsys.readouterr()
    assert code == 0
    names = [json.loads(line)["event"] for line in told.out.splitlines()]
    assert names.index("RunPaused") < names.index("RunResumed") < names.index("RunFinished")
    assert "Paused" in told.err
    assert signal.getsignal(signal.SIGUSR1) == before


TEXTS = {"region_of_interest": "202.5,47.2,1,0.8", "pointing": "202.5,47.2", "watch_until": "05:30"}
"""Values of settings whose text has a form."""


def test_every_setting_is_a_flag_and_reaches_the_run(tmp_path, environ):
    for spec in specs():
        value = {"bool": str(not spec.default).lower(), "choice": spec.choices[-1] if spec.choices else ""}.get(
            spec.kind
        )
        if value is None:
            value = (
                TEXTS.get(spec.key, "fr")
                if spec.kind in ("text",)
                else str(tmp_path)
                if spec.kind in ("folder", "file", "file or folder")
                else f"{spec.maximum:g}"
            )
        code, started = run([*folders(tmp_path), f"--{spec.key}", value], environ)
        assert code == 0
        got = getattr(started[0][0], spec.key)
        assert (
            str(got).lower() if spec.kind == "bool" else f"{got:g}" if spec.kind in ("int", "float") else got
        ) == value


def test_flags_without_value_switch_on_and_dashes_do(tmp_path, environ):
    _, started = run([*folders(tmp_path), "--keep-work-files", "--quality_reject_enabled=false"], environ)
    settings = started[0][0]
    assert settings.keep_work_files is True
    assert settings.quality_reject_enabled is False


def test_log_json_is_alone_on_stdout(tmp_path, environ, capsys):
    code, _ = run([*folders(tmp_path), "--log-json"], environ)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert events[0]["event"] == "RunStarted"
    assert events[-1]["event"] == "RunFinished"
    assert all("event" in event for event in events)


def test_a_wrong_value_before_the_run_is_json_too(environ, capsys):
    code, _ = run(["--log-json", "--memory_limit_gb", "much"], environ)
    told = capsys.readouterr()
    assert code == 2
    assert json.loads(told.out)["event"] == "RunFailed"
    assert "memory_limit_gb" in told.err
    assert "0 ... 4096" in told.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--input_dir"], "--input_dir needs a value"),
        (["--stackng_kappa_low", "3"], "Did you mean --stacking_kappa_low"),
        (["--qqqq"], "no flag --qqqq"),
        (["somewhere"], "does not belong to any flag"),
        (["--output_dir", "x"], "add --input_dir DIR"),
        (["--config", "/nowhere/at.json", "--demo"], "/nowhere/at.json"),
        (["--demo", "--input_dir", "x"], "remove one of the two"),
    ],
)
def test_mistakes_are_named(argv, told, environ, capsys):
    code, started = run(argv, environ)
    assert code in (2, 3)
    assert not started
    assert told in capsys.readouterr().err


def test_mistakes_are_told_in_french(environ, capsys):
    run(["--language", "fr", "--memory_limit_gb", "much"], environ)
    assert "ne peut pas valoir" in capsys.readouterr().err


def test_what_is_not_taken_over_from_a_file_is_told(tmp_path, environ, capsys):
    file = tmp_path / "old.json"
    file.write_text('{"winsor_min_frames_per_pass": 4, "wsc_impl": "x"}', encoding="utf-8")
    argv = [*folders(tmp_path), "--config", str(file), "--language", "xx", "--use_gpu_grid", "--log-json"]
    code, started = run(argv, environ)
    told = capsys.readouterr()
    assert code == 0
    assert started[0][0].winsor_min_frames_per_pass == 5
    assert started[0][0].use_gpu_phase5 is True
    for text in ("winsor_min_frames_per_pass cannot be “4”; 5 is used", ": wsc_impl.", "language “xx”"):
        assert told.err.count(text) == 1, text
    events = [json.loads(line) for line in told.out.splitlines()]
    assert [event["event"] for event in events[:4]] == [*["Warned"] * 3, "RunStarted"]


@pytest.mark.parametrize(("ending", "expected"), [("failed", 5), ("died", 7)])
def test_failures_carry_their_exit_code(ending, expected, tmp_path, environ, capsys):
    code, started = run(folders(tmp_path), environ, ending=ending)
    told = capsys.readouterr()
    assert code == expected
    assert started[0][1].closed
    assert "Error:" in told.err
    assert "Traceback" not in told.err
    assert ("zemosaic_worker.log" in told.err) == (ending == "failed")


def test_the_demo_makes_frames_and_runs_on_them(tmp_path, environ):
    code, started = run(["--demo", str(tmp_path / "d")], environ)
    assert code == 0
    assert started[0][0].input_dir == str(tmp_path / "d" / "lights")
    assert started[0][0].output_dir == str(tmp_path / "d" / "mosaic")
    _, started = run(["--demo", str(tmp_path / "d"), "--output_dir", str(tmp_path / "there")], environ)
    assert started[0][0].output_dir == str(tmp_path / "there")


def test_help_names_every_setting_in_both_languages():
    for language in ("en", "fr"):
        text = help_text(Translator(language), 80)
        assert all(f"--{spec.key}" in text for spec in specs())
        assert all(len(line) <= 130 for line in text.splitlines())
        short = help_text(Translator(language), 80, "zemosaic", everything=False)
        basic = [spec.tier == "basic" for spec in specs()]
        assert [f"--{spec.key} " in short for spec in specs()] == basic
        assert len(short.splitlines()) < 150
        assert "zemosaic --help all" in short
    assert (parse(["-h"]).help, parse(["--help"]).help, parse(["--help", "all"]).help) == ("short", "short", "all")
    assert parse(["-V"]).version


@pytest.mark.parametrize(
    ("started", "name"),
    [
        ("/usr/lib/zemosaic/__main__.py", "python -m zemosaic"),
        ("run_zemosaic.py", "run_zemosaic.py"),
        ("/home/a b/.venv/bin/zemosaic", "zemosaic"),
        ("zemosaic-cli.exe", "zemosaic-cli"),
    ],
)
def test_the_help_says_what_was_typed(started, name, environ, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", [started, "--help"])
    run(["--help"], environ)
    assert capsys.readouterr().out.startswith(f"Usage: {name} --input_dir")


def test_a_shell_completes_flags_and_values(environ, capsys):
    for shell in SHELLS:
        code, _ = run(["--completion", shell], environ)
        told = capsys.readouterr().out
        assert code == 0
        assert "stacking_kappa_low" in told and "winsorized_sigma_clip" in told
    if shutil.which("bash"):
        run(["--completion", "bash"], environ)
        asked = "COMP_WORDS=(zemosaic --solver a); COMP_CWORD=2; _zemosaic; echo ${COMPREPLY[*]}"
        asked += "; COMP_WORDS=(zemosaic --stacking_kappa); COMP_CWORD=1; _zemosaic; echo ${COMPREPLY[*]}"
        script = capsys.readouterr().out + asked
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.split("\n")[:2] == ["auto astap", "--stacking_kappa_low --stacking_kappa_high"]


def test_list_settings_says_where_values_come_from(environ, capsys):
    run(["--list-settings", "--grid_tile_px", "256"], environ | {"ZEMOSAIC_RESUME": "off"})
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "[ZEMOSAIC_RESUME]" in lines["resume"]
    assert "[--grid_tile_px]" in lines["grid_tile_px"]
    assert "[default]" in lines["solver"]


def test_parse_keeps_what_was_typed():
    command = parse(["--input_folder=a b", "--num_processing_workers", "-1", "--demo"])
    assert command.flags == {"input_dir": "a b", "num_processing_workers": "-1"}
    assert command.demo == ""
    with pytest.raises(SettingsError):
        parse(["--demo", "a", "b"])


def test_an_old_console_gets_characters_it_has():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp437")
    Console(stream, None).out("« É » … 3 × M42’s\u202f!")
    assert raw.getvalue().decode("cp437").strip() == "« É » ... 3 x M42's !"
    Console(None, None).error("nobody reads this")


SCRIPT = """
import sys; sys.path[:0] = [{tests!r}, {root!r}]
from fake_worker import FakeRun, make_demo
from zemosaic.gui.cli.commands import Engine, run_cli
sys.exit(run_cli(sys.argv[1:], {environ!r}, Engine(lambda s: FakeRun(s, step_s=0.05, deaf={deaf}), make_demo)))
"""


def interrupted(tmp_path, environ, deaf, presses):
    script = SCRIPT.format(tests=str(Path(__file__).parent), root=str(ROOT), environ=environ, deaf=deaf)
    child = subprocess.Popen(
        [sys.executable, "-c", script, *folders(tmp_path)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    first = child.stderr.readline()
    begun = time.monotonic()
    for _ in range(presses):
        child.send_signal(signal.SIGINT)
        time.sleep(0.4)
    _, told = child.communicate(timeout=PATIENCE_S)
    return child.returncode, time.monotonic() - begun, first + told


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to the whole console")
@pytest.mark.parametrize(
    ("deaf", "presses", "told"),
    [(False, 1, "the same command continues"), (True, 1, "the same command continues"), (True, 2, "Ended at once")],
)
def test_ctrl_c_stops_within_seconds(deaf, presses, told, tmp_path, environ):
    code, seconds, text = interrupted(tmp_path, environ, deaf, presses)
    assert code == 130
    assert "Stopping" in text
    assert told in text
    assert "Traceback" not in text
    assert seconds < 30, "five seconds are promised; a busy machine starts Python slowly"


def test_the_command_line_needs_no_window_toolkit():
    script = "import sys; from zemosaic import app; app.main(['--help']); sys.exit('tkinter' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0


def test_without_display_it_says_what_to_do(tmp_path):
    pytest.importorskip("tkinter")
    if sys.platform in ("win32", "darwin"):
        pytest.skip("these always have a display")
    environ = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    environ |= {"ZEMOSAIC_CONFIG_DIR": str(tmp_path), "LANG": "C"}
    done = subprocess.run(
        [sys.executable, "run_zemosaic.py"], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == app.NO_WINDOW
    assert "--input_dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unexpected_error_goes_to_a_file(tmp_path, monkeypatch, capsys):
    def broken(*args: object) -> int:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(app, "run_cli", broken)
    monkeypatch.setattr(app.platformdirs, "user_log_dir", lambda *a, **k: str(tmp_path))
    assert app.main(["--version"]) == 1
    told = capsys.readouterr().err
    log = tmp_path / "zemosaic_crash.log"
    assert "Traceback" not in told
    assert str(log) in told
    assert "ZeroDivisionError: boom" in log.read_text(encoding="utf-8")


def test_a_run_tells_what_the_folder_holds():
    error = io.StringIO()
    words = Translator("en")
    found = FramesFound(14, 8, 140.0, 1, ("S50",), (message("inventory.copies", files=8),))
    progress = Progress(Console(None, error), words)
    for _ in range(2):
        progress.show(RunState(found=found), 0.0)
    assert error.getvalue().count(words.text("inventory.copies", files=8)) == 1
