"""How well frames are judged and calibrated: runs simulated surveys and compares with their truth.

python -m benchmarks.quality --skysim DIR/skysim.py SCENARIO_DIR [SCENARIO_DIR ...]
python -m benchmarks.quality --clean DIR_WITHOUT_DEFECTS SCENARIO_DIR

Each scenario folder holds what `skysim.py make` wrote and, if the figures of the mosaic are wanted
beside the best that is possible, `oracle.json` in it or NAME.oracle.json beside it.  The second form compares
the light of the stars with that in the same frames made without hot and cold pixels.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from zemosaic.calibration.defects import MAX_SAMPLE_FRAMES, find_defects, interpolate_defects
from zemosaic.frames.frame_files import read_frame
from zemosaic.frames.pixels import open_pixels
from zemosaic.zeanalyser.measure_frames import measure

ROOT = Path(__file__).resolve().parents[1]
MAPS = ("_coverage", "_weight", "_sigma", "_proper", "_rejected")
BAD = ("trailed", "blurred", "cloudy")


@dataclass(frozen=True)
class Line:
    """One figure, what is asked of it, and whether it holds."""

    name: str
    value: float
    asked: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.asked if self.at_least else self.value <= self.asked


def main() -> int:
    """Run all scenarios; 1 if a figure falls short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skysim", type=Path)
    parser.add_argument("--clean", type=Path)
    parser.add_argument("scenario", type=Path, nargs="+")
    options = parser.parse_args()
    short = 0
    for folder in options.scenario:
        print(f"== {folder.name}")
        if options.clean is not None:
            short += told(star_lines(folder, options.clean))
            continue
        with tempfile.TemporaryDirectory() as out:
            run(folder, Path(out))
            lines = [
                *frame_lines(folder, Path(out)),
                *defect_lines(folder),
                *mosaic_lines(options.skysim, folder, Path(out)),
            ]
        short += told(lines)
    return 1 if short else 0


def told(lines: list[Line]) -> int:
    """Print figures; returns how many fall short."""
    for line in lines:
        sign = ">=" if line.at_least else "<="
        print(f"{'ok   ' if line.holds else 'SHORT'} {line.name:44} {line.value:9.4f} {sign} {line.asked:.4f}")
    return sum(not line.holds for line in lines)


def run(folder: Path, out: Path) -> None:
    """Make the mosaic of a scenario."""
    command = [sys.executable, ROOT / "run_zemosaic.py", "--input_dir", folder / "lights", "--output_dir", out]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def frame_lines(folder: Path, out: Path) -> list[Line]:
    """Compare verdicts and metrics with the truth of each frame."""
    with (folder / "truth" / "frames.csv").open() as stream:
        truth = {row["file"]: row for row in csv.DictReader(stream)}
    scenario = json.loads((folder / "truth" / "scenario.json").read_text())
    report = json.loads((out / "run_report.json").read_text())
    kind = np.array([truth[Path(frame["path"]).name]["kind"] for frame in report["frames"]])
    used = np.array([frame["status"] == "used" for frame in report["frames"]])
    bad, good = np.isin(kind, BAD), kind == "good"
    lines = [Line("good frames lost", 1.0 - float(used[good].mean()), 0.02)]
    if bad.any():
        lines.insert(0, Line("bad frames caught", 1.0 - float(used[bad].mean()), 0.95, at_least=True))
    chosen = [
        (frame["metrics"], truth[Path(frame["path"]).name])
        for frame, keep in zip(report["frames"], used & good, strict=True)
        if keep
    ]
    fwhm = np.array([metrics["fwhm_arcsec"] / float(row["fwhm"]) for metrics, row in chosen])
    lines.append(Line("FWHM error, rms", rms(fwhm - 1.0), 0.05))
    passed = np.array(
        [np.log(m["transparency"][min(1, len(m["transparency"]) - 1)] / float(r["transparency"])) for m, r in chosen]
    )
    lines.append(Line("transparency error, rms", rms(passed - np.median(passed)), 0.03))
    e_per_adu, bias = scenario.get("e_per_adu", 0.09), scenario.get("bias_adu", 200.0)
    # The truth names the sky at the centre of the frame, without the nebula in front of it.
    sky = np.array(
        [m["sky_adu"][min(1, len(m["sky_adu"]) - 1)] - bias - float(r["sky"]) / e_per_adu for m, r in chosen]
    )
    level = np.array([float(r["sky"]) / e_per_adu for _, r in chosen])
    centre = np.array([int(r["pointing"]) for _, r in chosen])
    for pointing in np.unique(centre):
        sky[centre == pointing] -= np.median(sky[centre == pointing])
    lines.append(Line("sky error less the pointing's nebula, rms", rms(sky / (level + bias)), 0.02))
    return lines


def defect_lines(folder: Path) -> list[Line]:
    """Compare the defect map with the truth (hot pixels stand out by far more than 8 sigma)."""
    scenario = {"nx": 1080, "ny": 1920, "hot_pixels": 400, "cold_pixels": 100}
    scenario |= json.loads((folder / "truth" / "scenario.json").read_text())
    files = sorted((folder / "lights").iterdir())
    files = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, MAX_SAMPLE_FRAMES).astype(int))]
    frames = [read_frame(path) for path in files]
    with tempfile.TemporaryDirectory() as scratch:
        found = find_defects([open_pixels(frame, Path(scratch)) for frame in frames], frames[0])
    rng = np.random.default_rng(scenario["seed"] + 99)
    size = scenario["nx"] * scenario["ny"]
    hot = rng.integers(0, size, scenario["hot_pixels"])
    rng.uniform(200, 6000, scenario["hot_pixels"])
    cold = rng.integers(0, size, scenario["cold_pixels"])
    false = np.setdiff1d(found, np.concatenate([hot, cold]))
    return [
        Line("defects found", float(np.isin(hot, found).mean()), 0.98, at_least=True),
        Line("good pixels flagged, %", 100.0 * len(false) / size, 0.01),
    ]


def star_lines(folder: Path, clean: Path) -> list[Line]:
    """Compare the light of the stars with that in the same frames without defects."""
    sky = {}
    for place in (folder, clean):
        frames = [read_frame(path, k) for k, path in enumerate(sorted((place / "lights").iterdir()))]
        with tempfile.TemporaryDirectory() as scratch:
            sources = [open_pixels(frame, Path(scratch)) for frame in frames]
            chosen = np.unique(np.linspace(0, len(frames) - 1, MAX_SAMPLE_FRAMES).astype(int))
            defects = find_defects([sources[k] for k in chosen], frames[0])
            whole = (0, frames[0].height, 0, frames[0].width)
            sky[place] = [
                measure(frame, interpolate_defects(source.read_all(), whole, defects, frame)).stars
                for frame, source in zip(frames, sources, strict=True)
            ]
    change, beside = [], 0
    for stars, truth in zip(sky[folder], sky[clean], strict=True):
        tree = cKDTree(np.stack([stars.x_px, stars.y_px], axis=1))
        distance, match = tree.query(np.stack([truth.x_px, truth.y_px], axis=1))
        same = (distance < 0.5) & ~truth.saturated & (truth.flux_adu[:, 1] > 20 * truth.flux_error_adu[:, 1])
        change.append(-2500.0 * np.log10(stars.flux_adu[match[same], 1] / truth.flux_adu[same, 1]))
        beside += int((distance[~truth.saturated] >= 0.5).sum())
    all_stars = np.concatenate(change)
    return [
        Line("light lost by stars, mean mmag", float(np.mean(np.clip(all_stars, -100, 100))), 3.0),
        Line("light lost by stars, 99th percentile mmag", float(np.percentile(all_stars, 99)), 30.0),
        Line("part of stars not found again", beside / max(len(all_stars), 1), 0.02),
    ]


def mosaic_lines(skysim: Path | None, folder: Path, out: Path) -> list[Line]:
    """Score the mosaic and compare with the oracle's score."""
    best = next(
        (p for p in (folder / "oracle.json", folder.with_name(f"{folder.name}.oracle.json")) if p.exists()), None
    )
    if best is None or skysim is None:
        return []
    mosaic = next(p for p in sorted(out.glob("zemosaic_MT*.fits")) if not p.stem.endswith(MAPS))
    answer = subprocess.run(
        [sys.executable, str(skysim), "score", str(folder), str(mosaic)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ.copy(),
    )
    score: dict[str, Any] = json.loads(answer.stdout)
    oracle: dict[str, Any] = json.loads(best.read_text())
    lines = [
        Line(name, score[name], factor * oracle[name])
        for name, factor in (("photometry_scatter_mmag", 1.3), ("photometry_field_mmag", 1.5))
        if score.get(name) is not None and oracle.get(name)
    ]
    residual = "background_residual_after_plane_sigma1"
    lines += [
        Line(f"{residual} {colour}", ours, 2.0 * theirs)
        for colour, ours, theirs in zip("RGB", score[residual], oracle[residual], strict=False)
    ]
    for colour, gain in zip("RGB", score["nebula_gain_vs_stars"], strict=False):
        lines.append(Line(f"nebula_gain_vs_stars {colour}, off 1", abs(gain - 1.0), 0.02))
    lines.append(Line("noise_vs_ideal", score["noise_vs_ideal"], 1.05))
    return lines


def rms(values: np.ndarray) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    raise SystemExit(main())
