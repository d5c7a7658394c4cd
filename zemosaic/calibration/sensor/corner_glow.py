"""Glow of a sensor's corners and edges, told from the sky by frames between which the sky moved.

Amplifiers and warm electronics beside a sensor add light that falls off from a corner or an edge and reaches over much
of the sensor.  What is left of it far from its origin looks like a slope or a bend of each frame's sky, so that maps
without a shape cannot tell it from the sky there.  Here the shape is given: the glow is a sum of exponentials of the
distance from corners and edges with amounts that are not negative (non-negative least squares; Lawson & Hanson 1974,
Solving Least Squares Problems), and the bright part of it tells how far it reaches.

The frames' means over cells that are fixed on the sky are explained jointly by the light of each cell, by a plane, a
transparency and a part of the glow of each frame, and by the fall of light of all of them:

``value = t N + plane + V r**2 (level + value) + constant r**2 + share G(u, v)``

The light of the cells is eliminated exactly.  The glow is believed where it explains far more than noise could, and
where two halves of the frames agree on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from zemosaic.arrays import Float32s, Float64s, median
from zemosaic.calibration.sensor.smooth_pattern import Look

__all__ = ["CornerGlow", "corner_glow"]

CELL_BLOCKS = 8
"""Side of a cell of the sky, in blocks."""
CORNER_SCALES = tuple(0.05 * 2.0 ** (k / 2) for k in range(6))
EDGE_SCALES = (0.05, 0.1)
"""Distances over which glow falls to 1/e, in heights of the sensor: wider ones would be bowls of the sky."""
TURNS, TURN_OF_LIGHT, TURN_OF_SHARES = 7, 1, 2
"""Turns of the solution, and those from which frames have a transparency and a share of the glow of their own."""
MIN_PART_OF_CELL = 0.9
"""Cells are used where a frame has so much of the free area that any frame has of it ..."""
MIN_FREE_PART = 0.25
"""... and where that is so much of the largest one."""
FALL_PRIOR, CONSTANT_PRIOR_ADU = 0.2, 40.0
"""Standard deviations expected of V, and of what a bias of which nothing is known makes of it."""
TRANSPARENCY_PRIOR, SHARE_PRIOR = 0.15, 0.12
"""Standard deviations expected of a frame's light and of its share of the glow, relative to the others'."""
SHARES = (0.5, 1.5)
HUBER = 2.0
MIN_LOG_EVIDENCE = 100.0
"""Half the fall of chi squared from which a glow is believed: some 14 standard errors, as no sky is a plane."""
TURN_OF_DOUBT, MIN_EARLY_LOG_EVIDENCE = 2, 30.0
"""After this turn less than that is no glow, and the other turns are spared."""
MIN_PEAK_SIGMA = 5.0
"""Brightest part of the glow over the largest difference between what two halves of the frames tell."""
MIN_LOOKS_OF_HALF = 3


@dataclass(frozen=True)
class _Table:
    """Means over cells of the sky; all arrays of one length."""

    frame: NDArray[np.int64]
    item: NDArray[np.int64]
    value: Float64s
    light: Float64s
    """Value and level of the frame."""
    weight: Float64s
    u: Float64s
    v: Float64s
    half_width: float
    """Of the sensor, in its heights."""

    def of(self, chosen: NDArray[np.bool_]) -> _Table:
        """Return some of the observations, their frames and cells counted anew."""
        frame, item = (np.unique(index[chosen], return_inverse=True)[1] for index in (self.frame, self.item))
        rest = (self.value[chosen], self.light[chosen], self.weight[chosen], self.u[chosen], self.v[chosen])
        return _Table(frame.astype(np.int64), item.astype(np.int64), *rest, self.half_width)


@dataclass(frozen=True)
class CornerGlow:
    """The glow of a sensor's corners and edges."""

    adu: Float32s
    """Per block at the frames' mean share, shape (rows, columns)."""
    share: Float64s
    """How much of it each frame shows, about 1, shape (frames,)."""


def corner_glow(looks: Sequence[Look], levels_adu: Float64s) -> CornerGlow | None:
    """Return the glow of corners and edges; None where there is none.

    Parameters
    ----------
    looks : sequence of Look
        All of one shape (rows, columns).
    levels_adu : ndarray, shape (looks,)
        Level of each frame, which was taken off its look.

    Returns
    -------
    CornerGlow or None
    """
    if len(looks) < 2 * MIN_LOOKS_OF_HALF:
        return None
    table = _table(looks, levels_adu)
    if not len(table.value):
        return None
    glow = _solved(table, MIN_EARLY_LOG_EVIDENCE)
    if glow.log_evidence < MIN_LOG_EVIDENCE:
        return None
    rows, columns = looks[0].value.shape
    u, v = _coordinates(rows, columns)
    terms = _terms(u.ravel(), v.ravel(), table.half_width)
    halves = [_solved(table.of(table.frame % 2 == k)).amounts for k in range(2)]
    seen, apart = terms @ glow.amounts, terms @ np.subtract(*halves)
    if seen.max() < MIN_PEAK_SIGMA * 0.5 * np.abs(apart).max():
        return None
    return CornerGlow(np.asarray(seen.reshape(rows, columns), np.float32), glow.share)


def _coordinates(rows: int, columns: int) -> tuple[Float64s, Float64s]:
    """Return the places of blocks from the middle of the sensor, in its heights."""
    v, u = np.mgrid[0:rows, 0:columns] + 0.5
    return (u - 0.5 * columns) / rows, (v - 0.5 * rows) / rows


def _terms(u: Float64s, v: Float64s, half_width: float) -> Float64s:
    """Return the exponentials at places of the sensor, shape (n, terms)."""
    corners = [np.hypot(u - x, v - y) for x in (-half_width, half_width) for y in (-0.5, 0.5)]
    edges = [u + half_width, half_width - u, v + 0.5, 0.5 - v]
    pairs = [(corners, CORNER_SCALES), (edges, EDGE_SCALES)]
    return np.stack([np.exp(-far / scale) for places, scales in pairs for far in places for scale in scales], axis=1)


def _table(looks: Sequence[Look], levels_adu: Float64s) -> _Table:
    """Return the means over the cells that at least two frames have as a whole."""
    rows, columns = looks[0].value.shape
    u, v = (part.ravel() for part in _coordinates(rows, columns))
    row, column = (part.ravel() for part in np.mgrid[0:rows, 0:columns])
    parts, cells = [], []
    for k, look in enumerate(looks):
        x, y = (np.floor((way @ np.stack([column, row, np.ones_like(row)]) + 0.5) / CELL_BLOCKS) for way in look.to_sky)
        number = (y - y.min()).astype(np.int64) * int(np.ptp(x) + 1) + (x - x.min()).astype(np.int64)
        weight = look.weight.ravel().astype(np.float64)
        total = np.bincount(number, weight)
        used = np.flatnonzero(total > 1e-3)
        sums = [np.bincount(number, weight * part)[used] / total[used] for part in (look.value.ravel(), u, v)]
        parts.append(np.stack([np.full(len(used), k), total[used], *sums], axis=1))
        width = int(np.ptp(x) + 1)
        cells.append(np.stack([used // width + y.min(), used % width + x.min()], axis=1))
    _, item = np.unique(np.concatenate(cells), axis=0, return_inverse=True)
    item = item.ravel()
    frame, area, value, at_u, at_v = np.concatenate(parts).T
    largest = np.zeros(int(item.max(initial=-1)) + 1)
    np.maximum.at(largest, item, area)
    whole = (area >= MIN_PART_OF_CELL * largest[item]) & (largest[item] >= MIN_FREE_PART * largest.max(initial=0.0))
    whole &= np.bincount(item[whole], minlength=len(largest))[item] >= 2
    frames = frame.astype(np.int64)
    light = value + levels_adu[frames]
    weight = area / max(float(area.max(initial=0.0)), 1e-12)
    return _Table(frames, item, value, light, weight, at_u, at_v, 0.5 * columns / rows).of(whole)


@dataclass(frozen=True)
class _State:
    """What is known after a turn: per frame, and of each observation."""

    weight: Float64s
    """Inverse variance of each observation."""
    transparency: Float64s
    share: Float64s
    light: Float64s
    """Of each cell."""
    glow: Float64s
    """At each observation."""
    amounts: Float64s
    """Of the terms, in ADU."""
    log_evidence: float = 0.0
    """Half of what they take off chi squared."""


def _solved(table: _Table, least_early: float = 0.0) -> _State:
    """Return the glow that explains the means best; not to the end where it explains less than that early."""
    frames, items = int(table.frame.max()) + 1, int(table.item.max()) + 1
    terms = _terms(table.u, table.v, table.half_width)
    none = np.zeros(len(table.value))
    state = _State(table.weight, np.ones(frames), np.ones(frames), np.zeros(items), none, np.zeros(terms.shape[1]))
    for turn in range(TURNS):
        state = _turn(table, terms, state, turn)
        if turn == TURN_OF_DOUBT and state.log_evidence < least_early:
            break
    return state


def _turn(table: _Table, terms: Float64s, state: _State, turn: int) -> _State:
    """Return the state after one more solution."""
    nuisance, precision = _nuisance(table, state, turn)
    shown = terms * state.share[table.frame, None]
    columns = hstack([nuisance, csr_matrix(np.column_stack([shown, table.value]))], format="csr")
    factor = state.transparency[table.frame]
    weighted = state.weight * factor
    norm = np.maximum(np.bincount(table.item, weighted * factor, len(state.light)), 1e-300)
    to_items = csr_matrix((weighted, (table.item, np.arange(len(weighted)))), shape=(len(norm), len(weighted)))
    of_items = (to_items @ columns).toarray()
    normal = (columns.T @ columns.multiply(state.weight[:, None])).toarray() - of_items.T @ (of_items / norm[:, None])
    n, number = nuisance.shape[1], terms.shape[1]
    normal[range(n), range(n)] += precision
    answer = np.linalg.solve(normal[:n, :n], normal[:n, n:])
    reduced = normal[n:, n:] - normal[n:, :n] @ answer
    information, moment = reduced[:number, :number], reduced[:number, number]
    amounts = _least_squares(information, moment)
    nuisances = answer[:, number] - answer[:, :number] @ amounts
    left = table.value - nuisance @ nuisances - shown @ amounts
    light = np.bincount(table.item, weighted * left, len(norm)) / norm
    frames = len(state.share)
    extra = nuisances[3 * frames + 2 :].reshape(-1, frames)
    transparency, share = state.transparency, state.share
    if len(extra) > 0:
        transparency = transparency + extra[0]
        transparency = transparency / float(median(transparency))
    if len(extra) > 1:
        share = np.clip(share + extra[1], *SHARES)
        share = share / share.mean()
    weight = _weights(table, left - factor * light[table.item], frames)
    taken_off = float(moment @ amounts - 0.5 * amounts @ information @ amounts)
    return _State(weight, transparency, share, light, terms @ amounts, amounts, taken_off)


def _least_squares(information: Float64s, moment: Float64s) -> Float64s:
    """Return the amounts, none of them negative, that fit best; what nothing is known of is 0."""
    from scipy.optimize import nnls  # slow to import, and not every run comes here

    values, vectors = np.linalg.eigh(information)
    known = values > 1e-9 * max(float(values.max()), 1e-300)
    root = np.sqrt(values[known])
    amounts, _ = nnls(root[:, None] * vectors[:, known].T, vectors[:, known].T @ moment / root)
    return np.asarray(amounts, np.float64)


def _weights(table: _Table, residual: Float64s, frames: int) -> Float64s:
    """Return inverse variances by each frame's own scatter, less for outliers (Huber 1964)."""
    scaled = np.abs(residual) * np.sqrt(table.weight)
    sigma = np.array([1.4826 * float(median(scaled[table.frame == k])) for k in range(frames)])
    scaled = scaled / np.maximum(sigma, 1e-9)[table.frame]
    weight = table.weight / np.maximum(sigma, 1e-9)[table.frame] ** 2
    return np.asarray(weight * np.minimum(1.0, HUBER / np.maximum(scaled, 1e-9)), np.float64)


def _nuisance(table: _Table, state: _State, turn: int) -> tuple[csr_matrix, Float64s]:
    """Return the terms beside the glow, and the inverse variances expected of them."""
    frames, n = len(state.share), len(table.value)
    r2 = table.u**2 + table.v**2

    def per_frame(values: Float64s) -> csr_matrix:
        return csr_matrix((values, (np.arange(n), table.frame)), shape=(n, frames))

    parts = [per_frame(np.ones(n)), per_frame(table.u), per_frame(table.v)]
    parts.append(csr_matrix(np.column_stack([r2 * table.light, r2])))
    precision = [np.full(3 * frames, 1e-8), np.array([FALL_PRIOR**-2, CONSTANT_PRIOR_ADU**-2])]
    if turn >= TURN_OF_LIGHT:
        parts.append(per_frame(state.light[table.item]))
        precision.append(np.full(frames, TRANSPARENCY_PRIOR**-2))
    if turn >= TURN_OF_SHARES and state.glow.any():
        parts.append(per_frame(state.glow))
        precision.append(np.full(frames, SHARE_PRIOR**-2))
    return hstack(parts, format="csr"), np.concatenate(precision)
