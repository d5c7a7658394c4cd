"""Steps along the edges of frames: what a frame differs from the others is found, before and after calibration."""

from __future__ import annotations

import numpy as np
import pytest
from frames_of_sky import frame_of, measured_of

from zemosaic.calibration.background import SkySolution
from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.edge_offsets import edge_offsets
from zemosaic.calibration.illumination import FallOfLight

WIDTH, HEIGHT, CELL = 1024, 1536, 64
NOISE = 10.0


def frame_cells(row0: int, column0: int, level: float, slope: float, rng: np.random.Generator) -> CellSamples:
    """Return the cells of a frame with its corner at a cell; the sky below it has a nebula."""
    row, column = (v.ravel() for v in np.mgrid[0 : HEIGHT // CELL, 0 : WIDTH // CELL])
    x, y = (column + 0.5) * CELL, (row + 0.5) * CELL
    u, v = (x - 0.5 * WIDTH) / HEIGHT, (y - 0.5 * HEIGHT) / HEIGHT
    nebula = 50.0 * np.exp(-(((row + row0 - 20) / 12.0) ** 2))
    light = level + slope * u + nebula + rng.normal(0, 0.05, len(row))
    return CellSamples(
        (row + row0).astype(np.int32),
        (column + column0).astype(np.int32),
        np.stack([light, light], axis=1),
        np.full(len(row), 900, np.int32),
        u,
        v,
        (NOISE, NOISE),
    )


def solution(planes: list[tuple[float, float]]) -> SkySolution:
    sky = np.array([[[level, slope, 0.0]] * 2 for level, slope in planes])
    n = len(planes)
    none = FallOfLight(np.zeros(1), np.zeros(1), np.zeros(1, bool))
    return SkySolution(sky, np.ones((n, 2)), np.zeros(1), np.zeros(1), np.zeros(n), np.zeros(n), none, np.zeros(n))


def test_a_wrong_sky_steps_at_its_edges_and_a_right_one_does_not():
    rng = np.random.default_rng(2)
    planes = [(500.0, 0.0), (520.0, 90.0), (480.0, 0.0)]
    places = [(0, 0), (2, 6), (8, 3)]
    cells = [frame_cells(*place, *plane, rng) for place, plane in zip(places, planes, strict=True)]
    frame = frame_of(WIDTH, HEIGHT)
    measured = [measured_of(frame, sky=(level, level), noise=(NOISE, NOISE)) for level, _ in planes]
    groups = np.zeros(3, int)
    right = edge_offsets(measured, cells, solution(planes), groups, CELL)
    assert np.nanmax(np.abs([one.after for one in right])) < 0.05
    assert np.nanmax(np.abs([one.before for one in right])) > 1.0, "the slope is in the frame as taken"
    wrong = solution([(500.0, 0.0), (515.0, 90.0), (480.0, 0.0)])
    off = np.array([offset.after for offset in edge_offsets(measured, cells, wrong, groups, CELL)])
    known = off[1][np.isfinite(off[1])]
    assert known == pytest.approx(5.0 / NOISE, abs=0.05), "5 ADU too bright against the others, in noise of a pixel"
    assert (off[[0, 2]][np.isfinite(off[[0, 2]])] < 0.05).all()


def test_edges_that_no_other_frame_sees_are_unknown():
    rng = np.random.default_rng(3)
    cells = [frame_cells(0, 0, 500.0, 0.0, rng), frame_cells(0, 8, 500.0, 0.0, rng)]
    measured = [measured_of(frame_of(WIDTH, HEIGHT), sky=(500.0, 500.0), noise=(NOISE, NOISE))] * 2
    steps = edge_offsets(measured, cells, solution([(500.0, 0.0)] * 2), np.zeros(2, int), CELL)
    bottom, right, top, left = np.array(steps[0].after)[:, 0]
    assert np.isnan(left)
    assert np.isfinite([bottom, right, top]).all()
    assert np.isnan(np.array(steps[1].after)[1, 0])
