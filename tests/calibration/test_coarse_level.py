"""The coarse level of the joint solver: the direct solution, in steps that do not grow with the mosaic."""

from __future__ import annotations

import numpy as np
import pytest

from zemosaic.calibration import least_squares
from zemosaic.calibration.least_squares import JointProblem, solve_joint
from zemosaic.calibration.solver.coarse_level import clusters_of

CELLS, STEP = 10, 7
"""Side of a frame and distance of the pointings, in cells of sky."""
NOISE = 2.0


def mosaic(side: int, depth: int, cameras: int = 1) -> JointProblem:
    """Return skies of `depth` dithered, slowly turning frames at each of `side` x `side` pointings."""
    rng = np.random.default_rng(7)
    width = STEP * side + 2 * CELLS
    y, x = np.mgrid[0:width, 0:width] - CELLS // 2
    parts = []
    for k in range(side * side * depth):
        row, column = divmod(k // depth, side)
        dx = x - column * STEP - rng.uniform(0.0, 2.0) - CELLS / 2
        dy = y - row * STEP - rng.uniform(0.0, 2.0) - CELLS / 2
        turn = np.radians(0.3 * k)
        u, v = (np.cos(turn) * dx + np.sin(turn) * dy) / CELLS, (np.cos(turn) * dy - np.sin(turn) * dx) / CELLS
        inside = (np.abs(u) < 0.5) & (np.abs(v) < 0.5)
        parts.append((np.flatnonzero(inside), np.full(inside.sum(), k), u[inside], v[inside]))
    item, frame, u, v = (np.concatenate(part) for part in zip(*parts, strict=True))
    seen, item = np.unique(item, return_inverse=True)
    frames = side * side * depth
    light = 1.0 + 0.1 * (u * u + v * v)
    basis = np.stack([light, light * u, light * v], axis=1)
    factor = light * rng.uniform(0.7, 1.1, frames)[frame]
    planes = rng.normal(0.0, 60.0, (frames, 3)) + np.array([1000.0, 0.0, 0.0])
    value = factor * rng.exponential(30.0, len(seen))[item] + (basis * planes[frame]).sum(axis=1)
    return JointProblem(
        item=item,
        frame=frame,
        factor=factor,
        frame_basis=basis,
        group=frame % cameras,
        shared_basis=np.stack([1000.0 * (u * u + v * v)], axis=1),
        value=value + rng.normal(0.0, NOISE, len(value)),
        sigma=np.full(len(value), NOISE),
        n_items=len(seen),
        n_frames=frames,
        frame_precision=np.array([1e-9, 1e-6, 1e-6]),
        shared_prior=np.zeros((cameras, 1)),
        shared_precision=np.full((cameras, 1), 1e2),
    )


@pytest.mark.parametrize("cameras", [1, 2])
def test_it_finds_the_direct_solution(monkeypatch: pytest.MonkeyPatch, cameras: int) -> None:
    problem = mosaic(5, 4, cameras)
    direct = solve_joint(problem, rounds=1)
    monkeypatch.setattr(least_squares, "MAX_DENSE_UNKNOWNS", 0)
    two_levels = solve_joint(problem, rounds=1)
    assert np.abs(two_levels.residual - direct.residual).max() < 0.001 * NOISE
    np.testing.assert_allclose(two_levels.shared, direct.shared, atol=1e-5)


def test_its_steps_do_not_grow_with_the_mosaic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "MAX_DENSE_UNKNOWNS", 0)
    small, large = mosaic(3, 4), mosaic(9, 4)
    steps = [solve_joint(problem, rounds=1).steps for problem in (small, large)]
    monkeypatch.setattr(least_squares, "coarse_level", lambda *_: None)
    of_blocks = solve_joint(large, rounds=1).steps
    assert max(steps) <= 30 and steps[1] <= steps[0] + 6
    assert of_blocks > 3 * steps[1]


def test_frames_of_one_pointing_belong_together() -> None:
    problem = mosaic(3, 5)
    chosen = np.ones(problem.n_frames, bool)
    chosen[4] = False
    cluster, first = clusters_of(problem.item, problem.frame, chosen)
    assert cluster[4] == -1 and (np.delete(cluster, 4) >= 0).all()
    assert len(first) < 2 * 9 and (cluster[first] == np.arange(len(first))).all()
    for k in range(len(first)):
        pointings = np.unique(np.flatnonzero(cluster == k) // 5)
        assert len(pointings) == 1
