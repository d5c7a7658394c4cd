"""Trails of satellites and planes: found with their geometry, and nothing else taken for one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zemosaic.zeanalyser.trails import find_trails

SHAPE = (480, 640)
NOISE = 10.0


def noisy(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, NOISE, SHAPE).astype(np.float32)


def with_line(
    image: np.ndarray, x: float, y: float, angle: float, peak: float, fwhm: float, length: float = 1e9
) -> np.ndarray:
    yy, xx = np.mgrid[0 : SHAPE[0], 0 : SHAPE[1]]
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    d, t = (yy - y) * c - (xx - x) * s, (xx - x) * c + (yy - y) * s
    return image + (np.abs(t) < length / 2) * peak * np.exp(-4 * math.log(2) * (d / fwhm) ** 2).astype(np.float32)


def with_stars(image: np.ndarray, n: int, seed: int = 3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[-10:11, -10:11]
    out = image.copy()
    for x, y, flux in zip(rng.integers(12, 620, n), rng.integers(12, 460, n), rng.pareto(1.2, n) * 300, strict=True):
        out[y - 10 : y + 11, x - 10 : x + 11] += flux * np.exp(-(xx**2 + yy**2) / 4.0)
    return out.astype(np.float32)


@pytest.mark.parametrize("angle", [0.0, 12.3, 45.0, 90.0, 133.7, 179.0])
@pytest.mark.parametrize("step", [1, 2])
def test_place_angle_width_and_brightness(angle, step):
    image = with_line(with_stars(noisy(), 80), 310.0, 250.0, angle, 100.0, 3.0)
    (trail,) = find_trails(image, NOISE, step)
    turn = (trail.angle_deg - angle + 90.0) % 180.0 - 90.0
    assert abs(turn) < 0.15
    c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = (trail.x_px + 0.5) / step - 0.5, (trail.y_px + 0.5) / step - 0.5
    assert abs((y - 250.0) * c - (x - 310.0) * s) < 0.6
    assert trail.peak_adu == pytest.approx(100.0, rel=0.15)
    assert trail.width_px == pytest.approx(3.0 * step, rel=0.25)


def test_length_of_a_trail_that_ends_in_the_frame():
    image = with_line(noisy(), 320.0, 240.0, 20.0, 120.0, 3.0, length=300.0)
    (trail,) = find_trails(image, NOISE, 1)
    assert trail.length_px == pytest.approx(300.0, abs=40.0)
    assert math.hypot(trail.x_px - 320.0, trail.y_px - 240.0) < 25.0


def test_two_trails_brightest_first():
    image = with_line(with_line(noisy(), 300.0, 200.0, 30.0, 60.0, 3.0), 300.0, 300.0, 120.0, 200.0, 4.0)
    first, second = find_trails(image, NOISE, 1)
    assert (round(first.angle_deg), round(second.angle_deg)) == (120, 30)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("stars", [0, 60, 400])
def test_noise_and_stars_make_no_trail(seed, stars):
    assert find_trails(with_stars(noisy(seed), stars, seed), NOISE, 1) == ()


def test_a_broad_filament_is_no_trail():
    image = with_line(noisy(), 300.0, 200.0, 40.0, 60.0, 60.0)
    assert find_trails(image, NOISE, 1) == ()


def test_holes_are_survived():
    image = with_line(noisy(), 300.0, 200.0, 40.0, 100.0, 3.0)
    image[100:140, 100:200] = np.nan
    assert len(find_trails(image, NOISE, 1)) == 1
