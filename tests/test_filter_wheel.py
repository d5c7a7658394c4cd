"""A whole run over the frames of a filter wheel: three mosaics on one grid, and one colour picture of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from zemosaic import worker
from zemosaic.events import RunFinished
from zemosaic.settings.schema import Settings

SHOTS = (0, 1, 2)
PLACES = {"R": (0, 1), "G": (0, 0), "B": (1, 0)}
"""Row and column of a pixel of each colour in the demo's GRBG pattern."""


def wheel_frames(source: Path, folder: Path) -> Path:
    """Write each frame's red, green and blue pixels as frames of a mono camera behind a filter wheel."""
    folder.mkdir()
    for number, path in enumerate(sorted(source.rglob("*.fit*"))):
        with fits.open(path) as hdus:
            pixels, header = hdus[0].data, hdus[0].header
            assert header["BAYERPAT"] == "GRBG"
            for hour, (band, (row, column)) in enumerate(PLACES.items()):
                cards = header.copy()
                del cards["BAYERPAT"]
                cards["FILTER"] = band
                cards["DATE-OBS"] = f"2025-03-27T0{hour}:{10 + number}:00"
                cards["XPIXSZ"] = cards["YPIXSZ"] = 2 * cards["XPIXSZ"]
                fits.writeto(folder / f"{band}_{number}.fit", pixels[row::2, column::2].copy(), cards)
    return folder


@pytest.mark.slow
def test_a_filter_wheel_becomes_one_colour_picture(demo_frames, tmp_path):
    folder = wheel_frames(Path(demo_frames(tmp_path / "lights", SHOTS)), tmp_path / "wheel")
    output = tmp_path / "out"
    settings = Settings(
        input_dir=str(folder), output_dir=str(output), solver="embedded", combine_filters="rgb", save_picture="none"
    )
    handle = worker.start(settings)
    try:
        ending = list(handle.events())[-1]
    finally:
        handle.close()
    assert isinstance(ending, RunFinished), ending
    assert len(ending.mosaics) == 4 and ending.mosaics[0].endswith("_RGB.fits")
    report = json.loads((output / "run_report.json").read_text(encoding="utf-8"))
    (combined,) = report["combined"]
    planes = fits.getdata(output / combined["mosaic"])
    for plane, name, band in zip(planes, combined["planes"], "RGB", strict=True):
        single = fits.getdata(output / name)
        assert fits.getheader(output / name)["FILTER"] == band and single.ndim == 2
        there = plane != 0
        assert there.mean() > 0.5 and np.array_equal(plane[there], single[there])
