"""Transparency of each frame: photometric zero points from stars in common, solved jointly for all frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, median, median_sigma
from zemosaic.calibration.fixed_parameters import FixedParameters
from zemosaic.calibration.illumination import clustered_information, fall_of_stars
from zemosaic.calibration.least_squares import JointProblem, JointSolution, solve_joint
from zemosaic.calibration.solver.grey_prior import MIN_ZERO_POINT_ERROR, ZERO_POINT_PRIOR, grey_prior
from zemosaic.model import MeasuredFrame, detector_coordinates

__all__ = ["Photometry", "solve_photometry"]


VIGNETTING_PRIOR = 0.5
"""Prior standard deviation of the coefficient of r**2; 0.5 corresponds to 17 % less light in a corner."""
SHARED_ERROR_FACTOR = 2.0
"""Factor on the errors of independent frames, as neighbouring frames share the errors of their stars."""
MIN_SNR = 5.0
"""Observations are used when their expected signal-to-noise ratio is at least this."""
MAX_OBSERVATIONS, MIN_STARS_PER_FRAME = 3_000_000, 60
"""Largest number of observations in the solution, and the number of stars that every frame keeps regardless."""
BLOCKS = 6
"""Parts of the sensor along a side, in each of which the faults of stars are alike."""
FIXED_ERROR = 1e-9
"""Standard error given to parameters that are held fixed."""
GREY_ITERATIONS = 2
INITIAL_SYSTEMATIC_ERROR = 0.01
"""Initial relative scatter of a star's flux from frame to frame beyond the noise, until it is measured."""
MAX_SYSTEMATIC_ERROR = 0.2
BRIGHT_FRACTION = 0.1
"""Brightest fraction of the observations, from which the scatter beyond the noise is measured."""


@dataclass(frozen=True)
class Photometry:
    """Transparency of each frame and vignetting of each camera."""

    transparency: Float64s
    """Shape (frames, channels), relative to the median frame."""
    transparency_sigma: Float64s
    """Its standard error, same shape."""
    vignetting: Float64s
    """Coefficient of r**2 of the illumination per camera group, as far as the stars determine it, shape (groups,)."""
    vignetting_sigma: Float64s
    """Standard error of `stars_vignetting`, shape (groups,)."""
    n_stars: NDArray[np.int64]
    """Stars in common with other frames, per frame."""
    star_flux: Float64s
    """Flux per star on the median frame's scale, shape (stars, channels); NaN for stars seen once."""
    mean_residual: Float64s
    """Mean residual of the stars of each fixed frame, in log transparency; 0 for the other frames, shape (frames,)."""
    stars_vignetting: Float64s
    """The same coefficient as the stars alone would have it, determined or not, shape (groups,)."""


def solve_photometry(
    frames: Sequence[MeasuredFrame],
    star_ids: Sequence[NDArray[np.int64]],
    groups: NDArray[np.int64],
    vignetting_prior: Float64s | None = None,
    fixed: FixedParameters | None = None,
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
    fixed : FixedParameters, optional
        Parameters of an earlier solution; all zero points are then on its scale instead of that of the median frame.
    """
    channels = frames[0].stars.flux_adu.shape[1]
    green = 1 if channels == 3 else 0
    table = _observations(frames, star_ids, green)
    n_groups = int(groups.max()) + 1
    fixed = fixed or FixedParameters.none(len(frames), channels, n_groups)
    fixed_log = np.where(fixed.frames[:, None], np.log(fixed.transparency), 0.0)
    spread = np.where(fixed.frames, 0.0, ZERO_POINT_PRIOR)
    vignetting = np.where(fixed.cameras, fixed.vignetting, 0.0)
    prior = np.full(n_groups, VIGNETTING_PRIOR) if vignetting_prior is None else vignetting_prior
    by_stars, vignetting_error = np.zeros(n_groups), prior
    state = _Channel(table.flux[:, green], INITIAL_SYSTEMATIC_ERROR)
    for rounds in (2, 4):
        problem = _problem(table, groups, vignetting, green, state, fixed_log[:, green], spread, prior)
        if not len(problem.value):
            break
        problem = replace(problem, shared_basis=problem.shared_basis * ~fixed.cameras[problem.group, None])
        solution = solve_joint(problem, rounds=rounds)
        vignetting = np.where(fixed.cameras, fixed.vignetting, vignetting + solution.shared[:, 0])
        by_stars, vignetting_error = _fall_by_stars(
            problem, solution, table.block[_counted(table, green, state)], vignetting, prior
        )
        zero = solution.frame[:, 0] + fixed_log[:, green]
        log_transparency = _expected_flux(table, problem, solution.item, zero, groups, vignetting, state.expected)
        state = _Channel(log_transparency, _systematic_error(problem, solution, state.systematic))
    vignetting = fall_of_stars(by_stars, vignetting_error, fixed).vignetting
    solved = [_Channel(table.flux[:, c], INITIAL_SYSTEMATIC_ERROR) for c in range(channels)]
    for rounds in (2, 4):
        solved = [
            _solve_channel(table, groups, vignetting, c, solved[c], fixed_log[:, c], spread, rounds=rounds)
            for c in range(channels)
        ]
    for _ in range(GREY_ITERATIONS if channels > 1 else 0):
        log_transparency, sigma = _log_transparencies(solved, len(frames))
        centre, grey = grey_prior(log_transparency, sigma, groups)
        centre, grey = np.where(fixed.frames[:, None], fixed_log, centre), np.where(fixed.frames, 0.0, grey)
        solved = [
            _solve_channel(table, groups, vignetting, c, solved[c], centre[:, c], grey, rounds=2)
            for c in range(channels)
        ]
    log_transparency, sigma = _log_transparencies(solved, len(frames))
    middle = np.zeros(channels) if fixed.frames.any() else median(log_transparency, axis=0)
    transparency = np.where(fixed.frames[:, None], fixed.transparency, np.exp(log_transparency - middle))
    n_stars = int(max((ids.max(initial=-1) for ids in star_ids), default=-1)) + 1
    star_flux = np.full((n_stars, channels), np.nan)
    for c, channel in enumerate(solved):
        star_flux[table.star_number[channel.seen], c] = np.exp(channel.star[channel.seen] + middle[c])
    error = np.where(
        fixed.frames[:, None], FIXED_ERROR, transparency * np.hypot(SHARED_ERROR_FACTOR * sigma, MIN_ZERO_POINT_ERROR)
    )
    mean_residual = np.where(fixed.frames, solved[green].left, 0.0)
    return Photometry(
        transparency, error, vignetting, vignetting_error, table.in_common, star_flux, mean_residual, by_stars
    )


@dataclass(frozen=True)
class _Channel:
    """What is known of one channel."""

    expected: Float64s
    """Light of each observation."""
    systematic: float
    light: Float64s | None = None
    """Logarithm of the light that each frame let through; None where no star tells."""
    sigma: Float64s | None = None
    star: Float64s = field(default_factory=lambda: np.zeros(0))
    """Logarithm of each compact star's light."""
    seen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Compact stars that were used."""
    left: Float64s | float = 0.0
    """Weighted mean of what the solution leaves of each frame's stars, shape (frames,)."""


def _solve_channel(
    table: _Table,
    groups: NDArray[np.int64],
    vignetting: Float64s,
    channel: int,
    previous: _Channel,
    centre: Float64s,
    spread: Float64s,
    *,
    rounds: int,
) -> _Channel:
    """Solve the zero points of a channel, expected at `centre` with errors of `spread`, shape (frames,).

    Those without an error are known, and stay.
    """
    problem = _problem(table, groups, vignetting, channel, previous, centre, spread)
    if not len(problem.value):
        return previous
    solution = solve_joint(problem, rounds=rounds)
    log_transparency = solution.frame[:, 0] + centre
    weight = np.bincount(problem.frame, solution.weight, len(centre))
    information = weight + problem.frame_precision[:, 0]
    mean_residual = np.bincount(problem.frame, solution.weight * solution.residual, len(centre)) / np.maximum(
        weight, 1e-300
    )
    # Stars that disagree by more than their errors (neighbours, colours) carry less information.
    disagree = max(1.0, 1.4826 * float(median(np.abs(solution.residual) / problem.sigma)))
    return _Channel(
        _expected_flux(table, problem, solution.item, log_transparency, groups, vignetting, previous.expected),
        _systematic_error(problem, solution, previous.systematic),
        log_transparency,
        disagree * information**-0.5,
        solution.item,
        np.unique(problem.item),
        mean_residual,
    )


def _log_transparencies(solved: Sequence[_Channel], n_frames: int) -> tuple[Float64s, Float64s]:
    """Return the logarithms of the light let through and their errors, shape (frames, channels)."""
    log_transparency = [np.zeros(n_frames) if frame.light is None else frame.light for frame in solved]
    sigma = [np.full(n_frames, ZERO_POINT_PRIOR) if frame.sigma is None else frame.sigma for frame in solved]
    return np.stack(log_transparency, axis=1), np.stack(sigma, axis=1)


@dataclass(frozen=True)
class _Table:
    star: NDArray[np.int64]
    """Compact star index of each observation."""
    star_number: NDArray[np.int64]
    """Number of each compact star in the caller's counting."""
    frame: NDArray[np.int64]
    flux: Float64s
    error: Float64s
    r2: Float64s
    block: NDArray[np.int64]
    """Part of the sensor, `BLOCKS` to a side."""
    in_common: NDArray[np.int64]
    """Stars in common with other frames, per frame, those included that are not compared."""


def _observations(frames: Sequence[MeasuredFrame], star_ids: Sequence[NDArray[np.int64]], green: int) -> _Table:
    """Collect the usable detections of stars that at least two frames see."""
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], Float64s, Float64s, Float64s, NDArray[np.int64]]] = []
    for index, (measured, ids) in enumerate(zip(frames, star_ids, strict=True)):
        stars = measured.stars
        usable = (ids >= 0) & ~stars.saturated & (stars.flux_adu[:, green] > 5.0 * stars.flux_error_adu[:, green])
        u, v = detector_coordinates(stars.x_px, stars.y_px, measured.frame.width, measured.frame.height)
        n = int(usable.sum())
        parts.append(
            (
                ids[usable],
                np.full(n, index, np.int64),
                stars.flux_adu[usable].astype(float),
                stars.flux_error_adu[usable].astype(float),
                (u * u + v * v)[usable],
                _block(stars.x_px[usable], stars.y_px[usable], measured),
            )
        )
    star, frame, flux, error, r2, block = (np.concatenate(column) for column in zip(*parts, strict=True))
    common = np.bincount(star, minlength=1)[star] >= 2 if len(star) else np.zeros(0, bool)
    in_common = np.bincount(frame[common], minlength=len(frames))
    max_stars = max(MAX_OBSERVATIONS // len(frames), MIN_STARS_PER_FRAME)
    if in_common.sum() > MAX_OBSERVATIONS and in_common.max() > max_stars:
        common[common] = _brightest(star[common], frame[common], flux[common, green], max_stars)
    number, compact = np.unique(star[common], return_inverse=True)
    return _Table(
        compact.astype(np.int64),
        number,
        frame[common],
        flux[common],
        error[common],
        r2[common],
        block[common],
        in_common,
    )


def _block(x: Float64s, y: Float64s, measured: MeasuredFrame) -> NDArray[np.int64]:
    """Return in which part of the sensor pixels lie, counted along the rows."""
    column = np.clip(x / measured.frame.width * BLOCKS, 0, BLOCKS - 1).astype(np.int64)
    row = np.clip(y / measured.frame.height * BLOCKS, 0, BLOCKS - 1).astype(np.int64)
    return np.asarray(row * BLOCKS + column, np.int64)


def _brightest(star: NDArray[np.int64], frame: NDArray[np.int64], flux: Float64s, max_stars: int) -> NDArray[np.bool_]:
    """Return which observations are of the brightest stars of their frame.

    Stars are ranked by their mean flux over all frames; ranking by the flux in one frame would prefer upward noise.
    """
    mean = np.bincount(star, flux) / np.maximum(np.bincount(star), 1)
    order = np.lexsort((-mean[star], frame))
    number = np.bincount(frame)
    rank = np.empty(len(frame), np.int64)
    rank[order] = np.arange(len(frame)) - np.repeat(np.cumsum(number) - number, number)
    return rank < max_stars


def _problem(
    table: _Table,
    groups: NDArray[np.int64],
    vignetting: Float64s,
    channel: int,
    state: _Channel,
    centre: Float64s,
    spread: Float64s,
    vignetting_prior: Float64s | None = None,
) -> JointProblem:
    """Return the problem of zero points, told from `centre`, and of the cameras' vignetting where a prior is given.

    Observations are selected and weighted by their expected flux.  Selecting by the measured flux would prefer upward
    noise, which makes dim frames look more transparent than they are.
    """
    flux, error, expected = table.flux[:, channel], table.error[:, channel], state.expected
    usable = _counted(table, channel, state)
    star, frame, r2 = table.star[usable], table.frame[usable], table.r2[usable]
    relative = error[usable] / expected[usable]
    group = groups[frame]
    illumination = 1.0 + vignetting[group] * r2
    terms = 0 if vignetting_prior is None else 1
    precision = np.zeros_like(vignetting) if vignetting_prior is None else vignetting_prior**-2
    return JointProblem(
        item=star,
        frame=frame,
        factor=np.ones(len(star)),
        frame_basis=(spread[frame, None] > 0.0).astype(np.float64),
        group=group,
        shared_basis=(r2 / illumination)[:, None][:, :terms],
        # The mean of a logarithm lies below the logarithm of the mean by half the variance.
        value=np.log(flux[usable]) - np.log(illumination) + 0.5 * relative**2 - centre[frame],
        sigma=np.hypot(relative, state.systematic),
        n_items=len(table.star_number),
        n_frames=len(centre),
        frame_precision=np.where(spread > 0.0, spread, FIXED_ERROR)[:, None] ** -2,
        shared_prior=-vignetting[:, None][:, :terms],
        shared_precision=precision[:, None][:, :terms],
    )


def _counted(table: _Table, channel: int, known: _Channel) -> NDArray[np.bool_]:
    """Return which observations count in a channel."""
    return np.asarray((known.expected > MIN_SNR * table.error[:, channel]) & (table.flux[:, channel] > 0))


def _systematic_error(problem: JointProblem, solution: JointSolution, assumed: float) -> float:
    """Return by how much the light of bright stars differs from frame to frame beyond its noise."""
    bright = problem.sigma <= np.quantile(problem.sigma, BRIGHT_FRACTION)
    scatter = median_sigma(solution.residual[bright])
    noise = float(median(problem.sigma[bright] ** 2)) - assumed**2
    return float(np.sqrt(np.clip(scatter**2 - noise, 0.0, MAX_SYSTEMATIC_ERROR**2)))


def _expected_flux(
    table: _Table,
    problem: JointProblem,
    star: Float64s,
    log_transparency: Float64s,
    groups: NDArray[np.int64],
    vignetting: Float64s,
    previous: Float64s,
) -> Float64s:
    """Return the light that the solution expects of each observation; of stars it does not know, what was before."""
    illumination = 1.0 + vignetting[groups[table.frame]] * table.r2
    observed = np.bincount(problem.item, minlength=problem.n_items)[table.star] > 0
    return np.where(observed, np.exp(star[table.star] + log_transparency[table.frame]) * illumination, previous)


def _fall_by_stars(
    problem: JointProblem, solution: JointSolution, block: NDArray[np.int64], vignetting: Float64s, prior: Float64s
) -> tuple[Float64s, Float64s]:
    """Return the vignetting and its standard error, in which stars share the faults of frames and of sensor parts.

    Items and frames are strongly determined: what the shared term keeps after their means are taken out is,
    to a few percent, its information.

    Parameters
    ----------
    problem : JointProblem
    solution : JointSolution
        Of that problem, with errors of the observations that are independent.
    block : ndarray of int, shape (n,)
        Part of the sensor of each observation.
    vignetting, prior : ndarray, shape (groups,)
        As that solution has it, and the standard deviation that was expected about 0.
    """
    derivative = problem.shared_basis[:, 0]
    kept = derivative - _means(derivative, problem.item, problem.n_items)
    kept -= _means(kept, problem.frame, problem.n_frames)
    value, error = np.zeros(len(prior)), prior.astype(np.float64)
    for g in range(len(prior)):
        own = problem.group == g
        weighted = (solution.weight * kept)[own]
        formal = float(weighted @ kept[own])
        clusters = [problem.item[own], problem.frame[own], block[own]]
        information = clustered_information(weighted, kept[own], solution.residual[own], clusters)
        if formal > 0.0:
            alone = vignetting[g] * (1.0 + prior[g] ** -2 / formal)
            error[g] = (information + prior[g] ** -2) ** -0.5
            value[g] = alone * information * error[g] ** 2
    return value, error


def _means(values: NDArray[np.floating], index: NDArray[np.int64], n: int) -> Float64s:
    mean: Float64s = (np.bincount(index, values, n) / np.maximum(np.bincount(index, minlength=n), 1))[index]
    return mean
