"""Conditions that users meet, judged against the truth: runs the cases of a simulator and prints a table.

python -m benchmarks.conditions --cases DIR/cases.py --work DIR [--only NAME ...] [--place SEED,RA,DEC ...]
                                [--real DIR] [--again]

`cases.py` makes small surveys with one condition each; the script beside it in `../skysim` scores them.  Every
figure is compared with that of the case ``control`` at the same seed and place.  `--real` also runs the small
inputs made of real frames.  What was made and run is kept below `--work` and used again, unless `--again` is given.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("501,314.7,44.3", "7077,83.8,-5.4", "911,270.9,-24.4")
SPARSE_PLACES = ("611,194.18,21.68", "1213,13.2,-25.3", "4409,168.0,28.0")
SPARSE = ("warm_sparse",)
MAX_BACKGROUND = {
    **dict.fromkeys(("two_units", "binned_unbinned_size", "float_among_16bit", "satellite_train", "s30_and_s50"), 1.5),
    **dict.fromkeys(("bayer_shifted_few", "column_pattern"), 1.3),
    **dict.fromkeys(("thin_overlap_eq", "amp_glow"), 1.6),
    "gap": 2.0,
}
"""Background residual at most, in that of the control; 1.2 where nothing is named."""
MAX_DEPTH = {
    "dust": 1.03,
    **dict.fromkeys(("thin_overlap_eq", "gap"), 1.1),
    **dict.fromkeys(("binned_unbinned_size", "amp_glow", "column_pattern"), 1.15),
    "two_units": 1.2,
    "bayer_shifted_few": 1.25,
    "broken_pixels": 1.2,
    **dict.fromkeys(("float_among_16bit", "satellite_train", "s30_and_s50"), math.inf),
}
"""`depth_vs_bound` at most, in that of the control; 1.06 where nothing is named."""
ONLY_FRAMES = ("warm_sparse", "filters_mixed", "few_still")
"""Cases of which only places, frames used and reasons count."""
MAX_CORNER_PX = 0.5
READ_OFF_PX = {"bayer_shifted_few": 1.0}
"""Frames that are read off by a row or column lie there as truly as the others, beside where they were simulated."""
MAX_RMS_ARCSEC = 0.25
MIN_COVERAGE = 0.97
UNTRUE = {"cloud": "clouds or haze", "trailed": "trailed"}
"""Verdicts that none of the cases' good frames deserves."""


@dataclass
class Judgement:
    """What became of one case."""

    name: str
    faults: list[str] = field(default_factory=list)
    background: float = math.nan
    depth: float = math.nan
    used: int = 0
    found: int = 0
    worst_corner_px: float = math.nan
    warnings: list[str] = field(default_factory=list)
    score: dict[str, Any] = field(default_factory=dict)


def main() -> int:
    """Run and judge; 1 if a case does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--place", nargs="*", default=[], help="SEED,RA,DEC of the fields with nebula")
    parser.add_argument("--real", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--again", action="store_true", help="run anew what was run already")
    options = parser.parse_args()
    cases = _module(options.cases)
    skysim = cases.S
    wrong = 0
    for number, place in enumerate(options.place or PLACES):
        names = [name for name in options.only or cases.CASES if name != "control"]
        print(f"== {place}", flush=True)
        control = judge(options, skysim, "control", place, None)
        wrong += told(control)
        for name in names:
            at = SPARSE_PLACES[number % len(SPARSE_PLACES)] if name in SPARSE else place
            wrong += told(judge(options, skysim, name, at, control.score))
    if options.real is not None:
        print("== real frames", flush=True)
        for folder in sorted(path for path in options.real.iterdir() if path.is_dir()):
            wrong += told(judge_real(options, folder))
    return 1 if wrong else 0


def told(judgement: Judgement) -> int:
    """Print a line of the table and what is wrong; returns 1 if the case does not hold."""
    sign = "ok   " if not judgement.faults else "SHORT"
    frames = f"used {judgement.used:2}/{judgement.found:2}  corner {judgement.worst_corner_px:6.2f} px"
    figures = f"background {judgement.background:5.2f}  depth {judgement.depth:5.3f}"
    print(f"{sign} {judgement.name:26} {frames}  {figures}  warnings {len(judgement.warnings)}", flush=True)
    for text in judgement.faults:
        print(f"        - {text}", flush=True)
    return int(bool(judgement.faults))


def judge(
    options: argparse.Namespace, skysim: ModuleType, name: str, place: str, control: Mapping[str, Any] | None
) -> Judgement:
    """Make, run and judge one case.

    Parameters
    ----------
    options : argparse.Namespace
        `cases`, `work` and `again` are read.
    skysim : module
        The simulator, for its score and its truth.
    name : str
        Name of the case.
    place : str
        ``SEED,RA,DEC``, the last two in degrees.
    control : mapping, optional
        Score of the control at this seed and place.

    Returns
    -------
    Judgement
    """
    seed, ra, dec = place.split(",")
    survey = options.work / f"{seed}_{ra}_{dec}" / name
    if not (survey / "README").exists():
        command = [sys.executable, options.cases, "make", name, survey.parent, "--seed", seed, f"--place={ra},{dec}"]
        subprocess.run([str(part) for part in command], check=True)
    judgement = Judgement(name)
    out = options.work / "runs" / f"{seed}_{ra}_{dec}" / name
    report = run(survey / "lights", out, judgement, again=options.again)
    if report is None:
        if name == "clipped_sky" and _all_cut_off(out):
            judgement.faults.clear()
        return judgement
    _judge_places(judgement, skysim, survey, report)
    _judge_reasons(judgement, report)
    mosaic = out / report["mosaic"]
    cached = out / "score.json"
    if not cached.exists():
        cached.write_text(json.dumps(skysim.score(survey, mosaic), default=float), encoding="utf-8")
    judgement.score = json.loads(cached.read_text(encoding="utf-8"))
    if name == "control" and judgement.warnings:
        judgement.faults += [f"warns: {text}" for text in judgement.warnings]
    if name not in ONLY_FRAMES:
        _judge_score(judgement, control or judgement.score)
    if name == "few_still":
        _judge_rings(judgement, options.cases.parents[1] / "skysim" / "rings.py", mosaic, survey)
    return judgement


def run(frames: Path, out: Path, judgement: Judgement, again: bool = False) -> dict[str, Any] | None:
    """Run the program on a folder and return its report; None and a fault if there is no mosaic."""
    path = out / "run_report.json"
    if again or not path.exists():
        command = [sys.executable, str(ROOT / "run_zemosaic.py"), "--input_dir", str(frames), "--output_dir", str(out)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        (out / "console.txt").write_text(f"exit {ended.returncode}\n{ended.stdout}\n{ended.stderr}", encoding="utf-8")
        (out / "score.json").unlink(missing_ok=True)
        if "RuntimeWarning" in ended.stderr:
            judgement.faults.append("RuntimeWarning on the terminal")
    report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    judgement.found = len(report.get("frames", ()))
    judgement.used = sum(frame["status"] == "used" for frame in report.get("frames", ()))
    judgement.warnings = [warning["text"] for warning in report.get("warnings", ())]
    judgement.warnings = [text for text in judgement.warnings if "ASTAP" not in text]
    if not report.get("mosaic"):
        judgement.faults.append("no mosaic")
        return None
    return report


def _all_cut_off(out: Path) -> bool:
    """Return whether every frame of a run without a mosaic is named as cut off at 0."""
    frames = json.loads((out / "run_report.json").read_text(encoding="utf-8"))["frames"]
    return all("cut off at 0" in str(frame.get("reason")) for frame in frames)


def _judge_places(judgement: Judgement, skysim: ModuleType, survey: Path, report: Mapping[str, Any]) -> None:
    """Compare the corners of the frames that are used with their true places."""
    scenario = {**skysim.DEFAULT, **json.loads((survey / "truth" / "scenario.json").read_text(encoding="utf-8"))}
    with (survey / "truth" / "frames.csv").open(encoding="utf-8") as file:
        truth = {row["file"]: row for row in csv.DictReader(file)}
    worst = 0.0
    for frame in report["frames"]:
        row = truth.get(Path(frame["path"]).name)
        corners = frame.get("corners_ra_deg")
        if row is None or frame["status"] != "used" or not corners:
            continue
        sky_scale = math.degrees(scenario["pixel_um"] * 1e-3 / float(row.get("focal_mm") or scenario["focal_mm"]))
        nx, ny = scenario["nx"], scenario["ny"]
        true_ra, true_dec = skysim.Frame(row, scenario).pix2sky(
            np.array([-0.5, nx - 0.5, nx - 0.5, -0.5]), np.array([-0.5, -0.5, ny - 0.5, ny - 0.5])
        )
        dra = (np.array(corners) - true_ra) * np.cos(np.radians(true_dec))
        away = np.hypot(dra, np.array(frame["corners_dec_deg"]) - true_dec) / sky_scale
        worst = max(worst, float(np.median(away)))
        if np.median(away) > MAX_CORNER_PX + READ_OFF_PX.get(judgement.name, 0.0):
            judgement.faults.append(f"{Path(frame['path']).name}: {np.median(away):.1f} px from its true place")
    judgement.worst_corner_px = worst


def _judge_reasons(judgement: Judgement, report: Mapping[str, Any]) -> None:
    """Note frames of the simulator's good ones that are said to be trailed or clouded, and stacks that are used."""
    for frame in report["frames"]:
        name, reason = Path(frame["path"]).name, str(frame.get("reason") or "")
        if frame["status"] == "used" and name.startswith(("Stacked_", "result_")):
            judgement.faults.append(f"{name}: a finished stack is used")
        judgement.faults += [f"{name}: {reason}" for word in UNTRUE if word in reason.lower()]


def _judge_score(judgement: Judgement, control: Mapping[str, Any]) -> None:
    """Compare the mosaic's figures with those of the control."""
    score, name = judgement.score, judgement.name
    key = "background_residual_after_plane_sigma1"
    judgement.background = float(np.max(np.array(score[key]) / np.array(control[key])))
    judgement.depth = (score["depth_vs_bound"] or math.nan) / (control["depth_vs_bound"] or math.nan)
    if not judgement.background <= MAX_BACKGROUND.get(name, 1.2):
        judgement.faults.append(f"background {judgement.background:.2f} x the control's")
    if not judgement.depth <= MAX_DEPTH.get(name, 1.06):
        judgement.faults.append(f"depth {judgement.depth:.3f} x the control's")
    if not score["coverage"] >= MIN_COVERAGE:
        judgement.faults.append(f"coverage {score['coverage']}")
    if not (score.get("astrometry_rms_arcsec") or math.nan) <= MAX_RMS_ARCSEC:
        judgement.faults.append(f"astrometry {score.get('astrometry_rms_arcsec')} arcsec rms")
    trail = score.get("trail_residual_sigma1")
    if name == "satellite_train" and trail and trail[1] > 0.3:
        judgement.faults.append(f"a trail of {trail[1]:.1f} noise is left")


def _judge_rings(judgement: Judgement, rings: Path, mosaic: Path, survey: Path) -> None:
    """Compare the mosaic's rings with those of its raw frames."""
    coverage = mosaic.with_name(mosaic.stem + "_coverage.fits")
    _ring_fault(judgement, rings, mosaic, coverage, sorted((survey / "lights").glob("*.fit")))


def _ring_fault(judgement: Judgement, rings: Path, mosaic: Path, coverage: Path, raws: Sequence[Path]) -> None:
    command = [sys.executable, str(rings), str(mosaic), str(coverage), *map(str, raws)]
    last = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    difference = float(last.split()[-2])
    if difference > 3.0:
        judgement.faults.append(f"the rings rise or fall by {difference:.1f} ADU beyond the raw frames'")


def judge_real(options: argparse.Namespace, folder: Path) -> Judgement:
    """Run one input of real frames; its figures and reasons are printed for the reader, rings are judged."""
    judgement = Judgement(folder.name)
    out = options.work / "runs" / "real" / folder.name
    report = run(folder, out, judgement, again=options.again)
    if report is not None and folder.name == "bowl_2_seestar":
        mosaic = out / report["mosaic"]
        rings = options.cases.parents[1] / "skysim" / "rings.py"
        raws = sorted(folder.glob("*.fz"))
        _ring_fault(judgement, rings, mosaic, mosaic.with_name(mosaic.stem + "_coverage.fits"), raws)
    path = out / "run_report.json"
    for frame in json.loads(path.read_text(encoding="utf-8"))["frames"] if path.exists() else ():
        print(f"        {Path(frame['path']).name}: {frame['status']}  {frame.get('reason') or ''}")
    for text in judgement.warnings:
        print(f"        warns: {text}")
    if folder.name in ("blank_reason", "no_scale_reason", "clipped_zero"):
        judgement.faults = [text for text in judgement.faults if text != "no mosaic"]
    return judgement


def _module(path: Path) -> ModuleType:
    """Import a script by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
