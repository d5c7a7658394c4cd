"""A place or a region of the sky as a setting says it: ``RA, Dec`` or ``RA, Dec, width, height`` in degrees."""

from __future__ import annotations

__all__ = ["POINTING_FORM", "REGION_FORM", "checked_pointing", "checked_region", "parse_pointing", "parse_region"]

REGION_FORM = "RA, Dec, width, height (deg)"
POINTING_FORM = "RA, Dec (deg)"
MAX_REGION_DEG = 90.0

Region = tuple[float, float, float, float]


def parse_region(text: str) -> Region | None:
    """Return (ra_deg, dec_deg, width_deg, height_deg) of a setting; None where it is empty.

    The numbers are divided by commas, semicolons or blanks: centre, then size along east and along north.

    Raises
    ------
    ValueError
        The text is no region: not four numbers, a declination beyond a pole, or a size that is not between 0 and 90.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    if not words:
        return None
    if len(words) != 4:
        raise ValueError(f"expected four numbers, got {len(words)}")
    ra, dec, width, height = (float(word) for word in words)
    ra, dec = _on_sphere(ra, dec)
    if not (0.0 < width <= MAX_REGION_DEG and 0.0 < height <= MAX_REGION_DEG):
        raise ValueError("the size is not between 0 and 90 degrees")
    return ra, dec, width, height


def parse_pointing(text: str) -> tuple[float, float] | None:
    """Return (ra_deg, dec_deg) of a setting; None where it is empty.

    Raises
    ------
    ValueError
        The text is no place: not two numbers, or a declination beyond a pole.
    """
    words = text.replace(",", " ").replace(";", " ").split()
    if not words:
        return None
    if len(words) != 2:
        raise ValueError(f"expected two numbers, got {len(words)}")
    return _on_sphere(float(words[0]), float(words[1]))


def checked_pointing(text: str) -> str:
    """Return a place's text if it is one; raises ValueError as `parse_pointing`."""
    parse_pointing(text)
    return text


def _on_sphere(ra: float, dec: float) -> tuple[float, float]:
    """Return a right ascension between 0 and 360 and the declination; raises ValueError where they are none."""
    if not -360.0 <= ra <= 360.0:
        raise ValueError("the right ascension is not between 0 and 360 degrees")
    if not -90.0 <= dec <= 90.0:
        raise ValueError("the declination is not between -90 and 90 degrees")
    return ra % 360.0, dec


def checked_region(text: str) -> str:
    """Return a region's text if it is one; raises ValueError as `parse_region`."""
    parse_region(text)
    return text
