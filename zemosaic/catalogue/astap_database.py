"""A user's ASTAP star database, read as a catalogue: the sky in 1476 areas or, in older ones, in 290.

Each file holds one area of the sky: 110 bytes of header, the last of them the size of a record, then
records of 5 or 6 bytes.  A record ``FF FF FF d m`` opens a group: the high byte of the declination is
d - 128 and the magnitude (m - 16) / 10.  The others are stars: 24 bits of right ascension and the low
16 bits of declination, little endian.  Areas lie in rings counted from the south pole, each beginning at
right ascension 0; files are named ``NAME_RRCC.1476`` or ``NAME_RRCC.290`` after ring and area.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np

from zemosaic.catalogue.base import CatalogueStars, brightest_within, half_width_deg

__all__ = ["LAYOUTS", "AstapCatalogue", "Layout", "database_names", "open_astap"]

_DEEPEST_FIRST = ("d80", "d50", "v50", "d20", "d05", "g05", "v05", "h18", "g18", "h17", "g17", "v17", "w08")
_FILE = re.compile(r"([a-z]\d\d)_\d{4}\.(1476|290|001)", re.IGNORECASE)
_HEADER_BYTES = 110


@dataclass(frozen=True)
class Layout:
    """How a database cuts the sky into areas."""

    suffix: str
    cells: tuple[int, ...]
    """Areas of each ring from the south pole to the north pole."""
    edges_deg: tuple[float, ...]
    """Declinations between which the rings lie, one more than rings."""


def _layouts() -> tuple[Layout, ...]:
    """Return the layouts: 36 rings, nearly all of one height, and 18 rings whose areas are all of one size."""
    south = (1, 3, 9, 15, 21, 27, 33, 38, 43, 48, 52, 56, 60, 63, 65, 67, 68, 69)
    edges = (-90.0, *((ring - 17) * 90.0 / 17.5 for ring in range(35)), 90.0)
    southern = tuple(-math.degrees(math.asin(1.0 - (2 * k - 1) ** 2 / 289.0)) for k in range(1, 10))
    few = (1, *range(4, 33, 4))
    few_edges = (-90.0, *southern, *(-dec for dec in southern[-2::-1]), 90.0)
    return Layout("1476", south + south[::-1], edges), Layout("290", few + few[::-1], few_edges)


LAYOUTS = _layouts()


def database_names(folder: Path) -> tuple[str, ...]:
    """Return the names (``d50``, ``h18`` ...) of the star databases in a folder, the deepest first."""
    databases = {name for name, _ in _databases(folder)}
    return tuple(sorted(databases, key=lambda n: (_DEEPEST_FIRST.index(n) if n in _DEEPEST_FIRST else 99, n)))


def open_astap(folder: Path) -> AstapCatalogue | None:
    """Return the deepest database of a folder that this module can read, None where there is none."""
    databases = _databases(folder)
    for name in database_names(folder):
        for layout in LAYOUTS:
            if (name, layout.suffix) in databases:
                return AstapCatalogue(folder, name, layout)
    return None


def _databases(folder: Path) -> set[tuple[str, str]]:
    """Return (name, suffix) of the databases of which a folder holds at least one area."""
    if not folder.is_dir():
        return set()
    matches = (_FILE.fullmatch(path.name) for path in folder.iterdir())
    return {(match[1].lower(), match[2]) for match in matches if match}


@dataclass(frozen=True)
class AstapCatalogue:
    """Files of one database in a folder."""

    folder: Path
    name: str
    layout: Layout = LAYOUTS[0]

    def cone(self, ra_deg: float, dec_deg: float, radius_deg: float, limit: int | None = None) -> CatalogueStars:
        """Return the stars within `radius_deg` of a direction, brightest first, at most `limit`.

        A missing file is an empty cell: users keep parts of the sky only.

        Parameters
        ----------
        ra_deg, dec_deg : float
            The direction.
        radius_deg : float
        limit : int, optional
            Most stars; all by default.

        Returns
        -------
        CatalogueStars
        """
        pieces = [_read_cell(path) for path in self._files(ra_deg % 360.0, dec_deg, radius_deg) if path.is_file()]
        if not pieces:
            return CatalogueStars(np.empty(0), np.empty(0), np.empty(0, np.float32))
        near = CatalogueStars(
            np.concatenate([p.ra_deg for p in pieces]),
            np.concatenate([p.dec_deg for p in pieces]),
            np.concatenate([p.mag for p in pieces]),
        )
        return brightest_within(near, ra_deg, dec_deg, radius_deg, limit)

    def _files(self, ra: float, dec: float, radius: float) -> Iterator[Path]:
        half_width = half_width_deg(dec, radius)
        for ring, (count, (south, north)) in enumerate(
            zip(self.layout.cells, pairwise(self.layout.edges_deg), strict=True)
        ):
            if north < dec - radius or south > dec + radius:
                continue
            first = int(np.floor((ra - half_width) * count / 360.0))
            last = int(np.floor((ra + half_width) * count / 360.0))
            for cell in sorted({c % count for c in range(first, min(last, first + count - 1) + 1)}):
                yield self.folder / f"{self.name}_{ring + 1:02d}{cell + 1:02d}.{self.layout.suffix}"


@lru_cache(maxsize=32)
def _read_cell(path: Path) -> CatalogueStars:
    raw = np.fromfile(path, np.uint8)
    size = int(raw[_HEADER_BYTES - 1]) if len(raw) >= _HEADER_BYTES else 5
    if size not in (5, 6):
        return CatalogueStars(np.empty(0), np.empty(0), np.empty(0, np.float32))
    records = raw[_HEADER_BYTES:]
    records = records[: len(records) // size * size].reshape(-1, size).astype(np.int64)
    ra24 = records[:, 0] | records[:, 1] << 8 | records[:, 2] << 16
    opens = ra24 == 0xFFFFFF
    group = np.cumsum(opens) - 1
    star = ~opens & (group >= 0)
    high, mag = records[opens, 3] - 128, (records[opens, 4] - 16) / 10.0
    dec = (high[group[star]] << 16) + (records[star, 4] << 8) + records[star, 3]
    return CatalogueStars(ra24[star] * (360.0 / 0xFFFFFF), dec * (90.0 / 0x7FFFFF), mag[group[star]].astype(np.float32))
