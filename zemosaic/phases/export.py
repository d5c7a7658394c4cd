"""Phase 8: the files the user gets."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from zemosaic import __version__
from zemosaic.errors import NothingUsable
from zemosaic.events import PreviewReady
from zemosaic.export.cards import map_cards, mosaic_cards, provenance_of
from zemosaic.export.crop import coverage_box
from zemosaic.export.fits import write_fits
from zemosaic.export.preview import coverage_picture, stretched_preview, write_png
from zemosaic.export.report import PhaseTime, RunRecords, build_report, write_report_json
from zemosaic.export.report_html import ReportPictures, write_report_html
from zemosaic.i18n import Translator
from zemosaic.model import FrameRef, MeasuredFrame, MosaicProduct, SolvedFrame, TileProduct
from zemosaic.phases.context import RunContext
from zemosaic.phases.plan import Grid
from zemosaic.settings.load import settings_hash
from zemosaic.settings.schema import specs
from zemosaic.store.canvas import CanvasStore

__all__ = ["Outputs", "export_mosaic", "write_reports"]

PACKAGES = ("numpy", "scipy", "astropy", "sep", "numba", "opencv-python-headless", "zarr")


COVERAGE_MAP_PX = 600


@dataclass(frozen=True)
class Outputs:
    """The finished mosaic and what the report shows of it."""

    product: MosaicProduct
    pictures: ReportPictures


def export_mosaic(
    context: RunContext, found: int, grid: Grid, tiles: Sequence[TileProduct], store: CanvasStore
) -> Outputs:
    """Write mosaic, coverage, weight and preview.

    Raises
    ------
    NothingUsable
        When the mosaic has no covered pixel.
    OutputError, ResourceError
        When the output folder cannot be written or its disk is full.
    """
    settings, plan = context.settings, grid.plan
    used_ids = {frame_id for tile in tiles for frame_id in tile.frames_used}
    used = [frame.frame for frame in grid.frames if frame.frame.frame_id in used_ids]
    with context.phase("export", 4) as advance:
        origin = provenance_of(
            used,
            frames_found=found,
            tiles=len(tiles),
            settings_hash=settings_hash(settings),
            rejection=settings.stacking_rejection_algorithm,
            combine=settings.stacking_final_combine_method,
            name=plan.name,
        )
        value, kept = store.canvas("value"), store.canvas("kept")
        box = coverage_box(kept, settings.global_wcs_autocrop_margin_px)
        if box is None:
            raise NothingUsable("error.mosaic_empty")
        if not settings.global_wcs_autocrop_enabled:
            box = (0, plan.height, 0, plan.width)
        stem = f"zemosaic_MT{len(tiles)}_R{len(used)}"
        mosaic = context.output_dir / f"{stem}.fits"
        write_fits(mosaic, value, wcs=plan.wcs, cards=mosaic_cards(origin), box=box)
        advance(1)
        coverage = context.output_dir / f"{stem}_coverage.fits"
        write_fits(coverage, kept, wcs=plan.wcs, cards=map_cards(origin, "coverage"), dtype="int32", box=box)
        advance(2)
        weight = context.output_dir / f"{stem}_weight.fits"
        write_fits(weight, store.canvas("weight"), wcs=plan.wcs, cards=map_cards(origin, "weight"), box=box)
        advance(3)
        if settings.save_rejection_maps:
            gone, cards = context.output_dir / f"{stem}_rejected.fits", map_cards(origin, "rejected")
            write_fits(gone, store.canvas("rejected"), wcs=plan.wcs, cards=cards, dtype="int32", box=box)
        preview = context.output_dir / f"{stem}_preview.png"
        picture = stretched_preview(value, kept, settings.preview_max_px, box=box)
        write_png(preview, picture)
        context.emit(PreviewReady(str(preview), picture.shape[1], picture.shape[0], final=True))
        advance(4)
        product = MosaicProduct(
            mosaic=mosaic.name,
            coverage=coverage.name,
            weight=weight.name,
            preview=preview.name,
            width=box[3] - box[2],
            height=box[1] - box[0],
            frames_used=len(used),
            exposure_s=sum(frame.exposure_s or 0.0 for frame in used),
            wcs=plan.wcs.shifted(box[2], box[0]),
        )
        coverage_map, most = coverage_picture(kept, COVERAGE_MAP_PX, box)
        return Outputs(product, ReportPictures(picture, coverage_map, most))


def write_reports(
    context: RunContext,
    frames: Sequence[FrameRef],
    measured: Sequence[MeasuredFrame],
    solved: Sequence[SolvedFrame],
    grid: Grid | None,
    tiles: Sequence[TileProduct],
    outputs: Outputs | None,
) -> tuple[Path, Path]:
    """Write ``run_report.json`` and ``run_report.html``; returns their paths."""
    shown = [spec.key for spec in specs()]
    records = RunRecords(
        frames=frames,
        measured=measured,
        solved=solved,
        calibrated=grid.frames if grid else (),
        dropped=context.dropped,
        plan=grid.plan if grid else None,
        tiles=tiles,
        mosaic=outputs.product if outputs else None,
        warnings=context.warnings,
        timings=[PhaseTime(name, timing.wall_s, timing.cpu_s) for name, timing in context.timings.items()],
        settings={key: getattr(context.settings, key) for key in shown},
        defaults={spec.key: spec.default for spec in specs()},
        versions=_versions(),
        peak_rss_bytes=context.monitor.peak_rss_bytes,
        input_dir=context.settings.input_dir,
    )
    report = build_report(records)
    translator = Translator(context.settings.language)
    as_json, as_html = context.output_dir / "run_report.json", context.output_dir / "run_report.html"
    write_report_json(as_json, report, translator)
    write_report_html(as_html, report, outputs.pictures if outputs else ReportPictures(), translator)
    return as_json, as_html


def _versions() -> dict[str, str]:
    found = {"zemosaic": __version__, "python": platform.python_version()}
    found.update({name: version(name) for name in PACKAGES})
    return found
