"""One folder, one mosaic: two telescopes, mono and Bayer frames, two nights, the meridian between."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import sep
from astropy.io import fits
from astropy.wcs import WCS
from sky_frames import pictured
from star_lists import Sky, make_sky, true_wcs

from zemosaic import worker
from zemosaic.catalogue import CellCatalogue
from zemosaic.events import FrameSolved, RunFinished
from zemosaic.settings.schema import Settings
from zemosaic.wcs import FrameWcs

CENTRE = (305.6, 40.2)
NIGHTS = ("2025-08-12T21", "2025-08-14T22")
PER_NIGHT = 8


@dataclass(frozen=True)
class Telescope:
    name: str
    scale_arcsec: float
    size: tuple[int, int]
    bend_px: float
    bayer: str | None
    mirrored: bool


TELESCOPES = (
    Telescope("Bayer", 2.39, (760, 900), 1.0, "GRBG", False),
    Telescope("mono", 1.7, (900, 700), -0.6, None, True),
)


def expose(folder: Path, sky: Sky, telescope: Telescope, night: int, number: int) -> tuple[str, FrameWcs]:
    """Write a frame; the telescope turns over halfway through the night and bends otherwise in the second one."""
    rng = np.random.default_rng(1000 * night + number)
    local = FrameWcs(*CENTRE, 0.0, 0.0, ((1.0, 0.0), (0.0, 1.0)))
    ra, dec = (float(v) for v in local.pixel_to_sky(*rng.normal(0.0, 0.03, 2)))
    turn = 8.0 + 3.0 * night + (180.0 if number >= PER_NIGHT // 2 else 0.0)
    bend = telescope.bend_px * (1.0 + 0.4 * night)
    wcs = true_wcs(ra, dec, turn, telescope.mirrored, telescope.scale_arcsec, telescope.size, bend)
    header = {"RA": ra + 0.02, "DEC": dec - 0.02, "EXPTIME": 10.0, "INSTRUME": telescope.name, "OBJECT": "Sadr"}
    header |= {"FOCALLEN": 250.0, "XPIXSZ": telescope.scale_arcsec * 250.0 / 206.264806}
    header |= {"DATE-OBS": f"{NIGHTS[night]}:{number:02d}:00"}
    if telescope.bayer is not None:
        header["BAYERPAT"] = telescope.bayer
    path = folder / f"{telescope.name}_{night}_{number}.fit"
    image = pictured(sky, wcs, 1000 * night + number, telescope.size)
    fits.PrimaryHDU(image, fits.Header(header)).writeto(path)
    return path.name, wcs


@pytest.fixture(scope="module")
def survey(tycho: CellCatalogue, tmp_path_factory: pytest.TempPathFactory):
    """The true places of the frames, the sky, the output folder and the events of the run."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "lights").mkdir()
    sky = make_sky(tycho, *CENTRE, 1.0, 5, strangers_per_deg2=0.0)
    truth = dict(
        expose(folder / "lights", sky, telescope, night, number)
        for telescope in TELESCOPES
        for night in range(len(NIGHTS))
        for number in range(PER_NIGHT)
    )
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (folder / "lights").iterdir()}
    settings = Settings(
        input_dir=str(folder / "lights"), output_dir=str(folder / "out"), solver="embedded", num_processing_workers=1
    )
    run = worker.start(settings)
    try:
        events = list(run.events())
    finally:
        run.close()
    assert isinstance(events[-1], RunFinished), events[-1]
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (folder / "lights").iterdir()} == before
    return truth, sky, folder / "out", events


def test_every_frame_comes_to_its_place(survey):
    truth, _, _, events = survey
    told = {Path(event.path).name: event for event in events if isinstance(event, FrameSolved)}
    assert set(told) == set(truth)
    for name, event in told.items():
        telescope = next(telescope for telescope in TELESCOPES if name.startswith(telescope.name))
        width, height = telescope.size
        there = truth[name].sky_to_pixel(np.array(event.corners_ra_deg), np.array(event.corners_dec_deg))
        wanted = truth[name].sky_to_pixel(*truth[name].corners(width, height))
        assert np.hypot(there[0] - wanted[0], there[1] - wanted[1]).max() < 0.5, name


def test_the_report_tells_how_every_frame_was_solved(survey):
    truth, _, output, events = survey
    report = json.loads((output / "run_report.json").read_text(encoding="utf-8"))
    told = {Path(event.path).name: event for event in events if isinstance(event, FrameSolved)}
    assert {frame["status"] for frame in report["frames"]} == {"used"}
    assert len(report["frames"]) == len(truth)
    for frame in report["frames"]:
        event, metrics = told[Path(frame["path"]).name], frame["metrics"]
        assert event.how in ("embedded", "propagated")
        assert (metrics["how"], metrics["n_matched"]) == (event.how, event.n_matched)
        assert event.n_matched >= 6
        assert metrics["rms_arcsec"] == pytest.approx(event.rms_arcsec)


def test_stars_stand_where_they_should(survey):
    _, sky, _, events = survey
    with fits.open(events[-1].mosaic) as hdus:
        green = np.ascontiguousarray(hdus[0].data[1], np.float32)
        wcs = WCS(hdus[0].header).celestial
    x, y = wcs.all_world2pix(np.column_stack([sky.ra, sky.dec]), 0).T
    middle = (np.abs(x - green.shape[1] / 2) < 250) & (np.abs(y - green.shape[0] / 2) < 250)
    bright = np.flatnonzero(middle)[np.argsort(sky.mag[middle])][:15]
    seen_x, seen_y, _ = sep.winpos(green - np.nanmedian(green), x[bright], y[bright], np.full(len(bright), 1.5))
    scale = 3600.0 * np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))
    off = scale * np.hypot(seen_x - x[bright], seen_y - y[bright])
    assert np.median(off) < 0.25
