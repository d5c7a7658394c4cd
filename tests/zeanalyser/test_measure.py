"""One look at a frame: what went in comes out again, through the Bayer mask and without it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zemosaic.errors import FrameError
from zemosaic.model import FrameRef, MeasuredFrame
from zemosaic.zeanalyser.measure_frames import MAX_STARS, colour_sites, measure

WIDTH, HEIGHT = 640, 520
SKY = {"R": 900.0, "G": 1200.0, "B": 800.0}
NOISE = {"R": 14.0, "G": 16.0, "B": 12.0}
TINT = {"R": 0.7, "G": 1.0, "B": 0.6}


def frame_of(bayer: str | None = "GRBG", planes: int = 1) -> FrameRef:
    return FrameRef(
        frame_id=0,
        path="light.fit",
        size_bytes=0,
        mtime_ns=0,
        hdu=0,
        width=WIDTH,
        height=HEIGHT,
        planes=planes,
        colour_axis=2 if planes == 3 else None,
        bayer=bayer,
        compressed=False,
        exposure_s=10.0,
        date_obs=None,
        instrument="",
        telescope="",
        filter_name="",
        object_name="",
        gain=None,
        temperature_c=None,
        binning=1,
        ra_deg=None,
        dec_deg=None,
        scale_arcsec=None,
        header_wcs=None,
    )


def moffat(x: float, y: float, flux: float, fwhm: float, axis_ratio: float, turn_deg: float) -> tuple[np.ndarray, ...]:
    """Return (rows, columns, light) of a star, light summed over each pixel's 3 x 3 parts; exponent 3."""
    widths = fwhm / math.sqrt(axis_ratio), fwhm * math.sqrt(axis_ratio)
    a, b = (w / (2.0 * math.sqrt(2.0 ** (1.0 / 3.0) - 1.0)) for w in widths)
    rows, columns = np.mgrid[
        max(0, int(y) - 30) : min(HEIGHT, int(y) + 31), max(0, int(x) - 30) : min(WIDTH, int(x) + 31)
    ]
    cos, sin = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    light = np.zeros(rows.shape)
    for dy in (-1 / 3, 0, 1 / 3):
        for dx in (-1 / 3, 0, 1 / 3):
            u, v = columns + dx - x, rows + dy - y
            light += (1.0 + ((cos * u + sin * v) / a) ** 2 + ((cos * v - sin * u) / b) ** 2) ** -3.0
    return rows, columns, flux * light * 2.0 / (math.pi * a * b) / 9.0


def star_field(
    n: int = 70,
    fwhm: float = 3.2,
    axis_ratio: float = 1.0,
    turn_deg: float = 0.0,
    bayer: str | None = "GRBG",
    gradient: float = 0.0,
    faintest: float = 3e4,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (pixels, x, y, flux); stars stand apart, flux is that of a sensor all green."""
    rng = np.random.default_rng(seed)
    sky, noise, tint = (
        np.tile(np.array([table[letter] for letter in bayer or "GGGG"]).reshape(2, 2), (HEIGHT // 2, WIDTH // 2))
        for table in (SKY, NOISE, TINT)
    )
    cells = rng.permutation(9 * 7)[:n] if n <= 63 else np.arange(63)
    x = 60.0 + 65.0 * (cells % 9) + rng.uniform(-12, 12, len(cells))
    y = 55.0 + 65.0 * (cells // 9) + rng.uniform(-12, 12, len(cells))
    flux = faintest * 10 ** rng.uniform(0.0, 1.0, len(cells))
    image = sky + gradient * (np.arange(WIDTH) / WIDTH - 0.5)[None, :] * sky
    for one in zip(x, y, flux, strict=True):
        rows, columns, light = moffat(*one, fwhm, axis_ratio, turn_deg)
        image[rows, columns] += light * tint[rows, columns]
    image = image + rng.normal(0, 1, image.shape) * noise
    return np.clip(np.round(image), 0, 65535).astype(np.uint16), x, y, flux


def matched(got: MeasuredFrame, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return for each true star the index of the nearest measured one, its distance, and the distance."""
    d = np.hypot(got.stars.x_px[None, :] - x[:, None], got.stars.y_px[None, :] - y[:, None])
    nearest = d.argmin(axis=1)
    return nearest, d.min(axis=1), d


@pytest.mark.parametrize("bayer", ["GRBG", "RGGB", "GBRG", "BGGR", None])
@pytest.mark.parametrize("fwhm", [2.6, 3.5, 5.0])
def test_places_widths_and_light(bayer, fwhm):
    pixels, x, y, flux = star_field(60, fwhm, bayer=bayer)
    got = measure(frame_of(bayer), pixels)
    index, distance, _ = matched(got, x, y)
    assert (distance < 0.5).mean() > 0.95
    bright = (flux > 1.5e5) & (distance < 0.5)
    assert bright.sum() > 10 and np.sqrt((distance[bright] ** 2).mean()) < 0.05
    assert np.median(distance) < 0.05
    assert abs((got.stars.x_px[index] - x)[bright].mean()) < 0.02
    assert abs((got.stars.y_px[index] - y)[bright].mean()) < 0.02
    assert got.fwhm_px == pytest.approx(fwhm, rel=0.04)
    assert got.eccentricity < 0.35
    channels = 3 if bayer else 1
    assert got.stars.flux_adu.shape == (len(got.stars), channels)
    for c, letter in enumerate("RGB" if bayer else "G"):
        ratio = got.stars.flux_adu[index[bright], c] / (flux[bright] * TINT[letter])
        assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
        assert np.std(ratio) < 0.03
    assert (np.diff(got.stars.flux_adu[:, min(1, channels - 1)]) <= 0).all(), "brightest first"
    assert not got.stars.saturated.any() and len(got.stars) <= MAX_STARS


@pytest.mark.parametrize("bayer", ["GRBG", "RGGB", "GBRG", "BGGR", None])
@pytest.mark.parametrize("fwhm", [1.9, 3.2])
def test_single_bright_pixels_are_no_stars(bayer, fwhm):
    pixels, x, y, _ = star_field(60, fwhm, bayer=bayer)
    rng = np.random.default_rng(8)
    hot_y, hot_x = rng.integers(12, HEIGHT - 12, 150), rng.integers(12, WIDTH - 12, 150)
    apart = np.hypot(hot_x[:, None] - x, hot_y[:, None] - y).min(axis=1) > 12.0
    hot_x, hot_y = hot_x[apart], hot_y[apart]
    excess = rng.exponential(4000.0, len(hot_x)) + 150.0
    warm = pixels.copy()
    warm[hot_y, hot_x] = np.clip(warm[hot_y, hot_x] + excess, 0, 65535)
    cold, got = measure(frame_of(bayer), pixels), measure(frame_of(bayer), warm)
    assert (matched(got, x, y)[1] < 0.5).sum() >= 0.97 * (matched(cold, x, y)[1] < 0.5).sum()
    assert (matched(got, hot_x, hot_y)[1] < 3.0).sum() <= 0.02 * len(hot_x)


@pytest.mark.parametrize("bayer", ["GRBG", None])
@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0, 135.0])
def test_elongation_and_its_direction(bayer, turn):
    ratio = 0.7
    pixels, *_ = star_field(63, 3.6, ratio, turn, bayer)
    got = measure(frame_of(bayer), pixels)
    assert got.eccentricity == pytest.approx(math.sqrt(1 - ratio**2), abs=0.05)
    assert math.remainder(got.position_angle_deg - turn, 180.0) == pytest.approx(0.0, abs=5.0)
    assert got.fwhm_px == pytest.approx(3.6, rel=0.04)


@pytest.mark.parametrize("gradient", [0.0, 0.1])
@pytest.mark.parametrize("bayer", ["GRBG", "RGGB", None])
def test_sky_and_noise_are_blind_to_stars(bayer, gradient):
    skies, noises = [], []
    for seed in range(4):
        pixels, *_ = star_field(10, bayer=bayer, gradient=gradient, seed=seed)
        got = measure(frame_of(bayer), pixels)
        skies.append(got.sky_adu)
        noises.append(got.noise_adu)
    letters = "RGB" if bayer else "G"
    sky, noise = np.mean(skies, axis=0), np.mean(noises, axis=0)
    np.testing.assert_allclose(sky, [SKY[letter] for letter in letters], rtol=0.01)
    np.testing.assert_allclose(noise, [NOISE[letter] for letter in letters], rtol=0.012)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_stars(n):
    pixels, x, y, _ = star_field(n, faintest=2e5, seed=3)
    got = measure(frame_of(), pixels)
    stars = got.stars
    for array in (stars.y_px, stars.flux_adu, stars.flux_error_adu, stars.fwhm_px, stars.saturated):
        assert len(array) == len(stars)
    if n:
        assert (matched(got, x, y)[1] < 0.1).all()
    real = (stars.flux_adu[:, 1] > 1e5).sum()
    assert real == n and len(stars) < n + 12
    if n == 0:
        assert math.isnan(got.eccentricity) or len(stars) >= 3
    assert got.sky_adu[1] == pytest.approx(1200.0, rel=0.01)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((HEIGHT, WIDTH), np.uint16),
        np.full((HEIGHT, WIDTH), 65535, np.uint16),
        np.full((HEIGHT, WIDTH), np.nan, np.float32),
    ],
    ids=["dark", "full", "nan"],
)
@pytest.mark.parametrize("bayer", ["GRBG", None])
def test_blank_frames_are_refused(pixels, bayer):
    with pytest.raises(FrameError) as caught:
        measure(frame_of(bayer), pixels)
    assert caught.value.reason.key == "reason.blank"


def test_noise_alone_holds_hardly_a_star():
    pixels, *_ = star_field(0)
    assert len(measure(frame_of(), pixels).stars) < 12


def test_cut_off_stars_are_flagged_and_do_not_shape_the_frame():
    pixels, x, y, flux = star_field(60, 3.2, faintest=3e4)
    bright = np.argsort(-flux)[:6]
    for k in bright:
        rows, columns, light = moffat(x[k], y[k], 4e6, 3.2, 1.0, 0.0)
        pixels[rows, columns] = np.minimum(pixels[rows, columns] + light, 65535).astype(np.uint16)
    got = measure(frame_of(), pixels)
    index, distance, _ = matched(got, x, y)
    assert (distance[bright] < 1.0).all() and got.stars.saturated[index[bright]].all()
    others = np.setdiff1d(np.arange(60), bright)
    found = others[distance[others] < 0.5]
    assert not got.stars.saturated[index[found]].any() and len(found) > 40
    assert got.fwhm_px == pytest.approx(3.2, rel=0.04)


def test_colour_and_float_frames():
    pixels, x, y, _ = star_field(60, bayer=None)
    raw = pixels.astype(np.float32)
    colour = np.stack([0.5 * raw, raw, 0.25 * raw], axis=-1)
    got = measure(frame_of(None, 3), colour)
    assert got.sky_adu == pytest.approx((600.0, 1200.0, 300.0), rel=0.01)
    assert (matched(got, x, y)[1] < 0.5).mean() > 0.95
    mono = measure(frame_of(None), raw)
    assert mono.fwhm_px == pytest.approx(3.2, rel=0.04)


def test_holes_of_nan_are_survived():
    pixels, x, y, _ = star_field(60, bayer=None)
    holed = pixels.astype(np.float32)
    holed[100:180, 200:300] = np.nan
    got = measure(frame_of(None), holed)
    assert np.isfinite(got.stars.x_px).all() and np.isfinite(got.stars.flux_adu).all()
    away = (x < 180) | (x > 320) | (y < 80) | (y > 200)
    assert (matched(got, x[away], y[away])[1] < 0.5).mean() > 0.95


def test_measuring_twice_gives_the_same_bits():
    pixels, *_ = star_field(60)
    one, two = (measure(frame_of(), pixels.copy()) for _ in range(2))
    assert one.stars.x_px.tobytes() == two.stars.x_px.tobytes()
    assert one.stars.flux_adu.tobytes() == two.stars.flux_adu.tobytes()
    assert (one.fwhm_px, one.sky_adu, one.noise_adu) == (two.fwhm_px, two.sky_adu, two.noise_adu)


def test_sites_of_green():
    np.testing.assert_array_equal(colour_sites(frame_of("GRBG")), [[True, False], [False, True]])
    np.testing.assert_array_equal(colour_sites(frame_of("RGGB")), [[False, True], [True, False]])
    assert colour_sites(frame_of(None)).all()


@pytest.mark.parametrize("gradient", [0.0, 0.1, -0.2])
def test_gradient_of_the_sky(gradient):
    got = measure(frame_of(), star_field(40, gradient=gradient)[0])
    assert got.gradient_adu == pytest.approx(abs(gradient) * SKY["G"], rel=0.1, abs=12.0)


def test_sharpness_is_the_part_of_the_light_on_the_brightest_pixel():
    sharp, soft = (measure(frame_of(None), star_field(60, fwhm, bayer=None)[0]).sharpness for fwhm in (2.6, 5.0))
    for value, fwhm in ((sharp, 2.6), (soft, 5.0)):
        alpha = fwhm / (2 * math.sqrt(2 ** (1 / 3) - 1))
        assert 0.6 < value / (2 / math.pi / alpha**2) < 1.1
    assert sharp > 2 * soft


def test_signal_to_noise_follows_the_light():
    weak, strong = (measure(frame_of(), star_field(60, faintest=f)[0]).snr for f in (8e2, 2.4e3))
    assert 1.8 < strong / weak < 3.6


def test_a_trail_is_in_the_record():
    pixels = star_field(40)[0].astype(float)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    distance = (rows - 200.0) * math.cos(0.4) - (columns - 300.0) * math.sin(0.4)
    (trail,) = measure(frame_of(), (pixels + 150 * np.exp(-(distance**2) / 3)).astype(np.uint16)).trails
    assert trail.angle_deg == pytest.approx(math.degrees(0.4), abs=0.2)
    assert measure(frame_of(), pixels.astype(np.uint16)).trails == ()


def test_pieces_of_a_trail_are_neither_stars_nor_weights():
    pixels, x, y, flux = star_field(14, 4.5, bayer=None, faintest=2.5e3, seed=1)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    distance = (rows - 250.0) * math.cos(0.3) - (columns - 300.0) * math.sin(0.3)
    crossed = (pixels + 250 * np.exp(-(distance**2) / 3.4)).astype(np.uint16)
    got = measure(frame_of(None), crossed)
    _, _, d = matched(got, x, y)
    assert (d.min(axis=0) < 1.0).all(), "nothing but stars"
    index, near, _ = matched(got, x, y)
    seen = near < 0.5
    assert np.median(got.stars.flux_adu[index[seen], 0] / flux[seen]) == pytest.approx(1.0, abs=0.08)


def test_faint_stars_are_found_and_do_not_narrow_the_frame():
    """Much of a faint star's light lies below the detection limit; its profile must not look peaked for it."""
    got = [measure(frame_of(None), star_field(63, 5.0, bayer=None, faintest=8e2, seed=s)[0]) for s in (1, 2, 3)]
    assert np.mean([one.fwhm_px for one in got]) == pytest.approx(5.0, rel=0.04)
    assert np.mean([len(one.stars) for one in got]) > 45


def test_stars_far_out_of_focus_are_found_and_measured():
    pixels, x, y, _ = star_field(25, 13.0, bayer=None, faintest=3.5e3, seed=5)
    got = measure(frame_of(None), pixels)
    assert (matched(got, x, y)[1] < 2.0).mean() > 0.6
    assert got.fwhm_px == pytest.approx(13.0, rel=0.15)


def test_signal_to_noise_is_that_of_the_light_under_the_window():
    fwhm, light = 3.2, 6e3
    _, x, y, _ = star_field(50, fwhm, bayer=None)
    image = SKY["G"] + np.random.default_rng(7).normal(0, NOISE["G"], (HEIGHT, WIDTH))
    for a, b in zip(x, y, strict=True):
        rows, columns, one = moffat(a, b, light, fwhm, 1.0, 0.0)
        image[rows, columns] += one
    rows, columns, profile = moffat(320.0, 260.0, 1.0, fwhm, 1.0, 0.0)
    window = np.exp(-0.5 * ((columns - 320.0) ** 2 + (rows - 260.0) ** 2) / (0.8 * fwhm) ** 2)
    noise = NOISE["G"] * math.sqrt((window**2).sum()) / (window * profile).sum()
    expected = light / math.hypot(noise, 0.01 * light)
    assert measure(frame_of(None), np.round(image).astype(np.uint16)).snr == pytest.approx(expected, rel=0.1)


def test_stars_beyond_those_that_are_kept_are_counted(monkeypatch):
    pixels = star_field(60)[0]
    all_kept = measure(frame_of(), pixels)
    monkeypatch.setattr("zemosaic.zeanalyser.measure_frames.MAX_STARS", 20)
    got = measure(frame_of(), pixels)
    assert all_kept.more_stars == 0 and all_kept.star_count == len(all_kept.stars) > 50
    assert len(got.stars) <= 20 and got.more_stars >= 30
    assert got.star_count == pytest.approx(all_kept.star_count, abs=2)
