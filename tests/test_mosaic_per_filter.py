"""Frames through two filters become two mosaics on one grid."""

from __future__ import annotations

import json
from pathlib import Path

from astropy.io import fits

from zemosaic import worker
from zemosaic.events import Logged, RunFinished
from zemosaic.settings.schema import Settings


def run(folder: Path, output: Path, **changes: object) -> tuple[RunFinished, list[str]]:
    values = {"input_dir": str(folder), "output_dir": str(output), "solver": "embedded", "num_processing_workers": 1}
    handle = worker.start(Settings(**(values | changes)))
    try:
        events = list(handle.events())
    finally:
        handle.close()
    assert isinstance(events[-1], RunFinished), events[-1]
    return events[-1], [event.text.key for event in events if isinstance(event, Logged)]


def test_two_filters(demo_frames, tmp_path):
    folder = demo_frames(tmp_path / "lights", range(5))
    for number, path in enumerate(sorted(Path(folder).rglob("*.fit*"))):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["FILTER"] = ("LP", "IRCUT", "IRCUT", "", "LP")[number]
    ending, told = run(folder, tmp_path / "out")
    assert [Path(name).stem.rpartition("_")[2] for name in ending.mosaics] == ["IRCUT", "LP"]
    assert "log.several_filters" in told and "log.several_fields" not in told
    headers = [fits.getheader(name) for name in ending.mosaics]
    for card in ("NAXIS1", "NAXIS2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "OBJECT"):
        assert headers[0][card] == headers[1][card], card
    assert [(header["NCOMBINE"], header["FILTER"]) for header in headers] == [(3, "IRCUT"), (2, "LP")]
    report = json.loads((tmp_path / "out" / "run_report.json").read_text(encoding="utf-8"))
    assert report["mosaic"] == Path(ending.mosaic).name
    assert [one["frames_used"] for one in report["other_fields"]] == [2]
    together, _ = run(folder, tmp_path / "together", mosaic_per_filter=False)
    assert len(together.mosaics) == 1 and together.frames_used == 5
