"""The state that a finished run leaves for the next one, and the parts of it that are still valid.

With `keep_work_files` a finished run puts into the journal, as one entry, the defects of its cameras, the
places and calibration of its frames, its grids, and where its tiles lie.  The next run into the same folder
holds all that for the frames that are still the same, fits new frames to it, and takes over each tile whose
frames and numbers are the same to the last bit.  The entry is that of the last *finished* run and counts for the
same settings and version, so that a broken run, gone on with, gives the bytes of an undisturbed one.
"""

from __future__ import annotations

import shutil
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zemosaic.errors import message
from zemosaic.model import FrameRef, SolvedFrame
from zemosaic.phases.context import RunContext, phase_digest
from zemosaic.phases.previous_run.state import (
    CachedField,
    EarlierPlace,
    FieldState,
    FinishedRun,
    PreviousRun,
    frame_digest,
)
from zemosaic.store.canvas_store import CanvasStore
from zemosaic.store.codec import from_plain, pack, to_plain, unpack
from zemosaic.store.journal import digest

__all__ = ["cached_field", "forget_regrouped_frames", "keep_for_next_run", "open_previous_run"]

CONTENT_VERSION = 7
KIND, KEY = "night", "last"
PHASES = ("measure", "solve", "calibrate", "plan", "stack")
"""All whose settings change what is kept."""
GIVEN = ("solved",)
"""What is not kept of a calibrated frame: where it lies is told by its solution, what it measures by the journal."""


def open_previous_run(context: RunContext) -> PreviousRun | None:
    """Return what the last finished run left; None where the settings ask for nothing to be kept.

    What is of other settings is forgotten, since its tiles are about to be written over.
    """
    stored = context.folder.journal.get(KIND, KEY, _state_digest(context)) if context.settings.keep_work_files else None
    if stored is None:
        context.folder.journal.forget(KIND)
        return PreviousRun() if context.settings.keep_work_files else None
    run = from_plain(FinishedRun, unpack(zlib.decompress(stored)))
    return PreviousRun(
        number=run.number,
        cameras=run.cameras,
        places=run.places,
        groups=run.groups,
        fields=list(run.fields),
        tiles={wanted: tile for wanted, tile in run.tiles.items() if (context.folder.path / tile.store).is_dir()},
        cells=run.cells,
        patterns=run.patterns,
    )


def forget_regrouped_frames(context: RunContext, frames: Sequence[FrameRef]) -> None:
    """Discard the previous run when one of its frames has since been moved to another group.

    The calibration of a camera was derived from other frames than those that make up its group now.

    Parameters
    ----------
    context : RunContext
        Loses its `previous_run` where it does not hold any more.
    frames : sequence of FrameRef
        All that the scan found.
    """
    previous_run = context.previous_run
    if previous_run is not None and any(
        previous_run.groups.get(frame.path, frame.group_name) != frame.group_name for frame in frames
    ):
        context.previous_run = PreviousRun(number=previous_run.number)
        context.log(message("log.night_regrouped"))


def cached_field(
    previous_run: PreviousRun, frames: Sequence[SolvedFrame], taken: Sequence[CachedField]
) -> CachedField | None:
    """Return the earlier field that most of the frames were in, with those frames only; None where there is none.

    Parameters
    ----------
    previous_run : PreviousRun
        Only frames of its `same` count.
    frames : sequence of SolvedFrame
        Those of a field of this run.
    taken : sequence of CachedField
        Earlier fields that other fields of this run have.
    """
    free = set(range(len(previous_run.fields))) - {earlier.number for earlier in taken}
    paths = {frame.frame.path for frame in frames} & previous_run.same
    votes = Counter(number for number in free for path in paths if path in previous_run.fields[number].frames)
    if not votes:
        return None
    best = previous_run.fields[min(votes, key=lambda number: (-votes[number], number))]
    return replace(best, frames={path: numbers for path, numbers in best.frames.items() if path in paths})


def _state_digest(context: RunContext) -> str:
    return digest(CONTENT_VERSION, [phase_digest(context.settings, phase, CONTENT_VERSION) for phase in PHASES])


def _field_of(number: int, made: FieldState) -> CachedField:
    frames = {frame.frame.path: to_plain(frame, GIVEN) for frame in made.frames}
    return CachedField(number, made.canvas, made.origin, made.channels, frames)


def _remove_others(context: RunContext, used: set[str]) -> None:
    """Remove all stores but those named, of these the canvases, which the next run makes anew, and decoded frames."""
    for copy in context.scratch.glob("*.npy"):
        copy.unlink(missing_ok=True)
    for path in sorted(context.folder.path.glob("**/canvas_*.zarr")):
        if path.relative_to(context.folder.path).as_posix() in used:
            CanvasStore(path).drop_canvas()
        else:
            shutil.rmtree(path, ignore_errors=True)
    for folder in context.folder.path.glob("night_*"):
        if not any(folder.iterdir()):
            folder.rmdir()


def keep_for_next_run(
    previous: PreviousRun,
    context: RunContext,
    frames: Sequence[FrameRef],
    solved: Sequence[SolvedFrame],
    fingerprints: Mapping[Any, str],
    fields: Sequence[FieldState],
) -> None:
    """Put all of this finished run into the journal, and take away the pixels of the run before.

    Parameters
    ----------
    previous : PreviousRun
        With what this run has recorded in it.
    context : RunContext
    frames : sequence of FrameRef
        All that the scan found.
    solved : sequence of SolvedFrame
    fingerprints : mapping
        Of the cameras, by `FrameRef.camera_key`.
    fields : sequence of FieldState
        Those of this run.
    """
    run = FinishedRun(
        number=previous.number + 1,
        cameras=previous.next_cameras,
        places={
            frame.frame.path: EarlierPlace(
                frame_digest(frame.frame, fingerprints[frame.frame.camera_key]), frame.solution
            )
            for frame in solved
        },
        groups={frame.path: frame.group_name for frame in frames},
        fields=tuple(_field_of(number, field) for number, field in enumerate(fields)),
        tiles={wanted: tile for wanted, (tile, _) in previous.next_tiles.items()},
        cells=frozenset(cell for _, cell in previous.next_tiles.values()),
        patterns=previous.next_patterns,
    )
    context.folder.journal.put(KIND, KEY, _state_digest(context), zlib.compress(pack(to_plain(run)), 1))
    _remove_others(context, {tile.store for tile, _ in previous.next_tiles.values()})
