"""What a run's report says of its frames, its settings and the record of its pixels; damaged ones are refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zemosaic.errors import InputError
from zemosaic.settings.schema import Settings
from zemosaic.store.pixel_record import MosaicRecord, records_from_text
from zemosaic.text.plain_text import json_value

__all__ = ["made_of_mosaics", "read_report", "records_in", "settings_in"]


def read_report(path: Path) -> dict[str, Any]:
    try:
        report = json_value(path.read_text(encoding="utf-8"))
        if not isinstance(report, dict) or not isinstance(report.get("frames"), list):
            raise ValueError("no report of a run")
        for entry in report["frames"]:
            _check_entry(entry)
    except (OSError, ValueError) as fault:
        raise InputError("error.pixel_report", path=str(path), detail=str(fault)) from fault
    return report


def _check_entry(entry: object) -> None:
    """Raise ValueError where a frame's entry lacks what a story tells of every frame."""
    texts = ("path", "status")
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in texts):
        raise ValueError(f"a frame without {' and '.join(texts)}")
    if not isinstance(entry.get("date_obs") or "", str):
        raise ValueError(f"{entry['path']}: date_obs is no text")
    reason = entry.get("reason")
    if reason is None:
        return
    if not isinstance(reason, dict) or not isinstance(reason.get("key"), str):
        raise ValueError(f"{entry['path']}: reason without a key")
    if not isinstance(reason.get("params"), dict):
        raise ValueError(f"{entry['path']}: reason without its values")


def records_in(report: Mapping[str, Any], path: Path) -> list[MosaicRecord]:
    """Return the pixel records that a report holds, one per mosaic.

    Parameters
    ----------
    report : mapping
        What the report's JSON says.
    path : Path
        Of the report, for messages.
    """
    text, settings = report.get("pixel_record"), report.get("settings")
    if not isinstance(text or "", str) or not isinstance(settings or {}, dict):
        raise InputError("error.pixel_report", path=str(path), detail="pixel_record, settings")
    if not text and (settings or {}).get("use_existing_master_tiles"):
        raise InputError("error.pixel_of_stacks", path=str(path))
    if not text:
        raise InputError("error.pixel_no_record", path=str(path))
    try:
        return records_from_text(text)
    except ValueError as fault:
        raise InputError("error.pixel_report", path=str(path), detail=str(fault)) from fault


def made_of_mosaics(report: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the files that a run made of its mosaics: colour pictures of bands, and planes of lines."""
    names = set()
    for key in ("combined", "line_planes"):
        entries = report.get(key)
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, dict) and isinstance(entry.get("mosaic"), str):
                names.add(entry["mosaic"])
    return frozenset(names)


def settings_in(report: Mapping[str, Any], path: Path) -> Settings:
    """Return the settings of the run, as far as this version knows them.

    Parameters
    ----------
    report : mapping
        What the report's JSON says.
    path : Path
        Of the report, for messages.
    """
    values = {key: value for key, value in (report.get("settings") or {}).items() if key in Settings.model_fields}
    try:
        return Settings(**values)
    except ValidationError as fault:
        raise InputError("error.pixel_report", path=str(path), detail=str(fault)) from fault
