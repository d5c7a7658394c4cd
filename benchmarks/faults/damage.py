"""Damage to the work folder of a killed run: to its journal and to every part of its store."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.faults.kills import kill_group
from benchmarks.faults.runs import Survey, Tally, events_of, other_bytes, settings_of, why_failed
from zemosaic.events import Event, PhaseStarted, RunFinished, TileStacked
from zemosaic.store.work_folder import JOURNAL_NAME, WORK_NAME
from zemosaic.worker import Run

__all__ = ["KINDS", "damages"]

FILES_A_DAMAGE = 3
"""So many files of a kind are damaged at once at most."""
MOMENTS = ("stacking", "assembling", "next night")
"""When the run stopped that the work folder is of."""


def _missing(path: Path, rng: random.Random) -> None:
    path.unlink()


def _zeros(path: Path, rng: random.Random) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _scribbled(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(3):
        at = rng.randrange(max(len(content), 1))
        content[at : at + 64] = rng.randbytes(min(64, len(content) - at))
    path.write_bytes(content)


def _cut(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(max(len(content), 1))])


def _empty(path: Path, rng: random.Random) -> None:
    path.write_bytes(b"")


def _longer(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(500))


def _folder(path: Path, rng: random.Random) -> None:
    path.unlink()
    path.mkdir()
    (path / "something").write_bytes(b"else")


WAYS: tuple[Callable[[Path, random.Random], None], ...] = (
    _missing, _zeros, _scribbled, _cut, _empty, _longer, _folder,
)  # fmt: skip


def _is_journal(path: Path) -> bool:
    return path.name.startswith(JOURNAL_NAME)


def _is_description(path: Path) -> bool:
    return path.name in ("zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata", "layout")


def _is_tile(path: Path) -> bool:
    return not _is_description(path) and any(part.startswith("tile_") for part in path.parts)


def _is_canvas(path: Path) -> bool:
    return not _is_description(path) and any(part.startswith("canvas_") and "." not in part for part in path.parts)


def _is_scratch(path: Path) -> bool:
    return "scratch" in path.parts


PARTS: tuple[Callable[[Path], bool], ...] = (_is_journal, _is_description, _is_tile, _is_canvas, _is_scratch)
KINDS = tuple((part, way) for part in PARTS for way in WAYS)


def damages(survey: Survey, folder: Path, seed: int, count: int) -> Tally:
    """Damage the work of stopped runs in `count` ways, and start each again.

    Parameters
    ----------
    survey : Survey
    folder : Path
    seed, count : int

    Returns
    -------
    Tally
    """
    rng = random.Random(f"{seed} damages")
    tally = Tally("damage to the work folder")
    kinds = [*KINDS]
    rng.shuffle(kinds)
    kept = [_stopped(survey, folder / f"stopped_{name.replace(' ', '_')}", name) for name in MOMENTS]
    number = 0
    while tally.faults < count and number < 3 * count:
        part, way = kinds[number % len(kinds)]
        moment = number % len(MOMENTS)
        output = kept[moment]
        number += 1
        # Under the same path: what is stored speaks of files by their paths.
        copy = output.with_name(f"{output.name}_kept")
        shutil.copytree(output, copy, symlinks=True)
        hit = _damage(output / WORK_NAME, part, way, rng)
        tally.faults += bool(hit)
        if hit:
            where = f"seed {seed}, {MOMENTS[moment]}, {way.__name__.strip('_')}: {', '.join(hit)}"
            changes = {"keep_work_files": True} if MOMENTS[moment] == "next night" else {}
            events = events_of(settings_of(survey.frames, output, 1, **changes))
            tally.runs += 1
            if not isinstance(events[-1], RunFinished):
                tally.failed(where, why_failed(events[-1]))
            elif why := other_bytes(survey, output, events):
                tally.failed(where, why)
        shutil.rmtree(output)
        copy.rename(output)
    for output in kept:
        shutil.rmtree(output)
    return tally


def _stopped(survey: Survey, output: Path, moment: str) -> Path:
    """Return the output folder of a run that stopped at a moment."""

    def stop(run: Run, seen: list[Event]) -> None:
        tiles = sum(isinstance(event, TileStacked) for event in seen)
        assembling = isinstance(seen[-1], PhaseStarted) and seen[-1].phase == "export"
        if (moment == "stacking" and tiles == 12) or (moment == "assembling" and assembling):
            kill_group(run)

    changes = {"keep_work_files": True} if moment == "next night" else {}
    events_of(settings_of(survey.frames, output, 1, **changes), stop)
    return output


def _damage(
    work: Path, part: Callable[[Path], bool], way: Callable[[Path, random.Random], None], rng: random.Random
) -> Sequence[str]:
    """Damage some files of a part; returns their names."""
    files = sorted(path for path in work.rglob("*") if path.is_file() and part(path.relative_to(work)))
    chosen = rng.sample(files, min(len(files), rng.randint(1, FILES_A_DAMAGE)))
    for path in chosen:
        way(path, rng)
    return [path.relative_to(work).as_posix() for path in chosen]
