"""White from stars of known colour: gains that are right, errors that are true, few stars, odd stars."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.stars.response import USUAL, ColourResponse, Slope
from zemosaic.stars.white import SUN_BP_RP, StarColoursMeasured, fit_colour_line, white_of_locus, white_of_stars

RED, BLUE = (0.45, -0.45), (0.3, 0.62)
"""A camera's colours of the Sun, and their slopes."""


def sample(count: int, seed: int, scatter: float = 0.02) -> StarColoursMeasured:
    rng = np.random.default_rng(seed)
    bp_rp = rng.normal(0.95, 0.4, count)
    red, blue = (at_sun + slope * (bp_rp - SUN_BP_RP) + rng.normal(0, scatter, count) for at_sun, slope in (RED, BLUE))
    small = np.full(count, 0.002)
    return StarColoursMeasured(bp_rp, red, blue, small, small)


def errors(count: int, scatter: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """Return how far red and blue are off, and the stated errors, over many fields."""
    off, stated = [], []
    for seed in range(60):
        white = white_of_stars(sample(count, seed, scatter), USUAL, "test")
        assert white is not None
        off.append((white.red.at_sun - RED[0], white.blue.at_sun - BLUE[0]))
        stated.append((white.red.at_sun_error, white.blue.at_sun_error))
    return np.array(off), np.array(stated)


@pytest.mark.parametrize(("count", "limit"), [(20, 0.01), (5, 0.02), (3, 0.04)])
def test_white_is_right_and_its_error_true(count, limit):
    off, stated = errors(count)
    assert np.percentile(np.abs(off), 90) < limit
    ratio = np.sqrt(np.mean(off**2)) / np.sqrt(np.mean(stated**2))
    assert 1 / 1.5 < ratio < 1.5


def test_the_gains_undo_the_colour_of_the_sun():
    white = white_of_stars(sample(40, 1, 1e-4), USUAL, "test")
    red, green, blue = white.colour.gains
    assert green == 1.0
    assert red == pytest.approx(10 ** (0.4 * RED[0]), rel=2e-3)
    assert blue == pytest.approx(10 ** (0.4 * BLUE[0]), rel=2e-3)
    assert white.colour.stars == 40 and white.colour.method == "stars"


def test_a_blend_in_five_stars_hardly_counts():
    stars = sample(6, 4, 0.005)
    stars.red[2] += 0.5
    line = fit_colour_line(stars.bp_rp, stars.red, stars.red_error, USUAL.red)
    assert abs(line.at_sun - RED[0]) < 0.03
    assert line.weights[2] < 0.2 * np.median(line.weights)


def test_a_known_slope_carries_stars_that_are_all_red():
    stars = sample(4, 2, 0.003)
    stars.bp_rp[:] = [1.6, 1.62, 1.58, 1.61]
    stars.red[:] = RED[0] + RED[1] * (stars.bp_rp - SUN_BP_RP)
    known = fit_colour_line(stars.bp_rp, stars.red, stars.red_error, Slope(RED[1], 0.01))
    vague = fit_colour_line(stars.bp_rp, stars.red, stars.red_error, Slope(RED[1], 0.15))
    assert known.at_sun == pytest.approx(RED[0], abs=0.005)
    assert vague.at_sun_error > 5 * known.at_sun_error


def test_two_stars_are_too_few_and_the_locus_needs_many():
    assert white_of_stars(sample(2, 1), USUAL, "test") is None
    assert white_of_locus(sample(10, 1), USUAL, "test") is None


def test_the_locus_is_less_certain_and_says_so():
    known = ColourResponse(Slope(RED[1], 0.02), Slope(BLUE[1], 0.02))
    white = white_of_locus(sample(400, 1), known, "test")
    assert white.colour.method == "locus"
    assert white.colour.error_mag > 0.04
    assert abs(white.red.at_sun - RED[0]) < 2 * white.colour.error_mag
    assert abs(white.blue.at_sun - BLUE[0]) < 2 * white.colour.error_mag
