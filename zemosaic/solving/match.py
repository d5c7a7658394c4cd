"""Triangle matching of two star lists whose scales agree roughly: any rotation, either parity, any shift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s

__all__ = ["Tolerance", "candidate_maps"]


_SHAPELESS = 0.98
_MIN_SIDE = 0.02
_TURN = 0.55


@dataclass(frozen=True)
class Tolerance:
    """How alike two triangles must be."""

    scale: float = 0.03
    """Relative error of the scale."""
    ratio: float = 0.006
    """Difference of the ratios of their sides."""
    vertex_px: float = 7.5
    """Distance of a vertex from its partner after the best similarity."""


@dataclass(frozen=True)
class _Triangles:
    """Vertices lie opposite the longest, the middle and the shortest side, in this order."""

    vertices: NDArray[np.intp]
    """Shape (n, 3)."""
    longest: Float64s
    """Shape (n,)."""
    ratios: Float64s
    """Middle and shortest side over the longest, shape (n, 2)."""


def candidate_maps(
    stars: Float64s,
    catalogue: Float64s,
    size_px: tuple[int, int],
    neighbours: int,
    tolerance: Tolerance,
    most: int = 25,
) -> Iterator[Float64s]:
    """Yield similarity maps from `stars` to `catalogue`, those that most triangles vote for first.

    Parameters
    ----------
    stars, catalogue : ndarray
        Shape (n, 2) and (m, 2), in units that agree within the tolerance.
    size_px : tuple of int
        Width and height of the frame of `stars`.
    neighbours : int
        Triangles are made of a star and two of this many nearest neighbours.
    tolerance : Tolerance
        How alike triangles must be.
    most : int
        Greatest number of maps.

    Yields
    ------
    ndarray
        Affine map, shape (3, 2).
    """
    shortest = _MIN_SIDE * float(np.hypot(*size_px))
    ours, theirs = _triangles(stars, neighbours, shortest), _triangles(catalogue, neighbours, shortest)
    if len(ours.longest) == 0 or len(theirs.longest) == 0:
        return
    here, there = _matching_triangles(ours, theirs, tolerance)
    a = _complex(stars)[ours.vertices[here]]
    b = _complex(catalogue)[theirs.vertices[there]]
    turns, shifts, mirrored = [], [], []
    for mirror in (False, True):
        turn, shift, off = _similarities(np.conj(a) if mirror else a, b)
        good = (np.abs(np.log(np.abs(turn))) < tolerance.scale) & (off < tolerance.vertex_px)
        turns.append(turn[good])
        shifts.append(shift[good])
        mirrored.append(np.full(int(good.sum()), mirror))
    yield from _most_voted(np.concatenate(turns), np.concatenate(shifts), np.concatenate(mirrored), size_px, most)


def _complex(points: Float64s) -> NDArray[np.complex128]:
    return points[:, 0] + 1j * points[:, 1]


def _triangles(points: Float64s, neighbours: int, shortest: float) -> _Triangles:
    """Return all triangles of a point and two of its nearest neighbours, each once, slim and regular ones left out."""
    count = len(points)
    if count < 3:
        return _Triangles(np.empty((0, 3), np.intp), np.empty(0), np.empty((0, 2)))
    nearest = cKDTree(points).query(points, k=min(neighbours + 1, count))[1][:, 1:]
    i, j = np.triu_indices(nearest.shape[1], 1)
    corners = np.stack([np.repeat(np.arange(count), len(i)), nearest[:, i].ravel(), nearest[:, j].ravel()], axis=1)
    corners = np.sort(corners, axis=1)
    _, once = np.unique((corners[:, 0] * count + corners[:, 1]) * count + corners[:, 2], return_index=True)
    corners = corners[once]
    at = _complex(points)[corners]
    sides = np.abs(np.stack([at[:, 1] - at[:, 2], at[:, 0] - at[:, 2], at[:, 0] - at[:, 1]], axis=1))
    order = np.argsort(-sides, axis=1)
    corners, sides = np.take_along_axis(corners, order, 1), np.take_along_axis(sides, order, 1)
    telling = (sides[:, 2] > shortest) & (sides[:, 1:] < _SHAPELESS * sides[:, :2]).all(axis=1)
    sides = sides[telling]
    return _Triangles(corners[telling], sides[:, 0], sides[:, 1:] / sides[:, :1])


def _matching_triangles(
    ours: _Triangles, theirs: _Triangles, tolerance: Tolerance
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of the pairs of triangles of the same shape and size."""
    stretch = tolerance.ratio / tolerance.scale
    trees = [cKDTree(np.column_stack([np.log(t.longest) * stretch, t.ratios])) for t in (ours, theirs)]
    close = trees[0].sparse_distance_matrix(trees[1], tolerance.ratio, p=np.inf, output_type="coo_matrix")
    return close.row.astype(np.intp), close.col.astype(np.intp)


def _similarities(
    a: NDArray[np.complex128], b: NDArray[np.complex128]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128], Float64s]:
    """Return turn, shift and greatest miss of the best ``b = turn * a + shift`` for points of shape (n, 3)."""
    mean_a, mean_b = a.mean(axis=1, keepdims=True), b.mean(axis=1, keepdims=True)
    centred = a - mean_a
    turn = ((b - mean_b) * np.conj(centred)).sum(axis=1) / (np.abs(centred) ** 2).sum(axis=1)
    shift = mean_b[:, 0] - turn * mean_a[:, 0]
    return turn, shift, np.abs(turn[:, None] * a + shift[:, None] - b).max(axis=1)


def _most_voted(
    turn: NDArray[np.complex128],
    shift: NDArray[np.complex128],
    mirror: NDArray[np.bool_],
    size_px: tuple[int, int],
    most: int,
) -> Iterator[Float64s]:
    """Yield the maps round which most others gather, by where they take the frame's centre and how they turn it."""
    if len(turn) == 0:
        return
    width, height = size_px
    reach = _TURN * 0.5 * float(np.hypot(width, height))
    centre = 0.5 * (width + 1j * height)
    landed = np.where(mirror, np.conj(centre), centre) * turn + shift
    place = np.column_stack([landed.real, landed.imag, reach * turn.real, reach * turn.imag, 1e7 * mirror])
    votes = cKDTree(place).query_ball_point(place, 12.0, return_length=True)
    tried = np.empty((0, 5))
    for best in np.argsort(-votes, kind="stable"):
        if len(tried) and np.abs(place[best] - tried).max(axis=1).min() < 6.0:
            continue
        tried = np.vstack([tried, place[best]])
        z, t, sign = turn[best], shift[best], -1.0 if mirror[best] else 1.0
        yield np.array([[t.real, t.imag], [z.real, z.imag], [-sign * z.imag, sign * z.real]])
        if len(tried) >= most:
            return
