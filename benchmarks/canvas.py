"""Memory and time of the incremental assembly of a large colour canvas from synthetic tiles.

usage: python -m benchmarks.canvas [--classic] [SIDE] [FOLDER]

SIDE is that of the canvas in pixels (20000), FOLDER where its store is made and removed again (a temporary one); the
canvas takes 20 bytes per pixel of disk.  The pieces are tiles of Grid mode, or with --classic master tiles, each turned
by some degrees.  All read the pixels of one, so that only what is assembled is written.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from zemosaic.arrays import Box
from zemosaic.coadd.cutouts import CoaddPlane
from zemosaic.coadd.inputs import Cutout, GridTile, TileCache
from zemosaic.coadd.master_tile import MasterTile, feather_map
from zemosaic.model import GridPlan, TileSpec
from zemosaic.phases.assemble import AssembleTask, assemble_blocks
from zemosaic.store.canvas_store import CanvasStore, TilePixels
from zemosaic.wcs import FrameWcs

TILE = 512
OVERLAP = 16
MASTER, MASTER_STEP = 2048, 1700
"""Side of a master tile, and how far apart their middles lie: they cover the canvas however they are turned."""
LEVEL = (900.0, 1000.0, 1100.0)
SAMPLE_S = 0.05
WCS = FrameWcs(10.0, 20.0, 0.0, 0.0, ((-6e-4, 0.0), (0.0, 6e-4)))


def assemble_masters(side: int, folder: Path) -> CanvasStore:
    """Assemble a canvas of side x side pixels of three colours from master tiles; returns its store."""
    source = CanvasStore(folder / "master.zarr")
    source.create_canvas(3, MASTER, MASTER, TILE, "master")
    rng, shape = np.random.default_rng(0), (MASTER, MASTER)
    ones = np.ones(shape, np.uint16)
    pixels = TilePixels(
        rng.normal(0.0, 5.0, (3, *shape)).astype(np.float32), np.ones(shape, np.float32), ones, 0 * ones
    )
    source.write_canvas((0, MASTER, 0, MASTER), pixels)
    source.write_feather(feather_map(ones > 0, "coverage", 0.8), (0, MASTER, 0, MASTER))
    del pixels
    middles = np.arange(0, side + MASTER_STEP, MASTER_STEP)
    pieces = tuple(
        MasterTile(source, _turned(x, y, rng.uniform(-5.0, 5.0)), (0, MASTER, 0, MASTER), 3)
        for y in middles
        for x in middles
    )
    canvas = CanvasStore(folder / "canvas.zarr")
    canvas.create_canvas(3, side, side, TILE, "canvas")
    for specs in _rows(side):
        blocks = tuple(spec.inner for spec in specs if spec.tile_id >= 0)
        assemble_blocks(AssembleTask(blocks, pieces, CoaddPlane(WCS), LEVEL, canvas))
    return canvas


def _turned(x: float, y: float, turn_deg: float) -> FrameWcs:
    """Return the plane of a master tile whose middle lies at a place of the canvas."""
    ra, dec = WCS.pixel_to_sky(x, y)
    c, s = 6e-4 * math.cos(math.radians(turn_deg)), 6e-4 * math.sin(math.radians(turn_deg))
    return FrameWcs(float(ra), float(dec), 0.5 * (MASTER - 1), 0.5 * (MASTER - 1), ((-c, s), (s, c)))


def assemble(side: int, folder: Path) -> CanvasStore:
    """Assemble a canvas of side x side pixels of three colours, a row of tiles at a time; returns its store."""
    source = CanvasStore(folder / "tile.zarr")
    box = (0, TILE + 2 * OVERLAP, 0, TILE + 2 * OVERLAP)
    whole = TileSpec(0, box, box, (0,))
    source.create(GridPlan(WCS, box[3], box[1], 3, (whole,)), "tile")
    size = (box[1], box[3])
    value = np.random.default_rng(0).normal(0.0, 5.0, (3, *size)).astype(np.float32)
    ones = np.ones(size, np.uint16)
    source.write_tile(whole, 0, TilePixels(value, np.ones(size, np.float32), 20 * ones, 0 * ones))
    canvas = CanvasStore(folder / "canvas.zarr")
    canvas.create_canvas(3, side, side, TILE, "canvas")
    for specs in _rows(side):
        tiles = tuple(_Tile(source, spec, 0, side, side, WCS.shifted(spec.outer[2], spec.outer[0])) for spec in specs)
        blocks = tuple(spec.inner for spec in specs if spec.tile_id >= 0)
        assemble_blocks(AssembleTask(blocks, tiles, CoaddPlane(WCS), LEVEL, canvas))
    return canvas


class _Tile(GridTile):
    """A tile that is read from the one there is, whatever its number."""

    def read(self, box: Box, shelf: TileCache) -> Cutout:
        return self._whole().part(slice(*box[:2]), slice(*box[2:]))


def _rows(side: int) -> Iterator[list[TileSpec]]:
    """Yield the tiles of each row with those of the rows beside it, which have the number -1."""
    edges = range(0, side, TILE)
    for row in edges:
        specs = []
        for number, y in ((0, row), (-1, row - TILE), (-1, row + TILE)):
            specs += [_spec(number, y, x, side) for x in edges if 0 <= y < side]
        yield specs


def _spec(number: int, y: int, x: int, side: int) -> TileSpec:
    inner = (y, min(y + TILE, side), x, min(x + TILE, side))
    outer = (max(0, y - OVERLAP), min(inner[1] + OVERLAP, side), max(0, x - OVERLAP), min(inner[3] + OVERLAP, side))
    return TileSpec(number, inner, outer, (0,))


class Peak:
    """Largest resident memory of this process while the block runs."""

    def __enter__(self) -> Peak:
        self.rss_bytes, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._over.wait(SAMPLE_S):
            self.rss_bytes = max(self.rss_bytes, process.memory_info().rss)


def main() -> None:
    """Assemble and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classic", action="store_true")
    parser.add_argument("side", type=int, nargs="?", default=20000)
    parser.add_argument("folder", type=Path, nargs="?")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder, Peak() as peak:
        began = time.process_time()
        (assemble_masters if given.classic else assemble)(given.side, Path(folder))
        seconds = time.process_time() - began
    kind = "Classic" if given.classic else "Grid"
    print(f"{kind}, {given.side} x {given.side} x 3: {seconds:.0f} CPU s, peak memory {peak.rss_bytes / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
