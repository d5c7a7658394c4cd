"""What rejection does to stars under changing seeing: their cores keep their light beside their wings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zemosaic.coadd.tile_stacker import STAR_SHAPE_TOLERANCE
from zemosaic.mosaic.star_model import TileStars, seeing_tolerance, star_model
from zemosaic.stacking.kernel import stack
from zemosaic.stacking.rules import Rejection, StackRules

NOISE, FWHM, SEEING, FRAMES = 5.0, 3.0, 0.08, 30
POOR = 1.4
"""Seeing of every tenth frame over that of the others."""
SPACING, PER_SIDE = 24, 5
SIDE = SPACING * PER_SIDE


def stars_of(flux: float, fwhm: float) -> TileStars:
    """Return equal stars, each at another place within its pixel."""
    shift = np.random.default_rng(4).uniform(-0.5, 0.5, (2, PER_SIDE, PER_SIDE))
    y, x = SPACING * (np.mgrid[:PER_SIDE, :PER_SIDE] + 0.5) + shift
    return TileStars(x.ravel(), y.ravel(), np.full((x.size, 3), flux), fwhm)


def widths_of() -> np.ndarray:
    """Return the width of the stars of each frame: seeing varies, and is poor in every tenth."""
    fwhm = FWHM * np.random.default_rng(5).lognormal(0.0, SEEING, FRAMES)
    fwhm[::10] *= POOR
    return fwhm


def frames_of(flux: float) -> np.ndarray:
    """Return frames of these stars, shape (frames, 3, pixels), with the noise of sky and light."""
    rng = np.random.default_rng(6)
    box = (0, SIDE, 0, SIDE)
    light = [star_model(stars_of(flux, one), box, 3) for one in widths_of()]
    return np.array([value + rng.normal(0.0, np.sqrt(NOISE**2 + value)) for value in light], np.float32).reshape(
        FRAMES, 3, -1
    )


def core_to_wing(image: np.ndarray, stars: TileStars) -> np.ndarray:
    """Return each channel's light within 1 px of the stars' middles over that from 1 to 6 px."""
    yy, xx = np.mgrid[:SIDE, :SIDE]
    distance = np.min(np.hypot(xx - stars.x[:, None, None], yy - stars.y[:, None, None]), axis=0)
    planes = image.reshape(3, SIDE, SIDE)
    wing = (distance > 1.0) & (distance <= 6.0)
    return planes[:, distance <= 1.0].sum(axis=1) / planes[:, wing].sum(axis=1)


@pytest.mark.parametrize(("flux", "kappa"), [(3e2, 3.0), (1e3, 2.0), (1e4, 3.0), (1e4, 2.0), (1e5, 3.0), (1e6, 3.0)])
@pytest.mark.parametrize("rejection", [Rejection.WINSORIZED, Rejection.KAPPA_SIGMA, Rejection.LINEAR_FIT])
def test_cores_of_stars_keep_their_light(flux, kappa, rejection):
    fwhm = widths_of()
    usual = float(np.median(fwhm))
    cube, stars = frames_of(flux), stars_of(flux, usual)
    seen = replace(stars, seeing=(fwhm.min() / usual, fwhm.max() / usual))
    weights, noise = np.ones(FRAMES, np.float32), np.full(3, NOISE, np.float32)
    unsteady = seeing_tolerance(seen, (0, SIDE, 0, SIDE), 3, STAR_SHAPE_TOLERANCE, 1.0 / kappa).reshape(3, -1)
    plain, rejected = (
        core_to_wing(stack(cube, weights, noise, rules, unsteady).value, stars)
        for rules in (StackRules(Rejection.NONE), StackRules(rejection, kappa_low=kappa, kappa_high=kappa))
    )
    np.testing.assert_allclose(rejected, plain, rtol=0.006)
