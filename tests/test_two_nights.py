"""A second night: only what its frames touch is made again, on the pixels of the first."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import zlib
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from zemosaic import worker
from zemosaic.events import Event, Logged, RunFailed, RunFinished, TileStacked
from zemosaic.settings.schema import Settings
from zemosaic.store.codec import pack, unpack
from zemosaic.store.journal import Journal
from zemosaic.store.work_folder import WORK_NAME

FIRST, SECOND = (0, 1, 6, 7), (12, 13)
"""Two pointings, and another beside the second one, which makes the canvas larger."""


def night(frames: Path, output: Path, act=None, **changes: object) -> list[Event]:
    """Return all events of a run; `act(run)` is called at the first stacked tile."""
    values = {"solver": "embedded", "num_processing_workers": 2, "keep_work_files": True, "grid_tile_px": 256} | changes
    run = worker.start(Settings(input_dir=str(frames), output_dir=str(output), **values))
    seen: list[Event] = []
    try:
        for event in run.events():
            seen.append(event)
            if act is not None and isinstance(event, TileStacked):
                act(run)
                act = None
    finally:
        run.close()
    return seen


def told(events: list[Event]) -> dict[str, int] | None:
    """Return how many tiles the run said to keep, to make again and to make."""
    assert isinstance(events[-1], RunFinished), events[-1]
    lines = [event.text for event in events if isinstance(event, Logged) and event.text.key == "log.night_tiles"]
    return dict(lines[0].params) if lines else None


def pixels(output: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.glob("zemosaic_MT*.fits")}


def mosaic(output: Path) -> tuple[np.ndarray, fits.Header]:
    path = next(path for path in output.glob("zemosaic_MT*.fits") if path.stem.count("_") == 2)
    return fits.getdata(path), fits.getheader(path)


@pytest.fixture(scope="module")
def nights(demo_frames, tmp_path_factory):
    """Folders: the frames of both nights, the output after the first and after both."""
    folder = tmp_path_factory.mktemp("nights")
    made = demo_frames(folder / "made", (*FIRST, *SECOND))
    frames = folder / "frames"
    frames.mkdir()
    for path in sorted(made.iterdir())[: len(FIRST)]:
        shutil.copy2(path, frames)
    assert told(night(frames, folder / "first")) is None
    for path in sorted(made.iterdir())[len(FIRST) :]:
        shutil.copy2(path, frames)
    for name in ("both", "broken", "other", "wrong"):
        shutil.copytree(folder / "first", folder / name)
        for path in (folder / name).glob("zemosaic_MT*"):
            path.unlink()
    counted = told(night(frames, folder / "both"))
    return folder, counted


def test_a_second_night_keeps_what_its_frames_do_not_touch(nights):
    folder, counted = nights
    stacked = json.loads((folder / "both" / "run_report.json").read_text())
    assert counted["kept"] >= 10 and counted["again"] > 0 and counted["new"] > 0
    (first, old), (both, new) = mosaic(folder / "first"), mosaic(folder / "both")
    right, down = (round(new[f"CRPIX{axis}"] - old[f"CRPIX{axis}"]) for axis in (1, 2))
    assert [new[f"CRVAL{axis}"] for axis in (1, 2)] == [old[f"CRVAL{axis}"] for axis in (1, 2)]
    assert new["CRPIX1"] - old["CRPIX1"] == pytest.approx(right, abs=1e-6)
    same = both[:, down : down + first.shape[1], right : right + first.shape[2]]
    lit = first[1] != 0
    # The level that the mosaic keeps is that of the median frame: one number per channel.
    apart = (same[1] - first[1])[lit]
    level = np.median(apart)
    assert np.mean(np.abs(apart - level) < 1e-3) > 0.3, "tiles that are kept are the same pixels"
    assert len(stacked["frames"]) == len(FIRST) + len(SECOND)


def test_a_night_broken_off_and_gone_on_with_gives_the_same_bytes(nights):
    folder, _ = nights
    frames, broken = folder / "frames", folder / "broken"
    assert isinstance(night(frames, broken, lambda run: os.kill(run.pid, signal.SIGKILL))[-1], RunFailed)
    told(night(frames, broken, num_processing_workers=1))
    assert pixels(broken) == pixels(folder / "both")
    stores = [path for path in (broken / WORK_NAME).glob("**/canvas_*.zarr") if path.is_dir()]
    assert len(stores) == 1, "one set of tiles is kept"


@pytest.mark.slow
def test_nothing_new_costs_nothing_and_other_settings_or_lost_frames_are_made_again(nights):
    folder, _ = nights
    frames, other = folder / "frames", folder / "other"
    before = pixels(folder / "both")
    nothing = told(night(frames, folder / "both"))
    assert pixels(folder / "both") == before
    assert nothing["again"] == nothing["new"] == 0
    fewer = folder / "fewer"
    fewer.mkdir()
    assert told(night(frames, other, stacking_kappa_low=2.5)) is None, "nothing is known of other settings"
    gone = sorted(frames.iterdir())[0]
    gone.rename(fewer / gone.name)
    try:
        counted = told(night(frames, other, stacking_kappa_low=2.5))
    finally:
        (fewer / gone.name).rename(gone)
    assert counted["kept"] > 0 and counted["again"] > 0 and counted["new"] == 0
    assert isinstance(night(frames, other, stacking_kappa_low=2.5, keep_work_files=False)[-1], RunFinished)
    assert not (other / WORK_NAME).exists()


@pytest.mark.slow
def test_what_new_frames_contradict_is_calibrated_anew(nights):
    folder, _ = nights
    frames, wrong = folder / "frames", folder / "wrong"
    spoil(wrong / WORK_NAME / "journal.sqlite", sorted(frames.iterdir())[3])
    events = night(frames, wrong)
    told(events)
    lines = [
        event.text.params["frames"]
        for event in events
        if isinstance(event, Logged) and "recalibrated" in event.text.key
    ]
    assert lines and lines[0] >= 1
    (right, _), (got, _) = mosaic(folder / "both"), mosaic(wrong)
    lit = (right[1] != 0) & (got[1] != 0)
    apart = (got[1] - right[1])[lit]
    assert np.abs(np.percentile(apart, [2, 98]) - np.median(apart)).max() < 20.0, "60 in one frame of two is not left"


def spoil(journal: Path, frame: Path) -> None:
    """Make the sky of one frame wrong in what an earlier night left."""
    with contextlib.closing(sqlite3.connect(journal)) as db:
        wanted, stored = db.execute("SELECT digest, payload FROM entries WHERE kind='night'").fetchone()
    values = unpack(zlib.decompress(stored))
    for channel in values["fields"][0]["frames"][str(frame)]["sky_adu"]:
        channel[0] += 60.0
    entries = Journal(journal)
    entries.put("night", "last", wanted, zlib.compress(pack(values)))
    entries.close()
