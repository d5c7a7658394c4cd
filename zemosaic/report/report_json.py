"""`run_report.json`: the report for programs.

Each frame and each tile is a line of its own, so that a program can read the report of very many frames line by line.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

from zemosaic.errors import Message
from zemosaic.i18n import Translator
from zemosaic.qa.seam_summary import seam_dict
from zemosaic.report.report_records import FieldReport, FrameMetrics, FrameRow, RunReport, StarLight, TileRow
from zemosaic.store.whole_files import write_whole

__all__ = ["report_dict", "write_report_json"]


def write_report_json(path: Path, report: RunReport, translator: Translator) -> None:
    """Write the report for programs; raises OutputError.

    Parameters
    ----------
    path : Path
        The file, by custom ``run_report.json``.
    report : RunReport
        What to tell.
    translator : Translator
        Makes the texts of the reasons and warnings; keys and parameters stand beside them.
    """
    plain = _plain(report_dict(report, translator))
    text = "{\n" + ",\n".join(f" {_json(key)}: {_value_text(key, value)}" for key, value in plain.items()) + "\n}\n"
    # Paths need not be valid text; what is not becomes JSON's own escape and is read back as it was.
    write_whole(path, text.encode("utf-8", "backslashreplace"))


_BY_LINE = ("frames", "tiles")
"""Lists whose entries are lines of their own."""


def _value_text(key: str, value: Any) -> str:
    if key in _BY_LINE and value:
        return "[\n" + ",\n".join(f"  {_json(entry)}" for entry in value) + "\n ]"
    return _json(value, indent=1).replace("\n", "\n ")


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)


def report_dict(report: RunReport, translator: Translator) -> dict[str, Any]:
    """Return what `write_report_json` writes, before numbers that are not finite become null.

    Parameters
    ----------
    report : RunReport
    translator : Translator
    """
    mosaic, sizes = report.mosaic, {name: len(rows) for name, rows in report.groups.items()}
    return {
        "mosaic": Path(mosaic.mosaic).name if mosaic else None,
        "picture": mosaic.picture or None if mosaic else None,
        "field": report.field_name,
        "combined": [asdict(product) | {"wcs": product.wcs.to_cards()} for product in report.combined],
        "line_planes": [asdict(product) for product in report.lines],
        "width": mosaic.width if mosaic else None,
        "height": mosaic.height if mosaic else None,
        "canvas_box": mosaic.box if mosaic else None,
        "exposure_s": mosaic.exposure_s if mosaic else None,
        "wcs": report.wcs.to_cards() if report.wcs else None,
        "failure": _told(report.failure, translator) if report.failure else None,
        "way": _told(report.way, translator) if report.way else None,
        "given": [_told(line, translator) for line in report.given],
        "frames_found": len(report.frames),
        "frames_used": len(report.used),
        "frames": [_frame_dict(row, translator) for row in report.frames],
        **({"groups_by_hand": sizes} if sizes else {}),
        "tiles": [_tile_dict(tile) for tile in report.tiles],
        "seams": seam_dict(report.seams) if report.seams else None,
        "noise_by_depth": _depth_rows(report),
        "weights": asdict(report.weights) if report.weights else None,
        **_light_dict(report.light),
        "other_fields": [_field_dict(field) for field in report.others],
        "warnings": [_told(warning, translator) for warning in report.warnings],
        "settings": dict(report.settings),
        "versions": dict(report.versions),
        "timings": {time.phase: {"wall_s": time.wall_s, "cpu_s": time.cpu_s} for time in report.timings},
        "peak_rss_bytes": report.peak_rss_bytes,
        "pixel_record": report.pixels or None,
    }


def _depth_rows(report: RunReport) -> list[dict[str, float]] | None:
    if report.depth is None:
        return None
    pairs = zip(report.depth.frames, report.depth.noise_adu, strict=True)
    return [{"frames": float(n), "noise_adu": float(noise)} for n, noise in pairs]


def _field_dict(field: FieldReport) -> dict[str, Any]:
    mosaic = field.mosaic
    return {
        "mosaic": Path(mosaic.mosaic).name if mosaic else None,
        "picture": mosaic.picture or None if mosaic else None,
        "field": field.name,
        "width": mosaic.width if mosaic else None,
        "height": mosaic.height if mosaic else None,
        "canvas_box": mosaic.box if mosaic else None,
        "exposure_s": mosaic.exposure_s if mosaic else None,
        "wcs": field.wcs.to_cards(),
        "frames_used": field.frames_used,
        "tiles": [_tile_dict(tile) for tile in field.tiles],
        **_light_dict(field.light),
    }


def _light_dict(light: StarLight | None) -> dict[str, Any]:
    """Return white and photometry of a mosaic."""
    light = light or StarLight()
    return {
        "colour": light.white.colour if light.white else None,
        "photometry": {**asdict(light.zero), "limit_mag": light.depth.limit_mag if light.depth else None}
        if light.zero
        else None,
        "residual_background": asdict(light.residual) if light.residual else None,
        "shallow_parts": [asdict(part) for part in light.shallow],
    }


def _frame_dict(row: FrameRow, translator: Translator) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "path": row.path,
        "status": row.status.value,
        "reason": _told(row.reason, translator) if row.reason else None,
        "phase": row.phase or None,
        "date_obs": row.date_obs or None,
        "exposure_s": row.exposure_s,
        "instrument": row.instrument,
        "telescope": row.telescope,
        "filter": row.filter_name,
        "metrics": _record(row.metrics),
        "weight": row.weight,
        "corners_ra_deg": row.corners_ra_deg,
        "corners_dec_deg": row.corners_dec_deg,
        "notes": [_told(note, translator) for note in row.notes],
    }
    if row.group:
        entry["group"] = row.group
    if row.in_part:
        entry["area_used"] = row.area_used
    if row.steps is not None:
        entry["seams"] = {"before": row.steps.before, "after": row.steps.after}
    if row.tiles_used and row.tiles_rejected:
        entry["tile_verdicts"] = {"used": row.tiles_used, "rejected": row.tiles_rejected}
    return entry


def _told(text: Message, translator: Translator) -> dict[str, Any]:
    return {"text": translator.message(text), **text.to_dict()}


def _tile_dict(tile: TileRow) -> dict[str, Any]:
    entry = _record(tile)
    return entry if tile.group else {name: value for name, value in entry.items() if name != "group"}


def _record(record: FrameMetrics | TileRow) -> dict[str, Any]:
    return {item.name: getattr(record, item.name) for item in fields(record)}


def _plain(value: Any) -> Any:
    """Return JSON values: what is not finite becomes null, NumPy's scalars Python's."""
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, float):
        return float(f"{value:.12g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | str) else str(value)
