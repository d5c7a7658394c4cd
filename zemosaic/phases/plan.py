"""Phase 5: the canvas, its tiles, and whether this computer can make them; before any pixel work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zemosaic.compute.resources import disk_free
from zemosaic.errors import ResourceError, message
from zemosaic.events import PlanReady
from zemosaic.model import CalibratedFrame, Dropped, FrameStatus, GridPlan, SolvedFrame
from zemosaic.mosaic.canvas import Canvas, connected_fields, make_canvas, make_plan
from zemosaic.phases.context import RunContext
from zemosaic.store.canvas import bytes_needed

__all__ = ["Grid", "drop_strays", "make_grid"]

STRAY_FRACTION = 0.02
"""A field with fewer than this part of the frames ..."""
STRAY_GROWTH = 3.0
"""... that would make the canvas this many times larger is a stray solution."""
WHOLE_SKY_MEGAPIXELS = 1e6
"""Stands for a canvas that no plane can hold."""
DISK_RESERVE = 200 << 20
SECONDS_PER_FRAME = 0.12
"""Stacking time per frame and worker before anything is known of this computer."""


@dataclass(frozen=True)
class Grid:
    """The plan and the frames that are in it."""

    plan: GridPlan
    frames: tuple[CalibratedFrame, ...]


def make_grid(context: RunContext, frames: Sequence[CalibratedFrame]) -> Grid:
    """Return the plan of the mosaic.

    Raises
    ------
    ResourceError
        When the canvas is larger than allowed or the disk too small.
    """
    settings = context.settings
    with context.phase("plan", None):
        canvas = _canvas(context, [frame.solved for frame in frames])
        if canvas.megapixels > settings.max_canvas_megapixels:
            raise ResourceError(
                "error.canvas_too_large",
                width=canvas.width,
                height=canvas.height,
                megapixels=round(canvas.megapixels),
                limit=settings.max_canvas_megapixels,
            )
        channels = max(len(frame.sky_adu) for frame in frames)
        plan = make_plan(canvas, frames, channels, settings.grid_tile_px, settings.grid_overlap_px)
        _check_disk(context, plan)
        estimate = SECONDS_PER_FRAME * len(frames) / context.budget.workers + 0.05 * canvas.megapixels
        context.emit(
            PlanReady(
                width=plan.width,
                height=plan.height,
                scale_arcsec=plan.wcs.scale_arcsec,
                tiles=len(plan.tiles),
                frames=len(frames),
                memory_bytes=context.budget.planned_bytes,
                disk_bytes=_disk_bytes(plan),
                estimated_s=estimate,
            )
        )
    return Grid(plan, tuple(frames))


def _canvas(context: RunContext, frames: Sequence[SolvedFrame]) -> Canvas:
    settings = context.settings
    return make_canvas(frames, settings.global_wcs_orientation, settings.global_wcs_pixelscale_mode)


def drop_strays(context: RunContext, frames: Sequence[SolvedFrame]) -> list[SolvedFrame]:
    """Leave out frames far from all others whose place would blow the canvas up, each by name."""
    fields = connected_fields(frames)
    kept = list(fields[0])
    for field in fields[1:]:
        without = _megapixels(context, [frames[i] for i in kept])
        with_field = _megapixels(context, [frames[i] for i in (*kept, *field)])
        stray = len(field) < STRAY_FRACTION * len(frames) or len(field) == 1
        too_large = with_field > context.settings.max_canvas_megapixels
        if too_large or (stray and with_field > STRAY_GROWTH * without):
            reason = message("reason.blows_canvas_up", with_frame=round(with_field), without=round(without))
            for i in field:
                frame = frames[i].frame
                context.drop(Dropped(frame.path, frame.frame_id, "plan", FrameStatus.REJECTED, reason))
        else:
            kept.extend(field)
    return [frames[i] for i in sorted(kept)]


def _megapixels(context: RunContext, frames: Sequence[SolvedFrame]) -> float:
    try:
        return _canvas(context, frames).megapixels
    except ResourceError:
        return WHOLE_SKY_MEGAPIXELS


def _disk_bytes(plan: GridPlan) -> int:
    files = plan.width * plan.height * 4 * (plan.channels + 2)
    return bytes_needed(plan) + files


def _check_disk(context: RunContext, plan: GridPlan) -> None:
    free = disk_free(context.work_dir)
    needed = _disk_bytes(plan) + DISK_RESERVE
    if needed > free:
        raise ResourceError(
            "error.disk_too_small",
            folder=str(context.output_dir),
            needed_gb=round(needed / 1e9, 1),
            free_gb=round(free / 1e9, 1),
        )
