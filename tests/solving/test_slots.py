from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from zemosaic.errors import Message
from zemosaic.solving import slots
from zemosaic.solving.slots import AstapSlots


def most_at_once(limit: AstapSlots, calls: int) -> int:
    running, most, lock = 0, 0, threading.Lock()

    def call() -> None:
        nonlocal running, most
        with limit():
            with lock:
                running += 1
                most = max(most, running)
            time.sleep(0.08)
            with lock:
                running -= 1

    threads = [threading.Thread(target=call) for _ in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return most


@pytest.mark.parametrize("instances", [1, 2])
def test_no_more_than_allowed_run_at_once(tmp_path, instances):
    assert most_at_once(AstapSlots(instances, tmp_path / "slots"), 5) == instances


def test_switched_off(tmp_path):
    environ = {"ZEMOSAIC_ASTAP_DISABLE_IPC_LOCK": "1", "ZEMOSAIC_ASTAP_LOCK_DIR": str(tmp_path / "slots")}
    assert most_at_once(AstapSlots.from_environment(1, environ), 4) == 4
    assert not (tmp_path / "slots").exists()


def test_environment():
    environ = {"ZEMOSAIC_ASTAP_LOCK_DIR": "/x", "ZEMOSAIC_ASTAP_RATE_SEC": "2.5", "ZEMOSAIC_ASTAP_RATE_BURST": "many"}
    limit = AstapSlots.from_environment(0, environ)
    assert (limit.instances, limit.folder, limit.rate_s, limit.burst) == (1, Path("/x"), 2.5, 1)
    assert AstapSlots.from_environment(3, {}).folder.name == "zemosaic_astap_slots"


def test_another_process_counts_and_its_death_frees_the_slot(tmp_path, monkeypatch):
    monkeypatch.setattr(slots, "_REPORT_EACH_S", 0.3)
    holder = (
        "import sys, time\nfrom pathlib import Path\nfrom zemosaic.solving.slots import AstapSlots\n"
        "with AstapSlots(1, Path(sys.argv[1]))():\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    root = Path(slots.__file__).parents[2]
    process = subprocess.Popen([sys.executable, "-c", holder, str(tmp_path)], stdout=subprocess.PIPE, cwd=root)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"held"
        told: list[Message] = []
        threading.Timer(0.6, process.kill).start()
        started = time.monotonic()
        with AstapSlots(1, tmp_path, report=told.append)():
            waited = time.monotonic() - started
        assert 0.4 < waited < 10.0
        assert {m.key for m in told} == {"log.astap_waiting"}
        assert len(told) <= 1 + waited / 0.3
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
    assert 0.35 < time.monotonic() - started < 3.0
