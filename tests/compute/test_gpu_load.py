"""The load of a graphics card, with a stand-in for the driver's library."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

from zemosaic.compute.gpu_load import GpuLoad, GpuMeter


@pytest.fixture
def library(monkeypatch):
    """The functions of nvidia-ml-py that are used, for one card; `calls` counts, `fault` fails the next."""
    made = ModuleType("pynvml")
    made.NVMLError = type("NVMLError", (Exception,), {})
    made.calls, made.fault = [], False

    def call(name, answer):
        def called(*_):
            made.calls.append(name)
            if made.fault:
                raise made.NVMLError
            return answer

        return called

    made.nvmlInit, made.nvmlShutdown = call("init", None), call("shutdown", None)
    made.nvmlDeviceGetName = call("name", b"Some Card")
    made.nvmlDeviceGetUtilizationRates = call("rates", SimpleNamespace(gpu=37, memory=5))
    made.nvmlDeviceGetMemoryInfo = call("memory", SimpleNamespace(used=2 << 30, total=8 << 30, free=6 << 30))
    made.nvmlDeviceGetHandleByIndex = lambda number: call(f"card {number}", object())()
    monkeypatch.setitem(sys.modules, "pynvml", made)
    return made


def test_the_card_that_is_asked_for_is_read_and_let_go(library):
    with GpuMeter(2) as meter:
        assert meter.read() == GpuLoad("Some Card", 37.0, 2 << 30, 8 << 30)
        library.fault = True
        assert meter.read() is None
        library.fault = False
        assert meter.read() is not None
    assert "card 2" in library.calls and library.calls[-1] == "shutdown"


def test_without_driver_or_library_there_is_no_load(library, monkeypatch):
    library.fault = True
    with GpuMeter(0) as meter:
        assert meter.read() is None
    assert "shutdown" not in library.calls
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with GpuMeter(0) as meter:
        assert meter.read() is None
