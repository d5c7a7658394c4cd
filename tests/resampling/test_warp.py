"""Resampling: exact places, stars unharmed, nothing read that is not there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaic_frames import BENT, SCALE_DEG, calibrated_of, solved_of, wcs_of

from zemosaic.model import sky_level
from zemosaic.resampling.interpolation import STEPS, cubic_table, lanczos_table
from zemosaic.resampling.warp import BORDER, Lattice, frame_lattice, warp, window_of
from zemosaic.wcs import FrameWcs

Box = tuple[int, int, int, int]


def canvas_of(ra: float, dec: float, half: int = 1500, scale_deg: float = SCALE_DEG) -> FrameWcs:
    """Return a canvas with north up whose middle is at (half, half)."""
    return FrameWcs(ra % 360.0, dec, half, half, ((-scale_deg, 0.0), (0.0, scale_deg)))


def interpolated(lattice: Lattice, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Return the detector position of each pixel of a box as the lattice gives it."""
    rows, columns = np.arange(box[0], box[1]), np.arange(box[2], box[3])
    a, b = (rows - lattice.row0) / 32, (columns - lattice.column0) / 32
    i, j = np.floor(a).astype(int), np.floor(b).astype(int)
    t, s = (a - i)[:, None], (b - j)[None, :]

    def between(p: np.ndarray) -> np.ndarray:
        top = (1 - s) * p[np.ix_(i, j)] + s * p[np.ix_(i, j + 1)]
        return (1 - t) * top + t * ((1 - s) * p[np.ix_(i + 1, j)] + s * p[np.ix_(i + 1, j + 1)])

    return between(lattice.x), between(lattice.y)


def resampled(
    pixels: np.ndarray,
    frame: FrameWcs,
    canvas: FrameWcs,
    box: Box,
    window: Box | None = None,
    bayer: str | None = None,
    **calibration: object,
) -> np.ndarray:
    """Warp pixels (h, w) or (h, w, 3), or the window of them that the box draws on."""
    height, width = pixels.shape[:2]
    channels = 3 if bayer or pixels.ndim == 3 else 1
    solved = solved_of(frame, size=(width, height), channels=channels, bayer=bayer)
    lattice = frame_lattice(canvas, frame, box)
    window = window or window_of(lattice, width, height)
    out = np.full((channels, box[1] - box[0], box[3] - box[2]), -1e30, np.float32)
    if window is None:
        out[...] = np.nan
        return out
    part = np.ascontiguousarray(pixels[window[0] : window[1], window[2] : window[3]], np.float32)
    warp(part, window, calibrated_of(solved, **calibration), lattice, box, out)
    return out


PATTERNS = ["RGGB", "GRBG", "GBRG", "BGGR"]


def through_mask(planes: np.ndarray, bayer: str) -> np.ndarray:
    """Return what a Bayer sensor sees of colour planes (3, h, w)."""
    colour = np.array(["RGB".index(letter) for letter in bayer]).reshape(2, 2)
    rows, columns = np.mgrid[: planes.shape[1], : planes.shape[2]]
    return planes[colour[rows % 2, columns % 2], rows, columns]


@pytest.mark.parametrize("dec", [0.0, 44.0, 89.0])
@pytest.mark.parametrize("turn", [0.0, 33.0, 180.0])
def test_lattice_is_exact_to_a_hundredth_of_a_pixel(dec, turn):
    canvas = canvas_of(100.0, dec)
    frame = wcs_of(100.4, dec + 0.3, turn, bend_px=1.5)
    worst = 0.0
    for y0 in range(0, 3000, 500):
        for x0 in range(0, 3000, 500):
            box = (y0, y0 + 500, x0, x0 + 500)
            x, y = interpolated(frame_lattice(canvas, frame, box), box)
            rows, columns = np.mgrid[y0 : y0 + 500 : 11, x0 : x0 + 500 : 11]
            true_x, true_y = frame.sky_to_pixel(*canvas.pixel_to_sky(columns, rows))
            on = (true_x > 0) & (true_x < 1079) & (true_y > 0) & (true_y < 1919)
            off = np.hypot(x[::11, ::11] - true_x, y[::11, ::11] - true_y)
            worst = max(worst, off[on].max(initial=0.0))
    assert 0 < worst < 0.01


def centroid(image: np.ndarray, x: float, y: float, sigma: float) -> tuple[float, float]:
    """Return the windowed centroid, begun a little off the true place."""
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    x, y = x + 0.3, y - 0.3
    for _ in range(30):
        window = image * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / sigma**2)
        x += 2.0 * (window * (columns - x)).sum() / window.sum()
        y += 2.0 * (window * (rows - y)).sum() / window.sum()
    return x, y


@pytest.mark.parametrize("fwhm", [2.5, 3.5])
@pytest.mark.parametrize("turn", [0.0, 21.0, 90.0])
def test_a_star_keeps_its_place_and_its_light(fwhm, turn):
    canvas, frame = canvas_of(50.0, 30.0, 300), wcs_of(50.01, 29.99, turn, size=(400, 500), bend_px=0.3)
    sigma, rng = fwhm / 2.3548, np.random.default_rng(4)
    offset = np.arange(-25, 26)
    for cx, cy in rng.uniform((60, 60), (340, 440), (6, 2)):
        y, x = np.mgrid[0:500, 0:400]
        star = 1000.0 * np.exp(-0.5 * ((x - cx) ** 2 + (y - cy) ** 2) / sigma**2)
        tx, ty = canvas.sky_to_pixel(*frame.pixel_to_sky(cx, cy))
        place = round(float(ty)) + offset[0], round(float(tx)) + offset[0]
        box = (place[0], place[0] + 51, place[1], place[1] + 51)
        out = resampled(star, frame, canvas, box)[0].astype(float)
        assert out.sum() / (1000.0 * 2 * math.pi * sigma**2) == pytest.approx(1.0, abs=0.003)
        gx, gy = centroid(out, float(tx) - box[2], float(ty) - box[0], sigma)
        assert math.hypot(gx + box[2] - tx, gy + box[0] - ty) < 0.01


@pytest.mark.parametrize("bayer", PATTERNS)
@pytest.mark.parametrize("turn", [0.0, 21.0])
def test_a_star_through_the_mask_keeps_its_place_and_its_light_in_every_colour(bayer, turn):
    """Red and blue see a fourth of a star's pixels: one star may err, the mean of many places must not."""
    fwhm, tint = 3.5, (0.7, 1.0, 1.3)
    canvas, frame = canvas_of(50.0, 30.0, 300), wcs_of(50.01, 29.99, turn, size=(400, 500))
    sigma, rng = fwhm / 2.3548, np.random.default_rng(4)
    light, place = [], []
    for cx, cy in rng.uniform((80, 80), (320, 420), (24, 2)):
        y, x = np.mgrid[0:500, 0:400]
        star = 1000.0 * np.exp(-0.5 * ((x - cx) ** 2 + (y - cy) ** 2) / sigma**2)
        raw = through_mask(np.stack([t * star for t in tint]), bayer)
        tx, ty = (float(v) for v in canvas.sky_to_pixel(*frame.pixel_to_sky(cx, cy)))
        box = (round(ty) - 25, round(ty) + 26, round(tx) - 25, round(tx) + 26)
        out = resampled(raw, frame, canvas, box, bayer=bayer)
        light.append([out[c].sum() / (tint[c] * 1000.0 * 2 * math.pi * sigma**2) for c in range(3)])
        found = [centroid(out[c], tx - box[2], ty - box[0], sigma) for c in range(3)]
        place.append([(gx + box[2] - tx, gy + box[0] - ty) for gx, gy in found])
    mean, error = np.mean(light, axis=0), np.abs(np.array(light) - 1.0).max(axis=0)
    off = np.array(place)
    assert error[1] < 0.003 and np.hypot(*off[:, 1].T).max() < 0.02
    assert np.abs(mean - 1.0).max() < 0.01 and error.max() < 0.05
    assert np.abs(off.mean(axis=0)).max() < 0.02 and np.hypot(off[..., 0], off[..., 1]).max() < 0.12


@pytest.mark.parametrize("bayer", PATTERNS)
def test_even_light_stays_even_through_the_mask(bayer):
    canvas, frame = canvas_of(50.0, 30.0, 100), wcs_of(50.0, 30.0, 33.0, size=(201, 151))
    raw = through_mask(np.stack([np.full((151, 201), level) for level in (1.0, 2.0, 3.0)]), bayer)
    out = resampled(raw, frame, canvas, (0, 200, 0, 200), bayer=bayer)
    assert np.isfinite(out).sum() > 40000
    for c in range(3):
        np.testing.assert_allclose(out[c][np.isfinite(out[c])], c + 1.0, rtol=1e-5)


def test_outside_the_frame_there_is_nothing():
    canvas, frame = canvas_of(50.0, 30.0, 300), wcs_of(50.02, 30.03, 25.0, size=(200, 150), bend_px=0.5)
    box = (0, 600, 0, 600)
    out = resampled(np.ones((150, 200, 3)), frame, canvas, box)
    rows, columns = np.mgrid[0:600, 0:600]
    x, y = frame.sky_to_pixel(*canvas.pixel_to_sky(columns, rows))
    depth = np.minimum.reduce([x, 199 - x, y, 149 - y]) - BORDER
    assert np.isfinite(out[:, depth > 0.05]).all() and (depth > 0.05).sum() > 20000
    assert np.isnan(out[:, depth < -0.05]).all()
    np.testing.assert_allclose(out[np.isfinite(out)], 1.0, rtol=1e-5)


def test_the_far_side_of_the_sky_gives_nothing():
    canvas = canvas_of(10.0, 0.0)
    lattice = frame_lattice(canvas, wcs_of(190.0, 0.0), (0, 64, 0, 64))
    assert np.isnan(lattice.x).all() and window_of(lattice, 1080, 1920) is None


@given(
    place=st.tuples(st.integers(-120, 420), st.integers(-120, 420)),
    larger=st.tuples(*[st.integers(0, 90)] * 4),
    turn=st.floats(0, 360),
    bayer=st.sampled_from([None, "GRBG", "BGGR"]),
)
@settings(max_examples=40)
def test_a_value_does_not_depend_on_the_tile(place, larger, turn, bayer):
    canvas, frame = canvas_of(50.0, 30.0, 150), wcs_of(50.0, 30.0, turn, size=(260, 240), bend_px=0.4)
    rng = np.random.default_rng(1)
    pixels = rng.uniform(0, 60000, (240, 260) if bayer else (240, 260, 3)).astype(np.float32)
    small = (place[1], place[1] + 37, place[0], place[0] + 45)
    large = (small[0] - larger[0], small[1] + larger[1], small[2] - larger[2], small[3] + larger[3])
    calibration = {
        "transparency": (0.9, 1.1, 0.7),
        "sky_adu": ((900.0, 11.0, -7.0, *BENT), (700.0, 3.0, 5.0, *BENT), (650.0, 0.0, 0.0, *BENT)),
        "bias_adu": 201.0,
        "illumination": (-0.2,),
    }
    one = resampled(pixels, frame, canvas, small, bayer=bayer, **calibration)
    two = resampled(pixels, frame, canvas, large, bayer=bayer, **calibration)
    inner = np.ascontiguousarray(two[:, larger[0] : larger[0] + 37, larger[2] : larger[2] + 45])
    assert one.tobytes() == inner.tobytes()


@given(
    shift=st.tuples(st.floats(-0.35, 0.35), st.floats(-0.35, 0.35)),
    turn=st.one_of(st.sampled_from([0.0, 90.0, 180.0, 270.0]), st.floats(0, 360)),
    mirrored=st.booleans(),
    scale=st.floats(0.4, 2.5),
    bend=st.sampled_from([0.0, 1.0, -1.0]),
    size=st.sampled_from([(64, 48), (65, 47), (300, 200), (9, 400), (6, 6)]),
    corner=st.one_of(
        st.sampled_from([(32, 32), (64, 96), (128, 128)]), st.tuples(st.integers(-40, 300), st.integers(-40, 300))
    ),
    extent=st.one_of(st.just((33, 33)), st.tuples(st.integers(1, 200), st.integers(1, 200))),
    bayer=st.sampled_from([None, "GRBG", "RGGB"]),
)
@settings(max_examples=150)
def test_the_window_holds_all_that_is_read(shift, turn, mirrored, scale, bend, size, corner, extent, bayer):
    """The window and the whole give the same bits; NaN at the rim of the frame would spread if it were read."""
    width, height = size
    canvas = canvas_of(50.0, 30.0, 150)
    frame = wcs_of(
        50.0 + shift[0] / 4,
        30.0 + shift[1] / 4,
        turn,
        size=size,
        mirrored=mirrored,
        bend_px=bend,
        scale_deg=SCALE_DEG * scale,
    )
    box = (corner[1], corner[1] + extent[1], corner[0], corner[0] + extent[0])
    lattice = frame_lattice(canvas, frame, box)
    window = window_of(lattice, width, height)
    pixels = np.random.default_rng(2).uniform(1, 2, (height, width)).astype(np.float32)
    x, y = interpolated(lattice, box)
    on = (x >= BORDER) & (x <= width - 1 - BORDER) & (y >= BORDER) & (y <= height - 1 - BORDER)
    if window is None:
        assert not on.any()
        return
    y0, y1, x0, x1 = window
    assert 0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width and y0 % 2 == x0 % 2 == 0
    whole = resampled(pixels, frame, canvas, box, (0, height, 0, width), bayer)
    part = resampled(pixels, frame, canvas, box, None, bayer)
    rim = np.minimum.reduce([x - BORDER, width - 1 - BORDER - x, y - BORDER, height - 1 - BORDER - y])
    sure = np.abs(rim) > 1e-6  # on the rim itself the last bit decides
    np.testing.assert_array_equal(np.isfinite(whole)[:, sure], np.broadcast_to(on, whole.shape)[:, sure])
    assert whole.tobytes() == part.tobytes()
    bare = pixels.copy()
    bare[0], bare[-1], bare[:, 0], bare[:, -1] = (np.nan,) * 4
    assert resampled(bare, frame, canvas, box, None, bayer).tobytes() == part.tobytes(), "the rim is not read"


@pytest.mark.parametrize("bayer", [None, "GBRG"])
def test_calibration_is_the_formula_of_the_record(bayer):
    size = (300, 200)
    canvas = FrameWcs(50.0, 30.0, 149.5, 99.5, wcs_of(50.0, 30.0).cd)
    frame = wcs_of(50.0, 30.0, size=size)
    levels = (1500.0, 2500.0, 3500.0)
    flat = np.stack([np.full(size[::-1], level) for level in levels])
    pixels = through_mask(flat, bayer) if bayer else np.moveaxis(flat, 0, -1)
    sky = ((300.0, 40.0, -20.0, *BENT), (500.0, -60.0, 10.0, *BENT), (400.0, 5.0, 80.0, *BENT))
    transparency, bias, illumination = (0.8, 0.9, 1.2), 120.0, (-0.3, 0.11)
    out = resampled(
        pixels,
        frame,
        canvas,
        (0, 200, 0, 300),
        bayer=bayer,
        sky_adu=sky,
        transparency=transparency,
        bias_adu=bias,
        illumination=illumination,
    )
    y, x = np.mgrid[0:200, 0:300]
    u, v = (x - 150.0) / 200.0, (y - 100.0) / 200.0
    r2 = u * u + v * v
    fall = 1.0 + illumination[0] * r2 + illumination[1] * r2 * r2
    for c in range(3):
        expected = np.broadcast_to(((levels[c] - bias) / fall - sky_level(sky[c], u, v)) / transparency[c], size[::-1])
        inner = np.s_[BORDER + 1 : -BORDER - 1, BORDER + 1 : -BORDER - 1]
        np.testing.assert_allclose(out[c][inner], expected[inner], rtol=2e-5)
        assert np.isnan(out[c][:BORDER]).all()


def test_resampling_weights():
    table = lanczos_table()
    np.testing.assert_allclose(table.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(table[0], [0, 0, 1, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(table[-1], [0, 0, 0, 1, 0, 0], atol=1e-7)
    np.testing.assert_allclose(table[STEPS // 2], table[STEPS // 2][::-1], atol=1e-7)
    cubic = cubic_table()
    np.testing.assert_allclose(cubic.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(cubic @ np.arange(-1, 3), np.linspace(0, 1, STEPS + 1), atol=1e-6)
    np.testing.assert_allclose(cubic[0], [0, 1, 0, 0], atol=1e-7)
