"""Phase 6: every tile from the raw pixels of its frames; the only phase that resamples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from zemosaic.coadd.tile import stack_tile
from zemosaic.coadd.tile_device import Device
from zemosaic.coadd.tile_task import StackingMethod, TileAnswer, TileTask
from zemosaic.compute.budget import Share, stack_share
from zemosaic.compute.executors import TaskKilled
from zemosaic.errors import Message, WorkerDied, message
from zemosaic.events import TileStacked
from zemosaic.model import CalibratedFrame, Dropped, FieldStars, FrameStatus, TileProduct, TileSpec
from zemosaic.mosaic.star_model import stars_by_tile
from zemosaic.phases.context import RunContext, phase_digest
from zemosaic.phases.live_preview.partial_mosaic import LivePicture
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.plan import FieldPlan
from zemosaic.phases.previous_run.state import PreviousRun
from zemosaic.resampling.drizzle import DropKernel, DropRules
from zemosaic.resampling.interpolation import Interpolation
from zemosaic.settings.schema import Settings
from zemosaic.stacking.memory_modes import MemoryRules
from zemosaic.stacking.rules import Combine, Rejection, StackRules
from zemosaic.store.canvas_store import CanvasStore
from zemosaic.store.codec import content_of, from_bytes, to_bytes
from zemosaic.store.journal import digest

__all__ = ["StackJob", "stack_tiles", "stacking_of"]

CONTENT_VERSION = 10

WITHOUT_PIXELS = ("solved", "edge_offsets")
"""What no pixel of a tile depends on in a calibrated frame, beside its file, its WCS and its trails: measures, and the
report's."""
SHAPED_BY_CELL = ("x_ref", "y_ref")
"""What a canvas may differ in and still have the same cells."""
BESIDE_PLANE = ("tiles", "name", "origin")
"""What the plane of a plan does not depend on."""

_REJECTION = {
    "none": Rejection.NONE,
    "winsorized_sigma_clip": Rejection.WINSORIZED,
    "kappa_sigma": Rejection.KAPPA_SIGMA,
    "linear_fit_clip": Rejection.LINEAR_FIT,
}


@dataclass(frozen=True)
class StackJob:
    """One plan to be stacked into one store."""

    grid: FieldPlan
    store: CanvasStore
    stars: FieldStars
    name: str = ""
    """Tells apart the tiles of several plans in the journal."""


def stack_tiles(
    context: RunContext, jobs: Sequence[StackJob], defects: DetectorCalibrations
) -> list[list[TileProduct]]:
    """Stack the tiles of all jobs into their stores; finished ones of an earlier, killed run are taken over.

    A frame that cannot be read any more is dropped, and the tiles that lack it do not count as finished in the journal.

    Parameters
    ----------
    context : RunContext
    jobs : sequence of StackJob
    defects : DetectorCalibrations

    Returns
    -------
    list of list of TileProduct
        For each job the products of its plan's tiles, in their order.
    """
    if context.settings.stacking_drizzle and context.settings.stacking_final_combine_method == "median":
        context.warn(message("warning.drizzle_is_mean"))
    prepared = [_prepare(context, job, defects) for job in jobs]
    damaged = sum(part.damaged for part in prepared)
    if damaged:
        context.warn(message("warning.tiles_damaged", tiles=damaged, folder=str(context.folder.path)))
    _log_reused(context, prepared)
    tasks = [(part, task) for part in prepared for task in part.tasks]
    failed: dict[int, Message] = {}
    broken: set[tuple[str, int]] = set()
    growing = {part.job.name: _live_picture(context, part) for part in prepared} if context.pictures else {}
    with context.timer.phase("stack", sum(len(job.grid.plan.tiles) for job in jobs)) as advance:
        done = sum(len(part.products) for part in prepared)
        advance(done)
        for (part, task), answer in zip(tasks, _stacked_tiles(context, [task for _, task in tasks]), strict=True):
            part.products[task.row] = answer.product
            part.job.store.marks[task.row] = answer.product.mark
            failed.update(answer.failed)
            if answer.failed:
                broken.add((part.job.name, task.row))
            else:
                key = f"{part.job.name}{task.row}"
                context.folder.journal.put("tile", key, part.digests[task.row], to_bytes(answer.product))
            done += 1
            if growing:
                growing[part.job.name].add(task.row)
            product = answer.product
            context.reporter.emit(
                TileStacked(product.tile_id, len(product.frames_used), product.rejected_fraction, product.mode)
            )
            advance(done)
    paths = {frame.frame.frame_id: frame.frame.path for job in jobs for frame in job.grid.frames}
    if context.previous_run is not None:
        for part in prepared:
            _record_tiles(context, context.previous_run, part, paths, broken)
    told = {dropped.frame_id for dropped in context.reporter.dropped}  # tiles may be stacked again, see `while_whole`
    for frame_id, reason in sorted(failed.items()):
        if frame_id in told:
            continue
        context.drop(Dropped(paths[frame_id], frame_id, "stack", FrameStatus.UNREADABLE, reason))
    return [[part.products[row] for row in range(len(part.job.grid.plan.tiles))] for part in prepared]


def _live_picture(context: RunContext, part: _Prepared) -> LivePicture:
    """Return the picture of a plan, with the tiles that an earlier run made."""
    picture = LivePicture(
        context.reporter, context.scratch, part.job.grid.plan, part.job.store, part.job.name.strip("/")
    )
    for row in part.products:
        picture.add(row)
    return picture


@dataclass
class _Prepared:
    """A job, what of it is done, and what is to be done."""

    job: StackJob
    products: dict[int, TileProduct] = field(default_factory=dict)
    tasks: list[TileTask] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)
    places: dict[int, _Place] = field(default_factory=dict)
    damaged: int = 0
    """Tiles that were done and are not on the disk any more as they were written."""


@dataclass(frozen=True)
class _Place:
    """A tile as another night may know it."""

    cell: str
    """Digest of the piece of the sky."""
    depends_on: str
    """Digest of that and of all that its pixels depend on, wherever the canvas ends."""
    outer: tuple[int, int, int, int]
    """The outer box counted from the cell's corner."""


def _place(context: RunContext, grid: FieldPlan, tile: TileSpec, depends_on: Sequence[object]) -> _Place:
    settings, plan = context.settings, grid.plan
    side, wcs = settings.grid_tile_px, plan.wcs
    y = tile.inner[0] - (tile.inner[0] - plan.origin[0]) % side
    x = tile.inner[2] - (tile.inner[2] - plan.origin[1]) % side
    corner = [round(y - wcs.y_ref, 5), round(x - wcs.x_ref, 5)]
    cell = digest(content_of(wcs, SHAPED_BY_CELL), corner, side, settings.grid_overlap_px, plan.channels)
    outer = tile.outer[0] - y, tile.outer[1] - y, tile.outer[2] - x, tile.outer[3] - x
    # The frames all lie within the canvas, wherever it ends, except where it is cut on purpose.
    cut = outer if settings.region_of_interest or settings.global_wcs_output_path else None
    return _Place(cell, phase_digest(context.settings, "stack", CONTENT_VERSION, cell, cut, *depends_on), outer)


def _take_over(context: RunContext, prepared: _Prepared, row: int, ids: Mapping[str, int]) -> bool:
    """Copy a tile of an earlier night; returns whether there was one."""
    nights, place, plan = context.previous_run, prepared.places[row], prepared.job.grid.plan
    if nights is None or not nights.has_tile(place.depends_on, place.outer):
        return False
    earlier = nights.tiles[place.depends_on]
    if not CanvasStore(context.folder.path / earlier.store).holds_tile(earlier.row, earlier.product.mark):
        prepared.damaged += 1
        return False
    pixels = nights.pixels(context.folder.path, place.depends_on, place.outer, plan.channels)
    mark = prepared.job.store.write_tile(plan.tiles[row], row, pixels)
    product = replace(nights.product(place.depends_on, plan.tiles[row].tile_id, ids), mark=mark)
    prepared.products[row] = product
    context.folder.journal.put("tile", f"{prepared.job.name}{row}", prepared.digests[row], to_bytes(product))
    return True


def _log_reused(context: RunContext, prepared: Sequence[_Prepared]) -> None:
    """Say how many tiles are those of an earlier night."""
    nights = context.previous_run
    if nights is None or not nights.number:
        return
    places = [place for part in prepared for place in part.places.values()]
    held = [(row in part.products, place) for part in prepared for row, place in part.places.items()]
    kept = sum(there and nights.has_tile(place.depends_on, place.outer) for there, place in held)
    known = sum(place.cell in nights.cells for place in places)
    context.log(message("log.night_tiles", kept=kept, again=known - kept, new=len(places) - known))


def _record_tiles(
    context: RunContext,
    previous_run: PreviousRun,
    part: _Prepared,
    paths: Mapping[int, str],
    broken: set[tuple[str, int]],
) -> None:
    """Remember the tiles of a job for the next night, without those of which a frame could not be read."""
    store = part.job.store.path.relative_to(context.folder.path).as_posix()
    for row, place in part.places.items():
        if (part.job.name, row) not in broken:
            previous_run.record_tile(place.depends_on, place.cell, store, row, place.outer, part.products[row], paths)


def _prepare(context: RunContext, job: StackJob, defects: DetectorCalibrations) -> _Prepared:
    plan = job.grid.plan
    by_id = {frame.frame.frame_id: frame for frame in job.grid.frames}
    counts = {i: pixel_digest(frame) for i, frame in by_id.items()}
    method = stacking_of(context.settings)
    shape = [content_of(plan, BESIDE_PLANE), [tile.outer for tile in plan.tiles]]
    night = context.previous_run.number if context.previous_run is not None else 0
    fingerprint = phase_digest(context.settings, "plan", CONTENT_VERSION, shape, *([night] if night else []))
    ids = {frame.frame.path: i for i, frame in by_id.items()}
    if job.store.create(plan, fingerprint):
        context.warn(message("warning.store_damaged", folder=str(job.store.path)))
    prepared = _Prepared(job)
    nearby = stars_by_tile(plan, job.stars)
    for row, tile in enumerate(plan.tiles):
        maps = [defects[by_id[i].frame.camera_key].fingerprint for i in tile.frame_ids]
        content = [counts[i] for i in tile.frame_ids]
        light = content_of(nearby[row])
        depends_on = phase_digest(
            context.settings, "stack", CONTENT_VERSION, fingerprint, content_of(tile), content, maps, light
        )
        prepared.digests[row] = depends_on
        prepared.places[row] = _place(context, job.grid, tile, [content, maps])
    _recall(context, prepared)
    for row, tile in enumerate(plan.tiles):
        if row in prepared.products or _take_over(context, prepared, row, ids):
            continue
        job.store.forget_tile(row)
        frames = tuple(by_id[i] for i in tile.frame_ids)
        prepared.tasks.append(
            TileTask(
                tile=tile,
                row=row,
                frames=frames,
                defects=tuple(defects[frame.frame.camera_key].path for frame in frames),
                scratch=context.scratch,
                canvas=plan.wcs,
                channels=plan.channels,
                stars=nearby[row],
                store=CanvasStore(job.store.path),
                task_bytes=_share(context).task_bytes,
                **vars(method),
            )
        )
    return prepared


def _recall(context: RunContext, prepared: _Prepared) -> None:
    """Take over the tiles that the journal knows and that lie on the disk as they were written."""
    store, known = prepared.job.store, {}
    for row, wanted in prepared.digests.items():
        stored = context.folder.journal.get("tile", f"{prepared.job.name}{row}", wanted)
        if stored is not None:
            known[row] = from_bytes(TileProduct, stored)
    tasks = [(CanvasStore(store.path), row, product.mark) for row, product in known.items()]
    for (row, product), holds in zip(known.items(), context.workers.map(_holds, tasks), strict=True):
        if holds:
            prepared.products[row], store.marks[row] = product, product.mark
        else:
            prepared.damaged += 1


def _holds(task: tuple[CanvasStore, int, str]) -> bool:
    store, row, mark = task
    return store.holds_tile(row, mark)


def stacking_of(settings: Settings) -> StackingMethod:
    """Return how the settings want tiles to be stacked."""
    device = Device("cupy", settings.gpu_id_phase5, settings.gpu_helper_verify_tolerance)
    return StackingMethod(
        rules=stack_rules(settings),
        interpolation=Interpolation(settings.stacking_interpolation),
        drops=DropRules(settings.drizzle_pixfrac, DropKernel[settings.drizzle_kernel.upper()])
        if settings.stacking_drizzle
        else None,
        radial_fraction=settings.radial_feather_fraction if settings.apply_radial_weight else None,
        memory=MemoryRules(
            disk=settings.winsor_memmap_fallback,
            max_frames=settings.winsor_max_frames_per_pass,
            min_frames=settings.winsor_min_frames_per_pass,
            spread=settings.winsor_split_strategy == "roundrobin",
            retry=settings.winsor_auto_fallback_on_memory_error,
        ),
        device=device if settings.use_gpu_phase5 else None,
    )


def _share(context: RunContext) -> Share:
    return stack_share(context.workers.budget, context.settings.winsor_worker_limit)


def _stacked_tiles(context: RunContext, tasks: list[TileTask]) -> Iterator[TileAnswer]:
    """Yield the answers in the order of the tasks; warn of what did not go as asked, of each kind once.

    How far a device's stack was from the CPU's is logged at the end, where it was compared.
    """
    said: set[str] = set()
    differs: list[float] = []
    for answer in context.workers.map(stack_tile, tasks, ahead=_share(context).ahead, lost=_tile_lost):
        for text in answer.remarks:
            if text.key not in said:
                said.add(text.key)
                context.warn(text)
        if answer.differs is not None:
            differs.append(answer.differs)
        yield answer
    if differs:
        settings = context.settings
        context.log(
            message(
                "log.gpu_verified",
                device=settings.gpu_id_phase5,
                difference=max(differs),
                tolerance=settings.gpu_helper_verify_tolerance,
            )
        )


def _tile_lost(task: TileTask, fault: BaseException) -> TileAnswer:
    """Name the tile that workers died of."""
    if isinstance(fault, TaskKilled):
        tile = task.tile.tile_id
        raise WorkerDied("error.tile_killed", tile=tile, frames=len(task.frames), detail=str(fault)) from fault
    raise fault


def stack_rules(settings: Settings) -> StackRules:
    """Return the rules that the settings ask for."""
    return StackRules(
        rejection=_REJECTION[settings.stacking_rejection_algorithm],
        combine=Combine.MEDIAN if settings.stacking_final_combine_method == "median" else Combine.MEAN,
        kappa_low=settings.stacking_kappa_low,
        kappa_high=settings.stacking_kappa_high,
    )


def pixel_digest(frame: CalibratedFrame) -> str:
    """Return the digest of all that a tile's pixels depend on in one of its frames."""
    trails = content_of(list(frame.solved.measured.trails))
    return digest(frame.frame.identity, content_of(frame.wcs), content_of(frame, WITHOUT_PIXELS), trails)
