"""Peak memory of whole runs, all processes together: the command line, the worker process and its helpers.

usage: python -m benchmarks.memory FOLDER [FOLDER ...] [--limit 1.5 3 8] [--workers 2] [--detail]

RSS counts a page that processes share once for each of them; PSS (Linux) counts it once in all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

import psutil

PROGRAM = Path(__file__).resolve().parents[1] / "run_zemosaic.py"
INTERVAL_S = 0.1


@dataclass
class Peak:
    """The largest sums over a process and its descendants that were seen, and each process's part of them."""

    rss_bytes: int = 0
    pss_bytes: int = 0
    by_phase: dict[str, int] = field(default_factory=dict)
    """Largest sum of RSS while a phase ran."""
    parts: tuple[int, ...] = ()
    """RSS of each process at the peak, that which was started first first."""


@dataclass(frozen=True)
class Watched:
    """A run that was watched."""

    frames: int
    cpu_s: float
    modes: tuple[str, ...]
    peak: Peak


def look(root: psutil.Process, peak: Peak, phase: str) -> None:
    """Take a sample of a process and its descendants into the peak."""
    rss, pss = [], 0
    for process in [root, *root.children(recursive=True)]:
        try:
            held = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # it ended in between
        rss.append(held.rss)
        pss += getattr(held, "pss", held.rss)
    peak.by_phase[phase] = max(peak.by_phase.get(phase, 0), sum(rss))
    peak.pss_bytes = max(peak.pss_bytes, pss)
    if sum(rss) > peak.rss_bytes:
        peak.rss_bytes, peak.parts = sum(rss), tuple(rss)


def watched(lights: Path, limit_gb: float, workers: int, flags: list[str]) -> Watched:
    """Run the program on a folder; raises RuntimeError when it fails."""
    with tempfile.TemporaryDirectory() as output:
        given = ["--input_dir", str(lights), "--output_dir", output, "--memory_limit_gb", str(limit_gb)]
        given += ["--num_processing_workers", str(workers), "--solver", "embedded", "--log-json", *flags]
        command = [sys.executable, str(PROGRAM), *given]
        phase, ended, peak = ["start"], threading.Event(), Peak()

        def sample(number: int) -> None:
            while not ended.wait(INTERVAL_S):
                try:
                    look(psutil.Process(number), peak, phase[0])
                except psutil.NoSuchProcess:
                    return

        frames, cpu_s, modes, event = 0, 0.0, set(), {}
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            sampler = threading.Thread(target=sample, args=(process.pid,))
            sampler.start()
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "PhaseStarted":
                    phase[0] = event["phase"]
                elif event["event"] == "TileStacked":
                    modes.add(event["mode"])
                elif event["event"] == "RunFinished":
                    frames, cpu_s = event["frames_used"], event["cpu_s"]
            code = process.wait()
        ended.set()
        sampler.join()
    if code:
        raise RuntimeError(f"the run did not finish: {event}")
    return Watched(frames, cpu_s, tuple(sorted(modes)), peak)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="+")
    parser.add_argument("--limit", type=float, nargs="*", default=[1.5, 3.0, 8.0], metavar="GB")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--detail", action="store_true")
    choice, flags = parser.parse_known_args()
    print(
        "| Survey | Limit, GB | Frames used | Peak RSS, GB | Peak PSS, GB | CPU s | How tiles were stacked |",
        flush=True,
    )
    print("|---|---|---|---|---|---|")
    for folder in choice.folder:
        for limit_gb in choice.limit:
            run = watched(folder, limit_gb, choice.workers, flags)
            peak = run.peak
            name = folder.parent.name if folder.name == "lights" else folder.name
            told = (
                f"`{name}`",
                f"{limit_gb:g}",
                run.frames,
                f"{peak.rss_bytes / 1e9:.2f}",
                f"{peak.pss_bytes / 1e9:.2f}",
                f"{run.cpu_s:.0f}",
            )
            print("|", " | ".join(map(str, (*told, ", ".join(run.modes)))), "|", flush=True)
            if choice.detail:
                print("  each process, MB:", *(round(part / 1e6) for part in peak.parts))
                print("  largest, MB:", {phase: round(most / 1e6) for phase, most in peak.by_phase.items()}, flush=True)


if __name__ == "__main__":
    main()
