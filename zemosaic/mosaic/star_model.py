"""Model of the stars on the canvas: differences between frames near stars are caused by seeing and are not outliers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.model import FieldStars, GridPlan

__all__ = ["TileStars", "seeing_tolerance", "star_model", "stars_by_tile"]

MAX_RADIUS_FWHM = 6.0
"""Radius in FWHM to which a star's light is drawn."""


@dataclass(frozen=True)
class TileStars:
    """Stars whose light reaches a tile, in canvas pixels."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    """Shape (n, channels)."""
    fwhm_px: float
    seeing: tuple[float, float] = (1.0, 1.0)
    """As `FieldStars.seeing`."""


def stars_by_tile(plan: GridPlan, stars: FieldStars) -> list[TileStars]:
    """Return the stars of each tile of a plan, in the order of the tiles.

    Parameters
    ----------
    plan : GridPlan
    stars : FieldStars

    Returns
    -------
    list of TileStars
    """
    x, y = plan.wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)
    fwhm_px = stars.fwhm_arcsec / plan.wcs.scale_arcsec
    reach = MAX_RADIUS_FWHM * fwhm_px
    per_tile = []
    for tile in plan.tiles:
        y0, y1, x0, x1 = tile.outer
        rows = np.flatnonzero((x > x0 - reach) & (x < x1 + reach) & (y > y0 - reach) & (y < y1 + reach))
        per_tile.append(TileStars(x[rows], y[rows], stars.flux[rows], fwhm_px, stars.seeing))
    return per_tile


def star_model(stars: TileStars, box: tuple[int, int, int, int], channels: int) -> NDArray[np.float32]:
    """Return the light of the stars in a canvas box, shape (channels, h, w); the same bits in every box.

    Moffat profiles of exponent 3; a mono star's light is taken for all channels.

    Parameters
    ----------
    stars : TileStars
    box : (y0, y1, x0, x1)
        Of the canvas, in pixels.
    channels : int

    Returns
    -------
    ndarray, shape (channels, h, w), float32
        In the units of the stars' flux, per pixel.
    """
    return _drawn(stars, box, channels, 1.0, 0.0)


def seeing_tolerance(
    stars: TileStars, box: tuple[int, int, int, int], channels: int, part: float, seeing: float
) -> NDArray[np.float32]:
    """Return how far the light of the stars may differ from frame to frame in a canvas box, shape (channels, h, w).

    Parameters
    ----------
    stars : TileStars
    box : tuple of int
    channels : int
    part : float
        What part of the light is taken to differ everywhere: its place, its shape.
    seeing : float
        Weight of what the sharpest or the softest frame makes of the light, less what the typical one does.
    """
    return _drawn(stars, box, channels, part, seeing)


def _drawn(
    stars: TileStars, box: tuple[int, int, int, int], channels: int, part: float, seeing: float
) -> NDArray[np.float32]:
    y0, y1, x0, x1 = box
    light = np.zeros((channels, y1 - y0, x1 - x0), np.float32)
    flux = stars.flux if stars.flux.shape[1] == channels else np.repeat(stars.flux[:, :1], channels, axis=1)
    widths = stars.fwhm_px * np.array([1.0, *(stars.seeing if seeing > 0.0 else ())])
    alphas = widths / (2.0 * math.sqrt(2.0 ** (1.0 / 3.0) - 1.0))
    reach = MAX_RADIUS_FWHM * stars.fwhm_px
    _draw(light, y0, x0, stars.x, stars.y, np.maximum(flux, 0.0), alphas, reach, part, seeing)
    return light


@njit(cache=True, error_model="numpy", nogil=True)
def _draw(light, y0, x0, xs, ys, flux, alphas, reach, part, seeing):  # type: ignore[no-untyped-def]
    channels, height, width = light.shape
    for k in range(xs.size):
        for y in range(max(y0, math.ceil(ys[k] - reach)), min(y0 + height, math.floor(ys[k] + reach) + 1)):
            for x in range(max(x0, math.ceil(xs[k] - reach)), min(x0 + width, math.floor(xs[k] + reach) + 1)):
                dx, dy = x - xs[k], y - ys[k]
                usual, change = 0.0, 0.0
                for i in range(alphas.size):
                    square = alphas[i] * alphas[i]
                    q = 1.0 + (dx * dx + dy * dy) / square
                    profile = 2.0 / (math.pi * square * q * q * q)
                    if i == 0:
                        usual = profile
                    else:
                        change = max(change, abs(profile - usual))
                for c in range(channels):
                    light[c, y - y0, x - x0] += flux[k, c] * (part * usual + seeing * change)
