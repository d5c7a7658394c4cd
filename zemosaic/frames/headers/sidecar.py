"""What a DWARF telescope writes beside its frames and not into them: ``shotsInfo.json``, one per session folder.

Its RA counts hours and its DEC degrees; ``exp`` is a text in seconds.  The headers of its frames hold RA = DEC = 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from zemosaic.model import FrameRef
from zemosaic.text.plain_text import json_value

__all__ = ["Sidecars"]

SIDECAR_NAME = "shotsInfo.json"
MAX_SIDECAR_BYTES = 1 << 20


class Sidecars:
    """The session files met so far, one read per folder."""

    def __init__(self) -> None:
        self._told: dict[Path, Mapping[str, Any]] = {}

    def completed(self, frame: FrameRef) -> FrameRef:
        """Return a frame with what its header lacks and the session file beside it tells."""
        if frame.ra_deg is not None and frame.exposure_s is not None:
            return frame
        folder = Path(frame.path).parent
        if folder not in self._told:
            self._told[folder] = _read(folder / SIDECAR_NAME)
        told = self._told[folder]
        if not told:
            return frame
        changes = _missing(frame, told)
        given = {"note.no_pointing": "ra_deg" in changes, "note.no_exposure": "exposure_s" in changes}
        changes["notes"] = tuple(note for note in frame.notes if not given.get(note.key, False))
        return replace(frame, **changes)


def _missing(frame: FrameRef, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a frame lacks and its session file tells, by the names of its fields."""
    changes: dict[str, Any] = {}
    ra_hours, dec_deg, exposure_s = (_number(told.get(key)) for key in ("RA", "DEC", "exp"))
    if frame.ra_deg is None and ra_hours is not None and dec_deg is not None and _is_place(ra_hours, dec_deg):
        changes |= {"ra_deg": 15.0 * ra_hours, "dec_deg": dec_deg}
    if frame.exposure_s is None and exposure_s is not None and exposure_s > 0:
        changes["exposure_s"] = exposure_s
    changes["gain"] = _number(told.get("gain")) if frame.gain is None else frame.gain
    changes["object_name"] = frame.object_name or str(told.get("target") or "")
    changes["filter_name"] = frame.filter_name or str(told.get("ir") or "")
    return changes


def _is_place(ra_hours: float, dec_deg: float) -> bool:
    return 0.0 <= ra_hours < 24.0 and abs(dec_deg) <= 90.0 and (ra_hours, dec_deg) != (0.0, 0.0)


def _read(path: Path) -> Mapping[str, Any]:
    """Return what a session file tells; nothing where there is none or it is none that can be read."""
    try:
        if path.stat().st_size > MAX_SIDECAR_BYTES:
            return {}
        told = json_value(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}  # the frames then lack what their headers lack, and their notes say so
    return told if isinstance(told, dict) else {}


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
