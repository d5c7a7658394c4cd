"""What is left of gradients over a whole mosaic, told from its empty sky, as a polynomial of low order.

Cells of the sky come from `photutils.background` with all that stands out masked by `photutils.segmentation`.  Light of
nebulae is broad and only adds to the sky: cells brighter than the polynomial of the others count for nothing, and where
too little empty sky is left, or it lies in one corner only, there is no model at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from astropy.stats import SigmaClip
from numpy.polynomial import legendre
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, binary_opening, gaussian_filter

from zemosaic.arrays import Box, Float64s, median_sigma
from zemosaic.picture.downsample import block_size, downsampled
from zemosaic.store.axis_order import Pixels

if TYPE_CHECKING:
    from photutils.background import Background2D

__all__ = ["FlattenedPixels", "NoModel", "ResidualBackground", "residual_background"]

MAX_PX = 1200
"""Longest side of the reduced mosaic that the sky is looked for on."""
CELLS_ACROSS = 40
MIN_CELL_PX = 8
ORDER = 2
"""Degree of the polynomial: a plane and its bend."""
MAX_EMPTY_PERCENT = 70.0
"""A cell counts from so much of its pixels on that nothing stands on."""
OBJECT_SIGMAS = 2.5
SMOOTH_PX = 2.0
MIN_OBJECT_PX = 5
GROWN_PX = 3
GROWN_CELLS = 2
"""So many cells around a nebula are not taken for empty sky."""
CELL_SIGMAS = 3.0
"""Cells that are brighter than the polynomial by this much hold light."""
MAX_NOISE_RATIO = 5.0
"""The sky's own structure from cell to cell counts as noise up to so many times the noise of the pixels."""
MIN_EMPTY_PART = 0.4
"""Part of the covered cells that must be empty."""
MAX_REACH = 1.0
"""How far the polynomial may be from the cells that decide, as the variance of its value over that of one cell."""
ROUNDS = 25
MIN_COVERED = 0.5
"""A cell is part of the mosaic where so much of it holds data."""
TERMS = tuple((i, j) for i in range(ORDER + 1) for j in range(ORDER + 1 - i))
"""Degrees in x and y of the polynomial's terms; the first one is the level, which is never taken off."""

NoModel = Literal["small", "nebula", "corner"]
"""Why there is no model: too few cells; too little empty sky; empty sky in one part of the mosaic only."""


@dataclass(frozen=True)
class ResidualBackground:
    """A smooth background over a part of a canvas, zero in the mean over what is covered."""

    box: Box
    """(y0, y1, x0, x1) in pixels of the canvas; the polynomial runs from -1 to 1 across it."""
    terms: tuple[tuple[float, ...], ...]
    """Factors of Legendre polynomials in the order of `TERMS`, for each channel; in the mosaic's units."""
    amplitude: tuple[float, ...]
    """From its lowest to its highest value over the covered part, for each channel."""
    error: tuple[float, ...]
    """Standard error of its value, the typical one over the covered part, for each channel."""
    empty_part: float
    """Part of the covered sky that decided about it, 0 to 1."""

    def at(self, rows: Float64s, columns: Float64s) -> NDArray[np.float32]:
        """Return the background on a grid, shape (channels, rows, columns).

        Parameters
        ----------
        rows, columns : ndarray
            In pixels of the canvas.
        """
        y0, y1, x0, x1 = self.box
        x = (2.0 * np.asarray(columns, float) + 1.0 - x0 - x1) / (x1 - x0)
        y = (2.0 * np.asarray(rows, float) + 1.0 - y0 - y1) / (y1 - y0)
        grids = []
        for factors in self.terms:
            square = np.zeros((ORDER + 1, ORDER + 1))
            for (i, j), factor in zip(TERMS, factors, strict=True):
                square[i, j] = factor
            grids.append(legendre.leggrid2d(x, y, square).T)
        model: NDArray[np.float32] = np.stack(grids).astype(np.float32)
        return model


@dataclass(frozen=True)
class FlattenedPixels:
    """Pixels of a mosaic without its residual background, read by slices like the mosaic itself."""

    source: Pixels
    """Shape (channels, h, w)."""
    background: ResidualBackground

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, h, w)."""
        return tuple(self.source.shape)

    @property
    def chunks(self) -> Any:
        """How the source is divided on the disk, where it is."""
        return getattr(self.source, "chunks", None)

    def __getitem__(self, key: Any, /) -> NDArray[np.float32]:
        channels, rows, columns = key
        values = np.asarray(self.source[channels, rows, columns], np.float32)
        y, x = (np.arange(*part.indices(size)) for part, size in zip((rows, columns), self.shape[1:], strict=True))
        flat: NDArray[np.float32] = values - self.background.at(y, x)[channels]
        return flat


def residual_background(value: Pixels, box: Box) -> ResidualBackground | NoModel:
    """Return the residual background of a mosaic, or why there is none.

    Parameters
    ----------
    value : array-like, shape (channels, h, w)
        The mosaic; NaN where no data is.
    box : (y0, y1, x0, x1)
        The part that is looked at.
    """
    planes = downsampled(value, MAX_PX, axis_order="CHW", box=box)
    side = block_size(box[1] - box[0], box[3] - box[2], MAX_PX)
    cell = max(MIN_CELL_PX, math.ceil(max(planes.shape[1:]) / CELLS_ACROSS))
    if min(planes.shape[1:]) < 4 * cell:
        return "small"
    levels, noise, y, x = _cells(planes, cell)
    shape = (-(-planes.shape[1] // cell), -(-planes.shape[2] // cell))
    # Centres of cells in pixels of the canvas, and then from -1 to 1 across the box.
    x, y = (2.0 * side * x / (box[3] - box[2]) - 1.0), (2.0 * side * y / (box[1] - box[0]) - 1.0)
    every = np.asarray(legendre.legvander2d(x, y, (ORDER, ORDER)), np.float64)
    matrix = every[:, [i * (ORDER + 1) + j for i, j in TERMS]]
    known = np.asarray(np.isfinite(levels).all(axis=0))
    if known.sum() < 4 * len(TERMS):
        return "nebula"
    empty = _empty(levels, noise, matrix, known, shape)
    covered = (_share(np.asarray(np.isfinite(planes).all(axis=0)), cell) >= MIN_COVERED).ravel()
    part = float(empty.sum() / max(covered.sum(), 1))
    if part < MIN_EMPTY_PART:
        return "nebula"
    inverse = np.linalg.pinv(matrix[empty].T @ matrix[empty])
    reach = np.einsum("ij,jk,ik->i", matrix[covered], inverse, matrix[covered])
    if reach.max() > MAX_REACH:
        return "corner"
    return _fitted(box, levels, matrix, empty, covered, (part, reach))


def _fitted(
    box: Box,
    levels: Float64s,
    matrix: Float64s,
    empty: NDArray[np.bool_],
    covered: NDArray[np.bool_],
    known: tuple[float, Float64s],
) -> ResidualBackground:
    """Return the polynomial through empty cells, with its mean over the covered cells taken off."""
    part, reach = known
    terms, amplitude, error = [], [], []
    for plane in levels:
        factors = np.linalg.lstsq(matrix[empty], plane[empty], rcond=None)[0]
        scatter = median_sigma(plane[empty] - matrix[empty] @ factors)
        shown = matrix[covered] @ factors
        factors[0] -= shown.mean()
        terms.append(tuple(float(factor) for factor in factors))
        amplitude.append(float(np.ptp(shown)))
        error.append(float(scatter * math.sqrt(np.median(reach))))
    return ResidualBackground(box, tuple(terms), tuple(amplitude), tuple(error), part)


def _cells(planes: NDArray[np.float32], cell: int) -> tuple[Float64s, Float64s, Float64s, Float64s]:
    """Return level and noise of cells, shape (channels, cells), and the places of their centres in pixels.

    A cell that is no sky, or not enough of it, is NaN.
    """
    outside = np.asarray(~np.isfinite(planes).all(axis=0))
    things = _objects(planes, outside, cell)
    found = [_background(plane, outside | things, cell) for plane in planes]
    rows, columns = found[0].background_mesh.shape
    # What photutils fills in from neighbouring cells is no measurement.
    used = _share(~(outside | things), cell) > 1.0 - MAX_EMPTY_PERCENT / 100.0
    levels = np.stack([np.where(used, one.background_mesh, np.nan).ravel() for one in found])
    noise = np.stack([_rms_mesh(one).ravel() for one in found])
    x, y = np.meshgrid((np.arange(columns) + 0.5) * cell, (np.arange(rows) + 0.5) * cell)
    return levels, noise / cell, y.ravel(), x.ravel()


def _objects(planes: NDArray[np.float32], outside: NDArray[np.bool_], cell: int) -> NDArray[np.bool_]:
    """Return where stars, galaxies and knots of nebulae stand out of their surroundings."""
    light = np.where(outside, np.float32(0), planes.mean(axis=0))
    rough = _background(light, outside, 2 * cell)
    clear = np.where(outside, 0.0, light - rough.background)
    smooth = gaussian_filter(clear, SMOOTH_PX)
    sky = smooth[~outside]
    limit = np.median(sky) + OBJECT_SIGMAS * median_sigma(sky - np.median(sky))
    from photutils.segmentation import detect_sources  # slow to import, and not every run comes here

    segments = detect_sources(smooth, limit, MIN_OBJECT_PX, mask=outside)
    if segments is None:
        return np.zeros(outside.shape, bool)
    return np.asarray(binary_dilation(segments.data > 0, iterations=GROWN_PX))


def _background(plane: NDArray[Any], mask: NDArray[np.bool_], cell: int) -> Background2D:
    from photutils.background import Background2D, MedianBackground  # slow to import, and not every run comes here

    return Background2D(
        np.where(mask, np.float32(0), plane),
        cell,
        mask=mask,
        exclude_percentile=MAX_EMPTY_PERCENT,
        filter_size=1,
        sigma_clip=SigmaClip(sigma=3.0, maxiters=5),
        bkg_estimator=MedianBackground(),
    )


def _rms_mesh(model: Background2D) -> NDArray[np.floating]:
    """Return the noise of the cells under either of the names that photutils has for it."""
    rms: NDArray[np.floating] = model.bkg_rms_mesh if hasattr(model, "bkg_rms_mesh") else model.background_rms_mesh
    return rms


def _share(mask: NDArray[np.bool_], cell: int) -> Float64s:
    """Return the part of each cell's pixels that a mask holds, cut cells being filled up with pixels outside of it."""
    rows, columns = (-(-side // cell) for side in mask.shape)
    padded = np.zeros((rows * cell, columns * cell))
    padded[: mask.shape[0], : mask.shape[1]] = mask
    return np.asarray(padded.reshape(rows, cell, columns, cell).mean(axis=(1, 3)))


def _empty(
    levels: Float64s, noise: Float64s, matrix: Float64s, known: NDArray[np.bool_], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """Return the cells of empty sky: those where no channel is brighter than the polynomial of the others.

    Their neighbours count for nothing either, since the light of a nebula does not end where it drops below the noise.
    """
    empty = known.copy()
    pairs = list(zip(levels, noise, strict=True))
    sigma = [_cell_noise(plane[known], errors[known], matrix[known]) for plane, errors in pairs]
    for plane, one in zip(levels, sigma, strict=True):
        # Begin with the darker half about a first polynomial, so that a large nebula does not lift it.
        over = plane - matrix @ np.linalg.lstsq(matrix[known], plane[known], rcond=None)[0]
        empty &= ~(over > max(float(np.median(over[known])), one))
    for _ in range(ROUNDS):
        if empty.sum() < 2 * len(TERMS):
            return np.zeros(len(empty), bool)
        bright, dark = np.zeros(len(empty), bool), np.zeros(len(empty), bool)
        for plane, one in zip(levels, sigma, strict=True):
            over = plane - matrix @ np.linalg.lstsq(matrix[empty], plane[empty], rcond=None)[0]
            bright |= known & (over > CELL_SIGMAS * one)
            dark |= known & (over < -CELL_SIGMAS * one)
        # A single bright cell is chance; several side by side are a nebula.
        nebula = binary_opening(bright.reshape(shape), np.ones((2, 2), bool))
        near = binary_dilation(nebula, np.ones((3, 3), bool), iterations=GROWN_CELLS).ravel()
        now = known & ~bright & ~dark & ~near
        if np.array_equal(now, empty):
            break
        empty = now
    return empty


def _cell_noise(levels: Float64s, noise: Float64s, matrix: Float64s) -> float:
    """Return the noise of a cell's level: its scatter in the calmest sky, but not far more than that of its pixels."""
    pixels = float(np.median(noise))
    factors = np.linalg.lstsq(matrix, levels, rcond=None)[0]
    away = levels - matrix @ factors
    low = away[away <= np.median(away)]
    return float(np.clip(median_sigma(low - np.median(low)) * 2.0, pixels, MAX_NOISE_RATIO * pixels))
