"""The rules of stacking: the fast kernel against the reference, the reference against their definition."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.stacking.compiled import LANES, accumulate
from zemosaic.stacking.kernel import limits, stack
from zemosaic.stacking.noise import ExpectedNoise
from zemosaic.stacking.reference import stack_reference
from zemosaic.stacking.rules import (
    LINE_FLOOR,
    MIN_SAMPLES_FOR_SCATTER,
    NOISE_FLOOR,
    SIGNAL_TOLERANCE,
    WINSOR_BIAS,
    WINSOR_CUT,
    Combine,
    Rejection,
    StackRules,
    sorting_network,
)

ALL_RULES = [StackRules(rejection, combine) for rejection in Rejection for combine in Combine]


def cube_of(seed: int, frames: int, channels: int, pixels: int, gaps: float, outliers: float, ties: bool) -> np.ndarray:
    """Return noise about a pattern, with gaps in single channels, outliers both ways, and ties on request."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(-20.0, 3000.0, (1, channels, pixels))
    cube = level + rng.normal(0.0, 5.0, (frames, channels, pixels))
    cube += np.where(rng.random(cube.shape) < outliers, rng.normal(0.0, 300.0, cube.shape), 0.0)
    if ties:
        cube = np.round(cube / 4.0) * 4.0
    cube[rng.random(cube.shape) < gaps] = np.nan
    return cube.astype(np.float32)


def doubtful(
    cube: np.ndarray, weights: np.ndarray, noise: np.ndarray, rules: StackRules, unsteady: np.ndarray | None = None
) -> np.ndarray:
    """Return the pixels where a sample lies so near a limit that rounding decides."""
    answers = []
    for factor in (1 - 2e-4, 1.0, 1 + 2e-4):
        near = replace(rules, kappa_low=rules.kappa_low * factor, kappa_high=rules.kappa_high * factor)
        answers.append(
            stack_reference(cube.astype(np.float64), weights, noise.astype(np.float64), near, np, unsteady)[0]
        )
    lowest, highest = np.min(answers, axis=0), np.max(answers, axis=0)
    return ~np.isclose(lowest, highest, rtol=1e-6, atol=1e-4, equal_nan=True).all(axis=0)


@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(0, 40),
    channels=st.sampled_from([1, 3]),
    pixels=st.sampled_from([1, 7, LANES, LANES + 3]),
    gaps=st.sampled_from([0.0, 0.1, 0.7]),
    outliers=st.sampled_from([0.0, 0.05, 0.3]),
    ties=st.booleans(),
    rules=st.sampled_from(ALL_RULES),
    kappas=st.tuples(st.floats(0.5, 5.0), st.floats(0.5, 5.0)),
    even_weights=st.booleans(),
    stars=st.booleans(),
)
@settings(max_examples=150)
def test_kernel_follows_the_reference(
    seed, frames, channels, pixels, gaps, outliers, ties, rules, kappas, even_weights, stars
):
    cube = cube_of(seed, frames, channels, pixels, gaps, outliers, ties)
    rng = np.random.default_rng(seed + 1)
    weights = np.ones(frames, np.float32) if even_weights else rng.uniform(0.05, 1.0, frames).astype(np.float32)
    noise = rng.uniform(2.0, 9.0, channels).astype(np.float32)
    rules = replace(rules, kappa_low=kappas[0], kappa_high=kappas[1])
    unsteady = np.abs(rng.normal(0.0, 20.0, (channels, pixels))).astype(np.float32) if stars else None
    fast = stack(cube, weights, noise, rules, unsteady)
    if frames == 0:
        assert np.isnan(fast.value).all() and not fast.kept.any() and not fast.weight.any()
        return
    value, weight, kept, rejected = stack_reference(cube, weights, noise, rules, np, unsteady)
    sure = ~doubtful(cube, weights, noise, rules, unsteady)
    np.testing.assert_array_equal(fast.kept[sure], kept[sure])
    np.testing.assert_array_equal(fast.rejected[sure], rejected[sure])
    np.testing.assert_allclose(fast.weight[sure], weight[sure], rtol=1e-5)
    np.testing.assert_allclose(fast.value[:, sure], value[:, sure], rtol=2e-5, atol=2e-3)
    np.testing.assert_array_equal(np.isnan(fast.value[0]), fast.kept == 0)


def test_doubtful_pixels_are_few():
    """What the comparison above leaves out must not be the bulk of it."""
    cube = cube_of(5, 20, 3, 2000, 0.1, 0.1, False)
    assert doubtful(cube, np.ones(20), np.full(3, 5.0), StackRules()).mean() < 0.03


@pytest.mark.parametrize("rules", ALL_RULES, ids=str)
def test_a_pixel_knows_nothing_of_its_neighbours(rules):
    cube = cube_of(3, 17, 3, 3 * LANES + 5, 0.2, 0.1, False)
    weights = np.linspace(0.2, 1.0, 17).astype(np.float32)
    noise = np.array([4.0, 5.0, 6.0], np.float32)
    whole = stack(cube, weights, noise, rules)
    order = np.random.default_rng(0).permutation(cube.shape[2])
    mixed = stack(np.ascontiguousarray(cube[:, :, order]), weights, noise, rules)
    part = stack(np.ascontiguousarray(cube[:, :, 100:231]), weights, noise, rules)
    for name in ("value", "weight", "kept", "rejected"):
        full = getattr(whole, name)
        assert full[..., order].tobytes() == getattr(mixed, name).tobytes()
        assert np.ascontiguousarray(full[..., 100:231]).tobytes() == getattr(part, name).tobytes()


@pytest.mark.parametrize("rules", ALL_RULES, ids=str)
def test_the_order_of_frames_does_not_matter(rules):
    cube = cube_of(4, 12, 3, 400, 0.2, 0.1, False)
    weights = np.linspace(0.2, 1.0, 12).astype(np.float32)
    noise = np.full(3, 5.0, np.float32)
    there = stack(cube, weights, noise, rules)
    back = stack(np.ascontiguousarray(cube[::-1]), weights[::-1].copy(), noise, rules)
    np.testing.assert_allclose(back.value, there.value, rtol=1e-5, atol=1e-3)
    np.testing.assert_array_equal(back.kept, there.kept)


@pytest.mark.parametrize("rules", ALL_RULES, ids=str)
@pytest.mark.parametrize("frames", [1, 3, 9])
def test_reference_speaks_only_the_array_api(rules, frames):
    cube = cube_of(6, frames, 3, 50, 0.2, 0.1, False)
    weights = np.linspace(0.5, 1.0, frames).astype(np.float32)
    noise = np.full(3, 5.0, np.float32)
    unsteady = np.linspace(0.0, 20.0, 150, dtype=np.float32).reshape(3, 50)
    xp = array_api_strict
    strict = stack_reference(*(xp.asarray(a) for a in (cube, weights, noise)), rules, xp, xp.asarray(unsteady))
    for theirs, ours in zip(strict, stack_reference(cube, weights, noise, rules, np, unsteady), strict=True):
        np.testing.assert_array_equal(np.from_dlpack(theirs), ours)


def by_definition(samples: list[float], noise: float, rules: StackRules) -> tuple[float, float]:
    """Return the limits of one pixel in one channel, as a person would work them out."""
    s = sorted(samples)
    n = len(s)
    centre = float(np.median(s))
    if n < MIN_SAMPLES_FOR_SCATTER:
        believed = s[0] if n == 2 else centre
        wide = math.sqrt(2.0) * noise + SIGNAL_TOLERANCE * abs(believed)
        return (
            believed - rules.kappa_low * wide if n > 2 else -math.inf,
            believed + rules.kappa_high * wide if n > 1 else math.inf,
        )
    if rules.rejection is Rejection.LINEAR_FIT:
        return line_by_definition(s, noise, rules)
    sigma = 0.5 * (s[(n - 1) * 27 // 32] - s[(n - 1) * 5 // 32])
    inside = s
    for _ in range(rules.max_rounds):
        if rules.rejection is Rejection.WINSORIZED:
            for _ in range(rules.winsor_rounds):
                cut = WINSOR_CUT * sigma
                sigma = WINSOR_BIAS * float(np.std([min(max(x - centre, -cut), cut) for x in inside]))
        else:
            sigma = float(np.std(inside))
        safe = max(sigma, NOISE_FLOOR * noise)
        low, high = centre - rules.kappa_low * safe, centre + rules.kappa_high * safe
        staying = [x for x in s if low <= x <= high]
        if len(staying) == len(inside):
            break
        inside = staying
        centre = float(np.median(inside))
    return low, high


def line_by_definition(s: list[float], noise: float, rules: StackRules) -> tuple[float, float]:
    """Return the limits of linear-fit clipping of sorted samples."""
    for _ in range(rules.max_rounds):
        rank = np.arange(len(s))
        stray = np.array(s) - np.polyval(np.polyfit(rank, s, 1), rank) if len(s) > 1 else np.zeros(1)
        safe = max(float(np.mean(np.abs(stray))), LINE_FLOOR * noise)
        low = [k + 1 for k in range((len(s) - 1) // 2) if stray[k] < -rules.kappa_low * safe]
        high = [k for k in range(len(s) // 2 + 1, len(s)) if stray[k] > rules.kappa_high * safe]
        staying = s[max(low, default=0) : min(high, default=len(s))]
        if len(staying) == len(s):
            break
        s = staying
    return s[0], s[-1]


@given(
    seed=st.integers(0, 2**32 - 1),
    frames=st.integers(1, 30),
    rejection=st.sampled_from([Rejection.WINSORIZED, Rejection.KAPPA_SIGMA, Rejection.LINEAR_FIT]),
    kappas=st.tuples(st.floats(1.0, 4.0), st.floats(1.0, 4.0)),
)
@settings(max_examples=100)
def test_mean_of_one_channel_by_the_definition(seed, frames, rejection, kappas):
    cube = cube_of(seed, frames, 1, 8, 0.1, 0.15, False)
    weights = np.random.default_rng(seed).uniform(0.1, 1.0, frames).astype(np.float32)
    rules = StackRules(rejection, Combine.MEAN, *kappas)
    noise = np.array([5.0], np.float32)
    got = stack(cube, weights, noise, rules)
    sure = ~doubtful(cube, weights, noise, rules)
    for p in np.flatnonzero(sure):
        column = cube[:, 0, p]
        valid = np.isfinite(column)
        if not valid.any():
            assert np.isnan(got.value[0, p])
            continue
        low, high = by_definition(column[valid].tolist(), 5.0, rules)
        keep = valid & (column >= low) & (column <= high)
        keep = keep if keep.any() else valid
        assert got.kept[p] == keep.sum() and got.rejected[p] == (valid & ~keep).sum()
        assert got.value[0, p] == pytest.approx(np.average(column[keep], weights=weights[keep]), rel=1e-5, abs=1e-3)


@pytest.mark.parametrize(
    ("rejection", "frames", "hits"),
    [
        (Rejection.WINSORIZED, 8, 2),
        (Rejection.WINSORIZED, 25, 5),
        (Rejection.WINSORIZED, 60, 12),
        (Rejection.KAPPA_SIGMA, 25, 2),
        (Rejection.KAPPA_SIGMA, 60, 5),
        (Rejection.LINEAR_FIT, 25, 2),
        (Rejection.LINEAR_FIT, 60, 5),
    ],
)
def test_satellites_go_and_the_sky_stays(rejection, frames, hits):
    """Plain kappa-sigma can see no more than one outlier in kappa**2 + 1 samples; winsorizing a fifth."""
    rng = np.random.default_rng(8)
    clean = rng.normal(100.0, 5.0, (frames, 3, 600)).astype(np.float32)
    cube = clean.copy()
    cube[:hits] += 500.0
    result = stack(cube, np.ones(frames, np.float32), np.full(3, 5.0, np.float32), StackRules(rejection))
    assert (result.rejected >= hits).all()
    assert np.abs(result.value - clean[hits:].mean(axis=0)).max() < 5.0
    assert (result.rejected - hits).mean() / frames < 0.03  # 3 sigma in three channels: 0.8 % of good samples


def test_rejection_none_keeps_all_and_weights_count():
    cube = np.array([[[1.0]], [[2.0]], [[1000.0]]], np.float32)
    weights = np.array([1.0, 0.5, 0.25], np.float32)
    result = stack(cube, weights, np.ones(1, np.float32), StackRules(Rejection.NONE))
    assert result.value[0, 0] == pytest.approx((1 + 1 + 250) / 1.75)
    assert (result.kept[0], result.rejected[0], result.weight[0]) == (3, 0, 1.75)
    median = stack(cube, weights, np.ones(1, np.float32), StackRules(Rejection.NONE, Combine.MEDIAN))
    assert median.value[0, 0] == 2.0


@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 25), rules=st.sampled_from(ALL_RULES))
@settings(max_examples=40)
def test_weights_may_differ_within_a_frame(seed, frames, rules):
    cube = cube_of(seed, frames, 3, 60, 0.1, 0.05, False)
    noise = np.full(3, 5.0, np.float32)
    weights = np.random.default_rng(seed).uniform(0.01, 1.0, (frames, 60)).astype(np.float32)
    got = stack(cube, weights, noise, rules)
    value, weight, _, _ = stack_reference(cube, weights, noise, rules)
    sure = ~doubtful(cube, weights, noise, rules)
    np.testing.assert_allclose(got.value[:, sure], value[:, sure], rtol=2e-5, atol=2e-3)
    np.testing.assert_allclose(got.weight[sure], weight[sure], rtol=1e-5)
    same = stack(cube, np.repeat(weights[:, :1], 60, axis=1), noise, rules)
    assert same.value.tobytes() == stack(cube, weights[:, 0], noise, rules).value.tobytes()


@pytest.mark.parametrize("rejection", list(Rejection))
def test_limits_and_accumulation_give_the_stack(rejection):
    """One pass that clips against limits found from the same samples is the exact stack."""
    cube = cube_of(11, 20, 3, 500, 0.1, 0.05, False)
    weights = np.linspace(0.3, 1.0, 20).astype(np.float32)
    noise, rules = np.full(3, 5.0, np.float32), StackRules(rejection)
    unsteady = np.zeros((3, 500), np.float32)
    whole = stack(cube, weights, noise, rules, unsteady)
    low, high = limits(cube, noise, rules, unsteady)
    value, weight = np.zeros((3, 500), np.float32), np.zeros(500, np.float32)
    kept, rejected = np.zeros((2, 500), np.uint16)
    for samples, each in zip(cube, weights, strict=True):
        accumulate(samples, each[None], low, high, value, weight, kept, rejected)
    np.testing.assert_array_equal(kept, whole.kept)
    np.testing.assert_array_equal(rejected, whole.rejected)
    np.testing.assert_allclose(value[:, kept > 0] / weight[kept > 0], whole.value[:, kept > 0], rtol=1e-5, atol=1e-3)


def few(samples: list[float], rules: StackRules | None = None, noise: float = 1.0) -> tuple[float, int]:
    cube = np.array(samples, np.float32)[:, None, None]
    result = stack(cube, np.ones(len(samples), np.float32), np.full(1, noise, np.float32), rules or StackRules())
    return float(result.value[0, 0]), int(result.rejected[0])


def test_few_samples_are_judged_by_the_expected_noise():
    assert few([700.0]) == (700.0, 0)
    assert few([10.0, 12.0]) == (11.0, 0)
    assert few([10.0, 500.0]) == (10.0, 1), "of two the lower is believed"
    assert few([500.0, 10.0]) == (10.0, 1)
    assert few([10.0, 11.0, 500.0]) == (10.5, 1)
    assert few([-500.0, 10.0, 11.0]) == (10.5, 1)
    assert few([10.0, 11.0, 12.0, 500.0]) == (11.0, 1)
    assert few([1000.0, 1150.0]) == (1075.0, 0), "seeing changes a star's core by more than the noise"


@pytest.mark.parametrize("rejection", [Rejection.WINSORIZED, Rejection.KAPPA_SIGMA, Rejection.LINEAR_FIT])
def test_each_kappa_is_honoured(rejection):
    rng = np.random.default_rng(2)
    column = rng.normal(0.0, 1.0, 30)
    cube = np.concatenate([column, [-5.0, 5.0]]).astype(np.float32)[:, None, None]
    for low, high, below, above in ((3.0, 9.0, True, False), (9.0, 3.0, False, True), (9.0, 9.0, False, False)):
        rules = StackRules(rejection, Combine.MEAN, low, high)
        result = stack(cube, np.ones(32, np.float32), np.ones(1, np.float32), rules)
        assert result.rejected[0] == below + above
        kept = np.concatenate([column, [] if below else [-5.0], [] if above else [5.0]])
        assert result.value[0, 0] == pytest.approx(kept.mean(), abs=1e-5)
    three = [10.0, 14.5, 5.5]
    assert few(three, StackRules(rejection, Combine.MEAN, 3.0, 1.0))[1] == 1
    assert few(three, StackRules(rejection, Combine.MEAN, 1.0, 3.0))[1] == 1


@pytest.mark.parametrize("rejection", [Rejection.WINSORIZED, Rejection.KAPPA_SIGMA, Rejection.LINEAR_FIT])
def test_what_seeing_does_to_a_star_is_no_outlier(rejection):
    """A frame of better seeing stands out of the others at a star's core; where it is a trail, it goes."""
    cube = np.random.default_rng(5).normal(1000.0, 5.0, (20, 1, 40)).astype(np.float32)
    cube[3] += 150.0
    unsteady = np.where(np.arange(40) < 20, 60.0, 0.0).astype(np.float32)[None]
    result = stack(cube, np.ones(20, np.float32), np.full(1, 5.0, np.float32), StackRules(rejection), unsteady)
    assert (result.rejected[:20] == 0).all() and (result.rejected[20:] >= 1).all()


@pytest.mark.parametrize("combine", list(Combine))
def test_a_hit_in_one_colour_takes_the_whole_sample(combine):
    rng = np.random.default_rng(3)
    cube = rng.normal(50.0, 1.0, (15, 3, 10)).astype(np.float32)
    cube[4, 2] += 300.0
    result = stack(cube, np.ones(15, np.float32), np.ones(3, np.float32), StackRules(combine=combine))
    without = np.delete(cube, 4, axis=0)
    assert (result.rejected >= 1).all()
    alone = result.rejected == 1
    assert alone.any()
    if combine is Combine.MEAN:
        np.testing.assert_allclose(result.value[:, alone], without.mean(axis=0)[:, alone], rtol=1e-5)


@given(seed=st.integers(0, 2**32 - 1), frames=st.integers(1, 9), rules=st.sampled_from(ALL_RULES))
@settings(max_examples=100)
def test_rejection_never_empties_a_pixel(seed, frames, rules):
    """Colours may disagree about which sample is wrong; a hole in the mosaic is no answer to that."""
    rng = np.random.default_rng(seed)
    cube = (rng.normal(0.0, 1.0, (frames, 3, 40)) * 10.0 ** rng.uniform(0, 3, (1, 3, 40))).astype(np.float32)
    result = stack(cube, np.ones(frames, np.float32), np.ones(3, np.float32), rules)
    assert np.isfinite(result.value).all() and (result.kept > 0).all()
    value, _, kept, _ = stack_reference(cube, np.ones(frames, np.float32), np.ones(3, np.float32), rules)
    assert np.isfinite(value).all() and (kept > 0).all()


def test_a_sample_lacking_one_colour_is_no_sample():
    cube = np.full((3, 3, 1), 5.0, np.float32)
    cube[0, 1, 0] = np.nan
    cube[1, 2, 0] = np.inf
    result = stack(cube, np.ones(3, np.float32), np.ones(3, np.float32), StackRules())
    assert result.kept[0] == 1 and result.rejected[0] == 0 and (result.value == 5.0).all()


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5, 8, 13, 31, 64, 100])
def test_network_sorts(n):
    rng = np.random.default_rng(n)
    items = rng.integers(0, max(n // 2, 1), (n, 200))
    for a, b in sorting_network(n):
        items[[a, b]] = np.minimum(items[a], items[b]), np.maximum(items[a], items[b])
    assert (np.diff(items, axis=0) >= 0).all()


def test_each_pixel_is_judged_by_the_noise_of_its_own_frames():
    rng = np.random.default_rng(3)
    cube = rng.normal(0.0, 1.0, (3, 3, 400)).astype(np.float32)
    cube[2, :, 200:] = np.nan
    expected = ExpectedNoise(3, 400)
    for planes, sigma in zip(cube, (1.0, 2.0, 2.0), strict=True):
        expected.add(planes, np.full(3, sigma, np.float32))
    noise = expected.values()
    np.testing.assert_allclose(noise[:, :200], np.sqrt(3.0 / (1.0 + 0.25 + 0.25)), rtol=1e-6)
    np.testing.assert_allclose(noise[:, 200:], np.sqrt(2.0 / 1.25), rtol=1e-6)
    assert ExpectedNoise(3, 4).values().tolist() == [[0.0] * 4] * 3
    noise[:, 100:] *= np.float32(4)
    cube[0, 1] += 12.0
    whole = stack(cube, np.ones(3, np.float32), noise, StackRules())
    value, _, kept, _ = stack_reference(cube, np.ones(3, np.float32), noise, StackRules())
    np.testing.assert_array_equal(whole.kept, kept)
    np.testing.assert_allclose(whole.value, value, rtol=1e-5, atol=1e-5)
    assert (kept[:100] == 2).mean() > 0.9 and (kept[100:200] == 3).mean() > 0.9


@pytest.mark.slow
def test_what_is_compiled_is_found(tmp_path):
    program = (
        "import numpy as np; from zemosaic.stacking.kernel import *; from zemosaic.stacking.rules import StackRules;"
        "print(is_compiled()); ones = np.ones((2, 1, 3), np.float32);"
        "stack(ones, ones[:, 0, 0], ones[0, 0, :1], StackRules()); print(is_compiled())"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", program]
    told = [subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()]
    told.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split())
    assert told == [["False", "True"], ["True", "True"]]
