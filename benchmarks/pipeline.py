"""The whole road on a folder of raw frames: CPU time by phase, memory, and other programs on the same frames.

usage: python -m benchmarks.pipeline FOLDER [--memory 1.5 3 8] [--siril]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zemosaic import worker
from zemosaic.events import PhaseFinished, RunFinished, TileStacked
from zemosaic.settings.schema import Settings

SIRIL_SCRIPT = """requires 1.0.0
cd {folder}
convert light -debayer -out=work
cd work
register light
stack r_light rej winsorized 3 3 -norm=addscale -out=result
close
"""


@dataclass(frozen=True)
class Road:
    """What a run took."""

    frames: int
    cpu_s: float
    by_phase: dict[str, float]
    peak_rss: int
    modes: tuple[str, ...]


def whole_road(lights: Path, memory_gb: float = 0.0, workers: int = 1) -> Road:
    """Run the program on a folder and return what it took; raises RuntimeError when it fails."""
    with tempfile.TemporaryDirectory() as output:
        run = worker.start(
            Settings(
                input_dir=str(lights),
                output_dir=output,
                num_processing_workers=workers,
                memory_limit_gb=memory_gb,
                solver="embedded",
            ),
            pictures=False,
        )
        phases: dict[str, float] = {}
        modes: set[str] = set()
        try:
            for event in run.events():
                if isinstance(event, PhaseFinished):
                    phases[event.phase] = event.cpu_s
                elif isinstance(event, TileStacked):
                    modes.add(event.mode)
        finally:
            run.close()
        if not isinstance(event, RunFinished):
            raise RuntimeError(f"the run did not finish: {event}")
        return Road(event.frames_used, event.cpu_s, phases, event.peak_rss_bytes, tuple(sorted(modes)))


def children_cpu_s(job: Callable[[], object]) -> float:
    """Return the CPU time of the processes that a job starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    job()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def siril_cpu_s(lights: Path) -> float | None:
    """Return the CPU time Siril takes to debayer, register and stack a folder of one pointing; None without it."""
    program = shutil.which("siril-cli")
    if program is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(lights.iterdir()):
            (Path(folder) / path.name).symlink_to(path.resolve())
        script = Path(folder) / "stack.ssf"
        script.write_text(SIRIL_SCRIPT.format(folder=folder), encoding="ascii")
        environ = os.environ | {"HOME": folder, "OMP_NUM_THREADS": "1"}

        def job() -> None:
            told = subprocess.run([program, "-s", str(script)], env=environ, capture_output=True, check=False)
            if not list(Path(folder).glob("work/result.fit*")):
                raise RuntimeError("Siril made no stack: " + told.stdout.decode(errors="replace")[-800:])

        return children_cpu_s(job)


def lines(lights: Path, memory_gb: list[float], with_siril: bool) -> list[str]:
    """Return the tables as Markdown."""
    name = lights.parent.name if lights.name == "lights" else lights.name
    roads = [(gb, whole_road(lights, gb)) for gb in memory_gb or [0.0]]
    first = roads[0][1]
    told = [f"`{name}`, {first.frames} frames, CPU seconds per frame: **{first.cpu_s / first.frames:.3f}**, of these "]
    told[0] += ", ".join(f"{phase} {cpu / first.frames:.3f}" for phase, cpu in first.by_phase.items())
    if memory_gb:
        told += ["", "| Memory limit | Peak RSS | How tiles were stacked |", "|---|---|---|"]
        told += [f"| {gb:g} GB | {road.peak_rss / 1e9:.2f} GB | {', '.join(road.modes)} |" for gb, road in roads]
    siril = siril_cpu_s(lights) if with_siril else None
    files = sum(path.is_file() for path in lights.iterdir())
    if siril is not None:
        told += ["", f"Siril, debayer, register and winsorized stack of the same frames: {siril / files:.3f}"]
        told[-1] += f" CPU seconds per file, in all {siril / first.cpu_s:.1f} times as much for a part of the road."
    return told


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--memory", type=float, nargs="*", default=[], metavar="GB")
    parser.add_argument("--siril", action="store_true")
    choice = parser.parse_args()
    print("\n".join(lines(choice.folder, choice.memory, choice.siril)))


if __name__ == "__main__":
    main()
