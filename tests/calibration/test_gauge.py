"""The plane that overlaps do not constrain: brightness of empty sky by brute force, planes put back where they came."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration.gauge import Plane, commonest_brightness, in_blocks, plane_of_piece, with_planes


def by_brute_force(flux: np.ndarray, grain: float, grains: int, dark: float) -> tuple[float, int]:
    """Return the fullest pair of neighbouring steps, by trying every one."""
    zero = np.quantile(flux, dark)
    step = np.clip((flux - zero) / grain, 0, grains).astype(int)
    pairs = [flux[(step == k) | (step == k + 1)] for k in range(grains - 1)]
    fullest = max(pairs, key=len)
    return float(fullest.mean()), len(fullest)


@pytest.mark.parametrize("size", [5, 40, 900])
@pytest.mark.parametrize("dark", [0.0, 0.002, 0.1])
def test_the_commonest_brightness_is_that_of_the_fullest_pair_of_steps(size, dark):
    rng = np.random.default_rng(size)
    flux = np.concatenate([rng.normal(50.0, 2.0, size), rng.uniform(50.0, 400.0, size)])
    got = commonest_brightness(flux, 1.7, 60, dark)
    assert got == pytest.approx(by_brute_force(flux, 1.7, 60, dark))


def test_what_is_brighter_than_the_last_step_is_not_looked_at():
    flux = np.concatenate([np.full(10, 5.0), np.full(90, 1000.0)])
    assert commonest_brightness(flux, 1.0, 60, 0.002) == (5.0, 10)


def test_blocks_are_means_of_their_cells_and_half_empty_ones_go():
    row, column = (part.ravel() for part in np.mgrid[0:4, 0:5])
    flux = np.stack([np.arange(20.0), 100.0 - np.arange(20.0)])
    position = np.stack([row, column], axis=1).astype(float)
    mean, place = in_blocks(flux, position, 2)
    # The fifth column fills half of its blocks, which is enough; a single cell would not be.
    np.testing.assert_allclose(mean[0], [3.0, 5.0, 6.5, 13.0, 15.0, 16.5])
    np.testing.assert_allclose(mean.sum(axis=0), 100.0)
    np.testing.assert_allclose(place[:3], [[0.5, 0.5], [0.5, 2.5], [0.5, 4.0]])
    assert in_blocks(flux[:, :19], position[:19], 2)[0].shape == (2, 5)
    assert in_blocks(flux, position, 1)[0] is flux


def scene(slope: tuple[float, float], scatter: float, seed: int = 0, frames: int = 24) -> dict[str, np.ndarray]:
    """Return frames of 6 x 6 cells that wander over a mosaic whose sky has a tilt that nothing observed."""
    rng = np.random.default_rng(seed)
    side, frame_side = 14, 6
    row0, column0 = rng.integers(0, side - frame_side + 1, (2, frames))
    r, c = (part.ravel() for part in np.mgrid[0:frame_side, 0:frame_side])
    cell = np.concatenate([(a + r) * side + b + c for a, b in zip(row0, column0, strict=True)])
    basis = np.tile(np.stack([np.ones(36), (c - 2.5) / 6.0, (r - 2.5) / 6.0], axis=1), (frames, 1))
    position = np.stack(np.divmod(np.arange(side**2), side), axis=1).astype(float)
    factor = rng.uniform(0.5, 1.5, (frames, 1))
    flux = 30.0 + rng.normal(0.0, 0.3, side**2) + position @ slope
    flux[: side**2 // 4] += rng.uniform(5.0, 80.0, side**2 // 4)
    sky = np.zeros((frames, 1, 3))
    # The slopes of a sky along u and v are those along columns and rows, times six cells.
    sky[:, 0, 1] = -6.0 * slope[1] * factor[:, 0] + rng.normal(0, scatter, frames)
    sky[:, 0, 2] = -6.0 * slope[0] * factor[:, 0] + rng.normal(0, scatter, frames)
    frame = np.repeat(np.arange(frames), 36)
    seen = np.unique(cell)
    return {
        "sky": sky,
        "flux": flux[None, seen],
        "factor": factor,
        "cell": np.searchsorted(seen, cell),
        "frame": frame,
        "basis": basis,
        "position": position[seen],
    }


@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.8, -0.5)])
def test_the_plane_of_empty_sky_is_found_and_its_level_is_dark(slope):
    made = scene(slope, scatter=2.0)
    plane = plane_of_piece(**made, grain=np.array([0.5]))
    np.testing.assert_allclose(plane.slope[0], slope, atol=0.06)
    middle = made["position"].mean(axis=0)
    assert plane.level[0] == pytest.approx(30.0 + middle @ slope, abs=0.7)
    assert (plane.slope_error > 0.0).all()
    assert (np.abs(plane.balanced[0] - slope) < 4.0 * plane.slope_error[0]).all()


def test_the_error_of_the_slope_is_that_of_the_mean_of_the_skies():
    deviations, errors = [], []
    for seed in range(12):
        plane = plane_of_piece(**scene((0.0, 0.0), 3.0, seed), grain=np.array([0.5]))
        deviations.append(plane.balanced[0])
        errors.append(plane.slope_error[0])
    assert float(np.mean(errors)) == pytest.approx(float(np.sqrt(np.mean(np.square(deviations)))), rel=0.5)


def test_slopes_scale_with_the_light():
    made = scene((0.8, -0.5), scatter=2.0)
    one = plane_of_piece(**made, grain=np.array([0.5]))
    larger = made | {"sky": 8.0 * made["sky"], "flux": 8.0 * made["flux"]}
    other = plane_of_piece(**larger, grain=np.array([4.0]))
    np.testing.assert_allclose(other.slope, 8.0 * one.slope, rtol=1e-9)
    np.testing.assert_allclose(other.level, 8.0 * one.level, rtol=1e-9)
    np.testing.assert_allclose(other.slope_error, 8.0 * one.slope_error, rtol=1e-9)


def test_planes_taken_from_the_light_go_to_the_skies_of_their_own_frames():
    made = scene((0.0, 0.0), scatter=2.0, frames=8)
    piece = np.arange(8) % 2
    planes = [
        Plane(np.array([3.0]), np.array([[0.4, -0.2]]), np.ones((1, 2)), np.zeros((1, 2))),
        Plane(np.array([-5.0]), np.array([[0.0, 0.1]]), np.ones((1, 2)), np.zeros((1, 2))),
    ]
    arguments = {name: made[name] for name in ("sky", "factor", "cell", "frame", "basis", "position")}
    settled = with_planes(**arguments, planes=planes, piece=piece)
    cell, frame, basis = made["cell"], made["frame"], made["basis"]
    moved = ((settled - made["sky"])[frame, 0] * basis).sum(axis=1) / made["factor"][frame, 0]
    for k, plane in enumerate(planes):
        own = piece[frame] == k
        middle = made["position"][np.unique(cell[own])].mean(axis=0)
        expected = plane.level[0] + (made["position"][cell[own]] - middle) @ plane.slope[0]
        np.testing.assert_allclose(moved[own], expected, atol=1e-6)
