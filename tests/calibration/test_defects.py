"""Defects are found and mended; stars, moving or not, are left alone."""

from __future__ import annotations

import numpy as np
import pytest
from frames_of_sky import frame_of

from zemosaic.calibration.defects import BAND_ROWS, MAX_SAMPLE_FRAMES, find_defects, interpolate_defects, remove_spikes

WIDTH, HEIGHT = 400, 2 * BAND_ROWS + 90
NOISE = 12.0


class Memory:
    """Pixels in memory read as windows of a file."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.pixels = pixels

    def read(self, y0: int, y1: int, x0: int, x1: int) -> np.ndarray:
        return self.pixels[y0:y1, x0:x1]


def colours(bayer: bool) -> np.ndarray:
    """Return each pixel's share of a star's light: GRBG, or the same everywhere."""
    share = np.ones((HEIGHT, WIDTH))
    if bayer:
        share[0::2, 1::2], share[1::2, 0::2] = 1.3, 0.7
    return share


def star_fields(n: int, moving: bool, bayer: bool, seed: int = 0, fwhm: float = 2.8) -> list[np.ndarray]:
    """Return frames of noise, a gradient and 150 stars of all brightnesses."""
    rng = np.random.default_rng(seed)
    sigma = fwhm / 2.3548
    x0, y0 = rng.uniform(0, WIDTH, 150), rng.uniform(0, HEIGHT, 150)
    peak = 10 ** rng.uniform(1.5, 4.3, 150)
    share = colours(bayer)
    frames = []
    for _ in range(n):
        frame = 800.0 + 0.1 * np.arange(WIDTH)[None, :] + rng.normal(0, NOISE, (HEIGHT, WIDTH))
        shift = rng.uniform(-15, 15, 2) if moving else rng.normal(0, 0.05, 2)
        for x, y, p in zip(x0 + shift[0], y0 + shift[1], peak, strict=True):
            a, b = max(0, int(y) - 12), max(0, int(x) - 12)
            rows, columns = np.mgrid[a : min(HEIGHT, int(y) + 13), b : min(WIDTH, int(x) + 13)]
            if rows.size:
                light = p * np.exp(-0.5 * ((columns - x) ** 2 + (rows - y) ** 2) / sigma**2)
                frame[rows, columns] += light * share[rows, columns]
        frames.append(np.clip(np.round(frame), 0, 65535).astype(np.uint16))
    return frames


def found_in(frames: list[np.ndarray], bayer: bool) -> set[int]:
    frame = frame_of(WIDTH, HEIGHT, "GRBG" if bayer else None)
    flat = find_defects([Memory(pixels) for pixels in frames], frame)
    assert (np.diff(flat) > 0).all(), "sorted, each once"
    return set(flat.tolist())


@pytest.mark.parametrize("bayer", [True, False])
@pytest.mark.parametrize("moving", [True, False])
def test_hot_pixels_are_found_and_stars_are_not(moving, bayer):
    frames = star_fields(MAX_SAMPLE_FRAMES, moving, bayer)
    rng = np.random.default_rng(5)
    hot = np.sort(rng.choice(WIDTH * HEIGHT, 400, replace=False))
    for pixels in frames:
        flat = pixels.reshape(-1)
        flat[hot] = np.clip(flat[hot] + 8.0 * NOISE, 0, 65535)
    found = found_in(frames, bayer)
    # A hot pixel under a bright star that never moves cannot be told from it, and does no harm.
    assert len(found & set(hot.tolist())) >= (0.99 if moving else 0.97) * len(hot)
    assert len(found - set(hot.tolist())) < 1e-4 * WIDTH * HEIGHT


@pytest.mark.parametrize("bayer", [True, False])
@pytest.mark.parametrize("warm", [(5, 6, 13), (3, 4, 8, 9), (0, 13)])
def test_pixels_that_are_hot_in_fewer_than_half_of_the_frames_are_found(bayer, warm):
    frames = star_fields(14, True, bayer, seed=4)
    hot = np.sort(np.random.default_rng(6).choice(WIDTH * HEIGHT, 300, replace=False))
    for number in warm:
        flat = frames[number].reshape(-1)
        flat[hot] = np.clip(flat[hot] + 12.0 * NOISE, 0, 65535)
    found = found_in(frames, bayer)
    assert len(found & set(hot.tolist())) >= 0.93 * len(hot)
    assert len(found - set(hot.tolist())) < 1e-4 * WIDTH * HEIGHT


def test_what_is_bright_once_is_no_defect():
    frames = star_fields(10, True, True, seed=5)
    for number, pixels in enumerate(frames):
        hits = np.random.default_rng(number).choice(WIDTH * HEIGHT, 300, replace=False)
        flat = pixels.reshape(-1)
        flat[hits] = np.clip(flat[hits] + 100.0 * NOISE, 0, 65535)
    assert len(found_in(frames, True)) < 20


def test_dead_pixels_columns_pairs_and_the_border():
    frames = star_fields(MAX_SAMPLE_FRAMES, True, True)
    dead = {5 * WIDTH + 7, 300 * WIDTH + 200, 0, WIDTH - 1, (HEIGHT - 1) * WIDTH + 3}
    pair = {100 * WIDTH + 50, 100 * WIDTH + 51}
    column = {y * WIDTH + 321 for y in range(BAND_ROWS - 40, BAND_ROWS + 40)}
    for pixels in frames:
        for k in dead:
            pixels.reshape(-1)[k] = 0
        for k in pair | column:
            pixels.reshape(-1)[k] += 500
    found = found_in(frames, True)
    assert dead <= found and pair <= found
    assert len(column & found) >= 0.95 * len(column)
    assert len(found - dead - pair - column) < 1e-4 * WIDTH * HEIGHT


def test_nothing_to_look_at():
    assert not len(find_defects([], frame_of()))
    colour = frame_of(planes=3, bayer=None)
    assert not len(find_defects([Memory(np.zeros((160, 200, 3)))], colour))


def test_constant_frames_have_no_defects_but_the_odd_one():
    flat = np.full((HEIGHT, WIDTH), 700, np.uint16)
    assert found_in([flat] * 3, True) == set()
    flat[40, 41] = 5000
    assert found_in([flat] * 3, True) == {40 * WIDTH + 41}


@pytest.mark.parametrize(("bayer", "step"), [("GRBG", 2), (None, 1)])
def test_mending_takes_the_same_colour(bayer, step):
    frame = frame_of(20, 16, bayer)
    pixels = np.arange(320, dtype=np.float32).reshape(16, 20) ** 1.5
    truth = pixels.copy()
    defects = np.array([0, 6 * 20 + 8, 6 * 20 + 8 + step, 15 * 20 + 19])
    pixels.reshape(-1)[defects] = 1e6
    mended = interpolate_defects(pixels, (0, 16, 0, 20), defects, frame)
    assert mended is pixels
    y, x = 6, 8
    assert mended[y, x] == pytest.approx((truth[y - step, x] + truth[y + step, x] + truth[y, x - step]) / 3)
    assert mended[0, 0] == pytest.approx((truth[step, 0] + truth[0, step]) / 2)
    untouched = np.ones(320, bool)
    untouched[defects] = False
    np.testing.assert_array_equal(mended.reshape(-1)[untouched], truth.reshape(-1)[untouched])
    assert mended.max() < 1e5


def test_a_window_is_mended_like_the_whole():
    frame = frame_of(60, 50, "GRBG")
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60000, (50, 60), dtype=np.uint16)
    defects = np.sort(rng.choice(3000, 60, replace=False))
    whole = interpolate_defects(pixels.copy(), (0, 50, 0, 60), defects, frame)
    window = interpolate_defects(pixels[10:40, 20:52].copy(), (10, 40, 20, 52), defects, frame)
    np.testing.assert_array_equal(window[8:-8, 8:-8], whole[10:40, 20:52][8:-8, 8:-8])
    assert (whole != pixels).sum() > 50


def test_a_block_of_defects_is_bridged():
    frame = frame_of(60, 50, None)
    pixels = np.full((50, 60), 300.0)
    block = [(y, x) for y in range(20, 24) for x in range(30, 34)]
    defects = np.array(sorted(y * 60 + x for y, x in block))
    pixels.reshape(-1)[defects] = 9e4
    np.testing.assert_array_equal(interpolate_defects(pixels, (0, 50, 0, 60), defects, frame), 300.0)


def test_colour_frames_are_left_alone():
    pixels = np.ones((16, 20, 3))
    assert interpolate_defects(pixels, (0, 16, 0, 20), np.array([3]), frame_of(20, 16, None, 3)) is pixels
    assert (pixels == 1).all()


@pytest.mark.parametrize("planes", [1, 3])
def test_a_stack_loses_its_single_bright_pixels_and_keeps_its_stars(planes):
    rng = np.random.default_rng(3)
    y, x = np.mgrid[0:60, 0:60]
    stack = 100.0 + rng.normal(0, 2, (60, 60, planes))
    star = 800.0 * np.exp(-((x - 40) ** 2 + (y - 20) ** 2) / (2 * 0.7**2))
    stack = (stack + star[..., None]).astype(np.float32)
    stack[:8] = np.nan
    spiky = stack.copy()
    spiky[30, 12] += 900.0
    spiky[45, 50, planes - 1] += 60.0
    spiky = spiky if planes == 3 else spiky[..., 0]
    clean = remove_spikes(spiky).reshape(60, 60, planes)
    changed = np.argwhere(~np.isclose(clean, spiky.reshape(60, 60, planes), equal_nan=True))
    assert changed.tolist() == [*[[30, 12, c] for c in range(planes)], [45, 50, planes - 1]]
    assert np.abs(clean[30, 12] - 100.0).max() < 12.0 and abs(clean[45, 50, -1] - 100.0) < 12.0
