"""What other programs say of our files: fitsverify of every kind, Siril of the picture and its place on the sky."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from run_of_frames import CANVAS
from test_phase_export import export
from waiting import PATIENCE_S

from zemosaic.export.fits import write_fits
from zemosaic.export.grid_file import FITS_NAME, GridPlace, SavedGrid, write_grid
from zemosaic.wcs import FrameWcs

write_planes = partial(write_fits, axis_order="CHW")
TURNED = FrameWcs(350.1, -62.3, 20.3, 33.3, ((-2e-4, 1e-4), (1e-4, 2e-4)))


def complaints(path: Path) -> str:
    """Return what fitsverify says of a file that has a fault or a warning, empty where it has none."""
    program = shutil.which("fitsverify")
    if program is None:
        pytest.skip("fitsverify is not installed")
    told = subprocess.run([program, str(path)], capture_output=True, text=True, check=False).stdout
    return "" if "found 0 warning(s) and 0 error(s)" in told else told


@pytest.mark.parametrize(
    ("settings", "end"),
    [
        ({}, ".fits"),
        ({"save_final_as_uint16": True, "global_wcs_autocrop_enabled": True}, ".fits"),
        ({"save_compressed_fits": True}, ".fits.fz"),
        ({"save_compressed_fits": True, "save_final_as_uint16": True}, ".fits.fz"),
    ],
)
def test_fitsverify_is_content_with_all_files_of_a_run(tmp_path, settings, end):
    export(tmp_path, save_rejection_maps=True, **settings)
    kinds = ("", "_coverage", "_weight", "_sigma", "_rejected")
    assert {path.name for path in tmp_path.glob("*.fits*")} == {f"zemosaic_MT1_R1{kind}{end}" for kind in kinds}
    for path in tmp_path.glob("*.fits*"):
        assert not complaints(path), path.name


@pytest.mark.parametrize("wcs", [CANVAS, TURNED, FrameWcs(10.0, 89.9, 20.0, 30.0, TURNED.cd, projection="ZEA")])
def test_fitsverify_is_content_with_the_saved_grid(tmp_path, wcs):
    write_grid(GridPlace(tmp_path), SavedGrid(wcs, 4200, 6001, "M 31"))
    assert not complaints(tmp_path / FITS_NAME)


def test_fitsverify_finds_faults(tmp_path):
    write_grid(GridPlace(tmp_path), SavedGrid(CANVAS, 4200, 6001))
    path = tmp_path / FITS_NAME
    path.write_bytes(path.read_bytes().replace(b"CRVAL1  =", b"CRVAL1  X"))
    assert complaints(path)


def saved_by_siril(path: Path) -> tuple[np.ndarray, fits.Header, str]:
    """Return pixels and header of a file after Siril has opened it and saved it, and what it says of its pixels."""
    program = shutil.which("siril-cli")
    if program is None:
        pytest.skip("Siril is not installed")
    script = path.parent / "open.ssf"
    script.write_text(f"requires 1.0.0\nload {path.name}\nstat\nsave again\nclose\n", encoding="ascii")
    home = path.parent / "home"
    home.mkdir()
    words = [program, "-d", str(path.parent), "-s", str(script)]
    environment = {"HOME": str(home), "PATH": str(Path(program).parent), "LC_ALL": "C"}
    told = subprocess.run(words, capture_output=True, text=True, check=False, timeout=PATIENCE_S, env=environment)
    saved = path.parent / "again.fit"
    assert saved.exists(), told.stdout + told.stderr
    return *fits.getdata(saved, header=True), told.stdout


@pytest.mark.parametrize("wcs", [CANVAS, TURNED])
@pytest.mark.parametrize("planes", [1, 3])
@pytest.mark.parametrize(
    ("name", "dtype"), [("m.fits", "float32"), ("m.fits", "uint16"), ("m.fits.fz", "float32"), ("m.fits.fz", "uint16")]
)
def test_siril_opens_the_mosaic_the_right_way_up_and_at_its_place(tmp_path, name, dtype, planes, wcs):
    source = np.random.default_rng(0).normal(100, 10, (planes, 70, 53)).astype(np.float32)
    source[:, :5] = np.nan
    path = tmp_path / name
    write_planes(path, source, wcs=wcs, dtype=dtype, compressed=name.endswith(".fz"), empty="zero")
    with fits.open(path, ignore_blank=True) as hdus:
        ours = np.array(hdus[-1].data)
    theirs, header, told = saved_by_siril(path)
    assert told.count("Mean:") == planes and "nan" not in told
    if dtype == "float32" and theirs.max() <= 1.0:  # Siril brings floats to the range from 0 to 1
        theirs = theirs * np.float32(65535)
    assert header["ROWORDER"] == "BOTTOM-UP"
    assert np.allclose(theirs, ours, rtol=1e-6, atol=0)
    x, y = np.array([0.0, 52.0, 0.0, 52.0]), np.array([0.0, 0.0, 69.0, 69.0])
    there = wcs.sky_to_pixel(*WCS(header).celestial.all_pix2world(x, y, 0))
    assert np.hypot(there[0] - x, there[1] - y).max() < 0.01
