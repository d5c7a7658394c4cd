"""Star clusters, nebulae and galaxies with their names and outlines, from OpenNGC.

The database is a file of the package PyOngc. It is read without importing that package, whose older versions need
another one to be imported.

References
----------
Verga M., OpenNGC (CC-BY-SA-4.0), https://github.com/mattiaverga/OpenNGC.
"""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from zemosaic.errors import InputError
from zemosaic.wcs import separation_deg

__all__ = ["DeepSkyObject", "deep_sky_objects"]

PACKAGE, FILE = "pyongc", "ongc.db"
NO_OBJECTS = ("Dup", "NonEx", "*", "**", "Other", "Nova")
"""Types of entries that are errors of the old catalogues, copies or single stars."""
CATALOGUES = {
    "B": "Barnard",
    "C": "Caldwell",
    "Cl": "Collinder",
    "H": "Harvard",
    "M": "M",
    "Mel": "Melotte",
}
"""Abbreviations that OpenNGC uses and that are not understood by themselves."""


@dataclass(frozen=True)
class DeepSkyObject:
    """A star cluster, nebula or galaxy."""

    designation: str
    """As people write it: ``M 31``, ``NGC 7000``."""
    common_name: str
    """English name, empty where it has none."""
    ra_deg: float
    dec_deg: float
    major_arcmin: float
    """Longer axis; 0 where it is unknown."""
    minor_arcmin: float
    position_angle_deg: float
    """Of the longer axis, from north to east; 0 where it is unknown, and both axes are their mean."""
    magnitude: float
    """V, else B; NaN where neither is known."""
    messier: bool

    @property
    def label(self) -> str:
        """Designation and common name."""
        return f"{self.designation} · {self.common_name}" if self.common_name else self.designation


def deep_sky_objects(ra_deg: float, dec_deg: float, radius_deg: float) -> list[DeepSkyObject]:
    """Return the objects within a cone, the most notable first.

    Messier's come first, then those with a common name, then by size and brightness.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Centre of the cone.
    radius_deg : float
        Its radius.

    Raises
    ------
    InputError
        PyOngc is not installed or its database cannot be read.
    """
    everything = _catalogue()
    if not everything:
        return []
    places = np.array([(item.ra_deg, item.dec_deg) for item in everything])
    near = np.flatnonzero(separation_deg(places[:, 0], places[:, 1], ra_deg, dec_deg) <= radius_deg)
    return sorted((everything[k] for k in near), key=_rank)


def _rank(item: DeepSkyObject) -> tuple[float, ...]:
    brightness = 30.0 if math.isnan(item.magnitude) else item.magnitude
    return (not item.messier, not item.common_name, brightness - 3.0 * math.log10(max(item.major_arcmin, 0.1)))


@cache
def _catalogue() -> tuple[DeepSkyObject, ...]:
    path = _database()
    kinds = ", ".join("?" * len(NO_OBJECTS))
    query = (
        "SELECT name, messier, commonnames, ra, dec, majax, minax, pa, vmag, bmag FROM objects "
        f"WHERE ra IS NOT NULL AND dec IS NOT NULL AND type NOT IN ({kinds}) ORDER BY name"
    )
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            return tuple(_objects(database.execute(query, NO_OBJECTS)))
    except sqlite3.Error as failure:
        raise InputError("error.deep_sky_unreadable", path=str(path), detail=str(failure)) from failure


def _database() -> Path:
    """Return the file of the database, which lies in the package."""
    package = find_spec(PACKAGE)
    folders = list(package.submodule_search_locations or ()) if package else []
    path = Path(folders[0]) / FILE if folders else Path(FILE)
    if not path.is_file():
        raise InputError("error.deep_sky_unreadable", path=str(path), detail=f"{PACKAGE}/{FILE}")
    return path.resolve()


def _objects(rows: Iterator[tuple[object, ...]]) -> Iterator[DeepSkyObject]:
    for name, messier, common, ra, dec, major, minor, angle, v_mag, b_mag in rows:
        major_arcmin = _number(major, 0.0)
        minor_arcmin = _number(minor, major_arcmin) or major_arcmin
        if angle is None:
            major_arcmin = minor_arcmin = math.sqrt(major_arcmin * minor_arcmin)
        magnitude = _number(v_mag, math.nan)
        yield DeepSkyObject(
            designation=f"M {str(messier).lstrip('0')}" if messier else _readable(str(name)),
            common_name=_capitalised(str(common or "").partition(",")[0]),
            ra_deg=math.degrees(_number(ra, 0.0)),
            dec_deg=math.degrees(_number(dec, 0.0)),
            major_arcmin=major_arcmin,
            minor_arcmin=minor_arcmin,
            position_angle_deg=_number(angle, 0.0),
            magnitude=_number(b_mag, math.nan) if math.isnan(magnitude) else magnitude,
            messier=bool(messier),
        )


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


def _capitalised(name: str) -> str:
    return name[:1].upper() + name[1:]


def _readable(name: str) -> str:
    """Return ``NGC 224`` of ``NGC0224``."""
    parts = re.fullmatch(r"([A-Za-z]+)0*(\d.*)", name)
    return f"{CATALOGUES.get(parts[1], parts[1])} {parts[2]}" if parts else name
