"""Raw frame to mosaic grid in one resampling.

Positions are computed exactly on a coarse lattice of the canvas and linearly in between; the
lattice is anchored to the canvas, so that a pixel's value does not depend on the tile it is made in.
The linear step errs by at most ``step**2 / 8`` times the second derivative of the mapping: below
0.01 px for the distortions of real telescopes (tested).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.model import CalibratedFrame
from zemosaic.sky import FrameWcs

__all__ = ["BORDER", "LATTICE", "Lattice", "frame_lattice", "lanczos_table", "warp", "window_of"]

LATTICE = 32
"""Canvas pixels between exact positions."""

BORDER = 4
"""Detector pixels at each edge that no mosaic pixel may draw on: the kernel's reach and the debayer's."""

Box = tuple[int, int, int, int]


class Lattice:
    """Detector positions at the lattice points round one box of the canvas.

    Attributes
    ----------
    x, y : ndarray, shape (rows, columns), float64
        Detector position of the lattice points; NaN beyond the horizon of the tangent plane.
    row0, column0 : int
        Canvas position of the first point.
    """

    def __init__(self, x: NDArray[np.float64], y: NDArray[np.float64], row0: int, column0: int) -> None:
        self.x, self.y, self.row0, self.column0 = x, y, row0, column0


def frame_lattice(canvas: FrameWcs, frame: FrameWcs, box: Box, step: int = LATTICE) -> Lattice:
    """Return where the lattice points round a canvas box lie on a frame's detector."""
    y0, y1, x0, x1 = box
    rows = np.arange(y0 // step, (y1 - 1) // step + 2) * step
    columns = np.arange(x0 // step, (x1 - 1) // step + 2) * step
    ra, dec = canvas.pixel_to_sky(columns[None, :], rows[:, None])
    x, y = frame.sky_to_pixel(ra, dec)
    return Lattice(x, y, int(rows[0]), int(columns[0]))


def window_of(lattice: Lattice, width: int, height: int, margin: int = BORDER + 2) -> Box | None:
    """Return the detector window (y0, y1, x0, x1), begun at even pixels, that a lattice draws on."""
    if not np.isfinite(lattice.x).any():
        return None
    y0 = max(0, int(np.floor(np.nanmin(lattice.y))) - margin) & ~1
    y1 = min(height, int(np.ceil(np.nanmax(lattice.y))) + margin + 1)
    x0 = max(0, int(np.floor(np.nanmin(lattice.x))) - margin) & ~1
    x1 = min(width, int(np.ceil(np.nanmax(lattice.x))) + margin + 1)
    if y1 - y0 < 2 * BORDER or x1 - x0 < 2 * BORDER:
        return None
    return y0, y1, x0, x1


@lru_cache(maxsize=1)
def lanczos_table(steps: int = 2048, reach: int = 3) -> NDArray[np.float32]:
    """Return Lanczos-3 weights by fraction of a pixel, shape (steps + 1, 6), rows summing to 1.

    Duchon 1979, J. Appl. Meteor. 18, 1016.
    """
    fraction = np.arange(steps + 1)[:, None] / steps
    offset = fraction - np.arange(1 - reach, reach + 1)[None, :]
    kernel = np.where(np.abs(offset) < reach, np.sinc(offset) * np.sinc(offset / reach), 0.0)
    return (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)


def warp(
    planes: NDArray[np.float32],
    window: Box,
    calibrated: CalibratedFrame,
    lattice: Lattice,
    box: Box,
    into: NDArray[np.float32],
) -> None:
    """Resample a window of a frame onto a canvas box and calibrate it (see `CalibratedFrame`).

    Parameters
    ----------
    planes : ndarray, shape (channels, h, w), float32
        The window's colour planes in raw units.
    window : tuple
        Where the window lies on the detector: (y0, y1, x0, x1).
    calibrated : CalibratedFrame
    lattice : Lattice
        From `frame_lattice` for the same box.
    box : tuple
        The canvas box.
    into : ndarray, shape (channels, box height, box width), float32
        Receives mosaic units; NaN where the frame has no light.
    """
    frame = calibrated.frame
    sky = np.array(calibrated.sky_adu, np.float32)
    gain = np.array([1.0 / value for value in calibrated.transparency], np.float32)
    illumination = np.zeros(2, np.float32)
    illumination[: len(calibrated.illumination)] = calibrated.illumination
    _warp(
        planes,
        window[0],
        window[2],
        frame.height,
        frame.width,
        lattice.x,
        lattice.y,
        lattice.row0,
        lattice.column0,
        LATTICE,
        box[0],
        box[2],
        lanczos_table(),
        np.float32(calibrated.bias_adu),
        illumination,
        sky,
        gain,
        into,
    )


@njit(cache=True, fastmath={"nsz", "contract", "reassoc", "arcp"}, error_model="numpy", nogil=True)
def _warp(  # type: ignore[no-untyped-def]
    planes, wy, wx, height, width, lx, ly, row0, col0, step, y0, x0, table, bias, illum, sky, gain, out
):
    channels = planes.shape[0]
    steps = table.shape[0] - 1
    one, half = np.float32(1), np.float32(0.5)
    scale = np.float32(1.0 / height)
    centre_x, centre_y = np.float32(0.5 * width), np.float32(0.5 * height)
    low = BORDER
    high_x, high_y = width - 1 - BORDER, height - 1 - BORDER
    for j in range(out.shape[1]):
        row = (y0 + j - row0) // step
        t = (y0 + j - row0) / step - row
        for i in range(out.shape[2]):
            column = (x0 + i - col0) // step
            s = (x0 + i - col0) / step - column
            px = (1 - t) * ((1 - s) * lx[row, column] + s * lx[row, column + 1]) + t * (
                (1 - s) * lx[row + 1, column] + s * lx[row + 1, column + 1]
            )
            py = (1 - t) * ((1 - s) * ly[row, column] + s * ly[row, column + 1]) + t * (
                (1 - s) * ly[row + 1, column] + s * ly[row + 1, column + 1]
            )
            if not (px >= low and px <= high_x and py >= low and py <= high_y):
                for c in range(channels):
                    out[c, j, i] = np.nan
                continue
            ix, iy = int(px), int(py)
            kx = table[int((px - ix) * steps + half)]
            ky = table[int((py - iy) * steps + half)]
            ix -= wx + 2
            iy -= wy + 2
            u = (np.float32(px) - centre_x) * scale
            v = (np.float32(py) - centre_y) * scale
            r2 = u * u + v * v
            flat = one / (one + r2 * (illum[0] + r2 * illum[1]))
            for c in range(channels):
                total = np.float32(0)
                for m in range(6):
                    line = planes[c, iy + m, ix : ix + 6]
                    total += ky[m] * (
                        kx[0] * line[0]
                        + kx[1] * line[1]
                        + kx[2] * line[2]
                        + kx[3] * line[3]
                        + kx[4] * line[4]
                        + kx[5] * line[5]
                    )
                back = sky[c, 0] + sky[c, 1] * u + sky[c, 2] * v
                out[c, j, i] = ((total - bias) * flat - back) * gain[c]
