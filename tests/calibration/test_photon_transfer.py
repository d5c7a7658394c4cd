"""Bias from the frames' own noise: gradients, nebulae, stars and trails do not mislead it."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration.sensor.photon_transfer import LEVELS, cell_variances, estimate_bias, transfer_points

GAIN = 1.7
READ_NOISE_E = 1.5
CELL = 60
SHAPE = (240, 180)


def cells_of(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return all pixels as runs of rows within cells of `CELL` pixels, and their cells."""
    height, width = shape
    starts = np.arange(0, width, CELL)
    row, start = (a.ravel() for a in np.meshgrid(np.arange(height), starts, indexing="ij"))
    line = np.stack([row, start, np.minimum(start + CELL, width)], axis=1).astype(np.int32)
    return line, (row // CELL * len(starts) + start // CELL).astype(np.int32)


def frame(level: float, bias: float, seed: int, *, raw_pixels: int = 1) -> np.ndarray:
    """Return a sky that doubles from edge to edge, with stars, as a sensor of a known gain records it."""
    rng = np.random.default_rng(seed)
    light = level * np.linspace(0.7, 1.4, SHAPE[0])[:, None] * np.ones(SHAPE)
    for y, x in rng.integers(0, SHAPE, (40, 2)):
        light[y, x] += 3000.0
    electrons = rng.poisson(light / GAIN * raw_pixels) / raw_pixels
    noise = rng.normal(0, READ_NOISE_E / np.sqrt(raw_pixels), SHAPE)
    return (bias + GAIN * (electrons + noise)).astype(np.float32)


SKY = np.array([1000.0])


def points_of(plane: np.ndarray, raw_pixels: int = 1) -> np.ndarray:
    line, cell = cells_of(plane.shape)
    counts = np.bincount(cell, line[:, 2] - line[:, 1])
    sums = np.bincount(cell, [float(np.median(plane[r, a:b])) * (b - a) for r, a, b in line])
    variance, pairs = cell_variances(plane, line, cell, len(counts))
    return transfer_points(sums / counts, variance * raw_pixels, pairs)


@pytest.mark.parametrize("bias", [0.0, 150.0, 2000.0])
def test_the_bias_is_found_under_gradients_and_stars(bias):
    points = np.concatenate([points_of(frame(level, bias, k)) for k, level in enumerate((500.0, 700.0, 900.0, 1200.0))])
    got = estimate_bias(points, SKY)
    assert abs(got.bias_adu - bias) < max(25.0, 2.0 * got.sigma_adu)
    assert got.sigma_adu < 80.0


def test_one_frame_with_a_gradient_is_enough_to_know_something():
    got = estimate_bias(np.concatenate([points_of(frame(900.0, 300.0, k)) for k in range(3)]), SKY)
    assert abs(got.bias_adu - 300.0) < 3.0 * got.sigma_adu


def test_a_plane_of_means_of_two_pixels_tells_the_noise_of_one():
    one, two = (points_of(frame(800.0, 100.0, 1, raw_pixels=n), n) for n in (1, 2))
    assert one.shape == two.shape == (LEVELS, 3)
    assert np.allclose(one[:, 1], two[:, 1], rtol=0.06)
    assert np.allclose(one[:, 1], GAIN * (one[:, 0] - 100.0) + (GAIN * READ_NOISE_E) ** 2, rtol=0.06)


def test_a_wild_frame_does_not_move_the_bias():
    points = np.concatenate([points_of(frame(level, 200.0, k)) for k, level in enumerate((500.0, 800.0, 1100.0))])
    wild = np.concatenate([points, [[900.0, 20000.0, 30000.0]]])
    assert abs(estimate_bias(wild, SKY).bias_adu - estimate_bias(points, SKY).bias_adu) < 10.0


def test_the_bias_is_unknown_without_a_spread_of_levels_or_with_noise_that_falls():
    level = 1000.0 + np.arange(12.0)
    alike = estimate_bias(np.stack([level, np.full(12, 100.0), np.full(12, 1e4)], axis=1), SKY)
    assert alike.bias_adu == pytest.approx(500.0, rel=0.01) and alike.sigma_adu == pytest.approx(300.0, rel=0.01)
    falling = np.stack([1000.0 + 50.0 * np.arange(12), 900.0 - 40.0 * np.arange(12), np.full(12, 1e4)], axis=1)
    assert estimate_bias(falling, SKY).sigma_adu > 250.0


def test_frames_without_bare_sky_know_no_more_than_that_the_bias_lies_below_their_level():
    got = estimate_bias(np.empty((0, 3)), SKY)
    assert got.bias_adu == pytest.approx(500.0) and got.sigma_adu == pytest.approx(300.0)
