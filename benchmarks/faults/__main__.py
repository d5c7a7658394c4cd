"""Faults drawn by seed against whole runs of a very small survey: what was tried, and what was not survived.

usage: python -m benchmarks.faults [--seed N] [--scale X] [PART ...]

Parts: kills, disks, damage, inputs, slow; all of them without one.  `--scale 0.1` tries a tenth of everything.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks.faults.damage import damages
from benchmarks.faults.disks import can_mount, full_disk, full_disks, read_only_disk
from benchmarks.faults.inputs import disturbed_inputs, slow_inputs
from benchmarks.faults.kills import kill_group, kill_run, kill_worker, kills, suspend_group
from benchmarks.faults.runs import Survey, Tally, prepare
from zemosaic.events import PHASES

Trial = Callable[[], Tally]
KILLS = ((kill_group, 40, 2), (kill_group, 10, 1), (kill_worker, 40, 2), (kill_run, 10, 2), (suspend_group, 10, 2))
DISKS = ((full_disk, 30), (read_only_disk, 10))
DAMAGES, INPUTS, SLOW = 60, 20, 20


def trials(survey: Survey, folder: Path, seed: int, scale: float) -> Iterator[tuple[str, Trial]]:
    """Yield the name of a part and what tries it.

    Parameters
    ----------
    survey : Survey
    folder : Path
        Where the outputs may lie meanwhile.
    seed : int
    scale : float
        What the numbers of faults are multiplied with.
    """

    def scaled(count: int) -> int:
        return max(1, round(count * scale))

    for kill, count, workers in KILLS:
        yield "kills", lambda kill=kill, n=count, workers=workers: kills(survey, folder, seed, scaled(n), kill, workers)
    if can_mount(folder):
        for trouble, count in DISKS:
            yield "disks", lambda trouble=trouble, n=count: full_disks(survey, folder, seed, scaled(n), trouble)
    yield "damage", lambda: damages(survey, folder, seed, scaled(DAMAGES))
    for phase in PHASES:
        yield "inputs", lambda phase=phase: disturbed_inputs(survey, folder, seed, scaled(INPUTS), phase)
    yield "slow", lambda: slow_inputs(survey, folder, seed, scaled(SLOW))


def cpu_s() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    times = psutil.Process().cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> int:
    """Try all faults and print the table; 1 if one was not survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="*", metavar="PART")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0)
    choice = parser.parse_args()
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        # What other runs of this user teach of cameras is in the mosaics' headers.
        os.environ["ZEMOSAIC_CONFIG_DIR"] = str(Path(name) / "config")
        survey = prepare(Path(name) / "survey")
        print("| Faults | Number | Runs | Not survived | CPU s |", "|---|---|---|---|---|", sep="\n", flush=True)
        for part, trial in trials(survey, Path(name), choice.seed, choice.scale):
            if choice.part and part not in choice.part:
                continue
            began = cpu_s()
            tally = trial()
            if not survey.untouched():
                tally.failed("afterwards", "the frames are not as they were")
            failures += tally.failures
            numbers = tally.faults, tally.runs, len(tally.failures), round(cpu_s() - began)
            print("|", " | ".join(map(str, (tally.name, *numbers))), "|", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
