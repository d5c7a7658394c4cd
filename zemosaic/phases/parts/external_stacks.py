"""Master tiles made earlier, by this program or another one, as pieces of a mosaic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.coadd.master_tile import MasterTile, feather_map, trimmed_box
from zemosaic.errors import FrameError, NothingUsable, message
from zemosaic.frames.frame_files import read_frame
from zemosaic.frames.pixels import open_pixels, stack_pixels
from zemosaic.model import CalibratedFrame, Dropped, FrameRef, FrameStatus, SolvedFrame, TileProduct
from zemosaic.phases.context import RunContext, phase_digest
from zemosaic.phases.parts.classic import MasterResult
from zemosaic.phases.plan import FieldPlan
from zemosaic.store.canvas_store import CanvasStore, TilePixels

__all__ = ["as_calibrated", "read_master_tiles"]

SUFFIX = "_weight"
"""What this program adds to the name of a master tile for its weight map."""


def as_calibrated(frames: Sequence[SolvedFrame]) -> list[CalibratedFrame]:
    """Return stacks as frames whose calibration changes nothing; their level is the median sky."""
    calibrated = []
    for frame in frames:
        channels = len(frame.measured.sky_adu)
        noise = tuple(max(float(sigma), 1e-12) for sigma in frame.measured.noise_adu)
        calibrated.append(
            CalibratedFrame(
                solved=frame,
                transparency=(1.0,) * channels,
                sky_adu=((0.0, 0.0, 0.0),) * channels,
                bias_adu=0.0,
                illumination=(0.0,),
                noise=noise,
                weight=1.0 / float(np.mean(np.square(noise))),
            )
        )
    return calibrated


def read_master_tiles(context: RunContext, grid: FieldPlan) -> list[MasterResult]:
    """Read the stacks of a field into stores of their own; one that cannot be read is left out by name.

    Parameters
    ----------
    context : RunContext
    grid : FieldPlan
        Its frames are the stacks.

    Raises
    ------
    NothingUsable
        When none can be read.
    """
    masters: list[MasterResult] = []
    for number, frame in enumerate(grid.frames):
        context.workers.check_cancelled()
        try:
            master = _read(context, grid, frame, len(masters), number)
        except FrameError as error:
            context.drop(Dropped(frame.frame.path, frame.frame.frame_id, "stack", FrameStatus.UNREADABLE, error.reason))
            continue
        masters.append(master)
    if not masters:
        raise NothingUsable("error.mosaic_empty")
    context.log(message("log.masters_read", tiles=len(masters)))
    return masters


def _read(context: RunContext, grid: FieldPlan, frame: CalibratedFrame, tile_id: int, number: int) -> MasterResult:
    settings, ref = context.settings, frame.frame
    value = _planes(stack_pixels(open_pixels(ref, context.scratch, borders=True).read_all()), grid.plan.channels)
    valid = np.asarray(np.isfinite(value).all(axis=0))
    box = trimmed_box(valid)
    if box is None:
        raise FrameError("reason.blank", path=ref.path)
    value[:, ~valid] = np.nan
    weight = np.where(valid, _weight_map(ref, valid, context.scratch) * np.float32(frame.weight), np.float32(0))
    store = CanvasStore(context.folder.path / f"canvas_{grid.key}-{number:03d}.zarr")
    height, width = valid.shape
    depends_on = phase_digest(context.settings, "plan", ref.identity, grid.plan.channels)
    store.create_canvas(grid.plan.channels, height, width, settings.grid_tile_px, depends_on)
    samples = valid.astype(np.uint16)
    store.write_canvas((0, height, 0, width), TilePixels(value, weight, samples, np.zeros_like(samples)))
    y0, y1, x0, x1 = box
    radial = settings.radial_feather_fraction
    feather = feather_map(valid[y0:y1, x0:x1], settings.master_tile_feather, radial)
    store.write_feather(feather, box)
    product = TileProduct(tile_id, (ref.frame_id,), 0.0, "read", empty=False)
    return MasterResult(MasterTile(store, frame.wcs.shifted(x0, y0), box, grid.plan.channels), product, (frame,))


def _planes(pixels: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    """Return a picture as (channels, h, w); a grey one counts in every colour."""
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    if len(planes) < channels:
        planes = np.repeat(planes[:1], channels, axis=0)
    return np.ascontiguousarray(planes)


def _weight_map(ref: FrameRef, valid: NDArray[np.bool_], scratch: Path) -> NDArray[np.float32]:
    """Return relative weights, 1 in the median, from the map that lies beside the file; 1 everywhere without one."""
    path = Path(ref.path)
    beside = path.with_name(path.stem + SUFFIX + path.suffix)
    plain = np.ones(valid.shape, np.float32)
    if not beside.is_file():
        return plain
    weight_frame = read_frame(beside, light=False)
    if (weight_frame.height, weight_frame.width, weight_frame.planes) != (*valid.shape, 1):
        return plain
    weights = np.array(open_pixels(weight_frame, scratch, borders=True).read_all(), np.float32)
    typical = float(np.median(weights[valid & (weights > 0)])) if (valid & (weights > 0)).any() else math.nan
    return weights / np.float32(typical) if typical > 0 else plain
