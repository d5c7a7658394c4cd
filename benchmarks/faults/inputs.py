"""Frames that vanish, change, are emptied or turn slow while a run works on them."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits

from benchmarks.faults.reading import disturbed_reading
from benchmarks.faults.runs import Survey, Tally, events_of, other_bytes, settings_of, why_failed
from zemosaic.events import PHASES, Event, FrameDropped, PhaseStarted, RunFinished
from zemosaic.worker import Run

__all__ = ["PHASES_READING", "disturbed_inputs", "slow_inputs"]

PAIRS = ((0, 1), (2, 3), (4, 5))
"""Frames that something happens to together: one of each pointing, so that the others still make a mosaic."""
PHASES_READING = ("scan", "measure", "solve", "calibrate", "stack")
"""Phases in which frames are opened; in the others a frame that goes costs nothing."""
JOINT = ("scan", "measure", "solve")
"""Phases whose frames leave no trace in those that stay, when they go there."""
SLOW_S = 1.5
"""How long opening a slow frame takes each time."""
HANGING_S = 60.0
"""How long a network folder does not answer once."""


def _vanish(path: Path, rng: random.Random) -> None:
    path.unlink()


def _change(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    content[-len(content) // 3 :] = rng.randbytes(len(content) - len(content) * 2 // 3)
    path.write_bytes(content)


def _evict(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _replace_by_folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()


def _close(path: Path, rng: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


WAYS: tuple[Callable[[Path, random.Random], None], ...] = (
    _vanish, _change, _evict, _replace_by_folder, _close,
)  # fmt: skip


def disturbed_inputs(survey: Survey, folder: Path, seed: int, count: int, phase: str) -> Tally:
    """Have `count` frames vanish, change or become something else when a phase begins, two in each run.

    Every frame that cannot be read any more has to be named, no other one may go, and the mosaic has to be that of
    the undisturbed run (where nothing was needed any more), or that of a run without the frames.

    Parameters
    ----------
    survey : Survey
    folder : Path
    seed, count : int
    phase : str
        One of `zemosaic.events.PHASES`.

    Returns
    -------
    Tally
    """
    rng = random.Random(f"{seed} inputs {phase}")
    tally = Tally(f"inputs in {phase}")
    while tally.faults < count:
        pair, way = PAIRS[tally.runs % len(PAIRS)], WAYS[tally.runs % len(WAYS)]
        # The same path as that of the undisturbed run: headers do not tell it, but the order of frames follows it.
        frames = folder / f"{phase}_{tally.runs}"
        shutil.copytree(survey.frames, frames)
        victims = [sorted(frames.iterdir())[number] for number in pair]
        done: list[str] = []
        steps = rng.randint(0, 4)

        def act(
            run: Run, seen: list[Event], victims: Sequence[Path] = victims, done: list[str] = done, way=way, steps=steps
        ) -> None:
            begun = [n for n, event in enumerate(seen) if isinstance(event, PhaseStarted) and event.phase == phase]
            if begun and not done and len(seen) - begun[0] > steps:
                for victim in victims:
                    way(victim, rng)
                    done.append(victim.name)

        output = folder / f"output_{phase}_{tally.runs}"
        events = events_of(settings_of(frames, output, 1), act)
        tally.runs += 1
        tally.faults += len(done)
        where = f"seed {seed}, {way.__name__.strip('_')} {pair}, {steps} events into {phase}"
        if phase == "scan" and way is _change and isinstance(events[-1], RunFinished):
            pass  # a frame that changed before it was looked at is another frame
        else:
            _judge(tally, where, survey, output, events, done)
        shutil.rmtree(output, ignore_errors=True)
        shutil.rmtree(frames)
        if tally.runs > count:
            tally.failed(where, "the phase never came")
            break
    return tally


def _judge(
    tally: Tally, where: str, survey: Survey, output: Path, events: Sequence[Event], victims: Sequence[str]
) -> None:
    """Say what is wrong with a run whose inputs went."""
    last = events[-1]
    if not isinstance(last, RunFinished):
        tally.failed(where, why_failed(last))
        return
    dropped = {Path(event.path).name: event.phase for event in events if isinstance(event, FrameDropped)}
    innocent = sorted(dropped.keys() - set(victims))
    if innocent:
        tally.failed(where, f"left out without a reason: {', '.join(innocent)}")
    why = "" if dropped else other_bytes(survey, output, list(events))
    gone = len(dropped) == len(victims) and all(phase in JOINT for phase in dropped.values())
    if (why or gone) and not _same_pixels(output, _without(survey, output.parent, tuple(sorted(victims)))):
        tally.failed(where, why or "other pixels than those of a run without the frames")


def _without(survey: Survey, folder: Path, names: Sequence[str]) -> Path:
    """Return the output folder of a run without some frames; made once."""
    numbers = [name for name in sorted(survey.content) if name not in names]
    output = folder / f"without_{'_'.join(str(sorted(survey.content).index(name)) for name in names)}"
    if not output.exists():
        frames = folder / f"{output.name}_frames"
        frames.mkdir()
        for name in numbers:
            shutil.copy2(survey.frames / name, frames)
        events_of(settings_of(frames, output, 1))
    return output


def _same_pixels(one: Path, other: Path) -> bool:
    """Whether two output folders hold mosaics with the same pixels and maps."""
    files = [sorted(folder.glob("zemosaic_MT*.fits")) for folder in (one, other)]
    if [path.name for path in files[0]] != [path.name for path in files[1]]:
        return False
    return all(
        np.array_equal(fits.getdata(mine), fits.getdata(theirs), equal_nan=True)
        for mine, theirs in zip(*files, strict=True)
    )


def slow_inputs(survey: Survey, folder: Path, seed: int, count: int) -> Tally:
    """Have `count` frames answer slowly, once not for a minute, or fail for a moment; nothing of the mosaic may change.

    Parameters
    ----------
    survey : Survey
    folder : Path
    seed, count : int

    Returns
    -------
    Tally
    """
    rng = random.Random(f"{seed} slow inputs")
    tally = Tally("slow inputs, and inputs that fail for a moment")
    names = sorted(survey.content)
    while tally.faults < count:
        kind = ("slow", "away", "hanging", "away")[tally.runs % 4]
        victims = rng.sample(names, 1 if kind == "hanging" else 3)
        first = rng.randint(1, 8)
        disturb = {
            "slow": partial(disturbed_reading, survey.frames, victims, first, 1000, SLOW_S, 0),
            "hanging": partial(disturbed_reading, survey.frames, victims, first, 1, HANGING_S, 0),
            "away": partial(disturbed_reading, survey.frames, victims, first, 2, 0.0, 5),
        }[kind]
        output = folder / f"slow_{tally.runs}"
        with disturb():
            events = events_of(settings_of(survey.frames, output, 1))
        tally.runs += 1
        tally.faults += len(victims)
        where = f"seed {seed}, {kind} {[names.index(name) for name in victims]} from the {first}th opening on"
        if not isinstance(events[-1], RunFinished):
            tally.failed(where, why_failed(events[-1]))
        elif why := other_bytes(survey, output, events):
            tally.failed(where, why)
        shutil.rmtree(output)
    return tally


assert set(PHASES_READING) <= set(PHASES)
