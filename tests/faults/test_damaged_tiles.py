"""Tiles that are damaged while the run goes on: they are stacked again before they are assembled, and told once."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.runs import Survey, events_of, other_bytes, settings_of
from zemosaic.errors import OutputError, TileDamaged
from zemosaic.events import Event, FrameDropped, RunFinished, TileStacked, Warned
from zemosaic.phases.parts.unreadable import MAX_REPAIRS, while_whole
from zemosaic.store.work_folder import WORK_NAME
from zemosaic.worker import Run

DAMAGED_AFTER = 6
"""Tiles that are stacked when the first of them is damaged."""


def chunks(work: Path) -> list[Path]:
    return sorted(path for path in work.glob("canvas_*.zarr/tile_value/**/*") if path.is_file() and path.suffix == "")


@pytest.mark.parametrize("mode", ["grid", pytest.param("classic", marks=pytest.mark.slow)])
def test_a_tile_that_is_damaged_after_it_was_stacked_is_stacked_again(tiny: Survey, tmp_path: Path, mode: str) -> None:
    damaged: list[Path] = []

    def act(run: Run, seen: list[Event]) -> None:
        if not damaged and sum(isinstance(event, TileStacked) for event in seen) == DAMAGED_AFTER:
            damaged.extend(chunks(tmp_path / "out" / WORK_NAME)[:2])
            damaged[0].unlink()
            damaged[1].write_bytes(bytes(damaged[1].stat().st_size))

    changes = {"mosaic_mode": mode} if mode == "classic" else {}  # the survey's own mode is Grid
    events = events_of(settings_of(tiny.frames, tmp_path / "out", 1, **changes), act)
    assert len(damaged) == 2 and isinstance(events[-1], RunFinished), events[-1]
    (told,) = (event.text for event in events if isinstance(event, Warned))
    assert (told.key, told.params["tiles"]) == ("warning.tiles_damaged", 2)
    assert not any(isinstance(event, FrameDropped) for event in events)
    if mode == "grid":
        assert not other_bytes(tiny, tmp_path / "out", events)


@pytest.mark.parametrize("failing", [0, MAX_REPAIRS, MAX_REPAIRS + 1])
def test_a_disk_that_damages_tiles_again_and_again_ends_the_run(failing: int) -> None:
    repairs: list[str] = []

    def assemble() -> str:
        if len(repairs) < failing:
            raise TileDamaged("error.tile_damaged", tile=3, folder="/out")
        return "canvas"

    if failing <= MAX_REPAIRS:
        assert while_whole(assemble, lambda: repairs.append("again")) == "canvas"
    else:
        with pytest.raises(OutputError):
            while_whole(assemble, lambda: repairs.append("again"))
    assert len(repairs) == min(failing, MAX_REPAIRS)
