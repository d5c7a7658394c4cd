"""The light of stars on the canvas: all of it, in its place, whatever box it is drawn in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.mosaic.starlight import TileStars, starlight


def one_star(x: float, y: float, flux: tuple[float, ...] = (1000.0, 2000.0, 500.0), fwhm: float = 3.0) -> TileStars:
    return TileStars(np.array([x]), np.array([y]), np.array([flux]), fwhm)


def test_light_and_width_and_place():
    light = starlight(one_star(40.3, 52.0), (0, 101, 0, 90), 3)
    np.testing.assert_allclose(light.sum(axis=(1, 2)), [1000.0, 2000.0, 500.0], rtol=0.02)
    rows, columns = np.mgrid[0:101, 0:90]
    assert (light[1] * columns).sum() / light[1].sum() == pytest.approx(40.3, abs=0.02)
    assert (light[1] * rows).sum() / light[1].sum() == pytest.approx(52.0, abs=0.02)
    across = starlight(one_star(40.0, 52.0, fwhm=6.0), (0, 101, 0, 90), 3)[0]
    assert across[52, 43] / across[52, 40] == pytest.approx(0.5, rel=1e-5)


def test_a_mono_star_lights_all_channels_and_a_dark_one_none():
    light = starlight(one_star(10.0, 10.0, (100.0,)), (0, 21, 0, 21), 3)
    np.testing.assert_array_equal(light[0], light[2])
    assert starlight(one_star(10.0, 10.0, (-100.0,)), (0, 21, 0, 21), 1).max() == 0.0


@given(x=st.floats(-30, 130), y=st.floats(-30, 130), top=st.integers(0, 100), left=st.integers(0, 100))
@settings(max_examples=80)
def test_light_does_not_depend_on_the_box(x, y, top, left):
    """Bands of a tile are cut by the memory there is; what is rejected must not depend on that."""
    stars = TileStars(np.array([x, 55.55]), np.array([y, 71.37]), np.array([[1e5], [3e4]]), 3.1)
    whole = starlight(stars, (0, 120, 0, 120), 1)
    part = starlight(stars, (top, 120, left, 120), 1)
    assert np.ascontiguousarray(whole[:, top:, left:]).tobytes() == part.tobytes()
