"""How much light each frame let through: zero points from stars in common, solved for all frames at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.held import Held, with_known_frames
from zemosaic.calibration.joint import JointProblem, JointSolution, solve_joint
from zemosaic.model import MeasuredFrame

__all__ = ["Photometry", "detector_coordinates", "solve_photometry"]

Floats = NDArray[np.float64]

VIGNETTING_PRIOR = 0.5
"""Standard deviation expected of the coefficient of r**2; 0.5 is a fall of 17 % at a corner."""
ZERO_POINT_PRIOR = 2.0
"""Standard deviation expected of a frame's log transparency: weak, it only holds frames without stars."""
SMALLEST_ERROR = 0.003
"""Error of a zero point that no number of stars takes away."""
LEAST_SNR = 5.0
"""Observations count whose light should stand out by this many errors."""
MOST_OBSERVATIONS, ENOUGH_STARS = 3_000_000, 60
"""Stars of all frames that are compared; of so many frames that this is less than enough for each, enough."""
SURELY = 1e-9
"""Error of what is held."""
SYSTEMATIC = 0.01
"""Part of a star's light that differs from frame to frame for reasons other than noise."""


@dataclass(frozen=True)
class Photometry:
    """Light passed per frame and the fall of light to the corners per camera."""

    transparency: Floats
    """Shape (frames, channels), relative to the median frame."""
    transparency_sigma: Floats
    """Its standard error, same shape."""
    vignetting: Floats
    """Coefficient of r**2 of the illumination per camera group, shape (groups,)."""
    vignetting_sigma: Floats
    """How well the stars alone know it, shape (groups,)."""
    n_stars: NDArray[np.int64]
    """Stars in common with other frames, per frame."""
    star_flux: Floats
    """Flux per star on the median frame's scale, shape (stars, channels); NaN for stars seen once."""
    pull: Floats
    """How much more light the stars of a held frame would have it pass, as a part; 0 for the others. Shape (frames,)"""


def detector_coordinates(x: Floats, y: Floats, width: int, height: int) -> tuple[Floats, Floats]:
    """Return (u, v): position from the centre in units of the frame's height."""
    return (x - 0.5 * width) / height, (y - 0.5 * height) / height


def solve_photometry(
    frames: Sequence[MeasuredFrame],
    star_ids: Sequence[NDArray[np.int64]],
    groups: NDArray[np.int64],
    vignetting_prior: Floats | None = None,
    held: Held | None = None,
) -> Photometry:
    """Solve zero points of all frames and the vignetting of their cameras jointly, per channel.

    Parameters
    ----------
    frames : sequence of MeasuredFrame
    star_ids : sequence of ndarray of int
        Number of the star behind each detection, -1 for none (`zemosaic.catalogue.merge_detections`).
    groups : ndarray of int, shape (frames,)
        Camera of each frame, counted from 0.
    vignetting_prior : ndarray, shape (groups,), optional
        Standard deviation expected of each camera's coefficient of r**2, `VIGNETTING_PRIOR` by default; small
        where a flat was divided out.
    held : Held, optional
        What is known from before; all zero points are then on its scale, not on that of the median frame.
    """
    channels = frames[0].stars.flux_adu.shape[1]
    green = 1 if channels == 3 else 0
    table = _observations(frames, star_ids, green)
    n_groups = int(groups.max()) + 1
    held = held or Held.nothing(len(frames), channels, n_groups)
    before = np.where(held.frames[:, None], np.log(held.transparency), 0.0)
    vignetting = np.where(held.cameras, held.vignetting, 0.0)
    prior = np.full(n_groups, VIGNETTING_PRIOR) if vignetting_prior is None else vignetting_prior
    sigma = prior
    expected = table.flux[:, green]
    for rounds in (2, 4):
        problem = _problem(table, groups, vignetting, len(frames), green, expected, prior)
        if not len(problem.value):
            break
        problem = replace(problem, shared_basis=problem.shared_basis * ~held.cameras)
        solution = _solved(problem, rounds, held.frames, before[:, green])
        vignetting = np.where(held.cameras, held.vignetting, vignetting + solution.shared)
        sigma = _error_of_shared(problem, solution, prior)
        expected = _expected(table, problem, solution, groups, vignetting, expected)
    transparency = np.ones((len(frames), channels))
    error = np.full((len(frames), channels), ZERO_POINT_PRIOR)
    pull = np.zeros(len(frames))
    n_stars = int(max((ids.max(initial=-1) for ids in star_ids), default=-1)) + 1
    star_flux = np.full((n_stars, channels), np.nan)
    for channel in range(channels):
        expected = table.flux[:, channel]
        for rounds in (2, 4):
            problem = _problem(table, groups, vignetting, len(frames), channel, expected)
            if not len(problem.value):
                break
            solution = _solved(problem, rounds, held.frames, before[:, channel])
            expected = _expected(table, problem, solution, groups, vignetting, expected)
            middle = 0.0 if held.frames.any() else float(np.median(solution.frame[:, 0]))
            transparency[:, channel] = np.exp(solution.frame[:, 0] - middle)
            known = np.bincount(problem.frame, solution.weight, len(frames)) + ZERO_POINT_PRIOR**-2
            # Stars that do not agree within their errors (neighbours, colours) know the less.
            disagree = max(1.0, 1.4826 * float(np.median(np.abs(solution.residual) / problem.sigma)))
            error[:, channel] = transparency[:, channel] * np.hypot(disagree * known**-0.5, SMALLEST_ERROR)
            seen = np.unique(problem.item)
            star_flux[table.star_number[seen], channel] = np.exp(solution.item[seen] + middle)
            if channel == green:
                pull = np.where(held.frames, _mean_residual(problem, solution), 0.0)
    transparency = np.where(held.frames[:, None], held.transparency, transparency)
    error[held.frames] = SURELY
    return Photometry(transparency, error, vignetting, sigma, table.in_common, star_flux, pull)


def _solved(problem: JointProblem, rounds: int, known: NDArray[np.bool_], before: Floats) -> JointSolution:
    """Solve with the log transparencies `before`, shape (frames,), of the frames that are known."""
    solution = solve_joint(with_known_frames(problem, known, before[problem.frame]), rounds=rounds)
    return replace(solution, frame=np.where(known[:, None], before[:, None], solution.frame))


def _mean_residual(problem: JointProblem, solution: JointSolution) -> Floats:
    """Return the weighted mean of each frame's residuals, 0 for frames without, shape (frames,)."""
    weight = np.bincount(problem.frame, solution.weight, problem.n_frames)
    total = np.bincount(problem.frame, solution.weight * solution.residual, problem.n_frames)
    return np.asarray(total / np.maximum(weight, 1e-300), np.float64)


@dataclass(frozen=True)
class _Table:
    star: NDArray[np.int64]
    """Compact star index of each observation."""
    star_number: NDArray[np.int64]
    """Number of each compact star in the caller's counting."""
    frame: NDArray[np.int64]
    flux: Floats
    error: Floats
    r2: Floats
    in_common: NDArray[np.int64]
    """Stars in common with other frames, per frame, those included that are not compared."""


def _observations(frames: Sequence[MeasuredFrame], star_ids: Sequence[NDArray[np.int64]], green: int) -> _Table:
    """Collect the usable detections of stars that at least two frames see."""
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats, Floats]] = []
    for index, (measured, ids) in enumerate(zip(frames, star_ids, strict=True)):
        stars = measured.stars
        good = (ids >= 0) & ~stars.saturated & (stars.flux_adu[:, green] > 5.0 * stars.flux_error_adu[:, green])
        u, v = detector_coordinates(stars.x_px, stars.y_px, measured.frame.width, measured.frame.height)
        n = int(good.sum())
        parts.append(
            (
                ids[good],
                np.full(n, index, np.int64),
                stars.flux_adu[good].astype(float),
                stars.flux_error_adu[good].astype(float),
                (u * u + v * v)[good],
            )
        )
    star, frame, flux, error, r2 = (np.concatenate(column) for column in zip(*parts, strict=True))
    common = np.bincount(star, minlength=1)[star] >= 2 if len(star) else np.zeros(0, bool)
    in_common = np.bincount(frame[common], minlength=len(frames))
    most = max(MOST_OBSERVATIONS // len(frames), ENOUGH_STARS)
    if in_common.sum() > MOST_OBSERVATIONS and in_common.max() > most:
        common[common] = _brightest(star[common], frame[common], flux[common, green], most)
    number, compact = np.unique(star[common], return_inverse=True)
    return _Table(compact.astype(np.int64), number, frame[common], flux[common], error[common], r2[common], in_common)


def _brightest(star: NDArray[np.int64], frame: NDArray[np.int64], flux: Floats, most: int) -> NDArray[np.bool_]:
    """Return which observations are of the brightest stars of their frame.

    Brightest by what all frames saw of a star: chosen by a frame's own light, the lucky ones would count.
    """
    mean = np.bincount(star, flux) / np.maximum(np.bincount(star), 1)
    order = np.lexsort((-mean[star], frame))
    number = np.bincount(frame)
    rank = np.empty(len(frame), np.int64)
    rank[order] = np.arange(len(frame)) - np.repeat(np.cumsum(number) - number, number)
    return rank < most


def _problem(
    table: _Table,
    groups: NDArray[np.int64],
    vignetting: Floats,
    n_frames: int,
    channel: int,
    expected: Floats,
    vignetting_prior: Floats | None = None,
) -> JointProblem:
    """Return the problem of the zero points; with a prior, the cameras' vignetting is solved for as well.

    Which observations count, and how much, follows from the light that is expected of them: chosen and
    weighed by the light that was found, the lucky ones would make dim frames look clearer than they are.
    """
    flux, error = table.flux[:, channel], table.error[:, channel]
    good = (expected > LEAST_SNR * error) & (flux > 0)
    star, frame, r2 = table.star[good], table.frame[good], table.r2[good]
    relative = error[good] / expected[good]
    group = groups[frame]
    fall = 1.0 + vignetting[group] * r2
    precision = np.zeros(0) if vignetting_prior is None else vignetting_prior**-2
    shared = np.zeros((len(star), len(precision)))
    if len(precision):
        shared[np.arange(len(star)), group] = r2 / fall
    return JointProblem(
        item=star,
        frame=frame,
        factor=np.ones(len(star)),
        frame_basis=np.ones((len(star), 1)),
        shared_basis=shared,
        # The mean of a logarithm lies below the logarithm of the mean by half the variance.
        value=np.log(flux[good]) - np.log(fall) + 0.5 * relative**2,
        sigma=np.hypot(relative, SYSTEMATIC),
        n_items=len(table.star_number),
        n_frames=n_frames,
        frame_precision=np.array([ZERO_POINT_PRIOR**-2]),
        shared_prior=-vignetting[: shared.shape[1]],
        shared_precision=np.diag(precision),
    )


def _expected(
    table: _Table,
    problem: JointProblem,
    solution: JointSolution,
    groups: NDArray[np.int64],
    vignetting: Floats,
    before: Floats,
) -> Floats:
    """Return the light that the solution expects of each observation; of stars it does not know, what was before."""
    fall = 1.0 + vignetting[groups[table.frame]] * table.r2
    known = np.bincount(problem.item, minlength=problem.n_items)[table.star] > 0
    return np.where(known, np.exp(solution.item[table.star] + solution.frame[table.frame, 0]) * fall, before)


def _error_of_shared(problem: JointProblem, solution: JointSolution, prior: Floats) -> Floats:
    """Return the standard error of the vignetting.

    Items and frames are strongly determined: what the shared term keeps after their means are taken out is,
    to a few percent, its information.
    """
    kept = problem.shared_basis - _means(problem.shared_basis, problem.item, problem.n_items)
    kept -= _means(kept, problem.frame, problem.n_frames)
    information = (solution.weight[:, None] * kept**2).sum(axis=0) + prior**-2
    return np.asarray(1.0 / np.sqrt(information), np.float64)


def _means(values: Floats, index: NDArray[np.int64], n: int) -> Floats:
    number = np.maximum(np.bincount(index, minlength=n), 1)
    sums = [np.bincount(index, values[:, k], n) for k in range(values.shape[1])]
    return (np.stack(sums, axis=1) / number[:, None])[index]
