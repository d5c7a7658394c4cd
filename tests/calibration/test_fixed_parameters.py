"""Held frames and cameras in a joint problem: what they keep, and what they take from the observations."""

from __future__ import annotations

import numpy as np

from zemosaic.calibration.fixed_parameters import FixedParameters, with_fixed_frames, with_shared_terms
from zemosaic.calibration.least_squares import JointProblem


def problem() -> JointProblem:
    """Return a problem of four observations by two frames of two cameras."""
    frame = np.array([0, 0, 1, 1])
    return JointProblem(
        item=np.array([0, 1, 0, 1]),
        frame=frame,
        factor=np.ones(4),
        frame_basis=np.arange(1.0, 9.0).reshape(4, 2),
        group=frame,
        shared_basis=np.array([[1.0], [2.0], [3.0], [4.0]]),
        value=np.array([10.0, 20.0, 30.0, 40.0]),
        sigma=np.ones(4),
        n_items=2,
        n_frames=2,
        frame_precision=np.ones((2, 2)),
        shared_prior=np.array([[0.5], [0.6]]),
        shared_precision=np.array([[2.0], [3.0]]),
    )


def test_nothing_held_is_neutral():
    none = FixedParameters.none(3, 2, 4)
    assert not none.frames.any() and none.frames.shape == (3,)
    assert not none.cameras.any() and none.cameras.shape == (4,)
    np.testing.assert_array_equal(none.transparency, np.ones((3, 2)))
    assert not none.sky_adu.any() and none.sky_adu.shape[:2] == (3, 2)
    assert not none.vignetting.any() and not none.bias_adu.any()


def test_held_frames_lose_their_terms_and_their_part_of_the_value():
    got = with_fixed_frames(problem(), np.array([True, False]), np.array([1.0, 2.0, 3.0, 4.0]))
    np.testing.assert_array_equal(got.frame_basis, [[0, 0], [0, 0], [5, 6], [7, 8]])
    np.testing.assert_array_equal(got.value, [9.0, 18.0, 30.0, 40.0])


def test_further_shared_terms_stand_beside_the_first_and_held_cameras_have_none():
    basis = np.array([[5.0], [6.0], [7.0], [8.0]], np.float32)
    got = with_shared_terms(problem(), basis, np.array([[9.0], [9.5]]), np.array([True, False]))
    np.testing.assert_array_equal(got.shared_basis, [[1, 5], [2, 6], [0, 0], [0, 0]])
    np.testing.assert_array_equal(got.shared_prior, [[0.5, 0.0], [0.6, 0.0]])
    np.testing.assert_array_equal(got.shared_precision, [[2.0, 9.0], [3.0, 9.5]])


def test_bends_of_a_camera_are_those_of_its_held_frames_in_parts_of_their_level():
    held = FixedParameters.none(4, 3, 2)
    rng = np.random.default_rng(1)
    bends = rng.normal(size=held.sky_adu.shape[2] - 3)
    held.sky_adu[:, :, 0] = rng.uniform(100.0, 900.0, (4, 3))
    held.sky_adu[:, :, 3:] = held.sky_adu[:, :, :1] * bends
    held.sky_adu[3, :, 3:] *= 50.0
    held.frames[:3] = True
    got = held.higher_order(np.array([0, 0, 0, 0]))
    np.testing.assert_allclose(got, [bends, np.zeros_like(bends)], rtol=1e-12)
