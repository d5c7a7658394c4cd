"""Which double stars drizzle splits: a simulated survey of undersampled stars with pairs planted in it.

usage: python -m benchmarks.doubles --skysim DIR/skysim.py FOLDER

Makes the survey in FOLDER, runs it interpolated, drizzled once and drizzled on pixels of half the size, and prints for
each separation how deep the valley between two equal stars is, as a part of their peaks, and how many pairs are split.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numba import config
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

ROOT = Path(__file__).resolve().parents[1]
SEED = 77
SCENARIO: dict[str, Any] = {
    "name": "doubles", "seed": SEED, "pointings": [1, 1], "frames_per_pointing": 60, "nx": 720, "ny": 720,
    "fwhm_arcsec": [1.8, 2.4], "nebula_e": 5, "hot_pixels": 100, "satellites": 0.0,
}  # fmt: skip
"""Stars of 0.75 to 1 pixel FWHM."""
SEPARATIONS_PX = (0.8, 1.0, 1.2, 1.4, 1.6, 1.8)
PAIRS = 10
"""Of each separation."""
MAGNITUDE = 10.5
APART_PX = 30.0
SPLIT = 0.05
RUNS = {
    "interpolated": (),
    "drizzle 1x": ("--stacking_drizzle", "true"),
    "drizzle 2x": ("--stacking_drizzle", "true", "--drizzle_scale", "2"),
}

Floats = NDArray[np.float64]


def main() -> None:
    """Make the survey, run it three times and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skysim", type=Path, required=True)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    pairs = _make(_loaded(given.skysim, given.folder), given.folder)
    found = {name: _valleys(_run(given.folder, name, flags), pairs) for name, flags in RUNS.items()}
    print("| Separation, px | " + " | ".join(RUNS) + " |\n" + "|---" * (len(RUNS) + 1) + "|")
    for number, separation in enumerate(SEPARATIONS_PX):
        cells = []
        for valleys in found.values():
            own = valleys[number :: len(SEPARATIONS_PX)]
            cells.append(f"{np.median(own):.2f}, {(own > SPLIT).sum()} of {len(own)}")
        print(f"| {separation} | " + " | ".join(cells) + " |")


def _loaded(path: Path, folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("skysim", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"no simulator at {path}")
    module = importlib.util.module_from_spec(spec)
    # Its compiled functions are kept with the survey: nothing is written beside the simulator.
    config.CACHE_DIR = str(folder / "compiled")
    sys.modules["skysim"] = module
    spec.loader.exec_module(module)
    return module


def _make(skysim: ModuleType, folder: Path) -> Floats:
    """Write the survey; returns the planted pairs, shape (pairs, 2, 2): star, then RA and Dec."""
    folder.mkdir(parents=True, exist_ok=True)
    scenario = folder / "scenario.json"
    scenario.write_text(json.dumps(SCENARIO))
    settings = {**skysim.DEFAULT, **SCENARIO}
    planted: list[Floats] = []

    class Doubles(skysim.Sky):  # type: ignore[misc, name-defined]
        def __init__(self, sc: dict[str, Any]) -> None:
            super().__init__(sc)
            pairs = _pairs(skysim, settings, self)
            planted.append(pairs)
            ra, dec = pairs.reshape(-1, 2).T
            light = skysim.ZEROPOINT_E_PER_S * 10 ** (-0.4 * MAGNITUDE) * np.array([0.75, 1.0, 0.6])
            self.ra, self.dec = np.r_[self.ra, ra], np.r_[self.dec, dec]
            self.mag = np.r_[self.mag, np.full(len(ra), MAGNITUDE)]
            self.flux = np.r_[self.flux, np.tile(light, (len(ra), 1))]
            self.real = np.r_[self.real, np.zeros(len(ra), bool)]

    skysim.Sky = Doubles  # type: ignore[attr-defined]
    skysim.make(scenario, folder)
    return planted[0]


def _pairs(skysim: ModuleType, settings: dict[str, Any], sky: Any) -> Floats:
    """Return places for the pairs, away from other stars and from each other, in the middle of the field."""
    rng = np.random.default_rng(SEED)
    scale = np.degrees(settings["pixel_um"] * 1e-3 / settings["focal_mm"])
    taken = np.column_stack(skysim.tan(sky.ra, sky.dec, settings["ra"], settings["dec"])) / scale
    taken = taken[sky.mag < 13.5]
    found: list[Floats] = []
    while len(found) < PAIRS * len(SEPARATIONS_PX):
        middle = rng.uniform(-0.38, 0.38, 2) * settings["nx"]
        if np.hypot(*(taken - middle).T).min() < APART_PX:
            continue
        taken = np.vstack([taken, middle])
        angle = rng.uniform(0, np.pi)
        half = 0.5 * SEPARATIONS_PX[len(found) % len(SEPARATIONS_PX)] * np.array([np.cos(angle), np.sin(angle)])
        xi, eta = (np.array([middle - half, middle + half]) * scale).T
        found.append(np.column_stack(skysim.untan(xi, eta, settings["ra"], settings["dec"])))
    return np.array(found)


def _run(folder: Path, name: str, flags: tuple[str, ...]) -> Path:
    """Make a mosaic; returns its file."""
    out = folder / name.replace(" ", "_")
    command = [sys.executable, str(ROOT / "run_zemosaic.py"), "--input_dir", str(folder / "lights")]
    subprocess.run([*command, "--output_dir", str(out), *flags], check=True, stdout=subprocess.DEVNULL)
    mosaic: str = json.loads((out / "run_report.json").read_text(encoding="utf-8"))["mosaic"]
    return out / mosaic


def _valleys(mosaic: Path, pairs: Floats) -> Floats:
    """Return how far the green light midway between two stars lies below their peaks, as a part of these."""
    green = np.nan_to_num(fits.getdata(mosaic)[1].astype(float))
    wcs = WCS(fits.getheader(mosaic)).celestial
    step = np.linspace(0.0, 1.0, 41)
    found = []
    for pair in pairs:
        (x0, x1), (y0, y1) = wcs.world_to_pixel_values(pair[:, 0], pair[:, 1])
        place = np.array([y0 + step * (y1 - y0), x0 + step * (x1 - x0)])
        row, column = int(place[0].mean()), int(place[1].mean())
        level = np.median(green[row - 40 : row + 41, column - 40 : column + 41])
        light = map_coordinates(green, place, order=3) - level
        half = len(step) // 2
        found.append(1.0 - light[half] / min(light[: half + 1].max(), light[half:].max()))
    return np.array(found)


if __name__ == "__main__":
    main()
