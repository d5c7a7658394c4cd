"""The phases in their order, and what is left behind when one of them ends the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from zemosaic.coadd.master_tile import MasterTile
from zemosaic.errors import Message, NothingUsable, RunCancelled, ZeMosaicError, message
from zemosaic.events import Preparation
from zemosaic.model import CalibratedFrame, FieldStars, FrameRef, MeasuredFrame, SolvedFrame
from zemosaic.mosaic.canvas import Canvas
from zemosaic.mosaic.mosaic_mode import AssemblyMode, mode_of
from zemosaic.phases.assemble import assemble_canvas, pedestal
from zemosaic.phases.calibrate import Calibration, calibrate_frames
from zemosaic.phases.context import RunContext
from zemosaic.phases.export import FieldRecord, Outputs, export_mosaic, write_reports
from zemosaic.phases.live_preview.quick_look import show_quick_look
from zemosaic.phases.measure import DetectorCalibrations, measure_frames
from zemosaic.phases.outputs.bands import BandOutputs, make_bands, wants_bands
from zemosaic.phases.outputs.proper_coadd import make_proper_coadd, proper_store
from zemosaic.phases.parts.bayer_cards import with_patterns_of_pixels
from zemosaic.phases.parts.classic import MasterResult, assemble_master_tiles, make_master_tiles, plan_master_tiles
from zemosaic.phases.parts.external_stacks import as_calibrated, read_master_tiles
from zemosaic.phases.parts.fields import SkyField, divide_into_fields
from zemosaic.phases.parts.flatness_check import check_flatness
from zemosaic.phases.parts.run_record import StackedGroup, record_of
from zemosaic.phases.parts.sensor_patterns import learn_sensor_patterns
from zemosaic.phases.parts.star_samples import rejected_at_stars, warning_of
from zemosaic.phases.parts.unreadable import while_readable, while_whole
from zemosaic.phases.picture_memory import frames_within_memory, usual_picture
from zemosaic.phases.placement.available_solvers import check_solver_paths
from zemosaic.phases.plan import FieldPlan, plan_fields
from zemosaic.phases.previous_run.archive import forget_regrouped_frames, keep_for_next_run, open_previous_run
from zemosaic.phases.previous_run.state import FieldState
from zemosaic.phases.scan import scan
from zemosaic.phases.solve import solve_frames
from zemosaic.phases.stack import StackJob, stack_tiles
from zemosaic.store.canvas_store import CanvasStore

__all__ = ["RunOutcome", "prepare_frames", "run_pipeline"]

T = TypeVar("T")
R = TypeVar("R")


@dataclass
class _Progress:
    """Records of the phases passed so far; what the report of a failed run is made of."""

    frames: Sequence[FrameRef] = ()
    measured: Sequence[MeasuredFrame] = ()
    solved: Sequence[SolvedFrame] = ()
    made: list[FieldRecord] = field(default_factory=list)
    """One per field, the main one first."""
    defects: DetectorCalibrations = field(default_factory=dict)
    way: Message | None = None
    """Why the mosaics are made in Grid or in Classic mode, once that is decided."""
    bands: BandOutputs = field(default_factory=BandOutputs)
    """What was made of the mosaics of several bands."""

    def report(self, context: RunContext, failure: Message | None = None) -> tuple[Path, Path]:
        found = (self.frames, self.measured, self.solved, self.made)
        return write_reports(context, *found, self.way, self.bands, failure)


@dataclass(frozen=True)
class RunOutcome:
    """A finished run."""

    outputs: tuple[Outputs, ...]
    """One per mosaic, that of the main field first."""
    report_json: Path
    report_html: Path
    frames_dropped: int
    bands: BandOutputs
    """What was made of the mosaics."""


def run_pipeline(context: RunContext) -> RunOutcome:
    """Run all phases.

    Raises
    ------
    ZeMosaicError
        When the run cannot go on; a report of what was learnt until then is written first, unless
        the user stopped the run.
    """
    progress = _Progress()
    try:
        _run(context, progress)
        _make_bands(context, progress)
    except RunCancelled:
        raise
    except ZeMosaicError as failure:
        if progress.frames or context.reporter.dropped:
            progress.report(context, failure.message)
        raise
    as_json, as_html = progress.report(context)
    outputs = tuple(field.outputs for field in progress.made if field.outputs is not None)
    return RunOutcome(outputs, as_json, as_html, len(context.reporter.dropped), progress.bands)


def prepare_frames(context: RunContext, until: Preparation) -> tuple[int, int]:
    """Run the first phases only, and write no report; returns how many frames were measured and how many solved.

    Parameters
    ----------
    context : RunContext
    until : {"measure", "solve", "plan"}
        The last phase.

    Raises
    ------
    ZeMosaicError
        As `run_pipeline`.
    """
    progress = _Progress()
    defects = _look(context, progress, until)
    if until == "plan":
        _foresee(context, progress, defects)
    return len(progress.measured), len(progress.solved)


def _foresee(context: RunContext, progress: _Progress, defects: DetectorCalibrations) -> None:
    """Judge the frames, plan the mosaics and show a quick look, as a whole run does before its pixel work."""
    if context.settings.use_existing_master_tiles:
        fields = divide_into_fields(context, progress.solved)
        plan_fields(context, [(field, as_calibrated(field.frames)) for field in fields], save_grids=False)
        return
    defects = learn_sensor_patterns(context, progress.solved, defects)
    _, grids = _calibrated_and_planned(context, progress, defects, save_grids=False)
    if context.pictures:
        show_quick_look(context, grids[0], defects)


def _calibrated_and_planned(
    context: RunContext, progress: _Progress, defects: DetectorCalibrations, save_grids: bool = True
) -> tuple[list[tuple[SkyField, Calibration]], list[FieldPlan]]:
    """Return the fields with what calibrating their frames gave, and the plans of their mosaics."""
    calibrated = _for_each(
        context,
        divide_into_fields(context, progress.solved),
        lambda field: field.name,
        lambda field: while_readable(
            context, field.frames, lambda frames: calibrate_frames(context, frames, defects, field.before)
        ),
    )
    members = [(field, calibration.frames) for field, calibration in calibrated]
    return calibrated, plan_fields(context, members, save_grids)


def _look(context: RunContext, progress: _Progress, until: Preparation) -> DetectorCalibrations:
    """Run the phases that learn what the frames are, up to one of them; returns the cameras' defects."""
    check_solver_paths(context.settings, context.reporter)
    progress.frames = scan(context)
    forget_regrouped_frames(context, progress.frames)
    context.workers.open(context.settings, len(progress.frames), usual_picture(progress.frames))
    progress.frames = frames_within_memory(context, progress.frames)
    progress.measured, defects = measure_frames(context, progress.frames)
    progress.frames = with_patterns_of_pixels(context, progress.frames, progress.measured)
    if until != "measure":
        progress.solved = solve_frames(context, progress.measured, defects)
    return defects


def _run(context: RunContext, progress: _Progress) -> None:
    """Run the phases that make mosaics, each for all fields before the next one."""
    if not context.settings.use_existing_master_tiles:
        context.previous_run = open_previous_run(context)
    defects = _look(context, progress, "solve")
    if context.settings.use_existing_master_tiles:
        _existing(context, progress)
        return
    fingerprints = {group: camera.fingerprint for group, camera in defects.items()}
    defects = learn_sensor_patterns(context, progress.solved, defects)
    calibrated, grids = _calibrated_and_planned(context, progress, defects)
    stars = {field.key: calibration.stars for field, calibration in calibrated}
    progress.made, progress.defects = [FieldRecord(grid) for grid in grids], defects
    # Files of other cameras that cannot be used have no say in how the mosaics of the others are made.
    choice = mode_of(context.settings, [calibrated_frame.frame for grid in grids for calibrated_frame in grid.frames])
    progress.way = choice.reason
    context.log(choice.reason)
    if context.pictures:
        show_quick_look(context, grids[0], defects)
    if choice.mode is AssemblyMode.CLASSIC:
        _classic(context, progress, stars, defects)
    else:
        _grid(context, progress, stars, defects)
    if context.previous_run is not None:
        frames = {field.key: calibration.frames for field, calibration in calibrated}
        made = [_learnt(grid, frames[grid.key]) for grid in grids]
        keep_for_next_run(context.previous_run, context, progress.frames, progress.solved, fingerprints, made)


def _make_bands(context: RunContext, progress: _Progress) -> None:
    """Make what the settings ask for of the mosaics of several bands."""
    names = [made.outputs.product.mosaic for made in progress.made if made.outputs is not None]
    if wants_bands(context.settings):
        with context.timer.phase("export", 1) as advance:
            progress.bands = make_bands(context, names)
            advance(1)


def _learnt(grid: FieldPlan, frames: Sequence[CalibratedFrame]) -> FieldState:
    plan = grid.plan
    return FieldState(Canvas(plan.wcs, plan.width, plan.height), plan.origin, plan.channels, frames)


def _grid(
    context: RunContext, progress: _Progress, stars: Mapping[str, FieldStars], defects: DetectorCalibrations
) -> None:
    """Stack every field's frames straight onto its canvas."""
    stores = {field.grid.key: _store(context, field.grid.key) for field in progress.made}
    jobs = [_job(field.grid, stores, stars[field.grid.key]) for field in progress.made]

    def stack() -> None:
        for made, tiles in zip(progress.made, stack_tiles(context, jobs, defects), strict=True):
            made.tiles = tiles

    def assemble(made: FieldRecord) -> None:
        while_whole(lambda: assemble_canvas(context, made.grid, made.tiles, stores[made.grid.key]), stack)
        make_proper_coadd(context, made.grid, stars[made.grid.key], defects, stores[made.grid.key])

    stack()

    def write(made: FieldRecord, _: None) -> None:
        product = _export(context, progress, made).product
        _judge_places(context, made, stars[made.grid.key])
        made.record = record_of(made.grid, product, stars[made.grid.key], defects, tiles=made.tiles)

    _finish(context, progress.made, assemble, write)


def _classic(
    context: RunContext, progress: _Progress, stars: Mapping[str, FieldStars], defects: DetectorCalibrations
) -> None:
    """Stack every group of frames into a master tile, and make the mosaics out of these."""
    groups = [plan_master_tiles(context, made.grid) for made in progress.made]
    stores = {group.key: _store(context, group.key) for plans in groups for group in plans}
    jobs = [
        _job(group, stores, stars[made.grid.key])
        for made, plans in zip(progress.made, groups, strict=True)
        for group in plans
    ]
    stacked: dict[str, list[StackedGroup]] = {}

    def stack() -> None:
        products = iter(stack_tiles(context, jobs, defects))
        for made, plans in zip(progress.made, groups, strict=True):
            stacked[made.grid.key] = [(group, stores[group.key], next(products)) for group in plans]

    def masters_of(made: FieldRecord) -> Sequence[MasterResult]:
        level = pedestal(made.grid.frames, made.grid.plan.channels)
        return make_master_tiles(context, stacked[made.grid.key], level, len(progress.frames))

    def assemble(made: FieldRecord) -> list[MasterTile]:
        inputs, key = _assemble_masters(context, made, while_whole(lambda: masters_of(made), stack)), made.grid.key
        make_proper_coadd(context, made.grid, stars[key], defects, _store(context, key))
        return inputs

    stack()

    def write(made: FieldRecord, inputs: list[MasterTile]) -> None:
        product, key = _export(context, progress, made).product, made.grid.key
        _judge_places(context, made, stars[key])
        made.record = record_of(made.grid, product, stars[key], defects, groups=stacked[key], pieces=inputs)

    _finish(context, progress.made, assemble, write)


def _existing(context: RunContext, progress: _Progress) -> None:
    """Make the mosaics out of stacks that the input folder holds."""
    fields = divide_into_fields(context, progress.solved)
    grids = plan_fields(context, [(field, as_calibrated(field.frames)) for field in fields])
    progress.made = [FieldRecord(grid) for grid in grids]

    def assemble(made: FieldRecord) -> None:
        _assemble_masters(context, made, read_master_tiles(context, made.grid), foreign=True)

    def write(made: FieldRecord, _: None) -> None:
        _export(context, progress, made)

    _finish(context, progress.made, assemble, write)


def _store(context: RunContext, key: str) -> CanvasStore:
    return CanvasStore(context.stores / f"canvas_{key}.zarr")


def _job(grid: FieldPlan, stores: Mapping[str, CanvasStore], stars: FieldStars) -> StackJob:
    return StackJob(grid, stores[grid.key], stars, f"{grid.key}/")


def _assemble_masters(
    context: RunContext, made: FieldRecord, masters: Sequence[MasterResult], foreign: bool = False
) -> list[MasterTile]:
    """Make a field's canvas out of its master tiles; returns these as they went in."""
    made.tiles = [field.product for field in masters]
    made.grid, inputs = assemble_master_tiles(
        context, made.grid, masters, _store(context, made.grid.key), foreign=foreign
    )
    return inputs


def _export(context: RunContext, progress: _Progress, made: FieldRecord) -> Outputs:
    store = _store(context, made.grid.key)
    asked = context.settings.save_proper_coadd and bool(progress.defects)
    proper = proper_store(context, made.grid.key) if asked else None
    made.outputs = export_mosaic(context, len(progress.frames), made.grid, made.tiles, store, proper)
    if progress.defects:
        used = {frame_id for tile in made.tiles for frame_id in tile.frames_used}
        frames = [field for field in made.grid.frames if field.frame.frame_id in used]
        check_flatness(context, frames, store.canvas("value"), made.grid.plan.wcs, progress.defects)
    return made.outputs


def _judge_places(context: RunContext, made: FieldRecord, stars: FieldStars) -> None:
    """Warn where many samples of stars were rejected in a finished mosaic."""
    store = _store(context, made.grid.key)
    told = warning_of(rejected_at_stars(made.grid.plan, stars, store.canvas("kept"), store.canvas("rejected")))
    if told is not None:
        context.warn(told)


def _finish(
    context: RunContext,
    fields: Sequence[FieldRecord],
    assemble: Callable[[FieldRecord], R],
    write: Callable[[FieldRecord, R], None],
) -> None:
    """Assemble every field's canvas on the workers, then write all files with the memory that these have left."""
    assembled = _for_each(context, fields, lambda made: made.grid.plan.name, assemble)
    context.timer.monitor.sample()  # the CPU time of a process that has ended counts as far as it was seen
    context.workers.close()
    _for_each(
        context,
        assembled,
        lambda assembled_field: assembled_field[0].grid.plan.name,
        lambda assembled_field: write(*assembled_field),
    )


def _for_each(
    context: RunContext, fields: Sequence[T], name: Callable[[T], str], act: Callable[[T], R]
) -> list[tuple[T, R]]:
    """Do something for each field; one of which nothing can be made is told, and is the run's end if it is the last."""
    done: list[tuple[T, R]] = []
    for number, item in enumerate(fields, start=1):
        try:
            done.append((item, act(item)))
        except NothingUsable as failure:
            if number == len(fields) and not done:
                raise
            context.warn(message("warning.field_lost", name=name(item)))
            context.warn(failure.message)
    return done
