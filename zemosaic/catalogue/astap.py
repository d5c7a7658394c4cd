"""A user's ASTAP star database in its 1476-area form, read as a catalogue.

Each file holds one cell of the sky: 110 bytes of header, the last of them the size of a record, then
records of 5 or 6 bytes.  A record ``FF FF FF d m`` opens a group: the high byte of the declination is
d - 128 and the magnitude (m - 16) / 10.  The others are stars: 24 bits of right ascension and the low
16 bits of declination, little endian.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from zemosaic.catalogue.base import CatalogueStars, brightest_within, half_width_deg

__all__ = ["AstapCatalogue", "database_names", "open_astap"]

_DEEPEST_FIRST = ("d80", "d50", "v50", "d20", "d05", "g05", "v05", "h18", "g18", "h17", "g17", "v17", "w08")
_FILE = re.compile(r"([a-z]\d\d)_\d{4}\.(1476|290|001)", re.IGNORECASE)
_SOUTHERN_CELLS = (1, 3, 9, 15, 21, 27, 33, 38, 43, 48, 52, 56, 60, 63, 65, 67, 68, 69)
_CELLS = _SOUTHERN_CELLS + _SOUTHERN_CELLS[::-1]
_RING_DEG = 90.0 / 17.5
_HEADER_BYTES = 110


def database_names(folder: Path) -> tuple[str, ...]:
    """Return the names (``d50``, ``h18`` ...) of the star databases in a folder, the deepest first."""
    if not folder.is_dir():
        return ()
    found = {match[1].lower() for path in folder.iterdir() if (match := _FILE.fullmatch(path.name))}
    return tuple(sorted(found, key=lambda n: (_DEEPEST_FIRST.index(n) if n in _DEEPEST_FIRST else 99, n)))


def open_astap(folder: Path) -> AstapCatalogue | None:
    """Return the deepest database of a folder that this module can read, None where there is none."""
    for name in database_names(folder):
        if (folder / f"{name}_0101.1476").is_file():
            return AstapCatalogue(folder, name)
    return None


@dataclass(frozen=True)
class AstapCatalogue:
    """Files ``NAME_RRCC.1476`` of a folder, RR the ring from the south pole and CC the cell in it."""

    folder: Path
    name: str

    def cone(self, ra_deg: float, dec_deg: float, radius_deg: float, limit: int | None = None) -> CatalogueStars:
        """Return the stars within `radius_deg` of a direction, brightest first, at most `limit`.

        A missing file is an empty cell: users keep parts of the sky only.
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
        for ring, count in enumerate(_CELLS):
            south, north = _ring_edges(ring)
            if north < dec - radius or south > dec + radius:
                continue
            first = int(np.floor((ra - half_width) * count / 360.0))
            last = int(np.floor((ra + half_width) * count / 360.0))
            for cell in sorted({c % count for c in range(first, min(last, first + count - 1) + 1)}):
                yield self.folder / f"{self.name}_{ring + 1:02d}{cell + 1:02d}.1476"


def _ring_edges(ring: int) -> tuple[float, float]:
    """Return the declinations between which a ring lies; the polar rings are half as high."""
    south = -90.0 if ring == 0 else (ring - 18) * _RING_DEG
    north = 90.0 if ring == len(_CELLS) - 1 else (ring - 17) * _RING_DEG
    return south, north


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
