"""Frames through two filters become two mosaics on one grid, and lines and a colour picture where asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from zemosaic import worker
from zemosaic.errors import InputError
from zemosaic.events import Logged, RunFinished
from zemosaic.gui.presenter.result.earlier_result import find_earlier_result
from zemosaic.provenance.explain import explain_pixel
from zemosaic.provenance.pixel_story import Place
from zemosaic.settings.schema import Settings

CARDS = ("LP", "IRCUT", "IRCUT", "NaN", "LP")
"""FILTER of five frames of one camera; that of the fourth says nothing."""


def run(folder: Path, output: Path, **changes: object) -> tuple[RunFinished, list[str]]:
    values = {"input_dir": str(folder), "output_dir": str(output), "solver": "embedded", "num_processing_workers": 1}
    handle = worker.start(Settings(**(values | changes)))
    try:
        events = list(handle.events())
    finally:
        handle.close()
    assert isinstance(events[-1], RunFinished), events[-1]
    return events[-1], [event.text.key for event in events if isinstance(event, Logged)]


@pytest.fixture(scope="module")
def two_filters(demo_frames, tmp_path_factory):
    """The frames' folder, and a run that also takes the lines out of the LP mosaic and makes a HOO picture."""
    base = tmp_path_factory.mktemp("filters")
    folder = demo_frames(base / "lights", range(len(CARDS)))
    for path, name in zip(sorted(Path(folder).rglob("*.fit*")), CARDS, strict=True):
        with fits.open(path, mode="update") as hdus:
            hdus[0].header["FILTER"] = name
    ending, told = run(folder, base / "out", dual_band_planes="dual_band", combine_filters="hoo")
    return folder, base / "out", ending, told


def test_two_filters_are_two_mosaics_on_one_grid(two_filters):
    _, output, ending, told = two_filters
    mosaics = [name for name in ending.mosaics if Path(name).stem.rpartition("_")[2] in ("IRCUT", "LP")]
    assert [Path(name).stem.rpartition("_")[2] for name in mosaics] == ["IRCUT", "LP"]
    assert "log.several_filters" in told and "log.several_fields" not in told
    headers = [fits.getheader(name) for name in mosaics]
    for card in ("NAXIS1", "NAXIS2", "CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2", "OBJECT"):
        assert headers[0][card] == headers[1][card], card
    assert [(header["NCOMBINE"], header["FILTER"]) for header in headers] == [(3, "IRCUT"), (2, "LP")]
    report = json.loads((output / "run_report.json").read_text(encoding="utf-8"))
    assert report["mosaic"] == Path(ending.mosaic).name == Path(mosaics[0]).name
    assert [one["frames_used"] for one in report["other_fields"]] == [2]
    assert [(one["mosaic"], one["field"].split()[-1]) for one in report["other_fields"]] == [
        (Path(mosaics[1]).name, "LP")
    ]
    assert "IRCUT" in (page := (output / "run_report.html").read_text(encoding="utf-8")) and " LP</h2>" in page


def test_the_window_offers_all_mosaics_and_no_map(two_filters):
    _, output, ending, _ = two_filters
    found = find_earlier_result(output)
    assert found is not None and sorted(found.mosaics) == sorted(ending.mosaics)
    assert found.mosaics[0] == ending.mosaics[0] and "_HOO" in found.mosaics[0]  # what was asked for is shown first


def test_lines_and_picture_stand_in_the_report(two_filters):
    _, output, ending, told = two_filters
    report = json.loads((output / "run_report.json").read_text(encoding="utf-8"))
    (combined,) = report["combined"]
    assert combined["palette"] == "hoo" and (output / combined["picture"]).is_file()
    assert [line["band"] for line in report["line_planes"]] == ["Ha", "OIII"]
    names = [line["mosaic"] for line in report["line_planes"]]
    assert combined["planes"] == [names[0], names[1], names[1]]
    assert [Path(name).name for name in ending.mosaics] == [
        combined["mosaic"],
        report["mosaic"],
        report["other_fields"][0]["mosaic"],
        *names,
    ]
    assert "log.bands_combined" in told
    page = (output / "run_report.html").read_text(encoding="utf-8")
    assert combined["mosaic"] in page and all(name in page for name in names)
    for line in report["line_planes"]:
        plane, sigma = (fits.getdata(output / line[kind]) for kind in ("mosaic", "sigma"))
        assert plane.shape == sigma.shape and np.array_equal(plane != 0, np.nan_to_num(sigma) != 0)


def test_a_pixel_of_the_picture_is_asked_of_the_mosaics_it_is_made_of(two_filters, tmp_path):
    ending = two_filters[2]
    with pytest.raises(InputError, match=r"error\.pixel_of_bands"):
        explain_pixel(Path(ending.mosaics[0]), tmp_path, Place(100.0, 100.0))


def test_one_mosaic_on_request(two_filters, tmp_path):
    together, _ = run(two_filters[0], tmp_path / "together", mosaic_per_filter=False)
    assert len(together.mosaics) == 1 and together.frames_used == 5
