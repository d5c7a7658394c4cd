"""Shapes of neighbouring bright stars over the whole sky: where is a picture of which nobody knows where it is?

The sky is cut into cells of several sizes, the brightest star of each cell is kept, and every such star makes
quads with its nearest neighbours.  Seen from the widest pair of a quad, put at 0 and 1 of the complex plane, the
other two stars lie at z and w; these four numbers, which shift, turn and scale leave alone, are the quad's code.
Quads are sorted by their code's coarse part, so that a code is looked up by bisection.

The index is made once from the bundled catalogue and kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s, Indices
from zemosaic.atomic import atomic_file
from zemosaic.catalogue.base import CatalogueStars
from zemosaic.catalogue.sky_cells import CellCatalogue
from zemosaic.wcs import unit_vectors

__all__ = ["QuadIndex", "Quads", "build_quads", "cache_folder", "load_quads", "quads_of"]


_MAGIC = b"ZeMosaic quads 2"
_FILE = "quads_2.bin"
_HEAD = 40
_CELLS_DEG = (0.17, 0.25, 0.4, 0.65, 1.0, 1.7, 2.8)
"""Heights of the cells: fields of 0.5 to 8 degrees hold quads of one size or another."""
_QUARTETS = ([0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 3, 4], [0, 2, 3, 4])
"""Quads of a star (0) and its neighbours in the order of distance."""
_FEWER_FROM = 600_000
"""Stars of a level from which on half of the quartets must do."""
_CHUNK = 30_000
_BINS = 80
"""Coarse bins per unit of a code's numbers."""
_BASE = 256
_MIXERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
_OFFSET = np.array([0.5, 1.0, 0.5, 1.0])
"""Makes all numbers of a code positive."""


@dataclass(frozen=True)
class Quads:
    """Quads with their codes, canonically ordered; the first two stars are the widest pair."""

    corners: Indices
    """Numbers of the stars, shape (n, 4)."""
    codes: Float64s
    """Shape (n, 4)."""
    width: Float64s
    """Distance of the widest pair in the units of the points, shape (n,)."""


def quads_of(at: NDArray[np.complex128], corners: Indices) -> Quads:
    """Return the quads of points in canonical order.

    Parameters
    ----------
    at : ndarray
        Places of the quads' corners in a plane, shape (n, 4).
    corners : ndarray
        Numbers of the corners, shape (n, 4).
    """
    pairs = np.array(list(combinations(range(4), 2)))
    sides = at[:, pairs[:, 0]] - at[:, pairs[:, 1]]
    widest = np.argmax(sides.real**2 + sides.imag**2, axis=1)
    # The rest of pair k in this order is pair 5 - k.
    order = np.column_stack([pairs[widest], pairs[5 - widest]])
    at, corners = np.take_along_axis(at, order, 1), np.take_along_axis(corners, order, 1)
    base = at[:, 1] - at[:, 0]
    z, w = (at[:, 2] - at[:, 0]) / base, (at[:, 3] - at[:, 0]) / base
    turned = z.real + w.real > 1.0
    z, w = np.where(turned, 1.0 - z, z), np.where(turned, 1.0 - w, w)
    corners[turned] = corners[turned][:, [1, 0, 2, 3]]
    swapped = z.real > w.real
    z, w = np.where(swapped, w, z), np.where(swapped, z, w)
    corners[swapped] = corners[swapped][:, [0, 1, 3, 2]]
    codes = np.column_stack([z.real, z.imag, w.real, w.imag])
    return Quads(corners, codes, np.abs(base))


@dataclass(frozen=True)
class QuadIndex:
    """Quads of the whole sky, sorted by the coarse part of their code."""

    key: NDArray[np.uint32]
    """Coarse codes, ascending, shape (n,)."""
    corners: NDArray[np.uint32]
    """Numbers of the quads' stars in canonical order, shape (n, 4)."""
    stars: Float64s
    """Unit vectors of the stars, shape (m, 3)."""

    def __len__(self) -> int:
        return len(self.key)

    def alike(self, quads: Quads, tolerance: Float64s, stretch: float) -> tuple[Indices, Indices]:
        """Return the places of queries and of the index's quads that are alike, the most alike first.

        Parameters
        ----------
        quads : Quads
            Queries, with widths in degrees.
        tolerance : ndarray
            Greatest difference of each number of a query's code, below half a coarse bin, shape (queries,).
        stretch : float
            Greatest relative difference of the widths.
        """
        index, low, high = (
            np.floor((quads.codes + _OFFSET + sign * tolerance[:, None]) * _BINS) for sign in (0.0, -1.0, 1.0)
        )
        neighbour = np.where(low < index, low, high)
        needed = neighbour != index
        matches = []
        for step in product((False, True), repeat=4):
            which = np.flatnonzero((needed | ~np.array(step)).all(axis=1))
            keys = _packed(np.where(step, neighbour[which], index[which]))
            first, last = np.searchsorted(self.key, keys), np.searchsorted(self.key, keys, "right")
            count = last - first
            within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
            matches.append(np.stack([np.repeat(which, count), np.repeat(first, count) + within]))
        query, there = np.concatenate(matches, axis=1)
        known = _projected(self.stars.T, self.corners[there].astype(np.intp))
        off = np.abs(known.codes - quads.codes[query]).max(axis=1) / tolerance[query]
        off[np.abs(known.width / quads.width[query] - 1.0) > stretch] = np.inf
        order = np.argsort(off, kind="stable")
        order = order[: np.searchsorted(off[order], 1.0)]
        return query[order], there[order]


def _packed(codes: Float64s) -> NDArray[np.uint32]:
    """Return one number for the bins of a code, shape (n, 4)."""
    a, b, c, d = codes.astype(np.int64).T
    packed: NDArray[np.uint32] = (((a * _BASE + b) * _BASE + c) * _BASE + d).astype(np.uint32)
    return packed


def build_quads(catalogue: CellCatalogue) -> QuadIndex:
    """Return the index of a catalogue; takes some seconds."""
    stars = catalogue.all_stars()
    vectors = unit_vectors(stars.ra_deg, stars.dec_deg)
    levels = [np.arange(len(stars))]
    for cell in _CELLS_DEG:
        levels.append(levels[-1][_brightest_per_cell(stars[levels[-1]], cell)])
    near = _unique(np.concatenate([_neighbourhoods(vectors, level) for level in levels[1:]]))
    keys, corners = [], []
    columns = np.ascontiguousarray(vectors.T, np.float32)  # a thousandth of a coarse bin
    for start in range(0, len(near), _CHUNK):
        quads = _projected(columns, near[start : start + _CHUNK])
        keys.append(_packed(np.floor((quads.codes + _OFFSET) * _BINS)))
        corners.append(quads.corners.astype(np.uint32))
    key = np.concatenate(keys)
    order = _order(key.astype(np.uint64) << np.uint64(32), len(key).bit_length())
    return QuadIndex(key[order], np.concatenate(corners)[order], vectors)


def _order(values: NDArray[np.uint64], spare_bits: int) -> Indices:
    """Return the places of values in ascending order; their `spare_bits` lowest bits do not count and get lost."""
    low = np.uint64((1 << spare_bits) - 1)
    values &= ~low
    values |= np.arange(len(values), dtype=np.uint64)
    values.sort()
    return (values & low).astype(np.intp)


def _brightest_per_cell(stars: CatalogueStars, cell_deg: float) -> Indices:
    """Return the numbers of the stars that are the brightest of their cells, ascending."""
    ring = np.floor((stars.dec_deg + 90.0) / cell_deg)
    per_degree = np.cos(np.radians((ring + 0.5) * cell_deg - 90.0)) / cell_deg
    cell = ring.astype(np.int64) * 4096 + np.floor(stars.ra_deg * np.maximum(per_degree, 0.0)).astype(np.int64)
    order = np.lexsort((stars.mag, cell))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(cell[order]) != 0
    return np.sort(order[first])


def _neighbourhoods(vectors: Float64s, level: Indices) -> Indices:
    """Return the quads of each star of a level with three of its nearest neighbours, shape (n, 4), ascending."""
    near = cKDTree(vectors[level]).query(vectors[level], k=5, workers=-1)[1]
    quartets = _QUARTETS if len(level) < _FEWER_FROM else _QUARTETS[:2]
    return np.sort(level[np.concatenate([near[:, four] for four in quartets])], axis=1)


def _unique(corners: Indices) -> Indices:
    """Return each quad once."""
    a, b, c, d = corners.astype(np.uint64).T
    mixed = (((a * _MIXERS[0] + b) * _MIXERS[1] + c) * _MIXERS[2] + d) * _MIXERS[0]
    corners = corners[_order(mixed, len(corners).bit_length())]
    first = np.ones(len(corners), bool)
    first[1:] = (np.diff(corners, axis=0) != 0).any(axis=1)
    return corners[first]


def _projected(columns: NDArray[np.floating[Any]], corners: Indices) -> Quads:
    """Return quads of the sky, widths in degrees, each projected onto a plane of its own.

    Parameters
    ----------
    columns : ndarray
        The stars' unit vectors, shape (3, m).
    corners : ndarray
        Numbers of the quads' stars, shape (n, 4).
    """
    x, y, z = (column[corners] for column in columns)
    a, b, c = (part.sum(axis=1, keepdims=True) for part in (x, y, z))
    flat = np.maximum(np.hypot(a, b), 1e-9)
    length = np.hypot(flat, c)
    east = (a * y - b * x) / flat
    outward = (a * x + b * y) / flat
    depth = (flat * outward + c * z) / length
    north = (flat * z - c * outward) / length
    plane = np.degrees(east / depth) + 1j * np.degrees(north / depth)
    return quads_of(plane, corners)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return where files that can be made again are kept; ``ZEMOSAIC_CACHE_DIR`` comes first."""
    named = environ.get("ZEMOSAIC_CACHE_DIR")
    return Path(named) if named else Path(platformdirs.user_cache_dir("zemosaic", appauthor=False))


def load_quads(catalogue: CellCatalogue, folder: Path) -> QuadIndex:
    """Return the catalogue's index from the cache folder, made and kept there where it is missing or broken.

    A folder that cannot be written costs the time to make the index again, nothing else.

    Parameters
    ----------
    catalogue : CellCatalogue
    folder : Path
        Of the cache.

    Returns
    -------
    QuadIndex
    """
    path = folder / _FILE
    quads = _read(path, catalogue)
    if quads is None:
        quads = build_quads(catalogue)
        with contextlib.suppress(OSError):
            _write(path, quads)
    return quads


def _write(path: Path, index: QuadIndex) -> None:
    """Write the index beside its place and move it there: nobody ever reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    key, corners = np.ascontiguousarray(index.key, "<u4"), np.ascontiguousarray(index.corners, "<u4")
    head = np.array([len(index.stars), len(key), zlib.crc32(corners.data, zlib.crc32(key.data))], "<u8")
    with atomic_file(path) as stream:
        stream.writelines([_MAGIC, head.tobytes(), key.data, corners.data])


def _read(path: Path, catalogue: CellCatalogue) -> QuadIndex | None:
    """Return the index of a file, None where it is missing, damaged or of another catalogue."""
    try:
        raw = np.fromfile(path, np.uint8)
    except OSError:
        return None
    if len(raw) < _HEAD or raw[:16].tobytes() != _MAGIC:
        return None
    of_stars, count, checksum = (int(value) for value in raw[16:_HEAD].view("<u8"))
    body = raw[_HEAD:]
    if of_stars != len(catalogue) or len(body) != 20 * count or zlib.crc32(body.data) != checksum:
        return None
    stars = catalogue.all_stars()
    vectors = unit_vectors(stars.ra_deg, stars.dec_deg)
    return QuadIndex(body[: 4 * count].view("<u4"), body[4 * count :].view("<u4").reshape(-1, 4), vectors)
