"""Steps across footprint edges are measured, and nothing else is taken for one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from zemosaic.qa.seams import measure_seams

HEIGHT, WIDTH = 600, 700
SQUARE = (np.array([150.0, 500.0, 500.0, 150.0]), np.array([120.0, 120.0, 450.0, 450.0]))


def sky(step: tuple[float, ...], seed: int = 0, turn: float = 0.0) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return a mosaic (noise 1) with nebula and stars, and steps inside a turned square; and its corners."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    c, s = np.cos(turn), np.sin(turn)
    u, v = c * (x - 325) + s * (y - 285), c * (y - 285) - s * (x - 325)
    inside = (np.abs(u) < 175) & (np.abs(v) < 165)
    nebula = 40.0 * np.exp(-(((x - 300) / 200.0) ** 2) - ((y - 200) / 150.0) ** 2)
    stars = np.zeros((HEIGHT, WIDTH))
    for sx, sy in rng.integers((20, 20), (WIDTH - 20, HEIGHT - 20), (150, 2)):
        stamp = np.exp(-(np.arange(-8, 9) ** 2)[:, None] / 4.0 - (np.arange(-8, 9) ** 2)[None, :] / 4.0)
        stars[sy - 8 : sy + 9, sx - 8 : sx + 9] += rng.pareto(1.5) * 50 * stamp
    image = np.stack([nebula + stars + rng.normal(0, 1, x.shape) + value * inside for value in step])
    du, dv = SQUARE[0] - 325, SQUARE[1] - 285
    return image, (325 + c * du - s * dv, 285 + s * du + c * dv)


@pytest.mark.parametrize("turn", [0.0, 0.3])
@pytest.mark.parametrize("step", [(0.5, 0.5, 0.5), (-0.4, 0.3, 0.0)])
def test_steps_are_measured_per_channel(step, turn):
    image, corners = sky(step, turn=turn)
    report = measure_seams(image, [corners], (1.0, 1.0, 1.0))
    assert len(report.seams) == 4
    for channel in range(3):
        got = [seam.step[channel] for seam in report.seams]
        assert np.mean(got) == pytest.approx(step[channel], abs=0.1)
    assert np.mean([seam.colour for seam in report.seams]) == pytest.approx(max(step) - min(step), abs=0.2)
    assert report.verdict != "invisible"


def test_a_mosaic_without_seams_has_none():
    image, corners = sky((0.0, 0.0, 0.0), seed=4)
    report = measure_seams(image, [corners], (10.0, 10.0, 10.0))
    assert len(report.trusted) >= 3 and report.verdict == "none" and report.level_rms < 0.02


def test_noise_at_the_eyes_scale_is_that_of_the_smoothed_mosaic():
    rng = np.random.default_rng(9)
    image = cv2.GaussianBlur(rng.normal(0, 1, (900, 1200)), (0, 0), 0.8)
    square = np.array([200.0, 1000.0, 1000.0, 200.0]), np.array([150.0, 150.0, 750.0, 750.0])
    report = measure_seams(image[None], [square], (1.0,), 2.5)
    side = 12
    smoothed = cv2.blur(image, (side, side))[side:-side:side, side:-side:side]
    assert np.median([seam.noise[0] for seam in report.seams]) == pytest.approx(smoothed.std(), rel=0.15)


def test_edges_at_the_border_of_the_mosaic_are_not_seams():
    image, corners = sky((0.0,))
    image[:, :, 490:] = np.nan
    right = measure_seams(image, [corners], (1.0,)).seams
    assert len(right) == 3, "the edge beyond which nothing is"


def test_nothing_to_measure():
    report = measure_seams(np.full((1, 300, 300), np.nan), [SQUARE, (SQUARE[0] + 200.0, SQUARE[1])], (1.0,))
    assert report.seams == () and np.isnan(report.worst) and report.verdict == "unknown"
