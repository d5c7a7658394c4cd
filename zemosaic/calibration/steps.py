"""How far each frame is from the others along its four edges, as taken and as calibrated: the seams to be.

Where a frame ends, the mosaic steps by what the frame differs from the others there, over their number.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.cells import CellSamples
from zemosaic.calibration.sky import COMPLETE, SkySolution
from zemosaic.model import EdgeSteps, MeasuredFrame, sky_level

__all__ = ["edge_steps"]

Floats = NDArray[np.float64]

FEWEST_CELLS = 5
"""Of an edge that are seen by other frames too."""
REACH_CELLS = 1.6
"""Cells whose middle is this near, in sides of a cell, lie along the edge."""


def edge_steps(
    measured: Sequence[MeasuredFrame],
    cells: Sequence[CellSamples],
    sky: SkySolution,
    groups: NDArray[np.int64],
    cell_px: float,
) -> list[EdgeSteps]:
    """Return each frame's steps against the mean of the others.

    Before: every frame less its own median sky, as where nothing is solved jointly.

    Parameters
    ----------
    measured : sequence of MeasuredFrame
    cells : sequence of CellSamples
        One per frame.
    sky : SkySolution
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    cell_px : float
        Side of a cell in pixels of a frame.
    """
    source = np.repeat(np.arange(len(cells)), [len(one.row) for one in cells])
    row = np.concatenate([one.row for one in cells]).astype(np.int64)
    column = np.concatenate([one.column for one in cells]).astype(np.int64)
    _, cell = np.unique(np.stack([row, column], axis=1), axis=0, return_inverse=True)
    cell = cell.ravel()
    count = np.concatenate([one.count for one in cells]).astype(float)
    best = np.zeros(int(cell.max(initial=-1)) + 1)
    np.maximum.at(best, cell, count)
    complete = count >= COMPLETE * best[cell]
    before = np.concatenate([one.mean_adu - np.array(m.sky_adu) for one, m in zip(cells, measured, strict=True)])
    after = np.concatenate([_calibrated(one, sky, k, groups[k]) for k, one in enumerate(cells)])
    apart = [_from_others(values, cell, complete) for values in (before, after)]
    steps = []
    for k, (one, frame) in enumerate(zip(cells, measured, strict=True)):
        own = source == k
        noise = np.array(frame.noise_adu)
        steps.append(
            EdgeSteps(
                before=_along_edges(apart[0][own] / noise, one, frame, cell_px),
                after=_along_edges(apart[1][own] * sky.transparency[k] / noise, one, frame, cell_px),
            )
        )
    return steps


def _calibrated(cells: CellSamples, sky: SkySolution, frame: int, group: int) -> Floats:
    """Return the cells' means in mosaic units, shape (cells, channels)."""
    fall = 1.0 + sky.vignetting[group] * (cells.u**2 + cells.v**2)
    glow = np.stack([sky_level(one, cells.u, cells.v) for one in sky.sky_adu[frame]], axis=1)
    light = (cells.mean_adu - sky.bias_adu[group]) / fall[:, None] - glow
    return np.asarray(light / sky.transparency[frame], np.float64)


def _from_others(values: Floats, cell: NDArray[np.int64], complete: NDArray[np.bool_]) -> Floats:
    """Return each value less the mean of the other frames' values of the same cell, NaN where there is none."""
    number = np.bincount(cell, complete)[cell] - complete
    out = np.full_like(values, np.nan)
    known = complete & (number > 0)
    for channel in range(values.shape[1]):
        total = np.bincount(cell, values[:, channel] * complete)[cell] - values[:, channel] * complete
        out[known, channel] = values[known, channel] - total[known] / number[known]
    return out


def _along_edges(
    apart: Floats, cells: CellSamples, measured: MeasuredFrame, cell_px: float
) -> tuple[tuple[float, ...], ...]:
    """Return the median along each edge in the order of `FrameWcs.corners`, shape (4, channels)."""
    frame = measured.frame
    x, y = cells.u * frame.height + 0.5 * frame.width, cells.v * frame.height + 0.5 * frame.height
    known = np.isfinite(apart).all(axis=1)
    edges = []
    for distance in (y, frame.width - x, frame.height - y, x):
        near = known & (distance < REACH_CELLS * cell_px)
        few = near.sum() < FEWEST_CELLS
        edges.append(tuple(np.full(apart.shape[1], np.nan) if few else np.median(apart[near], axis=0)))
    return tuple(tuple(float(value) for value in edge) for edge in edges)
