"""How the light at a place changes the noise of a frame there: photons arrive at random.

The variance of a raw pixel grows in proportion to its light: ``variance = gain (level - bias) + (gain r)**2`` with r
the read noise in electrons (photon transfer; Janesick 2001). A frame's noise is measured where its light is typical;
where a gradient, a nebula or a galaxy makes it brighter it is noisier, and darker places are calmer.
"""

from __future__ import annotations

import math

import numpy as np

from zemosaic.arrays import Box, Float32s, Float64s
from zemosaic.model import CalibratedFrame, sky_level
from zemosaic.store.axis_order import Pixels, axis_layout

__all__ = ["relative_variance", "smooth_light"]

READ_NOISE_E = 1.5
"""Usual for these cameras; under a sky of 30 electrons a wrong one by half changes the result by 2 %."""
LEAST = 0.1
"""No place is taken for calmer than this part of a frame's variance."""
EVERY_PX = 2
"""Of the pixels of a cell, along rows and columns, that its median is taken of."""


def smooth_light(value: Pixels, box: Box, cell_px: int) -> Float32s:
    """Return the mosaic's light without its stars, the median of each cell of the canvas.

    Parameters
    ----------
    value : array-like, shape (channels, h, w)
        The mosaic, NaN where no data is.
    box : (y0, y1, x0, x1)
        Part of the canvas that counts.
    cell_px : int
        Side of the cells, which begin in the canvas's corner.

    Returns
    -------
    ndarray, shape (channels, rows, columns), float32
        In the mosaic's units; NaN for cells without data.
    """
    channels, height, width = value.shape
    y0, y1, x0, x1 = box
    rows, columns = -(-height // cell_px), -(-width // cell_px)
    left, right = x0 // cell_px * cell_px, min(width, -(-x1 // cell_px) * cell_px)
    light = np.full((channels, rows, columns), np.nan, np.float32)
    layout = axis_layout(value, "CHW")
    for start, stop in layout.bands(y0 // cell_px * cell_px, min(height, -(-y1 // cell_px) * cell_px)):
        band = layout.rows(start, stop, left, right)[:, ::EVERY_PX, ::EVERY_PX]
        side = cell_px // EVERY_PX
        down, across = -(-band.shape[1] // side), -(-band.shape[2] // side)
        full = np.full((channels, down * side, across * side), np.nan, np.float32)
        full[:, : band.shape[1], : band.shape[2]] = band
        cells = full.reshape(channels, down, side, across, side).swapaxes(2, 3).reshape(channels, down, across, -1)
        light[:, start // cell_px : start // cell_px + down, left // cell_px : left // cell_px + across] = _medians(
            cells
        )
    return light


def _medians(cells: Float32s) -> Float32s:
    """Return the medians of the finite values along the last axis, NaN where there are none."""
    order = np.sort(cells, axis=-1)
    number = np.isfinite(order).sum(axis=-1)
    middle = np.take_along_axis(order, np.maximum(number - 1, 0)[..., None] // 2, axis=-1)[..., 0]
    return np.asarray(np.where(number > 0, middle, np.nan), np.float32)


def relative_variance(frame: CalibratedFrame, light: Float32s, u: Float64s, v: Float64s, shade: Float64s) -> Float64s:
    """Return the variance of a frame's raw pixels over that where its light is typical.

    Parameters
    ----------
    frame : CalibratedFrame
    light : ndarray, shape (channels, rows, columns), float32
        Of the mosaic at the places, without the sky level that a mosaic keeps, per area of one of the frame's pixels;
        NaN where it is not known.
    u, v : ndarray, shape (rows, columns)
        `detector_coordinates` of the places.
    shade : ndarray, shape (rows, columns)
        The frame's illumination there.

    Returns
    -------
    ndarray, shape (channels, rows, columns)
        1 where the light is not known or the frame's own level is not above its bias.
    """
    ratio, measured = np.ones(light.shape), frame.solved.measured
    for c, plane in enumerate(light):
        own = min(c, len(frame.transparency) - 1)
        level = measured.sky_adu[own] - frame.bias_adu - frame.level_jump_adu
        if not level > 0:
            continue
        seen = shade * (frame.transparency[own] * plane + sky_level(frame.sky_adu[own], u, v))
        dark = _dark_level(level, measured.noise_adu[own])
        ratio[c] = np.where(np.isfinite(seen), np.maximum((seen + dark) / (level + dark), LEAST), 1.0)
    return ratio


def _dark_level(level: float, noise: float) -> float:
    """Return the light in ADU whose photon noise equals the read noise, from the noise in ADU at a level of light.

    ``noise**2 = gain level + (gain r)**2`` is solved for the gain, and the light is ``gain r**2``.
    """
    square = READ_NOISE_E**2
    return 0.5 * (math.sqrt(level**2 + 4.0 * square * noise**2) - level)
