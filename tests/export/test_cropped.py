"""Parts of a finished mosaic: the same pixels, at the same place on the sky."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from zemosaic.errors import OutputError
from zemosaic.export.cropped import write_crop, write_crop_with_maps
from zemosaic.export.fits import write_fits
from zemosaic.store.mosaic_file import MosaicFile
from zemosaic.wcs import FrameWcs

PLACE = FrameWcs(83.8, -5.4, 40.2, 17.9, ((-6.6e-4, 1e-5), (1e-5, 6.6e-4)), projection="ZEA")
BOX = (11, 52, 7, 48)


def files(folder, ending, **how):
    rng = np.random.default_rng(3)
    pixels = rng.normal(900, 30, (3, 70, 60)).astype(np.float32)
    pixels[:, :20, :15] = np.nan
    mosaic = folder / f"zemosaic_MT1_R9{ending}"
    compressed = ending.endswith(".fz")
    write_fits(
        mosaic, pixels, wcs=PLACE, axis_order="CHW", compressed=compressed, cards=[("OBJECT", "M 42", "")], **how
    )
    for kind in ("coverage", "weight", "sigma"):
        dtype = "int32" if kind == "coverage" else "float32"
        plane = rng.integers(0, 40, (70, 60)).astype(np.float32)
        beside = mosaic.with_name(mosaic.name.replace(ending, f"_{kind}{ending}"))
        write_fits(beside, plane, wcs=PLACE, dtype=dtype, compressed=compressed)
    return mosaic


@pytest.mark.parametrize("ending", [".fits", ".fits.fz"])
@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_a_part_and_its_maps_have_the_pixels_and_the_sky_of_the_whole(tmp_path, ending, dtype):
    mosaic = files(tmp_path, ending, dtype=dtype)
    written = write_crop_with_maps(mosaic, tmp_path / "part.fits", BOX)
    names = ["part.fits", "part_coverage.fits", "part_weight.fits", "part_sigma.fits"]
    assert sorted(path.name for path in written) == sorted(names)
    y0, y1, x0, x1 = BOX
    for path in written:
        whole = MosaicFile(mosaic.with_name(path.name.replace("part", "zemosaic_MT1_R9").replace(".fits", ending)))
        part = MosaicFile(path)
        assert np.array_equal(part[:, :, :], whole[:, y0:y1, x0:x1], equal_nan=True)
        assert part.header["CRPIX1"] == whole.header["CRPIX1"] - x0
        with fits.open(path) as opened:
            opened.verify("exception")
        columns, rows = np.array([0.0, 13.0, 40.0]), np.array([0.0, 29.0, 40.0])
        sky = WCS(part.header).celestial.wcs_pix2world(columns, rows, 0)
        assert np.allclose(sky, WCS(whole.header).celestial.wcs_pix2world(columns + x0, rows + y0, 0), atol=1e-11)
        whole.close()
        part.close()
    assert fits.getheader(written[0])["OBJECT"] == "M 42"


def test_a_part_of_a_part_tells_its_place_in_the_whole(tmp_path):
    mosaic = files(tmp_path, ".fits")
    write_crop(mosaic, tmp_path / "a.fits", BOX)
    write_crop(tmp_path / "a.fits", tmp_path / "b.fits", (5, 15, 4, 24))
    header = fits.getheader(tmp_path / "b.fits")
    assert (header["ZMCROPX"], header["ZMCROPY"]) == (7 + 4 + 1, 11 + 5 + 1)
    assert len(header["HISTORY"]) == 2
    assert np.array_equal(fits.getdata(tmp_path / "b.fits"), fits.getdata(mosaic)[:, 16:26, 11:31], equal_nan=True)


def test_no_file_is_written_over_its_source_and_no_part_reaches_outside(tmp_path):
    mosaic = files(tmp_path, ".fits")
    before = mosaic.read_bytes()
    with pytest.raises(OutputError) as refused:
        write_crop_with_maps(mosaic, mosaic, BOX)
    assert refused.value.message.key == "error.crop_over_source" and mosaic.read_bytes() == before
    with pytest.raises(OutputError) as refused:
        write_crop(mosaic, tmp_path / "c.fits", (0, 71, 0, 10))
    assert refused.value.message.key == "error.crop_outside" and not (tmp_path / "c.fits").exists()
