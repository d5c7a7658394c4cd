"""Pairs and maps between them: exact maps come back, and chances are those of Poisson."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import poisson

from zemosaic.solving import fit
from zemosaic.solving.match import Tolerance, candidate_maps
from zemosaic.wcs import FrameWcs, from_tangent_plane

POINTS = np.random.default_rng(1).uniform(0.0, 1000.0, (40, 2))
WCS = FrameWcs(120.0, 35.0, 540.0, 960.0, ((-6e-4, 1e-4), (1.2e-4, 6.1e-4)))


def similar(scale: float, turn: float, mirrored: bool) -> np.ndarray:
    """Return a map of shift, turn and scale of the plane, turned over first if asked for."""
    c, s = scale * math.cos(turn), scale * math.sin(turn)
    sign = -1.0 if mirrored else 1.0
    return np.array([[30.0, -70.0], [c, s], [-sign * s, sign * c]])


@pytest.mark.parametrize("mirrored", [False, True])
def test_maps_come_back(mirrored):
    truth = similar(1.3, 0.7, mirrored)
    targets = fit.moved(truth, POINTS)
    np.testing.assert_allclose(targets[0], truth[0] + POINTS[0, 0] * truth[1] + POINTS[0, 1] * truth[2])
    np.testing.assert_allclose(fit.fit_similarity(POINTS, targets, mirrored), truth, atol=1e-9)
    np.testing.assert_allclose(fit.fit_affine(POINTS, targets), truth, atol=1e-9)
    # The other handedness cannot explain them.
    off = fit.moved(fit.fit_similarity(POINTS, targets, not mirrored), POINTS) - targets
    assert np.abs(off).max() > 100.0


def test_neighbours_are_given_to_the_closest_point_only():
    tree = cKDTree(np.array([[0.0, 0.0], [10.0, 0.0]]))
    points = np.array([[2.0, 0.0], [1.0, 0.0], [10.0, 2.9], [10.0, 30.0]])
    pairs = fit.one_to_one(points, tree, 3.0)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([1, 2], [0, 1])
    np.testing.assert_allclose(pairs.distance, [1.0, 2.9])
    assert len(fit.one_to_one(points, tree, 2.5)) == 1


def test_few_pairs_fit_a_similarity_and_many_an_affine_map():
    bent = np.array([[5.0, 2.0], [1.01, 0.02], [-0.01, 0.98]])
    targets = fit.moved(bent, POINTS)
    guess = np.array([[5.0, 2.0], [1.0, 0.0], [0.0, 1.0]])
    tree = cKDTree(targets)
    affine, pairs = fit.refine_affine(POINTS, targets, tree, guess, (60.0, 30.0, 5.0), 10, 40)
    np.testing.assert_allclose(affine, bent, atol=1e-9)
    assert len(pairs) == 40
    similarity, _ = fit.refine_affine(POINTS, targets, tree, guess, (60.0, 30.0), 10, 41)
    np.testing.assert_allclose(similarity[1], [similarity[2, 1], -similarity[2, 0]], atol=1e-12)
    assert fit.refine_affine(POINTS, targets, tree, guess, (60.0,), 41, 40) is None


def test_the_shift_that_most_points_agree_on():
    shift = np.array([-17.0, 8.0])
    targets = np.concatenate([POINTS[:15] + shift, np.random.default_rng(2).uniform(0, 1000, (20, 2))])
    np.testing.assert_allclose(fit.shift_between(POINTS, targets, 20.0, 0.5), shift, atol=0.1)
    assert fit.shift_between(POINTS[:1], POINTS[:1] + 21.0, 20.0, 0.5) is None


def test_chances_are_those_of_poisson():
    for matched, spent, expected in ((9, 3, 1.7), (4, 1, 0.02), (30, 3, 25.0)):
        exact = float(poisson.sf(matched - spent - 1, expected))
        assert fit.chance_of(matched, spent, expected) == pytest.approx(exact, rel=1e-6)
    assert fit.chance_of(3, 3, 0.1) == 1.0


def test_points_are_spread_from_seven_of_nine_parts():
    centres = np.array([[100.0 + 200.0 * i, 150.0 + 300.0 * j] for i in range(3) for j in range(3)])
    assert fit.well_spread(centres[:7], 600, 900) and not fit.well_spread(centres[:6], 600, 900)
    assert not fit.well_spread(0.99 * centres % 200.0, 600, 900)
    # Edges belong to the outer parts.
    on_edges = np.array([[0, 0], [300, 0], [600, 0], [0, 450], [600, 450], [0, 900], [600, 900.0]])
    assert fit.well_spread(on_edges, 600, 900)


def test_an_affine_map_is_held_by_points_all_over_the_frame():
    assert fit.holds_affine(POINTS, 1000, 1000)
    assert not fit.holds_affine(POINTS * (1.0, 0.01), 1000, 1000)
    assert not fit.holds_affine(0.2 * POINTS, 1000, 1000)
    assert not fit.holds_affine(POINTS[:3], 1000, 1000)
    corners = np.array([[x, y] for x in (0.0, 1000.0) for y in (0.0, 1000.0)] * 10)
    assert fit.holds_affine(corners, 1000, 1000)
    # The variance in a corner is (1 + 2 r**2) / n for n points at 1 / r of the way to the corners; 2 is the most.
    assert fit.holds_affine(500.0 + (corners[:12] - 500.0) / 3.3, 1000, 1000)
    assert not fit.holds_affine(500.0 + (corners[:12] - 500.0) / 3.5, 1000, 1000)


def sky_of(wcs: FrameWcs, points: np.ndarray) -> tuple[np.ndarray, ...]:
    x, y = points.T
    return (x, y, *wcs.pixel_to_sky(x, y))


def test_the_wcs_of_an_affine_map_puts_pixels_where_the_map_does():
    scale_deg = 6e-4
    affine = np.array([[-300.0, 200.0], [1.0, 0.1], [-0.1, 1.02]])
    wcs = fit.wcs_of_affine(affine, scale_deg, 120.0, 35.0, 500.0, 400.0)
    plane = fit.moved(affine, POINTS) * scale_deg
    ra, dec = from_tangent_plane(plane[:, 0], plane[:, 1], 120.0, 35.0)
    x, y = wcs.sky_to_pixel(ra, dec)
    np.testing.assert_allclose(np.column_stack([x, y]), POINTS, atol=0.05)
    assert (wcs.x_ref, wcs.y_ref) == (500.0, 400.0)


def test_a_wcs_is_fitted_from_a_wrong_start():
    start = replace(WCS, ra_deg=WCS.ra_deg + 0.02, dec_deg=WCS.dec_deg - 0.01, cd=((-6e-4, 0.0), (0.0, 6e-4)))
    x, y, ra, dec = sky_of(WCS, POINTS)
    got = fit.fit_wcs(start, x, y, ra, dec, None)
    np.testing.assert_allclose(np.column_stack(got.sky_to_pixel(ra, dec)), POINTS, atol=1e-3)
    np.testing.assert_allclose(got.cd, WCS.cd, rtol=1e-5)
    turned = replace(WCS, cd=((-6e-4, 1e-4), (1e-4, 6e-4)))
    x, y, ra, dec = sky_of(turned, POINTS)
    got = fit.fit_similar_wcs(start, x, y, ra, dec)
    np.testing.assert_allclose(np.column_stack(got.sky_to_pixel(ra, dec)), POINTS, atol=2e-3)


def test_a_cubic_distortion_comes_back_but_for_what_its_prior_holds_back():
    x, y, ra, dec = sky_of(WCS, np.random.default_rng(5).uniform((0, 0), (1080, 1920), (300, 2)))
    u, v = x - WCS.x_ref, y - WCS.y_ref
    reach = math.hypot(540.0, 960.0)
    bend = 3.0 * (u * u + v * v) / reach**2 / reach
    got = fit.fit_wcs(WCS, x + bend * u, y + bend * v, ra, dec, reach)
    off = np.hypot(*(np.column_stack(got.sky_to_pixel(ra, dec)) - np.column_stack([x + bend * u, y + bend * v])).T)
    plain = fit.fit_wcs(WCS, x + bend * u, y + bend * v, ra, dec, None)
    linear = np.hypot(*(np.column_stack(plain.sky_to_pixel(ra, dec)) - np.column_stack([x + bend * u, y + bend * v])).T)
    assert got.distortion is not None and plain.distortion is None
    assert off.max() < 0.1 and linear.max() > 0.3


@pytest.mark.parametrize("mirrored", [False, True])
def test_the_first_candidate_is_the_true_map(mirrored):
    truth = similar(1.01, 2.1, mirrored)
    stars = np.random.default_rng(3).uniform((0, 0), (1080, 1920), (40, 2))
    catalogue = fit.moved(truth, np.concatenate([stars[5:], np.random.default_rng(4).uniform(0, 1900, (8, 2))]))
    first = next(candidate_maps(stars, catalogue, (1080, 1920), 8, Tolerance()))
    assert np.abs(fit.moved(first, stars) - fit.moved(truth, stars)).max() < 8.0
    far = candidate_maps(stars, 1.06 * catalogue, (1080, 1920), 8, Tolerance())
    assert all(np.abs(fit.moved(one, stars) - 1.06 * fit.moved(truth, stars)).max() > 30.0 for one in far)
    assert list(candidate_maps(stars[:2], catalogue, (1080, 1920), 8, Tolerance())) == []
