"""The sky of all frames at once: a plane per frame and channel, the fall and the bends of light per camera.

Model of a cell's mean in a frame, with ``I = 1 + V r**2`` the camera's illumination, ``b`` its bias,
``t`` the frame's transparency, ``B(u, v)`` what bends the sky of all the camera's frames alike (stray light, the
Moon's gradient, dew), in parts of its level, and ``N`` the light of the sky cell itself:

``value = b + I (S . (1, u, v) + S[0] B + t N)``

N is free in every cell, so that nebulosity is never mistaken for sky.  What the overlaps cannot
know, the mosaic's own plane, is settled by `zemosaic.calibration.gauge`.  A bowl over the whole mosaic is
the equal of V where all frames have one level, so V is what stars and changes of level determine, and else
its prior (`zemosaic.calibration.fall`); b is held by what photon noise says of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.cells import CellSamples
from zemosaic.calibration.fall import FallOfLight, determine_fall, fall_of_stars, information_of_skies, with_held
from zemosaic.calibration.gauge import settle_plane
from zemosaic.calibration.held import Held, with_known_frames
from zemosaic.calibration.joint import JointProblem, JointSolution, solve_joint
from zemosaic.calibration.transfer import BiasEstimate
from zemosaic.model import SKY_BENDS, sky_terms

__all__ = ["SkySolution", "solve_sky"]

Floats = NDArray[np.float64]

COMPLETE = 0.95
"""A cell counts in a frame that sees this part of what the best frame sees of it."""
FLOOR = 0.03
"""Error of a cell's mean that no number of pixels takes away, in noise of a pixel."""
BIAS_DOUBT = 3.0
"""How many of its formal errors the bias found from cells is wrong by: errors of transparencies and light that
changes within cells do not average away with the number of cells."""
GRAIN = 3.0
"""How far apart empty cells may lie in the mosaic, in errors of the mean of a cell over its frames."""
FEWEST_IN_GRAIN = 4
"""Frames that are counted at least for that."""
DARK_PERCENT = 10.0
"""Part of a frame's cells that is taken to show its sky, until the overlaps know better."""
SLOPE_PRIOR = 1.0
"""Standard deviation expected of a sky's slope across the frame, in parts of its level."""
BENDS = (1e-5, 3e-3, 1e-2)
"""Standard deviation expected of each of the bends at the corner of a frame, in parts of the sky's level: at least, in
the beginning, and at most."""
MIN_VIGNETTING = -1.5
"""Where no light would be left in the corners of a square frame."""
TURNS_OF_FALL = 2
"""Turns after which the fall of light is determined anew."""
WORTH_A_BEND = 1e-3
"""Where no camera's first bends are this large, there are none."""


@dataclass(frozen=True)
class SkySolution:
    """Sky of every frame and illumination of every camera."""

    sky_adu: Floats
    """Shape (frames, channels, terms): level, slopes and bends as in `sky_terms`, less the bias."""
    transparency: Floats
    """Shape (frames, channels)."""
    bias_adu: Floats
    """Per camera."""
    vignetting: Floats
    """Coefficient of r**2 per camera."""
    residual_sigma: Floats
    """Per frame: rms of its cells' residuals in units of their errors."""
    pull_sigma: Floats
    """Per frame: how far a held frame's cells would have its sky elsewhere, on the mean over the frame or along its
    slopes, in noise of one pixel; 0 for frames that are not held."""
    fall: FallOfLight
    """What `vignetting` was determined by."""


def solve_sky(
    cells: Sequence[CellSamples],
    transparency: Floats,
    groups: NDArray[np.int64],
    vignetting: Floats,
    vignetting_sigma: Floats,
    bias: Sequence[BiasEstimate],
    transparency_sigma: Floats | None = None,
    held: Held | None = None,
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
    held : Held, optional
        What is known from before; the mosaic's plane is then the one of that solution.
    """
    table = _observations(cells, transparency, groups)
    n_groups = len(vignetting)
    held = held or Held.nothing(len(transparency), transparency.shape[1], n_groups)
    known = np.repeat(held.frames, transparency.shape[1])
    b = np.where(held.cameras, held.bias_adu, [estimate.bias_adu for estimate in bias])
    dark = _dark_levels(cells, transparency.shape[1]) - b[groups][:, None]
    dark = np.where(held.frames[:, None], held.sky_adu[..., 0], dark)
    tilt = _tilt(held.sky_adu, table)
    bends = np.where(held.cameras[:, None], _bends_held(held, groups), 0.0)
    level = dark.ravel()
    solution: JointSolution | None = None
    light = table.value - b[table.group]
    glow = np.zeros(len(table.value))
    doubt = np.full(transparency.size, 1e-9) if transparency_sigma is None else transparency_sigma.ravel()
    fall = fall_of_stars(vignetting, vignetting_sigma, held)
    v = fall.vignetting
    for turn in range(4):
        problem = _with_fall_held(
            _problem(table, v, b, light, dark, (vignetting, vignetting_sigma), bias), ~fall.determined
        )
        problem = _with_doubt(problem, glow, doubt)
        # Before the fall of light is known about, its error would be taken for bends.
        if turn == 1 or bends.any():
            problem = _with_bends(problem, table, level, bends)
        problem = with_known_frames(problem, known, problem.frame_basis[:, 0] * tilt)
        problem = replace(problem, shared_basis=problem.shared_basis * ~held.cameras[table.group, None])
        solution = solve_joint(problem, rounds=1 if turn == 0 else 2, near=solution)
        glow = solution.item[table.item]
        level = dark.ravel() + solution.frame[:, 0]
        shared = np.where(held.cameras[:, None], 0.0, solution.shared)
        v = np.where(held.cameras, v, np.maximum(v + shared[:, 0], MIN_VIGNETTING))
        b, bends = b + shared[:, 1], _bent_further(bends, shared[:, 2:], table)
        light = (table.value - b[table.group] - solution.residual) / (1.0 + v[table.group] * table.r2)
        if turn < TURNS_OF_FALL:
            fall = _fall_of_light(problem, solution, table, light, level, v, (vignetting, vignetting_sigma), held)
            v = np.where(fall.determined, v, fall.vignetting)
    assert solution is not None
    n_frames, channels = transparency.shape
    terms = solution.frame.reshape(n_frames, channels, 4)
    solved = _on_scale_of_stars(transparency + terms[..., 3], transparency, doubt.reshape(n_frames, channels))
    transparency = np.where(held.frames[:, None], held.transparency, solved)
    sky = terms[..., :3] + np.multiply.outer(dark, (1.0, 0.0, 0.0))
    bent = (level[:, None] * bends[np.repeat(groups, channels)]).reshape(n_frames, channels, -1)
    if not held.frames.any():
        sky = _settled(sky, solution.item, table, transparency)
    sky = np.where(held.frames[:, None, None], held.sky_adu, np.concatenate([sky, bent], axis=2))
    rms = np.sqrt(_mean_of_frames((solution.residual / problem.sigma) ** 2, table.source, n_frames))
    pull = np.where(held.frames, _pulls(table, solution.residual, n_frames), 0.0)
    return SkySolution(sky, transparency, b, v, rms, pull, fall)


def _mean_of_frames(values: Floats, frame: NDArray[np.int64], n_frames: int) -> Floats:
    """Return the mean of each frame's values, 0 where it has none."""
    return np.asarray(np.bincount(frame, values, n_frames) / np.maximum(np.bincount(frame, None, n_frames), 1))


def _pulls(table: _Table, residual: Floats, n_frames: int) -> Floats:
    """Return the largest of the mean residual of each frame and of its change from middle to edge, in noise."""
    noise = _mean_of_frames(table.pixel, table.frame, table.n_frames)
    pull = np.zeros(table.n_frames)
    for along in (np.ones_like(table.u), table.u, table.v):
        square = np.maximum(np.bincount(table.frame, along**2, table.n_frames), 1e-12)
        edge = np.zeros(table.n_frames)
        np.maximum.at(edge, table.frame, np.abs(along))
        pull = np.maximum(pull, np.abs(np.bincount(table.frame, along * residual, table.n_frames) / square * edge))
    largest: Floats = (pull / np.where(noise > 0, noise, 1.0)).reshape(n_frames, -1).max(axis=1)
    return largest


@dataclass(frozen=True)
class _Table:
    """Observations of all channels; item = cell and channel, frame = frame and channel."""

    item: NDArray[np.int64]
    frame: NDArray[np.int64]
    source: NDArray[np.int64]
    """Frame index alone."""
    group: NDArray[np.int64]
    factor: Floats
    value: Floats
    pixel: Floats
    """Noise of one pixel of the frame."""
    sigma: Floats
    u: Floats
    v: Floats
    r2: Floats
    position: Floats
    """Row and column of each cell, shape (cells, 2)."""
    n_frames: int
    channels: int

    @property
    def n_items(self) -> int:
        return len(self.position) * self.channels


def _observations(cells: Sequence[CellSamples], transparency: Floats, groups: NDArray[np.int64]) -> _Table:
    n_frames, channels = transparency.shape
    source = np.repeat(np.arange(n_frames), [len(sample.row) for sample in cells])
    row = np.concatenate([sample.row for sample in cells]).astype(np.int64)
    column = np.concatenate([sample.column for sample in cells]).astype(np.int64)
    count = np.concatenate([sample.count for sample in cells]).astype(float)
    mean = np.concatenate([sample.mean_adu for sample in cells])
    noise = np.array([sample.noise_adu for sample in cells])
    u = np.concatenate([sample.u for sample in cells])
    v = np.concatenate([sample.v for sample in cells])
    key = (row - row.min(initial=0)) * (np.ptp(column) + 1 if len(column) else 1) + column - column.min(initial=0)
    _, cell = np.unique(key, return_inverse=True)
    best = np.zeros(int(cell.max(initial=-1)) + 1)
    np.maximum.at(best, cell, count)
    seen = np.flatnonzero((count >= COMPLETE * best[cell]) & (count >= 0.25 * best.max(initial=0.0)))
    _, first, cell = np.unique(cell[seen], return_index=True, return_inverse=True)
    n_cells = len(first)
    position = np.stack([row[seen][first], column[seen][first]], axis=1).astype(float)
    source, u, v, count, mean = source[seen], u[seen], v[seen], count[seen], mean[seen]
    pixel = noise[source]
    parts = range(channels)
    return _Table(
        item=np.concatenate([cell + c * n_cells for c in parts]).astype(np.int64),
        frame=np.concatenate([source * channels + c for c in parts]),
        source=np.tile(source, channels),
        group=np.tile(groups[source], channels),
        factor=np.concatenate([transparency[source, c] for c in parts]),
        value=np.concatenate([mean[:, c] for c in parts]),
        pixel=np.concatenate([pixel[:, c] for c in parts]),
        sigma=np.concatenate([pixel[:, c] * np.hypot(count**-0.5, FLOOR) for c in parts]),
        u=np.tile(u, channels),
        v=np.tile(v, channels),
        r2=np.tile(u * u + v * v, channels),
        position=position,
        n_frames=n_frames * channels,
        channels=channels,
    )


def _dark_levels(cells: Sequence[CellSamples], channels: int) -> Floats:
    """Return the level of the darker cells per frame and channel, 0 for frames without cells."""
    none = np.zeros(channels)
    return np.stack([np.percentile(one.mean_adu, DARK_PERCENT, axis=0) if len(one.row) else none for one in cells])


def _problem(
    table: _Table,
    v: Floats,
    b: Floats,
    light: Floats,
    dark: Floats,
    stars: tuple[Floats, Floats],
    bias: Sequence[BiasEstimate],
) -> JointProblem:
    """Return the problem made linear about illumination v and bias b; levels count from the frames' dark ones.

    So frames that overlap no others, whose level is theirs to choose, keep their sky out of the light.
    """
    fall = 1.0 + v[table.group] * table.r2
    expected, error = np.array([(e.bias_adu, e.sigma_adu / BIAS_DOUBT) for e in bias]).T
    level = float(np.median(light)) or 1.0
    slope = (SLOPE_PRIOR * level) ** -2
    return JointProblem(
        item=table.item,
        frame=table.frame,
        factor=fall * table.factor,
        frame_basis=np.stack([fall, fall * table.u, fall * table.v], axis=1),
        group=table.group,
        shared_basis=np.stack([table.r2 * light, -v[table.group] * table.r2], axis=1),
        value=table.value - b[table.group] - fall * dark.ravel()[table.frame],
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
    table: _Table,
    light: Floats,
    level: Floats,
    v: Floats,
    stars: tuple[Floats, Floats],
    held: Held,
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


def _with_bends(problem: JointProblem, table: _Table, level: Floats, bends: Floats) -> JointProblem:
    """Return the problem with the bends of the cameras' skies as further shared terms, told from those so far.

    Parameters
    ----------
    problem : JointProblem
    level : ndarray, shape (frames * channels,)
    bends : ndarray, shape (groups, bends)
    """
    sky = problem.frame_basis[:, 0] * level[table.frame]
    basis = np.empty((len(sky), 2 + SKY_BENDS), np.float32)
    basis[:, :2] = problem.shared_basis
    value = problem.value.copy()
    for k, term in enumerate(sky_terms(table.u, table.v)[3:]):
        basis[:, 2 + k] = sky * term
        value -= bends[table.group, k] * sky * term
    # What the last turn found is what is expected, less where that is little: chance vanishes turn by turn.
    found = _at_corner(bends, table)[:, None]
    expected = np.where(
        bends.any(axis=1, keepdims=True), np.clip(found * np.minimum(found / BENDS[1], 1.0), *BENDS[::2]), BENDS[1]
    )
    precision = (_corner(table) / expected) ** 2
    return replace(
        problem,
        value=value,
        shared_basis=basis,
        shared_prior=np.concatenate([problem.shared_prior, -bends], axis=1),
        shared_precision=np.concatenate([problem.shared_precision, precision], axis=1),
    )


def _bent_further(bends: Floats, change: Floats, table: _Table) -> Floats:
    """Return bends after what a turn found; none where no camera's are worth the name."""
    if not change.shape[1]:
        return bends
    bends = bends + change
    return np.asarray(bends * (_at_corner(bends, table) > WORTH_A_BEND).any(), np.float64)


def _corner(table: _Table) -> Floats:
    """Return the size of each bend's term at the corner of a frame."""
    return np.asarray(table.r2.max(initial=1e-6) ** np.repeat([1.0, 1.5, 2.0], [2, 4, 5]), np.float64)


def _at_corner(bends: Floats, table: _Table) -> Floats:
    """Return the root mean square of each camera's bends there."""
    return np.asarray(np.sqrt(((bends * _corner(table)) ** 2).mean(axis=1)), np.float64)


def _bends_held(held: Held, groups: NDArray[np.int64]) -> Floats:
    """Return the bends of the held cameras, shape (groups, bends): those of their held frames."""
    bends, squares = np.zeros((len(held.cameras), SKY_BENDS)), np.zeros((len(held.cameras), 1))
    for k in np.flatnonzero(held.frames):
        level = held.sky_adu[k, :, 0]
        bends[groups[k]] += level @ held.sky_adu[k, :, 3:]
        squares[groups[k]] += level @ level
    return bends / np.where(squares > 0, squares, 1.0)


def _tilt(sky_adu: Floats, table: _Table) -> Floats:
    """Return what the slopes of skies make of each observation."""
    slopes = sky_adu.reshape(table.n_frames, -1)[table.frame, 1:3]
    return np.asarray(slopes[:, 0] * table.u + slopes[:, 1] * table.v, np.float64)


def _with_doubt(problem: JointProblem, glow: Floats, doubt: Floats) -> JointProblem:
    """Return the problem with one more term per frame: the error of its transparency.

    Parameters
    ----------
    problem : JointProblem
    glow : ndarray, shape (n,)
        Light of each observation's cell as the last turn found it; a constant in it goes into the sky.
    doubt : ndarray, shape (frames,)
        Standard error expected.
    """
    basis = np.column_stack([problem.frame_basis, problem.frame_basis[:, 0] * glow])
    precision = np.broadcast_to(problem.frame_precision, (problem.n_frames, problem.frame_basis.shape[1]))
    return replace(problem, frame_basis=basis, frame_precision=np.column_stack([precision, doubt**-2]))


def _on_scale_of_stars(solved: Floats, stars: Floats, doubt: Floats) -> Floats:
    """Return the transparencies scaled per channel to those of the stars on the whole.

    The light of the sky compares frames with each other only; a change of all of them alike is chance.
    """
    weight = (stars / doubt) ** 2
    return np.asarray(solved / ((weight * solved / stars).sum(axis=0) / weight.sum(axis=0)), np.float64)


def _settled(sky: Floats, item: Floats, table: _Table, transparency: Floats) -> Floats:
    """Return the skies after the mosaic's own plane is fixed."""
    n_cells = len(table.position)
    first = slice(0, len(table.item) // table.channels)
    basis = np.stack([np.ones(first.stop), table.u[first], table.v[first]], axis=1)
    pixel = np.array([np.median(table.sigma[table.item // n_cells == c]) for c in range(table.channels)])
    depth = max(float(np.median(np.bincount(table.item[first], minlength=n_cells))), FEWEST_IN_GRAIN)
    return settle_plane(
        sky,
        item.reshape(table.channels, n_cells),
        transparency,
        table.item[first],
        table.source[first],
        basis,
        table.position,
        GRAIN * pixel / np.sqrt(depth),
    )
