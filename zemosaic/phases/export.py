"""Phase 8: the files the user gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from zemosaic.about import package_versions
from zemosaic.arrays import Box
from zemosaic.coadd.tile_task import pixel_area_ratio
from zemosaic.errors import Message, NothingUsable, message
from zemosaic.events import PreviewReady
from zemosaic.export.cards import Card, Provenance, mosaic_cards, provenance_of
from zemosaic.export.encoding import DiskType
from zemosaic.export.fits import write_fits
from zemosaic.i18n import Translator
from zemosaic.model import FrameRef, GridPlan, MeasuredFrame, MosaicProduct, SolvedFrame, TileProduct
from zemosaic.phases.context import RunContext
from zemosaic.phases.outputs.bands import BandOutputs
from zemosaic.phases.outputs.flat_sky import flat_sky_of, write_flattened
from zemosaic.phases.outputs.mosaic_maps import write_maps
from zemosaic.phases.outputs.mosaic_stars import MosaicStars, catalogue_of_mosaic, stars_of_mosaic
from zemosaic.phases.outputs.shared_pictures import (
    CanvasPixels,
    StretchedPicture,
    look_of,
    write_shared_pictures,
)
from zemosaic.phases.plan import FieldPlan
from zemosaic.picture.picture_files import write_picture16
from zemosaic.picture.preview import coverage_picture, stretched_bands, stretched_preview, write_png
from zemosaic.picture.stretch import PictureLook, display_stretch
from zemosaic.qa.crop import QualityCrop, coverage_box, merged_box, quality_box, widened
from zemosaic.qa.noise_against_depth import DepthNoise, noise_by_depth
from zemosaic.qa.residual_background import FlattenedPixels, ResidualBackground
from zemosaic.qa.seam_summary import warning_of_seams
from zemosaic.qa.seams import SeamReport, joined_seams, measure_seams
from zemosaic.report.build_report import build_report
from zemosaic.report.frames_csv import write_frames_csv
from zemosaic.report.report_html import ReportPictures, write_report_html
from zemosaic.report.report_json import write_report_json
from zemosaic.report.report_records import FieldSummary, PhaseTime, RunRecords, StarLight
from zemosaic.settings.load import settings_hash
from zemosaic.settings.schema import specs
from zemosaic.stars.applied_gains import BalancedPixels
from zemosaic.stars.depth_picture import DEPTH_RANGE_MAG, depth_picture
from zemosaic.stars.star_cards import star_cards
from zemosaic.store.axis_order import Pixels
from zemosaic.store.canvas_store import CanvasStore
from zemosaic.store.mosaic_file import MosaicFile
from zemosaic.store.pixel_record import MosaicRecord, records_to_text
from zemosaic.wcs import FrameWcs

__all__ = ["FieldRecord", "Outputs", "export_mosaic", "write_reports"]

COVERAGE_MAP_PX = 600
MAX_SEAM_FRAMES = 40
"""Frames along whose edges seams are looked for on the mosaic."""


@dataclass(frozen=True)
class Outputs:
    """The finished mosaic and what the report shows of it."""

    product: MosaicProduct
    pictures: ReportPictures
    seams: SeamReport | None = None
    depth: DepthNoise | None = None
    stars: MosaicStars = field(default_factory=MosaicStars)
    """What its stars tell."""
    sky: ResidualBackground | None = None
    """What was taken off its pictures."""


@dataclass
class FieldRecord:
    """What became of one field so far."""

    grid: FieldPlan
    tiles: Sequence[TileProduct] = ()
    outputs: Outputs | None = None
    record: MosaicRecord | None = None
    """By which any pixel of it can be made again."""


def export_mosaic(
    context: RunContext,
    frames_found: int,
    grid: FieldPlan,
    tiles: Sequence[TileProduct],
    store: CanvasStore,
    proper: CanvasStore | None = None,
) -> Outputs:
    """Write mosaic, coverage, weight, preview and, where asked for, the stretched picture in full size.

    Parameters
    ----------
    context : RunContext
    frames_found : int
        Frames that the scan found.
    grid : FieldPlan
    tiles : sequence of TileProduct
    store : CanvasStore
        Holds the finished canvas.
    proper : CanvasStore, optional
        Holds the proper coadd where one was made.

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
    with context.timer.phase("export", 5) as advance:
        origin = _origin(context, frames_found, grid, used, len(tiles))
        value, kept, heavy = store.canvas("value"), store.canvas("kept"), store.canvas("weight")
        box = _box(context, plan, kept, heavy)
        # Where there are several fields, each plan has a name, and so have its files.
        stem = f"zemosaic_MT{len(tiles)}_R{len(used)}" + (f"_{grid.key}" if plan.name else "")
        suffix = ".fits.fz" if settings.save_compressed_fits else ".fits"
        write = partial(write_fits, wcs=plan.wcs, axis_order="CHW", box=box, compressed=settings.save_compressed_fits)
        mosaic = context.output_dir / f"{stem}{suffix}"
        kind: DiskType = "uint16" if settings.save_final_as_uint16 else "float32"
        members = [frame for frame in grid.frames if frame.frame.frame_id in used_ids]
        stars = stars_of_mosaic(context, [frame.solved for frame in members], plan.wcs, value, kept, box)
        pixels, cards = _pixels_and_cards(settings.apply_colour_gains, stars, value)
        cards = [*mosaic_cards(origin, scaled=kind == "uint16"), *cards]
        write(mosaic, pixels, cards=cards, dtype=kind, empty=settings.empty_pixels)
        if settings.save_star_catalogue:
            catalogue_of_mosaic(context.output_dir / f"{stem}_stars.ecsv", stars, value, kept, plan.wcs, box)
        advance(1)
        applied = pixels.gains if isinstance(pixels, BalancedPixels) else None
        sky = flat_sky_of(context, value, box)
        if sky is not None and settings.flatten_background == "both":
            flat, _ = _pixels_and_cards(settings.apply_colour_gains, stars, FlattenedPixels(value, sky))
            write_flattened(context, f"{stem}_flattened{suffix}", write, flat, cards, sky)
        maps = write_maps(context, stem, write, origin, (plan, members), store, box, applied, proper)
        advance(4)
        pictured = value if sky is None else FlattenedPixels(value, sky)
        made = _pictures(context, stem, origin, CanvasPixels(pictured, kept, plan.wcs, box), stars)
        advance(5)
        product = MosaicProduct(
            mosaic=mosaic.name,
            coverage=maps["coverage"],
            weight=maps["weight"],
            preview=made.preview,
            width=box[3] - box[2],
            height=box[1] - box[0],
            frames_used=len(used),
            exposure_s=sum(frame.exposure_s or 0.0 for frame in used),
            wcs=plan.wcs.shifted(box[2], box[0]),
            box=box,
            stretched=made.stretched,
            picture=made.finished,
            sigma=maps.get("sigma", ""),
        )
        seams = _seams(grid, product.wcs, used_ids, mosaic)
        if (told := warning_of_seams(seams)) is not None:
            context.warn(told)
        return Outputs(product, made.report, seams, noise_by_depth(value, kept, box), stars, sky)


def _origin(
    context: RunContext, frames_found: int, grid: FieldPlan, used: Sequence[FrameRef], tiles: int
) -> Provenance:
    """Return what a mosaic is made of, for the headers of its files."""
    settings, plan = context.settings, grid.plan
    return provenance_of(
        used,
        frames_found=frames_found,
        tiles=tiles,
        settings_hash=settings_hash(settings),
        rejection=settings.stacking_rejection_algorithm,
        combine=settings.stacking_final_combine_method,
        name=(grid.sky or plan.name) if plan.name else "",
    )


def _pixels_and_cards(apply_gains: bool, stars: MosaicStars, value: Pixels) -> tuple[Pixels, list[Card]]:
    """Return the pixels for the file, balanced where that is asked for, and the cards of what the stars told."""
    colour = stars.colour
    if not apply_gains or colour is None:
        return value, star_cards(colour, False, stars.zero, stars.depth)
    return BalancedPixels(value, colour.gains, stars.cut_off), star_cards(colour, True, stars.zero, stars.depth)


def _seams(grid: FieldPlan, wcs: FrameWcs, used_ids: set[int], mosaic: Path) -> SeamReport:
    """Measure the steps across the edges of frames on the finished file, of an even choice where there are many.

    The file rather than the store: many small windows are read, and it is mapped into memory.
    """
    used = [frame for frame in grid.frames if frame.frame.frame_id in used_ids]
    chosen = [used[k] for k in np.unique(np.linspace(0, len(used) - 1, MAX_SEAM_FRAMES).astype(int))]
    footprints, noise = [], []
    for frame in chosen:
        footprints.append(wcs.sky_to_pixel(*frame.wcs.corners(frame.frame.width, frame.frame.height)))
        noise.append(np.array(frame.noise) * pixel_area_ratio(wcs, frame.wcs))
    pixels = MosaicFile(mosaic)
    try:
        return measure_seams(pixels, footprints, [float(sigma) for sigma in np.median(noise, axis=0)], wcs.scale_arcsec)
    finally:
        pixels.close()


def _box(context: RunContext, plan: GridPlan, kept: Pixels, weight: Pixels) -> Box:
    """Return the part of the canvas that goes into the files, after the crops that are asked for."""
    settings = context.settings
    covered = coverage_box(kept, 0)
    if covered is None:
        raise NothingUsable("error.mosaic_empty")
    box = whole = (0, plan.height, 0, plan.width)
    if settings.global_wcs_autocrop_enabled:
        box = widened(covered, settings.global_wcs_autocrop_margin_px, whole)
        context.log(message("log.autocrop", **_sides(whole, box)))
    if settings.quality_crop_enabled:
        rules = QualityCrop(
            settings.quality_crop_band_px,
            settings.quality_crop_k_sigma,
            settings.quality_crop_min_run,
            settings.quality_crop_margin_px,
        )
        good = quality_box(weight, covered, rules)
        if good is None:
            context.warn(message("warning.quality_crop_nothing_left"))
        else:
            context.log(message("log.quality_crop", **_sides(covered, good)))
            box = merged_box(box, covered, good)
    return box


def _sides(before: Box, after: Box) -> dict[str, int]:
    """Return what a crop took off each side, and what it left."""
    return {
        "left": after[2] - before[2],
        "right": before[3] - after[3],
        "bottom": after[0] - before[0],
        "top": before[1] - after[1],
        "width": after[3] - after[2],
        "height": after[1] - after[0],
    }


@dataclass(frozen=True)
class _Pictures:
    """What the report shows, and the names of the files of all pictures; empty for those that are not asked for."""

    report: ReportPictures
    preview: str
    stretched: str
    finished: str


def _pictures(
    context: RunContext, stem: str, origin: Provenance, canvas: CanvasPixels, stars: MosaicStars
) -> _Pictures:
    """Write everything that is stretched, all with the same look."""
    colour, depth = stars.colour, stars.depth
    look = look_of(context.settings, colour.gains if colour else None)
    preview = context.output_dir / f"{stem}_preview.png"
    max_px = context.settings.preview_max_px
    picture = stretched_preview(canvas.value, canvas.kept, max_px, axis_order="CHW", box=canvas.box, look=look)
    write_png(preview, picture)
    context.reporter.emit(PreviewReady(str(preview), picture.shape[1], picture.shape[0], final=True))
    stretched = _stretched(context, stem, canvas, look)
    drawn = StretchedPicture(picture, canvas.box, max_px)
    finished = write_shared_pictures(context, stem, origin, canvas, look, drawn)
    report = ReportPictures(picture, *coverage_picture(canvas.kept, COVERAGE_MAP_PX, canvas.box))
    if depth is not None:
        chart, deepest = depth_picture(canvas.kept, canvas.box, depth, COVERAGE_MAP_PX)
        report = replace(report, depth=chart, depth_deepest_mag=deepest, depth_shallowest_mag=deepest - DEPTH_RANGE_MAG)
    return _Pictures(report, preview.name, stretched, finished)


def _stretched(context: RunContext, stem: str, canvas: CanvasPixels, look: PictureLook) -> str:
    """Write the stretched picture in full size where it is asked for; returns its name."""
    settings, box = context.settings, canvas.box
    if settings.save_stretched == "none":
        return ""
    name = f"{stem}_stretched.{'tif' if settings.save_stretched == 'tiff' else 'png'}"
    view = display_stretch(canvas.value, canvas.kept, axis_order="CHW", box=box, look=look, full_size=True)
    bands = stretched_bands(canvas.value, canvas.kept, view, axis_order="CHW", box=box)
    write_picture16(context.output_dir / name, bands, box[3] - box[2], box[1] - box[0], settings.save_stretched)
    return name


def write_reports(
    context: RunContext,
    frames: Sequence[FrameRef],
    measured: Sequence[MeasuredFrame],
    solved: Sequence[SolvedFrame],
    made: Sequence[FieldRecord],
    way: Message | None,
    bands: BandOutputs,
    failure: Message | None = None,
) -> tuple[Path, Path]:
    """Write ``run_report.json`` and ``run_report.html``; returns their paths.

    Parameters
    ----------
    context : RunContext
    frames : sequence of FrameRef
        All that the scan found.
    measured : sequence of MeasuredFrame
    solved : sequence of SolvedFrame
    made : sequence of FieldRecord
        One per field, the main one first.
    way : Message or None
        Why the mosaics were made in Grid or in Classic mode; None where that was not decided.
    bands : BandOutputs
        What was made of the mosaics of several bands.
    failure : Message, optional
        Why there is no mosaic.
    """
    shown = [spec.key for spec in specs()]
    fields = [
        FieldSummary(
            field.grid.plan,
            field.tiles,
            field.outputs.product if field.outputs else None,
            _light_of(field.outputs),
        )
        for field in made
    ]
    outputs = [field.outputs for field in made if field.outputs]
    records = RunRecords(
        frames=frames,
        measured=measured,
        solved=solved,
        calibrated=[frame for field in made for frame in field.grid.frames],
        dropped=context.reporter.dropped,
        plan=fields[0].plan if fields else None,
        tiles=fields[0].tiles if fields else (),
        mosaic=fields[0].mosaic if fields else None,
        light=fields[0].light if fields else None,
        others=fields[1:],
        warnings=context.reporter.warnings,
        timings=[PhaseTime(name, timing.wall_s, timing.cpu_s) for name, timing in context.timer.timings.items()],
        settings={key: getattr(context.settings, key) for key in shown},
        defaults={spec.key: spec.default for spec in specs()},
        versions=package_versions(),
        peak_rss_bytes=context.timer.monitor.peak_rss_bytes,
        input_dir=context.settings.input_dir,
        way=way,
        failure=failure,
        seams=joined_seams([output.seams for output in outputs if output.seams]),
        depth=outputs[0].depth if outputs else None,
        pixels=records_to_text([field.record for field in made if field.record]),
        combined=[one.product for one in bands.combined],
        lines=bands.lines,
    )
    report = build_report(records)
    translator = Translator(context.settings.language)
    as_json, as_html = context.output_dir / "run_report.json", context.output_dir / "run_report.html"
    write_report_json(as_json, report, translator)
    if context.settings.save_frames_csv:
        write_frames_csv(context.output_dir / "zemosaic_frames.csv", report, translator)
    pictures = [field.outputs.pictures if field.outputs else ReportPictures() for field in made]
    main = pictures[0] if pictures else ReportPictures()
    of_bands = [one.picture for one in bands.combined]
    write_report_html(as_html, report, main, translator, pictures[1:], of_bands)
    return as_json, as_html


def _light_of(outputs: Outputs | None) -> StarLight | None:
    """Return what the report tells of the stars of a mosaic."""
    if outputs is None:
        return None
    stars = outputs.stars
    return StarLight(stars.white, stars.zero, stars.depth, stars.shallow, outputs.sky)
