"""Noise that is expected, the choice of a memory mode, samples and histograms: against their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.stacking.kernel import limits
from zemosaic.stacking.memory_modes import MemoryMode, MemoryRules, choose_memory_mode, sample_of
from zemosaic.stacking.noise import ExpectedNoise
from zemosaic.stacking.reference import stack_reference
from zemosaic.stacking.rules import Combine, Rejection, StackRules
from zemosaic.stacking.streaming import Histogram, ReservoirSamples


def test_expected_noise_is_the_harmonic_mean_of_the_variances_of_those_that_have_a_sample():
    noise = ExpectedNoise(2, 3)
    nan = np.nan
    noise.add(np.array([[1.0, nan, nan], [1.0, 1.0, nan]], np.float32), np.array([3.0, 1.0], np.float32))
    noise.add(np.array([[1.0, 1.0, nan], [1.0, 1.0, nan]], np.float32), np.array([6.0, 1.0], np.float32))
    both = (2.0 / (1.0 / 9.0 + 1.0 / 36.0)) ** 0.5
    np.testing.assert_allclose(noise.values(), [[both, 6.0, 0.0], [1.0, 1.0, 0.0]], rtol=1e-6)


@pytest.mark.parametrize(
    ("frames", "in_memory", "rules", "disk_holds", "median", "mode"),
    [
        (100, 500, MemoryRules(), True, False, MemoryMode.EXACT),
        (100, 499, MemoryRules(), True, False, MemoryMode.PASSES),
        (100, 50, MemoryRules(), True, False, MemoryMode.PASSES),
        (100, 49, MemoryRules(), True, False, MemoryMode.DISK),
        (100, 49, MemoryRules(disk="never"), True, False, MemoryMode.STREAMING),
        (100, 49, MemoryRules(), False, False, MemoryMode.STREAMING),
        (100, 49, MemoryRules(), False, True, MemoryMode.PASSES),
        (64, 49, MemoryRules(), False, False, MemoryMode.PASSES),
        (65, 49, MemoryRules(), False, False, MemoryMode.STREAMING),
        (100, 500, MemoryRules(disk="always"), True, False, MemoryMode.DISK),
        (100, 500, MemoryRules(disk="always"), False, False, MemoryMode.EXACT),
        (31, 500, MemoryRules(max_frames=30), True, False, MemoryMode.STREAMING),
        (30, 500, MemoryRules(max_frames=30), True, False, MemoryMode.EXACT),
        (31, 500, MemoryRules(max_frames=30), True, True, MemoryMode.EXACT),
        (16, 500, MemoryRules(max_frames=5), True, False, MemoryMode.EXACT),
        (17, 500, MemoryRules(max_frames=5), True, False, MemoryMode.STREAMING),
        (100, 49, MemoryRules(disk="always"), False, False, MemoryMode.STREAMING),
    ],
)
def test_the_memory_mode_follows_the_rules(frames, in_memory, rules, disk_holds, median, mode):
    got = choose_memory_mode(frames, 500, in_memory, rules, least_rows=50, disk_holds=disk_holds, median=median)
    assert got is mode


def test_a_sample_is_spread_over_all_frames_or_is_the_first():
    assert sample_of(5, 5, True) == sample_of(5, 9, False) == [0, 1, 2, 3, 4]
    assert sample_of(101, 5, True) == [0, 25, 50, 75, 100]
    assert sample_of(6, 5, False) == [0, 1, 2, 3, 4]
    for frames, number in ((65, 64), (1000, 64)):
        chosen = sample_of(frames, number, True)
        assert len(chosen) == number and chosen[0] == 0 and chosen[-1] == frames - 1
        assert np.ptp(np.diff(chosen)) <= 1


def test_the_first_complete_samples_of_each_pixel_are_kept():
    nan = np.nan
    kept = ReservoirSamples(2, 2, 3)
    frames = np.array([[[1, nan, 1], [1, 1, nan]], [[2, 2, 2], [2, 2, 2]], [[3, 3, 3], [3, 3, 3]]], np.float32)
    assert kept.add(frames[0]).tolist() == [True, False, False] and not kept.full
    assert kept.add(frames[1]).tolist() == [True, True, True] and not kept.full
    assert kept.add(frames[2]).tolist() == [False, True, True] and kept.full
    assert kept.cube[:, 0].tolist() == [[1, 2, 2], [2, 3, 3]] == kept.cube[:, 1].tolist()


@pytest.mark.parametrize("rejection", [Rejection.WINSORIZED, Rejection.KAPPA_SIGMA])
def test_limits_of_the_histogram_are_those_of_all_samples_to_a_bin(rejection):
    rng = np.random.default_rng(5)
    rules = StackRules(rejection)
    cube = rng.normal(100.0, 10.0, (400, 2, 6)).astype(np.float32)
    cube[::40] += 900.0
    noise = np.full((2, 6), 10.0, np.float32)
    tolerance = np.zeros((2, 6), np.float32)
    low, high = limits(np.ascontiguousarray(cube[:40]), noise, rules, tolerance)
    first = high - low
    exact_low, exact_high = limits(cube, noise, rules, tolerance)
    histogram = Histogram(40, low, high)
    for frame in cube:
        histogram.add(frame)
    histogram.refine(low, high, noise, rules, tolerance)
    assert (np.abs(low - exact_low) < 0.02 * first).all() and (np.abs(high - exact_high) < 0.02 * first).all()


def test_pixels_without_more_samples_keep_their_limits():
    rules, shape = StackRules(), (1, 2)
    low, high = np.array([[-3e38, 10.0]], np.float32), np.array([[3e38, 20.0]], np.float32)
    histogram = Histogram(30, low, high)
    for _ in range(30):
        histogram.add(np.full(shape, 15.0, np.float32))
    ones, zeros = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    histogram.refine(low, high, ones, rules, zeros)
    assert high[0, 1] == 20.0 and low[0, 1] == 10.0
    histogram.add(np.full(shape, 15.0, np.float32))
    histogram.refine(low, high, ones, rules, zeros)
    # All samples are alike: three times the expected noise on both sides, and none of the unknown pixel.
    assert low[0].tolist() == pytest.approx([-3e38, 12.0], rel=0.02)
    assert high[0].tolist() == pytest.approx([3e38, 18.0], rel=0.02)


def stacked(samples: list[float], rules: StackRules, noise: float = 1.0) -> tuple[float, int]:
    """Return the value of one pixel, and how many samples were thrown out."""
    cube = np.array(samples)[:, None, None]
    value, _, _, rejected = stack_reference(cube, np.ones(len(samples)), np.array([noise]), rules)
    return float(value[0, 0]), int(rejected[0])


@pytest.mark.parametrize("combine", list(Combine))
def test_few_samples_are_judged_by_the_noise_of_a_difference_and_a_fifth_of_the_light(combine):
    rules = StackRules(combine=combine)
    limit = 3.0 * (1.4142 * 2.0 + 0.2 * 10.0)
    for side in (-1.0, 1.0):
        assert stacked([10.0, 10.0, 10.0 + side * 1.001 * limit], rules, 2.0) == (10.0, 1)
        assert stacked([10.0, 10.0, 10.0 + side * 0.999 * limit], rules, 2.0)[1] == 0
    # Of two the lower one is believed.
    assert stacked([10.0, 10.0 + 1.001 * limit], rules, 2.0) == (10.0, 1)
    assert stacked([10.0, 10.0 + 0.999 * limit], rules, 2.0)[1] == 0
    assert stacked([1e6], rules, 2.0) == (1e6, 0)


@pytest.mark.parametrize("rejection", [Rejection.WINSORIZED, Rejection.KAPPA_SIGMA])
def test_the_scatter_is_never_taken_for_less_than_the_expected_noise(rejection):
    steady = [50.0] * 30
    for side in (-1.0, 1.0):
        assert stacked([*steady, 50.0 + side * 2.95 * 4.0], StackRules(rejection), 4.0)[1] == 0
        assert stacked([*steady, 50.0 + side * 3.05 * 4.0], StackRules(rejection), 4.0) == (50.0, 1)


def test_a_line_through_the_sorted_samples_judges_by_half_the_expected_noise():
    even = list(np.linspace(40.0, 60.0, 41))
    assert stacked(even, StackRules(Rejection.LINEAR_FIT), 2.0)[1] == 0
    assert stacked([*even, 90.0], StackRules(Rejection.LINEAR_FIT), 2.0) == (pytest.approx(50.0), 1)
    assert stacked([*even, 10.0], StackRules(Rejection.LINEAR_FIT), 2.0) == (pytest.approx(50.0), 1)
    assert stacked([*even, 62.0], StackRules(Rejection.LINEAR_FIT), 2.0)[1] == 0
