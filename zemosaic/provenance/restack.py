"""Parts of a finished run's planes stacked once more, by the functions of the run itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zemosaic.arrays import Box, Float32s
from zemosaic.coadd.cutouts import CoaddPlane
from zemosaic.coadd.incremental import merged_block
from zemosaic.coadd.inputs import TileCache, cropped, overlap
from zemosaic.coadd.master_tile import feather_map
from zemosaic.coadd.tile_drizzle import DROP_REACH_PX, drizzled
from zemosaic.coadd.tile_samples import TileSamples
from zemosaic.coadd.tile_stacker import TileStacker
from zemosaic.coadd.tile_task import TileTask
from zemosaic.errors import Message, message
from zemosaic.model import CalibratedFrame, TileSpec
from zemosaic.mosaic.star_model import stars_by_tile
from zemosaic.phases.assemble import grid_pieces
from zemosaic.phases.stack import stacking_of
from zemosaic.settings.schema import Settings
from zemosaic.stacking.memory_modes import MemoryMode
from zemosaic.stacking.rules import StackResult
from zemosaic.store.canvas_store import TilePixels
from zemosaic.store.pixel_record import MasterRecord, MosaicRecord, Stacked

__all__ = ["REFUSED", "Patch", "Restacked", "RestackedMaster"]


BESIDE_PX = 1
"""Pixels round those asked for that are stacked too."""
REFUSED = message("reason.refused_by_tile")


@dataclass(frozen=True)
class Patch:
    """A part of one tile stacked again, with the samples it is made of."""

    spec: TileSpec
    box: Box
    """On the plane."""
    frames: tuple[CalibratedFrame, ...]
    """Those of the tile."""
    present: tuple[int, ...]
    """Which of them have samples."""
    samples: Float32s
    """Shape (present, channels, pixels)."""
    weights: Float32s
    """Shape (present, pixels)."""
    low: Float32s
    """Lowest value that stays, shape (channels, pixels)."""
    high: Float32s
    result: StackResult
    failed: dict[int, Message]
    """Frames that cannot be read now, or that the tile did not take, by frame_id."""

    def index(self, row: int, column: int) -> int:
        """Return the number of a pixel of the plane among the patch's.

        Parameters
        ----------
        row, column : int
            On the plane.
        """
        return (row - self.box[0]) * (self.box[3] - self.box[2]) + column - self.box[2]


class Restacked:
    """A plane whose tiles are stacked where they are read; stands for the store of the run.

    Parameters
    ----------
    record : MosaicRecord
    stacked : Stacked
        The plane.
    settings : Settings
        Those of the run.
    cameras : sequence of Path
        For `calibrated_pixels`, in the order of the record's cameras.
    scratch : Path
        Where decoded copies of compressed frames go.
    """

    def __init__(
        self, record: MosaicRecord, stacked: Stacked, settings: Settings, cameras: Sequence[Path], scratch: Path
    ) -> None:
        self._record, self.stacked, self._cameras, self._scratch = record, stacked, cameras, scratch
        self._method = replace(stacking_of(settings), device=None)
        self._beside = BESIDE_PX + (DROP_REACH_PX if settings.stacking_drizzle else 0)
        self.patches: dict[int, Patch] = {}
        """What was stacked last, by the tile's place in the plan."""
        self.window: Box = (0, 0, 0, 0)
        """The part of the plane that is stacked of a tile; the rest of it stays empty."""

    def look_at(self, box: Box) -> None:
        """Choose the part of the plane that is stacked where tiles are read."""
        y0, y1, x0, x1 = box
        self.window = y0 - self._beside, y1 + self._beside, x0 - self._beside, x1 + self._beside

    def forget(self) -> None:
        """Let go of what was stacked."""
        self.patches.clear()

    def near(self, box: Box) -> list[int]:
        """Return which tiles reach a part of the plane."""
        return [row for row, tile in enumerate(self.stacked.plan.tiles) if overlap(tile.outer, box) is not None]

    def owner(self, row: int, column: int) -> int | None:
        """Return which tile has a pixel of the plane for its own; None where no frame reaches it.

        Parameters
        ----------
        row, column : int
            On the plane.
        """
        tiles = self.stacked.plan.tiles
        inner = (row, row + 1, column, column + 1)
        return next((k for k, tile in enumerate(tiles) if overlap(tile.inner, inner) is not None), None)

    def read_tile(self, tile: TileSpec, row: int) -> TilePixels:
        """Return a tile of which only the chosen part has light.

        Parameters
        ----------
        tile : TileSpec
        row : int
            Its place among the tiles of the plan.
        """
        y0, y1, x0, x1 = tile.outer
        size, channels = (y1 - y0, x1 - x0), self.stacked.plan.channels
        whole = TilePixels(
            np.full((channels, *size), np.nan, np.float32),
            np.zeros(size, np.float32),
            np.zeros(size, np.uint16),
            np.zeros(size, np.uint16),
        )
        box = overlap(self.window, tile.outer)
        if box is None:
            return whole
        patch = self.patches[row] = self._patch(tile, row, box)
        into, shape = cropped(box, tile.outer), (box[1] - box[0], box[3] - box[2])
        whole.value[:, *into] = patch.result.value.reshape(channels, *shape)
        for name in ("weight", "kept", "rejected"):
            getattr(whole, name)[into] = getattr(patch.result, name).reshape(shape)
        return whole

    def _patch(self, tile: TileSpec, row: int, box: Box) -> Patch:
        task = self._task(tile, row)
        product = self.stacked.products[row]
        tile_samples = TileSamples(task)
        stacker = TileStacker(tile_samples)
        taken = set(product.frames_used)
        tile_samples.failed.update({number: REFUSED for number in tile.frame_ids if number not in taken})
        samples, present = tile_samples.of_frames(box, range(len(task.frames)))
        if product.mode == MemoryMode.STREAMING.value:
            low, high = stacker.sampled_limits(box)
            result = stacker.streamed(box, low, high)
        else:
            low, high = stacker.limits(samples, present, box)
            result = stacker.stacked(samples, present, box)
        pixels = math.prod(samples.shape[2:])
        each = tile_samples.weights(samples, present)
        weights = np.broadcast_to(each if each.ndim == 2 else each[:, None], (len(present), pixels))
        planes = samples[:, : task.channels].reshape(len(present), task.channels, pixels)
        result = replace(result, value=_drizzled(tile_samples, box, low, high, result))
        failed = dict(tile_samples.failed)
        return Patch(tile, box, task.frames, tuple(present), planes, weights, low, high, result, failed)

    def _task(self, tile: TileSpec, row: int) -> TileTask:
        plan, frames = self.stacked.plan, self._record.frames
        return TileTask(
            tile=tile,
            row=row,
            frames=tuple(frames.frame(number) for number in tile.frame_ids),
            defects=tuple(self._cameras[frames.camera(number)] for number in tile.frame_ids),
            scratch=self._scratch,
            canvas=plan.wcs,
            channels=plan.channels,
            stars=stars_by_tile(replace(plan, tiles=(tile,)), self._record.stars)[0],
            store=None,
            task_bytes=1 << 30,
            **vars(self._method),
        )


def _drizzled(samples: TileSamples, box: Box, low: Float32s, high: Float32s, result: StackResult) -> Float32s:
    """Return a box's values, shape (channels, pixels), after drops fell on it, where they do."""
    size = (box[1] - box[0], box[3] - box[2])
    value, limits = result.value.reshape(-1, *size), np.stack([low, high]).reshape(2, -1, *size)
    weight, kept, rejected = result.weight.reshape(size), result.kept.reshape(size), result.rejected.reshape(size)
    whole, _ = drizzled(samples, box, limits, TilePixels(value, weight, kept, rejected))
    return whole.reshape(result.value.shape)


class RestackedMaster(Restacked):
    """The canvas of a master tile, made again where it is read."""

    def __init__(
        self,
        record: MosaicRecord,
        master: MasterRecord,
        settings: Settings,
        cameras: Sequence[Path],
        scratch: Path,
    ) -> None:
        super().__init__(record, master.stacked, settings, cameras, scratch)
        self._master = master
        self._level = np.array(record.level, np.float32)[:, None, None]
        self._feather_rules = settings.master_tile_feather, settings.radial_feather_fraction
        self._read: dict[Box, TilePixels] = {}

    def forget(self) -> None:
        """Let go of what was stacked."""
        super().forget()
        self._read.clear()

    def read_canvas(self, box: Box) -> TilePixels:
        """Return a part of the canvas; one that was read is kept until `forget`."""
        if box not in self._read:
            self._read[box] = self._merged(box)
        return self._read[box]

    def _merged(self, box: Box) -> TilePixels:
        self.look_at(box)
        plan = self.stacked.plan
        pieces = grid_pieces(plan, self)
        near = [pieces[row] for row in self.near(box)]
        size = (box[1] - box[0], box[3] - box[2])
        merged = merged_block(box, near, CoaddPlane(plan.wcs), TileCache())
        if merged is None:
            nothing = np.zeros(size, np.uint16)
            empty = np.full((plan.channels, *size), np.nan, np.float32)
            return TilePixels(empty, np.zeros(size, np.float32), nothing, nothing)
        return replace(merged, value=merged.value + self._level)

    def canvas(self, name: str) -> Any:
        """Return the map ``feather``; the others are read by `read_canvas`."""
        if name != "feather":
            raise KeyError(name)
        return self._feather

    @cached_property
    def _feather(self) -> Float32s:
        plan, (y0, y1, x0, x1) = self.stacked.plan, self._master.box
        feather = np.zeros((plan.height, plan.width), np.float32)
        feather[y0:y1, x0:x1] = feather_map(self._master.valid, *self._feather_rules)
        return feather
