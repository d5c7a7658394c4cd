"""The background that is left over a whole mosaic: recovered where the sky is empty, never taken from a nebula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from zemosaic.qa.residual_background import FlattenedPixels, ResidualBackground, residual_background

HEIGHT, WIDTH = 700, 840
BOX = (0, HEIGHT, 0, WIDTH)
GRID = np.mgrid[:HEIGHT, :WIDTH]
Y, X = (2 * GRID[0] + 1 - HEIGHT) / HEIGHT, (2 * GRID[1] + 1 - WIDTH) / WIDTH
PLANE = 7.0 * X + 3.0 * Y
BEND = PLANE + 6.0 * (X**2 - 1 / 3) - 3.0 * Y**2
ROUND_NEBULA = 60.0 * np.exp(-0.5 * ((X + 0.2) ** 2 + (Y - 0.1) ** 2) / 0.2**2)


def sky(seed, added):
    """Return a colour mosaic with stars, empty corners and something added to all channels."""
    rng = np.random.default_rng(seed)
    image = rng.normal(1000.0, 5.0, (3, HEIGHT, WIDTH))
    square = np.arange(-12, 13) ** 2
    star = np.exp(-0.5 * (square[:, None] + square) / 2.5**2)
    for _ in range(250):
        y, x = rng.integers(13, HEIGHT - 13), rng.integers(13, WIDTH - 13)
        image[:, y - 12 : y + 13, x - 12 : x + 13] += 10.0 ** rng.uniform(1.2, 4.0) * star
    image += added
    image[:, :100, :150] = np.nan
    image[:, -80:, -200:] = np.nan
    return image.astype(np.float32)


def full_of_nebula(seed):
    rng = np.random.default_rng(seed)
    light = np.zeros((HEIGHT, WIDTH))
    for scale in (10, 30, 100, 250):
        structure = gaussian_filter(rng.normal(0, 1, (HEIGHT, WIDTH)), scale)
        light += 15.0 * structure / structure.std()
    return light - light.min()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("added", [PLANE, BEND, 0.0 * X], ids=["plane", "bend", "nothing"])
def test_a_plane_and_a_bend_are_recovered_over_the_whole_mosaic(seed, added):
    image = sky(seed, added)
    found = residual_background(image, BOX)
    inside = np.isfinite(image[0])
    truth = added - added[inside].mean()
    model = found.at(np.arange(HEIGHT), np.arange(WIDTH))
    for channel in range(3):
        off = (model[channel] - truth)[inside]
        assert abs(off).max() < 0.25 and off.std() < 0.08
        assert off.std() < 3.0 * found.error[channel], "the stated error is honest"
        # Cells do not reach into the last corner of the mosaic.
        assert found.amplitude[channel] == pytest.approx(np.ptp(truth[inside]), abs=0.3 + 0.06 * np.ptp(truth[inside]))
    assert found.empty_part > 0.7


@pytest.mark.parametrize("seed", range(3))
def test_a_nebula_keeps_its_light(seed):
    image = sky(seed, BEND + ROUND_NEBULA)
    flat = FlattenedPixels(image, residual_background(image, BOX))[:, 0:HEIGHT, 0:WIDTH]
    wanted = sky(seed, ROUND_NEBULA + BEND[np.isfinite(image[0])].mean())
    inside = np.isfinite(image[0])
    off = (flat - wanted)[:, inside]
    assert abs(off).max() < 0.01 * 60.0, "one part in a hundred of the nebula's peak"
    bright, dark = ROUND_NEBULA[inside] > 30.0, ROUND_NEBULA[inside] < 0.5
    assert abs(off[:, bright].mean() - off[:, dark].mean()) < 0.01 * ROUND_NEBULA[inside][bright].mean()


@pytest.mark.parametrize("seed", range(4))
def test_where_the_sky_is_full_of_nebula_nothing_is_taken_off(seed):
    light = full_of_nebula(seed)
    assert (light < 5.0).mean() < 0.2, "hardly any sky is empty"
    assert residual_background(sky(seed, PLANE + light), BOX) == "nebula"


def test_empty_sky_in_one_part_only_tells_nothing_of_the_rest():
    knots = gaussian_filter(np.random.default_rng(1).normal(0, 1, (HEIGHT, WIDTH)), 12)
    light = np.where(X > -0.1, np.clip(60.0 + 40.0 * knots / knots.std(), 20, None), 0.0)
    assert residual_background(sky(1, light), BOX) in ("corner", "nebula")


def test_a_tiny_mosaic_has_no_model():
    assert residual_background(np.ones((1, 20, 500), np.float32), (0, 20, 0, 500)) == "small"


def test_a_part_of_the_pixels_is_flattened_like_the_whole():
    image = sky(0, BEND)
    box = (100, 700, 60, 840)
    found = residual_background(image, box)
    assert isinstance(found, ResidualBackground)
    flat = FlattenedPixels(image, found)
    whole = flat[:, 0:HEIGHT, 0:WIDTH]
    assert np.array_equal(flat[1:2, 200:330, 77:400], whole[1:2, 200:330, 77:400], equal_nan=True)
    assert flat.shape == image.shape
