"""Colour planes, levels of the four kinds of pixels and borders: exact on polynomials and plain numbers."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.frames.bayer_pattern import site_levels
from zemosaic.frames.borders import data_box
from zemosaic.frames.debayer import colour_sites
from zemosaic.frames.planes import EDGE, colour_planes

PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_planes_keep_parabolas_of_each_colour(pattern):
    y, x = np.mgrid[0:30, 0:34].astype(float)
    truth = np.stack(
        [
            100.0 + 0.5 * x - y + 0.05 * x * x - 0.02 * x * y + 0.03 * y * y,
            400.0 - x + 2.0 * y + 0.04 * y * y + 0.01 * x * y,
            900.0 + 3.0 * x + 0.1 * y - 0.03 * x * x,
        ]
    )
    (ry, rx), first, second, (by, bx) = colour_sites(pattern)
    raw = np.empty(x.shape)
    for channel, sites in ((0, [(ry, rx)]), (1, [first, second]), (2, [(by, bx)])):
        for row, column in sites:
            raw[row::2, column::2] = truth[channel, row::2, column::2]
    inner = slice(EDGE, -EDGE)
    got = colour_planes(raw, pattern)
    np.testing.assert_allclose(got[:, inner, inner], truth[:, inner, inner], rtol=2e-6)


def test_mono_and_colour_frames_are_taken_as_they_are():
    pixels = np.arange(60, dtype=np.uint16).reshape(4, 5, 3)
    np.testing.assert_array_equal(colour_planes(pixels, None), np.moveaxis(pixels, 2, 0))
    np.testing.assert_array_equal(colour_planes(pixels[..., 0], None), pixels[None, ..., 0])
    assert not colour_planes(np.ones((6, 8)), "RGGB").any() and colour_planes(np.ones((8, 8)), "RGGB").any()


def test_levels_of_the_four_kinds_of_pixels_and_their_error():
    rng = np.random.default_rng(3)
    levels = np.array([[500.0, 620.0], [615.0, 800.0]])
    pixels = np.tile(levels, (160, 128)) + rng.normal(0.0, 8.0, (320, 256))
    got = site_levels(pixels)
    np.testing.assert_allclose(got.sky_adu, levels.ravel(), atol=5.0 * got.error_adu)
    assert got.star_shares == (0.0, 0.0, 0.0, 0.0)
    # Medians of 256 pixels in each of 80 squares, whose mean has a quarter of the variance of its own taken off.
    one = 8.0 * np.sqrt(np.pi / 2 / 256) * np.sqrt(0.75)
    assert got.error_adu == pytest.approx(1.25 * np.hypot(one, 0.3) / np.sqrt(80), rel=0.25)
    assert site_levels(pixels[:128, :128]) is None
    assert site_levels(pixels[:128, :160]) is not None


def test_stars_share_their_light_among_the_four_kinds_of_pixels():
    rng = np.random.default_rng(4)
    pixels = 500.0 + rng.normal(0.0, 5.0, (320, 256))
    for y, x in zip(rng.integers(0, 160, 40) * 2, rng.integers(0, 128, 40) * 2, strict=True):
        pixels[y : y + 2, x : x + 2] += np.array([[4000.0, 2000.0], [2000.0, 2000.0]])
    pixels[10, 10] += 5000.0
    shares = np.array(site_levels(pixels).star_shares)
    assert 35 <= shares.sum() <= 40.5
    np.testing.assert_allclose(shares / shares.sum(), [0.4, 0.2, 0.2, 0.2], atol=0.005)


def test_borders_of_a_constant_value_and_the_least_part_that_is_data():
    rng = np.random.default_rng(5)

    def box(rows: slice, columns: slice) -> tuple[int, ...]:
        picture = np.zeros((40, 60))
        picture[rows, columns] = rng.normal(10.0, 1.0, picture[rows, columns].shape)
        return data_box(lambda y0, y1, x0, x1: picture[y0:y1, x0:x1], 40, 60)

    assert box(slice(3, 38), slice(0, 60)) == (3, 38, 0, 60)
    assert box(slice(0, 40), slice(7, 55)) == (0, 40, 7, 55)
    assert box(slice(0, 20), slice(0, 30)) == (0, 20, 0, 30)
    assert box(slice(0, 20), slice(0, 29)) == (0, 40, 0, 60)
    assert box(slice(0, 40), slice(0, 60)) == (0, 40, 0, 60)
