"""How well and how fast frames are located: the real phases against simulated surveys with known truth.

usage: python -m benchmarks.solving FOLDER [SCENARIO ...]

Each scenario is a folder with raw frames in ``lights`` and their true WCS (``*.wcs``) and ``frames.csv`` in ``truth``;
real frames, of which nobody knows the truth, lie in the folder itself, and must be named.
Runs scan, measure and solve as a run does, with one worker, and prints one line per scenario: good frames
located, the worst and the median of the frames' greatest corner errors, and the CPU time per frame; in any case how
far the brightest stars of overlapping frames lie from where these frames see them on average.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS

from zemosaic.compute.budget import make_budget
from zemosaic.compute.executors import SerialExecutor, limit_library_threads
from zemosaic.compute.machine_resources import ResourceMonitor
from zemosaic.errors import NothingUsable
from zemosaic.events import Event, Logged, Warned
from zemosaic.i18n import Translator
from zemosaic.model import FrameRef, SolvedFrame
from zemosaic.phases.context import make_context
from zemosaic.phases.measure import measure_frames
from zemosaic.phases.run.phase_timer import Timing
from zemosaic.phases.run.workers import Workers
from zemosaic.phases.scan import scan
from zemosaic.phases.solve import solve_frames
from zemosaic.settings.schema import Settings
from zemosaic.solving.astrometry.links import link_detections
from zemosaic.solving.astrometry.sessions import joint_frames
from zemosaic.store.journal import Journal
from zemosaic.wcs import unit_vectors

WRONG_PX = 0.5


@dataclass(frozen=True)
class Outcome:
    """What became of one scenario's frames."""

    frames: int
    good: int
    solved_good: int
    corner_px: dict[str, float]
    """Greatest corner error of each solved frame with a truth, by file name."""
    how: Counter[str]
    lost: tuple[str, ...]
    """Good frames that were not located, with the reasons."""
    timings: dict[str, Timing]
    overlap_px: float
    """Root mean square of what the frames' brightest stars lie off the mean of all frames that see them."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("scenario", nargs="*")
    parser.add_argument("--solver", default="embedded", choices=("auto", "astap", "embedded"))
    parser.add_argument("--again", action="store_true", help="ignore WCS in headers")
    parser.add_argument("--verbose", action="store_true", help="print the log and every frame's error")
    told = parser.parse_args()
    limit_library_threads()
    names = told.scenario or sorted(p.parent.name for p in told.folder.glob("*/truth"))
    print(f"{'scenario':16} solved/good wrong  worst median overlaps px  measure solve ms CPU/frame  how")
    for name in names:
        settings = {"solver": told.solver, "force_resolve_existing_wcs": told.again}
        print(_line(name, run(told.folder / name, settings, told.verbose), told.verbose), flush=True)


def run(scenario: Path, settings: dict[str, object], verbose: bool = False) -> Outcome:
    """Locate a scenario's frames and compare them with the truth."""
    words = Translator("en")

    def tell(event: Event) -> None:
        if verbose and isinstance(event, Logged | Warned):
            print("   ", words.message(event.text))

    with tempfile.TemporaryDirectory() as folder, ResourceMonitor(1.0) as monitor:
        work = Path(folder)
        context = make_context(
            settings=Settings(input_dir=str(_lights(scenario)), output_dir=folder, **settings),
            emit=tell,
            workers=Workers(SerialExecutor(), make_budget(0.0, 1), lambda: False, work),
            journal=Journal(work / "journal.sqlite"),
            monitor=monitor,
        )
        frames = scan(context)
        measured, defects = measure_frames(context, frames)
        try:
            solved = solve_frames(context, measured, defects)
        except NothingUsable:
            solved = []
        context.folder.journal.close()
        dropped = [f"{Path(d.path).name}: {words.message(d.reason)}" for d in context.reporter.dropped]
        return _compared(scenario, frames, solved, dropped, context.timer.timings)


def _lights(scenario: Path) -> Path:
    return scenario / "lights" if (scenario / "truth").exists() else scenario


def _compared(
    scenario: Path,
    frames: Sequence[FrameRef],
    solved: Sequence[SolvedFrame],
    dropped: Sequence[str],
    timings: dict[str, Timing],
) -> Outcome:
    good = {Path(frame.path).name for frame in frames}
    if (scenario / "truth").exists():
        with (scenario / "truth" / "frames.csv").open(newline="") as stream:
            good = {row["file"] for row in csv.DictReader(stream) if row["kind"] == "good"}
    found = {Path(frame.frame.path).name: frame for frame in solved}
    errors = {}
    for name, one in found.items():
        truth = scenario / "truth" / (Path(name).stem + ".wcs")
        if truth.exists():
            errors[name] = corner_error_px(one, read_truth(truth))
    return Outcome(
        frames=len(frames),
        good=len(good),
        solved_good=len(good & set(found)),
        corner_px=errors,
        how=Counter(frame.solution.how for frame in solved),
        lost=tuple(line for line in dropped if line.partition(":")[0] in good),
        timings=timings,
        overlap_px=overlap_error_px([one for name, one in found.items() if name in good]),
    )


def overlap_error_px(solved: Sequence[SolvedFrame]) -> float:
    """Return the rms distance of the frames' brightest stars from their means over all frames, in pixels.

    Stars whose centroids are good to a twentieth of a pixel by their light, or a frame's best ten, that three frames
    see at least; the errors of their centroids are in it, too.
    """
    places, errors, frame = [], [], []
    for index, part in enumerate(joint_frames(solved)):
        best = np.argsort(part.error_px, kind="stable")
        best = best[: max(10, int((part.error_px < 0.05).sum()))]
        places.append(unit_vectors(*part.wcs.pixel_to_sky(part.x_px[best], part.y_px[best])))
        errors.append(part.error_px[best])
        frame.append(np.full(len(best), index))
    toward, scale = np.concatenate(places), np.radians(np.median([frame.wcs.scale_arcsec for frame in solved]) / 3600.0)
    star = link_detections(toward, np.concatenate(frame), np.concatenate(errors), 2.0 * scale)
    seen = np.flatnonzero(star >= 0)
    star, toward = star[seen], toward[seen]
    count = np.bincount(star)
    mean = np.stack([np.bincount(star, toward[:, k]) / count for k in range(3)], axis=1)
    often = count[star] >= 3
    return float(np.sqrt(np.mean(np.sum((toward - mean[star])[often] ** 2, axis=1))) / scale)


def read_truth(path: Path) -> WCS:
    """Return the WCS of a text file of 80-column cards."""
    return WCS(fits.Header.fromstring(path.read_text()), naxis=2)


def corner_error_px(solved: SolvedFrame, truth: WCS) -> float:
    """Return how far, in pixels, the solution puts the worst corner from where it is."""
    frame = solved.frame
    x = np.array([0.0, frame.width - 1.0, frame.width - 1.0, 0.0])
    y = np.array([0.0, 0.0, frame.height - 1.0, frame.height - 1.0])
    ra, dec = solved.wcs.pixel_to_sky(x, y)
    there = truth.all_world2pix(np.column_stack([ra, dec]), 0)
    return float(np.hypot(there[:, 0] - x, there[:, 1] - y).max())


def _line(name: str, outcome: Outcome, verbose: bool) -> str:
    errors = np.array(list(outcome.corner_px.values()) or [np.nan])
    cost = [1000.0 * outcome.timings[phase].cpu_s / max(outcome.frames, 1) for phase in ("measure", "solve")]
    how = ", ".join(f"{key} {count}" for key, count in sorted(outcome.how.items()))
    lines = [
        f"{name:16} {outcome.solved_good:5}/{outcome.good:<5} {int((errors > WRONG_PX).sum()):4}  "
        f"{errors.max():6.3f} {np.median(errors):6.3f} {outcome.overlap_px:8.3f}    "
        f"{cost[0]:6.1f} {cost[1]:6.1f}               {how}"
    ]
    lines += [f"    lost: {line}" for line in outcome.lost]
    if verbose:
        lines += [f"    {error:8.3f} px  {file}" for file, error in sorted(outcome.corner_px.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
