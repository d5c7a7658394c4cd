"""What the catalogue of a finished mosaic's stars is worth: compares it with the truth of a simulated survey.

python -m benchmarks.catalogue --skysim DIR/skysim.py SURVEY MOSAIC [SURVEY MOSAIC ...]

SURVEY is what `skysim.py make` wrote.  MOSAIC is the mosaic of a run over its frames, with the catalogue beside it
(`save_star_catalogue`).  Limits: scatter and places at most 1.1 times those that the score itself measures with
apertures; 98 % of the stars of S/N 10 found; 1 % of the entries false; zero point and gains of white within 0.01 mag;
ten seconds of the processor for 100 megapixels.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from scipy.spatial import cKDTree

from zemosaic.arrays import median_sigma
from zemosaic.catalogue.star_colours import load_colours
from zemosaic.stars.apertures import windows
from zemosaic.stars.detect import find_stars, joined
from zemosaic.store.mosaic_file import MosaicFile
from zemosaic.wcs import separation_deg

MATCH_ARCSEC = 5.0
ALONE_ARCSEC = 25.0
ALONE_SHARE = 0.03
"""A star counts as alone where no other within that distance has more of its light."""
BORDER_PX = 20
STRONG_SNR = 60.0
FAINT_SNR = (10.0, 14.0)
SUN = 0.82


@dataclass(frozen=True)
class Figure:
    """One figure, what is asked of it, and whether it holds."""

    name: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the figure keeps its limit."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


@dataclass(frozen=True)
class Truth:
    """The stars of the simulated sky on a mosaic; first axis: stars."""

    place: np.ndarray
    """Pixels, shape (n, 2)."""
    flux: np.ndarray
    """Green, in electrons of one exposure."""
    mag: np.ndarray
    depth: np.ndarray
    """Frames at the star."""
    alone: np.ndarray
    every: np.ndarray
    """Pixels of all stars, also of those at edges, shape (m, 2)."""


def main() -> int:
    """Print the figures of all surveys; 1 if one falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skysim", type=Path, required=True)
    parser.add_argument("pairs", type=Path, nargs="+")
    options = parser.parse_args()
    skysim = _module(options.skysim)
    short = 0
    for survey, mosaic in zip(options.pairs[::2], options.pairs[1::2], strict=True):
        print(f"== {survey.name}")
        for figure in figures(skysim, survey, mosaic):
            sign = ">=" if figure.at_least else "<="
            print(
                f"{figure.name:44s} {figure.value:9.4f}  {sign} {figure.limit:.4f}{'' if figure.holds else '  SHORT'}"
            )
            short += not figure.holds
    return int(short > 0)


def figures(skysim: ModuleType, survey: Path, mosaic: Path) -> list[Figure]:
    """Return the figures of one survey."""
    scenario = {**skysim.DEFAULT, **json.loads((survey / "truth" / "scenario.json").read_text())}
    header, pixels = fits.getheader(mosaic), MosaicFile(mosaic)
    wcs = WCS(header).celestial
    scale = 3600.0 * math.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))
    truth = _truth(survey, mosaic, wcs, scale, scenario)
    stars = Table.read(mosaic.with_name(mosaic.name.replace(".fits", "_stars.ecsv")))
    score = skysim.score(survey, mosaic)
    seen = np.column_stack([stars["x"] - 1.0, stars["y"] - 1.0])
    away, which = cKDTree(seen).query(truth.place, distance_upper_bound=MATCH_ARCSEC / scale)
    found = np.isfinite(away)
    flux = np.full(len(away), np.nan)
    flux[found] = stars["flux_green"][which[found]]
    clean = found & truth.alone
    clean[found] &= np.asarray(stars["flags"][which[found]] == 0)
    strong = clean & (truth.flux * np.sqrt(truth.depth) > STRONG_SNR * np.sqrt(truth.flux + math.pi * 36.0 * 40.0))
    strong &= truth.mag < 13.6
    off = -2.5 * np.log10(flux[strong] / truth.flux[strong])
    shift = scale * (seen[which[strong]] - truth.place[strong])
    spread = [median_sigma(shift[:, axis] - np.median(shift[:, axis])) for axis in (0, 1)]
    told = [
        Figure("stars that decide", float(strong.sum()), 20.0, at_least=True),
        Figure(
            "photometry scatter, mmag",
            1000.0 * median_sigma(off - np.median(off)),
            1.1 * float(score["photometry_scatter_mmag"]),
        ),
        Figure("places, rms arcsec", math.hypot(*spread), 1.1 * float(score["astrometry_rms_arcsec"])),
        *_completeness(truth, stars, which, found),
        _false_entries(truth, stars, seen, scale),
        *_zero_point(header, stars, 10.0 ** (-0.4 * float(np.median(off))) * truth.flux, found, which),
    ]
    if scenario["gaia_colours"]:
        gains = skysim.white_gains(scenario)
        told += [
            Figure(f"white of {name}, mag", abs(2.5 * math.log10(header[key] / gain)), 0.01)
            for name, key, gain in zip(("red", "blue"), ("ZMGAINR", "ZMGAINB"), (gains[0], gains[2]), strict=True)
        ]
    return [*told, _cost(pixels, float(np.nanmedian(stars["fwhm"])) / scale)]


def _truth(survey: Path, mosaic: Path, wcs: WCS, scale: float, scenario: dict[str, Any]) -> Truth:
    true = np.load(survey / "truth" / "stars.npz")
    x, y = wcs.world_to_pixel_values(true["ra"], true["dec"])
    frames = MosaicFile(mosaic.with_name(mosaic.name.replace(".fits", "_coverage.fits")))
    _, height, width = frames.shape
    inside = np.isfinite(x) & (x > BORDER_PX) & (y > BORDER_PX) & (x < width - BORDER_PX) & (y < height - BORDER_PX)
    flux = true["flux"][:, 1] * scenario["exptime"]
    depth = np.zeros(len(x))
    cover = frames[:, :, :][0]
    rows, columns = np.rint(y[inside]).astype(int), np.rint(x[inside]).astype(int)
    depth[inside] = cover[rows, columns]
    # Close to the edge of the coverage, apertures are cut.
    edge = [cover[rows + dy, columns + dx] > 0 for dy in (-9, 0, 9) for dx in (-9, 0, 9)]
    inside[inside] &= np.logical_and.reduce(edge)
    place, flux, mag, depth = np.column_stack([x, y])[inside], flux[inside], true["mag"][inside], depth[inside]
    tree = cKDTree(place)
    alone = np.array(
        [
            all(other == star or flux[other] < ALONE_SHARE * flux[star] for other in near)
            for star, near in enumerate(tree.query_ball_point(place, ALONE_ARCSEC / scale))
        ],
        bool,
    )
    every = np.column_stack([x, y])[np.isfinite(x) & np.isfinite(y)]
    return Truth(place, flux, mag, depth, alone, every)


def _completeness(truth: Truth, stars: Table, which: np.ndarray, found: np.ndarray) -> list[Figure]:
    """Return how many of the stars whose flux promises a S/N of 10 were found."""
    snr = np.full(len(found), np.nan)
    snr[found] = stars["snr"][which[found]]
    per_flux = snr / (truth.flux * np.sqrt(truth.depth))
    faint = found & truth.alone & (snr > 8.0) & (snr < 40.0)
    promised = float(np.median(per_flux[faint])) * truth.flux * np.sqrt(truth.depth)
    asked = truth.alone & (promised >= FAINT_SNR[0]) & (promised < FAINT_SNR[1])
    return [
        Figure("stars of S/N 10 to 14", float(asked.sum()), 20.0, at_least=True),
        Figure("of these found, %", 100.0 * float(found[asked].mean()), 98.0, at_least=True),
    ]


def _false_entries(truth: Truth, stars: Table, seen: np.ndarray, scale: float) -> Figure:
    """Return the part of the entries that no true star is at; saturated stars have spikes and wings of their own."""
    away, _ = cKDTree(truth.every).query(seen, distance_upper_bound=1.6 * MATCH_ARCSEC / scale)
    low, high = truth.place.min(axis=0) + 5, truth.place.max(axis=0) - 5
    inside = ((seen > low) & (seen < high)).all(axis=1)
    return Figure("false entries, %", 100.0 * float(np.mean(~np.isfinite(away[inside]))), 1.0)


def _zero_point(
    header: fits.Header, stars: Table, true_flux: np.ndarray, found: np.ndarray, which: np.ndarray
) -> list[Figure]:
    """Return how far the zero point is from that of the true fluxes of the same Gaia stars."""
    gaia = load_colours().cone(float(header["CRVAL1"]), float(header["CRVAL2"]), 5.0)
    where = np.flatnonzero(found)
    good = np.asarray(stars["flags"][which[where]] == 0)
    where = where[good]
    zero, colour = [], []
    for row in where:
        ra, dec = float(stars["ra"][which[row]]), float(stars["dec"][which[row]])
        away = separation_deg(gaia.ra_deg, gaia.dec_deg, ra, dec)
        near = int(np.argmin(away))
        if 3600.0 * away[near] < MATCH_ARCSEC and np.isfinite(gaia.bp_rp[near]):
            zero.append(float(gaia.g_mag[near] + 2.5 * np.log10(true_flux[row])))
            colour.append(float(gaia.bp_rp[near]) - SUN)
    if len(zero) < 3:
        return []
    term = float(header["MAGCTERM"])
    level = float(np.median(np.array(zero) - term * np.array(colour)))
    return [
        Figure("stars of the zero point", float(len(zero)), 3.0, at_least=True),
        Figure("zero point, mag", abs(float(header["MAGZPT"]) - level), 0.01),
    ]


def _cost(pixels: MosaicFile, fwhm_px: float) -> Figure:
    _, height, width = pixels.shape
    joined(find_stars(pixels, [(0, 300, 0, 300)], fwhm_px, None), pixels.shape[0])
    began = time.process_time()
    joined(find_stars(pixels, windows((0, height, 0, width)), fwhm_px, None), pixels.shape[0])
    return Figure("CPU s for 100 Mpx", (time.process_time() - began) / (height * width) * 1e8, 10.0)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("skysim", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["skysim"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
