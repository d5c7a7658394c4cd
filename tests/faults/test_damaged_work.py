"""A run that is killed, finds its work folder damaged and is started again gives the bytes of an undisturbed one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from whole_runs import KILL, Undisturbed, events_of, pixels

from zemosaic.events import Event, RunFailed, RunFinished, TileStacked, Warned
from zemosaic.store.work_folder import JOURNAL_NAME, WORK_NAME
from zemosaic.worker import Run

KILLED_AFTER = 8
"""Tiles that are stacked when the run is killed."""


@pytest.fixture(scope="module")
def killed(undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an output folder with the work of a killed run."""
    output = tmp_path_factory.mktemp("damaged") / "killed"

    def kill(run: Run, seen: list[Event]) -> None:
        if sum(isinstance(event, TileStacked) for event in seen) == KILLED_AFTER:
            os.kill(run.pid, KILL)

    last = events_of(undisturbed.frames, output, kill)[-1]
    assert isinstance(last, RunFailed) and last.error.key == "error.worker_died"
    return output


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
def test_damage_is_told_once_and_undone(
    undisturbed: Undisturbed, killed: Path, tmp_path: Path, damage: Callable[[Path], None], told: set[str]
) -> None:
    # Under the same path: what is stored speaks of files by their paths.
    kept = tmp_path / "kept"
    shutil.copytree(killed, kept)
    try:
        damage(killed / WORK_NAME)
        events = events_of(undisturbed.frames, killed)
        warned = [event.text.key for event in events if isinstance(event, Warned)]
        assert isinstance(events[-1], RunFinished), events[-1]
        assert pixels(killed) == undisturbed.pixels
        assert told <= set(warned) and len(warned) == len(set(warned))
    finally:
        shutil.rmtree(killed)
        shutil.move(kept, killed)
