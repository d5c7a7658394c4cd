"""Raw frame to mosaic grid in one resampling.

Positions are computed exactly on a coarse lattice of the canvas and linearly in between; the
lattice is anchored to the canvas, so that a pixel's value does not depend on the tile it is made in.
The linear step errs by at most ``step**2 / 8`` times the second derivative of the mapping: below
0.01 px for the distortions of real telescopes (tested).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.model import CalibratedFrame
from zemosaic.sky import FrameWcs

__all__ = ["BORDER", "LATTICE", "Lattice", "cubic_table", "frame_lattice", "lanczos_table", "warp", "window_of"]

LATTICE = 32
"""Canvas pixels between exact positions."""

BORDER = 7
"""Nearest that a mosaic pixel may lie to the edge of the detector: the reach of the widest kernel."""

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


@lru_cache(maxsize=1)
def cubic_table(steps: int = 2048) -> NDArray[np.float32]:
    """Return cubic convolution weights by fraction of a pixel, shape (steps + 1, 4), rows summing to 1.

    Keys 1981, IEEE Trans. ASSP 29, 1153, with a = -1/2.
    """
    t = np.arange(steps + 1)[:, None] / steps
    d = np.abs(t - np.arange(-1, 3)[None, :])
    near = (1.5 * d - 2.5) * d * d + 1.0
    far = ((-0.5 * d + 2.5) * d - 4.0) * d + 2.0
    return np.where(d < 1.0, near, far).astype(np.float32)


def warp(
    pixels: NDArray[Any],
    window: Box,
    calibrated: CalibratedFrame,
    lattice: Lattice,
    box: Box,
    into: NDArray[np.float32],
) -> None:
    """Resample a window of a frame onto a canvas box and calibrate it (see `CalibratedFrame`).

    A Bayer frame is not demosaiced first: every colour is interpolated from its own pixels straight
    to the canvas, green by Lanczos-3 along the diagonals on which its pixels lie side by side, red
    and blue, whose pixels lie too far apart for kernels that ring, by cubic convolution.  Demosaicing
    first would widen the stars by a sixth.

    Parameters
    ----------
    pixels : ndarray, shape (h, w) or (h, w, 3)
        The window as read, defects mended.
    window : tuple
        Where the window lies on the detector: (y0, y1, x0, x1), begun at even pixels.
    calibrated : CalibratedFrame
    lattice : Lattice
        From `frame_lattice` for the same box.
    box : tuple
        The canvas box.
    into : ndarray, shape (channels, box height, box width), float32
        Receives mosaic units; NaN where the frame has no light.
    """
    frame = calibrated.frame
    geometry = (lattice.x, lattice.y, lattice.row0, lattice.column0, LATTICE)
    places = (window[0], window[2], frame.height, frame.width, box[0], box[2])
    illumination = np.zeros(2, np.float32)
    illumination[: len(calibrated.illumination)] = calibrated.illumination
    light = (
        np.float32(calibrated.bias_adu),
        illumination,
        np.array(calibrated.sky_adu, np.float32),
        np.array([1.0 / value for value in calibrated.transparency], np.float32),
    )
    if frame.bayer is not None:
        red, blue = divmod(frame.bayer.index("R"), 2), divmod(frame.bayer.index("B"), 2)
        parity = (red[0] + red[1] + 1) % 2
        raw = np.ascontiguousarray(pixels, np.float32)
        _warp_bayer(raw, places, geometry, red, blue, parity, lanczos_table(), cubic_table(), light, into)
        return
    planes = np.repeat(pixels[None], len(into), axis=0) if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    _warp_planes(np.ascontiguousarray(planes, np.float32), places, geometry, lanczos_table(), light, into)


@njit(cache=True, error_model="numpy", nogil=True)
def _positions(geometry, y, x0, px, py):  # type: ignore[no-untyped-def]
    """Fill px, py with the detector positions of a row of canvas pixels."""
    lx, ly, row0, column0, step = geometry
    row = (y - row0) // step
    t = (y - row0) / step - row
    for i in range(px.size):
        column = (x0 + i - column0) // step
        s = (x0 + i - column0) / step - column
        px[i] = (1 - t) * ((1 - s) * lx[row, column] + s * lx[row, column + 1]) + t * (
            (1 - s) * lx[row + 1, column] + s * lx[row + 1, column + 1]
        )
        py[i] = (1 - t) * ((1 - s) * ly[row, column] + s * ly[row, column + 1]) + t * (
            (1 - s) * ly[row + 1, column] + s * ly[row + 1, column + 1]
        )


@njit(cache=True, fastmath={"nsz", "contract"}, error_model="numpy", nogil=True)
def _calibrate(out, px, py, height, width, light):  # type: ignore[no-untyped-def]
    """Turn a row of raw samples, shape (channels, n), into mosaic units."""
    bias, illumination, sky, gain = light
    one = np.float32(1)
    for c in range(out.shape[0]):
        for i in range(out.shape[1]):
            u = np.float32((px[i] - 0.5 * width) / height)
            v = np.float32((py[i] - 0.5 * height) / height)
            r2 = u * u + v * v
            flat = one / (one + r2 * (illumination[0] + r2 * illumination[1]))
            back = sky[c, 0] + sky[c, 1] * u + sky[c, 2] * v
            out[c, i] = ((out[c, i] - bias) * flat - back) * gain[c]


@njit(cache=True, error_model="numpy", nogil=True)
def _inside(px, py, height, width):  # type: ignore[no-untyped-def]
    return px >= BORDER and px <= width - 1 - BORDER and py >= BORDER and py <= height - 1 - BORDER


@njit(cache=True, fastmath={"nsz", "contract", "reassoc"}, error_model="numpy", nogil=True)
def _warp_planes(planes, places, geometry, table, light, out):  # type: ignore[no-untyped-def]
    wy, wx, height, width, y0, x0 = places
    channels = planes.shape[0]
    steps = table.shape[0] - 1
    px, py = np.empty(out.shape[2]), np.empty(out.shape[2])
    for j in range(out.shape[1]):
        _positions(geometry, y0 + j, x0, px, py)
        for i in range(out.shape[2]):
            if not _inside(px[i], py[i], height, width):
                for c in range(channels):
                    out[c, j, i] = np.nan
                continue
            ix, iy = int(px[i]), int(py[i])
            kx = table[int((px[i] - ix) * steps + 0.5)]
            ky = table[int((py[i] - iy) * steps + 0.5)]
            ix -= wx + 2
            iy -= wy + 2
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
                out[c, j, i] = total
        _calibrate(out[:channels, j], px, py, height, width, light)


@njit(cache=True, fastmath={"nsz", "contract", "reassoc"}, error_model="numpy", nogil=True)
def _warp_bayer(raw, places, geometry, red, blue, parity, table, cubic, light, out):  # type: ignore[no-untyped-def]
    wy, wx, height, width, y0, x0 = places
    px, py = np.empty(out.shape[2]), np.empty(out.shape[2])
    for j in range(out.shape[1]):
        _positions(geometry, y0 + j, x0, px, py)
        for i in range(out.shape[2]):
            if _inside(px[i], py[i], height, width):
                x, y = px[i] - wx, py[i] - wy
                out[0, j, i] = _sparse(raw, x - red[1], y - red[0], red[0], red[1], cubic)
                out[1, j, i] = _diagonal(raw, x, y, parity, table)
                out[2, j, i] = _sparse(raw, x - blue[1], y - blue[0], blue[0], blue[1], cubic)
            else:
                out[:, j, i] = np.nan
        _calibrate(out[:, j], px, py, height, width, light)


@njit(cache=True, fastmath={"nsz", "contract", "reassoc"}, error_model="numpy", nogil=True)
def _sparse(raw, x, y, row, column, table):  # type: ignore[no-untyped-def]
    """Interpolate a colour whose pixels lie two apart; (x, y) counted from its first pixel."""
    steps = table.shape[0] - 1
    hx, hy = 0.5 * x, 0.5 * y
    ix, iy = int(hx), int(hy)
    kx = table[int((hx - ix) * steps + 0.5)]
    ky = table[int((hy - iy) * steps + 0.5)]
    a = 2 * (ix - 1) + column
    b = 2 * (iy - 1) + row
    total = np.float32(0)
    for m in range(4):
        line = raw[b + 2 * m]
        total += ky[m] * (kx[0] * line[a] + kx[1] * line[a + 2] + kx[2] * line[a + 4] + kx[3] * line[a + 6])
    return total


@njit(cache=True, fastmath={"nsz", "contract", "reassoc"}, error_model="numpy", nogil=True)
def _diagonal(raw, x, y, parity, table):  # type: ignore[no-untyped-def]
    """Interpolate green, whose pixels have (x + y) % 2 == parity: a square lattice turned by 45 degrees."""
    steps = table.shape[0] - 1
    p, q = 0.5 * (x - parity + y), 0.5 * (x - parity - y)
    ip, iq = math.floor(p), math.floor(q)
    kp = table[int((p - ip) * steps + 0.5)]
    kq = table[int((q - iq) * steps + 0.5)]
    total = np.float32(0)
    for m in range(6):
        first = ip - 2 + m
        a = first + iq - 2 + parity
        b = first - iq + 2
        total += kp[m] * (
            kq[0] * raw[b, a]
            + kq[1] * raw[b - 1, a + 1]
            + kq[2] * raw[b - 2, a + 2]
            + kq[3] * raw[b - 3, a + 3]
            + kq[4] * raw[b - 4, a + 4]
            + kq[5] * raw[b - 5, a + 5]
        )
    return total
