"""A run that is killed, finds its work folder damaged and is started again gives the bytes of an undisturbed one."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from zemosaic import worker
from zemosaic.events import Event, RunFailed, RunFinished, TileStacked, Warned
from zemosaic.settings.schema import Settings
from zemosaic.store.work_folder import JOURNAL_NAME, WORK_NAME

FRAMES = (0, 1, 6, 7)
KILLED_AFTER = 8
"""Tiles that are stacked when the run is killed."""


def events_of(frames: Path, output: Path, killed_after: int = 0) -> list[Event]:
    """Return all events of a run, which is killed after so many tiles."""
    values = {"solver": "embedded", "num_processing_workers": 2, "grid_tile_px": 256, "resume": "auto"}
    run = worker.start(Settings(input_dir=str(frames), output_dir=str(output), **values))
    seen: list[Event] = []
    try:
        for event in run.events():
            seen.append(event)
            if killed_after and sum(isinstance(one, TileStacked) for one in seen) == killed_after:
                os.kill(run.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    finally:
        run.close()
    return seen


def pixels(output: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.glob("zemosaic_MT*.fits")}


@pytest.fixture(scope="module")
def killed(demo_frames, tmp_path_factory) -> tuple[Path, Path, dict[str, str]]:
    """The frames, an output folder with the work of a killed run, and the files of an undisturbed one."""
    folder = tmp_path_factory.mktemp("damaged")
    frames = demo_frames(folder, FRAMES)
    assert isinstance(events_of(frames, folder / "whole")[-1], RunFinished)
    last = events_of(frames, folder / "killed", KILLED_AFTER)[-1]
    assert isinstance(last, RunFailed) and last.error.key == "error.worker_died"
    return frames, folder / "killed", pixels(folder / "whole")


def stored_chunks(work: Path) -> list[Path]:
    """Return the chunks of stacked tiles, those of one tile beside each other."""
    found = [path for path in work.glob("canvas_*.zarr/tile_*/**/*") if path.is_file() and path.name != "zarr.json"]
    return sorted(found, key=lambda path: [part for part in path.parts if part.isdigit()] or [path.name])


def damage_tiles(work: Path) -> None:
    """Make one file missing, one all zeros, one scribbled over, one too short and one empty."""
    chunks = stored_chunks(work)
    missing, zeros, scribbled, cut, empty = (chunks[k * len(chunks) // 5] for k in range(5))
    missing.unlink()
    zeros.write_bytes(bytes(zeros.stat().st_size))
    content = scribbled.read_bytes()
    scribbled.write_bytes(content[:4000] + b"\x7f" * 400 + content[4400:])
    cut.write_bytes(cut.read_bytes()[:-100])
    empty.write_bytes(b"")


def empty_description(work: Path) -> None:
    for name in ("tile_value", "tile_kept"):
        for described in work.glob(f"canvas_*.zarr/{name}/zarr.json"):
            described.write_bytes(b"")


def empty_group(work: Path) -> None:
    for described in work.glob("canvas_*.zarr/zarr.json"):
        described.write_bytes(b"")


def broken_journal(work: Path) -> None:
    journal = work / JOURNAL_NAME
    journal.write_bytes(b"no journal" * 1000)


def scribbled_journal(work: Path) -> None:
    journal = work / JOURNAL_NAME
    content = bytearray(journal.read_bytes())
    for place in range(len(content) // 3, len(content), len(content) // 9):
        content[place : place + 200] = b"\x55" * len(content[place : place + 200])
    journal.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (damage_tiles, {"warning.tiles_damaged"}),
        pytest.param(empty_description, {"warning.store_damaged"}, marks=pytest.mark.slow),
        pytest.param(empty_group, {"warning.store_damaged"}, marks=pytest.mark.slow),
        pytest.param(broken_journal, {"warning.journal_broken"}, marks=pytest.mark.slow),
        pytest.param(scribbled_journal, set(), marks=pytest.mark.slow),
    ],
)
def test_damage_is_told_once_and_undone(killed, tmp_path: Path, damage: Callable[[Path], None], told: set[str]) -> None:
    frames, before, whole = killed
    # Under the same path: what is stored speaks of files by their paths.
    kept = tmp_path / "kept"
    shutil.copytree(before, kept)
    try:
        damage(before / WORK_NAME)
        events = events_of(frames, before)
        warned = [event.text.key for event in events if isinstance(event, Warned)]
        assert isinstance(events[-1], RunFinished), events[-1]
        assert pixels(before) == whole
        assert told <= set(warned) and len(warned) == len(set(warned))
    finally:
        shutil.rmtree(before)
        shutil.move(kept, before)
