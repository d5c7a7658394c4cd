"""Less noise in pictures: thin parts, colours, stars, nebulae."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray

from zemosaic.picture.denoise import COLOUR_KEPT, LIGHT_KEPT, denoise

HEIGHT, WIDTH = 240, 320
THIN, DEEP = np.s_[:, 10:230, 5:95], np.s_[:, 10:230, 110:310]


def made(light: float | np.ndarray = 0.0, colour: tuple[float, ...] = (1.0, 1.0, 1.0), seed: int = 6):
    """Return planes of a sky with some light, what they would be without noise, and frames: 2 left, 20 right."""
    frames = np.full((HEIGHT, WIDTH), 20.0, np.float32)
    frames[:, :100] = 2.0
    clean = 100.0 + np.array(colour)[:, None, None] * np.broadcast_to(light, (HEIGHT, WIDTH))
    noise = np.random.default_rng(seed).normal(0, 10.0, clean.shape) / np.sqrt(frames)
    return (clean + noise).astype(np.float32), clean, frames


def calmed(planes: np.ndarray, frames: np.ndarray) -> np.ndarray:
    quiet = planes.copy()
    denoise(quiet, frames, np.isfinite(planes).all(axis=0))
    return quiet


def colours(planes: np.ndarray) -> np.ndarray:
    return planes - planes.mean(axis=0)


def gaussian(x: float, y: float, sigma: float) -> np.ndarray:
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))


def test_thin_parts_show_no_more_grain_than_others_and_colour_hardly_any():
    planes, _, frames = made()
    quiet = calmed(planes, frames)
    light, usual = quiet.mean(axis=0), planes.mean(axis=0)[DEEP[1:]].std()
    assert planes.mean(axis=0)[THIN[1:]].std() > 3.0 * usual
    for part in THIN, DEEP:
        assert 0.8 * LIGHT_KEPT * usual < light[part[1:]].std() < 1.1 * LIGHT_KEPT * usual
        assert colours(quiet[part]).std() < 1.5 * COLOUR_KEPT * colours(planes[DEEP]).std()
    assert np.allclose(quiet[THIN].mean(axis=(1, 2)), planes[THIN].mean(axis=(1, 2)), atol=0.1)


@pytest.mark.parametrize("sigma", [8.0, 25.0])
def test_nebulae_keep_their_light_and_their_colour(sigma):
    cloud = 8.0 * (gaussian(170, 120, sigma) + gaussian(50, 120, sigma))
    planes, clean, frames = made(cloud, (2.0, 0.5, 0.5))
    quiet = calmed(planes, frames)
    for x, noise in ((50, 7.1), (170, 2.2)):
        middle = np.s_[:, 117:124, x - 3 : x + 4]
        assert np.all(np.abs((quiet - clean)[middle].mean(axis=(1, 2))) < 0.45 * noise)
    assert colours(quiet - clean)[DEEP].std() < 0.35 * colours(planes - clean)[DEEP].std()


@pytest.mark.parametrize("x", [50, 200])
@pytest.mark.parametrize("peak", [60.0, 400.0, 30000.0])
def test_stars_keep_peak_and_colour_and_stand_in_no_ring(x, peak):
    star = peak * gaussian(x, 120, 1.6)
    planes, clean, frames = made(star, (1.5, 1.0, 0.5))
    quiet = calmed(planes, frames)
    noise = 10.0 / np.sqrt(frames[120, x])
    core = np.s_[:, 119:122, x - 1 : x + 2]
    assert np.allclose(quiet[core].mean(axis=(1, 2)), planes[core].mean(axis=(1, 2)), rtol=0.03, atol=noise)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    away = np.hypot(columns - x, rows - 120)
    for inner, outer in ((4, 8), (8, 16), (16, 32)):
        ring = (away >= inner) & (away < outer)
        assert abs((quiet - clean)[:, ring].mean()) < 0.4 * noise


def test_what_has_no_data_is_black_and_single_planes_are_calmed_too():
    planes, _, frames = made()
    planes[:, :, :40] = np.nan
    frames[:, :40] = 0.0
    quiet = calmed(planes, frames)
    assert np.array_equal(quiet == 0, np.isnan(planes))
    assert quiet[:, 10:230, 42:50].std() < 0.7 * planes[:, 10:230, 42:50].std()
    mono = calmed(planes[:1], frames)
    assert mono[DEEP].std() < 0.7 * planes[:1][DEEP].std()
    nothing = np.full((3, 5, 7), np.nan, np.float32)
    assert not calmed(nothing, np.zeros((5, 7), np.float32)).any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 3), (33, 2)])
def test_the_smallest_pictures_are_no_failure(shape):
    planes = np.full((3, *shape), 50.0, np.float32)
    assert np.allclose(calmed(planes, np.ones(shape, np.float32)), planes)


def _patchy() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return noisy planes of odd sides with stars and a hole, their depth, and where they hold data."""
    rng = np.random.default_rng(7)
    planes = rng.normal(100.0, 3.0, (3, 601, 433)).astype(np.float32)
    planes[:, ::37, ::41] += np.float32(400.0)
    planes[:, 200:290, 100:180] = np.nan
    frames = np.full(planes.shape[1:], 20.0, np.float32)
    frames[:, 300:] = 5.0
    return planes, frames, np.isfinite(planes).all(axis=0)


def test_the_height_of_strips_changes_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for rows in (32, 128, 10_000):
        monkeypatch.setattr("zemosaic.picture.denoise.STRIP_ROWS", rows)
        planes, frames, inside = _patchy()
        denoise(planes, frames, inside)
        made.append(planes)
    for other in made[1:]:
        np.testing.assert_allclose(other, made[0], rtol=0, atol=2e-4)


def test_denoising_takes_the_memory_of_few_planes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zemosaic.picture.denoise.STRIP_ROWS", 16)
    planes, frames, inside = (np.repeat(part, 2, axis=-1) for part in _patchy())
    tracemalloc.start()
    denoise(planes, frames, inside)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6.5 * frames.nbytes
