"""Parts of frames behind a roof, a tree or the edge of a cloud: out there, in elsewhere.

Stars in common decide whether a part of a frame is hidden at all: those that should be there and lack
most of their light.  The sky over that part is brighter or darker than the plane through the open rest;
where the difference is clear it draws the line, block by block, far finer than the stars could.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.calibration.cells import CellSamples
from zemosaic.calibration.photometry import Photometry
from zemosaic.model import HIDDEN_BLOCK_PX, FrameRef, MeasuredFrame, SolvedFrame, detector_coordinates

__all__ = ["blocks_at", "hidden_blocks", "open_cells", "open_transparency"]

Floats = NDArray[np.float64]

NEIGHBOURS = 5
"""Stars that together say whether their surroundings are hidden."""
HIDDEN = 0.6
"""A place that passes less than this part of the frame's light is hidden ..."""
OPEN = 0.85
"""... and one that passes more than this surely is not."""
SURE_SIGMA = 8.0
"""Stars are expected that should stand out by this many errors."""
LEAST_STARS = 4
LEAST_PART = 0.06
"""As many stars must be missing or dim, and this part of those expected: where many are, a few are missed by chance."""
TOGETHER = 0.6
"""... and this part of the missing ones among others that are missing: stars merged with neighbours, which some
frames tell apart and others do not, are missing everywhere."""
BY_STARS_ALONE = 0.15
"""... and this part where the sky looks as it does elsewhere: most of what hides stars shows."""
SKY_SIGMA = 6.0
SKY_LEAST = 0.1
"""What the sky may differ from a plane with nothing in front of it, in noise of a pixel."""
CLEAR = 4.0
"""The sky tells the hidden part when it differs this many times more than it may."""
EDGE_PX = 12


def blocks_at(frame: FrameRef, x: Floats, y: Floats) -> NDArray[np.int64]:
    """Return the flat index of the block (`HIDDEN_BLOCK_PX` wide) each detector position lies in."""
    rows, columns = _shape(frame)
    row = np.clip(np.floor((y + 0.5) / HIDDEN_BLOCK_PX), 0, rows - 1).astype(np.int64)
    column = np.clip(np.floor((x + 0.5) / HIDDEN_BLOCK_PX), 0, columns - 1).astype(np.int64)
    return row * columns + column


def hidden_blocks(
    solved: Sequence[SolvedFrame],
    star_ids: Sequence[NDArray[np.int64]],
    star_sky: tuple[Floats, Floats],
    photometry: Photometry,
    groups: NDArray[np.int64],
    cells: Sequence[CellSamples],
) -> list[tuple[int, ...]]:
    """Return per frame the blocks that something hides, most often none.

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
    through = [
        _stars_through(one, ids, star_sky, photometry, k, float(photometry.vignetting[groups[k]]))
        for k, (one, ids) in enumerate(zip(solved, star_ids, strict=True))
    ]
    if all(one is None for one in through):
        return [()] * len(solved)
    light = _cell_light(cells, photometry.transparency)
    found: list[tuple[int, ...]] = []
    for k, (one, stars) in enumerate(zip(solved, through, strict=True)):
        if stars is None:
            found.append(())
            continue
        green = min(1, photometry.transparency.shape[1] - 1)
        excess = cells[k].mean_adu[:, green] - photometry.transparency[k, green] * light[k]
        found.append(_blocks(one.measured, stars, cells[k], excess, green))
    return found


def open_transparency(
    solved: Sequence[SolvedFrame],
    star_ids: Sequence[NDArray[np.int64]],
    photometry: Photometry,
    groups: NDArray[np.int64],
) -> Floats:
    """Return what each frame passes (green) where nothing hides its stars, shape (frames,).

    A frame's zero point lies between its open and its hidden stars.  Where these differ by more than
    `HIDDEN`, its brighter ones are those in the open; else it is the zero point itself.
    """
    green = min(1, photometry.star_flux.shape[1] - 1)
    passed = photometry.transparency[:, green].copy()
    for k, (one, ids) in enumerate(zip(solved, star_ids, strict=True)):
        stars, frame = one.measured.stars, one.frame
        light, error = stars.flux_adu[:, green], stars.flux_error_adu[:, green]
        known = (ids >= 0) & ~stars.saturated & (light > SURE_SIGMA * error)
        expected = photometry.star_flux[ids[known], green]
        u, v = detector_coordinates(stars.x_px[known], stars.y_px[known], frame.width, frame.height)
        part = light[known] / (expected * passed[k] * (1 + photometry.vignetting[groups[k]] * (u * u + v * v)))
        part = part[np.isfinite(part)]
        if len(part) >= 2 * LEAST_STARS and np.quantile(part, 0.1) < HIDDEN * np.quantile(part, 0.75):
            passed[k] *= max(1.0, float(np.quantile(part, 0.75)))
    return passed


def open_cells(cells: CellSamples, frame: FrameRef, hidden: tuple[int, ...]) -> CellSamples:
    """Return the cells that lie in no hidden block."""
    if not hidden:
        return cells
    keep = ~np.isin(blocks_at(frame, *_detector(cells, frame)), hidden)
    parts = {name: getattr(cells, name)[keep] for name in ("row", "column", "mean_adu", "count", "u", "v")}
    return replace(cells, **parts)


def _shape(frame: FrameRef) -> tuple[int, int]:
    return -(-frame.height // HIDDEN_BLOCK_PX), -(-frame.width // HIDDEN_BLOCK_PX)


def _detector(cells: CellSamples, frame: FrameRef) -> tuple[Floats, Floats]:
    return cells.u * frame.height + 0.5 * frame.width, cells.v * frame.height + 0.5 * frame.height


def _stars_through(
    one: SolvedFrame,
    ids: NDArray[np.int64],
    star_sky: tuple[Floats, Floats],
    photometry: Photometry,
    index: int,
    vignetting: float,
) -> tuple[cKDTree, Floats] | None:
    """Return the places of the stars that should be seen and the part of their light that is; None if all is well."""
    frame, stars = one.frame, one.measured.stars
    green = min(1, photometry.star_flux.shape[1] - 1)
    if len(stars) < LEAST_STARS:
        return None
    x, y = one.wcs.sky_to_pixel(*star_sky)
    u, v = detector_coordinates(x, y, frame.width, frame.height)
    with np.errstate(invalid="ignore"):
        due = (
            photometry.transparency[index, green] * photometry.star_flux[:, green] * (1 + vignetting * (u * u + v * v))
        )
        faintest = SURE_SIGMA * float(np.percentile(stars.flux_error_adu[:, green], 25))
        least = max(faintest, 2.0 * float(np.min(stars.flux_adu[:, green])))
        inside = (x > EDGE_PX) & (y > EDGE_PX) & (x < frame.width - EDGE_PX) & (y < frame.height - EDGE_PX)
        expected = np.flatnonzero(inside & (due > least))
    for trail in one.measured.trails:
        expected = expected[~trail.reaches(x[expected], y[expected])]
    if len(expected) < 2 * NEIGHBOURS:
        return None
    got = np.zeros(len(due))
    seen = ids >= 0
    got[ids[seen]] = np.where(stars.saturated[seen], np.inf, stars.flux_adu[seen, green])
    part = np.minimum(got[expected] / due[expected], 2.0)
    bright = part[part > 0]
    # A frame half hidden has a zero point between its halves; its open half says what is passed where all is.
    part = part / max(1.0, float(np.percentile(bright, 70)) / 1.2) if len(bright) else part
    tree = cKDTree(np.stack([x[expected], y[expected]], axis=1))
    local = np.median(part[tree.query(tree.data, k=NEIGHBOURS)[1]], axis=1)
    dim = (local < HIDDEN) & (part < HIDDEN)
    least = max(LEAST_STARS, LEAST_PART * len(expected), TOGETHER * int((part < HIDDEN).sum()))
    return (tree, part) if dim.sum() >= least else None


def _cell_light(cells: Sequence[CellSamples], transparency: Floats) -> list[Floats]:
    """Return per frame the light of each of its cells beyond the frame's level: the median over all frames."""
    green = min(1, transparency.shape[1] - 1)
    row = np.concatenate([one.row for one in cells]).astype(np.int64)
    column = np.concatenate([one.column for one in cells]).astype(np.int64)
    frame = np.repeat(np.arange(len(cells)), [len(one.row) for one in cells])
    value = np.concatenate([one.mean_adu[:, green] for one in cells])
    key = (row - row.min(initial=0)) * (np.ptp(column) + 1 if len(column) else 1) + column - column.min(initial=0)
    _, cell = np.unique(key, return_inverse=True)
    order = np.argsort(cell, kind="stable")
    edges = np.flatnonzero(np.diff(cell[order], prepend=-1, append=int(cell.max(initial=-1)) + 1))
    light = np.zeros(len(edges) - 1)
    for _ in range(3):
        rest = value - transparency[frame, green] * light[cell]
        level = np.array([np.median(rest[frame == k]) if (frame == k).any() else 0.0 for k in range(len(cells))])
        scaled = ((value - level[frame]) / transparency[frame, green])[order]
        light = np.array([np.median(scaled[a:b]) for a, b in pairwise(edges)])
    starts = np.cumsum([0, *(len(one.row) for one in cells)])
    return [light[cell[a:b]] for a, b in pairwise(starts)]


def _blocks(
    measured: MeasuredFrame, stars: tuple[cKDTree, Floats], cells: CellSamples, excess: Floats, green: int
) -> tuple[int, ...]:
    frame = measured.frame
    rows, columns = _shape(frame)
    tree, part = stars
    yy, xx = np.mgrid[0:rows, 0:columns] * float(HIDDEN_BLOCK_PX) + 0.5 * HIDDEN_BLOCK_PX
    passed = np.median(part[tree.query(np.stack([xx, yy], axis=-1), k=NEIGHBOURS)[1]], axis=-1)
    hidden = passed < HIDDEN
    difference = _sky_difference(measured, cells, excess, passed, green)
    if difference is not None:
        x, y = _detector(cells, frame)
        near = cKDTree(np.stack([x, y], axis=1)).query(np.stack([xx, yy], axis=-1), k=3)[1]
        off = np.median(difference[near], axis=-1)
        if hidden.any() and float(np.median(off[hidden])) > CLEAR:
            hidden = off > 1.0
        elif np.mean(part < HIDDEN) < BY_STARS_ALONE:
            return ()
    hidden = cv2.dilate(hidden.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return tuple(int(block) for block in np.flatnonzero(hidden))


def _sky_difference(
    measured: MeasuredFrame, cells: CellSamples, excess: Floats, passed: Floats, green: int
) -> Floats | None:
    """Return how far each cell is from the plane through the open ones, in units of what it may be."""
    frame = measured.frame
    open_ = passed.ravel()[blocks_at(frame, *_detector(cells, frame))] > OPEN
    basis = np.stack([np.ones_like(cells.u), cells.u, cells.v], axis=1)
    if open_.sum() < 12:
        return None
    keep = open_
    for _ in range(5):
        plane = np.linalg.lstsq(basis[keep], excess[keep], rcond=None)[0]
        rest = excess - basis @ plane
        spread = 1.4826 * float(np.median(np.abs(rest[keep]))) + 1e-9
        narrowed = open_ & (np.abs(rest) < 3.0 * spread)
        if narrowed.sum() < 12:
            break
        keep = narrowed
    allowed = max(SKY_SIGMA * spread, SKY_LEAST * cells.noise_adu[green])
    return np.abs(rest) / allowed
