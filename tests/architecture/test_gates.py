"""The tools that guard the code find nothing, and would find something if there were something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from package_source import PACKAGE, ROOT

for tool_name in ("ruff", "mypy", "importlinter"):
    pytest.importorskip(tool_name, reason="the development tools are not installed")


def tool(*argv: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a tool of this environment in a folder."""
    environ = os.environ | {"PYTHONPATH": str(folder), "PYTHONUTF8": "1", "COLUMNS": "200"}
    return subprocess.run(argv, cwd=folder, env=environ, text=True, capture_output=True, check=False, encoding="utf-8")


def script(name: str) -> str:
    """Return the path of a console script of this environment."""
    found = shutil.which(name, path=str(Path(sys.executable).parent))
    assert found, f"{name} is not installed"
    return found


@pytest.mark.parametrize("arguments", [("check", "--quiet"), ("format", "--check", "--quiet")], ids=["lint", "format"])
def test_ruff(arguments):
    done = tool(sys.executable, "-m", "ruff", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy():
    done = tool(sys.executable, "-m", "mypy")
    assert done.returncode == 0, done.stdout + done.stderr


def test_imports_run_downward():
    done = tool(script("lint-imports"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("wcs.py", "import zemosaic.phases.stack", "Imports run downward only"),
        ("solving/fit.py", "def late():\n    import zemosaic.stacking.kernel", "Imports run downward only"),
        ("gui/presenter/settings/form.py", "import tkinter", "Toolkits only in their rooms"),
        ("phases/stack.py", "import cupy", "Devices and clusters only in compute"),
    ],
    ids=["upward", "sideways", "toolkit", "device"],
)
def test_a_seeded_violation_is_caught(file, line, contract, tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "zemosaic", ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "zemosaic" / file).open("a", encoding="utf-8") as source:
        source.write(f"\n\n{line}\n")
    done = tool(script("lint-imports"), "--no-cache", folder=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"{contract} BROKEN" in done.stdout


def test_a_run_loads_no_library_that_most_runs_do_not_use():
    done = tool(sys.executable, "-c", "import sys, zemosaic.worker_process; print(*sorted(sys.modules))")
    assert done.returncode == 0, done.stderr
    unused = {"photutils", "astropy.table", "astropy.wcs", "reproject", "distributed", "zemosaic.stars.detect", "cupy"}
    assert not set(done.stdout.split()) & unused


@pytest.mark.parametrize("module", ["zemosaic.gui.cli.commands", "zemosaic.app"])
def test_starting_loads_no_toolkit_and_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted(sys.modules))"
    done = tool(sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"tkinter", "PySide6", "matplotlib", "numba", "cv2", "scipy", "sep", "zarr", "astropy", "cupy"}
