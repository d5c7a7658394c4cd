"""Two fields in one folder, and a frame of a third: two mosaics, one report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from astropy.io import fits
from astropy.wcs import WCS

from zemosaic import demo, worker
from zemosaic.events import RunFinished
from zemosaic.settings.schema import Settings

SECOND = ("M 92 field", 259.3, 43.1)
THIRD = ("far away", 300.0, 20.0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The output folder of a run over two fields and a stray frame, and how it ended."""
    folder = tmp_path_factory.mktemp("fields")
    everything = demo.exposures
    for number, (name, ra, dec) in enumerate(((demo.OBJECT, demo.RA_DEG, demo.DEC_DEG), SECOND, THIRD)):
        with pytest.MonkeyPatch.context() as patch:
            for key, value in (("OBJECT", name), ("RA_DEG", ra), ("DEC_DEG", dec)):
                patch.setattr(demo, key, value)
            shots = [everything()[k] for k in ((0, 1, 2), (0, 1), (3,))[number]]
            patch.setattr(demo, "exposures", lambda shots=shots: shots)
            demo.make_demo(folder / "lights" / str(number))
    output = folder / "out"
    settings = Settings(
        input_dir=str(folder / "lights"), output_dir=str(output), solver="embedded", num_processing_workers=1
    )
    run = worker.start(settings)
    try:
        ending = list(run.events())[-1]
    finally:
        run.close()
    assert isinstance(ending, RunFinished), ending
    return output, ending


def test_each_field_has_its_own_files(finished):
    output, ending = finished
    assert ending.frames_used == 5
    assert [Path(name).name.split("_", 3)[3] for name in ending.mosaics] == ["NGC_7000.fits", "M_92_field.fits"]
    assert ending.mosaic == ending.mosaics[0]
    for name, count, centre in zip(ending.mosaics, (3, 2), (demo.RA_DEG, SECOND[1]), strict=True):
        stem = Path(name).stem
        assert f"_R{count}_" in stem
        for end in ("_coverage.fits", "_weight.fits", "_preview.png"):
            assert (output / (stem + end)).is_file()
        header = fits.getheader(name)
        ra, _ = WCS(header).celestial.all_pix2world(header["NAXIS1"] / 2, header["NAXIS2"] / 2, 0)
        assert ra == pytest.approx(centre, abs=1.0)
        assert header["NCOMBINE"] == count
    assert fits.getheader(ending.mosaics[1])["OBJECT"] == SECOND[0]


def test_one_report_tells_of_all(finished):
    output, ending = finished
    report = json.loads((output / "run_report.json").read_text(encoding="utf-8"))
    assert report["mosaic"] == Path(ending.mosaic).name
    assert [(one["field"], one["frames_used"]) for one in report["other_fields"]] == [(SECOND[0], 2)]
    assert report["other_fields"][0]["mosaic"] == Path(ending.mosaics[1]).name
    states = sorted(frame["status"] for frame in report["frames"])
    assert states == ["rejected"] + 5 * ["used"]
    (stray,) = (frame for frame in report["frames"] if frame["status"] == "rejected")
    assert stray["reason"]["key"] == "reason.blows_canvas_up"
    page = (output / "run_report.html").read_text(encoding="utf-8")
    assert SECOND[0] in page and page.count("data:image/jpeg") == 2
