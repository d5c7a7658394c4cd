"""Real frames: is the mosaic as flat as they are, are there stripes, do stars keep their light?

python -m benchmarks.real_frames --data DIR/data --rings DIR/skysim/rings.py --work DIR [--frames 2 3 4 5 6]
                                 [--only night1_evening night2 mono_hatp32]

Of two nights of M 94 the first few frames make a mosaic each; `rings.py` compares its rings with those of the raw
frames.  Of the mono frames rows and columns are compared: by how much their medians rise above the median of all of
them, stars left out, in the noise of one frame's pixel, in the mosaic and in the raw frame that rises most.  The
light of stars is what the program itself measures after a run.  Runs are kept below `--work` and used again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import sep
from astropy.io import fits
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
NIGHTS = ("night1_evening", "night2")
MONO = "mono_hatp32"
MAX_RINGS_ADU = 3.0
MAX_RISE_SIGMA = 0.3
MAX_STARS_PERCENT = 2.0
SMOOTH_ROWS = 9
"""Rows or columns over which medians are averaged before they are compared: single ones are as noisy as their number
of pixels makes them."""
MIN_PART_SEEN = 0.5
"""Rows and columns of which less is bare sky at full depth do not count."""
STARS_TOLD = re.compile(r"star flux (-?[\d.]+|\?) ± (-?[\d.]+|\?) %")


def main() -> int:
    """Run and judge; 1 if a criterion does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rings", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--frames", type=int, nargs="*", default=[2, 3, 4, 5, 6])
    parser.add_argument("--only", nargs="*", default=[*NIGHTS, MONO])
    options = parser.parse_args()
    wrong = 0
    for night in (night for night in NIGHTS if night in options.only):
        files = sorted((options.data / "seestar_m94" / night).iterdir())
        for number in (number for number in options.frames if number <= len(files)):
            wrong += judge_rings(options, f"{night}_{number}", files[:number])
    if MONO in options.only:
        wrong += judge_mono(options, sorted((options.data / MONO).glob("*.FITS")))
    return 1 if wrong else 0


def judge_rings(options: argparse.Namespace, name: str, files: Sequence[Path]) -> int:
    """Print the rings and stars of a mosaic of some frames; returns 1 if they do not hold."""
    mosaic = run(options.work / name, files)
    coverage = mosaic.with_name(mosaic.stem + "_coverage.fits")
    command = [sys.executable, str(options.rings), str(mosaic), str(coverage), *map(str, files)]
    last = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    rings = float(last.split()[-2])
    stars, holds = stars_of(mosaic)
    holds = holds and rings <= MAX_RINGS_ADU
    print(f"{'ok   ' if holds else 'SHORT'} {name:18} rings {rings:4.1f} ADU  stars {stars}", flush=True)
    return int(not holds)


def judge_mono(options: argparse.Namespace, files: Sequence[Path]) -> int:
    """Print how far rows and columns of the mono mosaic rise; returns 1 if they do not hold."""
    mosaic = run(options.work / MONO, files)
    noise = float(np.median([_noise(_image(file)) for file in files]))
    depth = _image(mosaic.with_name(mosaic.stem + "_coverage.fits"))
    made = _rises(_image(mosaic), depth >= 0.9 * depth.max(), noise)
    raw = np.max([_rises(_image(file), None, noise) for file in files], axis=0)
    stars, holds = stars_of(mosaic)
    holds = holds and bool((made - raw <= MAX_RISE_SIGMA).all())
    figures = "  ".join(
        f"{name} {a:.2f} (raw {b:.2f})" for name, a, b in zip(("rows", "columns"), made, raw, strict=True)
    )
    print(f"{'ok   ' if holds else 'SHORT'} {MONO:18} {figures} of a pixel's noise  stars {stars}", flush=True)
    return int(not holds)


def run(folder: Path, files: Sequence[Path]) -> Path:
    """Return the mosaic of some frames, made unless it is there."""
    out = folder / "out"
    report = out / "run_report.json"
    if not report.exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "lights").mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder / "lights")
        arguments = ["--input_dir", str(folder / "lights"), "--output_dir", str(out), "--language", "en"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(ROOT / "run_zemosaic.py"), *arguments]
        subprocess.run(command, capture_output=True, check=True, env=environment)
    return out / str(json.loads(report.read_text(encoding="utf-8"))["mosaic"])


def stars_of(mosaic: Path) -> tuple[str, bool]:
    """Return what the log says of the light of stars, outer third against inner, and whether it holds."""
    log = (mosaic.parent / "zemosaic_worker.log").read_text(encoding="utf-8")
    found = STARS_TOLD.search(log)
    if found is None or "?" in found.groups():
        return "too few", True
    difference, error = map(float, found.groups())
    return f"{difference:+.1f} ± {error:.1f} %", abs(difference) <= max(MAX_STARS_PERCENT, error)


def _image(path: Path) -> NDArray[np.float32]:
    with fits.open(path) as hdus:
        data = np.squeeze(next(hdu.data for hdu in hdus if hdu.data is not None))
    return np.ascontiguousarray(data if data.ndim == 2 else data[0], np.float32)


def _noise(image: NDArray[np.float32]) -> float:
    """Return the noise of a pixel by the differences between neighbours."""
    step = np.diff(image, axis=1)
    return float(1.4826 * np.median(np.abs(step - np.median(step))) / np.sqrt(2.0))


def _rises(image: NDArray[np.float32], deep: NDArray[np.bool_] | None, noise: float) -> NDArray[np.float64]:
    """Return by how much rows and columns rise at most above the median of all of them, in noise."""
    known = np.isfinite(image) if deep is None else np.isfinite(image) & deep
    filled = np.where(known, image, np.median(image[known])).astype(np.float32)
    background = sep.Background(filled, mask=~known, bw=64, bh=64)
    _, stars = sep.extract(
        filled - background.back(), 3.0, err=background.globalrms, mask=~known, segmentation_map=True
    )
    bare = np.where(known & (stars == 0), image, np.nan)
    rises = []
    for axis in (1, 0):
        seen = np.isfinite(bare).sum(axis=axis)
        profile = np.nanmedian(bare if axis else bare.T, axis=1)[seen > MIN_PART_SEEN * seen.max()]
        smooth = np.convolve(profile, np.full(SMOOTH_ROWS, 1.0 / SMOOTH_ROWS), "valid")
        rises.append(float(smooth.max() - np.median(smooth)) / noise)
    return np.array(rises)


if __name__ == "__main__":
    sys.exit(main())
