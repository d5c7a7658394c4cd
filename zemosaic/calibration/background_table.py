"""The observations of the background by all frames in one table, for the joint background model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.calibration.background_cells import CellSamples, complete_cells

__all__ = ["CELL_ERROR_FLOOR", "BackgroundTable", "background_table", "dark_levels", "pixel_areas"]


DARK_PERCENT = 10.0
"""Percentile of a frame's cells that serves as its sky level before the overlaps are solved."""
CELL_ERROR_FLOOR = 0.03
"""Smallest error of a cell's mean, in units of the noise of one pixel, however many pixels it has."""
MIN_FREE_PART = 0.25
"""Cells are used whose free area is at least this fraction of the largest one."""


@dataclass(frozen=True)
class BackgroundTable:
    """Observations of all channels; item = cell and channel, frame = frame and channel."""

    item: NDArray[np.int64]
    frame: NDArray[np.int64]
    source: NDArray[np.int64]
    """Frame index alone."""
    group: NDArray[np.int64]
    factor: Float64s
    """Transparency times `pixel_area`."""
    pixel_area: Float64s
    """Area of a pixel of the frame in pixels of the reference plane."""
    value: Float64s
    pixel: Float64s
    """Noise of one pixel of the frame."""
    sigma: Float64s
    u: Float64s
    v: Float64s
    r2: Float64s
    position: Float64s
    """Row and column of each cell, shape (cells, 2)."""
    cell_area: float
    """Of the cell with the largest free area, in pixels of the reference plane."""
    n_frames: int
    channels: int

    @property
    def n_items(self) -> int:
        return len(self.position) * self.channels


def background_table(
    cells: Sequence[CellSamples], transparency: Float64s, groups: NDArray[np.int64]
) -> BackgroundTable:
    """Return the observations of the cells that frames have as a whole.

    Parameters
    ----------
    cells : sequence of CellSamples
        One per frame.
    transparency : ndarray, shape (frames, channels)
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    """
    n_frames, channels = transparency.shape
    source = np.repeat(np.arange(n_frames), [len(sample.row) for sample in cells])
    row = np.concatenate([sample.row for sample in cells]).astype(np.int64)
    column = np.concatenate([sample.column for sample in cells]).astype(np.int64)
    count = np.concatenate([sample.count for sample in cells]).astype(float)
    mean = np.concatenate([sample.mean_adu for sample in cells])
    extra = np.concatenate([sample.extra_error_adu for sample in cells])
    noise = np.array([sample.noise_adu for sample in cells])
    u = np.concatenate([sample.u for sample in cells])
    v = np.concatenate([sample.v for sample in cells])
    key = (row - row.min(initial=0)) * (np.ptp(column) + 1 if len(column) else 1) + column - column.min(initial=0)
    _, cell = np.unique(key, return_inverse=True)
    is_complete, area = complete_cells(cells, source, cell)
    complete = np.flatnonzero(is_complete & (area[cell] >= MIN_FREE_PART * area.max(initial=0.0)))
    _, first, cell = np.unique(cell[complete], return_index=True, return_inverse=True)
    n_cells = len(first)
    position = np.stack([row[complete][first], column[complete][first]], axis=1).astype(float)
    source, u, v, count, mean = source[complete], u[complete], v[complete], count[complete], mean[complete]
    pixel, extra = noise[source], extra[complete]
    area_of_frame = pixel_areas(cells)
    parts = range(channels)
    return BackgroundTable(
        item=np.concatenate([cell + c * n_cells for c in parts]).astype(np.int64),
        frame=np.concatenate([source * channels + c for c in parts]),
        source=np.tile(source, channels),
        group=np.tile(groups[source], channels),
        factor=np.concatenate([transparency[source, c] * area_of_frame[source] for c in parts]),
        pixel_area=np.tile(area_of_frame[source], channels),
        value=np.concatenate([mean[:, c] for c in parts]),
        pixel=np.concatenate([pixel[:, c] for c in parts]),
        sigma=np.concatenate([np.hypot(pixel[:, c] * np.hypot(count**-0.5, CELL_ERROR_FLOOR), extra) for c in parts]),
        u=np.tile(u, channels),
        v=np.tile(v, channels),
        r2=np.tile(u * u + v * v, channels),
        position=position,
        cell_area=float(area.max(initial=0.0)),
        n_frames=n_frames * channels,
        channels=channels,
    )


def pixel_areas(cells: Sequence[CellSamples]) -> Float64s:
    """Return the area of a pixel of each frame in pixels of the reference plane, shape (frames,)."""
    return np.array([sample.pixel_area for sample in cells])


def dark_levels(cells: Sequence[CellSamples], channels: int) -> Float64s:
    """Return the level of the darker cells, shape (frames, channels), 0 for frames without cells.

    Parameters
    ----------
    cells : sequence of CellSamples
    channels : int
    """
    none = np.zeros(channels)
    return np.stack(
        [np.percentile(sample.mean_adu, DARK_PERCENT, axis=0) if len(sample.row) else none for sample in cells]
    )
