"""Whether the sigma map is true: how far simulated mosaics are from their truth, in the noise that the map states.

python -m benchmarks.sigma --skysim DIR/skysim.py SURVEY MOSAIC [SURVEY MOSAIC ...]

MOSAIC.fits has its map beside it (MOSAIC_sigma.fits).  Cells of 64 pixels count whose pixels are at least to a third
free of stars; the truth is the diffuse light of the survey with one gain and one constant for each colour.  Printed
per colour: the median of the cells' reduced chi squared and the part of the cells within 0.85 to 1.15, first against
the light of the sky itself, then against that light as the simulation draws it into the frames (on every 32nd pixel
of a frame, which flattens its finest structure), then of the noise about each cell's own mean alone.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import math
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np

from zemosaic.arrays import Float32s, Float64s, median_sigma

CELL_PX = 64
MIN_FREE = 1.0 / 3.0
WITHIN = (0.85, 1.15)
FIT_CLIP = 4.0


@dataclass(frozen=True)
class Chi:
    """Reduced chi squared of cells."""

    median: float
    within: float
    """Part of the cells within 0.85 to 1.15."""
    cells: int


def main() -> None:
    """Print the figures of all mosaics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skysim", type=Path, required=True)
    parser.add_argument("pair", type=Path, nargs="+", help="a survey's folder and its mosaic, in turns")
    options = parser.parse_args()
    skysim = loaded(options.skysim)
    for survey, mosaic in zip(options.pair[::2], options.pair[1::2], strict=True):
        print(f"== {survey.name}")
        for name, colours in figures(skysim, survey, mosaic).items():
            told = ", ".join(f"{chi.median:.3f} ({100 * chi.within:.0f} % of {chi.cells})" for chi in colours)
            print(f"{name:28} {told}")


def loaded(path: Path) -> ModuleType:
    """Return the simulation as a module.

    Parameters
    ----------
    path : Path
        Of ``skysim.py``.
    """
    spec = importlib.util.spec_from_file_location("skysim", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def figures(skysim: Any, survey: Path, mosaic: Path) -> dict[str, list[Chi]]:
    """Return the chi squared of the cells by kind, one for each colour.

    Parameters
    ----------
    skysim : module
    survey : Path
        Folder with ``lights`` and ``truth``.
    mosaic : Path
    """
    scenario = {**skysim.DEFAULT, **json.loads((survey / "truth" / "scenario.json").read_text())}
    with (survey / "truth" / "frames.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["kind"] == "good"]
    value, wcs, _ = skysim.load_mosaic(mosaic)
    sigma = skysim.load_mosaic(mosaic.with_name(f"{mosaic.stem}_sigma.fits"))[0]
    sky = skysim.Sky(scenario)
    truths = {
        "sky itself": diffuse_light(sky, wcs, value.shape[1:]),
        "sky as drawn": drawn_light(skysim, sky, scenario, rows, wcs, value.shape[1:]),
    }
    free = free_of_stars(survey, scenario, rows, wcs, value.shape[1:]) & (value[1] != 0) & np.isfinite(value[1])
    found: dict[str, list[Chi]] = {name: [] for name in (*truths, "about each cell's mean")}
    channels = range(3) if scenario["bayer"] else [1]
    for c in channels:
        for name, truth in truths.items():
            good = free & np.isfinite(sigma[c]) & np.isfinite(truth[..., c])
            rest = (value[c] - fitted(truth[..., c], value[c], good)) / sigma[c]
            found[name].append(chi_of_cells(rest, good, centred=False))
        found["about each cell's mean"].append(chi_of_cells(rest, good, centred=True))
    return found


def diffuse_light(sky: Any, wcs: Any, shape: tuple[int, int], step: int = 8) -> Float32s:
    """Return the true light on the mosaic's pixels, shape (h, w, 3); read on every 8th pixel and cubic between."""
    rows, columns = (np.arange(0, n + 2 * step, step) for n in shape)
    ra, dec = wcs.pixel_to_world_values(*np.meshgrid(columns, rows))
    coarse = np.asarray(sky.diffuse(ra, dec), np.float32)
    x, y = np.meshgrid(np.arange(shape[1], dtype=np.float32) / step, np.arange(shape[0], dtype=np.float32) / step)
    return np.asarray(cv2.remap(coarse, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.float32)


def drawn_light(
    skysim: Any, sky: Any, scenario: dict[str, Any], rows: list[dict[str, Any]], wcs: Any, shape: tuple[int, int]
) -> Float32s:
    """Return the light as the simulation draws it into its frames, their plain mean, shape (h, w, 3).

    Parameters
    ----------
    skysim : module
    sky : Sky
    scenario : dict
    rows : list of dict
        The good frames.
    wcs : WCS
    shape : (h, w)
        Of the mosaic.
    """
    total, number = np.zeros((*shape, 3), np.float32), np.zeros(shape, np.float32)
    nx, ny, step = scenario["nx"], scenario["ny"], 32
    for row in rows:
        frame = skysim.Frame(row, scenario)
        gy, gx = np.mgrid[0 : ny + 32 : 32, 0 : nx + 32 : 32]
        light = cv2.resize(sky.diffuse(*frame.pix2sky(gx, gy)), None, fx=32, fy=32, interpolation=cv2.INTER_CUBIC)
        move = np.array([[1, 0, -15.5], [0, 1, -15.5]], np.float32)
        light = cv2.warpAffine(light, move, (nx, ny), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        corners = wcs.world_to_pixel_values(*frame.pix2sky(np.array([0, nx, nx, 0]), np.array([0, 0, ny, ny])))
        (x0, x1), (y0, y1) = (
            (max(0, int(side.min())), min(n, int(side.max()) + 1)) for side, n in zip(corners, shape[::-1], strict=True)
        )
        columns, lines = np.arange(x0, x1 + step, step), np.arange(y0, y1 + step, step)
        px, py = frame.sky2pix(*wcs.pixel_to_world_values(*np.meshgrid(columns, lines)))
        ix, iy = np.meshgrid(*((np.arange(b - a, dtype=np.float32) / step) for a, b in ((x0, x1), (y0, y1))))
        mx, my = (cv2.remap(p.astype(np.float32), ix, iy, cv2.INTER_LINEAR) for p in (px, py))
        inside = (mx > 4) & (my > 4) & (mx < nx - 5) & (my < ny - 5)
        seen = cv2.remap(light, mx, my, cv2.INTER_LINEAR)
        total[y0:y1, x0:x1] += np.where(inside[..., None], seen, 0.0)
        number[y0:y1, x0:x1] += inside
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / number[..., None], np.float32)


def free_of_stars(
    survey: Path, scenario: dict[str, Any], rows: list[dict[str, Any]], wcs: Any, shape: tuple[int, int]
) -> np.ndarray:
    """Return where stars, their wings too, add less than a fiftieth of the noise of a frame's pixel, shape (h, w).

    Parameters
    ----------
    survey : Path
    scenario : dict
    rows : list of dict
        The good frames.
    wcs : WCS
    shape : (h, w)
        Of the mosaic.
    """
    stars = np.load(survey / "truth" / "stars.npz")
    flux = stars["flux"].max(axis=1) * scenario["exptime"]
    x, y = wcs.world_to_pixel_values(stars["ra"], stars["dec"])
    near = np.isfinite(x) & (x > -100) & (y > -100) & (x < shape[1] + 100) & (y < shape[0] + 100)
    widths = [float(row["fwhm"]) for row in rows]
    pixel = math.degrees(scenario["pixel_um"] * 1e-3 / scenario["focal_mm"]) * 3600
    alpha = float(np.percentile(widths, 80)) / (2 * math.sqrt(2 ** (1 / 3) - 1)) / pixel
    faintest = 0.02 * math.sqrt(float(np.median([float(row["sky"]) for row in rows])))
    reach = alpha * np.sqrt(np.maximum((flux[near] * 2 / (math.pi * alpha**2) / faintest) ** (1 / 3) - 1.0, 1.0))
    mask = np.ones(shape, np.uint8)
    for a, b, r in zip(x[near], y[near], np.clip(reach + 1, 3, 120), strict=True):
        cv2.circle(mask, (round(float(a)), round(float(b))), math.ceil(r), 0, -1)
    return mask.astype(bool)


def fitted(truth: Float32s, value: Float32s, good: np.ndarray) -> Float64s:
    """Return the truth with the gain and the constant that bring it nearest to the mosaic.

    Parameters
    ----------
    truth, value : ndarray, shape (h, w)
    good : ndarray of bool, shape (h, w)
        Pixels that decide.
    """
    light, seen = truth[good].astype(np.float64), value[good].astype(np.float64)
    matrix, kept = np.stack([light, np.ones_like(light)], axis=1), np.ones(len(seen), bool)
    for _ in range(3):
        gain, constant = np.linalg.lstsq(matrix[kept], seen[kept], rcond=None)[0]
        rest = seen - gain * light - constant
        kept = np.abs(rest) < FIT_CLIP * median_sigma(rest[kept])
    return np.asarray(truth * gain + constant, np.float64)


def chi_of_cells(rest: Float64s, good: np.ndarray, centred: bool) -> Chi:
    """Return the reduced chi squared of cells.

    Parameters
    ----------
    rest : ndarray, shape (h, w)
        Deviations in sigma.
    good : ndarray of bool, shape (h, w)
        Pixels that count.
    centred : bool
        Whether each cell's own mean is taken off first.
    """
    rows, columns = (n // CELL_PX for n in rest.shape)
    size = (rows * CELL_PX, columns * CELL_PX)

    def cells(plane: np.ndarray) -> np.ndarray:
        cut = plane[: size[0], : size[1]].reshape(rows, CELL_PX, columns, CELL_PX)
        return np.asarray(cut.swapaxes(1, 2).reshape(-1, CELL_PX * CELL_PX))

    used, deviations = cells(good), cells(np.where(good, rest, 0.0))
    number = used.sum(axis=1)
    chosen = number >= MIN_FREE * CELL_PX**2
    used, deviations, number = used[chosen], deviations[chosen], number[chosen]
    if centred:
        deviations = np.where(used, deviations - (deviations.sum(axis=1) / number)[:, None], 0.0)
    chi = (deviations**2).sum(axis=1) / (number - centred)
    return Chi(float(np.median(chi)), float(((chi > WITHIN[0]) & (chi < WITHIN[1])).mean()), len(chi))


if __name__ == "__main__":
    main()
