"""The light of stars on the canvas: all of it, in its place, whatever box it is drawn in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.model import FieldStars, GridPlan, TileSpec
from zemosaic.mosaic.star_model import TileStars, seeing_tolerance, star_model, stars_by_tile
from zemosaic.wcs import FrameWcs


def one_star(x: float, y: float, flux: tuple[float, ...] = (1000.0, 2000.0, 500.0), fwhm: float = 3.0) -> TileStars:
    return TileStars(np.array([x]), np.array([y]), np.array([flux]), fwhm)


def test_light_and_width_and_place():
    light = star_model(one_star(40.3, 52.0), (0, 101, 0, 90), 3)
    np.testing.assert_allclose(light.sum(axis=(1, 2)), [1000.0, 2000.0, 500.0], rtol=0.02)
    rows, columns = np.mgrid[0:101, 0:90]
    assert (light[1] * columns).sum() / light[1].sum() == pytest.approx(40.3, abs=0.02)
    assert (light[1] * rows).sum() / light[1].sum() == pytest.approx(52.0, abs=0.02)
    across = star_model(one_star(40.0, 52.0, fwhm=6.0), (0, 101, 0, 90), 3)[0]
    assert across[52, 43] / across[52, 40] == pytest.approx(0.5, rel=1e-5)


def test_a_mono_star_lights_all_channels_and_a_dark_one_none():
    light = star_model(one_star(10.0, 10.0, (100.0,)), (0, 21, 0, 21), 3)
    np.testing.assert_array_equal(light[0], light[2])
    assert star_model(one_star(10.0, 10.0, (-100.0,)), (0, 21, 0, 21), 1).max() == 0.0


def test_what_seeing_changes():
    """The softest frame takes the core's light into the wings; the sharpest does the reverse."""
    star, box = one_star(20.0, 20.0, (1e4,)), (0, 41, 0, 41)
    usual, sharp, soft = (star_model(one_star(20.0, 20.0, (1e4,), fwhm), box, 1) for fwhm in (3.0, 2.4, 4.5))
    changed = seeing_tolerance(replace(star, seeing=(0.8, 1.5)), box, 1, 0.0, 1.0)
    near = np.hypot(*(np.mgrid[:41, :41] - 20.0)) < 16.0
    most = np.maximum(abs(sharp - usual), abs(soft - usual))
    np.testing.assert_allclose(changed[0][near], most[0][near], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(seeing_tolerance(star, box, 1, 0.2, 0.0), 0.2 * usual, rtol=1e-5)
    np.testing.assert_allclose(seeing_tolerance(star, box, 1, 0.2, 1.0), 0.2 * usual, rtol=1e-5)


def test_a_finer_canvas_has_wider_stars():
    canvas = FrameWcs(50.0, 30.0, 50.0, 50.0, ((-0.001, 0.0), (0.0, 0.001)))
    box = (0, 100, 0, 100)
    plan = GridPlan(canvas, 100, 100, 1, (TileSpec(0, box, box, (0,)),))
    field = FieldStars(np.array([50.0]), np.array([30.0]), np.array([[1.0]]), 3.0, 10.8, (0.9, 1.2))
    (near,) = stars_by_tile(plan, field)
    assert near.fwhm_px == pytest.approx(3.0) and near.seeing == (0.9, 1.2)
    finer = replace(canvas, cd=((-0.0005, 0.0), (0.0, 0.0005)))
    (near,) = stars_by_tile(replace(plan, wcs=finer), field)
    assert near.fwhm_px == pytest.approx(6.0)


@given(x=st.floats(-30, 130), y=st.floats(-30, 130), top=st.integers(0, 100), left=st.integers(0, 100))
@settings(max_examples=80)
def test_light_does_not_depend_on_the_box(x, y, top, left):
    """Bands of a tile are cut by the memory there is; what is rejected must not depend on that."""
    stars = TileStars(np.array([x, 55.55]), np.array([y, 71.37]), np.array([[1e5], [3e4]]), 3.1)
    stars = replace(stars, seeing=(0.8, 1.3))
    whole = seeing_tolerance(stars, (0, 120, 0, 120), 1, 0.2, 0.3)
    part = seeing_tolerance(stars, (top, 120, left, 120), 1, 0.2, 0.3)
    assert np.ascontiguousarray(whole[:, top:, left:]).tobytes() == part.tobytes()
