"""The background as every frame sees it: means over cells that are fixed on the sky.

Because a cell covers the same sky in every frame, and stars are masked by one common list, the
nebula within it cancels in the comparison of two frames exactly; no smoothing enters.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.calibration.sensor.fixed_pattern import NO_PATTERN, FixedPattern, glow_at
from zemosaic.calibration.sensor.photon_transfer import MIN_PIXEL_PAIRS, cell_variances, transfer_points
from zemosaic.model import FrameRef, MeasuredFrame, Trail, detector_coordinates
from zemosaic.wcs import FrameWcs

__all__ = ["CellSamples", "bare_sky", "complete_cells", "mask_radius_px", "sample_cells"]


LATTICE = 48
"""Detector pixels between exact positions on the cell grid."""
CLIP = (3.0, 2.5)
"""Pixels this many sigma below or above their cell's mean are left out."""
_UNIT = NormalDist()
CLIP_LOSS = (_UNIT.pdf(CLIP[1]) - _UNIT.pdf(CLIP[0])) / (_UNIT.cdf(CLIP[1]) - _UNIT.cdf(-CLIP[0]))
"""What the mean of normal noise loses that way, in sigma."""
MIN_CELL_COMPLETENESS = 0.95
"""A cell is complete in a frame when its free area is at least this fraction of the largest one over all frames of
pixels of that size ..."""
MIN_COMMON_COMPLETENESS = 0.8
"""... and this fraction of the largest one over all frames: larger pixels lose more area beside masked stars."""
AREA_CLASS = 0.05
"""Pixels whose areas differ by less than about this, as a part, are of one size."""
EDGE_PX = 6
TRAIL_SIDE_PX = 6.0
"""Beside twice a trail's width, to either side."""


@dataclass(frozen=True)
class CellSamples:
    """One frame's cells; first axis: cells."""

    row: NDArray[np.int32]
    """Row and column of the cell on the grid of the reference plane."""
    column: NDArray[np.int32]
    mean_adu: Float64s
    """Shape (n, channels)."""
    count: NDArray[np.int32]
    u: Float64s
    """Mean detector position, see `detector_coordinates`."""
    v: Float64s
    noise_adu: tuple[float, ...]
    """Noise of one of the counted values per channel."""
    transfer: Float64s = field(default_factory=lambda: np.empty((0, 3)))
    """How the noise grows with the level, all channels together: see `transfer_points`."""
    pixel_area: float = 1.0
    """Area of a raw pixel in pixels of the reference plane: so much more diffuse light falls on it."""
    step: int = 1
    """Raw pixels along a side of what is counted."""
    extra_adu: Float64s = field(default_factory=lambda: np.zeros(0))
    """Standard error of each cell beside its noise, the same for all channels; none where it is empty."""

    @property
    def free_area(self) -> Float64s:
        """Free area of each cell in pixels of the reference plane, shape (n,)."""
        return np.asarray(self.count * (self.step**2 * self.pixel_area), np.float64)

    @property
    def extra_error_adu(self) -> Float64s:
        """Standard error of each cell beside its noise, shape (n,)."""
        return self.extra_adu if len(self.extra_adu) else np.zeros(len(self.row))

    def lowered(self, level_adu: float) -> CellSamples:
        """Return the samples less a level."""
        if level_adu == 0.0:
            return self
        transfer = self.transfer - np.array([level_adu, 0.0, 0.0])
        return replace(self, mean_adu=self.mean_adu - level_adu, transfer=transfer)


def mask_radius_px(flux_adu: Float64s, fwhm_px: float, noise_adu: float) -> Float64s:
    """Return the radius beyond which a star's wings are lost in 5 % of the noise of a pixel.

    For a Moffat profile of exponent 3, whose wings are ``2 flux alpha**4 / (pi r**6)``.

    Parameters
    ----------
    flux_adu : ndarray, shape (n,)
        ADU.
    fwhm_px : float
    noise_adu : float
        Of one pixel.

    Returns
    -------
    ndarray, shape (n,)
        Pixels; at least 1.5 FWHM, at most 200 px.
    """
    alpha = fwhm_px / (2.0 * math.sqrt(2.0 ** (1.0 / 3.0) - 1.0))
    reach = (2.0 * np.maximum(flux_adu, 0.0) * alpha**4 / (math.pi * 0.05 * noise_adu)) ** (1.0 / 6.0)
    return np.clip(reach, 1.5 * fwhm_px, 200.0)


def complete_cells(
    cells: Sequence[CellSamples], source: NDArray[np.int64], cell: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], Float64s]:
    """Return which observations cover as much of their cell as any frame does, and the largest free area per cell.

    Parameters
    ----------
    cells : sequence of CellSamples
        One per frame.
    source, cell : ndarray of int, shape (n,)
        Frame and cell of each observation, frame by frame.

    Returns
    -------
    complete : ndarray of bool, shape (n,)
    largest : ndarray, shape (number of cells,)
    """
    area = np.concatenate([sample.free_area for sample in cells])
    sizes = np.array([(round(math.log(sample.pixel_area) / AREA_CLASS), sample.step) for sample in cells])
    _, size = np.unique(sizes, axis=0, return_inverse=True)
    size_of_observation = size.ravel()[source]
    largest = np.zeros((int(size.max(initial=0)) + 1, int(cell.max(initial=-1)) + 1))
    np.maximum.at(largest, (size_of_observation, cell), area)
    over_all = largest.max(axis=0)
    complete = area >= MIN_CELL_COMPLETENESS * largest[size_of_observation, cell]
    return complete & (area >= MIN_COMMON_COMPLETENESS * over_all[cell]), over_all


def sample_cells(
    measured: MeasuredFrame,
    planes: Sequence[NDArray[np.float32]],
    step: int,
    wcs: FrameWcs,
    reference: FrameWcs,
    cell_px: int,
    stars: tuple[Float64s, Float64s, Float64s],
    pattern: FixedPattern = NO_PATTERN,
) -> CellSamples:
    """Average a frame's background over the cells of the reference plane.

    Parameters
    ----------
    measured : MeasuredFrame
    planes : sequence of ndarray, shape (h, w), float32
        Colour planes of the mended frame.
    step : int
        Raw pixels to one of the planes'.
    wcs, reference : FrameWcs
        Of the frame, and of the plane that carries the cells.
    cell_px : int
        Side of a cell in pixels of the reference plane.
    stars : (ra_deg, dec_deg, radius_arcsec)
        Discs to leave out, the same for all frames.
    pattern : FixedPattern
        What was taken off the planes: the light of its glow is gone, the noise of that light is not.
    """
    frame = measured.frame
    height, width = planes[0].shape
    free = bare_sky(measured, wcs, stars, step, (height, width))
    xs = np.arange(0, frame.width + LATTICE, LATTICE, dtype=float)
    ys = np.arange(0, frame.height + LATTICE, LATTICE, dtype=float)
    gx, gy = reference.sky_to_pixel(*wcs.pixel_to_sky(xs[None, :], ys[:, None]))
    gx, gy = gx / cell_px, gy / cell_px
    row0, column0 = int(np.floor(gy.min())), int(np.floor(gx.min()))
    rows, columns = int(np.floor(gy.max())) - row0 + 1, int(np.floor(gx.max())) - column0 + 1
    line, cell = _runs(free, step, gx - column0, gy - row0, LATTICE, columns, rows * columns)
    count, sum_x, sum_y = _positions(line, cell, step, rows * columns)
    places = np.maximum(count, 1)
    glow = glow_at(pattern, sum_x / places, sum_y / places)
    noise = _plane_noise(measured, step)
    halved = _halved(measured, step)
    raw_pixels = [2 if halved and c == 1 else 1 for c in range(len(planes))]
    means, transfer = [], []
    for plane, sigma, raw in zip(planes, noise, raw_pixels, strict=True):
        variance, pairs = cell_variances(plane, line, cell, rows * columns)
        noise_of_cells = _cell_noise(variance, pairs, sigma)
        means.append(_clipped_means(plane, line, cell, noise_of_cells))
        transfer.append(transfer_points(means[-1] + glow, variance * raw, pairs))
    mean_adu = np.stack(means, axis=1)
    used = np.flatnonzero((count > 0) & np.isfinite(mean_adu).all(axis=1))
    u, v = detector_coordinates(sum_x[used] / count[used], sum_y[used] / count[used], frame.width, frame.height)
    return CellSamples(
        row=(used // columns + row0).astype(np.int32),
        column=(used % columns + column0).astype(np.int32),
        mean_adu=mean_adu[used],
        count=count[used].astype(np.int32),
        u=u,
        v=v,
        noise_adu=noise,
        transfer=np.concatenate(transfer),
        pixel_area=(wcs.scale_arcsec / reference.scale_arcsec) ** 2,
        step=step,
    )


def _halved(measured: MeasuredFrame, step: int) -> bool:
    """Return whether a value of the green plane is the mean of two raw pixels."""
    return step == 2 and len(measured.noise_adu) == 3


def _plane_noise(measured: MeasuredFrame, step: int) -> tuple[float, ...]:
    """Return the noise per plane pixel."""
    halved = _halved(measured, step)
    return tuple(n / math.sqrt(2.0) if halved and c == 1 else n for c, n in enumerate(measured.noise_adu))


def bare_sky(
    measured: MeasuredFrame,
    wcs: FrameWcs,
    stars: tuple[Float64s, Float64s, Float64s],
    step: int,
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Return 1 where a pixel shows bare sky, else 0: neither stars, nor trails, nor the frame's edge.

    Parameters
    ----------
    measured : MeasuredFrame
    wcs : FrameWcs
    stars : (ra_deg, dec_deg, radius_px)
        Discs to leave out.
    step : int
        Raw pixels to one of those that are asked for.
    shape : tuple of int
        Rows and columns of these.
    """
    free = _free_pixels(measured.frame, wcs, stars, step, shape)
    _leave_out_trails(free, measured.trails, step)
    return free


def _free_pixels(
    frame: FrameRef,
    wcs: FrameWcs,
    stars: tuple[Float64s, Float64s, Float64s],
    step: int,
    shape: tuple[int, int],
) -> NDArray[np.uint8]:
    """Return 1 where a plane pixel shows bare sky, else 0."""
    free = np.ones(shape, np.uint8)
    edge = max(1, EDGE_PX // step)
    for side in (free[:edge], free[-edge:], free[:, :edge], free[:, -edge:]):
        side[...] = 0
    ra, dec, radius_arcsec = stars
    radius = radius_arcsec / wcs.scale_arcsec
    x, y = wcs.sky_to_pixel(ra, dec)
    with np.errstate(invalid="ignore"):
        near = (x > -radius) & (y > -radius) & (x < frame.width + radius) & (y < frame.height + radius)
    _clear_discs(free, (x[near] + 0.5) / step - 0.5, (y[near] + 0.5) / step - 0.5, np.ceil(radius[near] / step))
    return free


def _leave_out_trails(free: NDArray[np.uint8], trails: Sequence[Trail], step: int) -> None:
    """Set what satellites and planes crossed to 0, from edge to edge: their faint flanks pass every clipping.

    A trail through the middle of a frame looks like less light in its corners.
    """
    reach = math.hypot(*free.shape)
    for trail in trails:
        angle = math.radians(trail.angle_deg)
        x, y = (trail.x_px + 0.5) / step - 0.5, (trail.y_px + 0.5) / step - 0.5
        ends = [(round(x + t * math.cos(angle)), round(y + t * math.sin(angle))) for t in (-reach, reach)]
        cv2.line(free, ends[0], ends[1], 0, max(1, math.ceil(2.0 * (2.0 * trail.width_px + TRAIL_SIDE_PX) / step)))


@njit(cache=True, error_model="numpy", nogil=True)
def _clear_discs(free, x, y, radius):  # type: ignore[no-untyped-def]
    height, width = free.shape
    for k in range(x.size):
        column, row, reach = round(x[k]), round(y[k]), int(radius[k])
        for j in range(max(0, row - reach), min(height, row + reach + 1)):
            half = int(math.sqrt(float(reach * reach - (j - row) ** 2)))
            free[j, max(0, column - half) : max(0, min(width, column + half + 1))] = 0


@njit(cache=True, error_model="numpy", nogil=True)
def _runs(free, step, gx, gy, lattice, columns, cells):  # type: ignore[no-untyped-def]
    """Return runs of free pixels within a cell: (row, first column, end), shape (n, 3), and the cells, shape (n,)."""
    height, width = free.shape
    line = np.empty((height * width // 2 + height, 3), np.int32)
    cell = np.empty(len(line), np.int32)
    n = 0
    for j in range(height):
        y = (j + 0.5) * step - 0.5
        a = int(y // lattice)
        t = y / lattice - a
        current, last = -1, -1
        for i in range(width):
            k = -1
            if free[j, i]:
                x = (i + 0.5) * step - 0.5
                b = int(x) // lattice
                if b != last:
                    last = b
                    left_x, right_x = (
                        (1 - t) * gx[a, b] + t * gx[a + 1, b],
                        (1 - t) * gx[a, b + 1] + t * gx[a + 1, b + 1],
                    )
                    left_y, right_y = (
                        (1 - t) * gy[a, b] + t * gy[a + 1, b],
                        (1 - t) * gy[a, b + 1] + t * gy[a + 1, b + 1],
                    )
                    slope_x, slope_y = (right_x - left_x) / lattice, (right_y - left_y) / lattice
                px, py = left_x + slope_x * (x - b * lattice), left_y + slope_y * (x - b * lattice)
                if px >= 0 and py >= 0:
                    k = int(py) * columns + int(px)
                    k = k if k < cells else -1
            if k != current:
                if current >= 0:
                    line[n, 2] = i
                    n += 1
                if k >= 0:
                    line[n, 0], line[n, 1], cell[n] = j, i, k
                current = k
        if current >= 0:
            line[n, 2] = width
            n += 1
    return line[:n].copy(), cell[:n].copy()


@njit(cache=True, error_model="numpy", nogil=True)
def _positions(line, cell, step, cells):  # type: ignore[no-untyped-def]
    """Return pixels per cell and the sums of their detector positions."""
    count, sum_x, sum_y = np.zeros(cells, np.int64), np.zeros(cells), np.zeros(cells)
    for m in range(len(cell)):
        row, first, end = line[m]
        k, number = cell[m], end - first
        count[k] += number
        sum_x[k] += number * (0.5 * (first + end) * step - 0.5)
        sum_y[k] += number * ((row + 0.5) * step - 0.5)
    return count, sum_x, sum_y


def _cell_noise(variance: Float64s, pairs: Float64s, noise: float) -> Float64s:
    """Return the noise within each cell; that of the plane where too few pixels tell, or what they tell is no noise."""
    known = (pairs >= MIN_PIXEL_PAIRS) & (variance > (0.5 * noise) ** 2) & (variance < (2.0 * noise) ** 2)
    return np.where(known, np.sqrt(variance), noise)


def _clipped_means(
    plane: NDArray[np.float32], line: NDArray[np.int32], cell: NDArray[np.int32], sigma: Float64s
) -> Float64s:
    """Return each cell's mean after its outliers were left out twice; NaN where nothing is left.

    Limits that lie closer above than below leave more of the light out than of the dark, and the more the more noise
    there is: where it is brightest.  What normal noise loses that way is given back (the mean of a truncated normal
    distribution); else brightness would not be proportional to light.
    """
    low, high = np.full(len(sigma), -np.inf), np.full(len(sigma), np.inf)
    mean: Float64s = _means(plane, line, cell, low.astype(np.float32), high.astype(np.float32))
    for _ in range(2):
        low, high = mean - CLIP[0] * sigma, mean + CLIP[1] * sigma
        mean = _means(plane, line, cell, low.astype(np.float32), high.astype(np.float32)) + CLIP_LOSS * sigma
    return mean


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"reassoc", "nsz"})
def _means(plane, line, cell, low, high):  # type: ignore[no-untyped-def]
    total = np.zeros(low.size)
    number = np.zeros(low.size, np.int64)
    for m in range(len(cell)):
        k = cell[m]
        least, most = low[k], high[k]
        light, inside = np.float32(0), np.int32(0)
        # Sums of one run are vectors of 32 bits.
        for value in plane[line[m, 0], line[m, 1] : line[m, 2]]:
            good = (value >= least) & (value <= most)
            light += value if good else np.float32(0)
            inside += good
        total[k] += light
        number[k] += inside
    return total / number
