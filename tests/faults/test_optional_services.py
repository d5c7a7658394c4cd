"""The console, samples of the load, shared memory and temporary folders are services that a run can do without."""

from __future__ import annotations

import errno
import io
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from waiting import wait_until

from zemosaic.compute import executors
from zemosaic.compute.machine_resources import ResourceMonitor
from zemosaic.gui.cli.console import Console
from zemosaic.solving.base import NotSolved, StarField
from zemosaic.solving.solvers.astap import AstapSolver
from zemosaic.solving.solvers.astap_find import AstapInstallation


class _Failing(io.StringIO):
    """A stream that cannot be written."""

    encoding = "utf-8"

    def __init__(self, code: int) -> None:
        super().__init__()
        self.code, self.tries = code, 0

    def write(self, text: str) -> int:
        self.tries += 1
        raise OSError(self.code, "told by the system")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_without_standard_output_a_run_goes_on_and_says_so_once(code: int) -> None:
    out, error = _Failing(code), io.StringIO()
    console = Console(out, error)
    for _ in range(3):
        console.out("a line")
    assert error.getvalue() == "stdout: told by the system\n" and out.tries == 1


def test_without_any_console_a_run_goes_on() -> None:
    out, error = _Failing(errno.EIO), _Failing(errno.EIO)
    console = Console(out, error)
    for _ in range(3):
        console.out("a line")
        console.error("another one")
    assert (out.tries, error.tries) == (1, 1)


def test_samples_that_the_system_refuses_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []

    def sampled(_: object) -> None:
        calls.append(time.monotonic())
        raise [OSError(errno.EIO, "gone"), psutil.AccessDenied()][len(calls) % 2]

    with ResourceMonitor(0.01, sampled):
        wait_until(lambda: len(calls) > 3)


def test_a_shared_number_needs_no_shared_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder for shared memory that cannot be written, as in some containers, is not used."""
    monkeypatch.setattr(executors.heap.Arena, "_dir_candidates", ["/proc/zemosaic_has_no_such_folder"], raising=False)
    monkeypatch.setattr(
        executors.heap.os, "statvfs", lambda _: SimpleNamespace(f_bavail=1 << 30, f_frsize=1 << 12), raising=False
    )
    monkeypatch.setattr(executors.heap.BufferWrapper, "_heap", executors.heap.Heap())
    flag = executors.shared_flag()
    flag.value = 1
    assert flag.value == 1


def test_a_full_temporary_folder_is_an_answer_of_astap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    installation = AstapInstallation(tmp_path / "astap", None, "")
    solver = AstapSolver(installation, catalogue=SimpleNamespace())
    stars = np.array([1.0])
    field = StarField(stars, stars, 10, 10, None, None, None, 5.0, lambda: np.zeros((5, 5), np.float32), "frame")
    answer = solver.solve(field)
    assert isinstance(answer, NotSolved) and answer.reason.key == "reason.astap_not_started"
    assert answer.reason.params["detail"] == "No space left on device"
