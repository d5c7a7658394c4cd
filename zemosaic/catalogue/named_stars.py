"""Bright stars that have names of their own."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from zemosaic.wcs import separation_deg

__all__ = ["NamedStar", "constellation_lines", "named_stars"]


@dataclass(frozen=True)
class NamedStar:
    """A star with a name that the International Astronomical Union has approved."""

    name: str
    ra_deg: float
    """ICRS, epoch J2000."""
    dec_deg: float


def named_stars(ra_deg: float, dec_deg: float, radius_deg: float) -> list[NamedStar]:
    """Return the named stars within a cone, the brighter ones first.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Centre of the cone.
    radius_deg : float
        Its radius.
    """
    return [star for star in _every_star() if separation_deg(star.ra_deg, star.dec_deg, ra_deg, dec_deg) <= radius_deg]


@cache
def constellation_lines() -> tuple[tuple[NamedStar, ...], ...]:
    """Return the lines of the figures of constellations, each from star to star."""
    stars = {star.name: star for star in _every_star()}
    text = (files("zemosaic") / "data" / "constellation_lines.csv").read_text(encoding="utf-8")
    return tuple(tuple(stars[name] for name in row["stars"].split(";")) for row in csv.DictReader(text.splitlines()))


@cache
def _every_star() -> tuple[NamedStar, ...]:
    text = (files("zemosaic") / "data" / "named_stars.csv").read_text(encoding="utf-8")
    return tuple(
        NamedStar(row["name"], float(row["ra_deg"]), float(row["dec_deg"])) for row in csv.DictReader(text.splitlines())
    )
