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


def line_of(bias: float, gain: float, read_noise_e: float = READ_NOISE_E, n: int = 12) -> np.ndarray:
    """Return points without errors on the line of photon transfer."""
    level = np.linspace(bias + 400.0, bias + 1200.0, n)
    return np.stack([level, gain * (level - bias) + (gain * read_noise_e) ** 2, np.full(n, 1e4)], axis=1)


@pytest.mark.parametrize(("bias", "gain"), [(150.0, 1.7), (1000.0, 0.4), (60.0, 5.0)])
def test_points_on_a_line_tell_the_bias_but_for_the_read_noise(bias, gain):
    got = estimate_bias(line_of(bias, gain), SKY)
    assert got.bias_adu == pytest.approx(bias, abs=1e-6 * bias)
    # A read noise of 1.5 electrons is typical, and may be missing: the level that it stands for is the error.
    assert got.sigma_adu == pytest.approx(READ_NOISE_E**2 * gain, rel=1e-3)


def test_the_error_of_the_bias_is_that_of_a_straight_line():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(60):
        points = line_of(500.0, 2.0, n=60)
        points[:, 1] *= 1.0 + 0.02 * rng.normal(size=60)
        found.append(estimate_bias(points, SKY))
    scatter = float(np.std([one.bias_adu for one in found]))
    told = float(np.median([np.sqrt(one.sigma_adu**2 - (READ_NOISE_E**2 * 2.0) ** 2) for one in found]))
    assert told == pytest.approx(scatter, rel=0.3)
    assert float(np.mean([one.bias_adu for one in found])) == pytest.approx(500.0, abs=3.0 * scatter / np.sqrt(60))


def test_levels_must_spread_by_a_fiftieth_and_be_eight():
    def known(points: np.ndarray) -> bool:
        return estimate_bias(points, SKY).sigma_adu < 0.1 * points[0, 0]

    assert known(line_of(150.0, 1.7, n=8)) and not known(line_of(150.0, 1.7, n=7))
    narrow = line_of(0.0, 1.7)
    level = 1000.0 * np.linspace(1.0, 1.0 + 0.025, len(narrow))
    narrow[:, 0], narrow[:, 1] = level, 1.7 * level + (1.7 * READ_NOISE_E) ** 2
    assert known(narrow)
    level = 1000.0 * np.linspace(1.0, 1.015, len(narrow))
    narrow[:, 0], narrow[:, 1] = level, 1.7 * level + (1.7 * READ_NOISE_E) ** 2
    assert not known(narrow)


def test_a_bias_above_the_darkest_level_is_no_bias():
    # Noise that hardly grows beyond its zero: the line meets the axis below 0.
    level = np.linspace(1000.0, 1400.0, 12)
    points = np.stack([level, 5000.0 + 0.5 * level, np.full(12, 1e4)], axis=1)
    assert estimate_bias(points, SKY).bias_adu == pytest.approx(500.0, rel=0.02)


def test_the_variance_of_a_cell_is_half_the_mean_square_of_its_steps():
    plane = np.zeros((12, 101), np.float32)
    plane[:, 1::2] = 6.0
    plane[6:] *= 2.0
    plane[3, 50] = 900.0
    line = np.array([[y, 0, 101] for y in range(12)], np.int32)
    variance, pairs = cell_variances(plane, line, (line[:, 0] // 6).astype(np.int32), 3)
    # Rows 0, 3, 6 and 9 are measured; the star takes two steps out of its cell.
    np.testing.assert_allclose(variance, [18.0, 72.0, 0.0])
    assert pairs.tolist() == [198.0, 200.0, 0.0]


def test_points_are_means_by_the_number_of_pairs():
    mean = np.array([40.0, 10.0, np.nan, 20.0, 30.0, 50.0, 60.0, 70.0, 80.0])
    variance = np.arange(9.0)
    pairs = np.array([100.0, 100.0, 900.0, 300.0, 150.0, 0.0, 150.0, 100.0, 50.0])
    got = transfer_points(mean, variance, pairs)
    # Seven cells in order of brightness, in fours of 2, 2, 2 and 1; the last has too few pairs.
    np.testing.assert_allclose(got, [[17.5, 2.5, 400.0], [34.0, 2.4, 250.0], [64.0, 6.4, 250.0]])
    assert transfer_points(mean[:1], variance[:1], np.array([200.0])).tolist() == [[40.0, 0.0, 200.0]]
    assert transfer_points(mean[:1], variance[:1], np.array([199.0])).shape == (0, 3)
