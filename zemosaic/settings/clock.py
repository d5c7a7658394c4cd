"""A time of the day as a setting says it: ``HH:MM``."""

from __future__ import annotations

from datetime import datetime, time

__all__ = ["CLOCK_FORM", "checked_clock", "parse_clock"]

CLOCK_FORM = "HH:MM"


def parse_clock(text: str) -> time | None:
    """Return the time of the day that a setting names; None where it is empty.

    Raises
    ------
    ValueError
        The text is no time between 00:00 and 23:59.
    """
    return datetime.strptime(text.strip(), "%H:%M").time() if text.strip() else None


def checked_clock(text: str) -> str:
    """Return a time's text if it is one; raises ValueError as `parse_clock`."""
    parse_clock(text)
    return text
