"""Geometry on the sky: against itself, against astropy, and at the places where formulas break."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zemosaic.wcs import (
    Distortion,
    FrameWcs,
    from_tangent_plane,
    mean_direction,
    ra_dec,
    separation_deg,
    tangent_plane,
    unit_vectors,
)

WIDTH, HEIGHT = 1080, 1920
SCALE = 2.39 / 3600.0
CUBIC = 1.5 / (0.5 * math.hypot(WIDTH, HEIGHT)) ** 3
BENT = Distortion((2e-7, -1e-7, 3e-7, CUBIC, 1e-10, CUBIC, -2e-10), (1e-7, 2e-7, -3e-7, 1e-10, CUBIC, 2e-10, CUBIC))

directions = st.tuples(st.floats(0.0, 359.999), st.floats(-90.0, 90.0))
POLE_AND_WRAP = [(0.0, 90.0), (123.0, -90.0), (0.0, 0.0), (359.9999, 12.0), (1e-9, -89.9999)]


def frame_wcs(ra: float, dec: float, turn_deg: float = 0.0, mirrored: bool = False, bent: bool = False) -> FrameWcs:
    s, t = SCALE, math.radians(turn_deg)
    sign = 1.0 if mirrored else -1.0
    cd = ((sign * s * math.cos(t), s * math.sin(t)), (-sign * s * math.sin(t), s * math.cos(t)))
    return FrameWcs(ra, dec, 0.5 * (WIDTH - 1), 0.5 * (HEIGHT - 1), cd, BENT if bent else None)


def pixels(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return rng.uniform(-0.5, WIDTH - 0.5, n), rng.uniform(-0.5, HEIGHT - 0.5, n)


@given(directions)
@example((0.0, 90.0))
@example((359.999, -90.0))
def test_vectors_and_angles_are_inverse(direction):
    vector = unit_vectors(*direction)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-15)
    ra, dec = ra_dec(3.7 * vector)
    assert 0.0 <= ra < 360.0
    assert separation_deg(ra, dec, *direction) < 1e-12


@pytest.mark.parametrize("centre", POLE_AND_WRAP)
def test_tangent_plane_and_back_everywhere(centre):
    rng = np.random.default_rng(1)
    xi, eta = rng.uniform(-40.0, 40.0, (2, 200))
    ra, dec = from_tangent_plane(xi, eta, *centre)
    assert (ra >= 0).all() and (ra < 360).all()
    again_xi, again_eta = tangent_plane(ra, dec, *centre)
    np.testing.assert_allclose(again_xi, xi, atol=1e-9)
    np.testing.assert_allclose(again_eta, eta, atol=1e-9)


def test_far_half_of_the_sky_is_nan_and_the_near_half_is_not():
    ra, dec = np.array([30.0, 210.0, 125.0, 119.0]), np.array([10.0, -10.0, 0.0, 10.0])
    xi, eta = tangent_plane(ra, dec, 30.0, 10.0)
    far = separation_deg(ra, dec, 30.0, 10.0) > 90.0
    np.testing.assert_array_equal(np.isnan(xi), far)
    np.testing.assert_array_equal(np.isnan(eta), far)
    x, y = frame_wcs(30.0, 10.0, bent=True).sky_to_pixel(210.0, -10.0)
    assert np.isnan(x) and np.isnan(y)


@given(directions, st.floats(-180, 180), st.booleans(), st.booleans())
@example((0.0, 90.0), 33.0, False, True)
@example((0.0, -90.0), 33.0, True, True)
@example((0.0001, 5.0), 0.0, False, True)
@settings(max_examples=60)
def test_pixels_to_the_sky_and_back(centre, turn, mirrored, bent):
    wcs = frame_wcs(*centre, turn, mirrored, bent)
    x, y = pixels()
    again_x, again_y = wcs.sky_to_pixel(*wcs.pixel_to_sky(x, y))
    np.testing.assert_allclose(again_x, x, atol=1e-6)
    np.testing.assert_allclose(again_y, y, atol=1e-6)


@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("centre", [(314.7, 44.1), (0.05, -3.0), (200.0, 89.7), (10.0, -89.9)])
def test_cards_mean_the_same_to_astropy(centre, mirrored, bent):
    wcs = frame_wcs(*centre, 27.0, mirrored, bent)
    header = fits.Header()
    header.update(wcs.to_cards())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = WCS(header)
    x, y = pixels()
    ra, dec = wcs.pixel_to_sky(x, y)
    their_ra, their_dec = theirs.all_pix2world(x, y, 0)
    assert separation_deg(ra, dec, their_ra, their_dec).max() * 3600.0 < 1e-6
    their_x, their_y = theirs.all_world2pix(ra, dec, 0, tolerance=1e-9)
    our_x, our_y = wcs.sky_to_pixel(ra, dec)
    assert np.hypot(our_x - their_x, our_y - their_y).max() < 1e-6


def test_mean_direction_across_zero_hours_and_over_the_pole():
    ra, dec = mean_direction([359.0, 1.0], [20.0, 20.0])
    assert min(ra, 360.0 - ra) < 1e-9 and dec == pytest.approx(20.0, abs=0.01)
    ra, dec = mean_direction([10.0, 130.0, 250.0], [85.0, 85.0, 85.0])
    assert dec == pytest.approx(90.0, abs=1e-9)
    ra, dec = mean_direction([42.0], [-17.0])
    assert (ra, dec) == (pytest.approx(42.0), pytest.approx(-17.0))


def test_separation_is_exact_when_small_and_when_large():
    assert separation_deg(10.0, 60.0, 10.0, 60.0 + 1e-9) == pytest.approx(1e-9, rel=1e-5)
    assert separation_deg(0.0, 0.0, 180.0, 1e-7) == pytest.approx(180.0 - 1e-7, abs=1e-12)
    assert separation_deg(0.0, 90.0, 77.0, -90.0) == pytest.approx(180.0)


def test_shifted_keeps_the_sky():
    wcs = frame_wcs(100.0, 30.0, 12.0, bent=True)
    np.testing.assert_allclose(wcs.shifted(5.0, -7.0).pixel_to_sky(95.0, 207.0), wcs.pixel_to_sky(100.0, 200.0))


def test_scale_handedness_and_rotation():
    plain = frame_wcs(100.0, 30.0)
    assert plain.scale_arcsec == pytest.approx(2.39)
    assert not plain.mirrored and frame_wcs(100.0, 30.0, mirrored=True).mirrored
    assert plain.rotation_deg == pytest.approx(0.0)
    for turn in (30.0, -120.0):
        wcs = frame_wcs(100.0, 30.0, turn)
        (ra0, dec0), (ra1, dec1) = wcs.pixel_to_sky(500.0, 900.0), wcs.pixel_to_sky(500.0, 901.0)
        xi, eta = tangent_plane(ra1, dec1, float(ra0), float(dec0))
        assert wcs.rotation_deg == pytest.approx(math.degrees(math.atan2(xi, eta)), abs=0.2)


def test_corners_are_the_outer_ones():
    wcs = frame_wcs(100.0, 30.0, 45.0, bent=True)
    x, y = wcs.sky_to_pixel(*wcs.corners(WIDTH, HEIGHT))
    np.testing.assert_allclose(x, [-0.5, WIDTH - 0.5, WIDTH - 0.5, -0.5], atol=1e-5)
    np.testing.assert_allclose(y, [-0.5, -0.5, HEIGHT - 0.5, HEIGHT - 0.5], atol=1e-5)


@pytest.mark.parametrize("bend", [1.0, -1.0, 20.0])
def test_distortion_never_folds_the_far_sky_into_the_frame(bend):
    """A cubic grows without bound outside the frame; a star far away must not seem to lie in it."""
    k = bend * CUBIC
    bent = Distortion((0.0, 0.0, 0.0, k, 0.0, k, 0.0), (0.0, 0.0, 0.0, 0.0, k, 0.0, k))
    wcs = FrameWcs(100.0, 30.0, 0.5 * (WIDTH - 1), 0.5 * (HEIGHT - 1), frame_wcs(0, 0).cd, bent)
    angle, distance = np.meshgrid(np.linspace(0, 2 * math.pi, 73), np.linspace(1.0, 80.0, 800))
    xi = np.degrees(np.tan(np.radians(distance))) * np.cos(angle)
    eta = np.degrees(np.tan(np.radians(distance))) * np.sin(angle)
    x, y = wcs.sky_to_pixel(*from_tangent_plane(xi, eta, 100.0, 30.0))
    inside = (x > -50) & (x < WIDTH + 50) & (y > -50) & (y < HEIGHT + 50)
    assert not inside.any(), f"{inside.sum()} far directions, nearest {distance[inside].min():.1f} deg"


@pytest.mark.parametrize("projection", ["TAN", "ZEA", "STG"])
@pytest.mark.parametrize("centre", [*POLE_AND_WRAP, (200.0, 86.0), (83.0, -5.4)])
def test_every_projection_is_that_of_astropy(projection, centre):
    turned = ((-0.01, 0.002), (0.002, 0.01))
    wide = FrameWcs(*centre, 1800.0, 1500.0, turned, projection=projection)
    x, y = np.meshgrid(np.linspace(0, 4000, 9), np.linspace(0, 3000, 7))
    reference = WCS(fits.Header(wide.to_cards()))
    ra, dec = wide.pixel_to_sky(x, y)
    assert separation_deg(ra, dec, *reference.all_pix2world(x, y, 0)).max() < 1e-9
    back = wide.sky_to_pixel(ra, dec)
    assert np.allclose(back, (x, y), rtol=0, atol=1e-6)
    assert np.allclose(back, reference.all_world2pix(ra, dec, 0), rtol=0, atol=1e-6)


def test_wide_projections_reach_over_the_horizon_and_keep_their_promise():
    far = {}
    for projection in ("ZEA", "STG"):
        xi, eta = tangent_plane(10.0, np.array([-20.0, -60.0]), 10.0, 80.0, projection)
        assert np.allclose(xi, 0, atol=1e-12)
        back = from_tangent_plane(xi, eta, 10.0, 80.0, projection)
        assert np.allclose(back[1], [-20.0, -60.0], atol=1e-9)
        # Lengths of one small step to the east and to the north at 60 degrees from the centre.
        x, y = tangent_plane([10.0, 10.001, 10.0], [20.0, 20.0, 20.001], 10.0, 80.0, projection)
        east = math.hypot(x[1] - x[0], y[1] - y[0]) / (0.001 * math.cos(math.radians(20.0)))
        north = math.hypot(x[2] - x[0], y[2] - y[0]) / 0.001
        far[projection] = (east, north)
    assert far["ZEA"][0] * far["ZEA"][1] == pytest.approx(1.0, rel=1e-4)
    assert far["STG"][0] == pytest.approx(far["STG"][1], rel=1e-4)
    assert np.isnan(tangent_plane(190.0, -80.0, 10.0, 80.0, "ZEA")[0])
    assert np.isnan(from_tangent_plane(150.0, 0.0, 10.0, 80.0, "ZEA")[0])
