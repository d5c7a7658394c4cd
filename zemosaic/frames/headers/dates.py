"""When an exposure began, whatever the capture program wrote."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from zemosaic.frames.headers.header import Header

__all__ = ["date_obs"]

_OLD_DATE = re.compile(r"^(\d{1,2})/(\d{1,2})/(\d{2,4})$")
_TIME = re.compile(r"^(\d{1,2}):(\d{1,2}):(\d{1,2}(?:\.\d*)?)")
_FRACTION = re.compile(r"(\.\d{1,6})\d*")
_MJD_EPOCH = datetime(1858, 11, 17)
_JD_OF_MJD_ZERO = 2_400_000.5


def date_obs(header: Header) -> str | None:
    """Return the start of the exposure as ISO 8601, UTC where the header says so; None if unknown.

    A zone (``-0700``, ``Z``) is applied and left out; a date alone is completed from the time cards.
    """
    text = header.text("DATE-OBS", "DATE-BEG", "DATE_OBS")
    moment = _iso(text, header) or _old(text, header) or _julian(header)
    return moment.isoformat() if moment is not None else None


def _iso(text: str, header: Header) -> datetime | None:
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text.replace(" ", "T")))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None
    return moment if "T" in text or ":" in text else _at_time(moment, header)


def _old(text: str, header: Header) -> datetime | None:
    """DD/MM/YY as before 1999; a year of three digits is one counted from 1900."""
    match = _OLD_DATE.match(text)
    if match is None:
        return None
    day, month, year = (int(part) for part in match.groups())
    try:
        return _at_time(datetime(year if year >= 1000 else 1900 + year, month, day), header)
    except ValueError:
        return None


def _at_time(day: datetime, header: Header) -> datetime:
    for key in ("TIME-OBS", "UT", "UTSTART", "TIME-BEG"):
        match = _TIME.match(header.text(key))
        if match is not None:
            hours, minutes, seconds = (float(part) for part in match.groups())
            seconds += 3600.0 * hours + 60.0 * minutes
            return day + timedelta(seconds=seconds) if day.year < 9999 else day
    return day


def _julian(header: Header) -> datetime | None:
    mjd = header.number("MJD-OBS", "MJD-BEG", "MJD")
    if mjd is None:
        jd = header.number("JD", "JD-OBS")
        mjd = None if jd is None else jd - _JD_OF_MJD_ZERO
    # 1950 to 2100: anything else is a card nobody filled in.
    if mjd is None or not 33282 < mjd < 88069:
        return None
    return _MJD_EPOCH + timedelta(days=mjd)
