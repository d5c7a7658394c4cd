"""Mosaics of stars of known light, for the tests of what stars tell."""

from __future__ import annotations

import numpy as np

from zemosaic.wcs import FrameWcs

SCALE = 2.39 / 3600
WCS = FrameWcs(192.7, 41.1, 299.5, 249.5, ((-SCALE, 0.0), (0.0, SCALE)))
FWHM_PX = 3.0
SKY = (300.0, 500.0, 350.0)
NOISE = 2.0


def star_image(x, y, flux, shape=(500, 600), seed=1, noise=NOISE) -> np.ndarray:
    """Return planes, shape (channels, h, w), with Gaussian stars of `flux`, shape (n, channels)."""
    rng = np.random.default_rng(seed)
    flux = np.asarray(flux, float)
    planes = rng.normal(0.0, noise, (flux.shape[1], *shape)) + np.array(SKY[: flux.shape[1]])[:, None, None]
    sigma = FWHM_PX / 2.3548
    reach = 15
    for a, b, light in zip(x, y, flux, strict=True):
        column, row = round(a), round(b)
        rows, columns = np.mgrid[row - reach : row + reach + 1, column - reach : column + reach + 1]
        profile = np.exp(-((rows - b) ** 2 + (columns - a) ** 2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
        planes[:, row - reach : row + reach + 1, column - reach : column + reach + 1] += light[:, None, None] * profile
    return planes.astype(np.float32)


def scattered(count, shape=(500, 600), apart=26.0, seed=3) -> tuple[np.ndarray, np.ndarray]:
    """Return places that keep their distance from each other and from the edges."""
    rng = np.random.default_rng(seed)
    places: list[tuple[float, float]] = []
    while len(places) < count:
        x, y = rng.uniform(50, shape[1] - 50), rng.uniform(50, shape[0] - 50)
        if all(np.hypot(x - a, y - b) > apart for a, b in places):
            places.append((x, y))
    return np.array(places)[:, 0], np.array(places)[:, 1]
