"""Offset of each frame from the others along its four edges, before and after calibration.

Where a frame ends, the mosaic changes by this offset divided by the number of frames: this becomes a seam.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, median
from zemosaic.calibration.background import SkySolution
from zemosaic.calibration.background_cells import CellSamples, complete_cells
from zemosaic.model import EdgeOffsets, MeasuredFrame, sky_level

__all__ = ["edge_offsets"]


MIN_EDGE_CELLS = 5
"""Smallest number of cells along an edge that other frames must cover as well."""
MAX_EDGE_DISTANCE_CELLS = 1.6
"""Cells whose centre is within this distance of an edge, in cell sides, belong to the edge."""


def edge_offsets(
    measured: Sequence[MeasuredFrame],
    cells: Sequence[CellSamples],
    sky: SkySolution,
    groups: NDArray[np.int64],
    cell_px: float,
) -> list[EdgeOffsets]:
    """Return each frame's steps against the mean of the others.

    "Before" is every frame minus its own median sky, as without a joint solution.

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
    source = np.repeat(np.arange(len(cells)), [len(sample.row) for sample in cells])
    row = np.concatenate([sample.row for sample in cells]).astype(np.int64)
    column = np.concatenate([sample.column for sample in cells]).astype(np.int64)
    _, cell = np.unique(np.stack([row, column], axis=1), axis=0, return_inverse=True)
    cell = cell.ravel()
    complete, _ = complete_cells(cells, source, cell)
    before = np.concatenate(
        [
            (sample.mean_adu - np.array(frame.sky_adu)) / sample.pixel_area
            for sample, frame in zip(cells, measured, strict=True)
        ]
    )
    after = np.concatenate([_calibrated(sample, sky, k, groups[k]) for k, sample in enumerate(cells)])
    differences = [_difference_from_other_frames(values, cell, complete) for values in (before, after)]
    offsets = []
    for k, (sample, frame) in enumerate(zip(cells, measured, strict=True)):
        of_frame = source == k
        noise = np.array(frame.noise_adu) / sample.pixel_area
        offsets.append(
            EdgeOffsets(
                before=_edge_medians(differences[0][of_frame] / noise, sample, frame, cell_px),
                after=_edge_medians(differences[1][of_frame] * sky.transparency[k] / noise, sample, frame, cell_px),
            )
        )
    return offsets


def _calibrated(cells: CellSamples, sky: SkySolution, frame: int, group: int) -> Float64s:
    """Return the cells' means in mosaic units, shape (cells, channels)."""
    illumination = 1.0 + sky.vignetting[group] * (cells.u**2 + cells.v**2)
    background = np.stack([sky_level(one, cells.u, cells.v) for one in sky.sky_adu[frame]], axis=1)
    flux = (cells.mean_adu - sky.bias_adu[group]) / illumination[:, None] - background
    return np.asarray(flux / (sky.transparency[frame] * cells.pixel_area), np.float64)


def _difference_from_other_frames(values: Float64s, cell: NDArray[np.int64], complete: NDArray[np.bool_]) -> Float64s:
    """Return each value less the mean of the other frames' values of the same cell, NaN where there is none."""
    number = np.bincount(cell, complete)[cell] - complete
    out = np.full_like(values, np.nan)
    compared = complete & (number > 0)
    for channel in range(values.shape[1]):
        total = np.bincount(cell, values[:, channel] * complete)[cell] - values[:, channel] * complete
        out[compared, channel] = values[compared, channel] - total[compared] / number[compared]
    return out


def _edge_medians(
    difference: Float64s, cells: CellSamples, measured: MeasuredFrame, cell_px: float
) -> tuple[tuple[float, ...], ...]:
    """Return the median along each edge in the order of `FrameWcs.corners`, shape (4, channels)."""
    frame = measured.frame
    x, y = cells.u * frame.height + 0.5 * frame.width, cells.v * frame.height + 0.5 * frame.height
    finite = np.isfinite(difference).all(axis=1)
    edges = []
    for distance in (y, frame.width - x, frame.height - y, x):
        along_edge = finite & (distance < MAX_EDGE_DISTANCE_CELLS * cell_px)
        too_few = along_edge.sum() < MIN_EDGE_CELLS
        edges.append(tuple(np.full(difference.shape[1], np.nan) if too_few else median(difference[along_edge], axis=0)))
    return tuple(tuple(float(value) for value in edge) for edge in edges)
