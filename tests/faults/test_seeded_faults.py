"""Faults at moments drawn by seed: a run that is started again after them ends with the same bytes.

The first seeds run always; ``-m slow`` runs them all.
"""

from __future__ import annotations

import contextlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from whole_runs import Undisturbed, events_of, pixels, pool_workers

from zemosaic.events import Event, FrameMeasured, FrameSolved, RunFailed, RunFinished, TileStacked
from zemosaic.store.work_folder import JOURNAL_NAME, WORK_NAME
from zemosaic.worker import Run

FAST_SEEDS = 1
SEEDS = 90
MAX_STARTS = 4
COUNTED = (FrameMeasured, FrameSolved, TileStacked)
MAX_EVENTS = 24
"""Moments lie between the first and this one of the counted events."""


def kill_all(run: Run) -> None:
    """Kill the processes of a run, as a power cut or the system's memory guard would."""
    process = psutil.Process(run.pid)
    for victim in [*process.children(recursive=True), process]:
        _kill(victim)


def kill_run(run: Run) -> None:
    """Kill the process of the run alone; its workers have to end by themselves."""
    _kill(psutil.Process(run.pid))


def kill_worker(run: Run) -> None:
    """Kill a worker, which the run replaces."""
    for victim in pool_workers(run)[:1]:
        _kill(victim)


def _kill(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself
        process.kill()


KILLS: tuple[Callable[[Run], None], ...] = (kill_all, kill_run, kill_worker)


def damage(work: Path, rng: random.Random) -> None:
    """Overwrite, cut, empty or remove a file of the work folder."""
    files = sorted(path for path in work.rglob("*") if path.is_file() and path.name != "lock")
    for path in rng.sample(files, min(3, len(files))):
        content = bytearray(path.read_bytes())
        kind = rng.choice(("scribble", "cut", "empty", "remove"))
        if kind == "remove" and not path.name.startswith(JOURNAL_NAME):
            path.unlink()
        elif kind == "scribble" and content:
            at = rng.randrange(len(content))
            content[at : at + 64] = rng.randbytes(min(64, len(content) - at))
            path.write_bytes(content)
        else:
            path.write_bytes(content[: rng.randrange(len(content) + 1) if kind == "cut" else 0])


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=() if seed < FAST_SEEDS else pytest.mark.slow) for seed in range(SEEDS)]
)
def test_a_run_after_faults_ends_with_the_same_bytes(undisturbed: Undisturbed, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    output = tmp_path / "out"
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in undisturbed.frames.iterdir()}
    last: Event | None = None
    for start in range(MAX_STARTS):
        kill, moment = rng.choice(KILLS), rng.randint(1, MAX_EVENTS)

        def act(run: Run, seen: list[Event], start: int = start, kill: object = kill, moment: int = moment) -> None:
            counted = sum(isinstance(event, COUNTED) for event in seen)
            if start < MAX_STARTS - 2 and isinstance(seen[-1], COUNTED) and counted == moment:
                kill(run)

        last = events_of(undisturbed.frames, output, act)[-1]
        if isinstance(last, RunFinished):
            break
        assert isinstance(last, RunFailed)
        if rng.random() < 0.5 and (output / WORK_NAME).is_dir():
            damage(output / WORK_NAME, rng)
    assert isinstance(last, RunFinished), last
    assert pixels(output) == undisturbed.pixels
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in undisturbed.frames.iterdir()} == before
    shutil.rmtree(output)
