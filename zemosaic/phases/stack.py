"""Phase 6: every tile from the raw pixels of its frames; the only phase that resamples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import FrameError, Message
from zemosaic.events import TileStacked
from zemosaic.model import HIDDEN_BLOCK_PX, CalibratedFrame, Dropped, FieldStars, FrameStatus, TileProduct, TileSpec
from zemosaic.mosaic.starlight import TileStars, starlight, stars_by_tile
from zemosaic.mosaic.warp import frame_lattice, warp, window_of
from zemosaic.phases.context import RunContext, identity
from zemosaic.phases.measure import DefectMaps, mended_pixels
from zemosaic.phases.plan import Grid
from zemosaic.sky import FrameWcs
from zemosaic.stacking.kernel import stack
from zemosaic.stacking.rules import Combine, Rejection, StackRules
from zemosaic.store.canvas import CanvasStore, TilePixels

__all__ = ["stack_tiles"]

CONTENT_VERSION = 2
UNSTEADY = 0.2
"""Part of a star's light that seeing moves about within its image from frame to frame."""
BAND_STEP = 32
"""Bands begin at multiples of this, the lattice of exact positions."""

_REJECTION = {
    "none": Rejection.NONE,
    "winsorized_sigma_clip": Rejection.WINSORIZED,
    "kappa_sigma": Rejection.KAPPA_SIGMA,
}

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class _TileTask:
    tile: TileSpec
    row: int
    frames: tuple[CalibratedFrame, ...]
    defects: tuple[Path, ...]
    scratch: Path
    canvas: FrameWcs
    channels: int
    stars: TileStars
    rules: StackRules
    store: CanvasStore
    task_bytes: int


@dataclass(frozen=True)
class _TileAnswer:
    product: TileProduct
    failed: tuple[tuple[int, Message], ...]
    """Frames whose pixels could not be read any more."""


def stack_tiles(
    context: RunContext, grid: Grid, stars: FieldStars, defects: DefectMaps, store: CanvasStore
) -> list[TileProduct]:
    """Stack all tiles into the store; finished ones of an earlier, killed run are taken over."""
    plan = grid.plan
    by_id = {frame.frame.frame_id: frame for frame in grid.frames}
    rules = stack_rules(context)
    fingerprint = context.depends("plan", CONTENT_VERSION, asdict(plan.wcs), plan.width, plan.height, plan.channels)
    store.create(plan, fingerprint)
    products: dict[int, TileProduct] = {}
    tasks: list[_TileTask] = []
    nearby = stars_by_tile(plan, stars)
    digests: dict[int, str] = {}
    for row, tile in enumerate(plan.tiles):
        frames = tuple(by_id[i] for i in tile.frame_ids)
        digests[row] = context.depends(
            "stack",
            CONTENT_VERSION,
            fingerprint,
            asdict(tile),
            [_what_counts(frame) for frame in frames],
            [defects[frame.frame.group].fingerprint for frame in frames],
            [nearby[row].x.tolist(), nearby[row].y.tolist(), nearby[row].flux.tolist(), nearby[row].fwhm_px],
        )
        stored = context.journal.get("tile", str(row), digests[row])
        if stored is not None:
            products[row] = _product_from(stored)
            continue
        tasks.append(
            _TileTask(
                tile=tile,
                row=row,
                frames=frames,
                defects=tuple(defects[frame.frame.group].path for frame in frames),
                scratch=context.scratch,
                canvas=plan.wcs,
                channels=plan.channels,
                stars=nearby[row],
                rules=rules,
                store=store,
                task_bytes=context.budget.task_bytes,
            )
        )
    failed: dict[int, Message] = {}
    with context.phase("stack", len(plan.tiles)) as advance:
        done = len(products)
        advance(done)
        for task, answer in zip(tasks, context.map(stack_tile, tasks), strict=True):
            products[task.row] = answer.product
            failed.update(answer.failed)
            if not answer.failed:
                context.journal.put("tile", str(task.row), digests[task.row], _product_bytes(answer.product))
            done += 1
            product = answer.product
            context.emit(
                TileStacked(product.tile_id, len(product.frames_used), product.rejected_fraction, product.mode)
            )
            advance(done)
    for frame_id, reason in sorted(failed.items()):
        context.drop(Dropped(by_id[frame_id].frame.path, frame_id, "stack", FrameStatus.UNREADABLE, reason))
    return [products[row] for row in range(len(plan.tiles))]


def stack_rules(context: RunContext) -> StackRules:
    """Return the rules that the settings ask for."""
    settings = context.settings
    return StackRules(
        rejection=_REJECTION[settings.stacking_rejection_algorithm],
        combine=Combine.MEDIAN if settings.stacking_final_combine_method == "median" else Combine.MEAN,
        kappa_low=settings.stacking_kappa_low,
        kappa_high=settings.stacking_kappa_high,
    )


def stack_tile(task: _TileTask) -> _TileAnswer:
    """Stack one tile in bands that fit the memory, and store it."""
    y0, y1, x0, x1 = task.tile.outer
    shape = (y1 - y0, x1 - x0)
    whole = TilePixels(
        np.full((task.channels, *shape), np.nan, np.float32),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.uint16),
        np.zeros(shape, np.uint16),
    )
    failed: dict[int, Message] = {}
    bands = list(_bands(task))
    noise = _expected_noise(task)
    seen: set[int] = set()
    for band in bands:
        samples, present = _samples(task, band, failed)
        seen.update(present)
        result = stack(
            samples.reshape(len(present), task.channels, (band[1] - band[0]) * shape[1]),
            np.array([task.frames[k].weight for k in present], np.float32),
            noise,
            task.rules,
            (UNSTEADY * starlight(task.stars, band, task.channels)).reshape(task.channels, -1),
        )
        rows = slice(band[0] - y0, band[1] - y0)
        size = (band[1] - band[0], shape[1])
        whole.value[:, rows] = result.value.reshape(task.channels, *size)
        for name in ("weight", "kept", "rejected"):
            getattr(whole, name)[rows] = getattr(result, name).reshape(size)
    task.store.write_tile(task.tile, task.row, whole)
    total = int(whole.kept.sum(dtype=np.int64)) + int(whole.rejected.sum(dtype=np.int64))
    product = TileProduct(
        tile_id=task.tile.tile_id,
        frames_used=tuple(
            i for k, i in enumerate(task.tile.frame_ids) if i not in failed and (k in seen or not task.frames[k].hidden)
        ),
        rejected_fraction=float(whole.rejected.sum(dtype=np.int64)) / max(total, 1),
        mode="exact" if len(bands) == 1 else "exact in passes",
        empty=total == 0,
    )
    return _TileAnswer(product, tuple(sorted(failed.items(), key=lambda item: item[0])))


def _bands(task: _TileTask) -> Iterator[Box]:
    """Divide a tile into bands of rows whose cube of samples fits the task's memory."""
    y0, y1, x0, x1 = task.tile.outer
    largest = max((frame.frame.width * frame.frame.height for frame in task.frames), default=0)
    window = min(largest, 3 * (x1 - x0) * (y1 - y0)) * (2 + 4 * task.channels)
    free = max(task.task_bytes - window, task.task_bytes // 4)
    per_row = max(1, len(task.frames) * task.channels * (x1 - x0) * 4)
    rows = max(BAND_STEP, free // per_row // BAND_STEP * BAND_STEP)
    start = y0
    while start < y1:
        end = min(y1, (start // BAND_STEP) * BAND_STEP + rows)
        yield start, end, x0, x1
        start = end


def _samples(task: _TileTask, band: Box, failed: dict[int, Message]) -> tuple[NDArray[np.float32], list[int]]:
    """Return the calibrated samples of all frames that reach a band, and which frames these are."""
    size = (band[1] - band[0], band[3] - band[2])
    cube = np.empty((len(task.frames), task.channels, *size), np.float32)
    present: list[int] = []
    for k, frame in enumerate(task.frames):
        if frame.frame.frame_id in failed:
            continue
        lattice = frame_lattice(task.canvas, frame.wcs, band)
        window = window_of(lattice, frame.frame.width, frame.frame.height)
        if window is None:
            continue
        try:
            pixels = mended_pixels(frame.frame, task.defects[k], task.scratch, window)
        except FrameError as error:
            failed[frame.frame.frame_id] = error.reason
            continue
        if frame.hidden:
            pixels = without_hidden(pixels, window, frame)
        into = cube[len(present)]
        channels = len(frame.sky_adu)
        warp(pixels, window, frame, lattice, band, into[:channels])
        into[channels:] = into[0]
        if np.isfinite(into[0]).any():
            present.append(k)
    return cube[: len(present)], present


def without_hidden(
    pixels: NDArray[Any], window: tuple[int, int, int, int], frame: CalibratedFrame
) -> NDArray[np.float32]:
    """Return the pixels of a window (y0, y1, x0, x1) with NaN where the frame is hidden."""
    columns = -(-frame.frame.width // HIDDEN_BLOCK_PX)
    row, column = (np.arange(a, b) // HIDDEN_BLOCK_PX for a, b in (window[:2], window[2:]))
    out = pixels.astype(np.float32)
    out[np.isin(row[:, None] * columns + column[None, :], frame.hidden)] = np.nan
    return out


def _expected_noise(task: _TileTask) -> NDArray[np.float32]:
    """Return the typical noise of one sample per channel.

    Taken from all frames of the tile, not of a band: bands follow the memory, and the mosaic must not.
    """
    wide = [
        frame.noise if len(frame.noise) == task.channels else frame.noise[:1] * task.channels for frame in task.frames
    ]
    return np.median(np.array(wide, np.float32), axis=0).astype(np.float32)


def _what_counts(frame: CalibratedFrame) -> list[object]:
    wcs = asdict(frame.wcs)
    return [
        identity(frame.frame),
        wcs,
        frame.transparency,
        frame.sky_adu,
        frame.bias_adu,
        frame.illumination,
        frame.noise,
        frame.weight,
        frame.hidden,
    ]


def _product_bytes(product: TileProduct) -> bytes:
    return json.dumps(asdict(product)).encode()


def _product_from(data: bytes) -> TileProduct:
    values = json.loads(data)
    values["frames_used"] = tuple(values["frames_used"])
    return TileProduct(**values)
