"""Which program this is, as it tells in reports, logs and on the command line."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import zemosaic
from zemosaic.about import REQUIRED, UNKNOWN, checked_out_commit, code_digest, package_versions, part_versions

ROOT = Path(__file__).resolve().parents[1]


def test_every_required_package_is_told_with_its_version():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert needed == [f"{name}>={package.minimum}" for name, package in REQUIRED.items()]
    versions = package_versions()
    assert versions.keys() == {"zemosaic", "python", *REQUIRED}
    assert UNKNOWN not in versions.values()
    assert versions["zemosaic"].startswith(zemosaic.__version__)
    for package in REQUIRED.values():
        importlib.import_module(package.module)


def test_computers_are_compared_by_code_and_numerical_packages():
    told = part_versions()
    assert {"zemosaic", "python", "numpy", "scipy", "numba", "code"} <= told.keys()
    assert told["code"] == code_digest()
    assert re.fullmatch("[0-9a-f]{12}", code_digest())


def git(folder, *words):
    named = ("-c", "user.name=a", "-c", "user.email=a@b")
    return subprocess.run(
        ["git", "-C", folder, *named, *words], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("packed", [False, True])
def test_the_commit_of_a_checkout_is_read_from_its_files(tmp_path, packed):
    folder = tmp_path / "checkout"
    folder.mkdir()
    assert checked_out_commit(folder) == ""
    try:
        git(folder, "init", "-q")
    except FileNotFoundError:
        pytest.skip("no git here")
    assert checked_out_commit(folder) == ""
    git(folder, "commit", "-q", "--allow-empty", "-m", "one")
    git(folder, "worktree", "add", "-q", "-b", "other", tmp_path / "tree")
    if packed:
        git(folder, "pack-refs", "--all")
    wanted = git(folder, "rev-parse", "HEAD")[:12]
    assert checked_out_commit(folder) == checked_out_commit(tmp_path / "tree") == wanted
    git(folder, "checkout", "-q", "--detach")
    assert checked_out_commit(folder) == wanted


def test_other_programs_find_astap_by_the_old_name():
    told = "from zemosaic_config import detect_astap_installation as f; print(f.__module__)"
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "zemosaic.solving.solvers.astap_find"
