"""A quick look at the mosaic before its first tile: the fewest frames that cover it, one or a few on each place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s
from zemosaic.calibration.detector import calibrated_pixels
from zemosaic.coadd.tile_task import pixel_area_ratio
from zemosaic.errors import FrameError, Message, ZeMosaicError, message
from zemosaic.events import PreviewReady
from zemosaic.frames.debayer import half_size
from zemosaic.frames.planes import colour_planes
from zemosaic.model import CalibratedFrame, GridPlan, sky_level
from zemosaic.phases.context import RunContext
from zemosaic.phases.live_preview.partial_mosaic import MAX_SIDE_PX, coarse_side, keep_quick_look
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.plan import FieldPlan
from zemosaic.picture.preview import stretched_preview, write_png

__all__ = ["Task", "covering", "read_reduced", "reduced", "show_quick_look"]

MAX_FRAMES = 24
MAX_CANDIDATES = 1000
"""With more frames than this, only every n-th frame is considered."""
CELLS = 24
"""The canvas is divided into so many cells along its longer side to find out what frames cover."""


@dataclass(frozen=True)
class Task:
    """A frame to be read and made small."""

    frame: CalibratedFrame
    block_px: int
    defects: Path
    """What its camera's pixels need; see `calibrated_pixels`."""
    scratch: Path


def show_quick_look(context: RunContext, grid: FieldPlan, defects: DetectorCalibrations) -> None:
    """Show a picture of `MAX_FRAMES` calibrated frames at most; nothing of the mosaic depends on it.

    Parameters
    ----------
    context : RunContext
    grid : FieldPlan
    defects : DetectorCalibrations
    """
    if any(context.stores.glob("canvas_*.zarr")):
        return  # an earlier run left tiles, which are shown at once
    plan, chosen = grid.plan, covering(grid.plan, grid.frames)
    side = coarse_side(plan)
    tasks = [
        Task(
            frame,
            _block_px(frame, side * plan.wcs.scale_arcsec),
            defects[frame.frame.camera_key].path,
            context.scratch,
        )
        for frame in chosen
    ]
    shape = -(-plan.height // side), -(-plan.width // side)
    total, number, used = np.zeros((plan.channels, *shape)), np.zeros(shape), 0
    answers = context.workers.map_frames(read_reduced, tasks, lambda task: task.frame.frame)
    for task, planes in zip(tasks, answers, strict=True):
        if planes is not None and not isinstance(planes, Message):
            _add(total, number, planes * np.float32(pixel_area_ratio(plan.wcs, task.frame.wcs)), task, plan, side)
            used += 1
    if not number.any():
        return
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(number > 0, total / number, np.nan).astype(np.float32)
    picture = stretched_preview(mean, number, MAX_SIDE_PX, axis_order="CHW")
    path = context.scratch / f"quick_look_{grid.key}.png"
    try:
        keep_quick_look(context.scratch, grid.key, plan, mean, used)
        write_png(path, picture)
    except (OSError, ZeMosaicError) as problem:
        detail = getattr(problem, "strerror", None) or str(problem)
        context.log(message("log.no_live_picture", detail=detail), "WARNING")
        return
    context.reporter.emit(PreviewReady(str(path), picture.shape[1], picture.shape[0], final=False, quick_frames=used))


def covering(plan: GridPlan, frames: Sequence[CalibratedFrame]) -> list[CalibratedFrame]:
    """Return few frames that together cover the canvas: each the one that adds most to those before it.

    Frames of which a part is hidden are taken only where there are no others.

    Parameters
    ----------
    plan : GridPlan
    frames : sequence of CalibratedFrame
        Of more than `MAX_CANDIDATES` only every n-th is looked at; of these `MAX_FRAMES` are returned at most.
    """
    clear = [frame for frame in frames if not frame.obstructed] or list(frames)
    left = clear[:: max(1, -(-len(clear) // MAX_CANDIDATES))]
    cell = max(plan.width, plan.height) / CELLS
    x, y = np.meshgrid(np.arange(0.5 * cell, plan.width, cell), np.arange(0.5 * cell, plan.height, cell))
    sky = plan.wcs.pixel_to_sky(x.ravel(), y.ravel())
    within = np.array([_inside(frame, *frame.wcs.sky_to_pixel(*sky)) for frame in left]).reshape(len(left), x.size)
    bare = np.ones(x.size, bool)
    chosen: list[CalibratedFrame] = []
    while len(chosen) < MAX_FRAMES and len(left):
        added = (within & bare).sum(axis=1)
        best = int(np.argmax(added))
        if not added[best]:
            break
        chosen.append(left[best])
        bare &= ~within[best]
    return chosen or left[:1]


def reduced(frame: CalibratedFrame, pixels: NDArray[Any], block_px: int) -> Float32s:
    """Return calibrated means over blocks of a frame's pixels.

    Parameters
    ----------
    frame : CalibratedFrame
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Mended, and with the user's masters applied.
    block_px : int
        Side of a block; even for raw colour frames.

    Returns
    -------
    ndarray of float32, shape (channels, h // block, w // block)
        In mosaic units.
    """
    bayer = frame.frame.bayer
    planes, cell = (half_size(pixels, bayer), 2) if bayer else (colour_planes(pixels, None), 1)
    step = block_px // cell
    rows, columns = max(planes.shape[1] // step, 1), max(planes.shape[2] // step, 1)
    small = [
        cv2.resize(plane[: rows * step, : columns * step], (columns, rows), interpolation=cv2.INTER_AREA)
        for plane in planes
    ]
    if len(small) == 1:
        small *= len(frame.sky_adu)  # a mono frame among colour ones is in all colours alike
    height, width = frame.frame.height, frame.frame.width
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    u, v = ((x + 0.5) * block_px - 0.5 - width / 2) / height, ((y + 0.5) * block_px - 0.5 - height / 2) / height
    r2 = u * u + v * v
    light = 1 + sum(coefficient * r2 ** (k + 1) for k, coefficient in enumerate(frame.illumination))
    calibrated = [
        ((plane - frame.bias_adu - frame.level_jump_adu) / light - sky_level(sky, u, v)) / passed
        for plane, sky, passed in zip(small, frame.sky_adu, frame.transparency, strict=True)
    ]
    return np.asarray(calibrated, np.float32)


def read_reduced(task: Task) -> Float32s | None:
    """Return a frame's calibrated means over blocks, its pixels mended; None where it cannot be read."""
    try:
        pixels = calibrated_pixels(task.frame.frame, task.defects, task.scratch)
        return reduced(task.frame, pixels, task.block_px)
    except FrameError:
        return None  # told when it is stacked


def _add(
    total: NDArray[np.float64], number: NDArray[np.float64], planes: Float32s, task: Task, plan: GridPlan, side: int
) -> None:
    """Add a small frame to the coarse canvas, each coarse pixel from the block that holds its middle."""
    frame = task.frame
    corners = plan.wcs.sky_to_pixel(*frame.wcs.corners(frame.frame.width, frame.frame.height))
    low = [max(int(np.min(edge) // side), 0) for edge in corners]
    high = [min(int(np.max(edge) // side) + 1, limit) for edge, limit in zip(corners, number.shape[::-1], strict=True)]
    if low[0] >= high[0] or low[1] >= high[1]:
        return
    x, y = np.meshgrid(*((np.arange(a, b) + 0.5) * side - 0.5 for a, b in zip(low, high, strict=True)))
    at_x, at_y = frame.wcs.sky_to_pixel(*plan.wcs.pixel_to_sky(x, y))
    inside = _inside(frame, at_x, at_y)
    column = np.clip((at_x[inside] + 0.5) / task.block_px, 0, planes.shape[2] - 1).astype(np.intp)
    row = np.clip((at_y[inside] + 0.5) / task.block_px, 0, planes.shape[1] - 1).astype(np.intp)
    place = np.s_[low[1] : high[1], low[0] : high[0]]
    total[:, *place][:, inside] += planes[:, row, column]
    number[place][inside] += 1


def _block_px(frame: CalibratedFrame, wanted_arcsec: float) -> int:
    """Return the side of blocks that are not larger than wanted, unless a pixel or a colour cell is."""
    cell = 2 if frame.frame.bayer else 1
    return max(int(wanted_arcsec / frame.wcs.scale_arcsec) // cell, 1) * cell


def _inside(frame: CalibratedFrame, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    return (x > -0.5) & (x < frame.frame.width - 0.5) & (y > -0.5) & (y < frame.frame.height - 0.5)
