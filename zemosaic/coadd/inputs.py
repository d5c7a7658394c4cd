"""The inputs of the co-addition: stacked images, each on a pixel grid of its own.

A `GridTile` lies on the canvas's own pixels and is only laid down; a `MasterTile` has a plane of its own and is
resampled.  Both methods of assembly take either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box, Float32s
from zemosaic.model import TileSpec
from zemosaic.mosaic.feather import tile_weight
from zemosaic.store.canvas_store import TilePixels
from zemosaic.wcs import FrameWcs

__all__ = ["TILE_CACHE_BYTES", "Cutout", "GridTile", "TileCache", "TileReader", "cropped", "overlap"]

TILE_CACHE_BYTES = 96 << 20
_MAPS = ("share", "weight", "feather", "kept", "rejected")


@dataclass(frozen=True)
class Cutout:
    """A window of a piece, (channels, h, w) and (h, w)."""

    value: Float32s
    share: Float32s
    """Weight in the assembly; 0 where there is no light."""
    weight: Float32s
    """Weight of the stack as the weight map tells it."""
    feather: Float32s
    """What `weight` is multiplied with to make a share."""
    kept: NDArray[np.uint16]
    rejected: NDArray[np.uint16]

    def part(self, rows: slice, columns: slice) -> Cutout:
        """Return a window of the window.

        Parameters
        ----------
        rows, columns : slice
            Of this window.
        """
        maps = {name: getattr(self, name)[rows, columns] for name in _MAPS}
        return replace(self, value=self.value[:, rows, columns], **maps)

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take."""
        size: int = self.value.nbytes + sum(getattr(self, name).nbytes for name in _MAPS)
        return size


class TileReader(Protocol):
    """Where stacked tiles are read, most often a `zemosaic.store.canvas_store.CanvasStore`."""

    def read_tile(self, tile: TileSpec, row: int) -> TilePixels:
        """Return the pixels of a stacked tile.

        Parameters
        ----------
        tile : TileSpec
        row : int
            Its place in the store.
        """


class TileCache:
    """LRU cache of tiles: each is needed for its own block and for the neighbouring ones."""

    def __init__(self, limit_bytes: int = TILE_CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._kept: dict[int, Cutout] = {}

    def whole(self, number: int, read: Callable[[], Cutout]) -> Cutout:
        """Return a tile, read anew only where it is no longer kept.

        Parameters
        ----------
        number : int
            Of the tile.
        read : callable() -> Cutout
            Reads it.
        """
        tile = self._kept.pop(number, None) or read()
        self._kept[number] = tile
        while len(self._kept) > 1 and sum(cutout.nbytes for cutout in self._kept.values()) > self._limit:
            del self._kept[next(iter(self._kept))]
        return tile


@dataclass(frozen=True)
class GridTile:
    """A tile of Grid mode: on the canvas's pixels, its maps counting within its inner box only."""

    store: TileReader
    spec: TileSpec
    row: int
    """Its place in the store."""
    canvas_height: int
    canvas_width: int
    wcs: FrameWcs
    """Of the tile's own pixels."""

    @property
    def place(self) -> tuple[int, int]:
        """Row and column of its first pixel on the canvas."""
        return self.spec.outer[0], self.spec.outer[2]

    @property
    def height(self) -> int:
        return self.spec.outer[1] - self.spec.outer[0]

    @property
    def width(self) -> int:
        return self.spec.outer[3] - self.spec.outer[2]

    def read(self, box: Box, cache: TileCache) -> Cutout:
        """Return a window (y0, y1, x0, x1) of the tile's pixels.

        Parameters
        ----------
        box : (y0, y1, x0, x1)
            In pixels of the tile.
        cache : TileCache
        """
        return cache.whole(self.row, self._whole).part(slice(*box[:2]), slice(*box[2:]))

    def _whole(self) -> Cutout:
        pixels = self.store.read_tile(self.spec, self.row)
        share = tile_weight(self.spec, self.canvas_height, self.canvas_width)
        (top, left), (y0, y1, x0, x1) = (self.spec.outer[0], self.spec.outer[2]), self.spec.inner
        inner = np.zeros(share.shape, np.uint16)
        inner[y0 - top : y1 - top, x0 - left : x1 - left] = 1
        unity = np.ones((1, 1), np.float32)
        return Cutout(
            value=pixels.value,
            share=share,
            weight=pixels.weight * inner,
            feather=np.broadcast_to(unity, share.shape),
            kept=pixels.kept * inner,
            rejected=pixels.rejected * inner,
        )


def overlap(first: Box, second: Box) -> Box | None:
    """Return what two boxes share; None where they share nothing.

    Parameters
    ----------
    first, second : (y0, y1, x0, x1)
    """
    y0, y1, x0, x1 = (
        max(first[0], second[0]),
        min(first[1], second[1]),
        max(first[2], second[2]),
        min(first[3], second[3]),
    )
    return (y0, y1, x0, x1) if y1 > y0 and x1 > x0 else None


def cropped(box: Box, within: Box) -> tuple[slice, slice]:
    """Return the rows and columns of a box in an array that begins at another box's corner.

    Parameters
    ----------
    box : (y0, y1, x0, x1)
    within : (y0, y1, x0, x1)
        Where the array begins.
    """
    return slice(box[0] - within[0], box[1] - within[0]), slice(box[2] - within[2], box[3] - within[2])
