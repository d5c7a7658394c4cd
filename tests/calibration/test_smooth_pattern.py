"""Parts of the smooth map: means over squares, fits of what frames have of the sky, and what is believed."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration.sensor import smooth_pattern
from zemosaic.calibration.sensor.smooth_pattern import Look, area_mean


def test_means_over_squares_are_weighted_and_leave_the_rest_out():
    rng = np.random.default_rng(1)
    values, weight = (rng.uniform(0.5, 2.0, (7, 11)).astype(np.float32) for _ in range(2))
    mean, mean_weight = area_mean(values, weight, 3)
    assert mean.shape == mean_weight.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            square = slice(3 * row, 3 * row + 3), slice(3 * column, 3 * column + 3)
            assert mean[row, column] == pytest.approx(np.average(values[square], weights=weight[square]), rel=1e-5)
            assert mean_weight[row, column] == pytest.approx(weight[square].mean(), rel=1e-5)
    assert (area_mean(values, np.zeros_like(weight), 3)[0] == 0.0).all()


def test_a_place_on_the_sky_stays_in_larger_blocks():
    to_sky = np.array([[0.8, -0.6, 3.0], [0.6, 0.8, 5.0]])
    ones = np.ones((8, 12), np.float32)
    reduced = smooth_pattern._reduced(Look(ones, ones, to_sky), 4)
    for column, row in ((0, 0), (2, 1)):
        # Middle of the larger block in smaller ones, and back on the sky.
        fine = to_sky[:, :2] @ [4 * column + 1.5, 4 * row + 1.5] + to_sky[:, 2]
        coarse = reduced.to_sky[:, :2] @ [column, row] + reduced.to_sky[:, 2]
        np.testing.assert_allclose((coarse + 0.5) * 4.0 - 0.5, fine)


def test_low_order_terms_are_a_plane_and_a_bowl_about_the_middle():
    one, x, y, bowl = smooth_pattern._low_order(20, 30).reshape(4, 20, 30)
    assert (one == 1.0).all()
    assert x[0, 0] == pytest.approx(-14.5 / 30) and x[5, -1] == pytest.approx(14.5 / 30)
    assert y[0, 0] == pytest.approx(-9.5 / 30) and y[-1, 4] == pytest.approx(9.5 / 30)
    np.testing.assert_allclose(bowl, x**2 + y**2)


def test_low_order_and_light_of_a_frame_are_fitted():
    rng = np.random.default_rng(2)
    terms = smooth_pattern._low_order(20, 30)
    sky = rng.normal(0.0, 10.0, (20, 30)).astype(np.float32)
    low = (np.array([5.0, -3.0, 2.0, 4.0]) @ terms).reshape(20, 30)
    weight = rng.uniform(0.2, 1.0, (20, 30)).astype(np.float32)
    got, gain = smooth_pattern._fitted((low + sky).astype(np.float32), sky, weight, terms)
    assert gain == pytest.approx(1.0, abs=1e-3)
    np.testing.assert_allclose(got, low, atol=0.01)
    # Pixels without weight say nothing.
    wild = (low + sky).astype(np.float32)
    wild[:3], weight[:3] = 1e4, 0.0
    np.testing.assert_allclose(smooth_pattern._fitted(wild, sky, weight, terms)[0], low, atol=0.05)
    nothing = np.zeros_like(sky)
    assert smooth_pattern._fitted(low.astype(np.float32), nothing, np.ones_like(sky), terms)[1] == pytest.approx(1.0)


@pytest.mark.parametrize("unit", [1.0, 50.0])
@pytest.mark.parametrize("truth", [0.8, 1.0, 1.3])
def test_gain_and_amount_are_means_of_data_and_prior(unit, truth):
    rng = np.random.default_rng(3)
    shape = (60, 60)
    pattern = (unit * rng.normal(0.0, 4.0, shape)).astype(np.float32)
    ones = np.ones(shape, np.float32)
    seen = (truth * pattern).astype(np.float32)
    square, off = float((pattern.astype(float) ** 2).sum()), float(((seen - pattern).astype(float) ** 2).mean())
    prior = off / 0.15**2
    expected = (truth * square + prior) / (square + prior)
    assert smooth_pattern._amount(seen, pattern, ones) == pytest.approx(expected, rel=1e-5)
    terms = smooth_pattern._low_order(*shape)
    assert smooth_pattern._fitted(seen, pattern, ones, terms)[1] == pytest.approx(expected, abs=2e-3)


def test_a_part_is_shrunk_by_the_garrote_and_left_away_without_a_peak():
    power = np.array([[3.0, 8.0, 16.0, 100.0]], np.float32)
    part = np.full((1, 4), 7.0, np.float32)
    shrunk = smooth_pattern._garrote(part, power, np.ones((1, 4), np.float32))
    np.testing.assert_allclose(shrunk, 7.0 * np.array([[0.0, 0.5, 0.75, 0.96]]), rtol=1e-6)
    np.testing.assert_allclose(
        smooth_pattern._garrote(part, 9.0 * power, np.full((1, 4), 9.0, np.float32)), shrunk, rtol=1e-6
    )
    assert not smooth_pattern._garrote(part, np.full((1, 4), 24.9, np.float32), np.ones((1, 4), np.float32)).any()
    assert smooth_pattern._garrote(part, np.full((1, 4), 25.1, np.float32), np.ones((1, 4), np.float32)).all()


def test_skies_are_frames_further_apart_than_a_distance():
    place = np.array([0.0, 3.0, 10.0, 14.0, 25.0])
    apart = np.abs(place[:, None] - place[None])
    assert [smooth_pattern._skies(apart, d) for d in (2.9, 3.0, 9.9, 10.0, 15.1, 30.0)] == [5, 4, 3, 3, 2, 1]


def test_unknown_blocks_are_the_means_of_known_neighbours():
    values = np.arange(49.0, dtype=np.float32).reshape(7, 7)
    known = np.ones((7, 7), bool)
    known[3, 3] = known[0, 0] = False
    got = smooth_pattern._filled(values, known)
    assert (got[known] == values[known]).all()
    assert got[3, 3] == pytest.approx(24.0)
    assert got[0, 0] == pytest.approx((values[:3, :3].sum() - values[0, 0]) / 8.0)


def test_noise_and_calm_are_those_of_most_blocks():
    rng = np.random.default_rng(6)
    ramp = np.linspace(0.0, 500.0, 80)[None] * np.ones((80, 1))
    looks = [
        Look((ramp + rng.normal(0.0, 3.0, (80, 80))).astype(np.float32), np.ones((80, 80), np.float32), np.eye(2, 3))
        for _ in range(3)
    ]
    # The mean of 25 blocks takes a 25th of their own variance away.
    assert smooth_pattern._noise(looks) == pytest.approx(3.0 * np.sqrt(1.0 - 1.0 / 25.0), rel=0.04)
    plain = rng.normal(0.0, 2.0, (100, 100)).astype(np.float32)
    assert smooth_pattern._calm(plain).mean() == pytest.approx(0.9876, abs=0.006)
    plain[4, 4] = 100.0
    assert smooth_pattern._calm(plain)[4, 4] == 0.0
