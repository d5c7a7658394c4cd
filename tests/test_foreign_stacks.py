"""Stacks made by other programs become a mosaic: files as ASTAP and PixInsight write them, and ones that Siril made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import sep
from astropy.io import fits
from astropy.wcs import WCS
from waiting import PATIENCE_S

from zemosaic import demo, worker
from zemosaic.events import RunFinished
from zemosaic.settings.schema import Settings
from zemosaic.wcs import from_tangent_plane

WIDTH, HEIGHT = 620, 520
SCALE = demo.SCALE_DEG
FWHM_PX = 2.6
NOISE_E = 4.0
SIP = {"A_ORDER": 2, "B_ORDER": 2, "A_2_0": 3e-6, "A_1_1": -2e-6, "B_0_2": 2.5e-6, "B_1_1": 2e-6}


def plane(east_px: float, turn_deg: float, cards: str) -> WCS:
    """Return the WCS of a stack so far east of the field's middle, with a CD matrix and SIP, or PC and CDELT."""
    ra, dec = from_tangent_plane(np.array(east_px * SCALE), np.array(0.0), demo.RA_DEG, demo.DEC_DEG)
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = ("RA---TAN-SIP", "DEC--TAN-SIP") if cards == "CD" else ("RA---TAN", "DEC--TAN")
    header["CRVAL1"], header["CRVAL2"] = float(ra), float(dec)
    header["CRPIX1"], header["CRPIX2"] = 0.5 * (WIDTH + 1), 0.5 * (HEIGHT + 1)
    for name, turn in (("1_1", -c), ("1_2", s), ("2_1", s), ("2_2", c)):
        header[f"{cards}{name}"] = turn * SCALE if cards == "CD" else turn
    if cards == "CD":
        header.update(SIP)
    else:
        header["CDELT1"] = header["CDELT2"] = SCALE
    return WCS(header)


def picture(wcs: WCS, sky: demo.TrueSky, seed: int) -> np.ndarray:
    """Return the stars of the demo's sky through a WCS, in electrons, shape (3, HEIGHT, WIDTH)."""
    planes = np.random.default_rng(seed).normal(60.0, NOISE_E, (3, HEIGHT, WIDTH))
    x, y = wcs.all_world2pix(sky.ra_deg, sky.dec_deg, 0)
    sigma = FWHM_PX / 2.3548
    for k in np.flatnonzero((x > 6) & (y > 6) & (x < WIDTH - 7) & (y < HEIGHT - 7)):
        row, column = int(y[k]), int(x[k])
        v, u = np.mgrid[row - 6 : row + 8, column - 6 : column + 8]
        star = np.exp(-((u - x[k]) ** 2 + (v - y[k]) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
        planes[:, row - 6 : row + 8, column - 6 : column + 8] += sky.electrons[k][:, None, None] * star
    return planes


def upside_down(header: fits.Header) -> None:
    """Change a WCS to that of the picture with its rows in the other order."""
    header["CRPIX2"] = HEIGHT + 1 - header["CRPIX2"]
    for name in ("PC1_2", "PC2_2"):
        header[name] = -header[name]


def mosaic_of(folder: Path, output: Path) -> tuple[np.ndarray, WCS, RunFinished]:
    run = worker.start(
        Settings(
            input_dir=str(folder),
            output_dir=str(output),
            solver="embedded",
            num_processing_workers=1,
            use_existing_master_tiles=True,
        )
    )
    try:
        ending = list(run.events())[-1]
    finally:
        run.close()
    assert isinstance(ending, RunFinished), ending
    return fits.getdata(ending.mosaic).astype(np.float32), WCS(fits.getheader(ending.mosaic)).celestial, ending


def lonely_stars(sky: demo.TrueSky, wcs: WCS, shape: tuple[int, int], fewest_e: float) -> tuple[np.ndarray, ...]:
    """Return the place and green light of bright stars with nothing bright near them."""
    x, y = wcs.all_world2pix(sky.ra_deg, sky.dec_deg, 0)
    light = sky.electrons[:, 1]
    inside = (x > 15) & (y > 15) & (x < shape[1] - 16) & (y < shape[0] - 16)
    x, y, light = x[inside], y[inside], light[inside]
    found = []
    for k in np.flatnonzero(light > fewest_e):
        near = np.hypot(x - x[k], y - y[k]) < 12
        if light[near].sum() < 1.15 * light[k]:
            found.append(k)
    return x[found], y[found], light[found]


def measured(green: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far stars stand from given places, and their light."""
    native = np.ascontiguousarray(green, np.float32)
    native = native - np.median(native[native != 0])
    at_x, at_y, _ = sep.winpos(native, x, y, np.full(len(x), 1.3))
    light, _, _ = sep.sum_circle(native, at_x, at_y, 5.0, bkgann=(8.0, 13.0))
    return at_x - x, at_y - y, light


def test_stacks_as_astap_and_pixinsight_write_them(tmp_path):
    sky, folder = demo.true_sky(), tmp_path / "stacks"
    folder.mkdir()
    one, two = plane(-160, 12.0, "CD"), plane(160, -20.0, "PC")

    header = one.to_header(relax=True)
    for name in ("PC1_1", "PC1_2", "PC2_1", "PC2_2", "CDELT1", "CDELT2"):
        header.remove(name, ignore_missing=True)
    for name, value in zip(("CD1_1", "CD1_2", "CD2_1", "CD2_2"), one.wcs.cd.ravel(), strict=True):
        header[name] = value
    header["PLTSOLVD"], header["SOFTWARE"], header["EXPTIME"] = True, "ASTAP, astap.org", 600.0
    counts = np.clip(np.rint(10.0 * picture(one, sky, 1) + 500.0), 0, 65535).astype(np.uint16)
    fits.PrimaryHDU(counts, header).writeto(folder / "astap.fit")
    assert fits.getheader(folder / "astap.fit")["BITPIX"] == 16

    header = two.to_header()
    for name in ("PC1_1", "PC1_2", "PC2_1", "PC2_2"):
        header.setdefault(name, float(name[2] == name[4]))
    upside_down(header)
    header["PROGRAM"], header["ROWORDER"] = "PixInsight 1.8.9", "TOP-DOWN"
    parts = (10.0 * picture(two, sky, 2)[:, ::-1] + 900.0) / 65535.0
    fits.PrimaryHDU(np.clip(parts, 0, 1).astype(np.float32), header).writeto(folder / "pixinsight.fits")

    colour, wcs, ending = mosaic_of(folder, tmp_path / "out")
    assert ending.frames_used == 2
    x, y, light = lonely_stars(sky, wcs, colour.shape[1:], 500.0)
    lit = [
        (colour[1, int(b) - 14 : int(b) + 15, int(a) - 14 : int(a) + 15] != 0).all() for a, b in zip(x, y, strict=True)
    ]
    x, y, light = x[lit], y[lit], light[lit]
    assert len(x) > 20
    off_x, off_y, found = measured(colour[1], x, y)
    assert np.median(np.hypot(off_x, off_y)) < 0.15
    # The two scales, 10 and 10 / 65535, have become one: stars of either side are as bright as each other.
    ratio = found / light
    left, right = ratio[x < np.percentile(x, 30)], ratio[x > np.percentile(x, 70)]
    assert np.median(left) == pytest.approx(np.median(right), rel=0.05)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("siril-cli") is None, reason="Siril is not installed")
def test_stacks_made_by_siril(demo_frames, tmp_path):
    folder = tmp_path / "stacks"
    folder.mkdir()
    for number, shots in enumerate(((0, 1, 2), (18, 19, 20))):
        frames = demo_frames(tmp_path / f"lights{number}", shots)
        script = tmp_path / f"stack{number}.ssf"
        script.write_text(
            "requires 1.0.0\nconvert light -debayer -out=.\nregister light_\n"
            f"stack r_light_ mean w 3 3 -norm=addscale -out={folder / f'siril{number}'}\n",
            encoding="utf-8",
        )
        command = ["siril-cli", "-d", str(frames), "-s", str(script)]
        told = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert told.returncode == 0, told.stdout[-2000:]
    colour, wcs, ending = mosaic_of(folder, tmp_path / "out")
    assert ending.frames_used == 2
    x, y, _ = lonely_stars(demo.true_sky(), wcs, colour.shape[1:], 2000.0)
    lit = [
        (colour[1, int(b) - 14 : int(b) + 15, int(a) - 14 : int(a) + 15] != 0).all() for a, b in zip(x, y, strict=True)
    ]
    assert sum(lit) > 20
    off_x, off_y, _ = measured(colour[1], x[lit], y[lit])
    assert np.median(np.hypot(off_x, off_y)) < 0.3
