from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from waiting import PATIENCE_S, wait_until

from zemosaic.errors import Message
from zemosaic.solving.solvers import slots
from zemosaic.solving.solvers.slots import AstapSlots, SlotsUnusable


def most_at_once(limit: AstapSlots, calls: int, wanted: int) -> int:
    """Return how many calls ran at once; each stays until so many were wanted, and a moment for one too many."""
    running, most, news = 0, 0, threading.Condition()

    def call() -> None:
        nonlocal running, most
        with limit():
            with news:
                running += 1
                most = max(most, running)
                news.notify_all()
                news.wait_for(lambda: most >= wanted, PATIENCE_S)
            time.sleep(0.08)
            with news:
                running -= 1

    threads = [threading.Thread(target=call) for _ in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most


@pytest.mark.parametrize("instances", [1, 2])
def test_no_more_than_allowed_run_at_once(tmp_path, instances):
    assert most_at_once(AstapSlots(instances, tmp_path / "slots"), 5, instances) == instances


def test_switched_off(tmp_path):
    environ = {"ZEMOSAIC_ASTAP_DISABLE_IPC_LOCK": "1", "ZEMOSAIC_ASTAP_LOCK_DIR": str(tmp_path / "slots")}
    assert most_at_once(AstapSlots.from_environment(1, environ), 4, 4) == 4
    assert not (tmp_path / "slots").exists()


def test_environment():
    environ = {"ZEMOSAIC_ASTAP_LOCK_DIR": "/x", "ZEMOSAIC_ASTAP_RATE_SEC": "2.5", "ZEMOSAIC_ASTAP_RATE_BURST": "many"}
    limit = AstapSlots.from_environment(0, environ)
    assert (limit.instances, limit.folder, limit.rate_s, limit.burst) == (1, Path("/x"), 2.5, 1)
    assert not limit.private
    assert AstapSlots.from_environment(3, {}).folder == slots.default_folder()
    assert slots.default_folder().name.startswith("zemosaic_astap_slots")


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="users share no temporary folder here")
def test_every_user_has_a_folder_and_none_that_another_planted(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    limit = AstapSlots.from_environment(1, {})
    assert limit.folder.name == f"zemosaic_astap_slots_{os.getuid()}"
    with limit("a.fit"):
        assert limit.folder.stat().st_mode & 0o777 == 0o700
    limit.folder.chmod(0o777)
    with limit():
        assert limit.folder.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(limit.folder)
    (tmp_path / "elsewhere").mkdir()
    limit.folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SlotsUnusable, match="link"), limit():
        pass
    assert not list((tmp_path / "elsewhere").iterdir())
    limit.folder.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getuid", lambda: 12345)
        other = AstapSlots.from_environment(1, {})
        with pytest.raises(SlotsUnusable, match="another user"), other():
            pass


def test_another_process_counts_and_its_death_frees_the_slot(tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "_REPORT_EACH_S", 0.3)
    holder = (
        "import sys, time\nfrom pathlib import Path\nfrom zemosaic.solving.solvers.slots import AstapSlots\n"
        "with AstapSlots(1, Path(sys.argv[1]))():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    root = Path(slots.__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE, cwd=root)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        told: list[Message] = []

        def told_twice(text: Message) -> None:
            told.append(text)
            if len(told) == 2:
                process.kill()

        started = time.monotonic()
        with AstapSlots(1, tmp_path, report=told_twice)():
            waited = time.monotonic() - started
        assert {m.key for m in told} == {"log.astap_waiting"}
        assert 2 <= len(told) <= 1 + waited / 0.3
    finally:
        process.kill()
        process.communicate()


def test_rate(tmp_path):
    limit = AstapSlots(4, tmp_path, rate_s=0.4, burst=2)
    (tmp_path / "rate.json").write_text("{damaged")
    started = time.monotonic()
    for _ in range(4):
        with limit():
            pass
    assert time.monotonic() - started > 0.35


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_twelve_processes_two_slots_and_one_killed(tmp_path):
    """Every process notes when it begins and ends; the alive are counted from the notes of all."""
    caller = (
        "import os, sys, time\nfrom pathlib import Path\nfrom zemosaic.solving.solvers.slots import AstapSlots\n"
        "def note(what):\n"
        "    line = f'{time.monotonic()} {os.getpid()} {what}\\n'.encode()\n"
        "    handle = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
        "    os.write(handle, line); os.close(handle)\n"
        "with AstapSlots(2, Path(sys.argv[1]))(sys.argv[3]):\n"
        "    note('begins'); time.sleep(float(sys.argv[4])); note('ends')\n"
    )
    root, notes = Path(slots.__file__).parents[3], tmp_path / "notes"

    def start(number: int, seconds: float) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", caller, str(tmp_path / "slots"), str(notes), f"image{number}", str(seconds)]
        return subprocess.Popen(command, cwd=root)

    doomed = start(0, 60.0)
    try:
        wait_until(lambda: notes.exists() and b"begins" in notes.read_bytes())
        others = [start(number, 0.1) for number in range(1, 12)]
        wait_until(lambda: notes.read_bytes().count(b"ends") >= 3)
        killed_at = time.monotonic()
        doomed.kill()
        assert [process.wait(PATIENCE_S) for process in others] == [0] * 11
    finally:
        doomed.kill()
        doomed.wait()
    steps = [(float(when), what == "begins") for when, _, what in map(str.split, notes.read_text().splitlines())]
    assert sum(begins for _, begins in steps) == 12
    steps.append((killed_at, False))
    alive = np.cumsum([1 if begins else -1 for _, begins in sorted(steps)])
    assert alive.max() == 2
    assert alive[-1] == 0


def test_retries_from_environment():
    assert slots.retries_from_environment({}) == (1, 0.5)
    environ = {"ZEMOSAIC_ASTAP_RETRIES": "3", "ZEMOSAIC_ASTAP_BACKOFF_SEC": "0.25"}
    assert slots.retries_from_environment(environ) == (3, 0.25)
    environ = {"ZEMOSAIC_ASTAP_RETRIES": "-4", "ZEMOSAIC_ASTAP_BACKOFF_SEC": "nan"}
    assert slots.retries_from_environment(environ) == (0, 0.5)


def test_waiting_can_be_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "_REPORT_EACH_S", 0.05)

    class Stopped(Exception):
        pass

    def stop(_: Message) -> None:
        raise Stopped

    with AstapSlots(1, tmp_path)(), pytest.raises(Stopped), AstapSlots(1, tmp_path, report=stop)():
        pass
    with AstapSlots(1, tmp_path)("image"):
        pass


def test_one_image_is_solved_once_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "_REPORT_EACH_S", 0.05)
    told: list[Message] = []

    def told_once(text: Message) -> None:
        told.append(text)
        raise TimeoutError

    many = AstapSlots(5, tmp_path, report=told_once)
    with many("a.fit"), many("b.fit"), pytest.raises(TimeoutError), many("a.fit"):
        pass
    assert len(told) == 1
