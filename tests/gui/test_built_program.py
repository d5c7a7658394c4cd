"""The double-click program: what is put into it, and the real thing built and used (slow)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from astropy.io import fits

from zemosaic.about import REQUIRED

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "compile" / "zemosaic.spec"
posix = pytest.mark.skipif(os.name == "nt", reason="the shell script is for Linux and macOS")


def test_the_build_holds_what_the_program_reads():
    told = SPEC.read_text(encoding="utf-8")
    assert all(name in told for name in ("locales", "icon", "zemosaic_config.json", 'collect_data_files("zemosaic")'))
    assert "in (*REQUIRED," in told, "the report asks for the versions of these"


@posix
def test_the_build_script_says_what_is_missing(tmp_path):
    bare = tmp_path / "bin" / "python"
    bare.parent.mkdir()
    bare.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    bare.chmod(0o755)
    script = ROOT / "compile" / "build_zemosaic_posix.sh"
    done = subprocess.run(
        [str(script)], env=os.environ | {"BUILD_VENV": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "tkinter" in done.stderr


@pytest.mark.skipif(os.name == "nt" or os.uname().sysname != "Linux", reason="the system's libraries of Linux")
def test_the_build_script_names_the_libraries_that_the_qt_window_lacks(tmp_path):
    """Built without them, the program had a Qt window that opened nowhere."""
    programs = {
        "python": 'case "$2" in *PySide6*) echo /somewhere;; *PyInstaller*) echo packed; exit 1;; esac',
        "ldd": "echo 'libxcb-icccm.so.4 => not found'; echo 'libm.so.6 => /lib/libm.so.6'",
    }
    (tmp_path / "bin").mkdir()
    for name, content in programs.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{content}\n", encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    done = subprocess.run(
        [str(ROOT / "compile" / "build_zemosaic_posix.sh")],
        env=os.environ | {"BUILD_VENV": str(tmp_path), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "libxcb-icccm.so.4" in done.stderr and "libm" not in done.stderr
    assert "packed" not in done.stdout


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The program as the build script makes it, moved to a folder with blanks."""
    name = "build_zemosaic.bat" if os.name == "nt" else "build_zemosaic_posix.sh"
    done = subprocess.run([ROOT / "compile" / name], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    moved = tmp_path_factory.mktemp("built") / "my programs" / "ZeMosaic 1"
    shutil.copytree(ROOT / "dist" / "zemosaic", moved, symlinks=True)
    return moved / ("zemosaic-cli.exe" if os.name == "nt" else "zemosaic")


@pytest.fixture
def environ(tmp_path):
    """What a user's machine has, and no Python."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TEMP", "LANG") if name in os.environ}
    return kept | {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "ZEMOSAIC_CONFIG_DIR": str(tmp_path)}


@pytest.mark.slow
def test_the_built_program_runs_the_demo_again_and_again(program, environ, tmp_path):
    """The second run finds the compiled inner loops that the first left."""
    for _ in range(2):
        command = [program, "--demo", tmp_path / "demo"]
        done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    folder = tmp_path / "demo" / "mosaic"
    assert (folder / "run_report.html").stat().st_size > 100_000
    assert fits.getdata(next(folder.glob("zemosaic_MT*_R22.fits"))).shape[0] == 3


@pytest.mark.slow
def test_the_doctor_loads_the_packages_of_the_built_program(program, environ, tmp_path):
    done = subprocess.run(
        [program, "--doctor", "--language", "en"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "⚠" not in done.stdout
    assert not [name for name in REQUIRED if name not in done.stdout]


@pytest.mark.slow
@posix
@pytest.mark.parametrize("backend", ["tk", "qt"])
def test_the_built_program_opens_its_windows(program, environ, display, backend):
    pytest.importorskip("PySide6", exc_type=ImportError)
    process = subprocess.Popen(
        [program, f"--{backend}-gui"], env=environ | {"DISPLAY": display}, stderr=subprocess.PIPE, text=True
    )
    try:
        until = time.monotonic() + 60
        named: list[str] = []
        while not named and time.monotonic() < until and process.poll() is None:
            asked = ["xdotool", "search", "--onlyvisible", "--name", "ZeMosaic"]
            found = subprocess.run(asked, env={"DISPLAY": display}, capture_output=True, text=True, check=False)
            named = found.stdout.split()
            time.sleep(0.5)
        assert named, process.stderr.read() if process.poll() is not None else "no window in a minute"
    finally:
        process.terminate()
        told = process.communicate()[1]
    assert "opens instead" not in told
