"""Joint background model: a plane per frame and channel, illumination and higher-order terms per camera.

Model of a cell's mean in a frame, with ``I = 1 + V r**2`` the camera's illumination, ``b`` its bias,
``t`` the frame's transparency, ``B(u, v)`` the higher-order terms that all frames of a camera share (stray light, the
Moon's gradient, dew), relative to the sky level, and ``N`` the flux of the sources in the cell:

``value = b + I (S . (1, u, v) + S[0] B + t a N)``

``a`` is the area of the frame's pixels in those of the reference plane: a telescope of shorter focal length puts
more of the sky on each of them, while ``t`` compares the light of whole stars.
N is free in every cell, so that nebulosity is never mistaken for sky.  What the
overlaps cannot know, the planes of the mosaic and of pieces of it that hang together by little, is settled by
`zemosaic.calibration.pieces`.  A bowl over the whole mosaic is
the equal of V where all frames have one level, so V is what stars and changes of level determine, and else
its prior (`zemosaic.calibration.illumination`); b is held by what photon noise says of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.background_table import (
    CELL_ERROR_FLOOR,
    BackgroundTable,
    background_table,
    dark_levels,
    pixel_areas,
)
from zemosaic.calibration.fixed_parameters import FixedParameters, with_fixed_frames, with_shared_terms
from zemosaic.calibration.illumination import (
    FallOfLight,
    determine_fall,
    fall_of_stars,
    information_of_skies,
    with_held,
)
from zemosaic.calibration.least_squares import JointProblem, JointSolution, solve_joint
from zemosaic.calibration.pieces import Brightness, settle_pieces
from zemosaic.calibration.sensor.photon_transfer import BiasEstimate
from zemosaic.calibration.sensor.stripes import Stripes, stripe_terms
from zemosaic.calibration.solver.higher_order import updated_higher_order, with_higher_order_terms

__all__ = ["SkySolution", "solve_sky"]


BIAS_ERROR_FACTOR = 3.0
"""Factor applied to the formal error of the bias: errors of the transparencies and gradients within cells do not
average out with the number of cells."""
GRAIN_SIGMA = 3.0
"""Width within which empty cells count as equally bright, in standard errors of a cell's mean over its frames."""
BLOCK_AREA = 64.0**2
"""Area of sky in pixels over which cells are averaged before empty sky is looked for."""
MIN_FRAMES_IN_GRAIN = 4
"""Smallest number of frames per cell that is assumed for that error."""
SLOPE_PRIOR = 1.0
"""Standard deviation expected of a sky's slope across the frame, in parts of its level."""
MIN_VIGNETTING = -1.5
"""Where no light would be left in the corners of a square frame."""
TURNS_OF_FALL = 2
"""Turns after which the fall of light is determined anew."""


@dataclass(frozen=True)
class SkySolution:
    """Sky of every frame and illumination of every camera."""

    sky_adu: Float64s
    """Shape (frames, channels, terms): level, slopes and bends as in `sky_terms`, less the bias."""
    transparency: Float64s
    """Shape (frames, channels)."""
    bias_adu: Float64s
    """Per camera."""
    vignetting: Float64s
    """Coefficient of r**2 per camera."""
    residual_sigma: Float64s
    """Per frame: rms of its cells' residuals in units of their errors."""
    mean_residual_sigma: Float64s
    """Per frame: largest mean residual of a fixed frame's cells, over the frame or along its slopes, in units of the
    noise of one pixel; 0 for frames that are not fixed."""
    fall: FallOfLight
    """What `vignetting` was determined by."""
    level_error_sigma: Float64s
    """Per frame: standard error of the level of the piece of the mosaic to which it belongs against that of the
    largest piece, in noise of one pixel; 0 within that piece, and where frames are fixed."""


def solve_sky(
    cells: Sequence[CellSamples],
    transparency: Float64s,
    groups: NDArray[np.int64],
    vignetting: Float64s,
    vignetting_sigma: Float64s,
    bias: Sequence[BiasEstimate],
    transparency_sigma: Float64s | None = None,
    fixed: FixedParameters | None = None,
    stripes: Sequence[Stripes] | None = None,
) -> SkySolution:
    """Solve the skies of all frames and channels and the cameras' illumination jointly.

    Parameters
    ----------
    cells : sequence of CellSamples
        One per frame.
    transparency : ndarray, shape (frames, channels)
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    vignetting, vignetting_sigma : ndarray, shape (groups,)
        What the stars say, and how well.
    bias : sequence of BiasEstimate
        Per group.
    transparency_sigma : ndarray, shape (frames, channels), optional
        How well the stars know the transparency; as far as that, the light of the sky itself has a
        say in it.  Without it, the transparency is taken as it is.
    fixed : FixedParameters, optional
        What is known from before; the mosaic's plane is then the one of that solution.
    stripes : sequence of Stripes, optional
        Per group: what is still to be expected of its columns and rows, so that no slope is made of it.
    """
    table = background_table(cells, transparency, groups)
    n_groups = len(vignetting)
    fixed = fixed or FixedParameters.none(len(transparency), transparency.shape[1], n_groups)
    fixed_rows = np.repeat(fixed.frames, transparency.shape[1])
    b = np.where(fixed.cameras, fixed.bias_adu, [estimate.bias_adu for estimate in bias])
    dark = dark_levels(cells, transparency.shape[1]) - b[groups][:, None]
    dark = np.where(fixed.frames[:, None], fixed.sky_adu[..., 0], dark)
    tilt = _slope_contribution(fixed.sky_adu, table)
    higher_order = np.where(fixed.cameras[:, None], fixed.higher_order(groups), 0.0)
    level = dark.ravel()
    solution: JointSolution | None = None
    sky_flux = table.value - b[table.group]
    source_flux = np.zeros(len(table.value))
    transparency_error = np.full(transparency.size, 1e-9) if transparency_sigma is None else transparency_sigma.ravel()
    illumination = fall_of_stars(vignetting, vignetting_sigma, fixed)
    stripe = stripe_terms(table.u, table.v, table.group, stripes or [Stripes()] * n_groups)
    v = illumination.vignetting
    for iteration in range(4):
        problem = _with_fall_held(
            _problem(table, v, b, sky_flux, dark, (vignetting, vignetting_sigma), bias), ~illumination.determined
        )
        problem = _with_transparency_error(problem, table.pixel_area * source_flux, transparency_error)
        # Before the illumination is known, its error would be mistaken for higher-order terms.
        if iteration == 1 or higher_order.any():
            problem = with_higher_order_terms(problem, table, level, higher_order)
        problem = with_shared_terms(
            with_fixed_frames(problem, fixed_rows, problem.frame_basis[:, 0] * tilt), *stripe, ~fixed.cameras
        )
        solution = solve_joint(problem, rounds=1 if iteration == 0 else 2, previous=solution)
        source_flux = solution.item[table.item]
        level = dark.ravel() + solution.frame[:, 0]
        shared = np.where(
            fixed.cameras[:, None], 0.0, solution.shared[:, : solution.shared.shape[1] - stripe[0].shape[1]]
        )
        v = np.where(fixed.cameras, v, np.maximum(v + shared[:, 0], MIN_VIGNETTING))
        b, higher_order = b + shared[:, 1], updated_higher_order(higher_order, shared[:, 2:], table)
        sky_flux = (table.value - b[table.group] - solution.residual) / (1.0 + v[table.group] * table.r2)
        if iteration < TURNS_OF_FALL:
            illumination = _fall_of_light(
                problem, solution, table, sky_flux, level, v, (vignetting, vignetting_sigma), fixed
            )
            v = np.where(illumination.determined, v, illumination.vignetting)
    assert solution is not None
    n_frames, channels = transparency.shape
    of_frames = solution.frame.reshape(n_frames, channels, 4)
    solved = _scaled_to_stars(
        transparency + of_frames[..., 3], transparency, transparency_error.reshape(n_frames, channels)
    )
    transparency = np.where(fixed.frames[:, None], fixed.transparency, solved)
    sky = of_frames[..., :3] + np.multiply.outer(dark, (1.0, 0.0, 0.0))
    higher_order_adu = (level[:, None] * higher_order[np.repeat(groups, channels)]).reshape(n_frames, channels, -1)
    factor = transparency * pixel_areas(cells)[:, None]
    sky, level_error = _with_settled_planes(sky, solution, table, factor, problem.factor, fixed)
    sky = np.where(fixed.frames[:, None, None], fixed.sky_adu, np.concatenate([sky, higher_order_adu], axis=2))
    rms = np.sqrt(_mean_of_frames((solution.residual / problem.sigma) ** 2, table.source, n_frames))
    mean_residual = np.where(fixed.frames, _mean_residuals(table, solution.residual, n_frames), 0.0)
    return SkySolution(sky, transparency, b, v, rms, mean_residual, illumination, level_error)


def _mean_of_frames(values: Float64s, frame: NDArray[np.int64], n_frames: int) -> Float64s:
    """Return the mean of each frame's values, 0 where it has none."""
    return np.asarray(np.bincount(frame, values, n_frames) / np.maximum(np.bincount(frame, None, n_frames), 1))


def _mean_residuals(table: BackgroundTable, residual: Float64s, n_frames: int) -> Float64s:
    """Return the largest of the mean residual of each frame and of its change from middle to edge, in noise."""
    noise = _mean_of_frames(table.pixel, table.frame, table.n_frames)
    largest_change = np.zeros(table.n_frames)
    for along in (np.ones_like(table.u), table.u, table.v):
        square = np.maximum(np.bincount(table.frame, along**2, table.n_frames), 1e-12)
        edge = np.zeros(table.n_frames)
        np.maximum.at(edge, table.frame, np.abs(along))
        largest_change = np.maximum(
            largest_change, np.abs(np.bincount(table.frame, along * residual, table.n_frames) / square * edge)
        )
    in_noise: Float64s = (largest_change / np.where(noise > 0, noise, 1.0)).reshape(n_frames, -1).max(axis=1)
    return in_noise


def _problem(
    table: BackgroundTable,
    v: Float64s,
    b: Float64s,
    sky_flux: Float64s,
    dark: Float64s,
    stars: tuple[Float64s, Float64s],
    bias: Sequence[BiasEstimate],
) -> JointProblem:
    """Return the problem made linear about illumination v and bias b; levels count from the frames' dark ones.

    Frames without overlaps, whose level is unconstrained, then do not put their sky into the source flux.
    """
    illumination = 1.0 + v[table.group] * table.r2
    expected, error = np.array([(e.bias_adu, e.sigma_adu / BIAS_ERROR_FACTOR) for e in bias]).T
    level = float(np.median(sky_flux)) or 1.0
    slope = (SLOPE_PRIOR * level) ** -2
    return JointProblem(
        item=table.item,
        frame=table.frame,
        factor=illumination * table.factor,
        frame_basis=np.stack([illumination, illumination * table.u, illumination * table.v], axis=1),
        group=table.group,
        shared_basis=np.stack([table.r2 * sky_flux, -v[table.group] * table.r2], axis=1),
        value=table.value - b[table.group] - illumination * dark.ravel()[table.frame],
        sigma=table.sigma,
        n_items=table.n_items,
        n_frames=table.n_frames,
        frame_precision=np.array([1e-3 * slope, slope, slope]),
        shared_prior=np.stack([stars[0] - v, expected - b], axis=1),
        shared_precision=np.stack([stars[1] ** -2, error**-2], axis=1),
    )


def _with_fall_held(problem: JointProblem, cameras: NDArray[np.bool_]) -> JointProblem:
    """Return the problem in which V of some cameras stays as it is."""
    basis, prior = problem.shared_basis.copy(), problem.shared_prior.copy()
    basis[cameras[problem.group], 0] = 0.0
    prior[cameras, 0] = 0.0
    return replace(problem, shared_basis=basis, shared_prior=prior)


def _fall_of_light(
    problem: JointProblem,
    solution: JointSolution,
    table: BackgroundTable,
    light: Float64s,
    level: Float64s,
    v: Float64s,
    stars: tuple[Float64s, Float64s],
    held: FixedParameters,
) -> FallOfLight:
    """Return V of all cameras as far as stars and skies determine it, given the solution, in which it is v.

    Parameters
    ----------
    light : ndarray, shape (n,)
        Sky and light of each observation, the fall of light taken out.
    level : ndarray, shape (frames * channels,)
        Of the skies, in ADU.
    v : ndarray, shape (groups,)
    stars : (vignetting, vignetting_sigma)
        What the stars say.
    """
    free = np.flatnonzero(~held.cameras)
    columns = (table.r2 * light)[:, None] * (table.group[:, None] == free)
    bowls = problem.frame_basis[:, 0] * table.r2 * level[table.frame]
    problem = _with_fall_held(problem, np.ones(len(v), bool))
    of_skies, moment = information_of_skies(problem, solution, columns, bowls, table.source)
    of_stars = stars[1][free] ** -2.0
    information = of_skies + np.diag(of_stars)
    return with_held(determine_fall(information, moment + of_skies @ v[free] + of_stars * stars[0][free]), held)


def _slope_contribution(sky_adu: Float64s, table: BackgroundTable) -> Float64s:
    """Return what the slopes of skies make of each observation."""
    slopes = sky_adu.reshape(table.n_frames, -1)[table.frame, 1:3]
    return np.asarray(slopes[:, 0] * table.u + slopes[:, 1] * table.v, np.float64)


def _with_transparency_error(
    problem: JointProblem, source_flux: Float64s, transparency_error: Float64s
) -> JointProblem:
    """Return the problem with one more term per frame: the error of its transparency.

    Parameters
    ----------
    problem : JointProblem
    source_flux : ndarray, shape (n,)
        Light of each observation's cell as the last turn found it; a constant in it goes into the sky.
    transparency_error : ndarray, shape (frames,)
        Standard error expected.
    """
    basis = np.column_stack([problem.frame_basis, problem.frame_basis[:, 0] * source_flux])
    precision = np.broadcast_to(problem.frame_precision, (problem.n_frames, problem.frame_basis.shape[1]))
    return replace(problem, frame_basis=basis, frame_precision=np.column_stack([precision, transparency_error**-2]))


def _scaled_to_stars(solved: Float64s, stars: Float64s, transparency_error: Float64s) -> Float64s:
    """Return the transparencies scaled per channel to those of the stars on the whole.

    The sky constrains ratios between frames only, so a common change of all frames is noise and is removed.
    """
    weight = (stars / transparency_error) ** 2
    return np.asarray(solved / ((weight * solved / stars).sum(axis=0) / weight.sum(axis=0)), np.float64)


def _with_settled_planes(
    sky: Float64s,
    solution: JointSolution,
    table: BackgroundTable,
    factor: Float64s,
    factor_of_light: Float64s,
    fixed: FixedParameters,
) -> tuple[Float64s, Float64s]:
    """Return the skies after the planes of the mosaic's pieces are fixed, and the error of each frame's level.

    Parameters
    ----------
    sky : ndarray, shape (frames, channels, 3)
    solution : JointSolution
    table : BackgroundTable
    factor : ndarray, shape (frames, channels)
        What a pixel of a frame gets of a cell's light.
    factor_of_light : ndarray, shape (n,)
        The same of each observation, the fall of light included.
    fixed : FixedParameters
        Where frames are fixed, so are the planes.
    """
    if fixed.frames.any():
        return sky, np.zeros(len(sky))
    n_cells = len(table.position)
    first = slice(0, len(table.item) // table.channels)
    basis = np.stack([np.ones(first.stop), table.u[first], table.v[first]], axis=1)
    block_cells = max(1, round(math.sqrt(BLOCK_AREA / max(table.cell_area, 1.0))))
    noise = np.median(table.pixel.reshape(table.channels, -1), axis=1)
    floor = CELL_ERROR_FLOOR * noise
    sigma = np.median(table.sigma.reshape(table.channels, -1), axis=1)
    # The blocks' errors, of which only a part becomes smaller with their size.
    pixel = np.hypot(np.sqrt(np.maximum(sigma**2 - floor**2, 0.0)) / block_cells, floor)
    depth = max(float(np.median(np.bincount(table.item[first], minlength=n_cells))), MIN_FRAMES_IN_GRAIN)
    return settle_pieces(
        sky,
        solution.item.reshape(table.channels, n_cells),
        factor,
        table.item[first],
        table.source[first],
        basis,
        (solution.weight * factor_of_light**2).reshape(table.channels, -1),
        table.position,
        Brightness(GRAIN_SIGMA * pixel / np.sqrt(depth), noise, block_cells),
    )
