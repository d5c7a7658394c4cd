"""Whether the compiled kernel is found on disk, in a checkout and in a built program."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from zemosaic.stacking import kernel


@pytest.mark.parametrize("age_s", [-60, 60])
def test_a_built_program_finds_its_compiled_kernel_without_sources(tmp_path, monkeypatch, age_s):
    """A bundle has no source file to date the cache by, only its own program file."""
    program = tmp_path / "zemosaic"
    program.touch()
    index = tmp_path / "compiled.stack_pixels-61.py311.nbi"
    index.touch()
    written = program.stat().st_mtime + age_s
    os.utime(index, (written, written))
    monkeypatch.setattr(kernel.compiled, "__file__", str(tmp_path / "bundle" / "zemosaic" / "stacking" / "compiled.py"))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(program))
    cache = SimpleNamespace(__name__="stack_pixels", stats=SimpleNamespace(cache_path=str(tmp_path)))
    monkeypatch.setattr(kernel, "stack_pixels", cache)
    assert kernel.is_compiled() == (age_s > 0)


def test_a_cache_that_cannot_be_dated_is_no_cache(tmp_path, monkeypatch):
    (tmp_path / "compiled.stack_pixels-61.py311.nbi").touch()
    monkeypatch.setattr(kernel.compiled, "__file__", str(tmp_path / "gone" / "compiled.py"))
    cache = SimpleNamespace(__name__="stack_pixels", stats=SimpleNamespace(cache_path=str(tmp_path)))
    monkeypatch.setattr(kernel, "stack_pixels", cache)
    assert not kernel.is_compiled()
