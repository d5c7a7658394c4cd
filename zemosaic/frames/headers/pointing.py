"""Where the mount says the telescope looked."""

from __future__ import annotations

import re

from zemosaic.frames.headers.header import Header

__all__ = ["pointing", "sexagesimal"]

_PAIRS = (
    ("RA", "DEC"),
    ("OBJCTRA", "OBJCTDEC"),
    ("RA_OBS", "DEC_OBS"),
    ("RA-MNT", "DEC-MNT"),
    ("TELRA", "TELDEC"),
    ("FOVRA", "FOVDEC"),
)
"""FOVRA and FOVDEC are Unistellar's."""
_PARTS = re.compile(r"^\s*([+-]?)\s*(\d+)\s*[:hd° ]\s*(\d+)(?:\s*[:m' ]\s*(\d+\.?\d*)\s*[s\"]?)?\s*$", re.IGNORECASE)
_HOURS = re.compile(r"\[h\]|hours?\b", re.IGNORECASE)


def pointing(header: Header) -> tuple[float, float] | None:
    """Return (ra_deg, dec_deg) of the first usable pair of cards, None where there is none.

    Numbers are degrees unless the comment says hours; sexagesimal right ascensions are hours.
    Exactly (0, 0) is what programs write that do not know.
    """
    for ra_key, dec_key in _PAIRS:
        ra, dec = _ra(header, ra_key), _dec(header, dec_key)
        if ra is None or dec is None or (ra == 0.0 and dec == 0.0):
            continue
        if -360.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0:
            return ra % 360.0, dec
    return None


def _ra(header: Header, key: str) -> float | None:
    hours = sexagesimal(header.text(key))
    if hours is None and _HOURS.search(header.comment(key)):
        hours = header.number(key)
    return header.number(key) if hours is None else 15.0 * hours


def _dec(header: Header, key: str) -> float | None:
    degrees = sexagesimal(header.text(key))
    return header.number(key) if degrees is None else degrees


def sexagesimal(text: str) -> float | None:
    """Return the number of ``12 34 56.7``, ``-0:12:34`` or ``12h34m56s``, None if it is none."""
    match = _PARTS.match(text)
    if match is None:
        return None
    sign, whole, minutes, seconds = match.groups()
    value = int(whole) + int(minutes) / 60 + float(seconds or 0) / 3600
    return -value if sign == "-" else value
