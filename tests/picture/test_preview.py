"""Pictures: averaging, orientation, neutral sky, faint light, determinism."""

from __future__ import annotations

import io
import struct
from functools import partial

import cv2
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zemosaic.picture.downsample import block_size, downsampled, sampled
from zemosaic.picture.picture_files import _tiff_head, write_picture16
from zemosaic.picture.preview import (
    coverage_picture,
    jpeg_bytes,
    png_bytes,
    stretched_bands,
    stretched_preview,
    write_png,
)
from zemosaic.picture.stretch import SKY_LEVEL, ChannelStretch, DisplayStretch, PictureLook, display_stretch, midtones

SHAPE = (360, 300)
preview = partial(stretched_preview, axis_order="CHW")
shrunk_planes = partial(downsampled, axis_order="CHW")


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
    small = shrunk_planes(source, max_px)[0]
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
    wanted = shrunk_planes(source[:, 13:333, 21:290], 90)
    assert np.allclose(shrunk_planes(stored, 90, box=box), wanted, equal_nan=True, rtol=1e-6)
    assert np.allclose(
        shrunk_planes(np.moveaxis(source, 0, -1), 90, box=box, axis_order="HWC"), wanted, equal_nan=True, rtol=1e-6
    )


def test_the_sky_is_a_neutral_dark_grey_and_the_outside_black():
    picture = preview(starfield(), None, 400)
    assert picture.shape == (*SHAPE, 3)
    assert picture.dtype == np.uint8
    sky = np.median(picture[40:150, 120:250].reshape(-1, 3), axis=0)
    assert 0.09 * 255 < sky.mean() < 0.17 * 255
    assert np.ptp(sky) <= 3
    assert not picture[:, -40:].any()


def cloudy(share: float) -> np.ndarray:
    """Return clouds of red, blue and yellow light over all but a part of the sky."""
    rng = np.random.default_rng(8)
    sky = np.array([120.0, 300.0, 210.0])[:, None, None] + rng.normal(0, 3, (3, 600, 600))
    wide = int(600 * (1.0 - share))
    for rows, light in zip(np.split(np.arange(600), 3), ([40, 10, 5], [0, 0, 45], [40, 60, 0]), strict=True):
        sky[:, rows[0] : rows[-1] + 1, :wide] += np.array(light, float)[:, None, None]
    return sky.astype(np.float32)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.06])
def test_no_coloured_cloud_is_taken_for_the_sky(share):
    sky = np.array(display_stretch(cloudy(share), None, 600, axis_order="CHW").sky)
    assert np.abs(sky - [120.0, 300.0, 210.0]).max() < 1.0


def test_the_core_of_a_galaxy_does_not_drown_and_its_outer_light_shows():
    y, x = np.mgrid[0:600, 0:600]
    r = np.hypot(y - 300, x - 300)
    galaxy = 900.0 * np.exp(-r / 4.0) + 60.0 * np.exp(-r / 20.0)
    source = 200.0 + galaxy + np.random.default_rng(2).normal(0, 3, (1, 600, 600))
    picture = preview(source.astype(np.float32), None, 600)[..., 0].astype(float)

    def level(inner: float, outer: float) -> float:
        return float(np.median(picture[::-1][(r >= inner) & (r < outer)]))

    sky = level(200, 280)
    assert 254 > level(0, 2) > level(6, 8) + 20
    assert level(50, 55) > sky + 22, "one sigma and a half of a pixel's noise"


def test_north_is_up_and_faint_light_shows_in_its_colour():
    picture = preview(starfield(), None, 400).astype(float)
    height = SHAPE[0]
    cloud = np.median(picture[height - 90 : height - 50, 50:90].reshape(-1, 3), axis=0)
    opposite = np.median(picture[50:90, 50:90].reshape(-1, 3), axis=0)
    assert cloud[0] > 2 * opposite[0]
    assert cloud[0] > 1.5 * cloud[2]


def test_the_picture_takes_off_no_more_than_a_level():
    y = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]][0]
    sloping = starfield() + (0.3 * y).astype(np.float32)
    picture = preview(sloping, None, 400).astype(float)
    assert np.median(picture[20:60, 200:240]) > 1.5 * np.median(picture[-60:-20, 200:240])


def test_unlinked_channels_each_fill_the_range():
    weak = starfield() * np.array([1.0, 1.0, 0.2], np.float32)[:, None, None]
    view = display_stretch(weak, None, 400, axis_order="CHW", look=PictureLook(linked=False))
    assert view.gains == (1.0, 1.0, 1.0) and len(view.stretches) == 3
    linked, unlinked = (preview(weak, None, 400, look=PictureLook(linked=kind)).astype(float) for kind in (True, False))
    assert not np.array_equal(linked, unlinked)
    sky = np.median(unlinked[40:150, 120:250].reshape(-1, 3), axis=0)
    assert np.ptp(sky) <= 3
    noise = unlinked[40:150, 120:250].std(axis=(0, 1))
    assert 0.7 < noise[2] / noise[0] < 1.4


@pytest.mark.parametrize("order", ["CHW", "HWC"])
@pytest.mark.parametrize("kind", ["png16", "tiff"])
def test_the_full_picture_of_sixteen_bits_is_read_back(tmp_path, monkeypatch, kind, order):
    monkeypatch.setattr("zemosaic.store.axis_order.BAND_BYTES", 70 * 3 * SHAPE[1] * 4)
    source = starfield() if order == "CHW" else np.moveaxis(starfield(), 0, -1)
    box = (11, 351, 4, 290)
    view = display_stretch(source, None, 200, axis_order=order, box=box, full_size=True)
    bands = stretched_bands(source, None, view, axis_order=order, box=box)
    write_picture16(tmp_path / "p", bands, 286, 340, kind)
    read = cv2.imdecode(np.frombuffer((tmp_path / "p").read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert read.dtype == np.uint16
    planes = starfield()[:, 11:351, 4:290]
    wanted = np.rint(65535.0 * view(planes, np.isfinite(planes).all(axis=0)))[:, ::-1]
    assert np.array_equal(read, np.moveaxis(wanted, 0, -1))
    sky = np.median(read[40:150, 120:250].reshape(-1, 3) / 65535, axis=0)
    assert np.all(np.abs(sky - SKY_LEVEL) < 0.03)
    assert (read[40:150, 120:250] == 0).mean() < 0.01, "the noise of single pixels is not cut off"


def test_mono_and_uncovered_pixels_of_the_full_picture(tmp_path):
    coverage = np.ones(SHAPE, np.int16)
    coverage[:50] = 0
    mono = starfield()[1]
    view = display_stretch(mono, coverage, 200, full_size=True)
    picture = np.concatenate(list(stretched_bands(mono, coverage, view)))
    assert picture.shape == (*SHAPE, 3)
    assert np.array_equal(picture[..., 0], picture[..., 2])
    assert not picture[-50:].any() and picture[:-50, :250].all(axis=2).mean() > 0.99


def test_a_tiff_beyond_four_gigabytes_is_a_big_one():
    head = _tiff_head(40000, 20000)
    assert head[:4] == b"II" + struct.pack("<H", 43)
    entries = {
        int.from_bytes(head[24 + 20 * n : 26 + 20 * n], "little"): head[36 + 20 * n : 44 + 20 * n] for n in range(10)
    }
    assert struct.unpack("<Q", entries[273]) == (len(head),)
    assert struct.unpack("<Q", entries[279]) == (40000 * 20000 * 6,)
    assert struct.unpack("<3H", entries[258][:6]) == (16, 16, 16)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30), st.sampled_from(["HW", "CHW"]))
def test_samples_are_single_pixels_in_equal_steps(height, width, max_px, order):
    source = np.arange(height * width, dtype=np.float32).reshape(height, width)
    side = block_size(height, width, max_px)
    given_source = source if order == "HW" else source[None]
    assert np.array_equal(sampled(given_source, max_px, axis_order=order)[0], source[::side, ::side])


def test_stars_come_out_white_on_average():
    picture = preview(starfield(), None, 400).astype(float)
    bright = picture[picture.mean(axis=2) > 170]
    means = bright.mean(axis=0)
    assert np.ptp(means) < 0.06 * means.mean()


def test_clipped_cores_of_stars_have_the_hue_of_their_wings():
    y, x = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    star = np.exp(-((y - 200) ** 2 + (x - 150) ** 2) / (2 * 3.0**2))
    source = starfield() + np.array([1.6, 1.0, 0.3])[:, None, None] * (60000.0 * star).astype(np.float32)
    picture = preview(np.minimum(source, 20000.0).astype(np.float32), None, 400)
    core, flank = picture[::-1][200, 150].astype(float), picture[::-1][200, 161].astype(float)
    assert hue(core) == pytest.approx(hue(flank), abs=12.0)
    assert core.max() > 200 and np.ptp(core) > 40, "neither dark nor clipped to white"


def hue(colours: np.ndarray) -> np.ndarray:
    """Return the angle of colours, last axis red, green, blue, about the grey axis in degrees."""
    red, green, blue = np.moveaxis(np.asarray(colours, float), -1, 0)
    return np.degrees(np.arctan2(np.sqrt(3.0) * (green - blue), 2.0 * red - green - blue))


@pytest.mark.parametrize("look", [PictureLook(), PictureLook(strength=3.0, sky_level=0.05)])
def test_the_hue_of_a_wedge_of_colours_stays_from_a_thousandth_to_nine_tenths_of_full_scale(look):
    angles = np.radians(np.arange(0.0, 360.0, 3.0))
    levels = 65535.0 * np.geomspace(0.001, 0.9, 60)
    pure = 0.5 + 0.5 * np.cos(angles[:, None] - np.radians([0.0, 120.0, 240.0]))
    colours = (pure[:, None, :] * levels[None, :, None]).astype(np.float32)
    planes = np.moveaxis(colours, -1, 0)
    stretch = DisplayStretch((0.0,) * 3, (1.0,) * 3, (ChannelStretch.between(-20.0, 65535.0, 0.14),), look=look)
    for view in (stretch, stretch.fitted(planes, np.ones(planes.shape[1:], bool))):
        seen = np.moveaxis(view(planes, np.ones(planes.shape[1:], bool)), 0, -1)
        drift = (hue(seen) - hue(colours) + 180.0) % 360.0 - 180.0
        assert np.abs(drift).max() < 0.5
        assert np.ptp(seen[:, -1], axis=-1).min() > 0.3, "the brightest part keeps its colour"
        assert seen.max() <= 1.0


def test_the_emptiest_sky_is_neutral_beside_a_nebula_that_fills_most_of_the_picture():
    picture = preview(cloudy(0.9), None, 600).astype(float)
    sky = picture[20:-20, 560:590].reshape(-1, 3)
    assert np.ptp(np.median(sky, axis=0)) <= 1 and np.ptp(sky.mean(axis=0)) <= 1


def test_strength_lifts_faint_light_and_leaves_the_sky_as_it_is():
    faint = np.s_[-120:-20, 40:110]
    weak, strong = (preview(starfield(), None, 400, look=PictureLook(strength=by)).astype(float) for by in (0.6, 1.8))
    sky = np.s_[40:150, 120:250]
    assert np.median(strong[sky]) == pytest.approx(np.median(weak[sky]), abs=2)
    assert strong[faint].mean() > 1.25 * weak[faint].mean()
    dark = preview(starfield(), None, 400, look=PictureLook(sky_level=0.05))
    assert np.median(dark[sky]) == pytest.approx(0.05 * 255, abs=2)


def test_given_gains_are_those_of_the_picture():
    view = display_stretch(starfield(), None, 400, axis_order="CHW", look=PictureLook(gains=(1.3, 1.0, 1.9)))
    assert view.gains == (1.3, 1.0, 1.9)


def test_no_coverage_is_black_and_an_empty_mosaic_is_no_failure():
    coverage = np.ones(SHAPE, np.int16)
    coverage[:100] = 0
    picture = preview(starfield(), coverage, 400)
    assert not picture[-100:].any()
    assert picture[:-100, :250].any(axis=2).mean() > 0.99
    assert not preview(np.full((3, 20, 30), np.nan), None, 10).any()


@pytest.mark.parametrize("value", [0.0, 250.0])
def test_a_flat_picture_is_flat(value):
    picture = preview(np.full((1, 64, 64), value, np.float32), None, 64)
    assert np.ptp(picture) == 0


def test_mono_is_grey():
    picture = preview(starfield()[1], None, 400)
    assert np.array_equal(picture[..., 0], picture[..., 1])
    assert np.array_equal(picture[..., 0], picture[..., 2])
    assert picture.max() > 200


@given(st.floats(0.001, 0.999))
def test_midtones_run_through_their_three_points(balance):
    assert midtones(0.0, balance) == 0
    assert midtones(balance, balance) == pytest.approx(0.5, rel=1e-4)
    assert midtones(1.0, balance) == pytest.approx(1.0, rel=1e-4)


def test_a_png_holds_pixels_and_nothing_else(tmp_path):
    picture = preview(starfield(), None, 200)
    write_png(tmp_path / "p.png", picture)
    content = (tmp_path / "p.png").read_bytes()
    assert content == png_bytes(preview(starfield(), None, 200))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), picture)
    kinds, at = set(), 8
    while at < len(content):
        kinds.add(content[at + 4 : at + 8])
        at += 12 + int.from_bytes(content[at : at + 4])
    assert kinds == {b"IHDR", b"IDAT", b"IEND"}


def test_jpeg_is_shrunk_planes():
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
