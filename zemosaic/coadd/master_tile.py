"""Master tiles: stacks of one group of frames on a plane of their own, as pieces of the mosaic."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, distance_transform_edt, zoom

from zemosaic.arrays import Box, Float32s
from zemosaic.coadd.inputs import Cutout, TileCache
from zemosaic.store.canvas_store import TilePixels
from zemosaic.wcs import FrameWcs

__all__ = ["CanvasReader", "Feather", "MasterTile", "feather_map", "filled", "trimmed_box"]

Feather = Literal["coverage", "radial", "none"]

MIN_BORDER_COVERAGE = 0.05
"""Rows and columns at the border with fewer than this part of their pixels are cut off."""
RAMP_FRACTION = 0.06
"""Width of the ramp at the border of the covered part, in parts of the tile's shorter side."""
DISTANCE_STEP_PX = 4
"""Distances to the border are measured on every n-th pixel."""
MIN_FEATHER = 0.01
"""Smallest feather inside the covered part: where a tile is alone, it still counts."""


class CanvasReader(Protocol):
    """Where the canvas of a master tile is read, most often a `zemosaic.store.canvas_store.CanvasStore`."""

    def read_canvas(self, box: Box) -> TilePixels: ...

    def canvas(self, name: str) -> Any: ...


@dataclass(frozen=True)
class MasterTile:
    """A master tile whose pixels and maps are the canvas of a store of its own."""

    store: CanvasReader
    wcs: FrameWcs
    """Of the pixels within the box."""
    box: Box
    """The part of the store's canvas that counts, (y0, y1, x0, x1)."""
    channels: int
    gain: tuple[float, ...] = ()
    """What each channel is multiplied with; nothing where empty."""
    offset: tuple[float, ...] = ()
    """What is added to each channel after that."""

    @property
    def place(self) -> tuple[int, int] | None:
        """None: it does not lie on the canvas's pixels."""
        return None

    @property
    def height(self) -> int:
        return self.box[1] - self.box[0]

    @property
    def width(self) -> int:
        return self.box[3] - self.box[2]

    def matched(self, gain: NDArray[np.float64], offset: NDArray[np.float64]) -> MasterTile:
        """Return the tile with a brightness and a level per channel, shape (channels,).

        Parameters
        ----------
        gain, offset : ndarray, shape (channels,)
            What the values are multiplied with, and what is added then.
        """
        return replace(self, gain=tuple(map(float, gain)), offset=tuple(map(float, offset)))

    def read(self, window: Box, shelf: TileCache | None = None) -> Cutout:
        """Return a window (y0, y1, x0, x1) of the tile's pixels; NaN where there is no light.

        Parameters
        ----------
        window : (y0, y1, x0, x1)
            In pixels of the tile.
        shelf : TileCache, optional
            Not used: windows are read straight from the store.

        Returns
        -------
        Cutout
        """
        y0, y1, x0, x1 = (a + b for a, b in zip(window, (*self.box[:1] * 2, *self.box[2:3] * 2), strict=True))
        pixels = self.store.read_canvas((y0, y1, x0, x1))
        feather = np.asarray(self.store.canvas("feather")[y0:y1, x0:x1])
        value = pixels.value
        if self.gain:
            gain, offset = (np.array(v, np.float32)[:, None, None] for v in (self.gain, self.offset))
            value = value * gain + offset
        share = pixels.weight * feather
        return Cutout(value, share, pixels.weight, feather, pixels.kept, pixels.rejected)


def trimmed_box(valid: NDArray[np.bool_]) -> Box | None:
    """Return the box (y0, y1, x0, x1) of the valid pixels without thin borders; None where nothing is valid."""
    rows, columns = valid.sum(axis=1), valid.sum(axis=0)
    if not rows.any():
        return None
    y = np.flatnonzero(rows >= MIN_BORDER_COVERAGE * rows.max())
    x = np.flatnonzero(columns >= MIN_BORDER_COVERAGE * columns.max())
    return int(y[0]), int(y[-1]) + 1, int(x[0]), int(x[-1]) + 1


def feather_map(valid: NDArray[np.bool_], kind: Feather, radial_fraction: float) -> Float32s:
    """Return what a tile's weights are multiplied with, shape (h, w).

    0 where a pixel is invalid or has an invalid neighbour, the outside being invalid: nothing is interpolated
    from there.  Elsewhere 1 (``none``); rising over `RAMP_FRACTION` from the border of the covered part
    (``coverage``); or
    falling as a squared cosine from `radial_fraction` of the half diagonal to the corners (``radial``).

    Parameters
    ----------
    valid : ndarray of bool, shape (h, w)
        Where the tile has light.
    kind : {"none", "coverage", "radial"}
    radial_fraction : float
        Of the half diagonal; used by ``radial`` alone.

    Returns
    -------
    ndarray, shape (h, w), float32
    """
    inside = np.asarray(binary_erosion(valid, np.ones((3, 3), bool), border_value=0))
    if kind == "coverage":
        shape = _border_ramp(inside)
    elif kind == "radial":
        shape = _radial(valid.shape, radial_fraction)
    else:
        shape = np.ones(valid.shape, np.float32)
    # In place: a group put together by hand may be as wide as the mosaic.
    np.maximum(shape, np.float32(MIN_FEATHER), out=shape)
    shape[~inside] = 0
    return shape


def _border_ramp(inside: NDArray[np.bool_]) -> Float32s:
    height, width = inside.shape
    rows, columns = -(-height // DISTANCE_STEP_PX), -(-width // DISTANCE_STEP_PX)
    padded = np.zeros((rows * DISTANCE_STEP_PX, columns * DISTANCE_STEP_PX), bool)
    padded[:height, :width] = inside
    coarse = padded.reshape(rows, DISTANCE_STEP_PX, columns, DISTANCE_STEP_PX).all(axis=(1, 3))
    del padded
    framed = np.pad(coarse, 1)
    distance = distance_transform_edt(framed)[1:-1, 1:-1].astype(np.float32) * DISTANCE_STEP_PX
    fine = zoom(distance, DISTANCE_STEP_PX, order=1, grid_mode=True, mode="nearest")[:height, :width]
    fine /= np.float32(max(RAMP_FRACTION * min(height, width), 1.0))
    ramp: Float32s = np.minimum(fine, np.float32(1), out=fine)
    return ramp


def _radial(shape: tuple[int, int], fraction: float) -> Float32s:
    middle = 0.5 * (shape[0] - 1), 0.5 * (shape[1] - 1)
    y, x = np.ogrid[: shape[0], : shape[1]]
    r = np.hypot(y - middle[0], x - middle[1]) / max(math.hypot(*middle), 1.0)
    fall = np.clip((r - fraction) / max(1.0 - fraction, 1e-6), 0.0, 1.0)
    return (np.cos(0.5 * math.pi * fall) ** 2).astype(np.float32)


def filled(value: Float32s) -> Float32s:
    """Return a picture (channels, h, w) with every pixel without a value replaced by the nearest that has one.

    So that curves through the pixels beside a border are not bent by what lies beyond it.
    """
    bad = ~np.isfinite(value).all(axis=0)
    if not bad.any():
        return value
    if bad.all():
        return np.zeros_like(value)
    nearest = distance_transform_edt(bad, return_distances=False, return_indices=True)
    return np.asarray(value[:, *nearest])
