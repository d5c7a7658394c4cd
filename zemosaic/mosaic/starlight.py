"""Where on the canvas the light of stars falls: what differs there between frames is seeing, no fault."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.model import FieldStars, GridPlan

__all__ = ["TileStars", "starlight", "stars_by_tile"]

REACH_FWHM = 6.0
"""Radius in FWHM to which a star's light is drawn."""


@dataclass(frozen=True)
class TileStars:
    """Stars whose light reaches a tile, in canvas pixels."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    """Shape (n, channels)."""
    fwhm_px: float


def stars_by_tile(plan: GridPlan, stars: FieldStars) -> list[TileStars]:
    """Return the stars of each tile of a plan, in the order of the tiles."""
    x, y = plan.wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg)
    reach = REACH_FWHM * stars.fwhm_px
    found = []
    for tile in plan.tiles:
        y0, y1, x0, x1 = tile.outer
        near = np.flatnonzero((x > x0 - reach) & (x < x1 + reach) & (y > y0 - reach) & (y < y1 + reach))
        found.append(TileStars(x[near], y[near], stars.flux[near], stars.fwhm_px))
    return found


def starlight(stars: TileStars, box: tuple[int, int, int, int], channels: int) -> NDArray[np.float32]:
    """Return the light of the stars in a canvas box, shape (channels, h, w); the same bits in every box.

    Moffat profiles of exponent 3; a mono star's light is taken for all channels.
    """
    y0, y1, x0, x1 = box
    light = np.zeros((channels, y1 - y0, x1 - x0), np.float32)
    flux = stars.flux if stars.flux.shape[1] == channels else np.repeat(stars.flux[:, :1], channels, axis=1)
    alpha = stars.fwhm_px / (2.0 * math.sqrt(2.0 ** (1.0 / 3.0) - 1.0))
    _draw(light, y0, x0, stars.x, stars.y, np.maximum(flux, 0.0), alpha, REACH_FWHM * stars.fwhm_px)
    return light


@njit(cache=True, error_model="numpy", nogil=True)
def _draw(light, y0, x0, xs, ys, flux, alpha, reach):  # type: ignore[no-untyped-def]
    channels, height, width = light.shape
    norm = 2.0 / (math.pi * alpha * alpha)
    for k in range(xs.size):
        for y in range(max(y0, math.ceil(ys[k] - reach)), min(y0 + height, math.floor(ys[k] + reach) + 1)):
            for x in range(max(x0, math.ceil(xs[k] - reach)), min(x0 + width, math.floor(xs[k] + reach) + 1)):
                dx, dy = x - xs[k], y - ys[k]
                q = 1.0 + (dx * dx + dy * dy) / (alpha * alpha)
                profile = norm / (q * q * q)
                for c in range(channels):
                    light[c, y - y0, x - x0] += flux[k, c] * profile
