"""Parts of frames obstructed by a roof, a tree or a cloud edge: excluded there, used elsewhere.

Stars seen by several frames decide whether a part of a frame is obstructed at all: stars that should be
detected there are missing or have lost most of their light.  The sky over an obstructed part is brighter or
darker than a plane fitted to the clear part of the frame.  Where this difference is significant it defines the
outline of the obstruction block by block, at a much finer resolution than the stars allow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s, green_channel, median, median_sigma
from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.photometry import Photometry
from zemosaic.model import OBSTRUCTION_BLOCK_PX, FrameRef, MeasuredFrame, SolvedFrame, detector_coordinates

__all__ = ["blocks_at", "clear_cells", "clear_transparency", "obstructed_blocks"]


N_NEIGHBOURS = 5
"""Number of neighbouring stars whose median decides whether their surroundings are obstructed."""
MAX_OBSTRUCTED_TRANSMISSION = 0.6
"""A position is obstructed when it transmits less than this fraction of the frame's light."""
MIN_CLEAR_TRANSMISSION = 0.85
"""A position is certainly clear when it transmits more than this fraction of the frame's light."""
MIN_EXPECTED_SIGMA = 8.0
"""A star is expected to be detected when its predicted flux exceeds this many standard errors."""
MIN_MISSING_STARS = 4
"""At least this many stars must be missing or dimmed before a frame counts as obstructed."""
MIN_MISSING_FRACTION = 0.06
"""At least this fraction of the expected stars must be missing or dimmed, because a few are always missed."""
MIN_CLUSTERED_FRACTION = 0.6
"""At least this fraction of the missing stars must have missing neighbours.  Blended stars, which only some frames
resolve, are missing all over the frame instead."""
MIN_FRACTION_BY_STARS_ALONE = 0.15
"""Fraction of missing stars that is required when the sky shows no difference; most obstructions change the sky."""
MAX_SKY_DIFFERENCE_SIGMA = 6.0
"""The clear sky may differ from a plane by this many times its own scatter."""
MIN_SKY_DIFFERENCE_NOISE = 0.1
"""The clear sky may differ from a plane by at least this much, in units of the noise of a pixel."""
MIN_SKY_EXCESS = 4.0
"""The sky outlines the obstruction when it exceeds the allowed difference by this factor."""
EDGE_PX = 12


def blocks_at(frame: FrameRef, x: Float64s, y: Float64s) -> NDArray[np.int64]:
    """Return the flat index of the block (`OBSTRUCTION_BLOCK_PX` wide) each detector position lies in.

    Parameters
    ----------
    frame : FrameRef
    x, y : ndarray, shape (n,)
        Columns and rows on the detector, in pixels.

    Returns
    -------
    ndarray, shape (n,), int64
    """
    rows, columns = _block_grid_shape(frame)
    row = np.clip(np.floor((y + 0.5) / OBSTRUCTION_BLOCK_PX), 0, rows - 1).astype(np.int64)
    column = np.clip(np.floor((x + 0.5) / OBSTRUCTION_BLOCK_PX), 0, columns - 1).astype(np.int64)
    return row * columns + column


def obstructed_blocks(
    solved: Sequence[SolvedFrame],
    star_ids: Sequence[NDArray[np.int64]],
    star_sky: tuple[Float64s, Float64s],
    photometry: Photometry,
    groups: NDArray[np.int64],
    cells: Sequence[CellSamples],
) -> list[tuple[int, ...]]:
    """Return the obstructed blocks of each frame; most frames have none.

    Parameters
    ----------
    solved : sequence of SolvedFrame
    star_ids : sequence of ndarray of int
        Number of the star behind each detection, -1 for none.
    star_sky : (ra_deg, dec_deg)
        Of all stars.
    photometry : Photometry
        Solved over all frames.
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    cells : sequence of CellSamples
        Background of each frame.
    """
    transmissions = [
        _star_transmission(frame, ids, star_sky, photometry, k, float(photometry.vignetting[groups[k]]))
        for k, (frame, ids) in enumerate(zip(solved, star_ids, strict=True))
    ]
    if all(stars is None for stars in transmissions):
        return [()] * len(solved)
    factor = photometry.transparency * np.array([[sample.pixel_area] for sample in cells])
    cell_flux = _cell_flux(cells, factor)
    blocks: list[tuple[int, ...]] = []
    for k, (frame, stars) in enumerate(zip(solved, transmissions, strict=True)):
        if stars is None:
            blocks.append(())
            continue
        green = green_channel(photometry.transparency.shape[1])
        excess = cells[k].mean_adu[:, green] - factor[k, green] * cell_flux[k]
        blocks.append(_obstructed_blocks_of_frame(frame.measured, stars, cells[k], excess, green))
    return blocks


def clear_transparency(
    solved: Sequence[SolvedFrame],
    star_ids: Sequence[NDArray[np.int64]],
    photometry: Photometry,
    groups: NDArray[np.int64],
) -> Float64s:
    """Return the green transparency of the clear part of each frame, shape (frames,).

    The zero point of a partly obstructed frame lies between its clear and its obstructed stars.  Where the two differ
    by more than `MAX_OBSTRUCTED_TRANSMISSION`, the brighter stars are the clear ones;
    otherwise the zero point is returned unchanged.

    Parameters
    ----------
    solved : sequence of SolvedFrame
    star_ids : sequence of ndarray of int
        Number of the star behind each detection of each frame, -1 for none.
    photometry : Photometry
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    """
    green = green_channel(photometry.star_flux.shape[1])
    passed = photometry.transparency[:, green].copy()
    for k, (solved_frame, ids) in enumerate(zip(solved, star_ids, strict=True)):
        stars, frame = solved_frame.measured.stars, solved_frame.frame
        flux, error = stars.flux_adu[:, green], stars.flux_error_adu[:, green]
        usable = (ids >= 0) & ~stars.saturated & (flux > MIN_EXPECTED_SIGMA * error)
        expected = photometry.star_flux[ids[usable], green]
        u, v = detector_coordinates(stars.x_px[usable], stars.y_px[usable], frame.width, frame.height)
        transmission = flux[usable] / (expected * passed[k] * (1 + photometry.vignetting[groups[k]] * (u * u + v * v)))
        transmission = transmission[np.isfinite(transmission)]
        if len(transmission) >= 2 * MIN_MISSING_STARS and np.quantile(
            transmission, 0.1
        ) < MAX_OBSTRUCTED_TRANSMISSION * np.quantile(transmission, 0.75):
            passed[k] *= max(1.0, float(np.quantile(transmission, 0.75)))
    return passed


def clear_cells(cells: CellSamples, frame: FrameRef, obstructed: tuple[int, ...]) -> CellSamples:
    """Return the cells outside the obstructed blocks.

    Parameters
    ----------
    cells : CellSamples
        Of the frame.
    frame : FrameRef
    obstructed : tuple of int
        Flat indices of blocks, as `blocks_at` counts them.

    Returns
    -------
    CellSamples
    """
    if not obstructed:
        return cells
    keep = ~np.isin(blocks_at(frame, *_detector_position(cells, frame)), obstructed)
    parts = {name: getattr(cells, name)[keep] for name in ("row", "column", "mean_adu", "count", "u", "v")}
    return replace(cells, extra_adu=cells.extra_error_adu[keep], **parts)


def _block_grid_shape(frame: FrameRef) -> tuple[int, int]:
    return -(-frame.height // OBSTRUCTION_BLOCK_PX), -(-frame.width // OBSTRUCTION_BLOCK_PX)


def _detector_position(cells: CellSamples, frame: FrameRef) -> tuple[Float64s, Float64s]:
    return cells.u * frame.height + 0.5 * frame.width, cells.v * frame.height + 0.5 * frame.height


def _star_transmission(
    solved: SolvedFrame,
    ids: NDArray[np.int64],
    star_sky: tuple[Float64s, Float64s],
    photometry: Photometry,
    index: int,
    vignetting: float,
) -> tuple[cKDTree, Float64s] | None:
    """Return the positions and measured transmission of the expected stars; None where nothing is obstructed."""
    frame, stars = solved.frame, solved.measured.stars
    green = green_channel(photometry.star_flux.shape[1])
    if len(stars) < MIN_MISSING_STARS:
        return None
    x, y = solved.wcs.sky_to_pixel(*star_sky)
    u, v = detector_coordinates(x, y, frame.width, frame.height)
    with np.errstate(invalid="ignore"):
        expected_flux = (
            photometry.transparency[index, green] * photometry.star_flux[:, green] * (1 + vignetting * (u * u + v * v))
        )
        faintest = MIN_EXPECTED_SIGMA * float(np.percentile(stars.flux_error_adu[:, green], 25))
        threshold = max(faintest, 2.0 * float(np.min(stars.flux_adu[:, green])))
        inside = (x > EDGE_PX) & (y > EDGE_PX) & (x < frame.width - EDGE_PX) & (y < frame.height - EDGE_PX)
        expected = np.flatnonzero(inside & (expected_flux > threshold))
    for trail in solved.measured.trails:
        expected = expected[~trail.reaches(x[expected], y[expected])]
    if len(expected) < 2 * N_NEIGHBOURS:
        return None
    measured_flux = np.zeros(len(expected_flux))
    detected = ids >= 0
    measured_flux[ids[detected]] = np.where(stars.saturated[detected], np.inf, stars.flux_adu[detected, green])
    transmission = np.minimum(measured_flux[expected] / expected_flux[expected], 2.0)
    bright = transmission[transmission > 0]
    # The zero point of a partly obstructed frame is too low; its brighter stars define full transmission.
    transmission = transmission / max(1.0, float(np.percentile(bright, 70)) / 1.2) if len(bright) else transmission
    tree = cKDTree(np.stack([x[expected], y[expected]], axis=1))
    local = median(transmission[tree.query(tree.data, k=N_NEIGHBOURS)[1]], axis=1)
    dim = (local < MAX_OBSTRUCTED_TRANSMISSION) & (transmission < MAX_OBSTRUCTED_TRANSMISSION)
    threshold = max(
        MIN_MISSING_STARS,
        MIN_MISSING_FRACTION * len(expected),
        MIN_CLUSTERED_FRACTION * int((transmission < MAX_OBSTRUCTED_TRANSMISSION).sum()),
    )
    return (tree, transmission) if dim.sum() >= threshold else None


def _cell_flux(cells: Sequence[CellSamples], factor: Float64s) -> list[Float64s]:
    """Return for each frame the source flux of its cells above the sky level: the median over all frames.

    Parameters
    ----------
    cells : sequence of CellSamples
    factor : ndarray, shape (frames, channels)
        What a pixel of a frame gets of that flux: transparency times area of the pixel.
    """
    green = green_channel(factor.shape[1])
    row = np.concatenate([sample.row for sample in cells]).astype(np.int64)
    column = np.concatenate([sample.column for sample in cells]).astype(np.int64)
    frame = np.repeat(np.arange(len(cells)), [len(sample.row) for sample in cells])
    value = np.concatenate([sample.mean_adu[:, green] for sample in cells])
    key = (row - row.min(initial=0)) * (np.ptp(column) + 1 if len(column) else 1) + column - column.min(initial=0)
    _, cell = np.unique(key, return_inverse=True)
    order = np.argsort(cell, kind="stable")
    edges = np.flatnonzero(np.diff(cell[order], prepend=-1, append=int(cell.max(initial=-1)) + 1))
    flux = np.zeros(len(edges) - 1)
    for _ in range(3):
        remainder = value - factor[frame, green] * flux[cell]
        level = np.array([median(remainder[frame == k]) if (frame == k).any() else 0.0 for k in range(len(cells))])
        scaled = ((value - level[frame]) / factor[frame, green])[order]
        flux = np.array([median(scaled[a:b]) for a, b in pairwise(edges)])
    starts = np.cumsum([0, *(len(sample.row) for sample in cells)])
    return [flux[cell[a:b]] for a, b in pairwise(starts)]


def _obstructed_blocks_of_frame(
    measured: MeasuredFrame, stars: tuple[cKDTree, Float64s], cells: CellSamples, excess: Float64s, green: int
) -> tuple[int, ...]:
    frame = measured.frame
    rows, columns = _block_grid_shape(frame)
    tree, transmission = stars
    yy, xx = np.mgrid[0:rows, 0:columns] * float(OBSTRUCTION_BLOCK_PX) + 0.5 * OBSTRUCTION_BLOCK_PX
    passed = median(transmission[tree.query(np.stack([xx, yy], axis=-1), k=N_NEIGHBOURS)[1]], axis=-1)
    obstructed = passed < MAX_OBSTRUCTED_TRANSMISSION
    difference = _sky_difference(measured, cells, excess, passed, green)
    if difference is not None:
        x, y = _detector_position(cells, frame)
        nearest = cKDTree(np.stack([x, y], axis=1)).query(np.stack([xx, yy], axis=-1), k=3)[1]
        deviation = median(difference[nearest], axis=-1)
        if obstructed.any() and float(median(deviation[obstructed])) > MIN_SKY_EXCESS:
            obstructed = deviation > 1.0
        elif np.mean(transmission < MAX_OBSTRUCTED_TRANSMISSION) < MIN_FRACTION_BY_STARS_ALONE:
            return ()
    obstructed = cv2.dilate(obstructed.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return tuple(int(block) for block in np.flatnonzero(obstructed))


def _sky_difference(
    measured: MeasuredFrame, cells: CellSamples, excess: Float64s, passed: Float64s, green: int
) -> Float64s | None:
    """Return the deviation of each cell from the plane through the clear cells, in units of the allowed deviation."""
    frame = measured.frame
    clear = passed.ravel()[blocks_at(frame, *_detector_position(cells, frame))] > MIN_CLEAR_TRANSMISSION
    basis = np.stack([np.ones_like(cells.u), cells.u, cells.v], axis=1)
    if clear.sum() < 12:
        return None
    used = clear
    for _ in range(5):
        plane = np.linalg.lstsq(basis[used], excess[used], rcond=None)[0]
        residual = excess - basis @ plane
        spread = median_sigma(residual[used]) + 1e-9
        narrowed = clear & (np.abs(residual) < 3.0 * spread)
        if narrowed.sum() < 12:
            break
        used = narrowed
    allowed = max(MAX_SKY_DIFFERENCE_SIGMA * spread, MIN_SKY_DIFFERENCE_NOISE * cells.noise_adu[green])
    difference: Float64s = np.abs(residual) / allowed
    return difference
