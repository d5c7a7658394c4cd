"""The fall of light of each camera as far as the data determine it, and its prior where they do not.

Stars that wander over the sensor and skies whose levels differ each say something of the coefficient V of r**2, and
their formal errors are too small: neighbouring stars share the faults of their pixels, and no sky is a plane.  What
they say is therefore weighed with errors that count such correlations.  A camera's V then has one of two priors: a
narrow one about the expected value (0 when nothing else is known), or a wide one.  The wide one is taken only
when the data favour it strongly, by the ratio of the evidences (Kass & Raftery 1995, J. Am. Stat. Assoc. 90, 773),
and a rise outwards needs far stronger evidence than a fall, because no lens and no tube makes one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.calibration.fixed_parameters import FixedParameters
from zemosaic.calibration.least_squares import JointProblem, JointSolution, left_by_all_other_terms

__all__ = [
    "FallOfLight",
    "clustered_information",
    "determine_fall",
    "fall_of_stars",
    "information_of_skies",
    "with_held",
]


NARROW_PRIOR_SIGMA = 0.005
"""Standard deviation of V about its expected value where the data determine nothing; 0.16 % at a corner."""
WIDE_PRIOR_SIGMA = 0.2
"""Standard deviation of V of a camera that shows a fall; 0.2 is 7 % at a corner."""
BOWL_OF_ONE_SKY = 0.01
"""Standard deviation of a bowl in the sky of a single frame, as the coefficient of r**2 in parts of its level:
moonlight and haze are no planes, so that a change of level tells V no better than this."""
MIN_LOG_EVIDENCE_FALL = 6.0
"""Logarithm of the ratio of evidences from which a fall is taken as determined, some 4 standard errors."""
MIN_CLUSTERS = 4
"""Clusters of observations from whose scatter an error can be told."""
MIN_LOG_EVIDENCE_RISE = 20.0
"""The same for a rise outwards, some 7 standard errors."""


@dataclass(frozen=True)
class FallOfLight:
    """Coefficients of r**2 per camera and how they were come by; all of shape (cameras,)."""

    vignetting: Float64s
    sigma: Float64s
    """Standard error of what the data say alone; infinite where they say nothing."""
    determined: NDArray[np.bool_]
    """Whether the data determine it; if not, `vignetting` is the expected value but for a trifle."""


def determine_fall(information: Float64s, moment: Float64s, expected: Float64s | None = None) -> FallOfLight:
    """Return the fall of light of all cameras from what the data say of it.

    Parameters
    ----------
    information : ndarray, shape (cameras, cameras)
        Inverse of the covariance of the estimates; may be singular, as cameras that look at one sky determine
        their difference alone.
    moment : ndarray, shape (cameras,)
        The information times the coefficients of r**2 that fit the data best.
    expected : ndarray, shape (cameras,), optional
        Values where nothing is determined, 0 by default.
    """
    n = len(moment)
    expected = np.zeros(n) if expected is None else expected
    pull = moment - information @ expected
    wide = np.zeros(n, bool)
    while not wide.all():
        trials = [[camera] for camera in np.flatnonzero(~wide).tolist()]
        # Cameras that look at one sky know the difference of their falls far better than each of them.
        trials += [np.flatnonzero(~wide).tolist()]
        gain, _, best = max(
            (_gain(information, pull, expected, wide, cameras), -k, cameras) for k, cameras in enumerate(trials)
        )
        if gain < 0.0:
            break
        wide[best] = True
        for camera in best if len(best) > 1 else []:
            without = wide.copy()
            without[camera] = False
            if _gain(information, pull, expected, without, [camera]) < 0.0:
                wide = without
    return FallOfLight(expected + _mean(information, pull, wide), np.sqrt(_variances_of_data(information)), wide)


def fall_of_stars(vignetting: Float64s, sigma: Float64s, held: FixedParameters) -> FallOfLight:
    """Return the fall of light of all cameras as far as their stars alone determine it.

    Parameters
    ----------
    vignetting, sigma : ndarray, shape (cameras,)
        Coefficients of r**2 that fit the stars best, and their standard errors.
    held : Held
        Cameras whose fall of light is known.
    """
    free = ~held.cameras
    information = sigma[free] ** -2.0
    return with_held(determine_fall(np.diag(information), information * vignetting[free]), held)


def with_held(fall: FallOfLight, held: FixedParameters) -> FallOfLight:
    """Return the fall of light of all cameras, given that of those that are not held.

    Parameters
    ----------
    fall : FallOfLight
        Of the cameras that are not held, in their order.
    held : FixedParameters

    Returns
    -------
    FallOfLight
        Held cameras have the error 0.
    """
    free = ~held.cameras
    vignetting, sigma = held.vignetting.copy(), np.zeros(len(free))
    determined = np.ones(len(free), bool)
    vignetting[free], sigma[free], determined[free] = fall.vignetting, fall.sigma, fall.determined
    return FallOfLight(vignetting, sigma, determined)


def _gain(
    information: Float64s, pull: Float64s, expected: Float64s, wide: NDArray[np.bool_], cameras: list[int]
) -> float:
    """Return by how much the evidence for the wide prior of further cameras exceeds what is asked for."""
    trial = wide.copy()
    trial[cameras] = True
    rise = (expected + _mean(information, pull, trial))[cameras] > 0.0
    least = MIN_LOG_EVIDENCE_RISE if rise.any() else MIN_LOG_EVIDENCE_FALL
    return _evidence(information, pull, trial) - _evidence(information, pull, wide) - least


def _precision(wide: NDArray[np.bool_]) -> Float64s:
    return np.where(wide, WIDE_PRIOR_SIGMA, NARROW_PRIOR_SIGMA) ** -2.0


def _mean(information: Float64s, pull: Float64s, wide: NDArray[np.bool_]) -> Float64s:
    """Return the mean of the posterior, told from the expected values."""
    return np.asarray(np.linalg.solve(information + np.diag(_precision(wide)), pull), np.float64)


def _evidence(information: Float64s, pull: Float64s, wide: NDArray[np.bool_]) -> float:
    """Return the logarithm of the evidence, but for what does not depend on the priors."""
    precision = _precision(wide)
    _, logarithm = np.linalg.slogdet(np.eye(len(pull)) + information / precision)
    return 0.5 * float(pull @ _mean(information, pull, wide)) - 0.5 * float(logarithm)


def _variances_of_data(information: Float64s) -> Float64s:
    """Return the variances of the estimates by the data alone, infinite in what they do not determine."""
    values, vectors = np.linalg.eigh(information)
    known = values > 1e-9 * max(float(values.max(initial=0.0)), 1e-300)
    known &= values > WIDE_PRIOR_SIGMA**-2 * 1e-4
    unknown = (vectors[:, ~known] ** 2).sum(axis=1) > 1e-6
    variance = (vectors[:, known] ** 2 / values[known]).sum(axis=1)
    return np.where(unknown, np.inf, variance)


def information_of_skies(
    problem: JointProblem, solution: JointSolution, columns: Float64s, bowls: Float64s, source: NDArray[np.int64]
) -> tuple[Float64s, Float64s]:
    """Return what the skies say of the cameras' V beside the values in the solution.

    The errors of cells are independent; a bowl in the sky of one frame, of `BOWL_OF_ONE_SKY`, is common to all its
    cells and channels.

    Parameters
    ----------
    problem : JointProblem
        With V among the known.
    solution : JointSolution
        Of that problem, or of the one with V among the unknown.
    columns : ndarray, shape (n, cameras)
        Derivatives of the observations with respect to V.
    bowls : ndarray, shape (n,)
        What a bowl of 1 in parts of the frame's level makes of each observation.
    source : ndarray of int, shape (n,)
        Frame of each observation, the same for all channels.

    Returns
    -------
    information : ndarray, shape (cameras, cameras)
    moment : ndarray, shape (cameras,)
        The information times how far V lies from these values.
    """
    if not columns.shape[1]:
        return np.zeros((0, 0)), np.zeros(0)
    left = left_by_all_other_terms(problem, solution.weight, columns)
    weighted = left * solution.weight[:, None]
    formal = weighted.T @ columns
    score = weighted.T @ solution.residual
    excess = max(1.0, float((solution.weight * solution.residual**2).mean()))
    of_frames = np.stack([np.bincount(source, of_camera * bowls) for of_camera in weighted.T], axis=1)
    noise = excess * formal + BOWL_OF_ONE_SKY**2 * of_frames.T @ of_frames
    noise += 1e-9 * np.trace(noise) * np.eye(len(noise)) + 1e-300 * np.eye(len(noise))
    gain = np.linalg.solve(noise, formal).T
    return np.asarray(gain @ formal, np.float64), np.asarray(gain @ score, np.float64)


def clustered_information(
    weighted: Float64s, derivative: Float64s, residual: Float64s, clusters: list[NDArray[np.int64]]
) -> float:
    """Return the information on a parameter, with errors that hang together within clusters.

    The variance of the estimate is the largest over the ways to cluster (Liang & Zeger 1986, Biometrika 73, 13),
    that of independent observations included.

    Parameters
    ----------
    weighted : ndarray, shape (n,)
        Derivative of each observation, less what other terms explain of it, divided by the error squared.
    derivative, residual : ndarray, shape (n,)
    clusters : list of ndarray of int, shape (n,)
    """
    formal = float(weighted @ derivative)
    if formal <= 0.0 or not len(residual):
        return 0.0
    largest = formal
    for cluster in clusters:
        sums = np.bincount(cluster, weighted * residual)
        number = len(np.unique(cluster))
        if number < MIN_CLUSTERS:
            continue
        largest = max(largest, float(sums @ sums) * number / (number - 1))
    return formal**2 / largest
