"""Star lists of made-up frames: catalogue stars where a known WCS puts them, strangers, noise and gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.catalogue import Catalogue
from zemosaic.solving.base import StarField
from zemosaic.wcs import Distortion, FrameWcs

SEESTAR = (1080, 1920)


def true_wcs(
    ra: float,
    dec: float,
    turn_deg: float = 0.0,
    mirrored: bool = False,
    scale_arcsec: float = 2.39,
    size: tuple[int, int] = SEESTAR,
    bend_px: float = 1.5,
) -> FrameWcs:
    """Return a WCS about the frame's centre with a radial distortion of `bend_px` in the corners."""
    s, t = scale_arcsec / 3600.0, math.radians(turn_deg)
    sign = 1.0 if mirrored else -1.0
    cd = ((sign * s * math.cos(t), s * math.sin(t)), (-sign * s * math.sin(t), s * math.cos(t)))
    k = -bend_px / (0.5 * math.hypot(*size)) ** 3
    distortion = Distortion((0.0, 0.0, 0.0, k, 0.0, k, 0.0), (0.0, 0.0, 0.0, 0.0, k, 0.0, k)) if bend_px else None
    return FrameWcs(ra % 360.0, dec, 0.5 * (size[0] - 1), 0.5 * (size[1] - 1), cd, distortion)


@dataclass(frozen=True)
class Sky:
    """The stars of one frame's region: catalogue stars a little off their places, and fainter strangers."""

    ra: NDArray[np.float64]
    dec: NDArray[np.float64]
    mag: NDArray[np.float64]


def make_sky(
    catalogue: Catalogue, ra: float, dec: float, radius_deg: float, seed: int = 0, strangers_per_deg2: float = 60.0
) -> Sky:
    """Return the stars within `radius_deg`, 10 % of the catalogue's left out."""
    rng = np.random.default_rng(seed)
    stars = catalogue.cone(ra, dec, radius_deg)
    keep = rng.random(len(stars)) > 0.1
    off = rng.normal(0.0, 0.25 / 3600.0, (2, keep.sum()))
    known_dec = stars.dec_deg[keep] + off[1]
    known_ra = stars.ra_deg[keep] + off[0] / np.maximum(np.cos(np.radians(stars.dec_deg[keep])), 1e-3)
    count = rng.poisson(strangers_per_deg2 * math.pi * radius_deg**2)
    local = FrameWcs(ra, dec, 0.0, 0.0, ((1.0, 0.0), (0.0, 1.0)))
    angle, reach = rng.uniform(0, 2 * np.pi, count), radius_deg * np.sqrt(rng.random(count))
    far_ra, far_dec = local.pixel_to_sky(reach * np.cos(angle), reach * np.sin(angle))
    return Sky(
        np.concatenate([known_ra, far_ra]),
        np.clip(np.concatenate([known_dec, far_dec]), -90.0, 90.0),
        np.concatenate([stars.mag[keep] + rng.normal(0.0, 0.3, keep.sum()), rng.normal(12.5, 0.8, count)]),
    )


def observe(
    sky: Sky, wcs: FrameWcs, size: tuple[int, int] = SEESTAR, noise_px: float = 0.15, seed: int = 0, lost: float = 0.08
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (x, y) of the stars seen through `wcs`, brightest first."""
    rng = np.random.default_rng(seed)
    x, y = wcs.sky_to_pixel(sky.ra, sky.dec)
    inside = (x > 2) & (x < size[0] - 3) & (y > 2) & (y < size[1] - 3) & (rng.random(len(x)) > lost)
    order = np.argsort(sky.mag[inside] + rng.normal(0.0, 0.1, inside.sum()))
    noise = noise_px * (1.0 + 2.0 * np.linspace(0.0, 1.0, len(order)))
    return (
        x[inside][order] + rng.normal(0.0, 1.0, len(order)) * noise,
        y[inside][order] + rng.normal(0.0, 1.0, len(order)) * noise,
    )


def make_field(
    catalogue: Catalogue,
    wcs: FrameWcs,
    size: tuple[int, int] = SEESTAR,
    hint_off_deg: float = 0.3,
    scale_factor: float = 1.0,
    seed: int = 0,
    **sky: float,
) -> StarField:
    """Return the `Field` of a frame with a hint off by `hint_off_deg` and a scale off by `scale_factor`."""
    rng = np.random.default_rng(seed + 1)
    reach = 0.6 * math.hypot(*size) * wcs.scale_arcsec / 3600.0
    x, y = observe(make_sky(catalogue, wcs.ra_deg, wcs.dec_deg, reach, seed, **sky), wcs, size, seed=seed + 2)
    local = FrameWcs(wcs.ra_deg, wcs.dec_deg, 0.0, 0.0, ((1.0, 0.0), (0.0, 1.0)))
    angle = rng.uniform(0.0, 2.0 * math.pi)
    ra, dec = local.pixel_to_sky(hint_off_deg * math.cos(angle), hint_off_deg * math.sin(angle))
    return StarField(x, y, *size, float(ra), float(dec), wcs.scale_arcsec * scale_factor)


def worst_offset_px(found: FrameWcs, truth: FrameWcs, size: tuple[int, int] = SEESTAR) -> float:
    """Return the greatest distance, in pixels, between where two solutions put points of a 7 x 7 grid."""
    x, y = (
        a.ravel() for a in np.meshgrid(np.linspace(0, size[0] - 1, 7), np.linspace(0, size[1] - 1, 7), indexing="ij")
    )
    there_x, there_y = truth.sky_to_pixel(*found.pixel_to_sky(x, y))
    return float(np.hypot(there_x - x, there_y - y).max())
