"""`zemosaic.resampling.warp` in the array API's own words: its definition, and what devices run."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.model import CalibratedFrame, detector_coordinates, sky_level
from zemosaic.resampling.interpolation import STEPS, Interpolation, kernels_of
from zemosaic.resampling.resample import ALLOWANCE, ONE
from zemosaic.resampling.warp import BORDER, LATTICE, Lattice, light_of, planes_of

__all__ = ["warp_plain"]

Array = Any


def warp_plain(
    pixels: NDArray[Any],
    window: Box,
    calibrated: CalibratedFrame,
    lattice: Lattice,
    box: Box,
    interpolation: Interpolation = Interpolation.LANCZOS3,
    area_ratio: float = 1.0,
    xp: ModuleType = np,
) -> Array:
    """Return what `warp` writes, shape (channels, box height, box width), float32, as an array of xp.

    Parameters
    ----------
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Of the window.
    window : (y0, y1, x0, x1)
        Where it lies on the detector.
    calibrated : CalibratedFrame
    lattice : Lattice
        From `frame_lattice` for the same box.
    box : (y0, y1, x0, x1)
        Of the canvas, in pixels.
    interpolation : Interpolation
    area_ratio : float
        Area of a canvas pixel over that of a frame's pixel.
    xp : module
        Array API namespace.

    Returns
    -------
    array of xp, shape (channels, box height, box width), float32
    """
    frame = calibrated.frame
    (x, dx), (y, dy), along = _runs(lattice, box, xp)
    px, py = x + along * dx, y + along * dy
    inside = (px >= BORDER) & (px <= frame.width - 1 - BORDER) & (py >= BORDER) & (py <= frame.height - 1 - BORDER)
    planes = planes_of(pixels, window, frame.bayer, len(calibrated.transparency))
    wide, sparse = kernels_of(interpolation)
    u, v = (
        xp.asarray(coordinate, dtype=xp.float32)
        for coordinate in detector_coordinates(px, py, frame.width, frame.height)
    )
    r2 = u * u + v * v
    ends = [detector_coordinates(x + k * dx, y + k * dy, frame.width, frame.height) for k in (0, LATTICE)]
    bias, illumination, sky, gain = light_of(calibrated, area_ratio)
    flat = 1.0 / (1.0 + r2 * (float(illumination[0]) + r2 * float(illumination[1])))
    nan = xp.full(px.shape, xp.nan, dtype=xp.float32)
    samples = []
    for c, plane in enumerate(planes.arrays):
        places = []
        for (a, b, shift), origin in zip(planes.maps[c].tolist(), planes.origins[c].tolist(), strict=True):
            begin = xp.floor((a * x + b * y + shift) * ONE + 0.5) - origin * ONE
            place = begin + along * xp.round((a * dx + b * dy) * ONE)
            places.append(xp.asarray(xp.where(inside, place, xp.full_like(place, 3.0 * ONE)), dtype=xp.int64))
        table = sparse if c in planes.sparse else wide
        raw = _weighted(plane, places[0], places[1], table, xp)
        value = ((raw - float(bias)) * flat - _sky_along(sky[c].tolist(), ends, along, xp)) * float(gain[c])
        samples.append(xp.where(inside, value, nan))
    return xp.stack(samples)


def _sky_along(sky: Sequence[float], ends: Sequence[tuple[Array, Array]], along: Array, xp: ModuleType) -> Array:
    """Return one channel's sky, linear between the lattice's columns as places are."""
    begin, end = (sky_level(sky, u, v) for u, v in ends)
    return xp.asarray(begin + along * ((end - begin) / LATTICE), dtype=xp.float32)


def _runs(lattice: Lattice, box: Box, xp: ModuleType) -> tuple[tuple[Array, Array], tuple[Array, Array], Array]:
    """Return for each pixel x at the lattice column before it, x's step per pixel, the same for y, and pixels since."""
    rows, columns = np.arange(box[0], box[1]) - lattice.row0, np.arange(box[2], box[3]) - lattice.column0
    i, j = rows // LATTICE, columns // LATTICE
    t = xp.asarray((rows / LATTICE - i)[:, None])
    runs = []
    for points in (lattice.x, lattice.y):
        corners = [xp.asarray(points[np.ix_(i + k, j + m)]) for k in (0, 1) for m in (0, 1)]
        left, right = (1 - t) * corners[0] + t * corners[2], (1 - t) * corners[1] + t * corners[3]
        runs.append((left, (right - left) / LATTICE))
    return runs[0], runs[1], xp.asarray((columns - j * LATTICE).astype(np.float64)[None, :])


def _weighted(plane: NDArray[np.float32], x: Array, y: Array, table: NDArray[np.float32], xp: ModuleType) -> Array:
    """Return the weighted sums about places in the plane, counted in pixels / `ONE`."""
    taps = 4 if table.shape[1] == 4 else 6
    column, row = x // ONE, y // ONE
    unit = ONE // STEPS
    steps = [(part % ONE + unit // 2) // unit for part in (x, y)]
    weights, flat = xp.asarray(np.ascontiguousarray(table.T)), xp.asarray(plane.reshape(-1))
    reach, width = taps // 2 - 1, plane.shape[1]

    def pixel(k: int, m: int) -> Array:
        return _taken(flat, (row + k) * width + column + m, xp)

    total = xp.zeros(x.shape, dtype=xp.float32)
    along = [_taken(weights[m, :], steps[0], xp) for m in range(taps)]
    for k in range(taps):
        line = along[0] * pixel(k - reach, -reach)
        for m in range(1, taps):
            line = line + along[m] * pixel(k - reach, m - reach)
        total = total + _taken(weights[k, :], steps[1], xp) * line
    near = [pixel(k, m) for k in (0, 1) for m in (0, 1)]
    lowest = xp.minimum(xp.minimum(near[0], near[1]), xp.minimum(near[2], near[3]))
    highest = xp.maximum(xp.maximum(near[0], near[1]), xp.maximum(near[2], near[3]))
    return xp.maximum(total, lowest - ALLOWANCE * (highest - lowest))


def _taken(values: Array, index: Array, xp: ModuleType) -> Array:
    return xp.reshape(xp.take(values, xp.reshape(index, (-1,)), axis=0), index.shape)
