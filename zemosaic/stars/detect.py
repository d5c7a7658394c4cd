"""Stars of a mosaic, found and measured window by window.

Background and noise come from `sep.Background`, peaks are those of the image smoothed with the stars' own width, and
fluxes are sums over circles (`sep.sum_circle`) above the mean of a ring that leaves out what shines in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import sep
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.arrays import Box, Float32s, Float64s, green_channel, median_sigma
from zemosaic.stars.apertures import ApertureSizes
from zemosaic.store.axis_order import Pixels

__all__ = ["FLAG_CROWDED", "FLAG_SATURATED", "Detections", "find_stars", "find_stars_in", "joined"]

MESH_PX = 64
"""Side of the background's cells."""
MIN_WINDOW_PX = 2 * MESH_PX
STRIDE_PX = 2
"""Every second pixel of every second row tells the background as well as all of them."""
MAX_EMPTY_SHARE = 0.8
"""Where every cell of the background has less data than a fifth of its pixels, it cannot be told."""
MIN_SNR = 5.0
SHINING_SNR = 2.5
"""Pixels from here on, and those beside them, do not count for the background of a ring."""
MIN_RING_PX = 20
DEPTHS_PER_OCTAVE = 4
MIN_DEPTH_PIXELS = 200
"""So many pixels of the sample tell the noise of a depth."""
MARGIN_PX = 40
"""Around a window, so that its background and apertures know what is beyond."""
FLAG_SATURATED, FLAG_CROWDED = 1, 2
CROWDED_APERTURES = 1.6
BROAD_FWHM = 3.0
"""Width of the smoothing that tells what is broader than a star, in widths of the star."""
INNER_RADIUS_FWHM = 0.6
"""Radius of the smaller aperture that tells the width of a star."""
MIN_FWHM_RATIO, MAX_FWHM_RATIO = 0.3, 4.0


@dataclass(frozen=True)
class Detections:
    """Stars found on a mosaic; first axis: stars."""

    x_px: Float64s
    """In pixels of the array they were found on."""
    y_px: Float64s
    flux: Float64s
    """Above the background, in mosaic units, shape (n, channels)."""
    error: Float64s
    """Standard error from the noise of the background, shape (n, channels)."""
    snr: Float64s
    """Of the smoothed peak in green, shape (n,)."""
    peak: Float64s
    """Shape (n, channels)."""
    fwhm_px: Float64s
    flags: NDArray[np.int64]
    """Sum of `FLAG_SATURATED` and `FLAG_CROWDED`."""

    def __len__(self) -> int:
        return len(self.x_px)

    def __getitem__(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> Detections:
        return Detections(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def joined(parts: Iterable[Detections], channels: int) -> Detections:
    """Return the stars of all parts, in their order.

    Parameters
    ----------
    parts : iterable of Detections
    channels : int
        Of the mosaic, for the case of no star at all.
    """
    pieces = [_none(channels), *parts]
    columns = [np.concatenate([getattr(piece, name) for piece in pieces]) for name in Detections.__dataclass_fields__]
    return Detections(*columns)


def find_stars(
    pixels: Pixels,
    windows: Iterable[Box],
    fwhm_px: float,
    cut_off: tuple[float, ...] | None,
    kept: Pixels | None = None,
) -> Iterable[Detections]:
    """Yield the stars of windows of a mosaic, in the order of the windows.

    Parameters
    ----------
    pixels : array-like, shape (channels, h, w)
        The mosaic; NaN where no data is.
    windows : iterable of (y0, y1, x0, x1)
    fwhm_px : float
        Width of the mosaic's stars.
    cut_off : tuple of float, or None
        Level per channel from which on pixels are cut off.
    kept : array-like, shape (h, w), or None
        Frames per pixel, by which the noise follows steps of the depth.
    """
    _, height, width = pixels.shape
    for y0, y1, x0, x1 in windows:
        top, left = max(0, y0 - MARGIN_PX), max(0, x0 - MARGIN_PX)
        seen = np.s_[top : min(height, y1 + MARGIN_PX), left : min(width, x1 + MARGIN_PX)]
        depth = None if kept is None else np.asarray(kept[seen], np.float32)
        stars = find_stars_in(np.asarray(pixels[:, seen[0], seen[1]], np.float32), fwhm_px, cut_off, depth)
        x, y = stars.x_px + left, stars.y_px + top
        inside = (x >= x0 - 0.5) & (x < x1 - 0.5) & (y >= y0 - 0.5) & (y < y1 - 0.5)
        moved = Detections(x, y, *(getattr(stars, name) for name in list(stars.__dataclass_fields__)[2:]))
        yield moved[inside]


def find_stars_in(
    planes: Float32s, fwhm_px: float, cut_off: tuple[float, ...] | None, depth: Float32s | None = None
) -> Detections:
    """Find and measure the stars of a part of a mosaic in memory.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
        NaN where no data is.
    fwhm_px : float
    cut_off : tuple of float, or None
        Level per channel from which on pixels are cut off.
    depth : ndarray, shape (h, w), float32, or None
        Frames per pixel.
    """
    channels, height, width = planes.shape
    blank = np.asarray(~np.isfinite(planes).all(axis=0))
    if min(height, width) < MIN_WINDOW_PX or not _has_full_cell(blank):
        return _none(channels)
    green = green_channel(channels)
    grounds = [_background(plane, blank) for plane in planes]
    level, noise = (_at_every_pixel(values, blank.shape) for values in grounds[green])
    clear = np.where(blank, np.float32(0), planes[green] - level)
    sigma = fwhm_px / 2.3548
    # Less the same light smoothed more broadly: knots of nebulae and the wings of bright stars are wider than stars.
    smooth = cv2.GaussianBlur(clear, (0, 0), sigma)
    smooth -= cv2.GaussianBlur(smooth, (0, 0), BROAD_FWHM * sigma)
    snr = smooth / np.maximum(noise, np.float32(1e-12))
    usual, factor = _noise_of_depths(snr, depth, blank, sigma)
    snr /= usual * factor
    row, column = _peaks(snr, blank)
    x, y = _refined(smooth, row, column)
    sizes = ApertureSizes.of_fwhm(fwhm_px)
    at = (row // STRIDE_PX, column // STRIDE_PX)
    levels, noises = (np.stack([ground[k][at] for ground in grounds], axis=1).astype(np.float64) for k in (0, 1))
    filled = np.where(blank, np.float32(0), planes)
    rings = _rings(filled, blank | (snr >= SHINING_SNR), x, y, sizes, levels)
    flux = _above(filled, rings, x, y, sizes.radius)
    inner = _above(filled[green : green + 1], rings[:, green : green + 1], x, y, max(1.0, INNER_RADIUS_FWHM * fwhm_px))
    here = factor[row, column] if isinstance(factor, np.ndarray) else np.full(len(x), factor)
    error = noises * (here * np.sqrt(np.pi) * sizes.radius)[:, None]
    peak = planes[:, row, column].T - levels
    flags = np.zeros(len(x), np.int64)
    if cut_off is not None:
        flags += FLAG_SATURATED * (peak >= np.asarray(cut_off)).any(axis=1)
    flags += FLAG_CROWDED * _crowded(x, y, CROWDED_APERTURES * sizes.radius)
    width_px = _width(inner[:, 0], flux[:, green], fwhm_px, sizes.radius)
    return Detections(x, y, flux, error, snr[row, column].astype(float), peak, width_px, flags)


def _has_full_cell(blank: NDArray[np.bool_]) -> bool:
    """Return whether any cell of the background has pixels enough."""
    sampled = blank[::STRIDE_PX, ::STRIDE_PX].astype(np.float32)
    side = MESH_PX // STRIDE_PX
    rows, columns = sampled.shape[0] // side, sampled.shape[1] // side
    cells = sampled[: rows * side, : columns * side].reshape(rows, side, columns, side).mean(axis=(1, 3))
    return bool((cells < MAX_EMPTY_SHARE).any())


def _none(channels: int) -> Detections:
    empty, wide = np.empty(0), np.empty((0, channels))
    return Detections(empty, empty, wide, wide, empty, wide, empty, np.empty(0, np.int64))


def _background(plane: Float32s, blank: NDArray[np.bool_]) -> tuple[Float32s, Float32s]:
    """Return level and noise of the background at every pixel of the sample."""
    sampled = np.ascontiguousarray(np.nan_to_num(plane[::STRIDE_PX, ::STRIDE_PX]))
    mask = np.ascontiguousarray(blank[::STRIDE_PX, ::STRIDE_PX])
    side = MESH_PX // STRIDE_PX
    model = sep.Background(sampled, mask=mask, bw=side, bh=side, fw=3, fh=3)
    return model.back(dtype=np.float32), model.rms(dtype=np.float32)


def _at_every_pixel(sampled: Float32s, shape: tuple[int, ...]) -> Float32s:
    size = (STRIDE_PX * sampled.shape[1], STRIDE_PX * sampled.shape[0])
    return np.asarray(cv2.resize(sampled, size, interpolation=cv2.INTER_LINEAR)[: shape[0], : shape[1]])


def _noise_of_depths(
    snr: Float32s, depth: Float32s | None, blank: NDArray[np.bool_], sigma_px: float
) -> tuple[float, Float32s | float]:
    """Return the noise of a smoothed image in units of the pixels' noise around, and a factor for each pixel's depth.

    Cells of the background that an edge of a frame crosses hold pixels of several depths, each with its own noise.
    """
    step = max(2, round(2.3548 * sigma_px))
    sampled = np.s_[::step, ::step]
    seen = ~blank[sampled]
    values = snr[sampled][seen]
    usual = max(median_sigma(values - np.median(values)), 1e-12)
    if depth is None:
        return usual, 1.0
    frames = np.maximum(depth, 1.0).astype(np.int32)
    kind = np.rint(DEPTHS_PER_OCTAVE * np.log2(np.arange(1, int(frames.max()) + 1))).astype(np.int16)[frames - 1]
    kinds = kind[sampled][seen]
    factors = np.ones(int(kind.max()) + 1, np.float32)
    for one in np.unique(kinds):
        alike = values[kinds == one]
        if len(alike) >= MIN_DEPTH_PIXELS:
            factors[one] = max(median_sigma(alike - np.median(alike)) / usual, 1e-6)
    # Variances of pixels add up with the squares of the smoothing's weights, which are a narrower Gaussian.
    variance = cv2.GaussianBlur(factors[kind] ** 2, (0, 0), sigma_px / np.sqrt(2.0))
    return usual, np.sqrt(np.maximum(variance, factors[kind] ** 2))


def _peaks(snr: Float32s, blank: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the pixels that are brighter than their neighbours and significant."""
    highest = cv2.dilate(snr, np.ones((3, 3), np.uint8))
    inner = np.zeros(snr.shape, bool)
    inner[1:-1, 1:-1] = True
    row, column = np.nonzero((snr >= highest) & (snr >= MIN_SNR) & inner & ~blank)
    return row, column


def _refined(smooth: Float32s, row: NDArray[np.intp], column: NDArray[np.intp]) -> tuple[Float64s, Float64s]:
    """Return places to a fraction of a pixel: the tops of Gaussians through three pixels of the smoothed image."""
    places = []
    for dy, dx, centre in ((0, 1, column), (1, 0, row)):
        before, at, after = (
            np.log(np.maximum(smooth[row + k * dy, column + k * dx].astype(float), 1e-12)) for k in (-1, 0, 1)
        )
        bend = before - 2.0 * at + after
        shift = np.where(bend < 0, 0.5 * (before - after) / np.where(bend < 0, bend, -1.0), 0.0)
        places.append(centre + np.clip(shift, -0.6, 0.6))
    return places[0], places[1]


def _rings(
    planes: Float32s,
    shining: NDArray[np.bool_],
    x: Float64s,
    y: Float64s,
    sizes: ApertureSizes,
    otherwise: Float64s,
) -> Float64s:
    """Return the mean levels of rings around places, shape (n, channels); the others where a ring has little sky."""
    dark = cv2.dilate(shining.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0
    found, levels = otherwise.copy(), dark.astype(np.float32)
    pixels = sep.sum_circann(levels, x, y, sizes.inner, sizes.outer, subpix=1)[0]
    enough = pixels >= MIN_RING_PX
    for channel, plane in enumerate(planes):
        np.multiply(plane, dark, out=levels)
        total = sep.sum_circann(levels, x, y, sizes.inner, sizes.outer, subpix=1)[0]
        found[enough, channel] = total[enough] / pixels[enough]
    return found


def _above(planes: Float32s, levels: Float64s, x: Float64s, y: Float64s, radius: float) -> Float64s:
    """Return the light in circles above levels, shape (n, channels)."""
    sums = [sep.sum_circle(plane, x, y, radius, subpix=0)[0] for plane in planes]
    return np.stack(sums, axis=1) - np.pi * radius**2 * levels


def _width(inner: Float64s, outer: Float64s, fwhm_px: float, radius: float) -> Float64s:
    """Return the widths of Gaussian stars with so much of their light in the smaller circle; NaN where none has."""
    small = max(1.0, INNER_RADIUS_FWHM * fwhm_px)
    widths = np.linspace(MIN_FWHM_RATIO, MAX_FWHM_RATIO, 200) * fwhm_px
    shares = (1.0 - 2.0 ** (-((2.0 * small / widths) ** 2))) / (1.0 - 2.0 ** (-((2.0 * radius / widths) ** 2)))
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(outer > 0, inner / outer, np.nan)
    return np.interp(share, shares[::-1], widths[::-1], left=np.nan, right=np.nan)


def _crowded(x: Float64s, y: Float64s, reach: float) -> NDArray[np.bool_]:
    """Return which stars have another detection within `reach`."""
    if len(x) < 2:
        return np.zeros(len(x), bool)
    distance, _ = cKDTree(np.column_stack([x, y])).query(np.column_stack([x, y]), k=2)
    return np.asarray(distance[:, 1] < reach)
