"""The commands of the README, word by word, in a copy of the checkout (slow: they install all packages)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="a shell script")]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of this checkout, with a Python of this version named python3."""
    folder = tmp_path_factory.mktemp("readme") / "Ze Mosaic"
    left_out = shutil.ignore_patterns(".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, folder, ignore=left_out)
    programs = folder.parent / "bin"
    programs.mkdir()
    (programs / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n', encoding="utf-8")
    (programs / "python3").chmod(0o755)
    return folder


def run_as_user(commands, folder):
    """Run commands in a shell as on a machine without settings of ZeMosaic; return what they print."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ZEMOSAIC_", "PYTHON"))}
    own = {"PATH": f"{folder.parent / 'bin'}{os.pathsep}{kept['PATH']}", "ZEMOSAIC_CONFIG_DIR": str(folder.parent)}
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=folder, env=kept | own, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def shell_blocks(page):
    return BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))


def test_the_first_command_sets_up_and_makes_the_demo(checkout):
    run_as_user(shell_blocks("README.md")[0], checkout)
    assert next((checkout / "zemosaic_demo" / "mosaic").glob("zemosaic_MT*.fits"))


def test_the_command_without_a_window_makes_a_mosaic(checkout):
    if not (checkout / ".venv").is_dir():
        pytest.skip("this system has no environment: its setup failed")
    command = next(block for block in shell_blocks("README.md") if "FOLDER_OF_FRAMES" in block)
    command = command.replace("FOLDER_OF_FRAMES", "zemosaic_demo/frames").replace("FOLDER_FOR_THE_MOSAIC", "again")
    run_as_user(command, checkout)
    assert (checkout / "again" / "run_report.html").is_file()


def test_the_french_quick_start_works(checkout):
    install, doctor, run = shell_blocks("docs/fr/index.md")
    run_as_user(install, checkout)
    assert "ZeMosaic" in run_as_user(doctor, checkout)
    run = run.replace("DOSSIER_DES_IMAGES", "zemosaic_demo/frames").replace("DOSSIER_DE_LA_MOSAIQUE", "encore")
    run_as_user(run, checkout)
    assert (checkout / "encore" / "run_report.html").is_file()


def test_the_installed_program_starts(checkout):
    first, second = shell_blocks("docs/installation.md")[:2]
    assert run_as_user(first, checkout).splitlines()[-1].startswith("ZeMosaic ")
    assert "numpy" in run_as_user(second.splitlines()[0], checkout)
