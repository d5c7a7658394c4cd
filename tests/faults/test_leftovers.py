"""What killed processes left in the temporary folder goes at a later start; nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zemosaic.store import temporary


def test_folders_of_killed_processes_go_and_all_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    old = time.time() - 2 * temporary.MIN_AGE_S

    def folder(name: str, when: float = old) -> Path:
        path = tmp_path / name
        path.mkdir()
        (path / "frame.fits").touch()
        os.utime(path, (when, when))
        return path

    left_over = folder(f"zemosaic_astap_{gone.pid}_abc")
    others = [
        folder(f"zemosaic_astap_{os.getpid()}_abc"),
        folder(f"zemosaic_pixel_{gone.pid}_young", time.time()),
        folder(f"zemosaic_keepsake_{gone.pid}_abc"),
        folder("zemosaic_astap_frames"),
    ]
    temporary.sweep_temporary_folders()
    assert not left_over.exists() and all(path.exists() for path in others)


def test_a_folder_of_the_moment_carries_its_process_and_goes() -> None:
    with temporary.temporary_folder("astap") as folder:
        assert f"_{os.getpid()}_" in folder.name and folder.is_dir()
    assert not folder.exists()
