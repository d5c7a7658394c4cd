"""Wheel and source distribution, installed into empty environments in a folder with a blank and an accent (slow)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WITHIN = "zemosaic/resources"
MAX_SECONDS_TO_WINDOW = 90.0
pytestmark = pytest.mark.slow


def call(*words: object, **options: object) -> str:
    """Run a program to its good end and return what it says."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    return done.stdout


def new_environment(folder: Path) -> Path:
    """Make an empty virtual environment and return its Python."""
    call(sys.executable, "-m", "venv", folder)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environ_of(folder: Path) -> dict[str, str]:
    """What a user's machine has, without this checkout and without settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("ZEMOSAIC_", "PYTHON"))}
    return kept | {"ZEMOSAIC_CONFIG_DIR": str(folder / "réglages"), "ZEMOSAIC_CACHE_DIR": str(folder / "cache")}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("maison") / "dossier à moi"


@pytest.fixture(scope="module")
def built(place):
    """The two distributions, built from a copy of this checkout; the wheel from the source distribution."""
    source = place / "source"
    left_out = shutil.ignore_patterns(".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, source, ignore=left_out)
    python = new_environment(place / "build")
    call(python, "-m", "pip", "install", "-q", "setuptools>=77")
    code = "import setuptools.build_meta as b; print(b.build_sdist('out')); print(b.build_wheel('out'))"
    call(python, "-c", code, cwd=source)
    sdist, wheel = next((source / "out").glob("*.tar.gz")), next((source / "out").glob("*.whl"))
    return sdist, wheel


@pytest.fixture(scope="module")
def installed(place, built):
    """Python of the environment with the wheel and all that it needs."""
    python = new_environment(place / "wheel")
    call(python, "-m", "pip", "install", "-q", built[1])
    return python


@pytest.fixture(scope="module")
def from_source(place, built, installed):
    """Python of the environment with the source distribution, which lends the other's packages."""
    python = new_environment(place / "sdist")
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    lent, own = call(installed, "-c", asked).strip(), call(python, "-c", asked).strip()
    call(python, "-m", "pip", "install", "-q", "--no-deps", built[0])
    (Path(own) / "lent.pth").write_text(lent + "\n", encoding="utf-8")
    return python


def test_the_distributions_hold_what_the_program_reads(built):
    sdist, wheel = built
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    wanted = ["zemosaic_config.json", "locales/en.json", "locales/fr.json", "icon/zemosaic.png", "commit.txt"]
    assert not [name for name in wanted if f"{WITHIN}/{name}" not in names]
    assert any(name.endswith("report.html.j2") for name in names)
    assert any(name.endswith("tycho2.bin") for name in names)
    assert not [name for name in names if name.startswith(("tests", "tools", "benchmarks"))]
    with tarfile.open(sdist) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    needed = [
        "tests/conftest.py",
        "locales/en.json",
        "icon/zemosaic.ico",
        "zemosaic_config.py",
        "compile/zemosaic.spec",
    ]
    assert not [name for name in [*needed, ".ci/run", "run_zemosaic.py", "docs/settings.md"] if name not in inside]


@pytest.mark.parametrize("which", ["installed", "from_source"])
def test_an_installed_program_tells_its_texts(request, place, which):
    python = request.getfixturevalue(which)
    command = python.with_name("zemosaic" + python.suffix)
    options = {"cwd": place, "env": environ_of(place)}
    assert call(command, "--help", **options).startswith("Usage: zemosaic --input_dir")
    assert call(python, "-m", "zemosaic", "-h", **options).startswith("Usage: python -m zemosaic")
    told = call(python, "-m", "zemosaic", "--list-settings", "--language", "fr", **options)
    assert "stacking_kappa_low" in told and "par défaut" in told
    found = call(python, "-c", "import zemosaic; print(zemosaic.__file__)", **options).strip()
    assert str(place) in found and "site-packages" in found
    assert call(command, "-V", **options).startswith("ZeMosaic ")


def test_an_installed_program_makes_the_demo(installed, place):
    call(installed.with_name("zemosaic" + installed.suffix), "--demo", "démo", cwd=place, env=environ_of(place))
    report = (place / "démo" / "mosaic" / "run_report.html").read_text(encoding="utf-8")
    assert not re.search(r">\s*(report|reason|summary)\.[a-z_.]+\s*<", report), "keys instead of texts"
    assert next((place / "démo" / "mosaic").glob("zemosaic_MT*.fits"))


@pytest.mark.skipif(os.name == "nt", reason="Xvfb is not there")
@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_installed_program_opens_its_window(installed, place, display, language):
    if not shutil.which("xdotool"):
        pytest.skip("no xdotool here")
    options = {"cwd": place, "env": environ_of(place) | {"DISPLAY": display, "ZEMOSAIC_LANGUAGE": language}}
    try:
        call(installed, "-c", "import tkinter", **options)
    except AssertionError:
        pytest.skip("this Python has no tkinter")
    process = subprocess.Popen([installed, "-m", "zemosaic"], stderr=subprocess.PIPE, text=True, **options)
    try:
        until, named = time.monotonic() + MAX_SECONDS_TO_WINDOW, ""
        while not named and time.monotonic() < until and process.poll() is None:
            asked = ["xdotool", "search", "--onlyvisible", "--name", "ZeMosaic"]
            named = subprocess.run(asked, env={"DISPLAY": display}, capture_output=True, text=True, check=False).stdout
            time.sleep(0.3)
        assert named, process.stderr.read() if process.poll() is not None else "no window"
    finally:
        process.terminate()
        process.communicate()
