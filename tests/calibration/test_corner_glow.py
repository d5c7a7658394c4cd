"""Glow of a sensor's corners is told from the sky, with its wings, and nothing is found where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.arrays import Float32s, Float64s
from zemosaic.calibration.sensor.corner_glow import corner_glow
from zemosaic.calibration.sensor.smooth_pattern import Look

ROWS, COLUMNS = 96, 64
NOISE_ADU = 4.0
LEVELS_ADU = np.linspace(250.0, 450.0, 14)
PEAK_ADU = 300.0
FALL = -0.18


def _sky(x: Float64s, y: Float64s) -> Float64s:
    """Return a nebula without any plane in it, in ADU."""
    return np.asarray(
        60.0 * np.exp(-((x - 70.0) ** 2 + (y - 60.0) ** 2) / 900.0) + 15.0 * np.sin(x / 9.0) * np.cos(y / 13.0)
    )


def _places() -> tuple[Float64s, Float64s]:
    row, column = np.mgrid[0:ROWS, 0:COLUMNS]
    return (column + 0.5 - 0.5 * COLUMNS) / ROWS, (row + 0.5 - 0.5 * ROWS) / ROWS


def _glow() -> Float64s:
    u, v = _places()
    return np.asarray(PEAK_ADU * np.exp(-np.hypot(u - 0.5 * COLUMNS / ROWS, v - 0.5) / 0.16))


def _looks(shares: Float64s) -> list[Look]:
    rng = np.random.default_rng(3)
    u, v = _places()
    row, column = np.mgrid[0:ROWS, 0:COLUMNS].astype(float)
    looks = []
    for level, share in zip(LEVELS_ADU, shares, strict=False):
        shift, slope = rng.uniform(0.0, 40.0, 2), rng.normal(0.0, 0.1, 2)
        light = _sky(column + shift[0], row + shift[1]) + level * (1.0 + slope[0] * u + slope[1] * v)
        value = light * (1.0 + FALL * (u * u + v * v)) - level + share * _glow()
        value = value + rng.normal(0.0, NOISE_ADU, value.shape)
        way = np.array([[1.0, 0.0, shift[0]], [0.0, 1.0, shift[1]]])
        looks.append(Look(value.astype(np.float32), np.ones(value.shape, np.float32), way))
    return looks


def _without_plane(values: Float64s | Float32s) -> Float64s:
    """Return values less their plane, which each frame's own sky takes up."""
    u, v = (part.ravel() for part in _places())
    design = np.stack([np.ones_like(u), u, v], axis=1)
    flat = np.asarray(values, np.float64).ravel()
    return np.asarray(flat - design @ np.linalg.lstsq(design, flat, rcond=None)[0])


def test_glow_is_learnt_with_its_wings_and_with_the_share_of_every_frame() -> None:
    shares = 1.0 + np.random.default_rng(5).normal(0.0, 0.1, len(LEVELS_ADU))
    found = corner_glow(_looks(shares), LEVELS_ADU)

    assert found is not None
    error = _without_plane(found.adu - shares.mean() * _glow())
    assert error.std() < 0.06 * _without_plane(_glow()).std()
    assert found.share == pytest.approx(shares / shares.mean(), abs=0.03)


def test_a_sensor_without_glow_gets_none() -> None:
    assert corner_glow(_looks(np.zeros(len(LEVELS_ADU))), LEVELS_ADU) is None


def test_glow_on_which_the_frames_do_not_agree_is_not_believed() -> None:
    shares = np.zeros(len(LEVELS_ADU))
    shares[::2] = 1.0

    assert corner_glow(_looks(shares), LEVELS_ADU) is None


def test_too_few_frames_tell_nothing() -> None:
    assert corner_glow(_looks(np.ones(4)), LEVELS_ADU[:4]) is None
