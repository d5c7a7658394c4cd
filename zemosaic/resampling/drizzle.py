"""Raw pixels as drops on the mosaic's grid: drizzle, each colour from its own pixels.

Every raw pixel becomes a smaller pixel, the drop, that falls on the canvas where the sky says; what part of it falls
on a canvas pixel is that pixel's weight for it.  A drop carries what its raw pixel lacks in a model of the sky at the
same place, and a canvas pixel is that model plus the weighted mean of the drops that fell on it: neither drop nor
canvas pixel widens what the model shows already, and an uneven fall of the drops does no harm.  With a model of zeros
this is drizzle as it was first described.
Places are exact on every 32nd pixel of the detector and linear in between; a square drop is the parallelogram that the
local linear map makes of it, and its overlap with a canvas pixel is exact.

References
----------
Fruchter & Hook 2002, PASP 114, 144 (variable-pixel linear reconstruction); Fruchter 2011, PASP 123, 497 (drops of
what an image lacks).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.model import CalibratedFrame
from zemosaic.resampling.resample import sky_at
from zemosaic.resampling.warp import LATTICE, Lattice, frame_lattice, light_of
from zemosaic.wcs import FrameWcs

__all__ = ["DropKernel", "DropRules", "add_drops", "drop_lattice", "raw_cube"]


SIGMA_PER_FWHM = 1.0 / 2.354820045
GAUSSIAN_REACH = 2.5
"""Standard deviations to which a round drop reaches; and at least `MIN_REACH_PX`."""
MIN_REACH_PX = 1.2


class DropKernel(IntEnum):
    """The shape of a drop."""

    SQUARE = 0
    GAUSSIAN = 1
    """Round, its full width at half maximum that of the square."""


@dataclass(frozen=True)
class DropRules:
    """What a raw pixel becomes."""

    pixfrac: float = 0.7
    """Side of the drop over that of the raw pixel."""
    kernel: DropKernel = DropKernel.SQUARE


def drop_lattice(frame: FrameWcs, canvas: FrameWcs, window: Box) -> Lattice:
    """Return where points of a detector window (y0, y1, x0, x1), every `LATTICE` pixels, lie on the canvas.

    Parameters
    ----------
    frame, canvas : FrameWcs
    window : (y0, y1, x0, x1)
        Of the frame's detector, in pixels.

    Returns
    -------
    Lattice
        Its positions are canvas pixels.
    """
    return frame_lattice(frame, canvas, window)


def raw_cube(pixels: NDArray[Any]) -> Float32s:
    """Return the pixels of a window as float32, shape (h, w, planes); NaN for what is no light."""
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None], np.float32)


def add_drops(
    raw: Float32s,
    window: Box,
    calibrated: CalibratedFrame,
    lattice: Lattice,
    box: Box,
    rules: DropRules,
    area_ratio: float,
    weights: Float32s,
    model: Float32s,
    sums: tuple[Float32s, Float32s],
) -> None:
    """Let the pixels of a frame fall on a canvas box.

    Parameters
    ----------
    raw : ndarray, shape (h, w, planes), float32
        From `raw_cube`; one plane for Bayer and mono frames.  NaN is left out.
    window : tuple
        Where the window lies on the detector: (y0, y1, x0, x1).
    calibrated : CalibratedFrame
    lattice : Lattice
        From `drop_lattice` for the same window.
    box : tuple
        The canvas box.
    rules : DropRules
    area_ratio : float
        Area of a canvas pixel over that of a frame's pixel: what keeps the stars' flux.
    weights : ndarray, shape (box height, box width), float32
        The frame's weight at each canvas pixel; 0 where its light is rejected.
    model : ndarray, shape (channels, box height, box width), float32
        The sky in mosaic units, interpolated by cubic convolution at the raw pixel's place.  Where it is not known
        (NaN, or less than two pixels from the box's edge) nothing falls.
    sums : pair of ndarray, shape (channels, box height, box width), float32
        Receive the sums of weight times difference from the model, in mosaic units, and of weights.  A drop that falls
        wholly on one pixel counts with the frame's weight there.
    """
    frame = calibrated.frame
    bias, illumination, sky, gain = light_of(calibrated, area_ratio)
    if len(sky) < len(model):
        # A mono frame among colour ones stands for each colour.
        sky, gain = np.repeat(sky, len(model), axis=0), np.repeat(gain, len(model))
    _drops(
        raw,
        (window[0], window[2]),
        (frame.height, frame.width),
        _channels(frame.bayer, raw.shape[2], len(model)),
        (lattice.x, lattice.y, lattice.row0, lattice.column0, LATTICE),
        (bias, illumination, sky, gain),
        (rules.pixfrac, rules.kernel is DropKernel.GAUSSIAN, SIGMA_PER_FWHM, GAUSSIAN_REACH, MIN_REACH_PX),
        (box[0], box[2]),
        weights,
        model,
        *sums,
    )


def _channels(bayer: str | None, planes: int, channels: int) -> NDArray[np.int64]:
    """Return for a pixel at (y % 2, x % 2) its first channel, the one after its last, and the plane step, (2, 2, 3)."""
    if bayer is None:
        return np.broadcast_to(np.array([0, channels, 1 if planes > 1 else 0]), (2, 2, 3)).copy()
    colours = np.array(["RGB".index(colour) for colour in bayer]).reshape(2, 2)
    return np.stack([colours, colours + 1, np.zeros_like(colours)], axis=-1).astype(np.int64)


@njit(cache=True, error_model="numpy", nogil=True)
def _drops(raw, origin, size, channels, geometry, light, shape, corner, weights, model, total, heavy):  # type: ignore[no-untyped-def]
    lx, ly, row0, column0, step = geometry
    rows, columns = weights.shape
    place, values = np.empty(6), np.empty(len(total), np.float32)
    for j in range(raw.shape[0]):
        y = origin[0] + j
        for i in range(raw.shape[1]):
            x = origin[1] + i
            _place(lx, ly, (y - row0) / step, (x - column0) / step, step, place)
            px, py = place[0] - corner[1], place[1] - corner[0]
            if not (px >= 0 and py >= 0 and px <= columns - 1 and py <= rows - 1):
                continue
            half_x, half_y = _reach(place, shape)
            first, last, plane = channels[y % 2, x % 2]
            _values(raw[j, i], (x, y), size, light, (first, last, plane), values)
            for c in range(first, last):
                values[c] -= _model_at(model[c], px, py)
            for m in range(max(0, int(np.ceil(py - half_y))), min(rows, int(np.floor(py + half_y)) + 1)):
                for n in range(max(0, int(np.ceil(px - half_x))), min(columns, int(np.floor(px + half_x)) + 1)):
                    if not weights[m, n] > 0:
                        continue
                    share = np.float32(_part(place, shape, n - px, m - py)) * weights[m, n]
                    if not share > 0:
                        continue
                    for c in range(first, last):
                        if values[c] == values[c]:
                            total[c, m, n] += share * values[c]
                            heavy[c, m, n] += share


@njit(cache=True, error_model="numpy", nogil=True)
def _values(raw, place, size, light, which, values):  # type: ignore[no-untyped-def]
    """Fill values with a raw pixel in mosaic units; which: first channel, the one after the last, plane step."""
    bias, illumination, sky, gain = light
    u = np.float32((place[0] - 0.5 * size[1]) / size[0])
    v = np.float32((place[1] - 0.5 * size[0]) / size[0])
    r2 = u * u + v * v
    flat = np.float32(1) / (np.float32(1) + r2 * (illumination[0] + r2 * illumination[1]))
    for c in range(which[0], which[1]):
        level = np.float32(sky_at(sky[c], u, v))
        values[c] = ((raw[c * which[2]] - bias) * flat - level) * gain[c]


@njit(cache=True, error_model="numpy", nogil=True)
def _model_at(model, x, y):  # type: ignore[no-untyped-def]
    """Return a model at a place by cubic convolution; NaN where not all pixels round it are known."""
    ix, iy = int(x), int(y)
    if ix < 1 or iy < 1 or ix > model.shape[1] - 3 or iy > model.shape[0] - 3:
        return np.float32(np.nan)
    across, along = _cubic(x - ix), _cubic(y - iy)
    total = 0.0
    for k in range(4):
        line = model[iy + k - 1, ix - 1 : ix + 3]
        total += along[k] * (across[0] * line[0] + across[1] * line[1] + across[2] * line[2] + across[3] * line[3])
    return np.float32(total)


@njit(cache=True, error_model="numpy", nogil=True)
def _cubic(t):  # type: ignore[no-untyped-def]
    """Return the cubic convolution weights (Keys 1981, a = -1/2) of the pixels -1 to 2 round a place."""
    s = 1.0 - t
    return (
        -0.5 * t * s * s,
        1.0 + t * t * (1.5 * t - 2.5),
        1.0 + s * s * (1.5 * s - 2.5),
        -0.5 * s * t * t,
    )


@njit(cache=True, error_model="numpy", nogil=True)
def _place(lx, ly, row, column, step, place):  # type: ignore[no-untyped-def]
    """Fill place with the canvas position of a detector pixel and its derivatives: x, y, x/x, x/y, y/x, y/y."""
    r, c = int(row), int(column)
    t, s = row - r, column - c
    for k in range(2):
        points = lx if k == 0 else ly
        a, b, d, e = points[r, c], points[r, c + 1], points[r + 1, c], points[r + 1, c + 1]
        place[k] = (1 - t) * ((1 - s) * a + s * b) + t * ((1 - s) * d + s * e)
        place[2 + 2 * k] = ((1 - t) * (b - a) + t * (e - d)) / step
        place[3 + 2 * k] = ((1 - s) * (d - a) + s * (e - b)) / step


@njit(cache=True, error_model="numpy", nogil=True)
def _sigma(place, shape):  # type: ignore[no-untyped-def]
    """Return a round drop's standard deviation; a pixel's scale on the canvas is the mean of both directions."""
    return shape[0] * np.sqrt(abs(place[2] * place[5] - place[3] * place[4])) * shape[2]


@njit(cache=True, error_model="numpy", nogil=True)
def _reach(place, shape):  # type: ignore[no-untyped-def]
    """Return how far from a drop the centres of the pixels lie, at most, that it falls on: along x and along y."""
    pixfrac, gaussian, _, reach_sigmas, least_reach = shape
    if gaussian:
        reach = max(reach_sigmas * _sigma(place, shape), least_reach) + 0.5
        return reach, reach
    across, along = abs(place[2]) + abs(place[3]), abs(place[4]) + abs(place[5])
    return 0.5 * (pixfrac * across + 1.0), 0.5 * (pixfrac * along + 1.0)


@njit(cache=True, error_model="numpy", nogil=True)
def _part(place, shape, dx, dy):  # type: ignore[no-untyped-def]
    """Return the part of a drop that falls on the pixel whose centre lies (dx, dy) from the drop's."""
    if shape[1]:
        variance = _sigma(place, shape) ** 2
        return np.exp(-0.5 * (dx * dx + dy * dy) / variance) / (2 * np.pi * variance)
    return _overlap(place, shape[0], dx, dy)


@njit(cache=True, error_model="numpy", nogil=True)
def _overlap(place, pixfrac, dx, dy):  # type: ignore[no-untyped-def]
    """Return the part of a square drop that falls on a pixel.

    Each edge of the parallelogram cuts an area off below itself in the pixel; with the signs of its way round, these
    areas add up to that of the overlap.
    """
    ax, ay = 0.5 * pixfrac * place[2], 0.5 * pixfrac * place[4]
    bx, by = 0.5 * pixfrac * place[3], 0.5 * pixfrac * place[5]
    # Corners counted from the pixel's lower left corner, which makes the pixel the unit square.
    ox, oy = 0.5 - dx, 0.5 - dy
    x0, y0, x1, y1 = ox - ax - bx, oy - ay - by, ox + ax - bx, oy + ay - by
    x2, y2, x3, y3 = ox + ax + bx, oy + ay + by, ox - ax + bx, oy - ay + by
    area = _below(x0, y0, x1, y1) + _below(x1, y1, x2, y2) + _below(x2, y2, x3, y3) + _below(x3, y3, x0, y0)
    return abs(area) / (4.0 * abs(ax * by - ay * bx))


@njit(cache=True, error_model="numpy", nogil=True)
def _below(x0, y0, x1, y1):  # type: ignore[no-untyped-def]
    """Return the area of the unit square below a line from (x0, y0) to (x1, y1), negative from right to left."""
    sign = 1.0
    if x1 < x0:
        x0, y0, x1, y1, sign = x1, y1, x0, y0, -1.0
    left, right = max(x0, 0.0), min(x1, 1.0)
    if left >= right:
        return 0.0
    slope = (y1 - y0) / (x1 - x0)
    low, high = y0 + slope * (left - x0), y0 + slope * (right - x0)
    if min(low, high) >= 1.0:
        return sign * (right - left)
    if max(low, high) <= 0.0:
        return 0.0
    if (low >= 0.0 and low <= 1.0 and high >= 0.0 and high <= 1.0) or abs(high - low) < 1e-9:
        return sign * (right - left) * min(max(0.5 * (low + high), 0.0), 1.0)
    return sign * (_held(high) - _held(low)) / slope


@njit(cache=True, error_model="numpy", nogil=True)
def _held(y):  # type: ignore[no-untyped-def]
    """Return the integral of a number held between 0 and 1."""
    if y <= 0.0:
        return 0.0
    return 0.5 * y * y if y <= 1.0 else y - 0.5
