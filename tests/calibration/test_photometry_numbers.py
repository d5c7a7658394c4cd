"""Figures of the photometry against what follows from its inputs: exact light, errors by the number of stars."""

from __future__ import annotations

import math

import numpy as np
import pytest
from frames_of_sky import frame_of, measured_of

from zemosaic.calibration.fixed_parameters import FixedParameters
from zemosaic.calibration.photometry import (
    BLOCKS,
    MIN_ZERO_POINT_ERROR,
    ZERO_POINT_PRIOR,
    Photometry,
    _block,
    _brightest,
    grey_prior,
    solve_photometry,
)
from zemosaic.model import MeasuredFrame

WIDTH, HEIGHT = 600, 900
STARS = 49
RELATIVE_ERROR = 0.05
FLUX = np.geomspace(2000.0, 60000.0, STARS)
PLACE = np.divmod(np.arange(STARS), 7)


def frames_with(transparency: np.ndarray, unit: float = 1.0, relative_error: float = RELATIVE_ERROR):
    """Return frames without noise that see all stars at the same places of a sensor without vignetting."""
    frames = []
    for k, light in enumerate(np.atleast_2d(transparency.T).T):
        flux = unit * FLUX[:, None] * light
        frames.append(
            measured_of(
                frame_of(WIDTH, HEIGHT, frame_id=k),
                50.0 + 80.0 * PLACE[1],
                60.0 + 120.0 * PLACE[0],
                flux,
                relative_error * flux,
                sky=(1000.0,) * flux.shape[1],
                noise=(10.0,) * flux.shape[1],
            )
        )
    return frames, [np.arange(STARS)] * len(frames)


def solved(frames: list[MeasuredFrame], ids: list[np.ndarray], fixed: FixedParameters | None = None) -> Photometry:
    return solve_photometry(frames, ids, np.zeros(len(frames), int), None, fixed)


TRUTH = np.array([1.0, 0.4, 0.7, 1.3, 1.1])


def test_light_without_noise_comes_back_with_the_error_that_the_stars_give():
    got = solved(*frames_with(TRUTH))
    np.testing.assert_allclose(got.transparency[:, 0], TRUTH, rtol=2e-4)
    # Neighbouring frames share the errors of their stars: twice the formal error, and never less than a floor.
    expected = TRUTH * np.hypot(2.0 * RELATIVE_ERROR / math.sqrt(STARS), MIN_ZERO_POINT_ERROR)
    np.testing.assert_allclose(got.transparency_sigma[:, 0], expected, rtol=0.01)
    # The mean of a logarithm lies lower than the logarithm of the mean by half the variance.
    np.testing.assert_allclose(got.star_flux[:, 0], FLUX * math.exp(0.5 * RELATIVE_ERROR**2), rtol=2e-4)
    assert got.n_stars.tolist() == [STARS] * len(TRUTH)
    assert np.abs(got.stars_vignetting).max() < 1e-3
    np.testing.assert_array_equal(got.mean_residual, 0.0)


def test_transparency_does_not_depend_on_the_unit_of_light():
    rng = np.random.default_rng(5)
    frames, ids = frames_with(TRUTH[:, None] * rng.uniform(0.9, 1.1, 3))
    other, _ = frames_with(TRUTH[:, None] * np.random.default_rng(5).uniform(0.9, 1.1, 3), unit=16.0)
    one, two = solved(frames, ids), solved(other, ids)
    np.testing.assert_allclose(two.transparency, one.transparency, rtol=1e-6)
    np.testing.assert_allclose(two.transparency_sigma, one.transparency_sigma, rtol=1e-4)
    np.testing.assert_allclose(two.star_flux, 16.0 * one.star_flux, rtol=1e-6)


def test_stars_count_from_a_signal_of_five_errors_and_with_a_second_frame():
    frames, ids = frames_with(TRUTH, relative_error=0.19)
    assert solved(frames, ids).n_stars.tolist() == [STARS] * len(TRUTH)
    frames, ids = frames_with(TRUTH, relative_error=0.21)
    assert solved(frames, ids).n_stars.tolist() == [0] * len(TRUTH)
    frames, ids = frames_with(TRUTH)
    alone, unknown = ids[0].copy(), ids[1].copy()
    alone[:3] = STARS + np.arange(3)
    unknown[5:9] = -1
    got = solved(frames, [alone, unknown, *ids[2:]])
    assert got.n_stars.tolist() == [STARS - 3, STARS - 4, STARS, STARS, STARS]
    assert np.isnan(got.star_flux[STARS:]).all() and np.isfinite(got.star_flux[:STARS]).all()


def test_what_held_frames_leave_of_their_stars_is_told_in_log_transparency():
    frames, ids = frames_with(np.array([1.0, 1.2, 0.5]))
    held = FixedParameters.none(3, 1, 1)
    held.frames[:2] = True
    got = solved(frames, ids, held)
    np.testing.assert_allclose(got.mean_residual, [-0.5 * math.log(1.2), 0.5 * math.log(1.2), 0.0], atol=4e-3)
    np.testing.assert_allclose(got.transparency[:2, 0], 1.0)
    assert got.transparency[2, 0] == pytest.approx(0.5 / math.sqrt(1.2), rel=4e-3)
    assert (got.transparency_sigma[:2] < 1e-8).all()


def test_parts_of_the_sensor_are_counted_along_the_rows():
    frame = frames_with(np.ones(1))[0][0]
    across, down = WIDTH / BLOCKS, HEIGHT / BLOCKS
    x, y = (np.arange(BLOCKS) + 0.5) * across, (np.arange(BLOCKS) + 0.5) * down
    got = _block(np.tile(x, BLOCKS), np.repeat(y, BLOCKS), frame)
    assert got.tolist() == list(range(BLOCKS**2))
    assert _block(np.array([-0.5, WIDTH + 0.5]), np.array([-0.5, HEIGHT + 0.5]), frame).tolist() == [0, BLOCKS**2 - 1]


def test_of_each_frame_the_stars_stay_whose_mean_light_is_largest():
    star, frame = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 0, 1, 1, 1])
    flux = np.array([10.0, 30.0, 20.0, 40.0, 32.0, 1.0])
    assert _brightest(star, frame, flux, 1).tolist() == [False, True, False, False, True, False]
    assert _brightest(star, frame, flux, 2).tolist() == [True, True, False, True, True, False]


def colours(scatter: float, seed: int = 3, frames: int = 800) -> tuple[np.ndarray, np.ndarray]:
    """Return logarithms of light with colours of a known scatter, and the part that all channels share."""
    rng = np.random.default_rng(seed)
    grey = rng.uniform(-1.0, 0.0, (frames, 1))
    expected = grey + np.array([0.3, 0.0, -0.3])
    return expected + rng.normal(0.0, scatter, expected.shape), expected


@pytest.mark.parametrize("scatter", [0.02, 0.1])
@pytest.mark.parametrize("sigma", [0.001, 0.05])
def test_the_scatter_of_colours_is_what_errors_do_not_explain(scatter, sigma):
    light, expected = colours(math.hypot(scatter, sigma))
    centre, spread = grey_prior(light, np.full(light.shape, sigma), np.zeros(len(light), int))
    np.testing.assert_allclose(spread, scatter, rtol=0.2)
    assert (spread == spread[0]).all()
    # A mean of three channels has a third of their variance.
    assert (centre - expected).std() == pytest.approx(math.hypot(scatter, sigma) / math.sqrt(3.0), rel=0.08)
    np.testing.assert_allclose(np.diff(centre.mean(axis=0)), -0.3, atol=0.02)


def test_colours_without_scatter_are_known_to_the_smallest_error_and_wild_ones_do_not_widen_it():
    light, expected = colours(0.0)
    centre, spread = grey_prior(light, np.full(light.shape, 0.001), np.zeros(len(light), int))
    np.testing.assert_allclose(spread, MIN_ZERO_POINT_ERROR)
    np.testing.assert_allclose(centre, expected, atol=1e-9)
    wild, _ = colours(0.02)
    wild[7, 2] += 5.0
    _, spread = grey_prior(wild, np.full(light.shape, 0.001), np.zeros(len(light), int))
    np.testing.assert_allclose(spread, 0.02, rtol=0.25)


def test_a_channel_with_a_larger_error_says_less_of_the_grey():
    light, _ = colours(0.0, frames=6)
    sigma = np.full(light.shape, 0.01)
    sigma[0, 2] = 0.1
    light[0, 2] += 0.05
    centre, spread = grey_prior(light, sigma, np.zeros(6, int))
    weight = 1.0 / (sigma[0] ** 2 + spread[0] ** 2)
    shift = centre[0] - (light[0] - [0.0, 0.0, 0.05])
    np.testing.assert_allclose(shift.mean(), 0.05 * weight[2] / weight.sum(), atol=2e-4)


def test_cameras_with_fewer_than_four_frames_have_the_wide_prior():
    light, expected = colours(0.0, frames=7)
    centre, spread = grey_prior(light, np.full(light.shape, 0.001), np.array([0, 1, 0, 1, 0, 1, 1]))
    few = np.array([0, 2, 4])
    assert (centre[few] == 0.0).all() and (spread[few] == ZERO_POINT_PRIOR).all()
    np.testing.assert_allclose(centre[[1, 3, 5, 6]], expected[[1, 3, 5, 6]], atol=1e-9)
