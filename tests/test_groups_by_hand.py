"""Groups put together by hand, from the table of frames to the mosaic: each stands for itself."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path

import pytest
from astropy.io import fits

from zemosaic import worker
from zemosaic.events import Event, Logged, RunFinished, Warned
from zemosaic.settings.schema import Settings
from zemosaic.store.pixel_record import records_from_text

SDEADS = (0, 1, 2, 18, 19)
"""Two pointings."""
GROUP = (0, 3)
"""One frame of each."""
DEAD = (37, 41)
"""Row and column of a pixel that is dead in the group's frames alone."""
REGION = "314.5,44.15,0.3,0.4"
"""Where the pointings overlap."""


@pytest.fixture(scope="module")
def frames(demo_frames, tmp_path_factory):
    folder = demo_frames(tmp_path_factory.mktemp("survey"), SDEADS)
    for path in (sorted(folder.iterdir())[k] for k in GROUP):
        with fits.open(path, mode="update") as file:
            file[0].data[DEAD] = 0
    return folder


def table(path: Path, frames: Path, names: dict[int, str]) -> str:
    with path.open("w", newline="", encoding="utf-8") as stream:
        out = csv.writer(stream)
        out.writerow(["file_path", "keep", "group"])
        out.writerows([str(file), 1, names.get(k, "")] for k, file in enumerate(sorted(frames.iterdir())))
    return str(path)


def run_of(frames: Path, output: Path, names: dict[int, str], **changes: object) -> list[Event]:
    output.mkdir(exist_ok=True)
    values = {
        "solver": "embedded",
        "num_processing_workers": 1,
        "region_of_interest": REGION,
        "language": "fr",
        "excluded_frames": table(output.parent / "table.csv", frames, names) if names else "",
    }
    run = worker.start(Settings(input_dir=str(frames), output_dir=str(output), **(values | changes)))
    try:
        seen = list(run.events())
    finally:
        run.close()
    assert isinstance(seen[-1], RunFinished), seen[-1]
    return seen


def report(output: Path) -> dict:
    return json.loads((output / "run_report.json").read_text(encoding="utf-8"))


def pixels(output: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in output.glob("zemosaic_MT*.fits")}


def logged(events: list[Event], key: str) -> list[dict]:
    return [dict(event.text.params) for event in events if isinstance(event, Logged) and event.text.key == key]


def test_a_group_has_a_master_tile_of_its_own(frames, tmp_path):
    output = tmp_path / "classic"
    names = dict.fromkeys(GROUP, "Jetée & nord")
    events = run_of(frames, output, names, mosaic_mode="classic", save_master_tiles=True, save_frames_csv=True)
    assert logged(events, "log.groups_by_hand") == [{"groups": 1, "frames": 2, "sizes": "Jetée & nord (2)"}]
    small = [event.text.params for event in events if isinstance(event, Warned) and "group_by_hand" in event.text.key]
    assert [(told["group"], told["frames"]) for told in small] == [("Jetée & nord", 2)]
    told = report(output)
    assert [frame.get("group") for frame in told["frames"]] == [names.get(k) for k in range(len(SDEADS))]
    mine = [tile for tile in told["tiles"] if tile.get("group") == "Jetée & nord"]
    others = [tile["frames_planned"] for tile in told["tiles"] if "group" not in tile]
    assert [tile["frames_planned"] for tile in mine] == [2], "one tile, though its frames point to two places"
    assert sum(others) == len(SDEADS) - 2
    tiles = [path for path in (output / "master_tiles").glob("*.fits") if path.stem[-3:].isdigit()]
    heads = [fits.getheader(path) for path in tiles]
    assert [head["NCOMBINE"] for head in heads if head.get("ZMGROUP") == "Jetee & nord"] == [2]
    assert all("ZMGROUP" in head or head["NCOMBINE"] <= 3 for head in heads)
    page = (output / "run_report.html").read_text(encoding="utf-8")
    assert "Jetée &amp; nord" in page and "Groupes formés à la main" in page
    with (output / "zemosaic_frames.csv").open(newline="", encoding="utf-8") as stream:
        assert [row["group"] for row in csv.DictReader(stream)] == [names.get(k, "") for k in range(len(SDEADS))]


def test_defects_are_learnt_from_a_group_alone_and_a_new_grouping_is_noticed(frames, tmp_path):
    kept, fresh, names = tmp_path / "kept", tmp_path / "fresh", dict.fromkeys(GROUP, "nord")
    place = DEAD[0] * fits.getheader(sorted(frames.iterdir())[0])["NAXIS1"] + DEAD[1]
    grid = {"mosaic_mode": "grid", "keep_work_files": True}
    run_of(frames, kept, {}, **grid)
    before = pixels(kept)
    cameras = records_from_text(report(kept)["pixel_record"])[0].cameras
    assert [place in camera.defects for camera in cameras] == [False], "two frames of five do not make a defect"

    again = run_of(frames, kept, names, **grid)
    assert logged(again, "log.night_regrouped") == [{}], "what an earlier night left is not held"
    record = records_from_text(report(kept)["pixel_record"])[0]
    dead = [place in record.cameras[record.frames.camera(k)].defects for k in record.frames.ids]
    assert dead == [k in GROUP for k in record.frames.ids]
    run_of(frames, fresh, names, **grid)
    assert pixels(kept) == pixels(fresh) != before


@pytest.mark.slow
def test_the_same_groups_hold_and_given_up_ones_do_not(frames, tmp_path):
    kept, names = tmp_path / "kept", dict.fromkeys(GROUP, "nord")
    grid = {"mosaic_mode": "grid", "keep_work_files": True}
    run_of(frames, tmp_path / "fresh", {}, **grid)
    run_of(frames, kept, names, **grid)
    same = run_of(frames, kept, names, **grid)
    assert logged(same, "log.night_regrouped") == []
    assert logged(same, "log.night_tiles")[0]["new"] == 0 == logged(same, "log.night_tiles")[0]["again"]
    back = run_of(frames, kept, {}, **grid)
    assert logged(back, "log.night_regrouped") == [{}]
    assert pixels(kept) == pixels(tmp_path / "fresh")
