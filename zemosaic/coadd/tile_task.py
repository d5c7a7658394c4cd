"""What the stacking of a tile is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.coadd.tile_device import Device
from zemosaic.errors import Message
from zemosaic.model import OBSTRUCTION_BLOCK_PX, CalibratedFrame, TileProduct, TileSpec
from zemosaic.mosaic.star_model import TileStars
from zemosaic.resampling.drizzle import DropRules
from zemosaic.resampling.interpolation import Interpolation
from zemosaic.stacking.memory_modes import MemoryRules
from zemosaic.stacking.rules import StackRules
from zemosaic.store.canvas_store import CanvasStore
from zemosaic.wcs import FrameWcs

__all__ = ["StackingMethod", "TileAnswer", "TileTask", "frame_noises", "pixel_area_ratio", "without_obstructed"]


@dataclass(frozen=True, kw_only=True)
class StackingMethod:
    """How tiles are stacked, the same for all tiles of a run."""

    rules: StackRules
    interpolation: Interpolation = Interpolation.LANCZOS3
    radial_fraction: float | None = None
    """Part of the half diagonal within which all samples of a frame weigh the same; None without a radial feather."""
    drops: DropRules | None = None
    """How raw pixels fall onto the canvas; None where samples are interpolated."""
    memory: MemoryRules = field(default_factory=MemoryRules)
    device: Device | None = None


@dataclass(frozen=True, kw_only=True)
class TileTask(StackingMethod):
    """All that a worker needs to stack one tile."""

    tile: TileSpec
    row: int
    frames: tuple[CalibratedFrame, ...]
    defects: tuple[Path, ...]
    scratch: Path
    canvas: FrameWcs
    channels: int
    stars: TileStars
    store: CanvasStore | None
    """None where the stack is only looked at."""
    task_bytes: int


@dataclass(frozen=True)
class TileAnswer:
    """A stacked tile's record."""

    product: TileProduct
    failed: tuple[tuple[int, Message], ...]
    """Frames whose pixels could not be read any more."""
    remarks: tuple[Message, ...] = ()
    """What did not go as asked, for the user."""
    differs: float | None = None
    """Largest difference of the device's stack from the CPU's, in units of the expected noise; None: not compared."""


def pixel_area_ratio(canvas: FrameWcs, frame: FrameWcs) -> float:
    """Return the area of a canvas pixel over that of a frame's.

    Parameters
    ----------
    canvas, frame : FrameWcs
    """
    areas = [abs(wcs.cd[0][0] * wcs.cd[1][1] - wcs.cd[0][1] * wcs.cd[1][0]) for wcs in (canvas, frame)]
    return areas[0] / areas[1]


def without_obstructed(pixels: NDArray[Any], window: Box, frame: CalibratedFrame) -> Float32s:
    """Return the pixels of a window (y0, y1, x0, x1) with NaN where the frame is hidden.

    Parameters
    ----------
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Of the window.
    window : (y0, y1, x0, x1)
        Where it lies on the detector.
    frame : CalibratedFrame

    Returns
    -------
    ndarray of the same shape, float32
    """
    columns = -(-frame.frame.width // OBSTRUCTION_BLOCK_PX)
    row, column = (np.arange(a, b) // OBSTRUCTION_BLOCK_PX for a, b in (window[:2], window[2:]))
    out = pixels.astype(np.float32)
    out[np.isin(row[:, None] * columns + column[None, :], frame.obstructed)] = np.nan
    return out


def frame_noises(task: TileTask) -> Float32s:
    """Return the noise of one sample of each frame, shape (frames, channels)."""
    wide = [
        np.array(frame.noise if len(frame.noise) == task.channels else frame.noise[:1] * task.channels, np.float32)
        * np.float32(pixel_area_ratio(task.canvas, frame.wcs))
        for frame in task.frames
    ]
    return np.array(wide, np.float32)
