"""The handle of a run's process, and how two runs share an output folder."""

from __future__ import annotations

import logging
import multiprocessing
import threading
import time

import pytest
from filelock import FileLock

from zemosaic import worker
from zemosaic.errors import message
from zemosaic.events import Logged, RunFailed, RunStarted
from zemosaic.settings.schema import Settings
from zemosaic.store.work_folder import LOCK_NAME, WORK_NAME
from zemosaic.worker_process import _Outbox

PATIENCE_S = 120.0


@pytest.fixture
def settings(tmp_path):
    """Settings of a run in vain: a folder without frames."""
    (tmp_path / "empty").mkdir()
    return Settings(input_dir=str(tmp_path / "empty"), output_dir=str(tmp_path / "out"), num_processing_workers=1)


@pytest.fixture
def run(settings):
    run = worker.start(settings)
    yield run
    run.close()


def polled(run):
    """Return all events of a run, asked for as a window does."""
    told, until = [], time.monotonic() + PATIENCE_S
    while run.alive:
        assert time.monotonic() < until
        told += run.poll()
        time.sleep(0.01)
    return told


def test_who_polls_never_waits_for_the_process_to_leave(run, monkeypatch):
    waited = []
    join = run._process.join
    monkeypatch.setattr(run._process, "join", lambda *limit, **named: (waited.append(1), join(*limit, **named)))
    assert polled(run)[-1].error.key == "error.input_no_fits"
    assert not waited
    run.close()
    assert waited and run._process.exitcode == 0, "it left by itself"


def test_a_process_that_died_is_told_where_the_system_says_so_by_an_error(run, monkeypatch):
    class Broken:
        def poll(self):
            raise BrokenPipeError

        recv = poll

    reader = run._reader
    monkeypatch.setattr(run, "_reader", Broken())
    (told,) = run.poll()
    assert told.error.key == "error.worker_died"
    run._reader = reader


def endings(settings, folder_free):
    run = worker.start(settings)
    try:
        for event in run.events():
            if isinstance(event, RunStarted):
                folder_free()
        return event
    finally:
        run.close()


def test_the_next_run_waits_until_the_one_before_has_let_go_of_the_folder(settings, tmp_path):
    work = tmp_path / "out" / WORK_NAME
    work.mkdir(parents=True)
    lock = FileLock(work / LOCK_NAME)
    lock.acquire()
    told = endings(settings, lock.release)
    assert isinstance(told, RunFailed) and told.error.key == "error.input_no_fits"
    assert not work.exists()


def test_a_run_from_scratch_leaves_alone_what_another_one_works_in(settings, tmp_path):
    work = tmp_path / "out" / WORK_NAME
    work.mkdir(parents=True)
    (work / "scratch").mkdir()
    scratch = settings.model_copy(update={"resume": "off"})
    with FileLock(work / LOCK_NAME):
        told = endings(scratch, lambda: None)
    assert told.error.key == "error.output_busy" and (work / "scratch").is_dir()
    assert endings(scratch, lambda: None).error.key == "error.input_no_fits"
    assert not work.exists()


@pytest.mark.slow
def test_a_front_end_that_is_busy_at_the_end_hears_everything():
    reader, writer = multiprocessing.Pipe(duplex=False)
    outbox = _Outbox(writer, logging.getLogger("zemosaic.test"))
    for number in range(3000):
        outbox.emit(Logged("INFO", message("summary.log", path=f"{number:200}")))
    leaving = threading.Thread(target=outbox.close)
    leaving.start()
    leaving.join(7.0)
    assert leaving.is_alive(), "it waits for who listens"
    heard = [reader.recv() for _ in range(3000)]
    leaving.join(PATIENCE_S)
    assert not leaving.is_alive() and heard[-1].text.params["path"].strip() == "2999"


def test_what_is_behind_a_link_in_the_work_folders_place_is_left_alone(settings, tmp_path):
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "letter.txt").write_text("dear", encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / WORK_NAME).symlink_to(precious)
    told = endings(settings, lambda: None)
    assert isinstance(told, RunFailed) and told.error.key == "error.work_is_link"
    assert [path.name for path in precious.iterdir()] == ["letter.txt"]


def test_the_work_folder_lies_where_the_settings_say(settings, tmp_path):
    fast = tmp_path / "fast"
    elsewhere = settings.model_copy(update={"work_dir": str(fast)})
    seen = []
    told = endings(elsewhere, lambda: seen.append((tmp_path / "out" / WORK_NAME).exists()))
    assert told.error.key == "error.input_no_fits" and seen == [False]
    assert fast.is_dir() and not list(fast.iterdir()), "a start in vain leaves nothing behind"
    inside = settings.model_copy(update={"work_dir": str(tmp_path / "empty" / "work")})
    assert endings(inside, lambda: None).error.key == "error.work_in_input"
    assert not list((tmp_path / "empty").iterdir())


def test_a_run_that_is_refused_leaves_the_log_of_the_other_one_alone(settings, tmp_path):
    log = tmp_path / "out" / worker.LOG_NAME
    work = tmp_path / "out" / WORK_NAME
    work.mkdir(parents=True)
    log.write_text("of the run that is going\n", encoding="utf-8")
    with FileLock(work / LOCK_NAME):
        told = endings(settings, lambda: None)
    assert told.error.key == "error.output_busy" and told.log_path == ""
    assert log.read_text(encoding="utf-8") == "of the run that is going\n"
    told = endings(settings, lambda: None)
    lines = log.read_text(encoding="utf-8").splitlines()
    assert told.log_path == str(log) and "RunStarted" in lines[0], "what came before the folder was free is there too"
