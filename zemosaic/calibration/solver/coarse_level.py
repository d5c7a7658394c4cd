"""The coarse level of a joint least-squares problem: the sky of frames that look at the same place, as one.

Frames of one pointing see the same items, whose values are free, so that a sky common to all of them hardly changes
the residuals: only the neighbouring pointings hold it.  Conjugate gradients with one block per frame find such skies
last, in a number of steps that grows with the mosaic.  Here the frames are taken together by the items that they
share.  The terms of one frame of each such cluster, written as functions of the items and fitted by the terms of its
other frames, span the coarse problem, together with all shared terms; it is small and is solved exactly
(aggregation; Vanek, Mandel & Brezina 1996, Computing 56, 179; the common functions are its near-null space).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import coo_array, csr_array

from zemosaic.arrays import Float64s, Indices

__all__ = ["CoarseLevel", "Observations", "clusters_of", "coarse_level"]

MIN_COMMON_PARTS = (0.5, 0.2, 0.05)
"""A frame belongs to a cluster if it shares this part of its items with the cluster's first frame; the first of these
that leads to few enough clusters counts."""
MAX_CLUSTERS = 1200
"""With more clusters the coarse problem would take longer than what it saves; it is left away then."""
RIDGE = 1e-9
"""Part of a frame's own equations that holds terms which the common items do not tell."""
JITTER = 1e-10
"""Part of the diagonal that keeps the factors of the coarse matrix real."""


@dataclass(frozen=True)
class Observations:
    """The observations of a joint problem, as `zemosaic.calibration.least_squares.JointProblem` has them."""

    item: NDArray[np.int64]
    frame: NDArray[np.int64]
    group: NDArray[np.int64]
    factor: Float64s
    weight: Float64s
    basis: Float64s
    """Of the frame terms, shape (n, terms)."""
    shared_basis: NDArray[np.floating]
    """Shape (n, shared terms)."""
    n_items: int
    n_frames: int
    frame_precision: Float64s
    """Shape (n_frames, terms)."""
    shared_precision: Float64s
    """Shape (groups, shared terms)."""


@dataclass(frozen=True)
class CoarseLevel:
    """The exact inverse of the coarse problem."""

    cluster: Indices
    """Of each frame; -1 for frames that are left out."""
    spread: Float64s
    """How the terms of a cluster become those of a frame, shape (n_frames, terms, terms)."""
    factor: tuple[Float64s, bool]
    """Cholesky factor of the coarse matrix."""

    def apply(self, frames: Float64s, shared: Float64s) -> tuple[Float64s, Float64s]:
        """Return the coarse correction of frame and shared terms.

        Parameters
        ----------
        frames : ndarray, shape (n_frames, terms)
            Residual of the frames' equations.
        shared : ndarray, shape (groups, shared terms)
            Residual of the shared terms' equations.

        Returns
        -------
        tuple of ndarray
            Of the same shapes.
        """
        inside = self.cluster >= 0
        terms = frames.shape[1]
        right = np.zeros((int(self.cluster.max(initial=-1)) + 1, terms))
        np.add.at(right, self.cluster[inside], np.einsum("ftc,ft->fc", self.spread[inside], frames[inside]))
        solution = cho_solve(self.factor, np.concatenate([right.ravel(), shared.ravel()]), check_finite=False)
        out = np.zeros_like(frames)
        common = solution[: right.size].reshape(right.shape)
        out[inside] = np.einsum("ftc,fc->ft", self.spread[inside], common[self.cluster[inside]])
        return out, solution[right.size :].reshape(shared.shape)


def clusters_of(
    item: NDArray[np.int64],
    frame: NDArray[np.int64],
    chosen: NDArray[np.bool_],
    min_common_part: float = MIN_COMMON_PARTS[0],
) -> tuple[Indices, Indices]:
    """Return the cluster of each frame and the first frame of each cluster, by the items that frames share.

    Parameters
    ----------
    item, frame : ndarray of int, shape (n,)
        Of the observations.
    chosen : ndarray of bool, shape (n_frames,)
        Frames that are to belong to a cluster.
    min_common_part : float
        Part of its items that a frame shares with the first one of its cluster.

    Returns
    -------
    cluster : ndarray of int, shape (n_frames,)
        -1 for frames that were not chosen or have no observation.
    first : ndarray of int, shape (clusters,)
    """
    ones = np.ones(len(item), np.int32)
    by_frame = csr_array((ones, (frame, item)), shape=(len(chosen), int(item.max(initial=0)) + 1))
    by_item = by_frame.tocsc()
    number = np.diff(by_frame.indptr)
    cluster = np.full(len(chosen), -1, np.intp)
    first: list[int] = []
    # Frames that see most come first, so that few clusters hold all.
    for k in np.argsort(-number, kind="stable"):
        if not chosen[k] or cluster[k] >= 0 or number[k] == 0:
            continue
        seen = by_frame.indices[by_frame.indptr[k] : by_frame.indptr[k + 1]]
        partners = np.concatenate([by_item.indices[by_item.indptr[i] : by_item.indptr[i + 1]] for i in seen])
        common = np.bincount(partners, minlength=len(chosen))
        joins = chosen & (cluster < 0) & (common >= min_common_part * number) & (number > 0)
        cluster[joins] = len(first)
        cluster[k] = len(first)
        first.append(int(k))
    return cluster, np.array(first, np.intp)


def coarse_level(observations: Observations, chosen: NDArray[np.bool_]) -> CoarseLevel | None:
    """Return the coarse level of some frames and all shared terms; None where it would be too large.

    Parameters
    ----------
    observations : Observations
    chosen : ndarray of bool, shape (n_frames,)
        Frames to which it applies.
    """
    for part in MIN_COMMON_PARTS:
        cluster, first = clusters_of(observations.item, observations.frame, chosen, part)
        if len(first) <= MAX_CLUSTERS:
            break
    if not 0 < len(first) <= MAX_CLUSTERS:
        return None
    spread = _spread(observations, cluster, first)
    matrix = _coarse_matrix(observations, cluster, len(first), spread)
    diagonal = np.diag_indices_from(matrix)
    matrix[diagonal] = matrix[diagonal] * (1.0 + JITTER) + 1e-12
    return CoarseLevel(cluster, spread, cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False))


def _spread(o: Observations, cluster: Indices, first: Indices) -> Float64s:
    """Return the terms by which each frame fits the functions that its cluster's first frame makes on the items."""
    terms = o.basis.shape[1]
    function = np.zeros((len(o.item), terms))
    order = np.argsort(cluster[o.frame], kind="stable")
    edges = np.searchsorted(cluster[o.frame][order], np.arange(len(first) + 1))
    on_items, is_known = np.zeros((o.n_items, terms)), np.zeros(o.n_items, bool)
    common = np.zeros(len(o.item), bool)
    for k, frame in enumerate(first):
        members = order[edges[k] : edges[k + 1]]
        own = members[o.frame[members] == frame]
        own = own[o.factor[own] != 0]
        on_items[o.item[own]] = o.basis[own] / o.factor[own, None]
        is_known[o.item[own]] = True
        function[members] = on_items[o.item[members]] * o.factor[members, None]
        common[members] = is_known[o.item[members]]
        is_known[o.item[own]] = False
    heavy = o.weight * common
    whole = _products(o.frame, o.weight, o.basis, o.basis, o.n_frames)
    normal = _products(o.frame, heavy, o.basis, o.basis, o.n_frames)
    right = _products(o.frame, heavy, o.basis, function, o.n_frames)
    scale = np.maximum(np.einsum("ftt->ft", whole), 1e-30)
    normal[:, range(terms), range(terms)] += RIDGE * scale
    spread = np.asarray(np.linalg.solve(normal, right), np.float64)
    spread[cluster < 0] = 0.0
    spread[first] = np.eye(terms)
    return spread


@njit(cache=True, error_model="numpy", nogil=True)
def _products(index, weight, a, b, number):  # type: ignore[no-untyped-def]
    """Return the sums of weighted products of two bases per index, shape (number, terms of a, terms of b)."""
    out = np.zeros((number, a.shape[1], b.shape[1]))
    for o in range(index.size):
        for s in range(a.shape[1]):
            heavy = weight[o] * a[o, s]
            for t in range(b.shape[1]):
                out[index[o], s, t] += heavy * b[o, t]
    return out


def _coarse_matrix(o: Observations, cluster: Indices, n_clusters: int, spread: Float64s) -> Float64s:
    """Return the normal matrix of the coarse unknowns with the items eliminated."""
    terms, extra, groups = o.basis.shape[1], o.shared_basis.shape[1], len(o.shared_precision)
    size = n_clusters * terms + groups * extra
    inside = cluster[o.frame] >= 0
    basis = np.einsum("ot,otc->oc", o.basis, spread[o.frame])
    of_cluster = np.where(inside, cluster[o.frame], 0)
    matrix = np.zeros((size, size))
    last = n_clusters * terms
    _add_diagonal(matrix, 0, _products(of_cluster, o.weight, basis, basis, n_clusters))
    _add_diagonal(matrix, last, _products(o.group, o.weight, o.shared_basis, o.shared_basis, groups))
    pair = of_cluster * groups + o.group
    mixed = _products(pair, o.weight, basis, o.shared_basis, n_clusters * groups)
    for place, block in enumerate(mixed):
        k, g = divmod(place, groups)
        rows, columns = slice(k * terms, (k + 1) * terms), slice(last + g * extra, last + (g + 1) * extra)
        matrix[rows, columns] += block
        matrix[columns, rows] += block.T
    heavy = o.weight * o.factor
    sums = _sums_of_items(o, (of_cluster, basis), (o.group, o.shared_basis), heavy, size)
    norm = np.bincount(o.item, heavy * o.factor, o.n_items)
    scaled = sums.multiply((np.where(norm > 0, 1.0 / np.where(norm > 0, norm, 1.0), 0.0))[:, None]).tocsr()
    matrix -= (sums.T @ scaled).toarray()
    prior = np.einsum("ftc,ft,ftd->fcd", spread, o.frame_precision, spread)
    frames = np.flatnonzero(cluster >= 0)
    blocks = np.zeros((n_clusters, terms, terms))
    np.add.at(blocks, cluster[frames], prior[frames])
    _add_diagonal(matrix, 0, blocks)
    shared = np.arange(last, size)
    matrix[shared, shared] += o.shared_precision.ravel()
    return matrix


def _add_diagonal(matrix: Float64s, start: int, blocks: Float64s) -> None:
    """Add blocks along the diagonal, from a row on."""
    side = blocks.shape[1]
    for k, block in enumerate(blocks):
        place = slice(start + k * side, start + (k + 1) * side)
        matrix[place, place] += block


def _sums_of_items(
    o: Observations,
    clusters: tuple[NDArray[np.int64], Float64s],
    groups: tuple[NDArray[np.int64], NDArray[np.floating]],
    heavy: Float64s,
    size: int,
) -> csr_array:
    """Return the weighted sums of the coarse bases over each item's observations, shape (items, coarse unknowns)."""
    rows, columns, values = [], [], []
    start = 0
    for of, basis in (clusters, groups):
        number, terms = int(of.max(initial=-1)) + 1, basis.shape[1]
        if not terms:
            continue
        keys, place = np.unique(o.item * number + of, return_inverse=True)
        item, index = np.divmod(keys, number)
        sums = _products(place.ravel(), heavy, np.ones((len(place), 1)), basis, len(keys))
        rows.append(np.repeat(item, terms))
        columns.append((start + index[:, None] * terms + np.arange(terms)).ravel())
        values.append(sums.ravel())
        start += number * terms
    return _sparse(values, rows, columns, (o.n_items, size))


def _sparse(
    values: Sequence[Float64s], rows: Sequence[Indices], columns: Sequence[Indices], shape: tuple[int, int]
) -> csr_array:
    return coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape).tocsr()
