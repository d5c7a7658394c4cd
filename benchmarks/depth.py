"""What `depth_vs_bound` of skysim's score can be: the loss that pixels and weights alone make of the frames' knowledge.

python -m benchmarks.depth --skysim DIR/skysim.py SURVEY [SURVEY ...]

The score's bound is that of stars measured on infinitely small pixels.  From the true seeing, transparency and sky of
the good frames, as if all lay in one place, this computes how much deeper that bound is than a matched filter on
(1) the frames' own pixels, which no sum of them can beat, (2) means with several weights, on true point spread
functions, without noise of the calibration, stars or interpolation.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sigma import loaded
from zemosaic.arrays import Float64s
from zemosaic.calibration.frame_weights import faint_star_weights

HALF_PX, FINE = 15, 5
"""Half side of the profiles in pixels, and points in a pixel along each axis."""
DRAWN = (-1.0 / 3.0, 0.0, 1.0 / 3.0)
"""Where the simulation reads a star's profile within a pixel."""
TURNS = 40


def main() -> None:
    """Print the figures of all surveys."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skysim", type=Path, required=True)
    parser.add_argument("survey", type=Path, nargs="+")
    options = parser.parse_args()
    skysim = loaded(options.skysim)
    for survey in options.survey:
        print(f"== {survey.name}")
        for name, value in losses(skysim, survey).items():
            print(f"{name:44} {value:.4f}")


def losses(skysim: Any, survey: Path) -> dict[str, float]:
    """Return by name how much noisier a faint star's flux is than the score's bound.

    Parameters
    ----------
    skysim : module
    survey : Path
        Folder with ``truth``.
    """
    scenario = {**skysim.DEFAULT, **json.loads((survey / "truth" / "scenario.json").read_text())}
    with (survey / "truth" / "frames.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "good"]
    passed, sky, fwhm = (np.array([float(row[key]) for row in rows]) for key in ("transparency", "sky", "fwhm"))
    precision = passed**2 / (sky + scenario["read_noise_e"] ** 2)
    pixel = math.degrees(scenario["pixel_um"] * 1e-3 / scenario["focal_mm"]) * 3600
    alpha = fwhm / pixel / (2 * math.sqrt(2 ** (1 / 3) - 1))
    bound = float((precision * 4 / (5 * math.pi * alpha**2)).sum())
    profiles = np.array([profile(a) for a in alpha])
    overlap = np.einsum("ixy,jxy->ij", profiles, profiles) / FINE**2

    def loss(weight: Float64s) -> float:
        return math.sqrt(bound * float((weight**2 / precision).sum()) / float(weight @ overlap @ weight))

    best = precision.copy()
    for _ in range(TURNS):
        best = precision * (overlap @ best)
        best /= best.max()
    return {
        "pixels alone; the proper coadd": math.sqrt(bound / float((precision * np.diag(overlap)).sum())),
        "best mean": loss(best),
        "mean, faint_stars": loss(faint_star_weights(1.0 / precision, fwhm)),
        "mean, noise_variance": loss(precision),
        "mean, noise_fwhm": loss(precision / fwhm**2),
    }


def profile(alpha: float) -> Float64s:
    """Return a star as the simulation draws it, sum 1 over pixels, on points finer than pixels.

    Parameters
    ----------
    alpha : float
        Of the Moffat profile of exponent 3, in pixels.
    """
    steps = np.arange(-HALF_PX * FINE, HALF_PX * FINE + 1) / FINE
    total = np.zeros((len(steps), len(steps)))
    for down in DRAWN:
        for across in DRAWN:
            total += (1 + ((steps + down)[:, None] ** 2 + (steps + across)[None] ** 2) / alpha**2) ** -3
    return np.asarray(total / len(DRAWN) ** 2 * 2 / (math.pi * alpha**2), np.float64)


if __name__ == "__main__":
    main()
