"""The sky of all frames at once: planes, vignetting and bias recovered, the nebula kept.

What overlaps cannot know, one plane over the whole mosaic, is taken out before anything is compared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from zemosaic.calibration.background import SkySolution, solve_sky
from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.fixed_parameters import FixedParameters
from zemosaic.calibration.sensor.photon_transfer import BiasEstimate
from zemosaic.model import N_HIGHER_ORDER_TERMS, sky_level

WIDTH, HEIGHT, CELL = 1080, 1920, 96
NOISE = 12.0
COLUMNS, ROWS = WIDTH // CELL, HEIGHT // CELL


@dataclass(frozen=True)
class Truth:
    """Frames that look at a nebula, and what is true of them."""

    cells: list[CellSamples]
    sky: np.ndarray
    transparency: np.ndarray
    groups: np.ndarray
    bias: np.ndarray
    vignetting: np.ndarray


def nebula(row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return a nebula that fills most of the field, with filaments of a few cells."""
    broad = 90.0 * np.exp(-(((row - 12) / 14.0) ** 2) - ((column - 8) / 9.0) ** 2)
    return broad * (1.0 + 0.5 * np.sin(row / 1.7) * np.cos(column / 1.3))


def observe(
    shifts: Sequence[tuple[int, int]],
    *,
    turns: Sequence[float] | None = None,
    groups: np.ndarray | None = None,
    bias: tuple[float, ...] = (200.0,),
    vignetting: tuple[float, ...] = (-0.2,),
    channels: int = 1,
    outliers: float = 0.0,
    bends: Sequence[float] = (),
    seed: int = 0,
) -> Truth:
    """Return what frames shifted by whole cells (rows, columns) see; bends are those of the first camera's sky."""
    rng = np.random.default_rng(seed)
    n = len(shifts)
    groups = np.zeros(n, int) if groups is None else groups
    turns = [0.0] * n if turns is None else turns
    level = rng.uniform(500.0, 1500.0, (n, 1)) * np.linspace(1.0, 0.8, channels)
    sky = np.stack([level, level * rng.normal(0, 0.05, (n, 1)), level * rng.normal(0, 0.05, (n, 1))], axis=-1)
    transparency = rng.uniform(0.7, 1.1, (n, channels))
    cells = []
    for k, (down, right) in enumerate(shifts):
        row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
        x, y = (column + 0.5) * CELL - 0.5, (row + 0.5) * CELL - 0.5
        u, v = (x - WIDTH / 2) / HEIGHT, (y - HEIGHT / 2) / HEIGHT
        cos, sin = math.cos(turns[k]), math.sin(turns[k])
        u, v = cos * u - sin * v, sin * u + cos * v  # the detector turned under the sky
        fall = 1.0 + vignetting[groups[k]] * (u * u + v * v)
        row, column = row + down, column + right
        plane = sky[k, :, 0] + u[:, None] * sky[k, :, 1] + v[:, None] * sky[k, :, 2]
        bent = [0.0, 0.0, 0.0, *bends] if groups[k] == 0 else []
        plane = plane + np.multiply.outer(sky_level(bent, u, v) * np.ones(len(u)), sky[k, :, 0])
        light = transparency[k] * nebula(row, column)[:, None]
        count = rng.integers(3000, 4600, len(row))
        error = NOISE * np.hypot(count**-0.5, 0.02)[:, None]
        mean = bias[groups[k]] + fall[:, None] * (plane + light) + rng.normal(0, 1, plane.shape) * error
        wild = rng.random(len(row)) < outliers
        mean[wild] += rng.choice([-30.0, 30.0], (wild.sum(), 1))
        cells.append(
            CellSamples(
                row.astype(np.int32), column.astype(np.int32), mean, count.astype(np.int32), u, v, (NOISE,) * channels
            )
        )
    return Truth(cells, sky, transparency, groups, np.array(bias), np.array(vignetting))


def solve(truth: Truth, vignetting_sigma: float = 0.02, bias_sigma: float = 10.0, bias_off: float = 0.0) -> SkySolution:
    estimates = [BiasEstimate(b + bias_off, bias_sigma) for b in truth.bias]
    return solve_sky(
        truth.cells,
        truth.transparency,
        truth.groups,
        truth.vignetting + 0.5 * vignetting_sigma,
        np.full(len(truth.bias), vignetting_sigma),
        estimates,
    )


def light_seen(truth: Truth, got: SkySolution, channel: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (frame, cell position, light) as the mosaic would show it: calibrated by the record's formula."""
    frame, place, light = [], [], []
    for k, cells in enumerate(truth.cells):
        g = truth.groups[k]
        fall = 1.0 + got.vignetting[g] * (cells.u**2 + cells.v**2)
        plane = sky_level(got.sky_adu[k, channel], cells.u, cells.v)
        light.append(((cells.mean_adu[:, channel] - got.bias_adu[g]) / fall - plane) / truth.transparency[k, channel])
        frame.append(np.full(len(cells.row), k))
        place.append(np.stack([cells.row, cells.column], axis=1))
    return np.concatenate(frame), np.concatenate(place), np.concatenate(light)


def judged(truth: Truth, got: SkySolution, channel: int = 0) -> tuple[float, float, float]:
    """Return the nebula's gain, the rms error of its light and the largest disagreement of a frame's mean."""
    frame, place, light = light_seen(truth, got, channel)
    true = nebula(place[:, 0], place[:, 1])
    design = np.stack([true, np.ones(len(true)), place[:, 0], place[:, 1]], axis=1)
    rest, sound = np.zeros(len(light)), np.ones(len(light), bool)
    for _ in range(4):
        found, *_ = np.linalg.lstsq(design[sound], light[sound], rcond=None)
        rest = light - design @ found
        sound = np.abs(rest) < 6.0 * np.median(np.abs(rest))
    off = [abs(np.median(rest[frame == k])) for k in range(len(truth.cells))]
    return float(found[0]), float(1.4826 * np.median(np.abs(rest))), max(off)


GRID = [(a, b) for a in range(0, 25, 6) for b in range(0, 13, 4)]


@pytest.mark.parametrize("outliers", [0.0, 0.02])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_nebula_is_kept_and_the_sky_goes(channels, outliers):
    truth = observe(GRID, channels=channels, turns=list(np.linspace(0, 0.5, len(GRID))), outliers=outliers)
    got = solve(truth)
    assert got.sky_adu.shape == (len(GRID), channels, 3 + N_HIGHER_ORDER_TERMS)
    for channel in range(channels):
        gain, rms, off = judged(truth, got, channel)
        assert gain == pytest.approx(1.0, abs=0.02 if outliers else 0.01)
        assert rms < 0.8 and off < (1.0 if outliers else 0.35)
    assert got.vignetting[0] == pytest.approx(-0.2, abs=0.01)
    assert got.bias_adu[0] == pytest.approx(200.0, abs=10.0)
    if not outliers:
        assert 0.3 < np.median(got.residual_sigma) < 1.3


def test_a_wrong_guess_of_the_bias_is_put_right_by_levels_that_differ():
    truth = observe(GRID, turns=list(np.linspace(0, 2.0, len(GRID))))
    got = solve(truth, vignetting_sigma=0.005, bias_sigma=60.0, bias_off=60.0)
    gain, _, off = judged(truth, got)
    assert abs(got.bias_adu[0] - 200.0) < 40.0
    assert gain == pytest.approx(1.0, abs=0.01) and off < 0.5


@pytest.mark.parametrize("frames", [1, 2, 3, 6])
@pytest.mark.parametrize("seed", range(3))
def test_few_frames_that_hardly_move_determine_no_fall_of_light(frames, seed):
    """The sky of each frame has a bowl of its own of 0.1 %, which levels that differ by little would make a fall of."""
    rng = np.random.default_rng(seed)
    truth = observe([(0, 0)] * frames, vignetting=(0.0,), channels=3, seed=seed)
    level = 600.0 * rng.normal(1.0, 0.004, frames)
    for k, cells in enumerate(truth.cells):
        sky = level[k] * (1.0 + rng.normal(0.0, 0.003) * (cells.u**2 + cells.v**2))
        cells.mean_adu[:] = 200.0 + sky[:, None] + rng.normal(0.0, 0.4, cells.mean_adu.shape)
    bias = [BiasEstimate(400.0, 30.0)]
    got = solve_sky(truth.cells, np.ones((frames, 3)), truth.groups, np.array([-0.3]), np.array([0.4]), bias)
    assert not got.fall.determined[0] and got.fall.sigma[0] > 0.1
    assert abs(got.vignetting[0]) < 0.003


def test_cameras_with_their_own_bias_and_vignetting():
    groups = np.arange(len(GRID)) % 3
    truth = observe(GRID, groups=groups, bias=(200.0, 50.0, 500.0), vignetting=(-0.3, 0.0, -0.12))
    got = solve(truth)
    assert got.vignetting == pytest.approx(truth.vignetting, abs=0.01)
    gain, rms, off = judged(truth, got)
    assert gain == pytest.approx(1.0, abs=0.01) and rms < 0.6 and off < 0.3


BENT = (0.03, -0.04, -0.2, 0.1, 0.15, -0.05, 0.3, 0.2, -0.2, 0.1, -0.1)
"""Some percent towards the corners, as moonlight in the tube of one real telescope."""


def rms_of_bends(got: SkySolution, group: int, truth: Truth) -> float:
    """Return the largest mean square of what bends make of a frame's cells, in parts of its sky."""
    of = [k for k in range(len(truth.cells)) if truth.groups[k] == group]
    made = [sky_level([0, 0, 0, *got.sky_adu[k, 0, 3:]], truth.cells[k].u, truth.cells[k].v) for k in of]
    return max(float(np.std(field) / truth.sky[k, 0, 0]) for field, k in zip(made, of, strict=True))


def test_a_sky_that_bends_in_one_camera_makes_no_seam():
    groups, turns = np.arange(len(GRID)) % 2, 1.2 * (np.arange(len(GRID)) % 2) + np.linspace(0, 0.1, len(GRID))
    truth = observe(GRID, groups=groups, bias=(200.0, 50.0), vignetting=(-0.2, -0.1), turns=list(turns), bends=BENT)
    got = solve(truth)
    gain, rms, off = judged(truth, got)
    assert gain == pytest.approx(1.0, abs=0.02) and rms < 1.0 and off < 0.5
    assert rms_of_bends(got, 0, truth) > 0.004 > 4.0 * rms_of_bends(got, 1, truth)


def test_no_bend_is_made_of_noise():
    truth = observe(GRID, turns=list(np.linspace(0, 0.5, len(GRID))))
    assert rms_of_bends(solve(truth), 0, truth) < 3e-4


def test_bends_of_a_held_camera_hold_for_its_new_frames():
    truth = observe(GRID, turns=list(np.linspace(0, 1.5, len(GRID))), bends=BENT)
    first, known = solve(truth), np.arange(len(GRID)) < 14
    estimates = [BiasEstimate(b, 10.0) for b in truth.bias]
    held = held_from(truth, first, known)
    got = solve_sky(
        truth.cells, truth.transparency, truth.groups, truth.vignetting, np.array([0.02]), estimates, fixed=held
    )
    assert got.mean_residual_sigma.max() < 0.1
    _, rms, off = judged(truth, got)
    assert rms < 1.0 and off < 0.6


def test_a_single_frame():
    truth = observe([(0, 0)])
    got = solve(truth)
    assert np.isfinite(got.sky_adu).all() and np.isfinite(got.residual_sigma).all()
    _, _, light = light_seen(truth, got)
    assert -30.0 < np.percentile(light, 10) < 30.0, "the dark part lies near zero"


@pytest.mark.parametrize("turns", [None, [0.0, 1.0, 2.0, 3.0]])
def test_frames_without_overlap_keep_their_sky_out_of_the_mosaic(turns):
    truth = observe([(0, 0), (0, 40), (60, 0), (70, 50)], turns=turns)
    got = solve(truth)
    frame, _, light = light_seen(truth, got)
    for k in range(4):
        # Nothing ties these frames together; their skies of 500 to 1500 must not show as light all the same.
        assert np.ptp(truth.sky[:, 0, 0]) > 300
        assert abs(np.percentile(light[frame == k], 10)) < 40.0


def test_a_frame_whose_cells_are_all_incomplete_still_loses_its_sky():
    truth = observe(GRID)
    part = truth.cells[3]
    truth.cells[3] = CellSamples(
        part.row, part.column, part.mean_adu, (part.count * 0.3).astype(np.int32), part.u, part.v, part.noise_adu
    )
    got = solve(truth)
    frame, _, light = light_seen(truth, got)
    assert abs(np.percentile(light[frame == 3], 10)) < 60.0


def test_islands_of_overlap_are_each_consistent():
    near = [(0, 0), (3, 2), (6, 0), (2, 5)]
    truth = observe([*near, *[(a + 80, b + 50) for a, b in near]])
    got = solve(truth)
    frame, place, light = light_seen(truth, got)
    for island in (range(4), range(4, 8)):
        own = np.isin(frame, list(island))
        true = nebula(place[own, 0], place[own, 1])
        design = np.stack([np.ones(own.sum()), place[own, 0], place[own, 1]], axis=1)
        rest = light[own] - true
        rest = rest - design @ np.linalg.lstsq(design, rest, rcond=None)[0]
        assert 1.4826 * np.median(np.abs(rest)) < 0.7


def test_slopes_that_cancel_and_empty_sky_leave_no_tilt():
    """The convention: over many frames whose gradients point anywhere, the mosaic is level and dark sky is zero."""
    shifts = [(a, b) for a in range(0, 45, 4) for b in range(0, 30, 4)]
    truth = observe(shifts, turns=list(np.linspace(0, 6.0, len(shifts))))
    got = solve(truth)
    _, place, light = light_seen(truth, got)
    true = nebula(place[:, 0], place[:, 1])
    design = np.stack([np.ones(len(true)), place[:, 0] - place[:, 0].mean(), place[:, 1] - place[:, 1].mean()], axis=1)
    level, *slope = np.linalg.lstsq(design, light - true, rcond=None)[0]
    across = np.abs(slope) * np.ptp(place, axis=0)
    assert (across < 20.0).all(), "of gradients of some 50 in each frame"
    assert abs(level) < 12.0


def held_from(truth: Truth, got: SkySolution, known: np.ndarray) -> FixedParameters:
    return FixedParameters(known, truth.transparency, got.sky_adu, np.ones(1, bool), got.vignetting, got.bias_adu)


def test_new_frames_meet_held_ones_without_a_seam_and_leave_them_alone():
    truth = observe([(3 * k, 2 * (k % 3)) for k in range(8)], turns=[0.1 * k for k in range(8)])
    known = np.arange(8) < 5
    first = solve(truth)
    # As an earlier night may have it: another plane over the mosaic, which no overlap can tell.
    tilted = first.sky_adu.copy()
    tilted[..., 0] += 40.0 * truth.transparency
    held = held_from(truth, replace(first, sky_adu=tilted), known)
    estimates = [BiasEstimate(b, 10.0) for b in truth.bias]
    got = solve_sky(
        truth.cells, truth.transparency, truth.groups, truth.vignetting, np.array([0.02]), estimates, fixed=held
    )
    np.testing.assert_array_equal(got.sky_adu[known], tilted[known])
    np.testing.assert_array_equal(got.vignetting, first.vignetting)
    np.testing.assert_array_equal(got.bias_adu, first.bias_adu)
    moved = got.sky_adu[~known, 0, 0] - first.sky_adu[~known, 0, 0]
    np.testing.assert_allclose(moved / truth.transparency[~known, 0], 40.0, atol=2.0)
    assert got.mean_residual_sigma.max() < 0.1, "frames that are right are not pulled"
    wrong = tilted.copy()
    wrong[2, 0, 0] += 3.0 * NOISE
    held = held_from(truth, replace(first, sky_adu=wrong), known)
    pulled = solve_sky(
        truth.cells, truth.transparency, truth.groups, truth.vignetting, np.array([0.02]), estimates, fixed=held
    ).mean_residual_sigma
    assert pulled[2] > 0.5 and int(np.argmax(pulled)) == 2
