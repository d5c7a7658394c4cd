"""Pieces of a mosaic that hang together by little or nothing, each levelled by its own empty sky.

Frames that share a good part of their cells make one piece, whose own plane no overlap constrains
(`zemosaic.calibration.gauge`).  Between two pieces a thin overlap knows the difference of their levels well, but not
how they are inclined to each other, and where there is no overlap nothing is known of either.  The planes that empty
sky suggests for the pieces and what the overlaps say of their differences are therefore combined by their errors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.calibration.gauge import (
    DARK_OUTLIER_FRACTION,
    MAX_EMPTY_GRAINS,
    Plane,
    commonest_brightness,
    in_blocks,
    plane_of_piece,
    with_planes,
)

__all__ = ["Brightness", "divide_into_pieces", "settle_pieces"]


MIN_SHARED_FRACTION = 0.12
"""A frame belongs to a piece when it shares at least this fraction of its cells with it."""
MAX_PIECES = 100
"""Where there are more, frames are scattered rather than arranged, and one plane serves for all."""
MIN_EMPTY_CELLS, MIN_EMPTY_FRACTION = 10, 0.05
"""Number and fraction of the cells of a piece that must be equally dark to count as its empty sky ..."""
MIN_EMPTY_RATIO, MAX_DARKER_RATIO = 2.0, 0.1
"""... their number over that of the cells in the next range of brightness of that width, and the number of darker
cells over theirs."""
DARKEST_PERCENT = 2.0
"""Percentile of the cells of a piece that stands for its level where it shows no empty sky."""
OVERLAP_ERROR_FACTOR = 3.0
"""Factor applied to the formal errors of overlaps: skies are no exact planes."""
MIN_HINGE, MAX_HINGES = 0.02, 8
"""What is known of the planes less well than this, as the root mean square over the mosaic in noise of one pixel, is
what empty sky may still change; so many combinations of planes at most."""
MAX_HINGE_SIGMA, HINGE_STEPS, HINGE_ROUNDS = 3.5, 29, 5
"""Standard errors within which that is looked for, steps on the way, and rounds, each with half of the width."""
MIN_LEVEL_ERROR = 0.01
"""Smallest error of a piece's empty sky, in its middle and from there to its edge, in noise of one pixel."""


@dataclass(frozen=True)
class Brightness:
    """How well the light of cells and blocks is known."""

    grain: Float64s
    """How far apart blocks of one brightness may lie, per channel."""
    noise: Float64s
    """Of one pixel, per channel."""
    block_cells: int
    """Side of the blocks of cells in which empty sky is looked for."""


@dataclass(frozen=True)
class _Piece:
    plane: Plane
    """About the middle of its cells."""
    centre: Float64s
    """Middle of its cells, row and column, told from the middle of the mosaic."""
    flux: Float64s
    """Light of its blocks of cells, shape (channels, blocks)."""
    places: Float64s
    """Row and column of these, told from the middle of the piece."""
    precision: Float64s
    """Inverse covariance of level and slopes about that middle, shape (channels, 3, 3)."""


def divide_into_pieces(
    cell: NDArray[np.int64], frame: NDArray[np.int64], n_cells: int, n_frames: int
) -> NDArray[np.int64]:
    """Return the piece that each frame belongs to, shape (n_frames,), the one with the first frame being 0.

    Parameters
    ----------
    cell, frame : ndarray of int, shape (n,)
        Of each observation.
    n_cells, n_frames : int

    Returns
    -------
    ndarray of int
        All 0 where there are more than `MAX_PIECES`.  Frames without cells belong to piece 0.
    """
    size = np.bincount(frame, minlength=n_frames)
    piece = np.where(size > 0, -1, 0)
    number = 0
    while (piece < 0).any():
        if number == MAX_PIECES:
            return np.zeros(n_frames, np.int64)
        new = np.zeros(n_frames, bool)
        new[np.flatnonzero(piece < 0)[0]] = True
        covered = np.zeros(n_cells, bool)
        while new.any():
            piece[new] = number
            covered[cell[new[frame]]] = True
            shared = np.bincount(frame, covered[cell], n_frames)
            new = (piece < 0) & (shared >= MIN_SHARED_FRACTION * size)
        number += 1
    return piece.astype(np.int64)


def settle_pieces(
    sky: Float64s,
    flux: Float64s,
    factor: Float64s,
    cell: NDArray[np.int64],
    frame: NDArray[np.int64],
    basis: Float64s,
    weight: Float64s,
    position: Float64s,
    brightness: Brightness,
) -> tuple[Float64s, Float64s]:
    """Return the skies after the planes of all pieces of the mosaic are fixed, and how well they are known.

    Parameters
    ----------
    sky : ndarray, shape (frames, channels, 3)
        Level and slopes along u and v.
    flux : ndarray, shape (channels, cells)
        Light of the cells.
    factor : ndarray, shape (frames, channels)
        What a pixel of each frame gets of a cell's light: transparency times area of the pixel.
    cell, frame : ndarray of int, shape (n,)
        Of each observation.
    basis : ndarray, shape (n, 3)
        (1, u, v) of each observation.
    weight : ndarray, shape (channels, n)
        Information of each observation on the light of its cell.
    position : ndarray, shape (cells, 2)
        Place of each cell on the mosaic.
    brightness : Brightness

    Returns
    -------
    sky : ndarray, shape (frames, channels, 3)
    error : ndarray, shape (frames,)
        Standard error of the level of the frame's piece against that of the piece with the most frames, in noise of
        one pixel, of the channel where it is largest; 0 within that piece.
    """
    piece_of_frame = divide_into_pieces(cell, frame, len(position), len(sky))
    centred = position - position.mean(axis=0)
    planes, pieces = [], []
    for number in range(int(piece_of_frame.max(initial=0)) + 1):
        members = np.flatnonzero(piece_of_frame == number)
        observed = np.flatnonzero(piece_of_frame[frame] == number)
        used, local = np.unique(cell[observed], return_inverse=True)
        plane = plane_of_piece(
            sky[members],
            flux[:, used],
            factor[members],
            local.ravel(),
            np.searchsorted(members, frame[observed]),
            basis[observed],
            centred[used],
            brightness.grain,
            brightness.block_cells,
        )
        planes.append(plane)
        pieces.append(_piece(plane, flux[:, used], centred[used], brightness))
    error = np.zeros(len(planes))
    if len(pieces) > 1:
        corrections, error = _reconciled(
            pieces, piece_of_frame[frame], cell, centred, weight, brightness, piece_of_frame
        )
        planes = [
            Plane(
                piece.plane.level + change[:, 0],
                piece.plane.slope + change[:, 1:],
                piece.plane.slope_error,
                piece.plane.balanced,
            )
            for piece, change in zip(pieces, corrections, strict=True)
        ]
    return with_planes(sky, factor, cell, frame, basis, centred, planes, piece_of_frame), error[piece_of_frame]


def _piece(plane: Plane, flux: Float64s, position: Float64s, brightness: Brightness) -> _Piece:
    """Return a piece with the errors of its plane."""
    grain, noise = brightness.grain, brightness.noise
    centre = position.mean(axis=0)
    flux, at = in_blocks(flux, position - centre, brightness.block_cells)
    extent = np.maximum(np.sqrt((at**2).mean(axis=0)), 1e-3)
    design = np.column_stack([np.ones(len(at)), at])
    above = flux - plane.level[:, None] - plane.slope @ at.T
    empty = [_empty_blocks(values, float(step)) for values, step in zip(above, grain, strict=True)]
    if not any(blocks.any() for blocks in empty):
        # What looked like empty sky is the commonest brightness of a nebula.
        level = np.percentile(flux - plane.balanced @ at.T, DARKEST_PERCENT, axis=1)
        plane = Plane(level, plane.balanced, plane.slope_error, plane.balanced)
    precision = np.zeros((len(flux), 3, 3))
    for channel, blocks in enumerate(empty):
        slope_error = np.maximum(plane.slope_error[channel], np.abs(plane.slope[channel]) * 1e-3 + 1e-12)
        known = np.diag([(MAX_EMPTY_GRAINS * grain[channel]) ** -2, *slope_error**-2])
        known += design[blocks].T @ design[blocks] / grain[channel] ** 2
        floor = np.diag((MIN_LEVEL_ERROR * noise[channel] / np.append(1.0, extent)) ** 2)
        precision[channel] = np.linalg.inv(np.linalg.inv(known) + floor)
    return _Piece(plane, centre, flux, at, precision)


def _empty_blocks(above: Float64s, grain: float) -> NDArray[np.bool_]:
    """Return which blocks show empty sky: as many of one brightness as no nebula has, and hardly any below it."""
    empty = np.abs(above) < grain
    darker, brighter = above <= -grain, (above >= grain) & (above < 3.0 * grain)
    least = max(
        MIN_EMPTY_CELLS,
        MIN_EMPTY_FRACTION * len(above),
        MIN_EMPTY_RATIO * brighter.sum(),
        darker.sum() / MAX_DARKER_RATIO,
    )
    return empty if empty.sum() >= least else np.zeros(len(above), bool)


def _reconciled(
    pieces: list[_Piece],
    piece: NDArray[np.int64],
    cell: NDArray[np.int64],
    position: Float64s,
    weight: Float64s,
    brightness: Brightness,
    piece_of_frame: NDArray[np.int64],
) -> tuple[Float64s, Float64s]:
    """Return what overlaps change of the planes, shape (pieces, channels, 3), and the errors of the levels in noise.

    The joint solution has the overlaps as flat as they can be; a plane for each piece takes that away again as far as
    the planes of two pieces differ in their overlap.
    """
    n, channels, noise = len(pieces), len(weight), brightness.noise
    change, error, covariances = np.zeros((n, channels, 3)), np.zeros(n), np.zeros((channels, 3 * n, 3 * n))
    main = int(np.bincount(piece_of_frame).argmax())
    pair = cell * n + piece
    number = np.zeros((len(position), n), bool)
    number[cell, piece] = True
    shared = np.flatnonzero(number.sum(axis=1) > 1)
    # Planes about the middle of the mosaic as functions of level and slopes about the middle of each piece.
    to_own = np.array([[[1.0, *p.centre], [0, 1, 0], [0, 0, 1]] for p in pieces])
    for channel in range(channels):
        total = np.bincount(pair, weight[channel], len(position) * n).reshape(-1, n)[shared] / OVERLAP_ERROR_FACTOR**2
        overlap = np.einsum("cp,pq->cpq", total, np.eye(n))
        overlap -= total[:, :, None] * total[:, None, :] / total.sum(axis=1)[:, None, None]
        at = np.column_stack([np.ones(len(shared)), position[shared]])
        links = np.einsum("cpq,ca,cb->paqb", overlap, at, at).reshape(3 * n, 3 * n)
        known, planes = np.zeros((3 * n, 3 * n)), np.zeros(3 * n)
        for k, p in enumerate(pieces):
            block = slice(3 * k, 3 * k + 3)
            known[block, block] = to_own[k].T @ p.precision[channel] @ to_own[k]
            planes[block] = np.linalg.solve(to_own[k], np.append(p.plane.level[channel], p.plane.slope[channel]))
        covariance = covariances[channel] = np.linalg.inv(known + links)
        moved = (covariance @ (known @ planes) - planes).reshape(n, 3)
        change[:, channel] = np.einsum("pab,pb->pa", to_own, moved)
        for k, p in enumerate(pieces):
            # The level of each in the middle between the two.
            middle = np.append(1.0, 0.5 * (p.centre + pieces[main].centre))
            difference = np.zeros(3 * n)
            difference[3 * k : 3 * k + 3] += middle
            difference[3 * main : 3 * main + 3] -= middle
            error[k] = max(error[k], float(np.sqrt(difference @ covariance @ difference)) / noise[channel])
    error[main] = 0.0
    return change + _hinged(pieces, change, covariances, to_own, brightness), error


def _hinged(
    pieces: list[_Piece], change: Float64s, covariances: Float64s, to_own: Float64s, brightness: Brightness
) -> Float64s:
    """Return what more makes the empty sky of all pieces equally dark, shape (pieces, channels, 3).

    The pieces are moved together along what is known least of their planes, which is how they are inclined to each
    other, until the most blocks share the commonest brightness near the dark end.
    """
    scale = np.array([np.trace(of_channel) for of_channel in covariances]) ** 0.5
    together = np.asarray(covariances[int(np.argmax(scale))])
    root = np.linalg.cholesky(together)
    shape = np.zeros((len(together), len(together)))
    blocks = [np.column_stack([np.ones(len(p.places)), p.places]) @ own for p, own in zip(pieces, to_own, strict=True)]
    for k, design in enumerate(blocks):
        shape[3 * k : 3 * k + 3, 3 * k : 3 * k + 3] = design.T @ design
    shape /= sum(map(len, blocks))
    variance, directions = np.linalg.eigh(root.T @ shape @ root)
    strongest = int(np.argmax(scale))
    weak = np.flatnonzero(variance > (MIN_HINGE * brightness.noise[strongest]) ** 2)[::-1][:MAX_HINGES]
    planes = (root @ directions[:, weak]).reshape(len(pieces), 3, len(weak))
    moves = np.concatenate([design @ plane for design, plane in zip(blocks, planes, strict=True)])
    flux = np.concatenate(
        [
            p.flux - (p.plane.level + moved[:, 0])[:, None] - (p.plane.slope + moved[:, 1:]) @ p.places.T
            for p, moved in zip(pieces, change, strict=True)
        ],
        axis=1,
    )
    colour = scale / scale[strongest]
    best = np.zeros(len(weak))

    def merit(amount: Float64s) -> float:
        number = -0.5 * float(amount @ amount)
        for channel, grain in enumerate(brightness.grain):
            clear = flux[channel] - colour[channel] * (moves @ amount)
            number += commonest_brightness(clear, float(grain), MAX_EMPTY_GRAINS, DARK_OUTLIER_FRACTION)[1]
        return number

    width = MAX_HINGE_SIGMA
    for _ in range(HINGE_ROUNDS):
        for k in range(len(weak)):
            trials = np.repeat(best[None], HINGE_STEPS, axis=0)
            trials[:, k] += np.linspace(-width, width, HINGE_STEPS)
            best = max([best, *trials], key=merit)
        width *= 0.5
    clear = flux - colour[:, None] * (moves @ best)
    levels = [
        commonest_brightness(values, float(grain), MAX_EMPTY_GRAINS, DARK_OUTLIER_FRACTION)[0]
        for values, grain in zip(clear, brightness.grain, strict=True)
    ]
    empty = [
        _empty_blocks(values - level, float(grain)).any()
        for values, level, grain in zip(clear, levels, brightness.grain, strict=True)
    ]
    shift = np.einsum("pak,k->pa", planes, best if any(empty) else 0.0 * best)
    corrections: Float64s = np.einsum("pab,c,pb->pca", to_own, colour, shift)
    return corrections
