"""Classic mode: frames into groups, every group into a master tile, the master tiles into the mosaic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from zemosaic.coadd.background_matching import matched_inputs
from zemosaic.coadd.cutouts import CoaddPlane, footprint_bbox
from zemosaic.coadd.inputs import overlap
from zemosaic.coadd.master_tile import MasterTile, feather_map, trimmed_box
from zemosaic.errors import NothingUsable, message
from zemosaic.export.cards import map_cards, mosaic_cards, provenance_of
from zemosaic.export.fits import write_fits
from zemosaic.model import CalibratedFrame, TileProduct, TileSpec
from zemosaic.mosaic.canvas import make_canvas, make_plan
from zemosaic.mosaic.clusters import AUTO_MAX_FRAMES, GroupRules, frame_groups
from zemosaic.phases.assemble import assemble_pieces, blocks_of, grid_pieces
from zemosaic.phases.context import RunContext, phase_digest
from zemosaic.phases.plan import FieldPlan
from zemosaic.settings.load import settings_hash
from zemosaic.store.canvas_store import CanvasStore
from zemosaic.store.codec import content_of

__all__ = ["MASTER_FOLDER", "MasterResult", "assemble_master_tiles", "make_master_tiles", "plan_master_tiles"]

MASTER_FOLDER = "master_tiles"


@dataclass(frozen=True)
class MasterResult:
    """A finished master tile and the frames in it."""

    tile: MasterTile
    product: TileProduct
    frames: tuple[CalibratedFrame, ...]


def plan_master_tiles(context: RunContext, grid: FieldPlan) -> list[FieldPlan]:
    """Return a plan for each group of a field's frames: a plane of its own that lies as the frames do.

    Parameters
    ----------
    context : RunContext
    grid : FieldPlan
        Of the field; the groups take over its plate scale and channels.
    """
    settings, frames = context.settings, grid.frames
    cap = settings.max_raw_per_master_tile
    if settings.auto_limit_frames_per_master_tile:
        cap = min(cap or AUTO_MAX_FRAMES, AUTO_MAX_FRAMES)
    rules = GroupRules(settings.cluster_panel_threshold, settings.cluster_orientation_split_deg, cap)
    groups = frame_groups([frame.solved for frame in frames], rules)
    context.log(message("log.groups", groups=len(groups), frames=len(frames), most=max(map(len, groups))))
    return [
        _plan_of(context, [frames[k] for k in sorted(group)], grid, f"{grid.key}-{number:03d}")
        for number, group in enumerate(groups, start=1)
    ]


def _plan_of(context: RunContext, frames: Sequence[CalibratedFrame], grid: FieldPlan, key: str) -> FieldPlan:
    settings = context.settings
    # Frames that the program groups point to one place; those of a group by hand may lie anywhere.
    canvas = make_canvas(
        [frame.solved for frame in frames],
        "median_pc",
        "median",
        scale_arcsec=grid.plan.wcs.scale_arcsec,
        projection="auto" if frames[0].frame.group_name else "TAN",
    )
    plan = make_plan(canvas, frames, grid.plan.channels, settings.grid_tile_px, settings.grid_overlap_px)
    return FieldPlan(plan, tuple(frames), key)


def make_master_tiles(
    context: RunContext,
    plans: Sequence[tuple[FieldPlan, CanvasStore, Sequence[TileProduct]]],
    level: NDArray[np.float32],
    frames_found: int,
) -> list[MasterResult]:
    """Assemble every group's tiles into its master tile, and save it where that is asked for.

    Parameters
    ----------
    context : RunContext
    plans : sequence of (FieldPlan, CanvasStore, sequence of TileProduct)
        The groups, with what stacking made of them.
    level : ndarray, shape (channels,)
        Sky level that all master tiles of the field keep.
    frames_found : int
        Frames found by the scan; for the headers.

    Raises
    ------
    NothingUsable
        When no group has any light.
    """
    masters: list[MasterResult] = []
    for number, (grid, store, products) in enumerate(plans):
        if all(product.empty for product in products):
            context.warn(message("warning.master_empty", tile=number + 1, frames=len(grid.frames)))
            continue
        assemble_pieces(context, grid.plan, grid_pieces(grid.plan, store), level, store, "incremental")
        master = _finished(context, grid, store, products, len(masters))
        if master is None:
            context.warn(message("warning.master_empty", tile=number + 1, frames=len(grid.frames)))
            continue
        masters.append(master)
        if context.settings.save_master_tiles:
            _save(context, master, grid, frames_found)
    if not masters:
        raise NothingUsable("error.mosaic_empty")
    return masters


def _finished(
    context: RunContext, grid: FieldPlan, store: CanvasStore, products: Sequence[TileProduct], tile_id: int
) -> MasterResult | None:
    """Return the master tile of a canvas without its thin borders; None where nothing is left of it."""
    settings = context.settings
    valid = np.asarray(store.canvas("kept")[:]) > 0
    box = trimmed_box(valid)
    if box is None:
        return None
    y0, y1, x0, x1 = box
    radial = settings.radial_feather_fraction
    feather = feather_map(valid[y0:y1, x0:x1], settings.master_tile_feather, radial)
    store.write_feather(feather, box)
    samples = [int(np.asarray(store.canvas(name)[:]).sum(dtype=np.int64)) for name in ("kept", "rejected")]
    used = tuple(sorted({frame_id for product in products for frame_id in product.frames_used}))
    product = TileProduct(
        tile_id=tile_id,
        frames_used=used,
        rejected_fraction=samples[1] / max(sum(samples), 1),
        mode=", ".join(sorted({product.mode for product in products if not product.empty})),
        empty=False,
    )
    tile = MasterTile(store, grid.plan.wcs.shifted(x0, y0), box, grid.plan.channels)
    return MasterResult(tile, product, grid.frames)


def _save(context: RunContext, master: MasterResult, grid: FieldPlan, frames_found: int) -> None:
    """Write a master tile, its weight and its coverage as FITS files."""
    settings = context.settings
    folder = context.output_dir / MASTER_FOLDER
    folder.mkdir(exist_ok=True)
    used = [frame.frame for frame in grid.frames if frame.frame.frame_id in master.product.frames_used]
    origin = provenance_of(
        used,
        frames_found=frames_found,
        tiles=1,
        settings_hash=settings_hash(settings),
        rejection=settings.stacking_rejection_algorithm,
        combine=settings.stacking_final_combine_method,
        name=grid.key,
        group=grid.frames[0].frame.group_name,
    )
    store = master.tile.store
    write = partial(write_fits, wcs=grid.plan.wcs, axis_order="CHW", box=master.tile.box)
    stem = folder / f"master_tile_{grid.key}"
    value, cards = store.canvas("value"), mosaic_cards(origin)
    write(stem.with_name(f"{stem.name}.fits"), value, cards=cards, empty=settings.empty_pixels)
    write(stem.with_name(f"{stem.name}_weight.fits"), store.canvas("weight"), cards=map_cards(origin, "weight"))
    coverage = map_cards(origin, "coverage")
    write(stem.with_name(f"{stem.name}_coverage.fits"), store.canvas("kept"), cards=coverage, dtype="int32")


def assemble_master_tiles(
    context: RunContext, grid: FieldPlan, masters: Sequence[MasterResult], store: CanvasStore, *, foreign: bool = False
) -> tuple[FieldPlan, list[MasterTile]]:
    """Make the canvas of a field out of its master tiles; returns the plan as these divide it, and the matched tiles.

    Parameters
    ----------
    context : RunContext
    grid : FieldPlan
        The field's canvas.
    masters : sequence of MasterResult
    store : CanvasStore
        Where the canvas goes.
    foreign : bool
        Whether the master tiles come from elsewhere: their brightness and level are matched then.  Those of this run
        were matched frame by frame already, except where normalisation is off.
    """
    settings, plan = context.settings, grid.plan
    depends_on = phase_digest(context.settings, "plan", content_of(plan.wcs), plan.width, plan.height, len(masters))
    store.create_canvas(plan.channels, plan.height, plan.width, settings.grid_tile_px, depends_on)
    inputs = [master.tile for master in masters]
    if settings.match_background_for_final and (foreign or settings.stacking_normalize_method == "none"):
        blocks = [block for row in blocks_of(plan, settings.grid_tile_px) for block in row]
        inputs = matched_inputs(inputs, blocks, CoaddPlane(plan.wcs))
        context.log(message("log.masters_matched", tiles=len(inputs)))
    nothing = np.zeros(plan.channels, np.float32)
    assemble_pieces(context, plan, inputs, nothing, store, settings.final_assembly_method)
    specs = []
    for master in masters:
        full_box = 0, plan.height, 0, plan.width
        box = overlap(footprint_bbox(master.tile, plan.wcs) or full_box, full_box) or full_box
        members = tuple(frame.frame.frame_id for frame in master.frames)
        specs.append(TileSpec(master.product.tile_id, box, box, members))
    return replace(grid, plan=replace(plan, tiles=tuple(specs))), inputs
