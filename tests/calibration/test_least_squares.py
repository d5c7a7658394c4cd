"""The joint solver against plain dense least squares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.calibration.least_squares import JointProblem, solve_joint


def problem_of(
    seed: int, n_items: int, n_frames: int, terms: int, shared: int, n: int, groups: int = 1
) -> JointProblem:
    rng = np.random.default_rng(seed)
    return JointProblem(
        item=rng.integers(0, n_items, n),
        frame=rng.integers(0, n_frames, n),
        factor=rng.uniform(0.5, 1.5, n),
        frame_basis=rng.normal(0, 1, (n, terms)),
        group=rng.integers(0, groups, n),
        shared_basis=rng.normal(0, 1, (n, shared)),
        value=rng.normal(0, 10, n),
        sigma=rng.uniform(0.5, 2.0, n),
        n_items=n_items,
        n_frames=n_frames,
        frame_precision=rng.uniform(0.01, 0.5, terms),
        shared_prior=rng.normal(0, 1, (groups, shared)),
        shared_precision=rng.uniform(0.1, 2.0, (groups, shared)),
    )


def dense(p: JointProblem, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve by writing the whole matrix down."""
    n, terms, shared = len(p.value), p.frame_basis.shape[1], p.shared_basis.shape[1]
    before = p.n_items + p.n_frames * terms
    design = np.zeros((n, before + p.shared_prior.size))
    rows = np.arange(n)
    design[rows, p.item] = p.factor
    for t in range(terms):
        design[rows, p.n_items + p.frame * terms + t] = p.frame_basis[:, t]
    for t in range(shared):
        design[rows, before + p.group * shared + t] = p.shared_basis[:, t]
    normal = design.T @ (weight[:, None] * design)
    right = design.T @ (weight * p.value)
    frames = slice(p.n_items, before)
    normal[frames, frames] += np.diag(np.tile(p.frame_precision, p.n_frames))
    last = slice(before, None)
    normal[last, last] += np.diag(p.shared_precision.ravel())
    right[last] += (p.shared_precision * p.shared_prior).ravel()
    x = np.linalg.lstsq(normal, right, rcond=None)[0]
    return x[: p.n_items], x[frames].reshape(p.n_frames, terms), x[last].reshape(p.shared_prior.shape)


@given(
    seed=st.integers(0, 2**32 - 1),
    n_items=st.integers(1, 12),
    n_frames=st.integers(1, 6),
    terms=st.integers(1, 3),
    shared=st.integers(0, 2),
    n=st.integers(1, 90),
    groups=st.integers(1, 3),
)
@settings(max_examples=40)
def test_it_is_the_least_squares_solution(seed, n_items, n_frames, terms, shared, n, groups):
    p = problem_of(seed, n_items, n_frames, terms, shared, n, groups)
    got = solve_joint(p, rounds=1)
    item, frame, common = dense(p, p.sigma**-2)
    seen = np.unique(p.item)
    np.testing.assert_allclose(got.frame, frame, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(got.shared, common, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(got.item[seen], item[seen], atol=1e-3)
    model = p.factor * got.item[p.item] + (p.frame_basis * got.frame[p.frame]).sum(axis=1)
    model += (p.shared_basis * got.shared[p.group]).sum(axis=1)
    np.testing.assert_allclose(got.residual, p.value - model, atol=1e-9)


def test_outliers_are_weighed_down():
    p = problem_of(1, 30, 8, 1, 0, 1500)
    rng = np.random.default_rng(2)
    item, frame = rng.normal(0, 5, 30), rng.normal(0, 2, (8, 1))
    truth = p.factor * item[p.item] + (p.frame_basis * frame[p.frame]).sum(axis=1)
    value = truth + rng.normal(0, 1, 1500) * p.sigma
    wild = rng.random(1500) < 0.08
    value[wild] += rng.choice([-1, 1], wild.sum()) * 60.0
    p = replace(p, value=value, frame_precision=np.array([1e-4]))
    got = solve_joint(p, rounds=6)
    plain = solve_joint(p, rounds=1)
    assert np.abs(got.frame - frame).max() < 0.35 < np.abs(plain.frame - frame).max() * 1.5
    assert np.abs(got.frame - frame).max() < np.abs(plain.frame - frame).max()
    assert got.weight[wild].max() < 0.2 * np.median(got.weight[~wild])


def test_items_nobody_sees_and_frames_without_observations_stay_at_zero():
    p = problem_of(3, 4, 3, 2, 0, 40)
    p = replace(p, item=p.item % 3, frame=p.frame % 2)
    got = solve_joint(p)
    assert got.item[3] == 0 and (got.frame[2] == 0).all()


def test_a_prior_holds_what_the_observations_cannot():
    """One item per observation explains all; frames then stay at their prior."""
    p = problem_of(4, 20, 2, 1, 1, 20)
    p = replace(p, item=np.arange(20))
    got = solve_joint(p, rounds=1)
    np.testing.assert_allclose(got.frame, 0.0, atol=1e-6)
    np.testing.assert_allclose(got.shared, p.shared_prior, atol=1e-6)
    assert got.residual == pytest.approx(np.zeros(20), abs=1e-6)


def test_a_long_chain_is_solved_to_its_ends():
    """What bends a whole chain is what conjugate gradients find last."""
    rng = np.random.default_rng(4)
    n_frames, n = 40, 60
    frame = np.repeat(np.arange(n_frames), n)
    place = frame * 6 + np.tile(np.arange(n), n_frames) % 12
    u = (place - frame * 6) / 12.0 - 0.5
    truth = np.stack([0.3 * np.arange(n_frames), rng.normal(0, 1, n_frames)], axis=1)
    sky = np.cos(np.arange(n_frames * 6 + 12) / 9.0) * 30.0
    value = sky[place] + truth[frame, 0] + truth[frame, 1] * u - 4.0 * u * u
    basis = np.stack([np.ones(len(u)), u], axis=1)
    p = JointProblem(
        item=place,
        frame=frame,
        factor=np.ones(len(u)),
        frame_basis=basis,
        group=np.zeros(len(u), np.int64),
        shared_basis=(u * u)[:, None],
        value=value,
        sigma=np.full(len(u), 0.1),
        n_items=len(sky),
        n_frames=n_frames,
        frame_precision=np.array([1e-6, 1e-4]),
        shared_prior=np.array([[-4.0]]),
        shared_precision=np.array([[1e-2]]),
    )
    got = solve_joint(p, rounds=1)
    item, _, shared = dense(p, p.sigma**-2)
    assert np.abs(got.item - item).max() < 0.05 and abs(got.shared[0, 0] - shared[0, 0]) < 0.005
