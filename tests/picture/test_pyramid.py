"""Looking at a finished mosaic: the right pixels at any zoom, the preview's stretch, the sky under the cursor."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from run_of_frames import CANVAS
from waiting import PATIENCE_S

from zemosaic.errors import OutputError
from zemosaic.export.fits import write_fits
from zemosaic.picture import pyramid
from zemosaic.picture.preview import coverage_colours
from zemosaic.picture.pyramid import MosaicView
from zemosaic.picture.pyramid_kernel import Raster, halved, shown
from zemosaic.picture.stretch import ChannelStretch, DisplayStretch

HEIGHT, WIDTH = 611, 1003


def picture(channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(8)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = np.stack([100.0 * c + 0.5 * x + 0.1 * y for c in range(channels)]) + rng.normal(0, 3, (HEIGHT, WIDTH))
    planes[:, 200:260, 300:420] = np.nan
    return planes.astype(np.float32)


@pytest.fixture
def opened(tmp_path):
    """Write and open a mosaic; closed at the end."""
    views = []

    def make(planes=None, coverage=True, **how) -> MosaicView:
        end = ".fits.fz" if how.get("compressed") else ".fits"
        path = tmp_path / f"zemosaic_MT1_R1{end}"
        write_fits(path, picture() if planes is None else planes, wcs=CANVAS, axis_order="CHW", **how)
        if coverage:
            frames = np.full((HEIGHT, WIDTH), 7, np.int32)
            frames[:100] = 0
            write_fits(
                tmp_path / f"zemosaic_MT1_R1_coverage{end}", frames, dtype="int32", compressed="compressed" in how
            )
        views.append(MosaicView.open(path))
        return views[-1]

    yield make
    for view in views:
        view.close()


GREY = DisplayStretch((0.0,) * 3, (1.0,) * 3, (ChannelStretch(0.0, 800.0, 0.5),) * 3)
"""A stretch that changes nothing but the range: 0 to 800 becomes 0 to 255."""


def wanted(x0, y0, x1, y1, out_w, out_h) -> np.ndarray:
    """Return means over the squares of a window, by brute force."""
    planes = picture()[:, ::-1]
    xs, ys = np.linspace(x0, x1, out_w + 1).astype(int), np.linspace(y0, y1, out_h + 1).astype(int)
    means = [[np.nanmean(planes[:, a:b, c:d], axis=(1, 2)) for c, d in pairwise(xs)] for a, b in pairwise(ys)]
    return np.array(means)


def test_life_size_shows_the_pixels_themselves(opened):
    view = opened()
    seen = view.window(100, 50, 200, 110, 100, 60, GREY)
    truth = np.moveaxis(picture()[:, ::-1][:, 50:110, 100:200], 0, -1) / 800 * 255
    assert seen.shape == (60, 100, 3)
    assert np.abs(seen - truth).max() < 0.51


def test_enlarged_pixels_are_squares(opened):
    view = opened()
    seen = view.window(10, 20, 14, 23, 40, 30, GREY)
    single = view.window(10, 20, 14, 23, 4, 3, GREY)
    assert np.array_equal(seen, single.repeat(10, axis=0).repeat(10, axis=1))


@pytest.mark.parametrize("side", [2, 4, 8])
def test_smaller_pictures_average(opened, side):
    view = opened()
    assert view.wait(PATIENCE_S) and view.progress == 1.0
    # Levels are counted from the bottom, so that blocks of whole level pixels begin there.
    y1 = HEIGHT - 80
    box = (480, y1 - 20 * side, 480 + 30 * side, y1, 30, 20)
    seen = view.window(*box, GREY)
    assert np.abs(seen - wanted(*box) / 800 * 255).max() < 1.0


def test_before_the_levels_are_made_the_same_place_is_shown(opened, monkeypatch):
    monkeypatch.setattr(pyramid.Pyramid, "_build", lambda self: None)
    view = opened()
    assert view.progress == 0.0
    box = (480, 100, 720, 260, 60, 40)
    seen = view.window(*box, GREY)
    assert np.abs(seen - wanted(*box) / 800 * 255).max() < 6.0


@pytest.mark.parametrize(
    "how", [{}, {"compressed": True}, {"dtype": "uint16"}, {"dtype": "uint16", "compressed": True}]
)
def test_every_kind_of_file_shows_the_same(opened, how):
    view = opened(**how)
    view.wait(PATIENCE_S)
    plain = np.moveaxis(picture()[:, ::-1], 0, -1)
    value = view.value_at(700.5, 40.2)
    assert value == pytest.approx(plain[40, 700], abs=0.01)
    assert view.value_at(350.0, HEIGHT - 230.0) is None
    assert view.value_at(-1.0, 5.0) is None
    seen = view.window(0, 0, WIDTH, HEIGHT, 100, 61, GREY)
    assert not seen[HEIGHT // 10 - 23, 36].any()
    assert seen[5, 60, 0] == pytest.approx(plain[50, 600, 0] / 800 * 255, abs=3)


def test_a_mono_mosaic_is_grey_and_one_channel_can_be_chosen(opened):
    view = opened(picture(1)[0])
    assert view.channels == 1
    one = DisplayStretch((0.0,), (1.0,), (ChannelStretch(0.0, 800.0, 0.5),))
    seen = view.window(0, 0, 100, 60, 100, 60, one)
    assert np.array_equal(seen[..., 0], seen[..., 2])
    colour = opened()
    alone = colour.window(0, 0, 100, 60, 100, 60, GREY, channel=1)
    assert np.array_equal(alone[..., 0], alone[..., 2])
    assert np.array_equal(alone[..., 1], colour.window(0, 0, 100, 60, 100, 60, GREY)[..., 1])


def test_large_levels_lie_in_a_file_that_leaves_nothing_behind(opened, monkeypatch, tmp_path):
    cache = tmp_path / "cache"
    monkeypatch.setattr(pyramid, "MEMORY_BYTES", 0)
    monkeypatch.setattr(pyramid.platformdirs, "user_cache_dir", lambda *_, **__: str(cache))
    view = opened()
    assert view.wait(PATIENCE_S)
    box = (480, 100, 720, 260, 60, 40)
    assert np.abs(view.window(*box, GREY) - wanted(*box) / 800 * 255).max() < 3.0
    view.close()
    assert not list(cache.iterdir())


def test_the_fast_stretch_is_that_of_the_preview():
    planes = picture()[:, :50, :80]
    inside = np.isfinite(planes).all(axis=0)
    for stretches in (
        (ChannelStretch(-20.0, 600.0, 0.05),),
        tuple(ChannelStretch(-20.0 - c, 600.0, 0.05 + 0.1 * c) for c in range(3)),
    ):
        view = DisplayStretch((30.0, 90.0, 160.0), (1.0, 1.2, 0.8), stretches, colour=0.6)
        slow = np.moveaxis(np.rint(255 * view(planes, inside)), 0, -1)[::-1]
        fast = shown(planes, Raster(0.0, 49.0, 1.0, -1.0), 80, 50, view)
        assert np.abs(fast - slow).max() <= 1


def test_halving_ignores_holes():
    planes = np.array([[[1, 3, np.nan], [5, np.nan, np.nan], [2, 4, 6]]], np.float32)
    assert np.allclose(halved(planes), [[[3, np.nan], [3, 6]]], equal_nan=True)


def test_sky_and_frames_under_the_cursor(opened):
    view = opened()
    x, y = 321.5, 100.5
    assert view.sky_at(x, y) == pytest.approx(CANVAS.pixel_to_sky(321.0, HEIGHT - 101.0))
    assert view.place_of(*view.sky_at(x, y)) == pytest.approx((x, y), abs=1e-6)
    assert (view.frames_at(x, y), view.frames_at(x, HEIGHT - 10)) == (7, 0)
    overlay = coverage_colours(view.frames(0, 0, WIDTH, HEIGHT, 100, 61), view.most_frames)
    assert overlay[5, 5, 3] == 255 and overlay[-5, 5, 3] == 0
    assert opened(coverage=False).wcs.scale_arcsec == pytest.approx(CANVAS.scale_arcsec)


def test_the_automatic_stretch_shows_the_sky_dark(opened):
    view = opened()
    look = view.auto_stretch()
    assert len(look.stretches) == 1 and len(view.auto_stretch(linked=False).stretches) == 3
    brighter = look.adjusted(sky_level=0.4)
    means = [view.window(0, 0, WIDTH, HEIGHT, 100, 61, one).mean() for one in (look, brighter)]
    assert means[1] > 1.3 * means[0]


def test_what_is_no_mosaic_is_said(tmp_path):
    path = tmp_path / "broken.fits"
    path.write_bytes(b"no FITS")
    with pytest.raises(OutputError):
        MosaicView.open(path)
