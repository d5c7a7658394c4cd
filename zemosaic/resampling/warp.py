"""Raw frame to mosaic grid in one resampling.

Positions are computed exactly on a coarse lattice of the canvas and linearly in between; the
lattice is anchored to the canvas, so that a pixel's value does not depend on the tile it is made in.
The linear step errs by at most ``step**2 / 8`` times the second derivative of the mapping: below
0.01 px for the distortions of real telescopes (tested).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.model import CalibratedFrame
from zemosaic.resampling.interpolation import STEP_BITS, Interpolation, kernels_of
from zemosaic.resampling.resample import RUN, resample
from zemosaic.wcs import FrameWcs

__all__ = ["BORDER", "LATTICE", "Lattice", "Planes", "frame_lattice", "light_of", "planes_of", "warp", "window_of"]

LATTICE = RUN
"""Canvas pixels between exact positions."""

BORDER = 7
"""Nearest that a mosaic pixel may lie to the edge of the detector: the reach of the widest kernel."""


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
    """Return where the lattice points round a canvas box lie on a frame's detector.

    Parameters
    ----------
    canvas, frame : FrameWcs
    box : (y0, y1, x0, x1)
        Of the canvas, in pixels.
    step : int
        Canvas pixels between lattice points, which lie at multiples of it.

    Returns
    -------
    Lattice
    """
    y0, y1, x0, x1 = box
    rows = np.arange(y0 // step, (y1 - 1) // step + 2) * step
    columns = np.arange(x0 // step, (x1 - 1) // step + 2) * step
    ra, dec = canvas.pixel_to_sky(columns[None, :], rows[:, None])
    x, y = frame.sky_to_pixel(ra, dec)
    return Lattice(x, y, int(rows[0]), int(columns[0]))


def window_of(lattice: Lattice, width: int, height: int, margin: int = BORDER + 2) -> Box | None:
    """Return the detector window (y0, y1, x0, x1), begun at even pixels, that a lattice draws on.

    Parameters
    ----------
    lattice : Lattice
    width, height : int
        Of the detector, in pixels.
    margin : int
        Pixels that interpolation reads round a position.

    Returns
    -------
    (y0, y1, x0, x1) or None
        None where the lattice lies beside the detector or the window is too small for the kernels.
    """
    if not np.isfinite(lattice.x).any():
        return None
    y0 = max(0, int(np.floor(np.nanmin(lattice.y))) - margin) & ~1
    y1 = min(height, int(np.ceil(np.nanmax(lattice.y))) + margin + 1)
    x0 = max(0, int(np.floor(np.nanmin(lattice.x))) - margin) & ~1
    x1 = min(width, int(np.ceil(np.nanmax(lattice.x))) + margin + 1)
    if y1 - y0 < 2 * BORDER or x1 - x0 < 2 * BORDER:
        return None
    return y0, y1, x0, x1


def warp(
    pixels: NDArray[Any],
    window: Box,
    calibrated: CalibratedFrame,
    lattice: Lattice,
    box: Box,
    into: NDArray[np.float32],
    interpolation: Interpolation = Interpolation.LANCZOS3,
    area_ratio: float = 1.0,
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
    interpolation : Interpolation
        Red and blue of a Bayer frame get the cubic kernel at the most.
    area_ratio : float
        Area of a canvas pixel over that of a frame's pixel: what keeps the stars' flux.
    """
    frame = calibrated.frame
    planes = planes_of(pixels, window, frame.bayer, len(into))
    wide, sparse = kernels_of(interpolation)
    tables = tuple(sparse if plane in planes.sparse else wide for plane in range(len(planes.arrays)))
    resample(
        planes.arrays,
        planes.maps,
        planes.origins,
        tables,
        STEP_BITS,
        (lattice.x, lattice.y, lattice.row0, lattice.column0),
        (frame.height, frame.width, BORDER, box[0], box[2]),
        light_of(calibrated, area_ratio),
        into,
    )


@dataclass(frozen=True)
class Planes:
    """A frame's window, one plane per colour, with the way from detector to plane.

    The pixel of plane c at (column, row) is that at detector position (x, y) where
    ``column + origins[c, 0] = maps[c, 0] . (x, y, 1)`` and ``row + origins[c, 1] = maps[c, 1] . (x, y, 1)``.
    """

    arrays: tuple[NDArray[np.float32], ...]
    maps: NDArray[np.float64]
    """Shape (planes, 2, 3)."""
    origins: NDArray[np.int64]
    """Shape (planes, 2)."""
    sparse: tuple[int, ...]
    """Planes whose pixels lie two detector pixels apart."""


def planes_of(pixels: NDArray[Any], window: Box, bayer: str | None, channels: int) -> Planes:
    """Return the planes of a window: each colour's own pixels of a Bayer frame, with nothing made up between.

    A mono frame counts in all channels.  Green lies on the diagonals: its plane is the lattice turned
    by 45 degrees, NaN in the corners.

    Parameters
    ----------
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Of the window.
    window : (y0, y1, x0, x1)
        Where it lies on the detector, y0 and x0 even.
    bayer : str or None
        Colours of the top left 2 x 2 pixels, row by row.
    channels : int
        Planes wanted of a mono frame.

    Returns
    -------
    Planes
    """
    wy, wx = window[0], window[2]
    if bayer is None:
        colours = [pixels] if pixels.ndim == 2 else list(np.moveaxis(pixels, -1, 0))
        arrays = tuple(_padded(colour) for colour in colours) * (channels if len(colours) == 1 else 1)
        identity = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        count = len(arrays)
        return Planes(arrays, np.repeat(identity[None], count, 0), np.repeat(np.array([[wx, wy]]), count, 0), ())
    places = {colour: divmod(bayer.index(colour), 2) for colour in "RB"}
    parity = (sum(places["R"]) + 1) % 2
    maps, origins = np.empty((3, 2, 3)), np.empty((3, 2), np.int64)
    by_colour: dict[str, NDArray[np.float32]] = {}
    for plane, colour in ((0, "R"), (2, "B")):
        row, column = places[colour]
        maps[plane] = ((0.5, 0.0, -0.5 * column), (0.0, 0.5, -0.5 * row))
        origins[plane] = wx // 2, wy // 2
        by_colour[colour] = _padded(pixels[row::2, column::2])
    first = (pixels.shape[0] + parity) // 2
    maps[1] = ((0.5, -0.5, -0.5 * parity), (0.5, 0.5, -0.5 * parity))
    origins[1] = (wx - wy) // 2 - first, (wx + wy) // 2
    green = _turned(np.asarray(pixels, pixels.dtype.newbyteorder("=")), parity, first)
    return Planes((by_colour["R"], green, by_colour["B"]), maps, origins, (0, 2))


def light_of(calibrated: CalibratedFrame, area_ratio: float) -> tuple[Any, ...]:
    """Return what turns raw numbers into mosaic units: bias, illumination, sky and gain per channel.

    Parameters
    ----------
    calibrated : CalibratedFrame
    area_ratio : float
        Area of a canvas pixel over that of a frame's pixel.

    Returns
    -------
    bias : float32
        ADU, with the frame's level jump.
    illumination : ndarray, shape (2,), float32
        Coefficients of r**2 and r**4.
    sky : ndarray, shape (channels, terms), float32
        ADU.
    gain : ndarray, shape (channels,), float32
        `area_ratio` over the transparency.
    """
    illumination = np.zeros(2, np.float32)
    illumination[: len(calibrated.illumination)] = calibrated.illumination
    gain = np.array([area_ratio / value for value in calibrated.transparency], np.float32)
    return (
        np.float32(calibrated.bias_adu + calibrated.level_jump_adu),
        illumination,
        np.array(calibrated.sky_adu, np.float32),
        gain,
    )


def _padded(plane: NDArray[Any]) -> NDArray[np.float32]:
    """Return a plane with the two columns more that vectors of eight read; they count for nothing."""
    padded = np.empty((plane.shape[0], plane.shape[1] + 2), np.float32)
    padded[:, :-2] = plane
    padded[:, -2:] = 0
    return padded


@njit(cache=True, error_model="numpy", nogil=True)
def _turned(raw, parity, first):  # type: ignore[no-untyped-def]
    """Return the lattice of the green pixels, (x + y) % 2 == parity, turned so that it lies square."""
    height, width = raw.shape
    turned = np.full(((height + width) // 2 + 1, (height + width) // 2 + 4), np.nan, np.float32)
    for y in range(height):
        begin = (y + parity) % 2
        p = (begin - parity + y) // 2
        q = (begin - parity - y) // 2 + first
        for k in range((width - begin + 1) // 2):
            turned[p + k, q + k] = raw[y, begin + 2 * k]
    return turned
