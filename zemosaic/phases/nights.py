"""What a finished run leaves for the next night, and what of it still holds.

With `keep_work_files` a finished run puts into the journal, as one entry, the defects of its cameras, the
places and calibration of its frames, its grids, and where its tiles lie.  The next run into the same folder
holds all that for the frames that are still the same, fits new frames to it, and takes over each tile whose
frames and numbers are the same to the last bit.  The entry is that of the last *finished* run and counts for the
same settings and version, so that a broken run, gone on with, gives the bytes of an undisturbed one.
"""

from __future__ import annotations

import json
import shutil
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import message
from zemosaic.model import (
    CalibratedFrame,
    EdgeSteps,
    FrameRef,
    MeasuredFrame,
    Solution,
    SolvedFrame,
    TileProduct,
    TileSpec,
)
from zemosaic.mosaic.canvas import Canvas
from zemosaic.phases.context import RunContext, identity
from zemosaic.phases.solved_again import solution_from, wcs_from
from zemosaic.store.canvas import CanvasStore, TilePixels
from zemosaic.store.journal import digest

__all__ = ["EarlierField", "EarlierTile", "Learnt", "Nights", "field_of", "forget_other_groups", "open_nights"]

CONTENT_VERSION = 3
KIND, KEY = "night", "last"
PHASES = ("measure", "solve", "calibrate", "plan", "stack")
"""All whose settings change what is kept."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class EarlierTile:
    """A tile of the last finished run; boxes count from the corner of its cell of the grid."""

    store: str
    """Its store's path below the work folder."""
    row: int
    outer: Box
    product: dict[str, Any]
    """`TileProduct`, with paths of frames for their ids."""


@dataclass(frozen=True)
class EarlierField:
    """A mosaic of the last finished run."""

    number: int
    canvas: Canvas
    origin: tuple[int, int]
    channels: int
    frames: Mapping[str, dict[str, Any]]
    """By path what turns a frame's numbers into mosaic units: the fields of `CalibratedFrame` without the frame."""

    def calibrated(self, one: SolvedFrame) -> CalibratedFrame | None:
        """Return a frame with its earlier calibration; None where it has none."""
        numbers = self.frames.get(one.frame.path)
        if numbers is None:
            return None
        steps = numbers["steps"]
        plain = {name: _tuples(value) for name, value in numbers.items() if name != "steps"}
        return CalibratedFrame(
            solved=one, steps=EdgeSteps(**{k: _tuples(v) for k, v in steps.items()}) if steps else None, **plain
        )


@dataclass(frozen=True)
class Learnt:
    """A field of this run as it will be known to the next one."""

    canvas: Canvas
    origin: tuple[int, int]
    channels: int
    frames: Sequence[CalibratedFrame]


@dataclass
class Nights:
    """What is known from before, and what will be known after this run."""

    number: int = 0
    """How many finished runs there were before."""
    cameras: dict[str, tuple[list[int], str, int]] = field(default_factory=dict)
    """By group: mended pixels, the masters' fingerprint, frames that were looked at."""
    places: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    """By path: what a solution depended on, and the solution."""
    fields: list[EarlierField] = field(default_factory=list)
    tiles: dict[str, EarlierTile] = field(default_factory=dict)
    """By digest of all that their pixels depend on."""
    cells: frozenset[str] = frozenset()
    """Digests of the cells of the grids that had a tile."""
    groups: dict[str, str] = field(default_factory=dict)
    """By path of every frame: the name of its group by hand, empty without one."""
    same: set[str] = field(default_factory=set)
    """Paths of frames that are what they were."""
    next_cameras: dict[str, tuple[list[int], str, int]] = field(default_factory=dict)
    next_tiles: dict[str, tuple[EarlierTile, str]] = field(default_factory=dict)
    """With the digest of the cell."""

    def camera(self, group: object, masters: str) -> tuple[NDArray[np.int64], int] | None:
        """Return the defects found of a camera, and in how many frames; None where its masters were others."""
        found = self.cameras.get(str(group))
        return None if found is None or found[1] != masters else (np.array(found[0], np.int64), found[2])

    def learn_camera(self, group: object, defects: NDArray[np.int64], masters: str, frames: int) -> None:
        """Keep what was found of a camera."""
        self.next_cameras[str(group)] = (defects.tolist(), masters, frames)

    def place(self, one: MeasuredFrame, camera: str) -> Solution | None:
        """Return the earlier solution of a frame whose file and camera (by fingerprint) are the same."""
        stored = self.places.get(one.frame.path)
        if stored is None or stored[0] != _same(one.frame, camera):
            return None
        self.same.add(one.frame.path)
        return solution_from(stored[1])

    def holds(self, wanted: str, outer: Box) -> bool:
        """Whether there is a tile of all that pixels depend on, and a box around its cell holds all of it."""
        tile = self.tiles.get(wanted)
        if tile is None:
            return False
        y0, y1, x0, x1 = tile.outer
        return y0 >= outer[0] and y1 <= outer[1] and x0 >= outer[2] and x1 <= outer[3]

    def pixels(self, work_dir: Path, wanted: str, outer: Box, channels: int) -> TilePixels:
        """Return the pixels of an earlier tile in a box around its cell; beyond the tile there are none."""
        tile, shape = self.tiles[wanted], (channels, outer[1] - outer[0], outer[3] - outer[2])
        y0, y1, x0, x1 = tile.outer
        stored = CanvasStore(work_dir / tile.store).read_tile(TileSpec(0, tile.outer, tile.outer, ()), tile.row)
        _, height, width = shape
        whole = TilePixels(
            np.full(shape, np.nan, np.float32),
            np.zeros((height, width), np.float32),
            np.zeros((height, width), np.uint16),
            np.zeros((height, width), np.uint16),
        )
        rows, columns = slice(y0 - outer[0], y1 - outer[0]), slice(x0 - outer[2], x1 - outer[2])
        whole.value[:, rows, columns] = stored.value
        for name in ("weight", "kept", "rejected"):
            getattr(whole, name)[rows, columns] = getattr(stored, name)
        return whole

    def product(self, wanted: str, tile_id: int, ids: Mapping[str, int]) -> TileProduct:
        """Return the record of an earlier tile with this run's ids."""
        values = self.tiles[wanted].product
        used = tuple(sorted(ids[path] for path in values["frames_used"]))
        return TileProduct(**values | {"frames_used": used, "tile_id": tile_id})

    def learn_tile(
        self, wanted: str, cell: str, store: str, row: int, outer: Box, product: TileProduct, paths: Mapping[int, str]
    ) -> None:
        """Keep where a tile lies."""
        values = asdict(product) | {"frames_used": [paths[i] for i in product.frames_used]}
        self.next_tiles[wanted] = (EarlierTile(store, row, outer, values), cell)

    def keep(
        self,
        context: RunContext,
        frames: Sequence[FrameRef],
        solved: Sequence[SolvedFrame],
        marks: Mapping[Any, str],
        made: Sequence[Learnt],
    ) -> None:
        """Put all of this finished run into the journal, and take away the pixels of the run before.

        Parameters
        ----------
        context : RunContext
        frames : sequence of FrameRef
            All that the scan found.
        solved : sequence of SolvedFrame
        marks : mapping
            Fingerprints of the cameras by `FrameRef.group`.
        made : sequence of Learnt
            The fields.
        """
        places = {one.frame.path: (_same(one.frame, marks[one.frame.group]), asdict(one.solution)) for one in solved}
        values = {
            "number": self.number + 1,
            "cameras": self.next_cameras,
            "places": places,
            "groups": {frame.path: frame.group_name for frame in frames},
            "fields": [_field_values(one) for one in made],
            "tiles": {wanted: asdict(tile) for wanted, (tile, _) in self.next_tiles.items()},
            "cells": sorted({cell for _, cell in self.next_tiles.values()}),
        }
        text = json.dumps(values, default=lambda number: number.item())
        context.journal.put(KIND, KEY, _wanted(context), zlib.compress(text.encode("utf-8", "surrogatepass"), 1))
        _remove_others(context, {tile.store for tile, _ in self.next_tiles.values()})


def open_nights(context: RunContext) -> Nights | None:
    """Return what the last finished run left; None where the settings ask for nothing to be kept.

    What is of other settings is forgotten, since its tiles are about to be written over.
    """
    stored = context.journal.get(KIND, KEY, _wanted(context)) if context.settings.keep_work_files else None
    if stored is None:
        context.journal.forget(KIND)
        return Nights() if context.settings.keep_work_files else None
    values = json.loads(zlib.decompress(stored))
    return Nights(
        number=values["number"],
        cameras={group: tuple(found) for group, found in values["cameras"].items()},
        places={path: tuple(found) for path, found in values["places"].items()},
        groups=values["groups"],
        fields=[_field_from(number, one) for number, one in enumerate(values["fields"])],
        tiles={
            wanted: EarlierTile(tile["store"], tile["row"], _tuples(tile["outer"]), tile["product"])
            for wanted, tile in values["tiles"].items()
            if (context.work_dir / tile["store"]).is_dir()
        },
        cells=frozenset(values["cells"]),
    )


def forget_other_groups(context: RunContext, frames: Sequence[FrameRef]) -> None:
    """Let nothing of earlier nights hold where a frame that they know was put into another group since.

    What was learnt of a camera then was learnt from other frames than those that make its group now.
    """
    nights = context.nights
    if nights is not None and any(nights.groups.get(one.path, one.group_name) != one.group_name for one in frames):
        context.nights = Nights(number=nights.number)
        context.log(message("log.night_regrouped"))


def field_of(nights: Nights, frames: Sequence[SolvedFrame], taken: Sequence[EarlierField]) -> EarlierField | None:
    """Return the earlier field that most of the frames were in, and that no other has taken, with those frames only."""
    left = set(range(len(nights.fields))) - {earlier.number for earlier in taken}
    paths = {one.frame.path for one in frames} & nights.same
    votes = Counter(number for number in left for path in paths if path in nights.fields[number].frames)
    if not votes:
        return None
    found = nights.fields[min(votes, key=lambda number: (-votes[number], number))]
    return replace(found, frames={path: numbers for path, numbers in found.frames.items() if path in paths})


def _wanted(context: RunContext) -> str:
    return digest(CONTENT_VERSION, [context.depends(phase, CONTENT_VERSION) for phase in PHASES])


def _same(frame: FrameRef, camera: str) -> str:
    return digest(identity(frame), camera)


def _field_values(made: Learnt) -> dict[str, Any]:
    return {
        "canvas": asdict(made.canvas),
        "origin": made.origin,
        "channels": made.channels,
        "frames": {
            one.frame.path: {
                "transparency": one.transparency,
                "sky_adu": one.sky_adu,
                "bias_adu": one.bias_adu,
                "illumination": one.illumination,
                "noise": one.noise,
                "weight": one.weight,
                "hidden": one.hidden,
                "steps": None if one.steps is None else asdict(one.steps),
            }
            for one in made.frames
        },
    }


def _field_from(number: int, values: dict[str, Any]) -> EarlierField:
    canvas = values["canvas"]
    return EarlierField(
        number,
        Canvas(wcs_from(canvas["wcs"]), canvas["width"], canvas["height"]),
        _tuples(values["origin"]),
        values["channels"],
        values["frames"],
    )


def _tuples(value: Any) -> Any:
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value


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
