"""What a pattern of columns leaves of itself is an unknown of the joint sky, and no slope."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration.background import SkySolution, solve_sky
from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.sensor.fixed_pattern import NO_PATTERN, FixedPattern
from zemosaic.calibration.sensor.photon_transfer import BiasEstimate
from zemosaic.calibration.sensor.pixel_pattern import BACKGROUND_PX
from zemosaic.calibration.sensor.stripes import Stripes, left_stripes, stripe_terms

HEIGHT, WIDTH, CELL = 1280, 1024, 64
LEVEL, NOISE = 400.0, 60.0


def pattern_of(columns: float, pixels: float) -> FixedPattern:
    rng = np.random.default_rng(3)
    offset = rng.normal(0, columns, WIDTH)[None, :] + rng.normal(0, pixels, (HEIGHT, WIDTH))
    none = np.empty((0, 0), np.float32)
    return FixedPattern(np.rint(10.0 * offset).astype(np.int16), 0.1, none, none, 0.0)


def test_only_columns_that_have_a_level_of_their_own_leave_stripes():
    left = left_stripes(pattern_of(12.0, 14.0))
    assert left.columns_adu == pytest.approx(12.0 / np.sqrt(BACKGROUND_PX), rel=0.1)
    assert left.rows_adu == 0.0 and (left.width, left.height) == (WIDTH, HEIGHT)
    assert left_stripes(pattern_of(0.0, 14.0)).columns_adu == 0.0
    assert left_stripes(NO_PATTERN) == Stripes()


def test_the_terms_are_hats_over_the_sensor_and_none_where_there_are_no_stripes():
    u = np.array([-0.5, 0.0, 0.499]) * WIDTH / HEIGHT
    v, group = np.zeros(3), np.array([0, 0, 1])
    basis, precision = stripe_terms(u, v, group, [Stripes(2.0, 0.0, WIDTH, HEIGHT), Stripes()])
    assert basis.shape == (3, WIDTH // 64 + 1) and precision.shape == (2, WIDTH // 64 + 1)
    np.testing.assert_allclose(basis[:2].sum(axis=1), 1.0, atol=1e-6)
    assert not basis[2].any() and np.allclose(precision[0], 0.25)
    assert stripe_terms(u, v, group, [Stripes(), Stripes()])[0].shape == (3, 0)


def frames_of_two_panels(stripe: np.ndarray) -> list[CellSamples]:
    """Return the cells of panels that overlap by four of sixteen columns of cells, and drift by two cells at most."""
    rng = np.random.default_rng(5)
    y, x = (part.ravel() for part in np.mgrid[0 : HEIGHT // CELL, 0 : WIDTH // CELL])
    cells = []
    for k in range(12):
        mean = LEVEL + stripe[x] + rng.normal(0, 0.5, len(x))
        cells.append(
            CellSamples(
                row=y.astype(np.int32),
                column=(x + (12 if k % 2 else 0) + k % 3).astype(np.int32),
                mean_adu=mean[:, None],
                count=np.full(len(x), 1000, np.int32),
                u=(x + 0.5 - 0.5 * WIDTH // CELL) * CELL / HEIGHT,
                v=(y + 0.5 - 0.5 * HEIGHT // CELL) * CELL / HEIGHT,
                noise_adu=(NOISE,),
            )
        )
    return cells


def solved(stripe: np.ndarray, stripes: Stripes) -> SkySolution:
    still = np.full(1, 1e-3)
    frames, groups = frames_of_two_panels(stripe), np.zeros(12, np.int64)
    bias = [BiasEstimate(0.0, 1.0)]
    return solve_sky(frames, np.ones((12, 1)), groups, np.zeros(1), still, bias, stripes=[stripes])


def test_a_column_out_of_line_is_no_residual_of_the_sky():
    stripe = np.zeros(WIDTH // CELL)
    stripe[5] = 6.0
    without = solved(stripe, Stripes()).residual_sigma
    known = solved(stripe, Stripes(6.0, 0.0, WIDTH, HEIGHT)).residual_sigma
    assert known.max() < 0.5 * without.max()
