"""Brightness and level of master tiles made elsewhere, solved for all of them together from their overlaps.

Gains come from starlight: what a cell of the sky holds above its own level hardly depends on the seeing.  Levels
come from the cells' medians once the gains are known.  Both are solved jointly over all pairs (so that no error adds up
along a chain of tiles), per channel, and applied whole; what the overlaps cannot know (the common factor and level) is
that of the average tile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float64s, median
from zemosaic.coadd.cutouts import CoaddPlane, cutouts_of, scale_area_ratio
from zemosaic.coadd.inputs import TileCache
from zemosaic.coadd.master_tile import MasterTile

__all__ = ["matched_inputs", "solve_differences"]

CELL_PX = 32
MIN_CELL_COVERAGE = 0.95
"""Part of a cell's pixels that must have light."""
MIN_FLUX_SIGMA = 6.0
"""A cell's starlight counts above so many times its own uncertainty."""
MIN_BRIGHT_CELLS = 8
"""Bright cells that a pair must share before its gain is believed."""
ROBUST_ITERATIONS = 4


@dataclass(frozen=True)
class _Cells:
    """One piece on the cells of one block: level, starlight and its error, (channels, cells); NaN where not full."""

    piece: int
    level: Float64s
    light: Float64s
    error: Float64s


def matched_inputs(tiles: Sequence[MasterTile], blocks: Sequence[Box], plane: CoaddPlane) -> list[MasterTile]:
    """Return the pieces with a gain and an offset per channel such that they agree where they overlap.

    Parameters
    ----------
    tiles : sequence of MasterTile
    blocks : sequence of (y0, y1, x0, x1)
        Of the canvas, in which overlaps are looked for.
    plane : CoaddPlane

    Returns
    -------
    list of MasterTile
        In the same order.
    """
    pairs = _pairs(tiles, blocks, plane)
    if not pairs:
        return list(tiles)
    channels = tiles[0].channels
    gains, offsets = np.ones((len(tiles), channels)), np.zeros((len(tiles), channels))
    for c in range(channels):
        edges, ratios, weights = [], [], []
        for (i, j), shared in pairs.items():
            ratio = _log_ratio(shared, c)
            if ratio is not None:
                edges.append((i, j))
                ratios.append(ratio[0])
                weights.append(ratio[1])
        # Light of i times the gain of i is that of j times the gain of j.
        gains[:, c] = np.exp(solve_differences(edges, np.array(ratios), np.array(weights), len(tiles)))
        edges, steps, weights = [], [], []
        for (i, j), shared in pairs.items():
            first = np.concatenate([a.level[c] for a, _ in shared]) * gains[i, c]
            second = np.concatenate([b.level[c] for _, b in shared]) * gains[j, c]
            step = (first - second)[np.isfinite(first - second)]
            if len(step):
                edges.append((i, j))
                steps.append(float(median(step)))
                weights.append(float(len(step)))
        offsets[:, c] = solve_differences(edges, np.array(steps), np.array(weights), len(tiles))
    return [
        # Levels are known on the canvas; a tile's own pixels hold another part of the sky's light.
        tile.matched(gain, offset / scale_area_ratio(plane.canvas, tile.wcs))
        for tile, gain, offset in zip(tiles, gains, offsets, strict=True)
    ]


def solve_differences(edges: Sequence[tuple[int, int]], steps: Float64s, weights: Float64s, number: int) -> Float64s:
    """Return values v, shape (number,), such that v[j] - v[i] is close to the step of each edge (i, j).

    Weighted least squares with Huber's weights against single wrong overlaps; every connected part has mean zero.

    Parameters
    ----------
    edges : sequence of (int, int)
    steps, weights : ndarray, shape (edges,)
        Differences, and how much each counts (inverse variances, but for a factor).
    number : int
        Of the values.
    """
    if not len(edges):
        return np.zeros(number)
    first, second = np.array(edges).T
    matrix = np.zeros((len(edges), number))
    matrix[np.arange(len(edges)), first] = -1.0
    matrix[np.arange(len(edges)), second] = 1.0
    robust = np.ones(len(edges))
    solution: Float64s = np.zeros(number)
    for _ in range(ROBUST_ITERATIONS):
        root = np.sqrt(weights * robust)
        # The least squares of smallest norm: zero mean in every connected part.
        solution = np.asarray(np.linalg.lstsq(matrix * root[:, None], steps * root, rcond=1e-10)[0], float)
        residual = np.abs(matrix @ solution - steps)
        typical = max(1.4826 * float(median(residual)), 1e-12)
        robust = 1.0 / np.maximum(residual / (2.0 * typical), 1.0)
    return solution


def _pairs(
    tiles: Sequence[MasterTile], blocks: Sequence[Box], plane: CoaddPlane
) -> dict[tuple[int, int], list[tuple[_Cells, _Cells]]]:
    """Return for each pair of pieces the cells in which both have light, block by block."""
    cache = TileCache()
    pairs: dict[tuple[int, int], list[tuple[_Cells, _Cells]]] = {}
    for block in blocks:
        cells = []
        for number, tile in enumerate(tiles):
            parts = cutouts_of(block, [tile], plane, cache)
            if parts:
                cells.append(_cells(number, parts[0].value))
        for k, first in enumerate(cells):
            for second in cells[k + 1 :]:
                if (np.isfinite(first.level) & np.isfinite(second.level)).any():
                    pairs.setdefault((first.piece, second.piece), []).append((first, second))
    return pairs


def _cells(piece: int, value: NDArray[np.float32]) -> _Cells:
    channels, height, width = value.shape
    rows, columns = -(-height // CELL_PX), -(-width // CELL_PX)
    padded = np.full((channels, rows * CELL_PX, columns * CELL_PX), np.nan, np.float32)
    padded[:, :height, :width] = value
    cut = padded.reshape(channels, rows, CELL_PX, columns, CELL_PX).transpose(0, 1, 3, 2, 4)
    cut = cut.reshape(channels, rows * columns, CELL_PX * CELL_PX)
    full = np.isfinite(cut).mean(axis=2) >= MIN_CELL_COVERAGE
    shape = cut.shape[:2]
    level, flux, error = (np.full(shape, np.nan) for _ in range(3))
    if full.any():
        samples = cut[full].astype(float)
        middle = np.nanmedian(samples, axis=1)
        spread = 1.4826 * np.nanmedian(np.abs(samples - middle[:, None]), axis=1)
        level[full] = middle
        flux[full] = np.nansum(samples - middle[:, None], axis=1)
        error[full] = np.maximum(spread, 1e-12) * CELL_PX
    return _Cells(piece, level, flux, error)


def _log_ratio(shared: Sequence[tuple[_Cells, _Cells]], channel: int) -> tuple[float, float] | None:
    """Return the logarithm of the light of the first piece over the second's, and its weight."""
    flux = [np.concatenate([pair[k].light[channel] for pair in shared]) for k in (0, 1)]
    error = [np.concatenate([pair[k].error[channel] for pair in shared]) for k in (0, 1)]
    with np.errstate(invalid="ignore"):
        bright = (flux[0] > MIN_FLUX_SIGMA * error[0]) & (flux[1] > MIN_FLUX_SIGMA * error[1])
    if bright.sum() < MIN_BRIGHT_CELLS:
        return None
    ratio = np.log(flux[0][bright] / flux[1][bright])
    return float(median(ratio)), float(bright.sum())
