"""Colour pictures of bands: which bands, on which pixels, with which hue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.bands.combined import BandPlanes, BandSource, LeastCovered, LuminanceRule, with_luminance
from zemosaic.bands.lattice import Placed, common_part, offset_between
from zemosaic.bands.measures import line_gains, luminance_scale, pixel_noise
from zemosaic.bands.palettes import band_of_filter, is_dual_band, missing_bands, palette_named
from zemosaic.wcs import FrameWcs

SCALE = 2.39 / 3600
WCS = FrameWcs(192.7, 41.1, 299.5, 249.5, ((-SCALE, 0.0), (0.0, SCALE)))
RULE = LuminanceRule((1.4, 1.0, 0.8), (300.0, 500.0, 350.0), 900.0, 3.2, (4.0, 5.0, 4.5), 6.0, 450.0)


@pytest.mark.parametrize(
    ("name", "band"),
    [
        *(("R", "R"), ("Red", "R"), ("Baader B", "B"), ("Lum", "L"), ("H-alpha", "Ha"), ("Ha 7nm", "Ha")),
        *(("OIII_6.5nm", "OIII"), ("O3", "OIII"), ("SII", "SII"), ("LP", None), ("IRCUT", None), ("L-Pro", None)),
        *(("L-eXtreme", None), ("", None), ("R G", None)),
    ],
)
def test_the_band_that_a_filter_is_named_after(name, band):
    assert band_of_filter(name) == band


def test_dual_band_filters_are_those_of_two_lines():
    assert all(map(is_dual_band, ("LP", "L-eXtreme", "Duo-Band", "ALP-T", "Ha/OIII")))
    assert not any(map(is_dual_band, ("IRCUT", "Ha", "OIII", "L", "L-Pro", "", "UV/IR Cut")))


def test_what_a_palette_lacks():
    assert missing_bands(palette_named("lrgb"), ["R", "G", "B", "Ha"]) == ("L",)
    assert missing_bands(palette_named("sho"), ["R"]) == ("Ha", "OIII", "SII")
    assert missing_bands(palette_named("pseudo_sho"), ["Ha", "OIII"]) == ()
    for name in ("rgb", "lrgb", "hoo", "sho", "pseudo_sho"):
        for plane in palette_named(name).planes:
            assert sum(share for _, share in plane) == pytest.approx(1.0)


def test_crops_of_one_canvas_have_a_part_in_common():
    whole, crop = Placed(WCS, 500, 600), Placed(WCS.shifted(40, 25), 300, 580)
    assert offset_between(whole, crop) == (25, 40)
    first, second = common_part([whole, crop])
    assert first == (25, 325, 40, 600) and second == (0, 300, 0, 560)
    assert common_part([whole, Placed(WCS.shifted(700, 0), 100, 100)]) is None


@pytest.mark.parametrize(
    "other",
    [
        WCS.shifted(0.4, 0.0),
        FrameWcs(192.7, 41.1, 299.5, 249.5, ((-SCALE * 1.001, 0.0), (0.0, SCALE * 1.001))),
        FrameWcs(192.7, 41.1, 299.5, 249.5, ((-SCALE, 1e-6), (1e-6, SCALE))),
        FrameWcs(192.7, 41.1, 299.5, 249.5, ((-SCALE, 0.0), (0.0, SCALE)), projection="ZEA"),
    ],
    ids=["half a pixel", "scale", "rotation", "projection"],
)
def test_another_lattice_is_recognised(other):
    assert offset_between(Placed(WCS, 500, 600), Placed(other, 500, 600)) is None


def test_planes_are_the_very_numbers_of_their_mosaics_in_any_window():
    rng = np.random.default_rng(1)
    mosaics = [rng.normal(100, 5, (1, 40, 50)).astype(np.float32) for _ in range(3)]
    mosaics[1][0, 7, 9] = np.nan
    planes = BandPlanes([[(BandSource(mosaic, (2, 38, 3, 45)), 1.0)] for mosaic in mosaics])
    assert planes.shape == (3, 36, 42)
    whole = planes[:, 0:36, 0:42]
    assert np.isnan(whole[:, 5, 6]).all()  # a pixel is a colour only where all bands have data
    whole[:, 5, 6] = 0
    assert np.array_equal(whole[2], np.where(np.isnan(mosaics[1][0]), 0, mosaics[2][0])[2:38, 3:45])
    assert np.array_equal(planes[1:2, 10:20, 30:42], whole[1:2, 10:20, 30:42])


def test_the_least_covered_band_counts():
    depths = [np.full((1, 6, 8), n, np.float32) for n in (5, 3)]
    depths[1][0, 0, 0] = np.nan
    least = LeastCovered([BandSource(depth, (0, 6, 0, 8)) for depth in depths])
    assert least[0:6, 0:8][0, 0] == 0 and np.all(least[1:6, 0:8] == 3)


def hue_direction(planes: np.ndarray) -> np.ndarray:
    """Return the direction of colour: what planes differ by from their mean, of length 1."""
    away = planes - planes.mean(axis=0)
    return away / np.linalg.norm(away, axis=0)


@given(st.tuples(*[st.floats(5.0, 5e4)] * 3), st.floats(0.0, 2e5))
def test_luminance_keeps_the_hue(light, luminance):
    light = np.array(light)
    if np.ptp(light) < 0.02 * light.max():
        return
    gains, sky = np.array(RULE.gains), np.array(RULE.sky)
    colours = (light / gains + sky)[:, None, None].astype(np.float32)
    made = with_luminance(colours, np.full((1, 1), luminance + RULE.luminance_sky, np.float32), RULE)
    wanted = hue_direction(light[:, None])[:, 0]
    found = hue_direction(made.astype(np.float64)[:, 0, 0][:, None] - RULE.pedestal)[:, 0]
    degrees = np.degrees(np.arccos(np.clip(wanted @ found, -1, 1)))
    assert degrees <= 0.5


def test_brightness_is_the_weighted_mean_of_both_measures_and_less_noisy_than_either():
    rng = np.random.default_rng(2)
    shape, truth = (300, 300), np.float32(80.0)
    colours = np.stack(
        [
            rng.normal(truth / gain + sky, sigma, shape)
            for gain, sky, sigma in zip(RULE.gains, RULE.sky, RULE.colour_sigma, strict=True)
        ]
    ).astype(np.float32)
    luminance = rng.normal(truth * RULE.luminance_scale + RULE.luminance_sky, RULE.luminance_sigma, shape)
    bright = with_luminance(colours, luminance.astype(np.float32), RULE).mean(axis=0) - RULE.pedestal
    assert bright.mean() == pytest.approx(truth, rel=1e-3)
    best = (1 / RULE.colour_variance + 1 / RULE.luminance_variance) ** -0.5
    assert bright.std() == pytest.approx(best, rel=0.02)
    assert best < min(RULE.colour_variance, RULE.luminance_variance) ** 0.5


def test_where_the_luminance_has_no_data_the_colours_decide():
    colours = np.full((3, 4, 4), 1000.0, np.float32)
    alone = with_luminance(colours, np.full((4, 4), np.nan, np.float32), RULE)
    light = (1000.0 - np.array(RULE.sky)) * np.array(RULE.gains)
    assert alone[:, 0, 0] == pytest.approx(light + RULE.pedestal, rel=1e-5)


@given(st.floats(0.1, 10.0), st.integers(0, 2))
def test_combining_commutes_with_gain(factor, channel):
    """A mosaic with other counts and a gain that undoes it give the same picture."""
    rng = np.random.default_rng(3)
    colours = rng.uniform(400, 3000, (3, 5, 6)).astype(np.float32)
    luminance = rng.uniform(900, 9000, (5, 6)).astype(np.float32)
    gains, sky, sigma = list(RULE.gains), list(RULE.sky), list(RULE.colour_sigma)
    other = colours.astype(np.float64)
    other[channel] *= factor
    gains[channel] /= factor
    sky[channel] *= factor
    sigma[channel] *= factor
    scaled = LuminanceRule(
        tuple(gains), tuple(sky), RULE.luminance_sky, RULE.luminance_scale, tuple(sigma), RULE.luminance_sigma, 450.0
    )
    plain = with_luminance(colours, luminance, RULE)
    assert with_luminance(other.astype(np.float32), luminance, scaled) == pytest.approx(plain, rel=2e-4, abs=0.05)


def test_how_bright_a_luminance_is_against_the_colours():
    rng = np.random.default_rng(4)
    mean = rng.normal(0, 2, (200, 200)).astype(np.float32)
    luminance = rng.normal(0, 3, (200, 200)).astype(np.float32)
    assert luminance_scale(mean, luminance) is None
    light = np.where(rng.random((200, 200)) < 0.01, rng.uniform(200, 5000, (200, 200)), 0).astype(np.float32)
    mean, luminance = mean + light, luminance + 2.7 * light
    mean[:, :20] = np.nan
    assert luminance_scale(mean, luminance) == pytest.approx(2.7, rel=0.01)


def test_lines_are_brought_to_one_brightness_and_noise_is_not_lifted():
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:200, :200]
    glow = 100 * np.exp(-((rows - 100) ** 2 + (columns - 100) ** 2) / 4000.0)
    planes = rng.normal(50, 1, (3, 200, 200)) + np.stack([glow, 0.2 * glow, np.zeros_like(glow)])
    first, second, third = line_gains(planes.astype(np.float32), (50.0, 50.0, 50.0))
    assert first == 1.0 and second == pytest.approx(5.0, rel=0.1)
    assert third == pytest.approx(5.0, rel=0.05)  # 100 over 20 times its noise, not over the noise's own peaks
    faint = np.stack([planes[0], planes[2]]).astype(np.float32)
    assert line_gains(faint, (50.0, 50.0)) == pytest.approx((first, third))


def test_noise_is_blind_to_stars():
    rng = np.random.default_rng(6)
    plane = rng.normal(0, 3, (200, 300)).astype(np.float32)
    plane[::20, ::20] += 5000
    plane[:5] = np.nan
    assert pixel_noise(plane) == pytest.approx(3.0, rel=0.03)
