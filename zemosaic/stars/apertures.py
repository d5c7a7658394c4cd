"""Fluxes of stars on a mosaic in apertures, each above its own local background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import sep
from astropy.stats import SigmaClip
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s, Float64s, green_channel, median_sigma
from zemosaic.store.axis_order import Pixels

__all__ = ["ApertureSizes", "StarFluxes", "measure_stars", "measure_stars_in", "typical_fwhm", "windows"]

BLOCK_PX = 1024
"""Side of the windows in which a mosaic is gone through."""
MIN_RADIUS_PX, MAX_RADIUS_PX = 3.0, 16.0
RADIUS_FWHM = 1.8
"""Radius of the aperture in widths of the stars: wide enough for a channel that is less sharp than the others."""
ANNULUS_FACTORS = (1.6, 2.6)
"""Inner and outer radius of the background's ring, in radii of the aperture."""
CLIP_SIGMAS = 2.5
MIN_RING_SHARE = 0.6
"""A ring of which a smaller part holds data tells no background."""
FWHM_PER_HALF_LIGHT_RADIUS = 2.0
"""Of a Gaussian, and within a few percent of a Moffat profile."""
PROBE_RADIUS_PX = 6.0
MIN_FWHM_STARS = 3
DEFAULT_FWHM_PX = 3.0


@dataclass(frozen=True)
class ApertureSizes:
    """Radii in pixels."""

    radius: float
    inner: float
    outer: float

    @classmethod
    def of_fwhm(cls, fwhm_px: float) -> ApertureSizes:
        """Return the sizes for stars of a width in pixels."""
        radius = float(np.clip(RADIUS_FWHM * fwhm_px, MIN_RADIUS_PX, MAX_RADIUS_PX))
        return cls(radius, ANNULUS_FACTORS[0] * radius, ANNULUS_FACTORS[1] * radius)

    @property
    def half(self) -> int:
        """Half side of the stamp that holds the ring."""
        return int(np.ceil(self.outer)) + 1


@dataclass(frozen=True)
class StarFluxes:
    """Stars measured on a mosaic; first axis: stars, last axis: channels.  NaN where a star cannot be measured."""

    flux: Float64s
    """Above the background, in mosaic units."""
    error: Float64s
    """Standard error from the scatter of the background."""
    background: Float64s
    """Level per pixel."""
    peak: Float64s
    """Brightest pixel of the inner part above the background."""
    half_light_px: Float64s
    """Radius that holds half of the aperture's green light, shape (n,)."""

    def __getitem__(self, which: NDArray[np.intp] | NDArray[np.bool_]) -> StarFluxes:
        return StarFluxes(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def windows(box: Box, side: int = BLOCK_PX) -> Iterator[Box]:
    """Yield the windows (y0, y1, x0, x1) into which a box is divided, row by row.

    Parameters
    ----------
    box : (y0, y1, x0, x1)
    side : int
        Side of a window in pixels; they begin at multiples of it, so that chunks of the store are read once.
    """
    y0, y1, x0, x1 = box
    for top in range(y0 // side * side, y1, side):
        for left in range(x0 // side * side, x1, side):
            yield max(y0, top), min(y1, top + side), max(x0, left), min(x1, left + side)


def measure_stars(pixels: Pixels, x: Float64s, y: Float64s, sizes: ApertureSizes, box: Box) -> StarFluxes:
    """Measure stars at given places, window by window.

    Parameters
    ----------
    pixels : array-like, shape (channels, h, w)
        The mosaic; NaN where no data is. Windows with stars are read, and nothing else.
    x, y : ndarray, shape (n,)
        Places in pixels of `pixels`.
    sizes : ApertureSizes
    box : (y0, y1, x0, x1)
        The part of the mosaic that counts.
    """
    channels, height, width = pixels.shape
    result = _unmeasured(len(x), channels)
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    for y0, y1, x0, x1 in windows(box):
        members = np.flatnonzero((row >= y0) & (row < y1) & (column >= x0) & (column < x1))
        if not len(members):
            continue
        top, left = max(0, y0 - sizes.half), max(0, x0 - sizes.half)
        part = np.asarray(pixels[:, top : min(height, y1 + sizes.half), left : min(width, x1 + sizes.half)], np.float32)
        here = measure_stars_in(part, x[members] - left, y[members] - top, sizes)
        for name in result.__dataclass_fields__:
            getattr(result, name)[members] = getattr(here, name)
    return result


def measure_stars_in(planes: Float32s, x: Float64s, y: Float64s, sizes: ApertureSizes) -> StarFluxes:
    """Measure stars of a part of a mosaic in memory.

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
        NaN where no data is.
    x, y : ndarray, shape (n,)
    sizes : ApertureSizes

    Returns
    -------
    StarFluxes
        Backgrounds are clipped medians of rings; fluxes are sums over exact circles (`sep.sum_circle`, which
        unlike photutils.aperture takes no time to import).
    """
    channels, side = len(planes), 2 * sizes.half + 1
    result = _unmeasured(len(x), channels)
    whole = _whole(planes, x, y, sizes.half)
    if not len(whole):
        return result
    column, row = np.rint(x[whole]).astype(int), np.rint(y[whole]).astype(int)
    step = np.arange(-sizes.half, sizes.half + 1)
    stamps = planes[:, row[:, None, None] + step[None, :, None], column[:, None, None] + step[None, None, :]]
    distance = np.hypot(*np.meshgrid(step, step))
    ring, core = (distance >= sizes.inner) & (distance <= sizes.outer), distance <= sizes.radius
    level, sigma, share = _backgrounds(stamps[:, :, ring])
    clear = stamps.astype(np.float64) - level[:, :, None, None]
    # One tall image of all stamps: the aperture sums of all stars are one call.
    offset = np.arange(len(whole)) * side
    places = np.column_stack([x[whole] - column + sizes.half, y[whole] - row + sizes.half + offset])
    column_px, row_px = np.ascontiguousarray(places.T)
    area = np.pi * sizes.radius**2
    for channel in range(channels):
        tall = clear[channel].reshape(-1, side)
        good = (share[channel] >= MIN_RING_SHARE) & np.isfinite(clear[channel][:, core]).all(axis=1)
        flux = sep.sum_circle(np.nan_to_num(tall), column_px, row_px, sizes.radius, subpix=0)[0]
        spread = area * (1.0 + area / max(int(ring.sum()), 1))
        result.flux[whole, channel] = np.where(good, flux, np.nan)
        result.error[whole, channel] = np.where(good, sigma[channel] * np.sqrt(spread), np.nan)
        result.background[whole, channel] = level[channel]
        result.peak[whole, channel] = np.where(good, clear[channel][:, distance <= 2.0].max(axis=1), np.nan)
    result.half_light_px[whole] = _half_light(clear[green_channel(channels)], places - [0, 1] * offset[:, None], sizes)
    return result


def _unmeasured(stars: int, channels: int) -> StarFluxes:
    columns = [np.full((stars, channels), np.nan) for _ in range(4)]
    return StarFluxes(columns[0], columns[1], columns[2], columns[3], np.full(stars, np.nan))


def _whole(planes: Float32s, x: Float64s, y: Float64s, half: int) -> NDArray[np.intp]:
    """Return which stamps lie inside the planes."""
    height, width = planes.shape[1:]
    column, row = np.rint(x), np.rint(y)
    return np.flatnonzero((column >= half) & (row >= half) & (column < width - half) & (row < height - half))


def _backgrounds(rings: Float32s) -> tuple[Float64s, Float64s, Float64s]:
    """Return (level, sigma, share of pixels with data), each of shape (channels, n), of rings (channels, n, pixels)."""
    share = np.isfinite(rings).mean(axis=2)
    masked = np.ma.masked_invalid(rings.astype(np.float64))
    clip = SigmaClip(sigma=CLIP_SIGMAS, maxiters=5, stdfunc="mad_std")
    kept = clip(masked, axis=2, masked=False, copy=True)
    empty = ~np.isfinite(kept).any(axis=2)
    kept[empty] = 0.0
    level = np.nanmedian(kept, axis=2)
    sigma = np.nanstd(kept, axis=2)
    level[empty] = sigma[empty] = np.nan
    return level, sigma, share


def _half_light(stamps: Float64s, places: Float64s, sizes: ApertureSizes) -> Float64s:
    """Return the radius that holds half of each star's light within the aperture, from sorted distances."""
    rows, columns = np.mgrid[: stamps.shape[1], : stamps.shape[2]]
    radius = np.hypot(columns[None] - places[:, 0, None, None], rows[None] - places[:, 1, None, None])
    n = len(stamps)
    flat_radius = radius.reshape(n, -1)
    light = np.asarray(np.nan_to_num(stamps)).reshape(n, -1)
    light = np.where(flat_radius <= sizes.radius, light, 0.0)
    order = np.argsort(flat_radius, axis=1, kind="stable")
    grown = np.take_along_axis(light, order, axis=1).cumsum(axis=1)
    total = grown[:, -1]
    first = np.sum(grown < 0.5 * total[:, None], axis=1)
    # The pixels inside a radius fill a circle of the same area, which is finer than the pixels' own distances.
    return np.asarray(np.where(total > 0, np.sqrt((first + 0.5) / np.pi), np.nan))


def typical_fwhm(pixels: Pixels, x: Float64s, y: Float64s, box: Box) -> float:
    """Return the width of the stars at given places in pixels, the median of their half-light radii doubled.

    Parameters
    ----------
    pixels : array-like, shape (channels, h, w)
    x, y : ndarray, shape (n,)
        Places of stars that are not saturated.
    box : (y0, y1, x0, x1)
    """
    sizes = ApertureSizes(PROBE_RADIUS_PX, ANNULUS_FACTORS[0] * PROBE_RADIUS_PX, ANNULUS_FACTORS[1] * PROBE_RADIUS_PX)
    radii = measure_stars(pixels, x, y, sizes, box).half_light_px
    radii = radii[np.isfinite(radii)]
    if len(radii) < MIN_FWHM_STARS:
        return DEFAULT_FWHM_PX if not len(radii) else FWHM_PER_HALF_LIGHT_RADIUS * float(np.median(radii))
    near = radii[np.abs(radii - np.median(radii)) <= 3.0 * median_sigma(radii - np.median(radii)) + 1e-6]
    return FWHM_PER_HALF_LIGHT_RADIUS * float(np.median(near))
