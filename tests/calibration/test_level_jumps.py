"""A frame that is brighter without more noise has a level without light of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.sensor.level_jumps import level_jumps

GAIN, BIAS, READ = 11.0, 200.0, 280.0
PAIRS = 60_000.0


def samples(jumps: list[float], skies: list[float]) -> list[CellSamples]:
    """Return cells of frames with these levels beyond the bias and these skies."""
    rng = np.random.default_rng(1)
    cells = []
    for jump, sky in zip(jumps, skies, strict=True):
        light = sky * np.linspace(0.75, 1.25, 12)
        variance = (GAIN * light + READ) * (1.0 + rng.normal(0, np.sqrt(2.0 / PAIRS), 12))
        points = np.stack([BIAS + jump + light, variance, np.full(12, PAIRS)], axis=1)
        none = np.empty(0, np.int32)
        cells.append(CellSamples(none, none, np.empty((0, 3)), none, np.empty(0), np.empty(0), (1.0,) * 3, points))
    return cells


def test_jumps_are_told_from_brighter_skies():
    true = [0.0, 0.0, 90.0, 0.0, -60.0, 150.0, 0.0]
    found = level_jumps(samples(true, [330.0, 420.0, 280.0, 350.0, 400.0, 300.0, 310.0]), np.zeros(7, np.int64))
    assert found[[0, 1, 3, 6]].tolist() == [0.0] * 4
    np.testing.assert_allclose(found, true, atol=12.0)


def test_brighter_skies_alone_are_no_jumps():
    found = level_jumps(samples([0.0] * 6, [330.0, 520.0, 280.0, 650.0, 400.0, 300.0]), np.zeros(6, np.int64))
    assert not found.any()


def test_each_camera_has_its_own_level():
    cells = samples([0.0, 0.0, 0.0, 80.0, 80.0, 80.0], [330.0] * 6)
    assert not level_jumps(cells, np.array([0, 0, 0, 1, 1, 1])).any()


def test_samples_are_lowered_with_their_noise_points():
    (cells,) = samples([10.0], [300.0])
    lowered = cells.lowered(10.0)
    np.testing.assert_allclose(lowered.transfer[:, 0], cells.transfer[:, 0] - 10.0)
    assert cells.lowered(0.0) is cells


def exact(jump: float, gain: float = 2.0, light: float = 1000.0) -> list[CellSamples]:
    """Return five frames without noise on the line of photon transfer, the third with a level of its own."""
    frames = samples([0.0] * 5, [light] * 5)
    level = light * np.linspace(0.5, 1.5, 6)
    points = np.stack([level, gain * level, np.full(6, 1e7)], axis=1)
    moved = points + np.array([jump, 0.0, 0.0])
    return [replace(one, transfer=moved if k == 2 else points) for k, one in enumerate(frames)]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize("gain", [0.5, 2.0])
def test_a_jump_is_told_by_its_size_from_a_sixteenth_of_the_light(sign, gain):
    def got(jump: float) -> list[float]:
        return level_jumps(exact(sign * jump, gain), np.zeros(5, int)).tolist()

    # Weights by the inverse variance put the light of a frame lower than the mean of its points.
    weight = np.linspace(0.5, 1.5, 6) ** -2.0
    light = 1000.0 * float(np.average(np.linspace(0.5, 1.5, 6), weights=weight))
    assert got(0.065 * light) == pytest.approx([0.0, 0.0, sign * 0.065 * light, 0.0, 0.0], abs=1e-6 * light)
    assert got(0.055 * light) == [0.0] * 5


def test_frames_are_compared_from_three_with_four_points():
    two, three = exact(300.0)[1:3], exact(300.0)[1:4]
    assert level_jumps(two, np.zeros(2, int)).tolist() == [0.0, 0.0]
    assert level_jumps(three, np.zeros(3, int))[1] == pytest.approx(300.0)
    few = [replace(one, transfer=one.transfer[::2]) for one in three]
    assert level_jumps(few, np.zeros(3, int)).tolist() == [0.0] * 3
