"""Bends of the sky that all frames of a camera share, as further shared terms of the joint sky."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from zemosaic.arrays import Float64s
from zemosaic.calibration.background_table import BackgroundTable
from zemosaic.calibration.least_squares import JointProblem
from zemosaic.model import N_HIGHER_ORDER_TERMS, sky_terms

__all__ = ["updated_higher_order", "with_higher_order_terms"]

HIGHER_ORDER_PRIOR = (1e-5, 3e-3, 1e-2)
"""Prior standard deviation of each higher-order term at the corner of a frame, relative to the sky level: smallest,
initial and largest value."""
MIN_HIGHER_ORDER_AMPLITUDE = 1e-3
"""Higher-order terms are dropped when their first estimate is smaller than this for every camera."""


def with_higher_order_terms(
    problem: JointProblem, table: BackgroundTable, level: Float64s, higher_order: Float64s
) -> JointProblem:
    """Return the problem with the bends of the cameras' skies as further shared terms, told from those so far.

    Parameters
    ----------
    problem : JointProblem
    table : BackgroundTable
        The observations of the problem.
    level : ndarray, shape (frames * channels,)
        Of each frame's sky, ADU.
    higher_order : ndarray, shape (groups, terms)
        Bends of each camera's sky that are known so far, relative to its level.
    """
    sky = problem.frame_basis[:, 0] * level[table.frame]
    basis = np.empty((len(sky), 2 + N_HIGHER_ORDER_TERMS), np.float32)
    basis[:, :2] = problem.shared_basis
    value = problem.value.copy()
    for k, term in enumerate(sky_terms(table.u, table.v)[3:]):
        basis[:, 2 + k] = sky * term
        value -= higher_order[table.group, k] * sky * term
    # The amplitude of the last iteration is the next prior, shrunk where it is small, so that noise dies out.
    amplitude = _amplitude_at_corner(higher_order, table)[:, None]
    expected = np.where(
        higher_order.any(axis=1, keepdims=True),
        np.clip(amplitude * np.minimum(amplitude / HIGHER_ORDER_PRIOR[1], 1.0), *HIGHER_ORDER_PRIOR[::2]),
        HIGHER_ORDER_PRIOR[1],
    )
    precision = (_terms_at_corner(table) / expected) ** 2
    return replace(
        problem,
        value=value,
        shared_basis=basis,
        shared_prior=np.concatenate([problem.shared_prior, -higher_order], axis=1),
        shared_precision=np.concatenate([problem.shared_precision, precision], axis=1),
    )


def updated_higher_order(higher_order: Float64s, change: Float64s, table: BackgroundTable) -> Float64s:
    """Return the higher-order terms after an iteration; zero where no camera has significant ones.

    Parameters
    ----------
    higher_order : ndarray, shape (groups, terms)
        Before the iteration.
    change : ndarray, shape (groups, terms) or (groups, 0)
        What the iteration found; without columns nothing was looked for.
    table : BackgroundTable
    """
    if not change.shape[1]:
        return higher_order
    higher_order = higher_order + change
    return np.asarray(
        higher_order * (_amplitude_at_corner(higher_order, table) > MIN_HIGHER_ORDER_AMPLITUDE).any(), np.float64
    )


def _terms_at_corner(table: BackgroundTable) -> Float64s:
    """Return the size of each bend's term at the corner of a frame."""
    return np.asarray(table.r2.max(initial=1e-6) ** np.repeat([1.0, 1.5, 2.0], [2, 4, 5]), np.float64)


def _amplitude_at_corner(higher_order: Float64s, table: BackgroundTable) -> Float64s:
    """Return the root mean square of each camera's bends there."""
    return np.asarray(np.sqrt(((higher_order * _terms_at_corner(table)) ** 2).mean(axis=1)), np.float64)
