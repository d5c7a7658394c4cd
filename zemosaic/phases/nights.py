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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import message
from zemosaic.model import (
    CalibratedFrame,
    FrameRef,
    MeasuredFrame,
    Solution,
    SolvedFrame,
    TileProduct,
    TileSpec,
)
from zemosaic.mosaic.canvas import Canvas
from zemosaic.phases.context import RunContext
from zemosaic.store.canvas import CanvasStore, TilePixels
from zemosaic.store.codec import from_plain, pack, to_plain, unpack
from zemosaic.store.journal import digest

__all__ = [
    "CachedField",
    "CachedTile",
    "FieldState",
    "PreviousRun",
    "cached_field",
    "forget_regrouped_frames",
    "open_previous_run",
]

CONTENT_VERSION = 6
KIND, KEY = "night", "last"
PHASES = ("measure", "solve", "calibrate", "plan", "stack")
"""All whose settings change what is kept."""
GIVEN = ("solved",)
"""What is not kept of a calibrated frame: where it lies is told by its solution, what it measures by the journal."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class CachedTile:
    """A tile of the last finished run; boxes count from the corner of its cell of the grid."""

    store: str
    """Its store's path below the work folder."""
    row: int
    outer: Box
    product: TileProduct
    """Without the ids of its frames, which the next run numbers anew."""
    frames_used: tuple[str, ...]
    """Their paths."""


@dataclass(frozen=True)
class CachedField:
    """A mosaic of the last finished run."""

    number: int
    canvas: Canvas
    origin: tuple[int, int]
    channels: int
    frames: Mapping[str, Any]
    """By path what turns a frame's numbers into mosaic units: a `CalibratedFrame` as plain values without the frame."""

    def calibrated(self, solved: SolvedFrame) -> CalibratedFrame | None:
        """Return a frame with its earlier calibration; None where it has none."""
        numbers = self.frames.get(solved.frame.path)
        return None if numbers is None else from_plain(CalibratedFrame, numbers, solved=solved)


@dataclass(frozen=True)
class EarlierCamera:
    """What the last finished run found of a camera."""

    defects: NDArray[np.int64]
    """Flat indices of mended pixels."""
    masters: str
    """Fingerprint of its masters."""
    frames: int
    """How many frames were looked at."""


@dataclass(frozen=True)
class EarlierPlace:
    """Where the last finished run found a frame."""

    depends_on: str
    solution: Solution


@dataclass(frozen=True)
class FieldState:
    """A field of this run as it will be known to the next one."""

    canvas: Canvas
    origin: tuple[int, int]
    channels: int
    frames: Sequence[CalibratedFrame]


@dataclass(frozen=True)
class FinishedRun:
    """The journal's entry of a finished run; see `PreviousRun` for what its parts are."""

    number: int
    cameras: dict[str, EarlierCamera]
    places: dict[str, EarlierPlace]
    groups: dict[str, str]
    fields: tuple[CachedField, ...]
    tiles: dict[str, CachedTile]
    cells: frozenset[str]


@dataclass
class PreviousRun:
    """Cached results of the previous run, and the results of this run that the next one may use."""

    number: int = 0
    """How many finished runs there were before."""
    cameras: dict[str, EarlierCamera] = field(default_factory=dict)
    """By `FrameRef.camera_key`, as text."""
    places: dict[str, EarlierPlace] = field(default_factory=dict)
    """By path."""
    fields: list[CachedField] = field(default_factory=list)
    tiles: dict[str, CachedTile] = field(default_factory=dict)
    """By digest of all that their pixels depend on."""
    cells: frozenset[str] = frozenset()
    """Digests of the cells of the grids that had a tile."""
    groups: dict[str, str] = field(default_factory=dict)
    """By path of every frame: the name of its group by hand, empty without one."""
    same: set[str] = field(default_factory=set)
    """Paths of frames that are what they were."""
    next_cameras: dict[str, EarlierCamera] = field(default_factory=dict)
    next_tiles: dict[str, tuple[CachedTile, str]] = field(default_factory=dict)
    """With the digest of the cell."""

    def camera(self, group: object, masters: str) -> tuple[NDArray[np.int64], int] | None:
        """Return the defects found of a camera, and in how many frames; None where its masters were others."""
        stored = self.cameras.get(str(group))
        return None if stored is None or stored.masters != masters else (stored.defects, stored.frames)

    def record_camera(self, group: object, defects: NDArray[np.int64], masters: str, frames: int) -> None:
        """Keep what was found of a camera."""
        self.next_cameras[str(group)] = EarlierCamera(defects, masters, frames)

    def place(self, measured: MeasuredFrame, camera: str) -> Solution | None:
        """Return the earlier solution of a frame whose file and camera (by fingerprint) are the same."""
        stored = self.places.get(measured.frame.path)
        if stored is None or stored.depends_on != _frame_digest(measured.frame, camera):
            return None
        self.same.add(measured.frame.path)
        return stored.solution

    def has_tile(self, depends_on: str, outer: Box) -> bool:
        """Whether there is a tile of all that pixels depend on, and a box around its cell holds all of it."""
        tile = self.tiles.get(depends_on)
        if tile is None:
            return False
        y0, y1, x0, x1 = tile.outer
        return y0 >= outer[0] and y1 <= outer[1] and x0 >= outer[2] and x1 <= outer[3]

    def pixels(self, work_dir: Path, depends_on: str, outer: Box, channels: int) -> TilePixels:
        """Return the pixels of an earlier tile in a box around its cell; beyond the tile there are none."""
        tile, shape = self.tiles[depends_on], (channels, outer[1] - outer[0], outer[3] - outer[2])
        y0, y1, x0, x1 = tile.outer
        stored = CanvasStore(work_dir / tile.store).read_tile(TileSpec(0, tile.outer, tile.outer, ()), tile.row)
        _, height, width = shape
        padded = TilePixels(
            np.full(shape, np.nan, np.float32),
            np.zeros((height, width), np.float32),
            np.zeros((height, width), np.uint16),
            np.zeros((height, width), np.uint16),
        )
        rows, columns = slice(y0 - outer[0], y1 - outer[0]), slice(x0 - outer[2], x1 - outer[2])
        padded.value[:, rows, columns] = stored.value
        for name in ("weight", "kept", "rejected"):
            getattr(padded, name)[rows, columns] = getattr(stored, name)
        return padded

    def product(self, depends_on: str, tile_id: int, ids: Mapping[str, int]) -> TileProduct:
        """Return the record of an earlier tile with this run's ids."""
        tile = self.tiles[depends_on]
        return replace(tile.product, tile_id=tile_id, frames_used=tuple(sorted(ids[path] for path in tile.frames_used)))

    def record_tile(
        self,
        depends_on: str,
        cell: str,
        store: str,
        row: int,
        outer: Box,
        product: TileProduct,
        paths: Mapping[int, str],
    ) -> None:
        """Keep where a tile lies."""
        used = tuple(paths[i] for i in product.frames_used)
        self.next_tiles[depends_on] = (CachedTile(store, row, outer, replace(product, frames_used=()), used), cell)

    def keep(
        self,
        context: RunContext,
        frames: Sequence[FrameRef],
        solved: Sequence[SolvedFrame],
        fingerprints: Mapping[Any, str],
        fields: Sequence[FieldState],
    ) -> None:
        """Put all of this finished run into the journal, and take away the pixels of the run before.

        Parameters
        ----------
        context : RunContext
        frames : sequence of FrameRef
            All that the scan found.
        solved : sequence of SolvedFrame
        marks : mapping
            Fingerprints of the cameras by `FrameRef.camera_key`.
        made : sequence of Learnt
            The fields.
        """
        run = FinishedRun(
            number=self.number + 1,
            cameras=self.next_cameras,
            places={
                frame.frame.path: EarlierPlace(
                    _frame_digest(frame.frame, fingerprints[frame.frame.camera_key]), frame.solution
                )
                for frame in solved
            },
            groups={frame.path: frame.group_name for frame in frames},
            fields=tuple(_field_of(number, field) for number, field in enumerate(fields)),
            tiles={wanted: tile for wanted, (tile, _) in self.next_tiles.items()},
            cells=frozenset(cell for _, cell in self.next_tiles.values()),
        )
        context.journal.put(KIND, KEY, _state_digest(context), zlib.compress(pack(to_plain(run)), 1))
        _remove_others(context, {tile.store for tile, _ in self.next_tiles.values()})


def open_previous_run(context: RunContext) -> PreviousRun | None:
    """Return what the last finished run left; None where the settings ask for nothing to be kept.

    What is of other settings is forgotten, since its tiles are about to be written over.
    """
    stored = context.journal.get(KIND, KEY, _state_digest(context)) if context.settings.keep_work_files else None
    if stored is None:
        context.journal.forget(KIND)
        return PreviousRun() if context.settings.keep_work_files else None
    run = from_plain(FinishedRun, unpack(zlib.decompress(stored)))
    return PreviousRun(
        number=run.number,
        cameras=run.cameras,
        places=run.places,
        groups=run.groups,
        fields=list(run.fields),
        tiles={wanted: tile for wanted, tile in run.tiles.items() if (context.work_dir / tile.store).is_dir()},
        cells=run.cells,
    )


def forget_regrouped_frames(context: RunContext, frames: Sequence[FrameRef]) -> None:
    """Discard the previous run when one of its frames has since been moved to another group.

    The calibration of a camera was derived from other frames than those that make up its group now.
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
    """Return the earlier field that most of the frames were in, and that no other has taken, with those frames only."""
    free = set(range(len(previous_run.fields))) - {earlier.number for earlier in taken}
    paths = {frame.frame.path for frame in frames} & previous_run.same
    votes = Counter(number for number in free for path in paths if path in previous_run.fields[number].frames)
    if not votes:
        return None
    best = previous_run.fields[min(votes, key=lambda number: (-votes[number], number))]
    return replace(best, frames={path: numbers for path, numbers in best.frames.items() if path in paths})


def _state_digest(context: RunContext) -> str:
    return digest(CONTENT_VERSION, [context.depends(phase, CONTENT_VERSION) for phase in PHASES])


def _frame_digest(frame: FrameRef, camera: str) -> str:
    return digest(frame.identity, camera)


def _field_of(number: int, made: FieldState) -> CachedField:
    frames = {frame.frame.path: to_plain(frame, GIVEN) for frame in made.frames}
    return CachedField(number, made.canvas, made.origin, made.channels, frames)


def _remove_others(context: RunContext, used: set[str]) -> None:
    """Remove all stores but those named, of these the canvases, which the next run makes anew, and decoded frames."""
    for copy in context.scratch.glob("*.npy"):
        copy.unlink(missing_ok=True)
    for path in sorted(context.work_dir.glob("**/canvas_*.zarr")):
        if path.relative_to(context.work_dir).as_posix() in used:
            CanvasStore(path).drop_canvas()
        else:
            shutil.rmtree(path, ignore_errors=True)
    for folder in context.work_dir.glob("night_*"):
        if not any(folder.iterdir()):
            folder.rmdir()
