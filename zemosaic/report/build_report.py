"""The records of a report from those of the run."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from zemosaic.calibration.frame_weights import price_of_weights
from zemosaic.errors import Message
from zemosaic.frames.inventory import inventory
from zemosaic.model import (
    OBSTRUCTION_BLOCK_PX,
    UNCHECKED_PLACE,
    CalibratedFrame,
    Dropped,
    FrameRef,
    FrameStatus,
    GridPlan,
    MeasuredFrame,
    SolvedFrame,
    TileProduct,
)
from zemosaic.qa.seam_summary import summarise_seams
from zemosaic.report.report_records import (
    FieldReport,
    FieldSummary,
    FrameMetrics,
    FrameRow,
    RunRecords,
    RunReport,
    TileRow,
)
from zemosaic.wcs import FrameWcs

__all__ = ["build_report"]


def build_report(records: RunRecords) -> RunReport:
    """Put the records of all phases together, frame by frame.

    Parameters
    ----------
    records : RunRecords
        What the phases left; every frame and every dropped file appears once in the report.
    """
    measured = {item.frame.frame_id: item for item in records.measured}
    solved = {item.frame.frame_id: item for item in records.solved}
    calibrated = {item.frame.frame_id: item for item in records.calibrated}
    dropped = {item.frame_id: item for item in records.dropped if item.frame_id is not None}
    hidden = {item.frame.frame_id for item in records.calibrated if item.obstructed}
    fields = [(records.plan, records.tiles), *((frame.plan, frame.tiles) for frame in records.others)]
    verdicts = _TileVerdicts.of(fields, hidden)
    by_hand = {frame.frame_id: frame.group_name for frame in records.frames}
    rows = [
        _frame_row(
            frame, measured.get(n), solved.get(n), calibrated.get(n), _fate(n, dropped, calibrated, verdicts), verdicts
        )
        for frame in sorted(records.frames, key=lambda item: item.frame_id)
        for n in (frame.frame_id,)
    ]
    known = {frame.frame_id for frame in records.frames}
    others = [item for item in records.dropped if item.frame_id is None or item.frame_id not in known]
    rows += [_file_row(item) for item in sorted(others, key=lambda item: item.path)]
    return RunReport(
        frames=tuple(rows),
        tiles=_tile_rows(records.plan, records.tiles, by_hand),
        mosaic=records.mosaic,
        wcs=_mosaic_wcs(records),
        field_name=_field_name(records),
        input_dir=records.input_dir,
        way=records.way,
        warnings=tuple(records.warnings),
        timings=tuple(records.timings),
        settings=dict(records.settings),
        defaults=dict(records.defaults),
        versions=dict(records.versions),
        peak_rss_bytes=records.peak_rss_bytes,
        seams=summarise_seams(records.calibrated, records.seams),
        depth=records.depth,
        light=records.light,
        pixels=records.pixels,
        combined=tuple(records.combined),
        lines=tuple(records.lines),
        others=tuple(_field_report(field, by_hand) for field in records.others),
        given=tuple(inventory(records.frames, [item for item in records.dropped if item.phase == "scan"])),
        failure=records.failure,
        weights=price_of_weights(records.calibrated) if records.calibrated else None,
    )


def _field_report(field: FieldSummary, by_hand: Mapping[int, str]) -> FieldReport:
    used = {frame_id for tile in field.tiles for frame_id in tile.frames_used}
    wcs = field.mosaic.wcs if field.mosaic else field.plan.wcs
    tiles = _tile_rows(field.plan, field.tiles, by_hand)
    return FieldReport(field.plan.name, tiles, field.mosaic, wcs, len(used), field.light)


@dataclass(frozen=True)
class _TileVerdicts:
    """Which tiles, of the field it belongs to, used and which refused a frame, by frame_id.

    A frame of which nothing is hidden and that a tile has nothing of only touches that tile's corner.
    """

    known: bool
    used: Mapping[int, list[int]]
    rejected: Mapping[int, list[int]]

    @classmethod
    def of(cls, fields: Sequence[tuple[GridPlan | None, Sequence[TileProduct]]], hidden: Set[int]) -> _TileVerdicts:
        used: defaultdict[int, list[int]] = defaultdict(list)
        rejected: defaultdict[int, list[int]] = defaultdict(list)
        for plan, tiles in fields:
            planned = {tile.tile_id: tile.frame_ids for tile in plan.tiles} if plan else {}
            for tile in sorted(tiles, key=lambda item: item.tile_id):
                taken = set(tile.frames_used)
                for frame_id in planned.get(tile.tile_id, tile.frames_used):
                    if frame_id in taken:
                        used[frame_id].append(tile.tile_id)
                    elif frame_id in hidden:
                        rejected[frame_id].append(tile.tile_id)
        return cls(any(tiles for _, tiles in fields), used, rejected)


@dataclass(frozen=True)
class _Fate:
    status: FrameStatus
    phase: str = ""
    reason: Message | None = None


def _fate(
    frame_id: int,
    dropped: Mapping[int, Dropped],
    calibrated: Mapping[int, CalibratedFrame],
    verdicts: _TileVerdicts,
) -> _Fate:
    if frame_id in dropped:
        fallen = dropped[frame_id]
        return _Fate(fallen.status, fallen.phase, fallen.reason)
    if frame_id not in calibrated:
        return _Fate(FrameStatus.REJECTED, "", Message("reason.not_reached"))
    if verdicts.known and frame_id not in verdicts.used:
        return _Fate(FrameStatus.REJECTED, "stack", Message("reason.used_in_no_tile"))
    return _Fate(FrameStatus.USED)


def _frame_row(
    frame: FrameRef,
    measured: MeasuredFrame | None,
    solved: SolvedFrame | None,
    calibrated: CalibratedFrame | None,
    fate: _Fate,
    verdicts: _TileVerdicts,
) -> FrameRow:
    solved = solved or (calibrated.solved if calibrated else None)
    measured = measured or (solved.measured if solved else None)
    corners = solved.wcs.corners(frame.width, frame.height) if solved else ((), ())
    return FrameRow(
        frame_id=frame.frame_id,
        path=frame.path,
        status=fate.status,
        phase=fate.phase,
        reason=fate.reason,
        date_obs=frame.date_obs or "",
        exposure_s=frame.exposure_s,
        instrument=frame.instrument,
        telescope=frame.telescope,
        filter_name=frame.filter_name,
        metrics=_metrics(frame, measured, solved, calibrated),
        weight=calibrated.weight if calibrated and fate.status is FrameStatus.USED else None,
        corners_ra_deg=tuple(round(float(v), 6) for v in corners[0]),
        corners_dec_deg=tuple(round(float(v), 6) for v in corners[1]),
        tiles_used=tuple(verdicts.used.get(frame.frame_id, ())),
        tiles_rejected=tuple(verdicts.rejected.get(frame.frame_id, ())),
        area_used=_area_used(frame, calibrated),
        steps=calibrated.edge_offsets if calibrated else None,
        notes=_notes(frame, solved),
        group=frame.group_name,
    )


def _notes(frame: FrameRef, solved: SolvedFrame | None) -> tuple[Message, ...]:
    """Return what is odd about a frame: what its header lacks, and a place that nothing could check."""
    unchecked = solved is not None and solved.solution.how == UNCHECKED_PLACE
    return (*frame.notes, Message("note.position_unchecked")) if unchecked else frame.notes


def _area_used(frame: FrameRef, calibrated: CalibratedFrame | None) -> float:
    """Return the part of a frame outside its hidden blocks; those at the edges are smaller."""
    if calibrated is None or not calibrated.obstructed:
        return 1.0
    columns = -(-frame.width // OBSTRUCTION_BLOCK_PX)
    hidden = 0
    for block in calibrated.obstructed:
        row, column = divmod(block, columns)
        high = min(OBSTRUCTION_BLOCK_PX, frame.height - row * OBSTRUCTION_BLOCK_PX)
        hidden += high * min(OBSTRUCTION_BLOCK_PX, frame.width - column * OBSTRUCTION_BLOCK_PX)
    return 1.0 - hidden / (frame.width * frame.height)


def _metrics(
    frame: FrameRef, measured: MeasuredFrame | None, solved: SolvedFrame | None, calibrated: CalibratedFrame | None
) -> FrameMetrics:
    if measured is None:
        return FrameMetrics()
    scale = solved.wcs.scale_arcsec if solved else frame.scale_arcsec
    fwhm = _finite(measured.fwhm_px)
    return FrameMetrics(
        stars=measured.star_count,
        fwhm_px=fwhm,
        fwhm_arcsec=fwhm * scale if fwhm is not None and scale else None,
        eccentricity=_finite(measured.eccentricity),
        sharpness=_finite(measured.sharpness),
        snr=_finite(measured.snr),
        gradient_adu=_finite(measured.gradient_adu),
        trails=measured.trails,
        sky_adu=tuple(map(float, measured.sky_adu)),
        noise_adu=tuple(map(float, measured.noise_adu)),
        transparency=tuple(map(float, calibrated.transparency)) if calibrated else (),
        how=solved.solution.how if solved else "",
        n_matched=solved.solution.n_matched if solved else None,
        rms_arcsec=_finite(solved.solution.rms_arcsec) if solved else None,
        scale_arcsec=scale,
        rotation_deg=solved.wcs.rotation_deg if solved else None,
    )


def _file_row(fallen: Dropped) -> FrameRow:
    return FrameRow(fallen.frame_id, fallen.path, fallen.status, fallen.phase, fallen.reason)


def _tile_rows(plan: GridPlan | None, tiles: Iterable[TileProduct], by_hand: Mapping[int, str]) -> tuple[TileRow, ...]:
    products = {tile.tile_id: tile for tile in tiles}
    return tuple(
        TileRow(
            tile_id=spec.tile_id,
            inner=spec.inner,
            outer=spec.outer,
            frames_planned=len(spec.frame_ids),
            frames_used=len(product.frames_used),
            rejected_fraction=float(product.rejected_fraction),
            mode=product.mode,
            empty=product.empty,
            group=names.pop() if len(names) == 1 else "",
        )
        for spec in (plan.tiles if plan else ())
        if (product := products.get(spec.tile_id)) is not None
        for names in ({by_hand.get(frame_id, "") for frame_id in spec.frame_ids},)
    )


def _mosaic_wcs(records: RunRecords) -> FrameWcs | None:
    if records.mosaic:
        return records.mosaic.wcs
    return records.plan.wcs if records.plan else None


def _field_name(records: RunRecords) -> str:
    if records.plan and records.plan.name:
        return records.plan.name
    names = sorted({frame.object_name.strip() for frame in records.frames} - {""})
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
