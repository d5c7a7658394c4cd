"""The bundled catalogue's file: sky cells of about 0.75 degrees, five bytes a star.

The sky is cut into `RINGS` declination rings of equal height and each ring into cells no wider than
the ring is high.  A star is stored as two 16-bit fractions of its cell (steps of 0.041 arcsec, so at
most 0.03 arcsec off) and an 8-bit magnitude; inside a cell the brightest comes first.  Layout, little endian:

=========  =====================================================================
bytes      content
=========  =====================================================================
16         `MAGIC`
3 x f4, u4 magnitude of code 0, magnitudes per code, unused; number of stars
u4 x (c+1) index of each of the c cells' first star, then the number of stars
u2 x n     fraction of the cell's width in right ascension, from west to east
u2 x n     fraction of the cell's height, from south to north
u1 x n     magnitude code
=========  =====================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zemosaic.catalogue.base import CatalogueStars, brightest_within, half_width_deg
from zemosaic.errors import InputError

__all__ = ["MAGIC", "RINGS", "CellCatalogue", "cell_order", "cells_per_ring", "encode"]

MAGIC = b"ZeMosaic stars 1"
RINGS = 240
_HEADER_BYTES = 32
_STEPS = 65536


def cells_per_ring() -> NDArray[np.int64]:
    """Return the number of cells of each ring from the south pole to the north pole, shape (RINGS,)."""
    height = 180.0 / RINGS
    edges = np.abs(-90.0 + height * np.arange(RINGS + 1))
    widest = np.cos(np.radians(np.minimum(edges[:-1], edges[1:])))
    cells: NDArray[np.int64] = np.maximum(np.ceil(360.0 / height * widest - 1e-9), 1.0).astype(np.int64)
    return cells


def _places(
    ra: NDArray[np.float64], dec: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the cell of each star, and its place in units of cells: eastward in its ring, and northward."""
    counts = cells_per_ring()
    north = np.clip((dec + 90.0) * RINGS / 180.0, 0.0, np.nextafter(RINGS, 0.0))
    ring = north.astype(np.int64)
    east = np.clip((ra % 360.0) * counts[ring] / 360.0, 0.0, np.nextafter(counts[ring].astype(float), 0.0))
    return np.concatenate([[0], np.cumsum(counts)])[ring] + east.astype(np.int64), east, north


def cell_order(ra_deg: ArrayLike, dec_deg: ArrayLike, mag: ArrayLike) -> NDArray[np.intp]:
    """Return the order in which `encode` stores stars.

    Parameters
    ----------
    ra_deg, dec_deg, mag : array_like
        Shape (n,), float; ICRS degrees and magnitudes.
    """
    ra, dec, mags = (np.asarray(a, float) for a in (ra_deg, dec_deg, mag))
    return np.lexsort((ra, mags, _places(ra, dec)[0]))


def encode(ra_deg: ArrayLike, dec_deg: ArrayLike, mag: ArrayLike) -> bytes:
    """Return the file's content for stars given in any order.

    Parameters
    ----------
    ra_deg, dec_deg, mag : array_like
        Shape (n,), float; ICRS degrees and magnitudes.
    """
    ra, dec, mags = (np.asarray(a, float) for a in (ra_deg, dec_deg, mag))
    cell, east, north = _places(ra, dec)
    order = cell_order(ra, dec, mags)
    zero = float(mags.min()) if len(mags) else 0.0
    step = max(float(np.ptp(mags)) / 255.0, 1e-6) if len(mags) else 1.0
    codes = np.round((mags - zero) / step)
    starts = np.searchsorted(cell[order], np.arange(cells_per_ring().sum() + 1))
    parts = (
        np.array([zero, step, 0.0], "<f4"),
        np.array([len(ra)], "<u4"),
        starts.astype("<u4"),
        np.floor((east[order] % 1.0) * _STEPS).astype("<u2"),
        np.floor((north[order] % 1.0) * _STEPS).astype("<u2"),
        np.clip(codes[order], 0, 255).astype("u1"),
    )
    return MAGIC + b"".join(part.tobytes() for part in parts)


@dataclass(frozen=True)
class CellCatalogue:
    """A catalogue file in the layout of this module, mapped into memory; only touched cells are read."""

    name: str
    path: Path
    starts: NDArray[np.uint32]
    """Index of each cell's first star, shape (cells + 1,)."""
    first_cell: NDArray[np.int64]
    """Index of each ring's first cell, shape (RINGS + 1,)."""
    east: NDArray[np.uint16]
    north: NDArray[np.uint16]
    magnitude: NDArray[np.uint8]
    mag_zero: float
    mag_step: float

    @classmethod
    def open(cls, path: Path, name: str) -> CellCatalogue:
        """Map a catalogue file.

        Parameters
        ----------
        path : Path
        name : str
            Of the catalogue, for messages.

        Returns
        -------
        CellCatalogue

        Raises
        ------
        InputError
            The file is missing, truncated or something else.
        """
        try:
            raw = np.memmap(path, np.uint8, mode="r")
        except (OSError, ValueError) as exc:
            raise InputError("error.catalogue_unreadable", path=str(path), detail=str(exc)) from exc
        return cls.of_bytes(raw, path, name)

    @classmethod
    def of_bytes(cls, raw: NDArray[np.uint8], path: Path, name: str) -> CellCatalogue:
        """Read a catalogue from the bytes of its file, or of the part of a file that it is.

        Parameters
        ----------
        raw : ndarray, uint8
        path : Path
            The file, for messages.
        name : str

        Raises
        ------
        InputError
            The bytes are something else, or some are missing.
        """
        first_cell = np.concatenate([[0], np.cumsum(cells_per_ring())])
        cells = int(first_cell[-1])
        star_bytes = len(raw) - _HEADER_BYTES - 4 * (cells + 1)
        if star_bytes < 0 or raw[:16].tobytes() != MAGIC:
            raise InputError("error.catalogue_unreadable", path=str(path), detail="unknown layout")
        zero, step, _ = raw[16:28].view("<f4")
        count = int(raw[28:32].view("<u4")[0])
        if star_bytes != 5 * count:
            raise InputError("error.catalogue_unreadable", path=str(path), detail="truncated")
        columns = raw[_HEADER_BYTES + 4 * (cells + 1) :]
        starts = raw[_HEADER_BYTES : _HEADER_BYTES + 4 * (cells + 1)].view("<u4")
        east, north = columns[: 2 * count].view("<u2"), columns[2 * count : 4 * count].view("<u2")
        return cls(name, path, starts, first_cell, east, north, columns[4 * count :], float(zero), float(step))

    def __len__(self) -> int:
        return len(self.east)

    def __reduce__(self) -> tuple[Any, ...]:
        # A worker process maps the file again instead of being sent its content.
        return CellCatalogue.open, (self.path, self.name)

    def all_stars(self) -> CatalogueStars:
        """Return all stars from the south pole to the north pole, cell by cell."""
        counts = np.diff(self.first_cell)
        rings = [self._decode(ring, 0, int(count)) for ring, count in enumerate(counts)]
        return CatalogueStars(*(np.concatenate(column) for column in zip(*rings, strict=True)))

    def cone(self, ra_deg: float, dec_deg: float, radius_deg: float, limit: int | None = None) -> CatalogueStars:
        """Return the stars within `radius_deg` of a direction, brightest first, at most `limit`.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Centre, ICRS degrees.
        radius_deg : float
            Greatest angle from the centre.
        limit : int, optional
            Greatest number of stars.
        """
        pieces = [self._decode(*run) for run in self._runs(ra_deg, dec_deg, radius_deg)]
        near = CatalogueStars(*(np.concatenate(column) for column in zip(*pieces, strict=True)))
        return brightest_within(near, ra_deg, dec_deg, radius_deg, limit)

    def numbers_near(self, ra_deg: float, dec_deg: float, radius_deg: float) -> NDArray[np.int64]:
        """Return which stars lie in the cells that the cone reaches, in the order of the file.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Centre, ICRS degrees.
        radius_deg : float
            Greatest angle from the centre.
        """
        slices = [self._slice(*run) for run in self._runs(ra_deg, dec_deg, radius_deg)]
        return np.concatenate([np.arange(part.start, part.stop) for part in slices])

    def directions_near(
        self, ra_deg: float, dec_deg: float, radius_deg: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return (ra_deg, dec_deg) of the stars of `numbers_near`, which takes the same arguments.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Centre, ICRS degrees.
        radius_deg : float
            Greatest angle from the centre.
        """
        pieces = [self._decode(*run)[:2] for run in self._runs(ra_deg, dec_deg, radius_deg)]
        ra, dec = (np.concatenate(column) for column in zip(*pieces, strict=True))
        return ra, dec

    def _runs(self, ra_deg: float, dec_deg: float, radius_deg: float) -> list[tuple[int, int, int]]:
        """Return (ring, begin, end) of the runs of cells that the cone reaches."""
        height = 180.0 / RINGS
        lowest = max(int((dec_deg - radius_deg + 90.0) / height), 0)
        highest = min(int((dec_deg + radius_deg + 90.0) / height), RINGS - 1)
        half_width = half_width_deg(dec_deg, radius_deg)
        return [
            (ring, begin, end)
            for ring in range(lowest, highest + 1)
            for begin, end in self._cell_runs(ring, ra_deg % 360.0, half_width)
        ]

    def _slice(self, ring: int, begin: int, end: int) -> slice:
        """Return the stars of a run of cells."""
        first = int(self.first_cell[ring])
        return slice(int(self.starts[first + begin]), int(self.starts[first + end]))

    def _cell_runs(self, ring: int, ra: float, half_width: float) -> list[tuple[int, int]]:
        """Return runs (begin, end) of the ring's cells that may reach into ra +- half_width."""
        count = int(self.first_cell[ring + 1] - self.first_cell[ring])
        begin = math.floor((ra - half_width) * count / 360.0)
        end = math.floor((ra + half_width) * count / 360.0) + 1
        if end - begin >= count:
            return [(0, count)]
        if begin < 0:
            return [(0, end), (begin + count, count)]
        if end > count:
            return [(0, end - count), (begin, count)]
        return [(begin, end)]

    def _decode(
        self, ring: int, begin: int, end: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        first, count = int(self.first_cell[ring]), int(self.first_cell[ring + 1] - self.first_cell[ring])
        bounds = np.asarray(self.starts[first + begin : first + end + 1], np.int64)
        stars = slice(int(bounds[0]), int(bounds[-1]))
        cell = np.repeat(np.arange(begin, end), np.diff(bounds))
        ra = (cell + (self.east[stars] + 0.5) / _STEPS) * (360.0 / count)
        dec = (ring + (self.north[stars] + 0.5) / _STEPS) * (180.0 / RINGS) - 90.0
        mag = (self.mag_zero + self.mag_step * self.magnitude[stars]).astype(np.float32)
        return ra, dec, mag
