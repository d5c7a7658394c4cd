"""The light of stars through a smooth window laid on the raw pixels of each colour.

A star's light under a Gaussian window is compared with what its profile would leave there on the very
same pixels, so that a colour sampled at every second pixel is measured as well as a full one.  A wide
window hardly minds errors of the profile but drowns in sky; so each star is measured through a narrow
one, and the bright stars of the frame tell what a wide one would add.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.model import FrameRef

__all__ = ["star_fluxes"]


WIDE = 1.6
"""Width (sigma) of the wide window in FWHM; the narrow one is half as wide."""
WINDOW_RADIUS_FWHM = 3.2
"""The windows end, and the ring of sky begins, this many FWHM from the star."""
RING_PX = 7.0
MAX_FWHM_PX = 16.0
"""Stars wider than this are measured as if they had this FWHM."""
BETA = 3.0
MAX_GROWTH_ERROR = 0.1
"""Stars with a smaller error than this part of their light tell what the wide window adds ..."""
MAX_GROWTH_DEVIATION = 0.08
"""... unless they differ by more than this part from the others: they have neighbours."""
SYSTEMATIC = 0.01
DARKEST = 5.0
"""Noises that a sky lies above zero at least; less, and it was subtracted."""


def star_fluxes(
    frame: FrameRef, pixels: NDArray[Any], x: Float64s, y: Float64s, fwhm_px: float, usable: NDArray[np.bool_]
) -> tuple[Float64s, Float64s]:
    """Return fluxes and their errors, shape (n, channels), less the sky of a ring round each star.

    Fluxes are those of a sensor that has the colour at every raw pixel.

    Parameters
    ----------
    frame : FrameRef
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Raw values, defects mended.
    x, y : ndarray, shape (n,)
        Positions in raw pixels.
    fwhm_px : float
        Width of the frame's stars.
    usable : ndarray of bool, shape (n,)
        Stars that are not saturated.
    """
    channels = 3 if frame.bayer is not None or pixels.ndim == 3 else 1
    if not len(x):
        return np.zeros((0, channels)), np.zeros((0, channels))
    width = min(fwhm_px, MAX_FWHM_PX)
    if pixels.ndim == 3:
        parts = [_windowed(pixels[..., c], np.zeros((2, 2), np.int64), 1, x, y, width) for c in range(3)]
        narrow, error, wide, wide_error = (np.concatenate(column, axis=1) for column in zip(*parts, strict=True))
    else:
        sites = np.array(["RGB".index(letter) for letter in frame.bayer or "RRRR"], np.int64).reshape(2, 2)
        narrow, error, wide, wide_error = _windowed(pixels, sites, channels, x, y, width)
    growth = _growth(narrow, wide, wide_error, usable)
    flux = growth * narrow
    return flux, np.hypot(growth * error, SYSTEMATIC * np.abs(flux))


def _windowed(
    image: NDArray[Any], sites: NDArray[np.int64], channels: int, x: Float64s, y: Float64s, fwhm_px: float
) -> tuple[Float64s, Float64s, Float64s, Float64s]:
    out = _kernel(
        image, sites, channels, x, y, fwhm_px, WINDOW_RADIUS_FWHM * fwhm_px, WINDOW_RADIUS_FWHM * fwhm_px + RING_PX
    )
    return out[0, 0], out[0, 1], out[1, 0], out[1, 1]


def _growth(narrow: Float64s, wide: Float64s, wide_error: Float64s, usable: NDArray[np.bool_]) -> float:
    """Return by how much the wide window finds more light than the narrow one; 1 where no star tells."""
    light, more = narrow.sum(axis=1), wide.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.hypot(np.sqrt((wide_error**2).sum(axis=1)) / more, 2.0 * SYSTEMATIC)
        sure = usable & (light > 0) & (more > 0) & (error < MAX_GROWTH_ERROR)
    if sure.sum() < 5:
        return 1.0
    ratio, weight = np.log(more[sure] / light[sure]), error[sure] ** -2
    order = np.argsort(ratio)
    total = np.cumsum(weight[order])
    middle = ratio[order][np.searchsorted(total, 0.5 * total[-1])]
    even = np.abs(ratio - middle) < MAX_GROWTH_DEVIATION
    return float(np.exp(np.average(ratio[even], weights=weight[even])))


@njit(cache=True, error_model="numpy", nogil=True)
def _kernel(image, sites, channels, x, y, fwhm, sky_in, sky_out):  # type: ignore[no-untyped-def]
    """Return (window, flux and error, star, channel)."""
    alpha = fwhm / (2.0 * math.sqrt(2.0 ** (1.0 / BETA) - 1.0))
    norm = (BETA - 1.0) / (math.pi * alpha * alpha)
    out = np.full((2, 2, x.size, channels), np.nan)
    reach = math.ceil(sky_out)
    ring = np.empty((channels, (2 * reach + 1) ** 2))
    across = np.empty(2 * reach + 1)
    windows = np.empty(2)
    for k in range(x.size):
        number = np.zeros(channels, np.int64)
        light = np.zeros((2, channels))
        model = np.zeros((2, channels))
        area = np.zeros((2, channels))
        square = np.zeros((2, channels))
        shot = np.zeros((2, channels))
        x0, y0 = round(x[k]), round(y[k])
        for i in range(across.size):
            across[i] = math.exp(-0.5 * ((x0 - reach + i - x[k]) / (WIDE * fwhm)) ** 2)
        for j in range(max(0, y0 - reach), min(image.shape[0], y0 + reach + 1)):
            along = math.exp(-0.5 * ((j - y[k]) / (WIDE * fwhm)) ** 2)
            for i in range(max(0, x0 - reach), min(image.shape[1], x0 + reach + 1)):
                value = float(image[j, i])
                if not math.isfinite(value):
                    continue
                c = sites[j & 1, i & 1]
                dx, dy = i - x[k], j - y[k]
                r2 = dx * dx + dy * dy
                if r2 < sky_in * sky_in:
                    # Far out the profile is straight across a pixel: its middle says enough.
                    steep = r2 < 2.25 * fwhm * fwhm
                    profile = norm * (_pixel_of_moffat(dx, dy, alpha) if steep else (1.0 + r2 / alpha**2) ** -3)
                    windows[1] = along * across[i - x0 + reach]
                    # The narrow window is half as wide.
                    windows[0] = windows[1] ** 4
                    for w in range(2):
                        light[w, c] += windows[w] * value
                        model[w, c] += windows[w] * profile
                        area[w, c] += windows[w]
                        square[w, c] += windows[w] * windows[w]
                        shot[w, c] += windows[w] * windows[w] * profile
                elif r2 < sky_out * sky_out:
                    ring[c, number[c]] = value
                    number[c] += 1
        for c in range(channels):
            if number[c] < 8:
                continue
            sky, noise, n = _ring_sky(ring[c, : number[c]])
            variance = noise * noise
            # One photon's worth, were there no bias: at least that much noise comes with a star's own light.
            photon = variance / max(sky, DARKEST * noise)
            for w in range(2):
                flux = (light[w, c] - sky * area[w, c]) / model[w, c]
                shot_noise = photon * max(flux, 0.0) * shot[w, c]
                out[w, 0, k, c] = flux
                out[w, 1, k, c] = math.sqrt(variance * (square[w, c] + area[w, c] ** 2 / n) + shot_noise) / model[w, c]
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def _pixel_of_moffat(dx, dy, alpha):  # type: ignore[no-untyped-def]
    """Return the mean over a pixel's square of a Moffat profile that is 1 at its centre."""
    total = 0.0
    for a in range(-1, 2):
        for b in range(-1, 2):
            sx, sy = dx + a / 3.0, dy + b / 3.0
            base = 1.0 + (sx * sx + sy * sy) / (alpha * alpha)
            total += 1.0 / (base * base * base)
    return total / 9.0


@njit(cache=True, error_model="numpy", nogil=True)
def _ring_sky(values):  # type: ignore[no-untyped-def]
    """Return mean, noise and number of the values that are no star's."""
    middle = np.median(values)
    noise = 1.4826 * np.median(np.abs(values - middle)) + 1e-9
    total = 0.0
    n = 0
    for value in values:
        if abs(value - middle) <= 2.5 * noise:
            total += value
            n += 1
    return total / n, noise, n
