"""A skip that nobody expected fails where everything is to be tested."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from skips import allowed

HERE = Path(__file__).parent
SOURCE = """
import pytest

def test_expected():
    pytest.skip("no CUDA device")

def test_unexpected():
    pytest.skip("PySide6 is missing")

@pytest.mark.xfail(strict=True)
def test_known():
    assert False
"""
MODULE = "import pytest\npytest.importorskip('no_such_module')\ndef test_x(): pass\n"


@pytest.mark.parametrize(("ci", "failed"), [("true", 2), ("", 0)])
def test_unexpected_skips_fail_with_ci(tmp_path, ci, failed):
    for name in ("conftest.py", "skips.py", "waiting.py"):
        shutil.copy(HERE / name, tmp_path)
    (tmp_path / "test_one.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "test_two.py").write_text(MODULE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["--continue-on-collection-errors", str(tmp_path)]
    done = subprocess.run(
        command, env=os.environ | {"CI": ci}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) == bool(failed), done.stdout
    if failed:
        assert "PySide6 is missing" in done.stdout and "no_such_module" in done.stdout
        assert "no CUDA device" not in done.stdout


def test_reasons():
    assert allowed("no ../shared here")
    assert allowed("could not import 'PySide6.QtWidgets': libEGL.so.1: cannot open shared object file")
    assert not allowed("could not import 'PySide6.QtWidgets': No module named 'PySide6'")
    assert not allowed("the development tools are not installed")
