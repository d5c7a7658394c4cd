"""Measure the seams of a finished mosaic: steps in level and colour across all footprint edges.

usage: python -m benchmarks.seams MOSAIC.fits [--report run_report.json] [--map seams.png]

Steps are told in noise of one frame's pixel; footprints and noise come from the run's report.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from zemosaic.export.seams import SeamReport, measure_seams

MOST_FRAMES = 400
FULL_RED = 0.2


def main() -> int:
    """Print the figures; 1 if seams can be seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mosaic", type=Path)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--map", type=Path)
    options = parser.parse_args()
    told = json.loads((options.report or options.mosaic.parent / "run_report.json").read_text("utf-8"))
    with fits.open(options.mosaic) as hdus:
        data = np.atleast_3d(np.asarray(hdus[0].data, np.float32))
        wcs = WCS(hdus[0].header).celestial
    data = data if np.asarray(data).shape[0] in (1, 3) else np.moveaxis(data, -1, 0)
    frames = [frame for frame in told["frames"] if frame["status"] == "used" and frame["corners_ra_deg"]]
    frames = [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MOST_FRAMES)).astype(int))]
    footprints = [tuple(wcs.all_world2pix(f["corners_ra_deg"], f["corners_dec_deg"], 0)) for f in frames]
    noise = np.array([np.array(f["metrics"]["noise_adu"]) / np.array(f["metrics"]["transparency"]) for f in frames])
    sigma = np.median(noise, axis=0)[: len(data)]
    report = measure_seams(data, footprints, [float(value) for value in sigma])
    trusted = report.trusted
    print(f"{len(frames)} frames, {len(report.seams)} pieces of edges, {len(trusted)} known well")
    print(f"level: rms {report.level_rms:.4f} sigma beyond noise")
    if trusted:
        print(f"colour: median {np.median([seam.colour for seam in trusted]):.4f} sigma")
    print(f"95 % of all steps are below {report.worst:.4f} sigma: {'invisible' if report.invisible() else 'VISIBLE'}")
    if options.map:
        draw(options.map, data, report)
    return 0 if report.invisible() else 1


def draw(path: Path, data: np.ndarray, report: SeamReport) -> None:
    """Write a map: steps inside brighter red, darker blue, over the mosaic's outline."""
    shrink = max(1, max(data.shape[1:]) // 1600)
    picture = np.where(np.isfinite(data[0, ::shrink, ::shrink, None]), 40, 0).repeat(3, axis=2).astype(np.uint8)
    for seam in sorted(report.trusted, key=lambda one: abs(one.level)):
        strength = int(np.clip(215 * abs(seam.level) / FULL_RED, 0, 215))
        colour = (40, 40, 40 + strength) if seam.level > 0 else (40 + strength, 40, 40)
        ends = [(int(x / shrink), int(y / shrink)) for x, y in zip(seam.x, seam.y, strict=True)]
        cv2.line(picture, ends[0], ends[1], colour, 2)
    cv2.imwrite(str(path), picture[::-1])


if __name__ == "__main__":
    raise SystemExit(main())
