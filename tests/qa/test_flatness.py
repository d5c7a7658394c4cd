"""A mosaic that rises or falls where its raw frames do not is found, and one that does not is left in peace."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.qa.flatness import RingProfile, aperture_light, compare_stars, judge, ring_profile

NO_STARS = (np.zeros(0), np.zeros(0), np.zeros(0))
LEVEL = 590.0


def profiles(bowl: float, frames: int = 2, seed: int = 3):
    """Return rings of frames of which the mosaic rises by `bowl` ADU at the corner."""
    rng = np.random.default_rng(seed)
    radius = np.sqrt(rng.uniform(0, 1, 20_000))
    light = 4.0 * radius
    return [
        ring_profile(
            LEVEL + light + rng.normal(0, 12, len(radius)) + rng.normal(0, 30),
            light + bowl * radius**2 + rng.normal(0, 12 / np.sqrt(frames), len(radius)),
            radius,
        )
        for _ in range(frames)
    ]


@pytest.mark.parametrize("frames", [1, 2, 5])
@pytest.mark.parametrize("bowl", [-65.0, -18.0, 11.0])
def test_a_bowl_is_found_with_its_size(bowl, frames):
    found = judge(LEVEL, profiles(bowl, frames), NO_STARS)
    assert found.bowl_found
    # The rings end at 0.95 and are told from their mean.
    assert 0.3 * abs(bowl) < abs(found.bowl_adu) < 0.8 * abs(bowl)
    assert not found.star_fault_found


@pytest.mark.parametrize("frames", [1, 3])
def test_noise_gradients_and_nebulae_are_no_bowl(frames):
    found = judge(LEVEL, profiles(0.0, frames), NO_STARS)
    assert not found.bowl_found and abs(found.bowl_adu) < 3.0
    assert 0.1 < found.bowl_error_adu < 2.0


@pytest.mark.parametrize("bowl", [0.0, 0.02 * LEVEL])
def test_a_nebula_and_the_slopes_of_frames_are_no_bowl_and_hide_none(bowl):
    # A bright nebula fills a part of each frame's rings, elsewhere in each frame, and slopes are not quite known.
    rng = np.random.default_rng(12)
    looks = []
    for _ in range(5):
        u, v = rng.uniform(-0.5, 0.5, (2, 40_000))
        radius = np.hypot(u, v) / np.hypot(0.5, 0.5)
        x, y = rng.uniform(-0.5, 0.5, 2)
        nebula = 300.0 * np.exp(-((u - x) ** 2 + (v - y) ** 2) / 0.04)
        slope = 10.0 * (rng.normal() * u + rng.normal() * v)
        raw = LEVEL + nebula + slope + rng.normal(0, 20, len(u))
        looks.append(ring_profile(raw, nebula + bowl * radius**2 + rng.normal(0, 6, len(u)), radius))
    found = judge(LEVEL, looks, NO_STARS)
    assert found.bowl_found is (bowl > 0)


def test_a_scatter_between_frames_or_between_rings_makes_the_error_large():
    rng = np.random.default_rng(5)
    rings = np.linspace(0.2, 0.9, 8)
    bent = [RingProfile(amount * rings**2, np.full(8, 0.1)) for amount in (-30.0, 5.0, 34.0)]
    assert not judge(LEVEL, bent, NO_STARS).bowl_found
    # Four frames of two sessions that contradict each other are two witnesses, not four.
    nights = [RingProfile(a * rings**2, np.full(8, 0.1), night) for a, night in ((2, 0), (2.2, 0), (20, 1), (19.8, 1))]
    assert not judge(LEVEL, nights, NO_STARS).bowl_found
    rough = [RingProfile(rng.normal(0, 5, 8), np.full(8, 0.1))]
    assert not judge(LEVEL, rough, NO_STARS).bowl_found
    assert judge(LEVEL, [RingProfile(20.0 * rings**2 + rng.normal(0, 0.5, 8), np.full(8, 0.1))], NO_STARS).bowl_found


def test_rings_without_samples_tell_nothing():
    found = judge(LEVEL, [ring_profile(np.ones(10), np.ones(10), np.linspace(0, 1, 10))], NO_STARS)
    assert np.isnan(found.bowl_adu) and not found.bowl_found
    assert not judge(LEVEL, [], NO_STARS).bowl_found


@pytest.mark.parametrize("gain, fault", [(0.0, False), (0.22, True), (-0.08, True), (0.01, False)])
def test_stars_that_gain_light_towards_the_corners_are_found(gain, fault):
    rng = np.random.default_rng(8)
    radius, raw = rng.uniform(0, 1, 300), rng.uniform(1e3, 1e4, 300)
    mosaic = 1.3 * raw * (1 + np.where(radius > 2 / 3, gain, 0.0)) * rng.normal(1, 0.03, 300)
    found = judge(LEVEL, [], (raw, mosaic, radius))
    assert found.star_fault_found is fault
    assert found.star_difference == pytest.approx(gain, abs=4 * found.star_error)
    few = compare_stars(raw[:6], mosaic[:6], radius[:6])
    assert np.isnan(few).all()


def test_light_of_stars_is_summed_above_the_sky_and_missing_pixels_are_told():
    y, x = np.mgrid[:80, :80]
    image = (100.0 + 0.5 * x + 5000.0 * np.exp(-((x - 40.3) ** 2 + (y - 39.6) ** 2) / 2.0)).astype(np.float32)
    image[10:14, 60:64] = np.nan
    light = aperture_light(image, np.array([40.3, 62.0, 2.0]), np.array([39.6, 16.0, 40.0]), 2.35)
    assert light[0] == pytest.approx(5000.0 * 2 * np.pi, rel=0.01)
    assert np.isnan(light[1:]).all(), "pixels that are missing, and the border"
    nothing = np.full((80, 80), np.nan, np.float32)
    assert np.isnan(aperture_light(nothing, np.array([40.0]), np.array([40.0]), 2.0)).all()
    assert len(aperture_light(nothing[:, :0], np.zeros(0), np.zeros(0), 2.0)) == 0
