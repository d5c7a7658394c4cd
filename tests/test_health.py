"""Broken installations are told as what they are."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from zemosaic import health
from zemosaic.about import Package
from zemosaic.compute.backend import open_backend
from zemosaic.compute.cluster import join_cluster
from zemosaic.errors import ResourceError, SettingsError
from zemosaic.gui.presenter.settings.doctor import without_names
from zemosaic.health import (
    compiled_for_now,
    give_compiled_code_a_folder,
    installation_error,
    package_states,
    package_troubles,
)
from zemosaic.i18n import Translator

ROOT = Path(__file__).resolve().parents[1]
FAULTS = {
    "ImportError": "raise ImportError('libllvmlite.so: cannot open shared object file')",
    "AttributeError": "import os; os.no_such_thing",
}


@pytest.fixture
def broken(tmp_path, request):
    """An environment in which numba is there and cannot be loaded."""
    package = tmp_path / "broken" / "numba"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(FAULTS[getattr(request, "param", "ImportError")] + "\n", encoding="utf-8")
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(package.parent), str(ROOT)])}


@pytest.mark.parametrize("broken", FAULTS, indirect=True)
def test_a_broken_package_ends_the_run_with_its_name_the_reason_and_the_cure(zemosaic, demo_frames, tmp_path, broken):
    frames = demo_frames(tmp_path, [0])
    done = zemosaic("--input_dir", frames, "--output_dir", tmp_path / "out", env=broken)
    assert done.returncode == 9
    assert "numba" in done.stderr
    assert "libllvmlite" in done.stderr or "no_such_thing" in done.stderr
    assert 'pip install --force-reinstall "numba>=0.60"' in done.stderr
    assert "memory" not in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_names_what_is_broken_and_goes_on(zemosaic, broken):
    done = zemosaic("--doctor", env=broken | {"USER": "somebody"})
    assert done.returncode == 0, done.stderr
    assert "libllvmlite" in done.stdout
    assert "scipy" in done.stdout
    assert "MB/s" in done.stdout
    assert "Settings file" in done.stdout


def test_a_package_without_which_nothing_starts_is_named():
    code = "import sys; sys.modules['pydantic'] = None; from zemosaic.__main__ import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 9
    assert "pip install" in done.stderr and "pydantic" in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_and_outdated_packages_are_found_without_loading_them(monkeypatch):
    assert not list(package_troubles())
    required = {"no-such-thing": Package("no_such_thing", "1.0"), "numpy": Package("numpy", "99.1")}
    monkeypatch.setattr(health, "REQUIRED", required)
    told = {state.name: state.trouble for state in package_states()}
    assert told["no-such-thing"].key == "error.package_missing"
    assert told["numpy"].key == "error.package_old"
    assert told["numpy"].params["minimum"] == "99.1"


def test_a_package_that_another_thread_is_importing_is_there(monkeypatch):
    half = ModuleType("half_imported")
    half.__spec__ = None
    monkeypatch.setitem(sys.modules, "half_imported", half)
    monkeypatch.setattr(health, "REQUIRED", {"half": Package("half_imported", "")})
    assert package_states() == [health.PackageState("half", "", None)]


def test_versions_are_compared_by_numbers():
    numbers = health._numbers
    assert numbers("2.18.7") < numbers("2.18.10") < numbers("3.0.0rc1")
    assert numbers("1.0") == numbers("1") == numbers("1.0.0.post1")


def test_a_fault_of_the_program_itself_is_not_a_packages():
    try:
        raise ImportError("cannot import name 'x' from 'zemosaic.wcs'", name="zemosaic.wcs")
    except ImportError as fault:
        assert installation_error(fault).message.key == "error.program_broken"


def test_no_names_of_people_are_told():
    environ = {"HOME": "/home/marie", "USER": "marie"}
    assert without_names("/home/marie/a, /data/marie/b", environ) == "~/a, /data/USER/b"
    assert without_names("/root/a root", {"HOME": "/root", "USER": "root"}) == "~/a root"


def test_nobody_is_sent_to_pip_from_the_double_click_program(monkeypatch):
    """What it holds cannot be changed, so that the cure is another download or another way to install."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    for name in ("cupy", "distributed"):
        monkeypatch.setitem(sys.modules, name, None)
    english = Translator("en")
    fault = installation_error(ImportError("libllvmlite.so is damaged", name="numba"))
    assert fault.message.key == "error.program_broken"
    with pytest.raises(ResourceError) as no_gpu:
        open_backend("cupy")
    with pytest.raises(SettingsError) as no_cluster, join_cluster("tcp://127.0.0.1:1", []):
        pass
    told = [english.message(error.message) for error in (fault, no_gpu.value, no_cluster.value)]
    assert not [text for text in told if "pip install" in text or "Install CuPy" in text]
    assert "use_gpu_phase5" in told[1] and "dask_scheduler" in told[2]


def test_what_loading_a_package_says_is_told(tmp_path, monkeypatch):
    """In the double-click program as well, which cannot give a command to an interpreter."""
    bodies = {
        "broken_one": "raise OSError('libz.so:\\n cannot be opened')",
        "broken_two": "import os; os._exit(3)",
        "sound_one": "import warnings; warnings.warn('old')",
        "slow_one": "import time; time.sleep(60)",
    }
    for name, body in bodies.items():
        (tmp_path / f"{name}.py").write_text(body + "\n", encoding="utf-8")
    monkeypatch.setattr(health, "REQUIRED", {name: Package(name, "1.0") for name in list(bodies)[:3]})
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "frozen", False, raising=False)
    told = {state.name: state.trouble for state in package_states(load=True)}
    assert told["sound_one"] is None
    assert told["broken_one"].params["detail"].strip() == "cannot be opened"
    assert told["broken_two"].params["detail"] == "exit code 3"
    # What a built program asks of multiprocessing is the same; the flag alone would make that start another program.
    monkeypatch.setattr(health, "is_built_program", lambda: True)
    inside = {state.name: state.trouble for state in package_states(load=True)}
    assert inside["broken_two"].key == "error.program_broken" and "broken_two" in inside["broken_two"].params["detail"]
    assert inside["sound_one"] is None
    monkeypatch.setattr(health, "PATIENCE_S", 0.5)
    assert "not loaded" in health._loading_error("slow_one")


def test_compiled_code_has_a_folder_where_neither_program_nor_user_has_one(tmp_path, monkeypatch):
    """numba refuses to load functions whose code it cannot keep, which ended every run of such an installation."""
    (tmp_path / "file").write_bytes(b"")
    nowhere = tmp_path / "file" / "folder"
    monkeypatch.setenv("XDG_CACHE_HOME", str(nowhere))
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_, **__: str(nowhere))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    usual: dict[str, str] = {}
    give_compiled_code_a_folder(usual, tmp_path)
    assert not usual, "beside the modules"
    named = {"ZEMOSAIC_CACHE_DIR": str(tmp_path / "cache")}
    give_compiled_code_a_folder(named, nowhere)
    assert named["NUMBA_CACHE_DIR"] == str(tmp_path / "cache" / "compiled") and not compiled_for_now(named)

    environ: dict[str, str] = {}
    give_compiled_code_a_folder(environ, nowhere)
    folder = Path(environ["NUMBA_CACHE_DIR"])
    assert folder.parent == tmp_path and folder.is_dir() and compiled_for_now(environ)
    if os.name == "posix":
        assert folder.stat().st_mode & 0o077 == 0, "others could plant code there"
    given = {"NUMBA_CACHE_DIR": "/given"}
    give_compiled_code_a_folder(given, nowhere)
    assert given["NUMBA_CACHE_DIR"] == "/given"
