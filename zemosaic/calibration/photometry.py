"""How much light each frame let through: zero points from stars in common, solved for all frames at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.fall import clustered_information, fall_of_stars
from zemosaic.calibration.held import Held
from zemosaic.calibration.joint import JointProblem, JointSolution, solve_joint
from zemosaic.model import MeasuredFrame, detector_coordinates

__all__ = ["Photometry", "mostly_grey", "solve_photometry"]

Floats = NDArray[np.float64]

VIGNETTING_PRIOR = 0.5
"""Standard deviation expected of the coefficient of r**2; 0.5 is a fall of 17 % at a corner."""
ZERO_POINT_PRIOR = 2.0
"""Standard deviation expected of a frame's log transparency: weak, it only holds frames without stars."""
SMALLEST_ERROR = 0.003
"""Error of a zero point that no number of stars takes away."""
SHARED = 2.0
"""How much larger errors are than those that frames have each for itself: neighbours share those of their stars."""
LEAST_SNR = 5.0
"""Observations count whose light should stand out by this many errors."""
MOST_OBSERVATIONS, ENOUGH_STARS = 3_000_000, 60
"""Stars of all frames that are compared; of so many frames that this is less than enough for each, enough."""
BLOCKS = 6
"""Parts of the sensor along a side, in each of which the faults of stars are alike."""
SURELY = 1e-9
"""Error of what is held."""
GREY_TURNS = 2
FEWEST_GREY = 4
"""Frames of a camera from which the scatter of their colours can be told."""
WILD = 4.0
"""A colour this many errors off says no more about the usual scatter than one that far."""
SYSTEMATIC = 0.01
"""Part of a star's light expected to differ from frame to frame for reasons other than noise, until it is known."""
MOST_SYSTEMATIC = 0.2
BRIGHT = 0.1
"""The brightest part of the observations tells what differs for other reasons: coarse sampling above all."""


@dataclass(frozen=True)
class Photometry:
    """Light passed per frame and the fall of light to the corners per camera."""

    transparency: Floats
    """Shape (frames, channels), relative to the median frame."""
    transparency_sigma: Floats
    """Its standard error, same shape."""
    vignetting: Floats
    """Coefficient of r**2 of the illumination per camera group, as far as the stars determine it, shape (groups,)."""
    vignetting_sigma: Floats
    """Standard error of `stars_vignetting`, shape (groups,)."""
    n_stars: NDArray[np.int64]
    """Stars in common with other frames, per frame."""
    star_flux: Floats
    """Flux per star on the median frame's scale, shape (stars, channels); NaN for stars seen once."""
    pull: Floats
    """How much more light the stars of a held frame would have it pass, as a part; 0 for the others. Shape (frames,)"""
    stars_vignetting: Floats
    """The same coefficient as the stars alone would have it, determined or not, shape (groups,)."""


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
    spread = np.where(held.frames, 0.0, ZERO_POINT_PRIOR)
    vignetting = np.where(held.cameras, held.vignetting, 0.0)
    prior = np.full(n_groups, VIGNETTING_PRIOR) if vignetting_prior is None else vignetting_prior
    by_stars, vignetting_error = np.zeros(n_groups), prior
    known = _Channel(table.flux[:, green], SYSTEMATIC)
    for rounds in (2, 4):
        problem = _problem(table, groups, vignetting, green, known, before[:, green], spread, prior)
        if not len(problem.value):
            break
        problem = replace(problem, shared_basis=problem.shared_basis * ~held.cameras[problem.group, None])
        solution = solve_joint(problem, rounds=rounds)
        vignetting = np.where(held.cameras, held.vignetting, vignetting + solution.shared[:, 0])
        by_stars, vignetting_error = _fall_by_stars(
            problem, solution, table.block[_counted(table, green, known)], vignetting, prior
        )
        zero = solution.frame[:, 0] + before[:, green]
        light = _expected(table, problem, solution.item, zero, groups, vignetting, known.expected)
        known = _Channel(light, _systematic(problem, solution, known.systematic))
    vignetting = fall_of_stars(by_stars, vignetting_error, held).vignetting
    solved = [_Channel(table.flux[:, c], SYSTEMATIC) for c in range(channels)]
    for rounds in (2, 4):
        solved = [
            _solve_channel(table, groups, vignetting, c, solved[c], before[:, c], spread, rounds=rounds)
            for c in range(channels)
        ]
    for _ in range(GREY_TURNS if channels > 1 else 0):
        light, sigma = _logarithms(solved, len(frames))
        centre, grey = mostly_grey(light, sigma, groups)
        centre, grey = np.where(held.frames[:, None], before, centre), np.where(held.frames, 0.0, grey)
        solved = [
            _solve_channel(table, groups, vignetting, c, solved[c], centre[:, c], grey, rounds=2)
            for c in range(channels)
        ]
    light, sigma = _logarithms(solved, len(frames))
    middle = np.zeros(channels) if held.frames.any() else np.median(light, axis=0)
    transparency = np.where(held.frames[:, None], held.transparency, np.exp(light - middle))
    n_stars = int(max((ids.max(initial=-1) for ids in star_ids), default=-1)) + 1
    star_flux = np.full((n_stars, channels), np.nan)
    for c, channel in enumerate(solved):
        star_flux[table.star_number[channel.seen], c] = np.exp(channel.star[channel.seen] + middle[c])
    error = np.where(held.frames[:, None], SURELY, transparency * np.hypot(SHARED * sigma, SMALLEST_ERROR))
    pull = np.where(held.frames, solved[green].left, 0.0)
    return Photometry(transparency, error, vignetting, vignetting_error, table.in_common, star_flux, pull, by_stars)


@dataclass(frozen=True)
class _Channel:
    """What is known of one channel."""

    expected: Floats
    """Light of each observation."""
    systematic: float
    light: Floats | None = None
    """Logarithm of the light that each frame let through; None where no star tells."""
    sigma: Floats | None = None
    star: Floats = field(default_factory=lambda: np.zeros(0))
    """Logarithm of each compact star's light."""
    seen: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Compact stars that were used."""
    left: Floats | float = 0.0
    """Weighted mean of what the solution leaves of each frame's stars, shape (frames,)."""


def _solve_channel(
    table: _Table,
    groups: NDArray[np.int64],
    vignetting: Floats,
    channel: int,
    before: _Channel,
    centre: Floats,
    spread: Floats,
    *,
    rounds: int,
) -> _Channel:
    """Solve the zero points of a channel, expected at `centre` with errors of `spread`, shape (frames,).

    Those without an error are known, and stay.
    """
    problem = _problem(table, groups, vignetting, channel, before, centre, spread)
    if not len(problem.value):
        return before
    solution = solve_joint(problem, rounds=rounds)
    light = solution.frame[:, 0] + centre
    weight = np.bincount(problem.frame, solution.weight, len(centre))
    known = weight + problem.frame_precision[:, 0]
    left = np.bincount(problem.frame, solution.weight * solution.residual, len(centre)) / np.maximum(weight, 1e-300)
    # Stars that do not agree within their errors (neighbours, colours) know the less.
    disagree = max(1.0, 1.4826 * float(np.median(np.abs(solution.residual) / problem.sigma)))
    return _Channel(
        _expected(table, problem, solution.item, light, groups, vignetting, before.expected),
        _systematic(problem, solution, before.systematic),
        light,
        disagree * known**-0.5,
        solution.item,
        np.unique(problem.item),
        left,
    )


def _logarithms(solved: Sequence[_Channel], n_frames: int) -> tuple[Floats, Floats]:
    """Return the logarithms of the light let through and their errors, shape (frames, channels)."""
    light = [np.zeros(n_frames) if one.light is None else one.light for one in solved]
    sigma = [np.full(n_frames, ZERO_POINT_PRIOR) if one.sigma is None else one.sigma for one in solved]
    return np.stack(light, axis=1), np.stack(sigma, axis=1)


def mostly_grey(light: Floats, sigma: Floats, groups: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return what the channels of a frame say of each other: clouds are grey, and air changes its colour but little.

    How little is taken from the frames themselves: what the ratios of their channels scatter more than their errors
    explain (Paule & Mandel 1982, J. Res. NBS 87, 377), camera by camera.

    Parameters
    ----------
    light, sigma : ndarray, shape (frames, channels)
        Logarithms of the light let through, and their errors.
    groups : ndarray of int, shape (frames,)
        Camera of each frame.

    Returns
    -------
    centre : ndarray, shape (frames, channels)
        Logarithms expected of each frame's channels.
    spread : ndarray, shape (frames,)
        How far from that they are expected.
    """
    centre, spread = np.zeros_like(light), np.full(len(light), ZERO_POINT_PRIOR)
    for g in range(int(groups.max(initial=-1)) + 1):
        members = np.flatnonzero(groups == g)
        if len(members) >= FEWEST_GREY:
            centre[members], spread[members] = _towards_grey(light[members], sigma[members])
    return centre, spread


def _towards_grey(light: Floats, sigma: Floats) -> tuple[Floats, float]:
    colour = np.median(light - light.mean(axis=1, keepdims=True), axis=0)
    freedom = (len(light) - 1) * (light.shape[1] - 1)
    variance = SMALLEST_ERROR**2
    for _ in range(30):
        weight = 1.0 / (sigma**2 + variance)
        grey = (weight * (light - colour)).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        colour = (weight * (light - grey)).sum(axis=0) / weight.sum(axis=0)
        squares = np.minimum(weight * (light - grey - colour) ** 2, WILD**2)
        change = (squares.sum() - freedom) / max((weight * squares).sum(), 1e-300)
        variance = max(SMALLEST_ERROR**2, variance + change)
    return grey + colour, math.sqrt(variance)


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
    block: NDArray[np.int64]
    """Part of the sensor, `BLOCKS` to a side."""
    in_common: NDArray[np.int64]
    """Stars in common with other frames, per frame, those included that are not compared."""


def _observations(frames: Sequence[MeasuredFrame], star_ids: Sequence[NDArray[np.int64]], green: int) -> _Table:
    """Collect the usable detections of stars that at least two frames see."""
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64], Floats, Floats, Floats, NDArray[np.int64]]] = []
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
                _block(stars.x_px[good], stars.y_px[good], measured),
            )
        )
    star, frame, flux, error, r2, block = (np.concatenate(column) for column in zip(*parts, strict=True))
    common = np.bincount(star, minlength=1)[star] >= 2 if len(star) else np.zeros(0, bool)
    in_common = np.bincount(frame[common], minlength=len(frames))
    most = max(MOST_OBSERVATIONS // len(frames), ENOUGH_STARS)
    if in_common.sum() > MOST_OBSERVATIONS and in_common.max() > most:
        common[common] = _brightest(star[common], frame[common], flux[common, green], most)
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


def _block(x: Floats, y: Floats, measured: MeasuredFrame) -> NDArray[np.int64]:
    """Return in which part of the sensor pixels lie, counted along the rows."""
    column = np.clip(x / measured.frame.width * BLOCKS, 0, BLOCKS - 1).astype(np.int64)
    row = np.clip(y / measured.frame.height * BLOCKS, 0, BLOCKS - 1).astype(np.int64)
    return np.asarray(row * BLOCKS + column, np.int64)


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
    channel: int,
    known: _Channel,
    centre: Floats,
    spread: Floats,
    vignetting_prior: Floats | None = None,
) -> JointProblem:
    """Return the problem of zero points, told from `centre`, and of the cameras' vignetting where a prior is given.

    Which observations count, and how much, follows from the light that is expected of them: chosen and
    weighed by the light that was found, the lucky ones would make dim frames look clearer than they are.
    """
    flux, error, expected = table.flux[:, channel], table.error[:, channel], known.expected
    good = _counted(table, channel, known)
    star, frame, r2 = table.star[good], table.frame[good], table.r2[good]
    relative = error[good] / expected[good]
    group = groups[frame]
    fall = 1.0 + vignetting[group] * r2
    terms = 0 if vignetting_prior is None else 1
    precision = np.zeros_like(vignetting) if vignetting_prior is None else vignetting_prior**-2
    return JointProblem(
        item=star,
        frame=frame,
        factor=np.ones(len(star)),
        frame_basis=(spread[frame, None] > 0.0).astype(np.float64),
        group=group,
        shared_basis=(r2 / fall)[:, None][:, :terms],
        # The mean of a logarithm lies below the logarithm of the mean by half the variance.
        value=np.log(flux[good]) - np.log(fall) + 0.5 * relative**2 - centre[frame],
        sigma=np.hypot(relative, known.systematic),
        n_items=len(table.star_number),
        n_frames=len(centre),
        frame_precision=np.where(spread > 0.0, spread, SURELY)[:, None] ** -2,
        shared_prior=-vignetting[:, None][:, :terms],
        shared_precision=precision[:, None][:, :terms],
    )


def _counted(table: _Table, channel: int, known: _Channel) -> NDArray[np.bool_]:
    """Return which observations count in a channel."""
    return np.asarray((known.expected > LEAST_SNR * table.error[:, channel]) & (table.flux[:, channel] > 0))


def _systematic(problem: JointProblem, solution: JointSolution, assumed: float) -> float:
    """Return by how much the light of bright stars differs from frame to frame beyond its noise."""
    bright = problem.sigma <= np.quantile(problem.sigma, BRIGHT)
    scatter = 1.4826 * float(np.median(np.abs(solution.residual[bright])))
    noise = float(np.median(problem.sigma[bright] ** 2)) - assumed**2
    return float(np.sqrt(np.clip(scatter**2 - noise, 0.0, MOST_SYSTEMATIC**2)))


def _expected(
    table: _Table,
    problem: JointProblem,
    star: Floats,
    light: Floats,
    groups: NDArray[np.int64],
    vignetting: Floats,
    before: Floats,
) -> Floats:
    """Return the light that the solution expects of each observation; of stars it does not know, what was before."""
    fall = 1.0 + vignetting[groups[table.frame]] * table.r2
    known = np.bincount(problem.item, minlength=problem.n_items)[table.star] > 0
    return np.where(known, np.exp(star[table.star] + light[table.frame]) * fall, before)


def _fall_by_stars(
    problem: JointProblem, solution: JointSolution, block: NDArray[np.int64], vignetting: Floats, prior: Floats
) -> tuple[Floats, Floats]:
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


def _means(values: NDArray[np.floating], index: NDArray[np.int64], n: int) -> Floats:
    mean: Floats = (np.bincount(index, values, n) / np.maximum(np.bincount(index, minlength=n), 1))[index]
    return mean
