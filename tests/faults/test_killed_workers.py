"""Workers of a run are killed: they are replaced, and the run ends by itself with the same bytes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import psutil
from whole_runs import Undisturbed, events_of, pixels

from benchmarks.faults.kills import pool_workers
from zemosaic.events import Event, FrameDropped, FrameMeasured, FrameSolved, RunFinished, TileStacked
from zemosaic.worker import Run

MOMENTS = ((FrameMeasured, 1), (FrameSolved, 4), (TileStacked, 1), (TileStacked, 20))
"""Kinds of events and how many there are when a worker is killed; so far apart that no task is hit twice."""


def test_killed_workers_cost_no_byte(undisturbed: Undisturbed, tmp_path: Path) -> None:
    killed: list[int] = []

    def kill(run: Run, seen: list[Event]) -> None:
        last = seen[-1]
        if (type(last), sum(isinstance(event, type(last)) for event in seen)) in MOMENTS:
            for victim in pool_workers(run)[:1]:
                try:
                    victim.kill()
                except psutil.NoSuchProcess:
                    continue
                killed.append(victim.pid)

    last = events_of(undisturbed.frames, tmp_path / "out", kill)[-1]
    assert isinstance(last, RunFinished), last
    assert len(set(killed)) >= 3
    assert pixels(tmp_path / "out") == undisturbed.pixels


def test_a_frame_that_goes_after_it_was_located_costs_itself_only(undisturbed: Undisturbed, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    shutil.copytree(undisturbed.frames, frames)
    victim = sorted(frames.iterdir())[1]

    def take_away(run: Run, seen: list[Event]) -> None:
        if sum(isinstance(event, FrameMeasured) for event in seen) == 6 and victim.exists():
            victim.unlink()

    events = events_of(frames, tmp_path / "out", take_away)
    assert isinstance(events[-1], RunFinished), events[-1]
    (dropped,) = (event for event in events if isinstance(event, FrameDropped))
    assert dropped.path == str(victim) and dropped.reason.key == "reason.vanished" and dropped.phase == "calibrate"
    assert events[-1].frames_used == 5
    report = json.loads((tmp_path / "out" / "run_report.json").read_text(encoding="utf-8"))
    assert [frame["path"] for frame in report["frames"] if frame["status"] != "used"] == [str(victim)]
