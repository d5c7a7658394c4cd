"""What stands still on a sensor is learnt where the sky moved, and nothing is learnt where it did not."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration.sensor.fixed_pattern import (
    BLOCK_PX,
    NO_PATTERN,
    SMOOTH_ERROR_PART,
    FixedPattern,
    glow_and_shadow,
    sensor_maps,
    smooth_error_adu,
)
from zemosaic.calibration.sensor.pixel_pattern import PixelPattern, PixelPatternSums
from zemosaic.calibration.sensor.smooth_pattern import Look, smooth_map
from zemosaic.phases.parts.sensor_patterns import block_means, in_blocks

HEIGHT, WIDTH, FRAMES = 240, 160, 16
NOISE, PIXEL, COLUMN = 60.0, 14.0, 12.0


def fixed_levels(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, COLUMN, WIDTH)[None, :] + rng.normal(0, PIXEL, (HEIGHT, WIDTH))


def pixel_pattern(fixed: np.ndarray, far: bool = True, bayer: bool = True) -> PixelPattern | None:
    rng = np.random.default_rng(7)
    step = 2 if bayer else 1
    sums = PixelPatternSums(HEIGHT, WIDTH, step)
    for _ in range(FRAMES):
        pixels = 500.0 + 0.1 * np.arange(WIDTH)[None, :] + fixed + rng.normal(0, NOISE, (HEIGHT, WIDTH))
        sums.add(pixels.astype(np.float32), np.ones((HEIGHT // step, WIDTH // step), np.uint8))
    return sums.pattern(np.full((FRAMES, FRAMES), far))


@pytest.mark.parametrize("bayer", [True, False])
def test_columns_and_pixels_are_learnt(bayer: bool):
    fixed = fixed_levels(1)
    learnt = pixel_pattern(fixed, bayer=bayer)
    assert learnt is not None
    assert learnt.pixel_adu == pytest.approx(PIXEL, rel=0.1) and learnt.column_adu == pytest.approx(COLUMN, rel=0.25)
    left = fixed - learnt.offset_adu
    # The best that so many frames allow for the pixels, and next to nothing of the columns.
    error = NOISE / np.sqrt(FRAMES)
    assert left.std() < 1.1 * np.hypot(PIXEL * error / np.hypot(PIXEL, error), 0.4 * COLUMN)
    assert left.mean(axis=0).std() < 0.4 * COLUMN


def test_nothing_is_learnt_of_plain_noise():
    assert pixel_pattern(np.zeros((HEIGHT, WIDTH))) is None


def test_nothing_is_learnt_where_the_sky_stood_still():
    assert pixel_pattern(fixed_levels(2), far=False) is None


def sky_and_looks(shadow: np.ndarray, moves: float, seed: int = 3) -> tuple[list[Look], tuple[int, int], np.ndarray]:
    """Return frames in blocks of a sky with structure, which moves by so many blocks, under a still shadow."""
    rng = np.random.default_rng(seed)
    rows, columns = shadow.shape
    sky_shape = rows + 60, columns + 60
    y, x = np.mgrid[0 : sky_shape[0], 0 : sky_shape[1]]
    sky = 30.0 * np.sin(x / 9.0 + 0.4) * np.cos(y / 11.0)
    looks, shifts = [], []
    for _ in range(FRAMES):
        dx, dy = (round(30 + part) for part in rng.uniform(-moves, moves, 2))
        value = sky[dy : dy + rows, dx : dx + columns] + shadow + 100.0 + rng.normal(0, 2.0, shadow.shape)
        way = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]])
        looks.append(Look(value.astype(np.float32), np.ones(shadow.shape, np.float32), way))
        shifts.append((dx, dy))
    moved = np.array(shifts, float)
    displacement = BLOCK_PX * np.hypot(*(moved[:, None] - moved[None, :]).T)
    return looks, sky_shape, displacement


def ring(depth: float) -> np.ndarray:
    y, x = np.mgrid[0:60, 0:50]
    return -depth * (np.hypot(x - 20, y - 31) < 6).astype(float)


def test_a_shadow_is_told_from_the_sky_that_moves():
    looks, shape, displacement = sky_and_looks(ring(20.0), 25.0)
    learnt = smooth_map(looks, shape, displacement, BLOCK_PX)
    assert learnt is not None
    assert (learnt - ring(20.0)).std() < 0.35 * ring(20.0).std()


def corner_glow(peak: float) -> np.ndarray:
    y, x = np.mgrid[0:60, 0:50]
    return peak * np.exp(-np.hypot(x - 49, y - 59) / 12.0)


def glowing_looks(peak: float) -> tuple[list[Look], tuple[int, int], np.ndarray]:
    """Return frames of one pointing, dithered by far less than the glow's width; it differs from frame to frame."""
    looks, shape, displacement = sky_and_looks(np.zeros((60, 50)), 4.0)
    amount = 1.0 + 0.1 * np.random.default_rng(11).normal(size=len(looks))
    glow = corner_glow(peak).astype(np.float32)
    looks = [
        Look(look.value + np.float32(part) * glow, look.weight, look.to_sky)
        for look, part in zip(looks, amount / amount.mean(), strict=True)
    ]
    return looks, shape, displacement


def test_glow_is_learnt_though_the_sky_moved_less_than_its_width():
    looks, shape, displacement = glowing_looks(300.0)
    learnt = smooth_map(looks, shape, displacement, BLOCK_PX)
    truth = corner_glow(300.0)
    assert learnt is not None
    assert (learnt - truth).std() < 0.4 * truth.std()
    assert learnt[-1, -1] == pytest.approx(truth[-1, -1], rel=0.25)


def test_a_clean_sensor_gets_no_glow_from_a_sky_that_moved_little():
    looks, shape, displacement = glowing_looks(0.0)
    assert smooth_map(looks, shape, displacement, BLOCK_PX) is None


def test_what_smooth_maps_leave_is_an_error_of_the_sky_under_them():
    glow, response = np.zeros((40, 50), np.float32), np.ones((40, 50), np.float32)
    glow[39, 49], response[0, 1] = 100.0, 0.9
    pattern = FixedPattern(NO_PATTERN.pixel_codes, 1.0, glow, response, 200.0)
    # In the glow, in its wings, in the shadow, and where there is none of them.
    x, y = np.array([399.0, 300.0, 12.0, 20.0]), np.array([319.0, 230.0, 3.0, 20.0])
    expected = SMOOTH_ERROR_PART * np.array([100.0, 100.0, 40.0, 0.0])
    np.testing.assert_allclose(smooth_error_adu(pattern, x, y, 400.0), expected, rtol=1e-5, atol=1e-5)
    assert not smooth_error_adu(NO_PATTERN, x, y, 400.0).any()


def test_a_clean_sensor_gets_no_map():
    looks, shape, displacement = sky_and_looks(ring(0.0), 25.0)
    assert smooth_map(looks, shape, displacement, BLOCK_PX) is None


def test_a_sky_that_stands_still_is_no_shadow():
    looks, shape, displacement = sky_and_looks(ring(20.0), 0.3)
    assert smooth_map(looks, shape, displacement, BLOCK_PX) is None


def test_maps_are_taken_off_in_any_window():
    rng = np.random.default_rng(5)
    codes = rng.integers(-30, 30, (36, 44)).astype(np.int16)
    glow = np.zeros((4, 5), np.float32)
    response = np.full((4, 5), 0.9, np.float32)
    maps = sensor_maps(FixedPattern(codes, 0.5, glow, response, 200.0), 36, 44)
    light = rng.uniform(100, 300, (36, 44))
    raw = 200.0 + 0.9 * light + 0.5 * codes
    np.testing.assert_allclose(maps.applied(raw, (0, 36, 0, 44)), 200.0 + light, rtol=1e-5)
    window = (10, 20, 4, 30)
    part = maps.applied(raw[10:20, 4:30], window)
    np.testing.assert_array_equal(part, maps.applied(raw, (0, 36, 0, 44))[10:20, 4:30])


def test_no_pattern_changes_no_pixel():
    raw = np.arange(20, dtype=np.uint16).reshape(4, 5)
    assert not NO_PATTERN and sensor_maps(NO_PATTERN, 4, 5).applied(raw, (0, 4, 0, 5)) is raw


def test_levels_of_pixels_come_off_before_smooth_maps_are_learnt():
    """A column pattern that was learnt already leaves nothing in blocks less its means."""
    columns = np.random.default_rng(4).normal(0, COLUMN, WIDTH).astype(np.float32)
    offset = np.broadcast_to(columns, (HEIGHT, WIDTH))
    bare = np.ones((HEIGHT // 2, WIDTH // 2), np.uint8)
    value, _ = in_blocks(np.ascontiguousarray(500.0 + offset, np.float32), bare, 2)
    left = value - block_means(offset, 2)
    assert left.std() < 0.01 and value.std() > 3.0


def test_what_is_darker_in_the_glow_of_a_corner_is_an_error_of_that_glow_and_no_shadow():
    corners = np.array([[1000.0, 1000.0, 2.0]], np.float32)
    rest = np.array([[-50.0, 30.0, -40.0]], np.float32)
    added, passed = glow_and_shadow(corners, rest, 400.0)
    assert added[0] == pytest.approx([950.0, 1030.0, 2.0 - 2.0 * SMOOTH_ERROR_PART])
    assert passed[0] == pytest.approx([1.0, 1.0, 1.0 - (40.0 - 2.0 * SMOOTH_ERROR_PART) / 400.0])


def test_without_glow_of_corners_what_is_darker_is_a_shadow():
    added, passed = glow_and_shadow(None, np.array([[-40.0, 8.0]], np.float32), 400.0)
    assert added[0] == pytest.approx([0.0, 8.0])
    assert passed[0] == pytest.approx([0.9, 1.0])
