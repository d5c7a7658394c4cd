"""A mosaic from afar looks like its preview, and from near its pixels are as measured."""

from __future__ import annotations

import numpy as np
import pytest
from run_of_frames import CANVAS
from waiting import PATIENCE_S

from zemosaic.export.fits import write_fits
from zemosaic.picture.overview import MIN_OVERVIEW_STEP, Overview
from zemosaic.picture.preview import stretched_preview
from zemosaic.picture.pyramid import MosaicView
from zemosaic.picture.pyramid_kernel import shown
from zemosaic.picture.stretch import SKY_LEVEL, ChannelStretch, PictureLook

HEIGHT, WIDTH = 622, 904


@pytest.fixture(scope="module")
def planes() -> np.ndarray:
    """Return a noisy sky with a faint cloud at the top left and a bright star; nothing on the right."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    light = 6.0 * np.exp(-((x - 200) ** 2 + (y - 500) ** 2) / (2 * 60.0**2))
    light += 5000.0 * np.exp(-((x - 600) ** 2 + (y - 150) ** 2) / (2 * 1.5**2))
    made = 200.0 + light * np.array([1.5, 1.0, 0.5])[:, None, None]
    made += np.random.default_rng(4).normal(0, 8, made.shape)
    made[:, :, 860:] = np.nan
    return made.astype(np.float32)


@pytest.fixture(scope="module")
def view(planes, tmp_path_factory):
    path = tmp_path_factory.mktemp("overview") / "zemosaic_MT1_R1.fits"
    write_fits(path, planes, wcs=CANVAS, axis_order="CHW")
    opened = MosaicView.open(path)
    opened.wait(PATIENCE_S)
    yield opened
    opened.close()


@pytest.mark.parametrize("linked", [True, False])
def test_from_afar_it_looks_like_the_preview(planes, linked):
    overview = Overview.of(planes, None, WIDTH // 2)
    size = WIDTH // 2, HEIGHT // 2
    found = overview.part(0, 0, WIDTH, HEIGHT, *size)
    assert found is not None
    seen = shown(*found, *size, overview.views[0 if linked else 1])
    preview = stretched_preview(planes, None, WIDTH // 2, axis_order="CHW", look=PictureLook(linked=linked))
    assert np.abs(seen.astype(int) - preview).max() <= 1
    assert seen[:, :430].any(axis=2).mean() > 0.99 and not seen[:, 430:].any()


def test_single_pixels_are_shown_as_measured_and_their_noise_is_not_cut_off(view):
    look = view.auto_stretch()
    near = view.window(300, 200, 500, 400, 200, 200, look).astype(float)
    afar = view.window(0, 0, WIDTH, HEIGHT, WIDTH // 3, HEIGHT // 3, look).astype(float)[80:130, 100:165]
    assert near.std(axis=(0, 1)).min() > 1.3 * afar.std(axis=(0, 1)).max()
    assert (near == 0).all(axis=2).mean() < 0.005
    for sky in near, afar:
        assert np.median(sky) == pytest.approx(255 * SKY_LEVEL, abs=4)


def test_smaller_and_smaller_windows_show_the_same_place(planes):
    overview = Overview.of(planes, None, 300)
    for width in (200, 100, 60):
        height = round(width * HEIGHT / WIDTH)
        found = overview.part(0, 0, WIDTH, HEIGHT, width, height)
        assert found is not None
        pixels, grid = found
        star = np.unravel_index(np.nanargmax(pixels[1]), pixels.shape[1:])
        column, row = (star[1] - grid.x) / grid.dx, (star[0] - grid.y) / grid.dy
        assert (column + 0.5) * WIDTH / width == pytest.approx(600, abs=1.5 * WIDTH / pixels.shape[2])
        assert (row + 0.5) * HEIGHT / height == pytest.approx(HEIGHT - 150, abs=1.5 * WIDTH / pixels.shape[2])
    assert overview.part(0, 0, 100, 100, 99, 99) is None
    assert Overview.of(planes, None, 2000).part(0, 0, 100, 100, round(100 / MIN_OVERVIEW_STEP) + 2, 90) is None


def test_a_deeper_black_leaves_the_sky_as_bright():
    one = ChannelStretch.between(-20.0, 3000.0, 0.2)
    deeper = one.deeper(2.5)
    assert (deeper.black, deeper.white) == (-50.0, 3000.0)
    flat = np.zeros((1, 1, 1), np.float32)
    assert deeper(flat) == pytest.approx(one(flat), rel=1e-5)
    assert one.deeper(1.0)(flat + 100.0) == pytest.approx(one(flat + 100.0), rel=1e-5)
