from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from star_lists import make_sky, observe, true_wcs, worst_offset_px

from zemosaic.solving.base import StarField
from zemosaic.solving.propagate import KnownStars, known_stars, propagate
from zemosaic.wcs import FrameWcs


def seen(sky, wcs, seed=0) -> StarField:
    x, y = observe(sky, wcs, seed=seed)
    return StarField(x, y, 1080, 1920)


def known_of(sky, wcs, seed=0) -> KnownStars:
    field = seen(sky, wcs, seed)
    return known_stars([(wcs, field.x_px, field.y_px)])


@settings(max_examples=40)
@given(
    place=st.sampled_from([(30.0, 40.0), (0.0, -5.0), (100.0, 89.95), (305.0, 38.0)]),
    turn=st.floats(-0.5, 0.5),
    east=st.floats(-0.15, 0.15),
    north=st.floats(-0.15, 0.15),
)
def test_a_neighbour_in_time(tycho, place, turn, east, north):
    ra, dec = place
    sky = make_sky(tycho, ra, dec, 1.4, 1)
    first = true_wcs(ra, dec, 20.0)
    local = FrameWcs(ra, dec, 0, 0, ((1, 0), (0, 1)))
    there = local.pixel_to_sky(east, north)
    # The turn is counted on the sky of the first frame; next to a pole the second frame's north is another.
    second = true_wcs(float(there[0]), float(there[1]), 20.0 + turn + _convergence(local, east, north))
    solution = propagate(seen(sky, second, 5), known_of(sky, first), first)
    assert solution is not None
    assert solution.how == "propagated"
    assert worst_offset_px(solution.wcs, second) < 1.5


def _convergence(local: FrameWcs, east: float, north: float) -> float:
    ra, dec = local.pixel_to_sky(east, north)
    x, y = local.sky_to_pixel(ra, dec + (1e-4 if dec < 89.99 else -1e-4))
    angle = np.degrees(np.arctan2(x - east, y - north))
    return float(angle if dec < 89.99 else angle + 180.0)


@pytest.mark.parametrize("turn", [-120.0, -30.0, 3.0, 75.0, 120.0, 180.0])
@pytest.mark.parametrize("flipped", [False, True])
def test_field_rotation_flips_and_other_telescopes(tycho, turn, flipped):
    sky = make_sky(tycho, 80.0, 20.0, 1.4, 2)
    first = true_wcs(80.0, 20.0, 10.0)
    second = true_wcs(80.05, 20.08, 10.0 + turn, flipped, 2.39 * 1.002)
    solution = propagate(seen(sky, second, 7), known_of(sky, first), first)
    assert solution is not None
    assert worst_offset_px(solution.wcs, second) < 1.5


def test_union_of_frames_reaches_further(tycho):
    sky = make_sky(tycho, 80.0, 20.0, 2.5, 2)
    west, east, between = (true_wcs(80.0 + a, 20.0) for a in (0.0, 0.9, 0.45))
    stars = known_stars([(w, *observe(sky, w, seed=k)) for k, w in enumerate((west, east))])
    alone = known_of(sky, west)
    assert len(stars) > 1.4 * len(alone)
    solution = propagate(seen(sky, between, 9), stars, west)
    assert solution is not None
    assert worst_offset_px(solution.wcs, between) < 1.0


def test_stars_seen_twice_are_one(tycho):
    sky = make_sky(tycho, 80.0, 20.0, 1.4, 2)
    wcs = true_wcs(80.0, 20.0)
    frames = [(wcs, *observe(sky, wcs, seed=k, lost=0.0)) for k in range(4)]
    assert len(known_stars(frames)) <= 1.1 * len(known_stars(frames[:1]))


def test_another_field_is_refused(tycho):
    first = true_wcs(80.0, 20.0)
    known = known_of(make_sky(tycho, 80.0, 20.0, 1.4, 1), first)
    for k in range(12):
        other = seen(make_sky(tycho, 200.0 + 3 * k, -40.0, 1.4, k), true_wcs(200.0 + 3 * k, -40.0, 30.0 * k), k)
        assert propagate(other, known, first) is None


def test_noise_is_refused(tycho):
    rng = np.random.default_rng(0)
    first = true_wcs(305.0, 38.0)
    known = known_of(make_sky(tycho, 305.0, 38.0, 1.4, 1), first)
    for count in (8, 30, 100, 300):
        noise = StarField(rng.uniform(0, 1080, count), rng.uniform(0, 1920, count), 1080, 1920)
        assert propagate(noise, known, first) is None


def test_another_scale_is_refused(tycho):
    sky = make_sky(tycho, 80.0, 20.0, 1.4, 2)
    first = true_wcs(80.0, 20.0)
    zoomed = true_wcs(80.0, 20.0, scale_arcsec=2.39 * 1.02)
    assert propagate(seen(sky, zoomed, 3), known_of(sky, first), first) is None


def test_too_few_matches_are_refused(tycho):
    sky = make_sky(tycho, 80.0, 20.0, 1.4, 2)
    first = true_wcs(80.0, 20.0)
    field = seen(sky, first, 3)
    rng = np.random.default_rng(3)
    mostly = np.arange(len(field)) % 6 > 0
    strangers = replace(
        field,
        x_px=np.where(mostly, rng.uniform(0, 1080, len(field)), field.x_px),
        y_px=np.where(mostly, rng.uniform(0, 1920, len(field)), field.y_px),
    )
    assert propagate(strangers, known_of(sky, first), first) is None


def test_nothing_to_go_by(tycho):
    first = true_wcs(80.0, 20.0)
    field = seen(make_sky(tycho, 80.0, 20.0, 1.4, 2), first)
    nothing = KnownStars(np.empty(0), np.empty(0))
    assert propagate(field, nothing, first) is None
    assert propagate(StarField(np.empty(0), np.empty(0), 1080, 1920), known_stars([]), first) is None
    far = KnownStars(np.full(20, 260.0), np.linspace(-21.0, -19.0, 20))
    assert propagate(field, far, first) is None
