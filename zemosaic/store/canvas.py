"""The pixels of a run on disk: tiles as they were stacked, and the canvas they make.

One zarr group, uncompressed, one chunk per tile, so that workers write side by side; chunks are
written whole (zarr's local store renames a finished temporary file).  Works with zarr 2 and 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from zemosaic.model import GridPlan, TileSpec

__all__ = ["CanvasStore", "TilePixels", "bytes_needed"]

_ZARR_2 = zarr.__version__.startswith("2.")

_PLANES: Mapping[str, tuple[str, float]] = {
    "value": ("f4", np.nan),
    "weight": ("f4", 0.0),
    "kept": ("u2", 0),
    "rejected": ("u2", 0),
}

_MAPS = tuple(name for name in _PLANES if name != "value")


@dataclass(frozen=True)
class TilePixels:
    """The arrays of one tile or of one box of the canvas, (channels, h, w) and (h, w)."""

    value: NDArray[np.float32]
    weight: NDArray[np.float32]
    kept: NDArray[np.uint16]
    rejected: NDArray[np.uint16]


def bytes_needed(plan: GridPlan) -> int:
    """Return the disk space of a plan's store: the tiles with their overlaps and the canvas."""
    per_pixel = 4 * plan.channels + 4 + 2 + 2
    height, width = _largest_outer(plan.tiles)
    return per_pixel * (plan.width * plan.height + len(plan.tiles) * height * width)


class CanvasStore:
    """Tiles and canvas of one plan; picklable by its path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._group = zarr.open_group(str(path), mode="a")
        self._arrays: dict[str, Any] = {}
        """Those in use: opening one takes as long as reading a tile."""

    def __reduce__(self) -> tuple[Any, ...]:
        return CanvasStore, (self.path,)

    def create(self, plan: GridPlan, fingerprint: str) -> None:
        """Make the arrays for a plan; those of another plan (by fingerprint) are replaced."""
        if self._group.attrs.get("plan") == fingerprint:
            return
        self._begin_anew()
        outer = _largest_outer(plan.tiles)
        inner = _largest(tile.inner for tile in plan.tiles)
        for name, (dtype, fill) in _PLANES.items():
            lead = (plan.channels,) if name == "value" else ()
            self._make(f"tile_{name}", (len(plan.tiles), *lead, *outer), (1, *lead, *outer), dtype, fill)
        self._make_canvas(plan.channels, plan.height, plan.width, inner)
        self._group.attrs["plan"] = fingerprint

    def create_canvas(self, channels: int, height: int, width: int, block_px: int, fingerprint: str) -> None:
        """Make a canvas in square blocks, without tiles; one of another fingerprint is replaced."""
        if self._group.attrs.get("plan") == fingerprint:
            return
        self._begin_anew()
        self._make_canvas(channels, height, width, (min(block_px, height), min(block_px, width)))
        self._group.attrs["plan"] = fingerprint

    def drop_canvas(self) -> None:
        """Remove the canvas; the tiles stay.  What is made for a plan begins anew."""
        self._group.attrs["plan"] = ""
        self._arrays = {}
        for name in [name for name in self._group.array_keys() if name.startswith("canvas_")]:
            del self._group[name]

    def _begin_anew(self) -> None:
        self._group = zarr.open_group(str(self.path), mode="w")
        self._arrays = {}

    def _array(self, name: str) -> Any:
        if name not in self._arrays:
            self._arrays[name] = self._group[name]
        return self._arrays[name]

    def _make_canvas(self, channels: int, height: int, width: int, block: tuple[int, int]) -> None:
        for name, (dtype, fill) in _PLANES.items():
            lead = (channels,) if name == "value" else ()
            self._make(f"canvas_{name}", (*lead, height, width), (*lead, *block), dtype, fill)

    def _make(self, name: str, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: str, fill: float) -> None:
        if _ZARR_2:
            self._group.create_dataset(name, shape=shape, chunks=chunks, dtype=dtype, fill_value=fill, compressor=None)
        else:
            self._group.create_array(
                name,
                shape=shape,
                chunks=chunks,
                dtype=dtype,
                fill_value=fill,
                compressors=None,
                filters=None,
                # Nothing empty is written; looking for it takes as long as the writing.
                config={"write_empty_chunks": True},
            )

    def write_tile(self, tile: TileSpec, row: int, pixels: TilePixels) -> None:
        """Store a stacked tile; row is its place in the plan."""
        y0, y1, x0, x1 = tile.outer
        for name in _PLANES:
            self._array(f"tile_{name}")[_tile_place(name, row, y1 - y0, x1 - x0)] = getattr(pixels, name)[None]

    def read_tile(self, tile: TileSpec, row: int) -> TilePixels:
        """Return a stacked tile."""
        return TilePixels(**{name: self._tile_plane(name, tile, row) for name in _PLANES})

    def read_tile_value(self, tile: TileSpec, row: int) -> NDArray[np.float32]:
        """Return the values alone of a stacked tile, shape (channels, h, w)."""
        return self._tile_plane("value", tile, row)

    def _tile_plane(self, name: str, tile: TileSpec, row: int) -> NDArray[Any]:
        y0, y1, x0, x1 = tile.outer
        return np.asarray(self._array(f"tile_{name}")[_tile_place(name, row, y1 - y0, x1 - x0)][0])

    def write_canvas(self, box: tuple[int, int, int, int], pixels: TilePixels) -> None:
        """Store one box (y0, y1, x0, x1) of the canvas."""
        y0, y1, x0, x1 = box
        for name in _PLANES:
            place = (slice(y0, y1), slice(x0, x1))
            self._array(f"canvas_{name}")[(slice(None), *place) if name == "value" else place] = getattr(pixels, name)

    def read_canvas(self, box: tuple[int, int, int, int]) -> TilePixels:
        """Return one box (y0, y1, x0, x1) of the canvas."""
        y0, y1, x0, x1 = box
        value = np.asarray(self._array("canvas_value")[:, y0:y1, x0:x1])
        return TilePixels(value, *(np.asarray(self._array(f"canvas_{name}")[y0:y1, x0:x1]) for name in _MAPS))

    def write_feather(self, feather: NDArray[np.float32], box: tuple[int, int, int, int]) -> None:
        """Store what the weights are multiplied with where the canvas becomes part of another.

        Parameters
        ----------
        feather : ndarray, shape (y1 - y0, x1 - x0)
        box : (y0, y1, x0, x1)
            The part of the canvas that it is of; beyond it nothing counts.
        """
        if "canvas_feather" not in self._group:
            weight = self._group["canvas_weight"]
            self._make("canvas_feather", weight.shape, weight.chunks, "f4", 0.0)
        y0, y1, x0, x1 = box
        self._array("canvas_feather")[:] = np.float32(0)
        self._array("canvas_feather")[y0:y1, x0:x1] = feather

    def canvas(self, name: str) -> Any:
        """Return the array ``value`` (channels, H, W), or ``weight``, ``kept``, ``rejected``, ``feather`` (H, W)."""
        return self._array(f"canvas_{name}")


def _tile_place(name: str, row: int, height: int, width: int) -> tuple[slice, ...]:
    """Return the slices of a tile; zarr 2 and 3 read an ellipsis beside a number differently."""
    lead = (slice(None),) if name == "value" else ()
    return (slice(row, row + 1), *lead, slice(0, height), slice(0, width))


def _largest(boxes: Any) -> tuple[int, int]:
    sizes = [(y1 - y0, x1 - x0) for y0, y1, x0, x1 in boxes]
    return max(size[0] for size in sizes), max(size[1] for size in sizes)


def _largest_outer(tiles: tuple[TileSpec, ...]) -> tuple[int, int]:
    return _largest(tile.outer for tile in tiles)
