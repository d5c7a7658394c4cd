"""The proper coadd beside the mosaic: made tile by tile once the mosaic is there, and written with the maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from zemosaic.arrays import Float64s, green_channel
from zemosaic.coadd.proper.proper_tile import MARGIN_PX, ProperTask, grown_box, proper_tile
from zemosaic.coadd.proper.transfer import half_maximum_width, shape_on_canvas, transfer_function
from zemosaic.coadd.tile_task import TileTask
from zemosaic.compute.budget import stack_share
from zemosaic.compute.executors import TaskKilled
from zemosaic.errors import Message, WorkerDied, message
from zemosaic.export.cards import Card
from zemosaic.model import CalibratedFrame, FieldStars, GridPlan
from zemosaic.mosaic.canvas import Canvas, make_plan
from zemosaic.mosaic.star_model import stars_by_tile
from zemosaic.phases.assemble import assemble_pieces, grid_pieces, pedestal
from zemosaic.phases.context import RunContext, phase_digest
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.plan import FieldPlan
from zemosaic.phases.stack import stacking_of
from zemosaic.store.canvas_store import CanvasStore

__all__ = ["make_proper_coadd", "proper_cards", "proper_store"]

CONTENT_VERSION = 1
WIDTH_PX = 128
"""Side of the picture in which the width of the coadd's stars is read off."""


def proper_store(context: RunContext, key: str) -> CanvasStore:
    """Return where the proper coadd of a field lies while the run goes on.

    Parameters
    ----------
    context : RunContext
    key : str
        Of the field's plan.
    """
    return CanvasStore(context.stores / f"proper_{key}.zarr")


def make_proper_coadd(
    context: RunContext, grid: FieldPlan, stars: FieldStars, defects: DetectorCalibrations, mosaic: CanvasStore
) -> None:
    """Make the proper coadd of a field whose mosaic is finished; nothing where it is not asked for.

    Parameters
    ----------
    context : RunContext
    grid : FieldPlan
    stars : FieldStars
    defects : DetectorCalibrations
    mosaic : CanvasStore
        Holds the finished canvas.
    """
    if not context.settings.save_proper_coadd:
        return
    store, settings = proper_store(context, grid.key), context.settings
    canvas = Canvas(grid.plan.wcs, grid.plan.width, grid.plan.height)
    sides = settings.grid_tile_px, settings.grid_overlap_px
    # Tiles of its own: those of a mosaic of master tiles are as large as these.
    plan = make_plan(canvas, grid.frames, grid.plan.channels, *sides, grid.plan.origin)
    grid = replace(grid, plan=plan)
    level = pedestal(grid.frames, plan.channels)
    fingerprint = phase_digest(context.settings, "stack", CONTENT_VERSION, plan.width, plan.height, plan.channels)
    store.create(plan, fingerprint)
    tasks = _tasks(context, grid, stars, defects, mosaic, store)
    context.log(message("log.proper_coadd", tiles=len(tasks)))
    share = stack_share(context.workers.budget, context.settings.winsor_worker_limit)
    unread: dict[int, Message] = {}
    with context.timer.phase("assemble", len(tasks)) as advance:
        answers = context.workers.map(proper_tile, tasks, ahead=share.ahead, lost=_tile_lost)
        for done, failed in enumerate(answers, start=1):
            unread.update(failed)
            advance(done)
    for reason in unread.values():
        context.warn(reason)
    assemble_pieces(context, plan, grid_pieces(plan, store), level, store, "incremental")


def _tile_lost(task: ProperTask, fault: BaseException) -> tuple[tuple[int, Message], ...]:
    """Name the tile that workers died of."""
    if isinstance(fault, TaskKilled):
        tile, frames = task.tile.tile_id, len(task.shapes)
        raise WorkerDied("error.tile_killed", tile=tile, frames=frames, detail=str(fault)) from fault
    raise fault


def _tasks(
    context: RunContext,
    grid: FieldPlan,
    stars: FieldStars,
    defects: DetectorCalibrations,
    mosaic: CanvasStore,
    store: CanvasStore,
) -> list[ProperTask]:
    """Return a task for each tile of the plan."""
    plan, by_id = grid.plan, {frame.frame.frame_id: frame for frame in grid.frames}
    grown = [replace(tile, outer=grown_box(tile.outer, plan.height, plan.width)) for tile in plan.tiles]
    usual, method = _usual_width(grid.frames), replace(stacking_of(context.settings), device=None, radial_fraction=None)
    shapes = {i: shape_on_canvas(plan.wcs, frame, usual) for i, frame in by_id.items()}
    level = tuple(float(v) for v in pedestal(grid.frames, plan.channels))
    share = stack_share(context.workers.budget, context.settings.winsor_worker_limit)
    tasks = []
    for row, (tile, nearby) in enumerate(
        zip(grown, stars_by_tile(replace(plan, tiles=tuple(grown)), stars), strict=True)
    ):
        frames = tuple(by_id[i] for i in tile.frame_ids)
        stacking = TileTask(
            tile=tile,
            row=row,
            frames=frames,
            defects=tuple(defects[frame.frame.camera_key].path for frame in frames),
            scratch=context.scratch,
            canvas=plan.wcs,
            channels=plan.channels,
            stars=nearby,
            store=CanvasStore(store.path),
            task_bytes=share.task_bytes,
            **vars(method),
        )
        tasks.append(
            ProperTask(
                stacking=stacking,
                tile=plan.tiles[row],
                shapes=tuple(shapes[i] for i in tile.frame_ids),
                mosaic=CanvasStore(mosaic.path),
                level=level,
            )
        )
    return tasks


def proper_cards(plan: GridPlan, frames: Sequence[CalibratedFrame]) -> list[Card]:
    """Return the cards that say what a proper coadd's numbers are.

    Parameters
    ----------
    plan : GridPlan
    frames : sequence of CalibratedFrame
        Those in the mosaic.
    """
    size = (WIDTH_PX, WIDTH_PX)
    power: Float64s = np.zeros((WIDTH_PX, WIDTH_PX // 2 + 1))
    total, usual = 0.0, _usual_width(frames)
    for frame in frames:
        precision = frame.noise[green_channel(len(frame.noise))] ** -2.0
        power += precision * transfer_function(shape_on_canvas(plan.wcs, frame, usual), size) ** 2
        total += precision
    width = half_maximum_width(np.sqrt(power / total), size) * plan.wcs.scale_arcsec
    lines = (
        "Proper coadd of Zackay and Ofek (2017, ApJ 836, 188): each frame counts",
        "at each spatial frequency by what its stars' width lets through there.",
        "A matched filter of the width ZMPFWHM measures faint stars as well as",
        "all frames together can; noise is that of a mean by inverse variance.",
        "Light of stars and level of the sky are those of the mosaic before",
        "gains of colour or a flattened background, where these are asked for.",
    )
    return [
        ("ZMPFWHM", round(float(width), 3), "[arcsec] width of the stars, all frames together"),
        ("ZMPMARG", MARGIN_PX, "[px] reach of the filters"),
        *(("COMMENT", line, "") for line in lines),
    ]


def _usual_width(frames: Sequence[CalibratedFrame]) -> float:
    """Return the median width of the frames' stars in their pixels."""
    widths = np.array([frame.solved.measured.fwhm_px for frame in frames])
    known = widths[np.isfinite(widths) & (widths > 0)]
    return float(np.median(known)) if len(known) else 2.5
