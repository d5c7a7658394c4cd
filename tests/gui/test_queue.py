"""Several pairs of folders, one after the other."""

from __future__ import annotations

import json

import pytest
from fake_worker import FakeRun, make_demo

from zemosaic.errors import InputError, message
from zemosaic.events import RunCancelled, RunFailed, RunFinished
from zemosaic.gui.cli.commands import Engine, run_cli
from zemosaic.gui.presenter.run.run_state import RunState, advanced
from zemosaic.gui.presenter.unattended.job_queue import Entry, JobQueue, JobStatus
from zemosaic.gui.presenter.unattended.jobs import Job, jobs_below, proposed_output, read_jobs, write_jobs
from zemosaic.settings.schema import Settings

FINISHED = RunFinished("/o/m.fits", "p", "h", "j", 1, 0, 1.0, 1.0, 1)
FAILED = RunFailed(message("error.no_input_dir"), 3, "")


@pytest.fixture
def environ(tmp_path):
    return {"ZEMOSAIC_CONFIG_DIR": str(tmp_path / "config"), "LANG": "en_US.UTF-8"}


@pytest.fixture
def seestar(tmp_path):
    """A Seestar's folder: single frames and stacks of one target, frames alone of another, and something else."""
    for name in ("M 42/Stacked.fit", "M 42_sub/Light_1.fit", "M 8_sub/night 1/Light_1.fit", "Videos/moon.mp4"):
        path = tmp_path / "MyWorks" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    return tmp_path / "MyWorks"


def state_after(*events):
    state = RunState()
    for event in events:
        state = advanced(state, event, 0.0)
    return state


def test_targets_are_the_frames_and_not_the_stacks_beside_them(seestar, tmp_path):
    jobs = jobs_below(seestar)
    assert [job.name for job in jobs] == ["M 42", "M 8"]
    assert jobs[0] == Job(str(seestar / "M 42_sub"), str(seestar / "M 42_zemosaic"))
    (seestar / "M 42_zemosaic").mkdir()
    (seestar / "M 42_zemosaic" / "frame.fits").write_bytes(b"x")
    assert jobs_below(seestar) == jobs, "what was made of them is no target"
    assert [job.output_dir for job in jobs_below(seestar, str(tmp_path / "out"))] == [
        str(tmp_path / "out" / "M 42"),
        str(tmp_path / "out" / "M 8"),
    ]
    with pytest.raises(InputError, match="no_targets"):
        jobs_below(seestar / "Videos")
    with pytest.raises(InputError, match="input_unreadable"):
        jobs_below(seestar / "gone")


def test_the_root_of_a_disk_has_no_output_folder_beside_it():
    assert proposed_output("/") == ""


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_jobs_are_written_and_read_again_whatever_divides_the_columns(sign, tmp_path):
    path = tmp_path / "jobs.csv"
    path.write_text(f"input_dir{sign}output_dir\n# by hand\n\nM 42_sub{sign}\nb{sign}out\n", encoding="utf-8-sig")
    jobs = read_jobs(path)
    assert jobs == [
        Job(str(tmp_path / "M 42_sub"), str(tmp_path / "M 42_zemosaic")),
        Job(str(tmp_path / "b"), str(tmp_path / "out")),
    ]
    write_jobs(path, jobs)
    assert read_jobs(path) == jobs


@pytest.mark.parametrize(
    ("text", "key"), [("", "queue_empty"), ("a,o\nb,o\n", "queue_same_output"), (None, "queue_unreadable")]
)
def test_a_list_that_cannot_be_used_is_told(text, key, tmp_path):
    path = tmp_path / "jobs.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=key):
        read_jobs(path)


def test_a_queue_goes_on_after_a_failure_and_knows_what_became_of_each():
    a, b, c = (Job(name, f"{name}_out") for name in "abc")
    queue = JobQueue([a, b, c])
    assert queue.take() == a and queue.waiting == 2
    queue.remove(0)
    queue.ended(state_after(FAILED))
    assert queue.take() == b
    queue.ended(state_after(FINISHED))
    assert queue.take() == c
    queue.ended(state_after(RunCancelled("")))
    assert queue.take() is None
    assert [entry.status for entry in queue.entries] == [JobStatus.FAILED, JobStatus.FINISHED, JobStatus.STOPPED]
    assert queue.entries[1].mosaic == "/o/m.fits" and queue.exit_code == 3
    assert queue.unfinished == (a, c)
    queue.again()
    assert queue.waiting == 2
    assert queue.add([a, Job("d", "a_out")]) == 1, "two mosaics cannot go into one folder"
    assert queue.entries[-1] == Entry(Job("d", "a_out")) and len(queue.entries) == 3


def run(argv, environ, endings):
    started = []

    def start(settings: Settings, until=None) -> FakeRun:
        started.append(settings)
        return FakeRun(settings, ending=endings[len(started) - 1])

    return run_cli(argv, environ, Engine(start, make_demo)), started


def test_the_command_line_runs_all_targets_though_one_fails(seestar, tmp_path, environ, capsys):
    argv = ["--targets_below", str(seestar), "--output_dir", str(tmp_path / "out"), "--stacking_kappa_low", "2"]
    argv += ["--region_of_interest", "1,2,3,4"]
    code, started = run(argv, environ, ["failed", "finished"])
    told = capsys.readouterr()
    assert code == 5
    assert [settings.input_dir for settings in started] == [str(seestar / "M 42_sub"), str(seestar / "M 8_sub")]
    assert [settings.output_dir for settings in started] == [str(tmp_path / "out" / name) for name in ("M 42", "M 8")]
    assert started[0].stacking_kappa_low == 2.0 and not started[0].region_of_interest
    assert "Mosaic 1 of 2: M 42" in told.err
    assert "1 of 2 mosaics made" in told.out
    assert "✗ Failed  M 42" in told.out and "✓ Finished  M 8" in told.out


def test_the_command_line_runs_the_pairs_of_a_file(tmp_path, environ, capsys):
    path = tmp_path / "jobs.csv"
    write_jobs(path, [Job("a", "b"), Job("c", "d")])
    code, started = run(["--queue", str(path), "--log-json"], environ, ["finished"] * 2)
    told = capsys.readouterr()
    assert code == 0 and len(started) == 2
    assert all(json.loads(line)["event"] for line in told.out.splitlines())
    assert "2 of 2 mosaics made" in told.err


@pytest.mark.parametrize("flag", [["--watch"], ["--dry-run"], ["--until", "solve"], ["--input_dir", "a"]])
def test_a_queue_is_not_mixed_with_a_single_run(flag, tmp_path, environ, capsys):
    path = tmp_path / "jobs.csv"
    write_jobs(path, [Job("a", "b")])
    assert run(["--queue", str(path), *flag], environ, [])[0] == 2
    assert "A queue has its own folders" in capsys.readouterr().err
