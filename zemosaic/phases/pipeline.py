"""The phases in their order, and what is left behind when one of them ends the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zemosaic.errors import RunCancelled, ZeMosaicError
from zemosaic.events import Preparation
from zemosaic.model import FrameRef, MeasuredFrame, SolvedFrame, TileProduct
from zemosaic.phases.assemble import assemble_canvas
from zemosaic.phases.calibrate import calibrate_frames
from zemosaic.phases.context import RunContext
from zemosaic.phases.export import Outputs, export_mosaic, write_reports
from zemosaic.phases.measure import DefectMaps, measure_frames
from zemosaic.phases.plan import Grid, drop_strays, make_grid
from zemosaic.phases.scan import scan
from zemosaic.phases.solve import check_solver_paths, solve_frames
from zemosaic.phases.stack import stack_tiles
from zemosaic.store.canvas import CanvasStore

__all__ = ["RunOutcome", "prepare_frames", "run_pipeline"]


@dataclass
class _Progress:
    """Records of the phases passed so far; what the report of a failed run is made of."""

    frames: Sequence[FrameRef] = ()
    measured: Sequence[MeasuredFrame] = ()
    solved: Sequence[SolvedFrame] = ()
    grid: Grid | None = None
    tiles: Sequence[TileProduct] = field(default_factory=tuple)
    outputs: Outputs | None = None

    def report(self, context: RunContext) -> tuple[Path, Path]:
        return write_reports(context, self.frames, self.measured, self.solved, self.grid, self.tiles, self.outputs)


@dataclass(frozen=True)
class RunOutcome:
    """A finished run."""

    outputs: Outputs
    report_json: Path
    report_html: Path
    frames_dropped: int


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
    except RunCancelled:
        raise
    except ZeMosaicError:
        if progress.frames or context.dropped:
            progress.report(context)
        raise
    as_json, as_html = progress.report(context)
    assert progress.outputs is not None
    return RunOutcome(progress.outputs, as_json, as_html, len(context.dropped))


def prepare_frames(context: RunContext, until: Preparation) -> tuple[int, int]:
    """Run the first phases only, and write no report; returns how many frames were measured and how many solved.

    Raises
    ------
    ZeMosaicError
        As `run_pipeline`.
    """
    progress = _Progress()
    _look(context, progress, until)
    return len(progress.measured), len(progress.solved)


def _look(context: RunContext, progress: _Progress, until: Preparation) -> DefectMaps:
    """Run the phases that learn what the frames are, up to one of them; returns the cameras' defects."""
    check_solver_paths(context)
    progress.frames = scan(context)
    progress.measured, defects = measure_frames(context, progress.frames)
    if until == "solve":
        progress.solved = solve_frames(context, progress.measured, defects)
    return defects


def _run(context: RunContext, progress: _Progress) -> None:
    defects = _look(context, progress, "solve")
    calibration = calibrate_frames(context, drop_strays(context, progress.solved), defects)
    progress.grid = make_grid(context, calibration.frames)
    store = CanvasStore(context.work_dir / "canvas.zarr")
    progress.tiles = stack_tiles(context, progress.grid, calibration.stars, defects, store)
    assemble_canvas(context, progress.grid, progress.tiles, store)
    progress.outputs = export_mosaic(context, len(progress.frames), progress.grid, progress.tiles, store)
