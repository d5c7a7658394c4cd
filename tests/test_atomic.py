"""A file is there whole or not at all, and nothing else writes files but `zemosaic.atomic`."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import zemosaic
from zemosaic import atomic
from zemosaic.atomic import SUFFIX, atomic_file, write_atomic

ROOT = Path(zemosaic.__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def fresh_process():
    """Let each test look for leftovers as a process does that begins."""
    atomic._tidied.clear()


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path):
    path = tmp_path / "mosaic.fits"
    write_atomic(path, b"first")
    with pytest.raises(RuntimeError), atomic_file(path) as stream:
        stream.write(b"half of the sec")
        assert path.read_bytes() == b"first"
        raise RuntimeError
    assert path.read_bytes() == b"first"
    with atomic_file(path) as stream:
        stream.write(b"second")
        assert path.read_bytes() == b"first", "the old content stays until the new is whole"
    assert path.read_bytes() == b"second"
    assert [left.name for left in tmp_path.iterdir()] == ["mosaic.fits"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path):
    path = tmp_path / "settings.json"
    with atomic_file(path) as one, atomic_file(path) as other:
        one.write(b"one")
        other.write(b"other")
    assert path.read_bytes() == b"one", "who ends last has written last"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path):
    code = (
        "import os, sys; from pathlib import Path; from zemosaic.atomic import atomic_file\n"
        "with atomic_file(Path(sys.argv[1])) as stream: stream.write(b'half'); stream.flush(); os._exit(9)"
    )
    environ = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.fits")], env=environ, check=False)
    assert done.returncode == 9
    (left,) = tmp_path.iterdir()
    assert left.name.endswith(SUFFIX)
    living = left.with_name(left.name.replace(left.name.split("-")[1], str(os.getppid()), 1))
    living.write_bytes(b"still being written")
    write_atomic(tmp_path / "b.fits", b"whole")
    assert sorted(tmp_path.iterdir()) == sorted([living, tmp_path / "b.fits"])


def held_for(patch: pytest.MonkeyPatch, attempts: int) -> list[Path]:
    """Let files be held by another program, as on Windows, for so many attempts; return the attempts."""
    seen: list[Path] = []
    replace = Path.replace

    def refusing(self: Path, target: Path) -> Path:
        seen.append(target)
        if len(seen) <= attempts:
            raise PermissionError(13, "used by another process")
        return replace(self, target)

    patch.setattr(Path, "replace", refusing)
    patch.setattr(atomic, "HELD_BY_OTHERS", True)
    patch.setattr(atomic.time, "sleep", lambda seconds: None)
    return seen


def test_a_file_that_a_viewer_holds_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "preview.png"
    path.write_bytes(b"old")
    seen = held_for(monkeypatch, 4)
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new" and len(seen) == 5


def test_a_file_that_is_held_for_ever_is_told_and_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "preview.png"
    path.write_bytes(b"old")
    held_for(monkeypatch, 10**9)
    monkeypatch.setattr(atomic, "MAX_REPLACE_S", 0.05)
    with pytest.raises(PermissionError):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 1


def test_a_refusal_is_told_at_once_where_nobody_can_hold_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen = held_for(monkeypatch, 10**9)
    monkeypatch.setattr(atomic, "HELD_BY_OTHERS", False)
    with pytest.raises(PermissionError):
        write_atomic(tmp_path / "a", b"")
    assert len(seen) == 1


def test_file_and_folder_reach_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.path.isdir(f"/proc/self/fd/{number}")))  # noqa: PTH112
    write_atomic(tmp_path / "a", b"x")
    if Path("/proc/self/fd").is_dir():
        assert synced == [False, True], "the file before it gets its name, the folder after"
    synced.clear()
    with atomic_file(tmp_path / "copy", durable=False) as stream:
        stream.write(b"x")
    assert synced == []


def test_the_usual_rights_of_a_new_file(tmp_path: Path):
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    write_atomic(tmp_path / "whole", b"")
    assert (tmp_path / "whole").stat().st_mode == plain.stat().st_mode


def test_no_other_module_puts_files_in_place():
    """`os.replace`, `mkstemp` and `fsync` stand in `zemosaic.atomic` alone."""
    found = set()
    for path in (ROOT / "zemosaic").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in ("fsync", "mkstemp", "NamedTemporaryFile"):
                found.add(path.relative_to(ROOT).as_posix())
    assert found == {"zemosaic/atomic.py"}
