"""Weights for faint stars: the optimum of the sum that is made, and what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration.frame_weights import faint_star_weights, weight_price

RNG = np.random.default_rng(7)
FWHM = RNG.uniform(4.5, 9.5, 40)
VARIANCE = RNG.uniform(80.0, 300.0, 40)


def best_weights() -> np.ndarray:
    """Return the weights of the least noise of a faint star's flux, by linear algebra."""
    shared = 1.0 / (FWHM[:, None] ** 2 + FWHM[None, :] ** 2)
    root = np.sqrt(VARIANCE)
    values, vectors = np.linalg.eigh(shared / root[:, None] / root[None, :])
    return np.abs(vectors[:, np.argmax(values)]) / root


def test_hardly_any_weights_show_fainter_stars():
    least = weight_price(best_weights(), VARIANCE, FWHM).star_noise
    weights = faint_star_weights(VARIANCE, FWHM)
    assert weight_price(weights, VARIANCE, FWHM).star_noise == pytest.approx(least, rel=5e-3)
    assert least < 0.985
    assert weight_price(1.0 / VARIANCE / FWHM**2, VARIANCE, FWHM).star_noise > least + 0.005


def test_the_price_in_noise_of_the_sky_is_told():
    price = weight_price(faint_star_weights(VARIANCE, FWHM), VARIANCE, FWHM)
    assert 1.01 < price.pixel_noise < 1.06
    plain = weight_price(1.0 / VARIANCE, VARIANCE, FWHM)
    assert plain.pixel_noise == pytest.approx(1.0) and plain.star_noise == pytest.approx(1.0)


def test_alike_and_unknown_widths_leave_the_inverse_variance():
    for fwhm in (np.full(40, 6.0), np.full(40, np.nan)):
        weights = faint_star_weights(VARIANCE, fwhm) * VARIANCE
        assert weights == pytest.approx(weights[0])
    one = FWHM.copy()
    one[3] = np.nan
    assert np.isfinite(faint_star_weights(VARIANCE, one)).all()
