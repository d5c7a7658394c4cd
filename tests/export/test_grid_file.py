"""The saved grid: back to the last digit, told to other programs, refused when broken."""

from __future__ import annotations

import json

import pytest
from astropy.io import fits
from astropy.wcs import WCS
from run_of_frames import CANVAS

from zemosaic.errors import SettingsError
from zemosaic.export.grid_file import FITS_NAME, JSON_NAME, GridPlace, SavedGrid, read_grids, write_grid
from zemosaic.wcs import FrameWcs

WIDE = FrameWcs(350.1, -62.3, 20.3, 1 / 3, ((-2e-4, 1e-4), (1e-4, 2e-4)), projection="ZEA")


@pytest.mark.parametrize("wcs", [CANVAS, WIDE])
def test_a_grid_comes_back_as_it_was(tmp_path, wcs):
    assert read_grids(GridPlace(tmp_path)) == []
    grid = SavedGrid(wcs, 4200, 6001)
    write_grid(GridPlace(tmp_path), grid)
    assert read_grids(GridPlace(tmp_path)) == [grid]


def test_several_grids_lie_side_by_side(tmp_path):
    first, second = SavedGrid(CANVAS, 4200, 6001, "M 31"), SavedGrid(WIDE, 30, 40, "Ring")
    write_grid(GridPlace(tmp_path), first)
    write_grid(GridPlace(tmp_path), second, "Ring")
    (tmp_path / "global_mosaic_wcsfoo.json").write_text("something else")
    assert read_grids(GridPlace(tmp_path)) == [first, second]


@pytest.mark.filterwarnings("ignore:The WCS transformation has more axes")
def test_other_programs_read_the_header(tmp_path):
    write_grid(GridPlace(tmp_path), SavedGrid(WIDE, 4200, 6001))
    with fits.open(tmp_path / FITS_NAME) as hdus:
        hdus.verify("exception")
        header = hdus[0].header
        assert (header["IMAGEW"], header["IMAGEH"]) == (4200, 6001)
        ra, dec = WCS(header).all_pix2world(100.0, 50.0, 0)
    assert (ra, dec) == pytest.approx(WIDE.pixel_to_sky(100.0, 50.0), abs=1e-9)


@pytest.mark.parametrize(
    "change",
    [
        {"width": 0},
        {"height": "many"},
        {"wcs": None},
        {"wcs": {"ra_deg": 1.0}},
        {"format": None, "colour": "red"},
    ],
)
def test_a_broken_grid_is_told(tmp_path, change):
    write_grid(GridPlace(tmp_path), SavedGrid(CANVAS, 42, 60))
    content = json.loads((tmp_path / JSON_NAME).read_text())
    for key, value in change.items():
        content.pop(key, None)
        if value is not None:
            content[key] = value
    (tmp_path / JSON_NAME).write_text(json.dumps(content))
    if set(change) == {"format", "colour"}:
        (tmp_path / JSON_NAME).write_text("[1, 2")
    with pytest.raises(SettingsError) as caught:
        read_grids(GridPlace(tmp_path))
    assert caught.value.message.key == "error.grid_file_broken"
