"""What a camera makes of the colour of stars: slopes of its colours against Gaia's BP - RP, shared by fields.

A slope belongs to sensor, filter and optics, and so to a model of telescope and its filter.  What earlier mosaics
taught is kept; with it, a few stars give the white of a field.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zemosaic.store.whole_files import write_whole
from zemosaic.text.plain_text import json_value
from zemosaic.wcs import separation_deg

__all__ = [
    "ColourResponse",
    "FieldResponse",
    "Slope",
    "known_response",
    "read_responses",
    "with_response",
    "write_responses",
]


@dataclass(frozen=True)
class Slope:
    """Change of a camera colour per magnitude of BP - RP, and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class ColourResponse:
    """Slopes of -2.5 log10(red / green) and of -2.5 log10(blue / green)."""

    red: Slope
    blue: Slope


@dataclass(frozen=True)
class FieldResponse:
    """What one field taught of one camera."""

    camera: str
    """Model of the telescope or camera."""
    filter_name: str
    ra_deg: float
    dec_deg: float
    red: Slope
    blue: Slope
    stars: int


USUAL = ColourResponse(Slope(-0.38, 0.12), Slope(0.57, 0.12))
"""Of cameras with a Bayer matrix: the range that their sensors and filters span."""
FIELD_SPREAD = 0.02
"""By how much the slopes of fields differ for one camera: reddening, other kinds of stars."""
MIN_TEACHING_STARS = 12
MAX_TEACHING_ERROR = 0.05
SAME_FIELD_DEG = 5.0
"""Fields nearer than this share stars, which must not count twice."""
MAX_FIELDS_KEPT = 500


def known_response(
    fields: Sequence[FieldResponse], camera: str, filter_name: str, ra_deg: float, dec_deg: float
) -> ColourResponse:
    """Return what is known of a camera before a field is looked at: the usual slopes and what other fields taught.

    Parameters
    ----------
    fields : sequence of FieldResponse
    camera, filter_name : str
    ra_deg, dec_deg : float
        Where the field lies; what was learnt there is left out, so that a run repeated gives the same result.
    """
    others = [
        field
        for field in fields
        if (field.camera, field.filter_name) == (camera, filter_name)
        and separation_deg(field.ra_deg, field.dec_deg, ra_deg, dec_deg) > SAME_FIELD_DEG
    ]
    return ColourResponse(
        _combined([USUAL.red, *(_widened(field.red) for field in others)]),
        _combined([USUAL.blue, *(_widened(field.blue) for field in others)]),
    )


def with_response(fields: Sequence[FieldResponse], learnt: FieldResponse) -> list[FieldResponse]:
    """Return the fields with another one, which replaces what its part of the sky taught before.

    Parameters
    ----------
    fields : sequence of FieldResponse
    learnt : FieldResponse
        Left out where its stars are too few or its slopes too uncertain to teach anything.
    """
    if learnt.stars < MIN_TEACHING_STARS or max(learnt.red.error, learnt.blue.error) > MAX_TEACHING_ERROR:
        return list(fields)
    kept = [
        field
        for field in fields
        if (field.camera, field.filter_name) != (learnt.camera, learnt.filter_name)
        or separation_deg(field.ra_deg, field.dec_deg, learnt.ra_deg, learnt.dec_deg) > SAME_FIELD_DEG
    ]
    return [*kept, learnt][-MAX_FIELDS_KEPT:]


def read_responses(path: Path) -> list[FieldResponse]:
    """Return what earlier mosaics taught; nothing where the file is missing or is none any more.

    What the file holds can be learnt again and is worth no failed run.
    """
    try:
        entries = json_value(path.read_text(encoding="utf-8"))["fields"]
        return [_field_response(entry) for entry in entries]
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return []


def write_responses(path: Path, fields: Sequence[FieldResponse]) -> None:
    """Write what mosaics taught.

    Parameters
    ----------
    path : Path
    fields : sequence of FieldResponse

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"fields": [asdict(field) for field in fields]}, indent=1) + "\n"
    write_whole(path, text.encode("utf-8"))


def _field_response(entry: dict[str, Any]) -> FieldResponse:
    """Return what a file tells of one field; raises where a number is none, or cannot be one of a slope."""
    ra, dec = float(entry["ra_deg"]), float(entry["dec_deg"])
    slopes = [Slope(float(entry[name]["value"]), float(entry[name]["error"])) for name in ("red", "blue")]
    numbers = [ra, dec, *(number for slope in slopes for number in (slope.value, slope.error))]
    if not all(map(math.isfinite, numbers)) or min(slope.error for slope in slopes) <= 0:
        raise ValueError("no slopes")
    camera, filter_name = str(entry["camera"]), str(entry["filter_name"])
    return FieldResponse(camera, filter_name, ra, dec, slopes[0], slopes[1], int(entry["stars"]))


def _widened(slope: Slope) -> Slope:
    return Slope(slope.value, math.hypot(slope.error, FIELD_SPREAD))


def _combined(slopes: Sequence[Slope]) -> Slope:
    """Return the weighted mean."""
    weights = [1.0 / slope.error**2 for slope in slopes]
    total = sum(weights)
    return Slope(sum(w * slope.value for w, slope in zip(weights, slopes, strict=True)) / total, total**-0.5)
