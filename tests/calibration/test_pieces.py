"""Pieces of a mosaic that hang together by little or nothing: levels, slopes, and when they cannot be known."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration.background import SkySolution, solve_sky
from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.pieces import divide_into_pieces
from zemosaic.calibration.sensor.photon_transfer import BiasEstimate
from zemosaic.model import sky_level

ROWS, COLUMNS, CELL = 18, 12, 64
NOISE = 60.0


def frames_of(
    shifts: list[tuple[int, int]], light: np.ndarray, areas: list[float] | None = None, seed: int = 0
) -> list[CellSamples]:
    """Return what frames shifted by whole cells (rows, columns) see of a field of light, each with a sky of its own."""
    rng = np.random.default_rng(seed)
    cells = []
    for (down, right), area in zip(shifts, areas or [1.0] * len(shifts), strict=True):
        row, column = (part.ravel() for part in np.mgrid[0:ROWS, 0:COLUMNS])
        u, v = (column - COLUMNS / 2 + 0.5) / ROWS, (row - ROWS / 2 + 0.5) / ROWS
        level, turn = 400.0 * rng.uniform(0.9, 1.4), rng.uniform(0, 2 * np.pi)
        sky = level * (1.0 + 0.15 * (np.cos(turn) * u + np.sin(turn) * v))
        count = np.full(row.size, int(CELL**2 / area))
        mean = 200.0 + sky + area * light[row + down, column + right] + rng.normal(0, 0.03 * NOISE, row.size)
        cells.append(
            CellSamples(
                (row + down).astype(np.int32),
                (column + right).astype(np.int32),
                mean[:, None],
                count.astype(np.int32),
                u,
                v,
                (NOISE,),
                pixel_area=area,
            )
        )
    return cells


def solved(cells: list[CellSamples], groups: list[int] | None = None) -> SkySolution:
    camera = np.array(groups or [0] * len(cells))
    n = int(camera.max()) + 1
    return solve_sky(
        cells, np.ones((len(cells), 1)), camera, np.zeros(n), np.full(n, 0.01), [BiasEstimate(200.0, 5.0)] * n
    )


def remainder(cells: list[CellSamples], sky: SkySolution, light: np.ndarray) -> list[np.ndarray]:
    """Return for each frame what is left of its cells after its sky and the true light, per pixel of the mosaic."""
    left = []
    for k, sample in enumerate(cells):
        flux = sample.mean_adu[:, 0] - sky.bias_adu[0] - sky_level(sky.sky_adu[k, 0], sample.u, sample.v)
        left.append(flux / sample.pixel_area - light[sample.row, sample.column])
    return left


def patch_of_nebula(rows: int = 60, columns: int = 60) -> np.ndarray:
    """Return a field of which about half is empty, wherever one looks."""
    row, column = np.mgrid[0:rows, 0:columns]
    return np.clip(300.0 * np.sin(row / 4.0 + column / 7.0), 0.0, None)


def test_pieces_without_overlap_agree_by_their_empty_sky():
    light = patch_of_nebula()
    near = [(0, 0), (1, 1), (2, 0), (0, 2), (1, 0), (2, 2)]
    cells = frames_of([*near, *[(a, b + 20) for a, b in near]], light, seed=1)
    sky = solved(cells)
    left = remainder(cells, sky, light)
    halves = [np.concatenate(left[:6]), np.concatenate(left[6:])]
    assert abs(np.mean(halves[0]) - np.mean(halves[1])) < 0.05 * NOISE, "neither is brighter than the other"
    assert max(np.std(half) for half in halves) < 0.06 * NOISE, "nor inclined"
    assert (sky.level_error_sigma < 0.1).all()


def test_pieces_without_overlap_or_empty_sky_are_known_to_be_unknown():
    row, column = np.mgrid[0:60, 0:60]
    light = 900.0 + 500.0 * np.sin(row / 3.0) * np.cos(column / 4.0)
    near = [(0, 0), (1, 1), (2, 0), (0, 2), (1, 0), (2, 2)]
    sky = solved(frames_of([*near, *near[:3], *[(a, b + 20) for a, b in near]], light))
    assert (sky.level_error_sigma[:9] == 0.0).all()
    assert (sky.level_error_sigma[9:] > 0.1).all()


def test_a_thin_overlap_tells_the_level_where_no_sky_is_empty():
    row, column = np.mgrid[0:60, 0:60]
    light = 900.0 + 500.0 * np.sin(row / 3.0) * np.cos(column / 4.0)
    near = [(0, 0), (0, 0), (1, 0), (0, 0), (1, 0), (0, 0)]
    cells = frames_of([*near, *[(a, b + COLUMNS - 1) for a, b in near]], light)
    sky = solved(cells)
    assert (sky.level_error_sigma < 1.0).all()
    left = remainder(cells, sky, light)
    at_overlap = [np.median(values[sample.column == COLUMNS - 1]) for values, sample in zip(left, cells, strict=True)]
    assert np.ptp(at_overlap) < 0.1 * NOISE, "no step between the halves"


def test_two_telescopes_see_the_same_light():
    light = patch_of_nebula()
    shifts = [(0, 0), (2, 1), (4, 2), (1, 3), (0, 0), (2, 1), (4, 2), (1, 3)]
    areas = [1.0] * 4 + [2.8] * 4
    cells = frames_of(shifts, light, areas)
    sky = solved(cells, [0] * 4 + [1] * 4)
    left = np.concatenate(remainder(cells, sky, light))
    assert np.std(left) < 0.06 * NOISE
    assert np.isfinite(sky.residual_sigma).all() and (sky.residual_sigma > 0.1).all(), "all frames are compared"


@pytest.mark.parametrize("shared, pieces", [(1, 2), (3, 1)])
def test_frames_that_share_few_cells_are_pieces(shared, pieces):
    cell = np.concatenate([np.arange(10), np.arange(10) + 10 - shared])
    frame = np.repeat([0, 1], 10)
    assert divide_into_pieces(cell, frame, 30, 2).max() + 1 == pieces
