"""The noise of every pixel of a mosaic: what its frames' noises and weights make it, at a level measured on the sky.

A mean of samples with weights w and variances v has the variance ``sum w**2 v / (sum w)**2``. The weight map holds
``sum w`` of the samples that stayed; ``sum w**2 v / sum w`` changes only where frames begin and end, and is made from
the frames on a coarse lattice. There v follows the light: photons of a nebula or of a bright side of the sky are noise
too. How much of its noise a sample keeps when it is interpolated depends on the kernel, the mask of colours and the
place between the raw pixels; that one factor per channel is measured on the mosaic's bare sky.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s, Float64s, median
from zemosaic.model import OBSTRUCTION_BLOCK_PX, CalibratedFrame, GridPlan, detector_coordinates
from zemosaic.qa.light_noise import relative_variance
from zemosaic.store.axis_order import Pixels, axis_layout

__all__ = ["STEP_PX", "SigmaPixels", "SkyNoise", "measure_sky_noise", "variance_of_unit_weight"]

STEP_PX = 32
"""Between the points of the lattice."""
CELL_PX = 32
"""Side of the cells of sky in which noise is measured."""
BLOCK_PX = 8
"""Side of the blocks whose means tell how noise averages out."""
MAX_STRIPES = 24
"""Stripes of cells that are looked at, spread over the mosaic."""
MIN_CELLS = 12
STAR_SIGMAS = 6.0
"""A cell with a pixel that stands out by more holds a star."""
CLIP_SIGMAS = 3.0
ONE_SIGMA_PERCENT = 15.866
"""Part of normally distributed values, in percent, that lie more than one sigma below their median."""
FILL_ROUNDS = 3


@dataclass(frozen=True)
class SkyNoise:
    """Noise of a mosaic's bare sky against what its frames let expect; one number per channel where several."""

    level: tuple[float, ...]
    """Measured noise of a pixel over that of a mean of uninterpolated samples."""
    neighbour_correlation: tuple[float, ...]
    """Correlation of the noise of pixels beside each other."""
    block_ratio: tuple[float, ...]
    """Noise of means over 8 x 8 pixels over what it were, were the pixels independent."""
    cells: int
    """Cells of sky that decided."""


@dataclass(frozen=True)
class SigmaPixels:
    """The standard deviation of every pixel, read by slices like the mosaic itself; NaN where no data is."""

    weight: Pixels
    """Shape (h, w)."""
    unit_variance: Float32s
    """From `variance_of_unit_weight`."""
    level: tuple[float, ...]
    """Factor per channel."""

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.unit_variance), *self.weight.shape)

    @property
    def chunks(self) -> Any:
        chunks = getattr(self.weight, "chunks", None)
        return None if chunks is None else (1, *chunks)

    def __getitem__(self, key: Any, /) -> NDArray[np.float32]:
        channels, rows, columns = key
        y0, y1, _ = rows.indices(self.shape[1])
        x0, x1, _ = columns.indices(self.shape[2])
        weight = np.asarray(self.weight[y0:y1, x0:x1], np.float32)
        factor = np.sqrt(self.unit_variance) * np.asarray(self.level, np.float32)[:, None, None]
        down, across = np.arange(y0, y1) // STEP_PX, np.arange(x0, x1) // STEP_PX
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = np.where(weight > 0, 1.0 / np.sqrt(weight), np.float32(np.nan)).astype(np.float32)
        return np.asarray((factor[:, down][:, :, across] * scale)[channels], np.float32)


def variance_of_unit_weight(
    plan: GridPlan, frames: Sequence[CalibratedFrame], light: Float32s | None = None
) -> Float32s:
    """Return ``sum w**2 v / sum w`` of the frames that cover each cell of the canvas.

    Parameters
    ----------
    plan : GridPlan
    frames : sequence of CalibratedFrame
        Those whose pixels are in the mosaic.
    light : ndarray, shape (channels, rows, columns), float32, optional
        The mosaic's light in each cell without the sky level that it keeps, see `smooth_light`. Without it frames are
        as noisy everywhere as in the median.

    Returns
    -------
    ndarray, shape (channels, rows, columns), float32
        Cells of `STEP_PX`; in squared units of the mosaic times a weight.
    """
    rows, columns = -(-plan.height // STEP_PX), -(-plan.width // STEP_PX)
    once, twice = np.zeros((rows, columns)), np.zeros((plan.channels, rows, columns))
    for frame in frames:
        _add_frame(plan, frame, light, once, twice)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(once > 0, twice / once, 0.0).astype(np.float32)
    for plane in ratio:
        for _ in range(FILL_ROUNDS):
            plane[plane == 0] = cv2.dilate(plane, np.ones((3, 3), np.uint8))[plane == 0]
        covered = plane > 0
        plane[~covered] = median(plane[covered]) if covered.any() else 1.0
    return ratio


def _add_frame(plan: GridPlan, frame: CalibratedFrame, light: Float32s | None, once: Float64s, twice: Float64s) -> None:
    """Add a frame to the sums of weights and of squared weights times variances where it covers the cells."""
    width, height = frame.frame.width, frame.frame.height
    corner_x, corner_y = plan.wcs.sky_to_pixel(*frame.wcs.corners(width, height))
    if not (np.isfinite(corner_x).all() and np.isfinite(corner_y).all()):
        return
    r0, c0 = (max(0, int(low.min() // STEP_PX)) for low in (corner_y, corner_x))
    r1, c1 = (min(n, int(high.max() // STEP_PX) + 1) for n, high in zip(once.shape, (corner_y, corner_x), strict=True))
    if r1 <= r0 or c1 <= c0:
        return
    down, across = ((np.arange(a, b) + 0.5) * STEP_PX - 0.5 for a, b in ((r0, r1), (c0, c1)))
    x, y = frame.wcs.sky_to_pixel(*plan.wcs.pixel_to_sky(across[None, :], down[:, None]))
    inside = (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)
    if frame.obstructed:
        blocks = -(-width // OBSTRUCTION_BLOCK_PX)
        place = (np.nan_to_num(y) // OBSTRUCTION_BLOCK_PX) * blocks + np.nan_to_num(x) // OBSTRUCTION_BLOCK_PX
        inside &= ~np.isin(place.astype(np.int64), frame.obstructed)
    u, v = detector_coordinates(x, y, width, height)
    square = u * u + v * v
    shade = 1.0 + sum(term * square ** (k + 1) for k, term in enumerate(frame.illumination))
    area = (plan.wcs.scale_arcsec / frame.wcs.scale_arcsec) ** 2
    noise = np.array(frame.noise if len(frame.noise) == len(twice) else frame.noise[:1] * len(twice)) * area
    once[r0:r1, c0:c1] += np.where(inside, frame.weight, 0.0)
    part = np.where(inside, (frame.weight / shade) ** 2, 0.0) * noise[:, None, None] ** 2
    if light is not None:
        part *= relative_variance(frame, light[:, r0:r1, c0:c1] / np.float32(area), u, v, shade)
    twice[:, r0:r1, c0:c1] += part


def measure_sky_noise(value: Pixels, expected: SigmaPixels, box: Box) -> SkyNoise | None:
    """Measure the noise of the bare sky against an expected one; None of fewer than `MIN_CELLS` cells of sky.

    In each cell a plane is taken off, and what lies below the median tells the noise: stars only add light.

    Parameters
    ----------
    value : array-like, shape (channels, h, w)
        The mosaic, NaN where no data is.
    expected : SigmaPixels
        With levels of 1.
    box : (y0, y1, x0, x1)
        Part of the canvas.
    """
    y0, y1, x0, x1 = box
    starts = np.unique(np.linspace(y0, max(y0, y1 - CELL_PX), MAX_STRIPES).astype(int))
    layout = axis_layout(value, "CHW")
    stripes = []
    for top in starts:
        stop = min(int(top) + CELL_PX, y1)
        light = np.asarray(layout.rows(int(top), stop, x0, x1), np.float64)
        sigma = np.asarray(expected[:, int(top) : stop, x0:x1], np.float64)
        stripes.append(_noise_of_cells(_cells(light), _cells(sigma)))
    squares, beside, blocks = (np.concatenate(part) for part in zip(*stripes, strict=True))
    if len(squares) < MIN_CELLS:
        return None
    return SkyNoise(
        tuple(float(v) for v in np.sqrt(median(squares, axis=0))),
        tuple(float(v) for v in median(beside, axis=0)),
        tuple(float(v) for v in np.sqrt(np.mean(blocks, axis=0))),
        len(squares),
    )


def _cells(stripe: Float64s) -> Float64s:
    """Return the whole cells of a stripe (channels, h, w), if it has any, as (cells, channels, CELL_PX**2)."""
    channels, height, width = stripe.shape
    count = width // CELL_PX if height == CELL_PX else 0
    cells = stripe[:, :CELL_PX, : count * CELL_PX].reshape(channels, height, count, -1) if count else None
    if cells is None:
        return np.empty((0, channels, CELL_PX**2))
    return cells.transpose(2, 0, 1, 3).reshape(count, channels, -1)


def _noise_of_cells(light: Float64s, sigma: Float64s) -> tuple[Float64s, Float64s, Float64s]:
    """Return the noise of cells of bare sky in units of the expected one, and how neighbours correlate.

    Parameters
    ----------
    light, sigma : ndarray, shape (cells, channels, CELL_PX**2)
        Cells that lack data or hold a star are left out of the result.

    Returns
    -------
    squares : ndarray, shape (n, channels)
        Noise squared.
    correlation : ndarray, shape (n, channels)
        Of pixels beside each other.
    blocks : ndarray, shape (n, channels)
        Variance of the means of blocks over that of independent pixels.
    """
    whole = np.isfinite(light).all(axis=(1, 2)) & np.isfinite(sigma).all(axis=(1, 2))
    light, sigma = light[whole], sigma[whole]
    rest, spread, clear = _without_planes((light - median(light, axis=2)[..., None]) / sigma)
    sky = (clear & (rest.max(axis=2) <= STAR_SIGMAS * spread)).all(axis=1)
    rest, spread = rest[sky], spread[sky]
    limit = CLIP_SIGMAS * spread[..., None]
    noise = np.clip(rest, -limit, limit).reshape(*spread.shape, CELL_PX, CELL_PX)
    power = (noise**2).mean(axis=(2, 3))
    across, down = noise[..., 1:] * noise[..., :-1], noise[:, :, 1:] * noise[:, :, :-1]
    beside = 0.5 * (across.mean(axis=(2, 3)) + down.mean(axis=(2, 3))) / power
    n = CELL_PX // BLOCK_PX
    means = noise.reshape(*spread.shape, n, BLOCK_PX, n, BLOCK_PX).mean(axis=(3, 5))
    # Three numbers of the plane are taken off.
    blocks = (means**2).sum(axis=(2, 3)) / (n * n - 3) * BLOCK_PX**2 / power
    return spread**2, beside, blocks


def _without_planes(values: Float64s) -> tuple[Float64s, Float64s, NDArray[np.bool_]]:
    """Return cells without the plane that fits their sky, their noise, and where one could be fitted.

    Parameters
    ----------
    values : ndarray, shape (cells, channels, CELL_PX**2)

    Returns
    -------
    rest : ndarray, of the same shape
    spread : ndarray, shape (cells, channels)
        Standard deviation, from what lies below the median.
    clear : ndarray of bool, shape (cells, channels)
        Whether at least half of the pixels are sky.
    """
    rows, columns = np.indices((CELL_PX, CELL_PX)) - (CELL_PX - 1) / 2.0
    terms = np.stack([np.ones(CELL_PX * CELL_PX), rows.ravel(), columns.ravel()], axis=1)
    products = (terms[:, :, None] * terms[:, None, :]).reshape(len(terms), -1)
    kept = np.ones(values.shape, bool)
    clear = np.ones(values.shape[:2], bool)
    rest, spread = values, np.ones(values.shape[:2])
    for _ in range(2):
        # Least squares over the pixels kept; where hardly any are, the cell is given up, whatever comes out.
        normal = (kept @ products).reshape(*clear.shape, 3, 3) + np.where(clear, 0.0, 1.0)[..., None, None] * np.eye(3)
        plane = np.linalg.solve(normal, ((values * kept) @ terms)[..., None])[..., 0]
        rest = values - plane @ terms.T
        ordered = np.sort(rest, axis=2)  # in vector instructions, which a search for two percentiles lacks
        middle, low = (_percentile(ordered, percent) for percent in (50.0, ONE_SIGMA_PERCENT))
        rest = rest - middle[..., None]
        spread = middle - low
        kept = np.abs(rest) <= CLIP_SIGMAS * spread[..., None]
        clear &= (spread > 0) & (kept.sum(axis=2) >= values.shape[2] // 2)
    return rest, spread, clear


def _percentile(ordered: Float64s, percent: float) -> Float64s:
    """Return a percentile of numbers in ascending order along the last axis, linear between two of them."""
    place = percent / 100.0 * (ordered.shape[-1] - 1)
    below = int(place)
    low, high = ordered[..., below], ordered[..., min(below + 1, ordered.shape[-1] - 1)]
    return np.asarray(low + (place - below) * (high - low))
