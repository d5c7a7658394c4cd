"""The fall of light: taken where the data determine it, left at its prior where they do not."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration.fixed_parameters import FixedParameters
from zemosaic.calibration.illumination import clustered_information, determine_fall, fall_of_stars


@pytest.mark.parametrize("value, sigma", [(-0.18, 0.02), (-0.05, 0.008), (0.3, 0.02), (-0.4, 0.05)])
def test_what_many_errors_show_is_taken(value, sigma):
    fall = determine_fall(np.array([[sigma**-2]]), np.array([value * sigma**-2]))
    assert fall.determined[0]
    assert fall.vignetting[0] == pytest.approx(value, rel=0.07)
    assert fall.sigma[0] == pytest.approx(sigma)


@pytest.mark.parametrize("value, sigma", [(-1.6, 1.0), (-0.18, 0.07), (0.2, 0.05), (0.5, 0.3), (0.02, 0.005)])
def test_what_few_errors_show_stays_at_the_prior(value, sigma):
    """A bowl of 0.33 x 0.016 is half a percent of the sky at a corner, 3 ADU of 590."""
    fall = determine_fall(np.array([[sigma**-2]]), np.array([value * sigma**-2]))
    assert not fall.determined[0] and abs(fall.vignetting[0]) < 0.016


def test_where_nothing_is_known_the_value_is_the_expected():
    fall = determine_fall(np.zeros((2, 2)), np.zeros(2), np.array([-0.2, 0.0]))
    np.testing.assert_allclose(fall.vignetting, [-0.2, 0.0])
    assert np.isinf(fall.sigma).all() and not fall.determined.any()


def test_a_difference_between_cameras_is_kept_though_neither_is_determined():
    """Skies of two cameras that look at one field know the difference of their bowls, not the sum."""
    information = 1e6 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    fall = determine_fall(information, information @ np.array([-0.004, 0.004]))
    assert not fall.determined.any()
    assert fall.vignetting[0] - fall.vignetting[1] == pytest.approx(-0.008, rel=0.05)
    assert fall.vignetting.sum() == pytest.approx(0.0, abs=1e-6)


def test_cameras_whose_falls_are_alike_are_determined_together():
    """Each alone would have to differ from the other, whose difference is known best."""
    falls = np.array([-0.16, -0.165])
    information = 1e5 * np.array([[1.0, -1.0], [-1.0, 1.0]]) + np.diag([0.014**-2.0, 0.016**-2.0])
    fall = determine_fall(information, information @ falls)
    assert fall.determined.all()
    assert fall.vignetting == pytest.approx(falls, abs=0.005)


def test_a_camera_of_which_nothing_is_known_is_not_determined_with_the_others():
    information = np.diag([0.01**-2.0, 0.3**-2.0])
    fall = determine_fall(information, information @ np.array([-0.16, -0.4]))
    assert fall.determined.tolist() == [True, False]
    assert abs(fall.vignetting[1]) < 0.01


def test_held_cameras_stay():
    held = FixedParameters(
        np.zeros(0, bool), np.ones((0, 1)), np.zeros((0, 1, 3)), np.array([True, False]), np.full(2, -0.3), np.zeros(2)
    )
    fall = fall_of_stars(np.array([0.1, -0.2]), np.array([0.01, 0.01]), held)
    assert fall.vignetting[0] == -0.3 and fall.vignetting[1] == pytest.approx(-0.2, abs=0.01)


def test_stars_that_share_their_faults_know_less():
    """A hundred observations of each of six stars, each star off by one error: information of six, not of 600."""
    rng = np.random.default_rng(5)
    star = np.repeat(np.arange(6), 100)
    derivative = np.repeat(np.linspace(-1.0, 1.0, 6), 100)
    residual = np.repeat(rng.normal(0, 1.0, 6), 100)
    alone = clustered_information(derivative, derivative, residual, [np.arange(600)])
    shared = clustered_information(derivative, derivative, residual, [np.arange(600), star])
    assert shared < 0.1 * alone
    assert clustered_information(np.zeros(3), np.zeros(3), np.ones(3), [np.arange(3)]) == 0.0


def test_errors_that_hang_together_count_once():
    weighted = np.array([1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0])
    derivative, residual = np.ones(8), np.array([1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, -1.0])
    pairs, halves = np.arange(8) // 2, np.arange(8) // 4
    # Four clusters whose sums are 3 and -3: variance 36 * 4 / 3 of a formal 12.
    assert clustered_information(weighted, derivative, residual, [pairs]) == pytest.approx(12.0**2 / 48.0)
    # Two clusters are too few to tell, and small scatter makes nothing better than independent errors.
    assert clustered_information(weighted, derivative, residual, [halves]) == pytest.approx(12.0)
    assert clustered_information(weighted, derivative, 0.1 * residual, [pairs]) == pytest.approx(12.0)
    assert clustered_information(weighted, -derivative, residual, [pairs]) == 0.0


@pytest.mark.parametrize(("sign", "needed"), [(-1.0, 6.0), (1.0, 20.0)])
def test_a_fall_is_taken_from_the_odds_that_are_asked_for(sign, needed):
    information = 1e4
    wide, narrow = 0.2**-2, 0.005**-2
    # Logarithm of the evidence of a normal prior: v**2 i**2 / (i + p) / 2 - log(1 + i / p) / 2.
    gained = 0.5 * information**2 * (1.0 / (information + wide) - 1.0 / (information + narrow))
    v = np.sqrt((needed + 0.5 * np.log((1 + information / wide) / (1 + information / narrow))) / gained)
    for part, determined in ((0.99, False), (1.01, True)):
        value = sign * part * v
        got = determine_fall(np.array([[information]]), np.array([information * value]))
        assert got.determined.tolist() == [determined]
        precision = wide if determined else narrow
        assert got.vignetting[0] == pytest.approx(value * information / (information + precision))
        assert got.sigma[0] == pytest.approx(0.01)
