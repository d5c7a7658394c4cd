"""An input folder that goes away as a whole ends the run with its work kept; no frame is blamed for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults.runs import Survey, events_of, other_bytes, settings_of
from zemosaic.errors import InputGone
from zemosaic.events import Event, FrameDropped, FrameMeasured, RunFailed, RunFinished, TileStacked, Warned
from zemosaic.store.work_folder import JOURNAL_NAME, WORK_NAME
from zemosaic.worker import Run


@pytest.mark.parametrize("empty", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["unmounted", "unplugged"])
def test_a_drive_that_is_away_costs_no_frame(tiny: Survey, tmp_path: Path, empty: bool) -> None:
    away = tiny.frames.with_name("away")
    settings = settings_of(tiny.frames, tmp_path / "out", 1)

    def take_away(run: Run, seen: list[Event]) -> None:
        if sum(isinstance(event, TileStacked) for event in seen) == 3 and not away.exists():
            tiny.frames.rename(away)
            if empty:
                tiny.frames.mkdir()

    try:
        first = events_of(settings, take_away)
    finally:
        if empty:
            tiny.frames.rmdir()
        away.rename(tiny.frames)
    last = first[-1]
    assert isinstance(last, RunFailed) and last.exit_code == InputGone.exit_code, last
    assert (last.error.key, last.error.params) == ("error.input_gone", {"folder": str(tiny.frames)})
    assert not any(isinstance(event, FrameDropped) for event in first)
    assert (tmp_path / "out" / WORK_NAME / JOURNAL_NAME).exists() and Path(last.log_path).exists()
    again = events_of(settings)
    assert isinstance(again[-1], RunFinished), again[-1]
    assert not other_bytes(tiny, tmp_path / "out", again)
    assert not [event for event in again if isinstance(event, Warned | FrameDropped)]
    assert sum(isinstance(event, FrameMeasured) for event in again) == len(tiny.content)
