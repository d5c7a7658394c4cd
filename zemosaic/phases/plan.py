"""Phase 5: the canvas, its tiles, and whether this computer can make them; before any pixel work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zemosaic.compute.machine_resources import disk_free
from zemosaic.errors import NothingUsable, ResourceError, SettingsError, message, write_refused
from zemosaic.events import PlanReady
from zemosaic.export.grid_file import SavedGrid, grid_place, write_grid
from zemosaic.model import CalibratedFrame, Dropped, FrameStatus, GridPlan
from zemosaic.mosaic.canvas import Canvas, canvas_reaches, canvas_shift, extended_canvas, make_plan, region_of
from zemosaic.phases.context import RunContext
from zemosaic.phases.parts.fields import SkyField, canvas_of
from zemosaic.phases.previous_run.state import CachedField
from zemosaic.settings.region import parse_region
from zemosaic.store.folder_identity import is_within
from zemosaic.store.store_size import bytes_needed

__all__ = ["FieldPlan", "plan_fields"]

DISK_RESERVE = 200 << 20
SECONDS_PER_FRAME = 0.12
"""Stacking time per frame and worker before anything is known of this computer."""


@dataclass(frozen=True)
class FieldPlan:
    """The plan of one mosaic and the frames that are in it."""

    plan: GridPlan
    frames: tuple[CalibratedFrame, ...]
    key: str = ""
    """Which field of the run it is; what a file's name can bear."""
    sky: str = ""
    """Name of the part of the sky, without that of a filter."""


def plan_fields(
    context: RunContext, fields: Sequence[tuple[SkyField, Sequence[CalibratedFrame]]], save_grids: bool = True
) -> list[FieldPlan]:
    """Return the plans of the mosaics, one for each field that has frames in the region of interest.

    Parameters
    ----------
    context : RunContext
    fields : sequence of (Field, frames)
        The fields, the main one first, with their calibrated frames.
    save_grids : bool
        Whether new grids are saved where the settings name a place.  A run that only prepares must not: the next run
        would lie on the grid of frames that were only the first ones.

    Raises
    ------
    ResourceError
        When a canvas is larger than allowed or the disk too small.
    SettingsError
        When the saved grids lie in the input folder.
    NothingUsable
        When no frame reaches the region of interest or a saved grid.
    """
    with context.timer.phase("plan", None):
        plans_or_none = [
            _plan_of_field(context, field, frames, len(fields) > 1, save_grids) for field, frames in fields
        ]
        grids = [grid for grid in plans_or_none if grid is not None]
        if not grids:
            raise NothingUsable("error.nothing_in_region", region=context.settings.region_of_interest)
        _check_disk(context, [grid.plan for grid in grids])
        frames_in = sum(len(grid.frames) for grid in grids)
        megapixels = sum(grid.plan.width * grid.plan.height for grid in grids) / 1e6
        main = grids[0].plan
        context.reporter.emit(
            PlanReady(
                width=main.width,
                height=main.height,
                scale_arcsec=main.wcs.scale_arcsec,
                tiles=sum(len(grid.plan.tiles) for grid in grids),
                frames=frames_in,
                memory_bytes=context.workers.budget.planned_bytes,
                disk_bytes=sum(bytes_needed(grid.plan) + _file_bytes(context, grid.plan) for grid in grids),
                estimated_s=SECONDS_PER_FRAME * frames_in / context.workers.budget.workers + 0.05 * megapixels,
            )
        )
    return grids


def _plan_of_field(
    context: RunContext, field: SkyField, frames: Sequence[CalibratedFrame], several: bool, save_grid: bool
) -> FieldPlan | None:
    """Return the plan of one field; None where none of it lies in the region of interest."""
    settings, region = context.settings, parse_region(context.settings.region_of_interest)
    if field.saved is not None:
        grid = field.saved
        canvas = Canvas(grid.wcs, grid.width, grid.height)
        named = settings.global_wcs_output_path
        context.log(message("log.grid_reused", folder=named, width=grid.width, height=grid.height))
    elif field.canvas is not None:
        canvas = field.canvas
    else:
        canvas = canvas_of(context, [frame.solved for frame in frames])
        if field.before is not None and canvas.wcs.projection == field.before.canvas.wcs.projection:
            canvas = extended_canvas(field.before.canvas, [frame.solved for frame in frames])
    if save_grid and field.saved is None:
        _save_canvas(context, canvas, field, several)
    full_canvas = canvas
    if region is not None:
        box = region_of(canvas, *region)
        canvas = canvas.cut(box) if box else Canvas(canvas.wcs, 0, 0)
    _check_size(context, canvas)
    channels = max(len(frame.sky_adu) for frame in frames)
    sides = settings.grid_tile_px, settings.grid_overlap_px
    plan = make_plan(canvas, frames, channels, *sides, _origin(canvas, field.before))
    members = _reaching(context, frames, plan, full_canvas)
    if not members:
        return None
    return FieldPlan(replace(plan, name=field.name if several else ""), tuple(members), field.key, field.sky)


def _origin(canvas: Canvas, cached: CachedField | None) -> tuple[int, int]:
    """Return a corner of the tiles' grid: where an earlier night had one, so that tiles stay what they were."""
    shift = None if cached is None else canvas_shift(canvas, cached.canvas)
    return (0, 0) if cached is None or shift is None else (cached.origin[0] + shift[0], cached.origin[1] + shift[1])


def _check_size(context: RunContext, canvas: Canvas) -> None:
    if canvas.megapixels > context.settings.max_canvas_megapixels:
        raise ResourceError(
            "error.canvas_too_large",
            width=canvas.width,
            height=canvas.height,
            megapixels=round(canvas.megapixels),
            limit=context.settings.max_canvas_megapixels,
        )


def _save_canvas(context: RunContext, canvas: Canvas, field: SkyField, several: bool) -> None:
    """Save a grid where the settings name a place; the whole one, whatever region is asked for."""
    named = context.settings.global_wcs_output_path
    if not named:
        return
    place = grid_place(named, context.settings.output_dir)
    folder = place.folder
    if is_within(folder, Path(context.settings.input_dir)):
        raise SettingsError("error.grid_in_input", folder=named)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise write_refused(failure, named) from failure
    name, key = (field.sky, field.sky_key) if several else ("", "")
    write_grid(place, SavedGrid(canvas.wcs, canvas.width, canvas.height, name), key)
    context.log(message("log.grid_saved", folder=named))


def _reaching(
    context: RunContext, frames: Sequence[CalibratedFrame], plan: GridPlan, full_canvas: Canvas
) -> list[CalibratedFrame]:
    """Leave out the frames that lie beside a saved grid or the region of interest, each by name."""
    members = {frame_id for tile in plan.tiles for frame_id in tile.frame_ids}
    settings = context.settings
    for one in (frame for frame in frames if frame.frame.frame_id not in members):
        if settings.region_of_interest and canvas_reaches(full_canvas, one.solved):
            reason = message("reason.beside_region", region=settings.region_of_interest)
        else:
            reason = message("reason.beside_grid", folder=settings.global_wcs_output_path)
        context.drop(Dropped(one.frame.path, one.frame.frame_id, "plan", FrameStatus.REJECTED, reason))
    return [frame for frame in frames if frame.frame.frame_id in members]


def _file_bytes(context: RunContext, plan: GridPlan) -> int:
    settings = context.settings
    planes = plan.channels * (1 + settings.save_sigma_map + settings.save_proper_coadd) + 2
    return plan.width * plan.height * 4 * planes


def _check_disk(context: RunContext, plans: Sequence[GridPlan]) -> None:
    # What an earlier, broken run has stored is used again or replaced.
    stored = sum(file.stat().st_size for file in context.stores.glob("canvas_*.zarr/**/*") if file.is_file())
    work, output = context.folder.path, context.output_dir
    stores = 2 if context.settings.save_proper_coadd else 1
    tiles, files = (
        stores * sum(map(bytes_needed, plans)) + DISK_RESERVE,
        sum(_file_bytes(context, plan) for plan in plans),
    )
    if work.stat().st_dev == output.stat().st_dev:
        demands = [(output, tiles + files, disk_free(work) + stored)]
    else:
        demands = [(work, tiles, disk_free(work) + stored), (output, files + DISK_RESERVE, disk_free(output))]
    for folder, needed, free in demands:
        if needed > free:
            raise ResourceError(
                "error.disk_too_small",
                folder=str(folder),
                needed_gb=round(needed / 1e9, 1),
                free_gb=round(free / 1e9, 1),
            )
