"""Pictures: averaging, orientation, neutral sky, faint light, determinism."""

from __future__ import annotations

import io

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zemosaic.export.preview import coverage_picture, jpeg_bytes, midtones, png_bytes, stretched_preview, write_png
from zemosaic.export.shrink import block_size, shrunk

SHAPE = (360, 300)


def starfield(seed: int = 3) -> np.ndarray:
    """Uneven sky levels, red nebula at the bottom left, stars weaker in blue; NaN on the right."""
    rng = np.random.default_rng(seed)
    sky = np.array([120.0, 300.0, 210.0])[:, None, None] + rng.normal(0, 3, (3, *SHAPE))
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    cloud = np.exp(-((y - 70) ** 2 + (x - 70) ** 2) / (2 * 35.0**2))
    sky += np.array([60.0, 9.0, 12.0])[:, None, None] * cloud
    for _ in range(150):
        cy, cx, flux = rng.uniform(0, SHAPE[0]), rng.uniform(0, SHAPE[1] - 60), 10 ** rng.uniform(1.5, 4)
        window = np.s_[max(0, int(cy) - 7) : int(cy) + 8, max(0, int(cx) - 7) : int(cx) + 8]
        near = (y[window] - cy) ** 2 + (x[window] - cx) ** 2
        sky[(slice(None), *window)] += np.array([0.8, 1.0, 0.5])[:, None, None] * flux * np.exp(-near / (2 * 1.1**2))
    sky[:, :, -40:] = np.nan
    return sky.astype(np.float32)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 50))
def test_shrinking_averages_whole_blocks(height, width, max_px):
    source = np.random.default_rng(height * width).normal(size=(height, width)).astype(np.float32)
    source[source > 1.5] = np.nan
    side = block_size(height, width, max_px)
    small = shrunk(source, max_px)[0]
    assert max(small.shape) <= max_px
    for (row, column), mean in np.ndenumerate(small):
        block = source[row * side : (row + 1) * side, column * side : (column + 1) * side]
        known = block[np.isfinite(block)]
        assert np.isnan(mean) if known.size == 0 else mean == pytest.approx(known.mean(), abs=1e-5)


def test_shrinking_reads_a_zarr_array_and_a_box_alike(tmp_path):
    source = starfield()
    stored = zarr.create_array(store=str(tmp_path / "z"), shape=source.shape, chunks=(3, 50, 64), dtype="float32")
    stored[:] = source
    box = (13, 333, 21, 290)
    wanted = shrunk(source[:, 13:333, 21:290], 90)
    assert np.allclose(shrunk(stored, 90, box=box), wanted, equal_nan=True, rtol=1e-6)
    assert np.allclose(
        shrunk(np.moveaxis(source, 0, -1), 90, box=box, axis_order="HWC"), wanted, equal_nan=True, rtol=1e-6
    )


def test_the_sky_is_a_neutral_dark_grey_and_the_outside_black():
    picture = stretched_preview(starfield(), None, 400)
    assert picture.shape == (*SHAPE, 3)
    assert picture.dtype == np.uint8
    sky = np.median(picture[40:150, 120:250].reshape(-1, 3), axis=0)
    assert 0.09 * 255 < sky.mean() < 0.17 * 255
    assert np.ptp(sky) <= 3
    assert not picture[:, -40:].any()


def test_north_is_up_and_faint_light_shows_in_its_colour():
    picture = stretched_preview(starfield(), None, 400).astype(float)
    height = SHAPE[0]
    cloud = np.median(picture[height - 90 : height - 50, 50:90].reshape(-1, 3), axis=0)
    opposite = np.median(picture[50:90, 50:90].reshape(-1, 3), axis=0)
    assert cloud[0] > 2 * opposite[0]
    assert cloud[0] > 1.5 * cloud[2]


def test_a_slope_of_the_sky_is_taken_out_of_the_picture():
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    slope = np.array([0.1, -0.05, 0.02])[:, None, None] * y + np.array([0.0, 0.08, -0.08])[:, None, None] * x
    picture = stretched_preview(starfield() + slope.astype(np.float32), None, 400)
    corners = [picture[20:60, 20:60], picture[20:60, 200:240], picture[-60:-20, 200:240]]
    skies = np.array([np.median(corner.reshape(-1, 3), axis=0) for corner in corners])
    assert np.ptp(skies, axis=0).max() <= 6
    assert np.ptp(skies, axis=1).max() <= 6


def test_stars_come_out_white_on_average():
    picture = stretched_preview(starfield(), None, 400).astype(float)
    bright = picture[picture.mean(axis=2) > 170]
    means = bright.mean(axis=0)
    assert np.ptp(means) < 0.06 * means.mean()


def test_no_coverage_is_black_and_an_empty_mosaic_is_no_failure():
    coverage = np.ones(SHAPE, np.int16)
    coverage[:100] = 0
    picture = stretched_preview(starfield(), coverage, 400)
    assert not picture[-100:].any()
    assert picture[:-100, :250].any(axis=2).mean() > 0.99
    assert not stretched_preview(np.full((3, 20, 30), np.nan), None, 10).any()


@pytest.mark.parametrize("value", [0.0, 250.0])
def test_a_flat_picture_is_flat(value):
    picture = stretched_preview(np.full((1, 64, 64), value, np.float32), None, 64)
    assert np.ptp(picture) == 0


def test_mono_is_grey():
    picture = stretched_preview(starfield()[1], None, 400)
    assert np.array_equal(picture[..., 0], picture[..., 1])
    assert np.array_equal(picture[..., 0], picture[..., 2])
    assert picture.max() > 200


@given(st.floats(0.001, 0.999))
def test_midtones_run_through_their_three_points(balance):
    assert midtones(0.0, balance) == 0
    assert midtones(balance, balance) == pytest.approx(0.5, rel=1e-4)
    assert midtones(1.0, balance) == pytest.approx(1.0, rel=1e-4)


def test_a_png_holds_pixels_and_nothing_else(tmp_path):
    picture = stretched_preview(starfield(), None, 200)
    write_png(tmp_path / "p.png", picture)
    content = (tmp_path / "p.png").read_bytes()
    assert content == png_bytes(stretched_preview(starfield(), None, 200))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), picture)
    kinds, at = set(), 8
    while at < len(content):
        kinds.add(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4])
    assert kinds == {b"IHDR", b"IDAT", b"IEND"}


def test_jpeg_is_shrunk():
    assert max(Image.open(io.BytesIO(jpeg_bytes(np.zeros((300, 200, 3), np.uint8), 120))).size) == 120


def test_the_coverage_map_is_clear_where_nothing_is():
    coverage = np.zeros((40, 60), np.int16)
    coverage[10:20] = 3
    coverage[20:30] = 12
    picture, most = coverage_picture(coverage, 60)
    assert most == 12
    assert picture.shape == (40, 60, 4)
    assert not picture[:10, :, 3].any()
    assert picture[30:, :, 3].sum() == 0
    # Rows are turned over: the deep rows stand above the shallow ones.
    assert picture[15, 0, :3].sum() > picture[25, 0, :3].sum() > 0
