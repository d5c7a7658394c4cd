"""The mosaic while it grows: a small picture of the tiles that are finished."""

from __future__ import annotations

import io
import math
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.atomic import write_atomic
from zemosaic.errors import ZeMosaicError, message
from zemosaic.events import PreviewReady
from zemosaic.model import GridPlan, TileSpec
from zemosaic.phases.run.reporter import Reporter
from zemosaic.picture.preview import stretched_preview, write_png
from zemosaic.store.canvas_store import CanvasStore
from zemosaic.store.codec import content_of
from zemosaic.store.journal import digest

__all__ = ["MAX_SIDE_PX", "LivePicture", "block_sums", "coarse_side", "keep_quick_look"]

MAX_SIDE_PX = 800
MIN_INTERVAL_S = 2.0
"""Shortest time between two pictures ..."""
IDLE_SHARE = 25.0
"""... and so many times as long as the last one took: pictures cost a few hundredths of one process."""

_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    AttributeError,
    NotImplementedError,
    zipfile.BadZipFile,
)
"""What reading a damaged file of arrays raises."""

Sums = NDArray[np.float64]


class LivePicture:
    """Adds up the tiles of one plan in coarse pixels and now and then shows what is there.

    Nothing of the mosaic depends on it, and nothing that happens to it ends the run: where a tile cannot be read or a
    picture cannot be written, no more pictures are shown, and the log says so.
    """

    def __init__(self, reporter: Reporter, scratch: Path, plan: GridPlan, store: CanvasStore, name: str) -> None:
        self._reporter, self._plan, self._store = reporter, plan, store
        self._side = coarse_side(plan)
        shape = (-(-plan.height // self._side), -(-plan.width // self._side))
        self._sum, self._number = np.zeros((plan.channels, *shape)), np.zeros(shape)
        self._below, self._below_frames = read_quick_look(scratch, name, plan, shape)
        self._path = scratch / f"growing_{name}.png"
        self._next_s = 0.0
        self._added: set[int] = set()

    def add(self, row: int) -> None:
        """Take in a finished tile by its place in the plan; shows the picture when it is time, and at last."""
        if self._next_s == math.inf:
            return
        try:
            self._take_in(row)
        except (OSError, ZeMosaicError) as problem:
            self._next_s = math.inf
            detail = getattr(problem, "strerror", None) or str(problem)
            self._reporter.log(message("log.no_live_picture", detail=detail), "WARNING")

    def _take_in(self, row: int) -> None:
        began = time.monotonic()
        tile = self._plan.tiles[row]
        total, number, (rows, columns) = block_sums(self._store.read_tile_value(tile, row), tile, self._side)
        self._sum[:, rows, columns] += total
        self._number[rows, columns] += number
        self._added.add(row)
        is_due = began >= self._next_s or len(self._added) == len(self._plan.tiles)
        if is_due and self._number.any():
            self._show()
            now = time.monotonic()
            self._next_s = now + max(MIN_INTERVAL_S, IDLE_SHARE * (now - began))

    def _show(self) -> None:
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(self._number > 0, self._sum / self._number, self._below).astype(np.float32)
        there = np.asarray(np.isfinite(mean).all(axis=0))
        picture = stretched_preview(mean, np.asarray(there, np.float32), MAX_SIDE_PX, axis_order="CHW")
        # A new name each time: a window may still be reading the last one.
        path = self._path.with_stem(f"{self._path.stem}_{int(self._number.sum())}")
        write_png(path, picture)
        self._path.unlink(missing_ok=True)
        self._path = path
        quick = self._below_frames if (there & (self._number == 0)).any() else 0
        self._reporter.emit(
            PreviewReady(str(path), picture.shape[1], picture.shape[0], final=False, quick_frames=quick)
        )


def keep_quick_look(scratch: Path, name: str, plan: GridPlan, mean: NDArray[np.float32], frames: int) -> None:
    """Keep a picture of single frames, to be shown below the tiles that come.

    Parameters
    ----------
    scratch : Path
    name : str
        Of the field, as a file may bear it.
    plan : GridPlan
    mean : ndarray, shape (channels, rows, columns), float32
        Coarse pixels, `coarse_side` of the canvas along each; NaN where there is no light.
    frames : int
        How many frames it is made of.
    """
    content = io.BytesIO()
    np.savez(content, mean=mean, frames=frames, place=digest(content_of(plan.wcs)))
    write_atomic(_quick_look_file(scratch, name), content.getvalue())


def read_quick_look(
    scratch: Path, name: str, plan: GridPlan, shape: tuple[int, int]
) -> tuple[NDArray[np.float32], int]:
    """Return what `keep_quick_look` kept of this plan and its number of frames; NaN and 0 where it kept nothing.

    A damaged file counts as none.

    Parameters
    ----------
    scratch : Path
    name : str
        As it was kept.
    plan : GridPlan
        A picture of another grid counts as none.
    shape : (int, int)
        Rows and columns of coarse pixels.
    """
    nothing = np.full((plan.channels, *shape), np.nan, np.float32)
    try:
        with np.load(_quick_look_file(scratch, name), allow_pickle=False) as kept:
            if str(kept["place"]) != digest(content_of(plan.wcs)) or kept["mean"].shape != nothing.shape:
                return nothing, 0
            return np.asarray(kept["mean"], np.float32), int(kept["frames"])
    except _UNREADABLE:
        return nothing, 0


def coarse_side(plan: GridPlan) -> int:
    """Return how many canvas pixels the side of a coarse pixel has."""
    return max(1, -(-max(plan.width, plan.height) // MAX_SIDE_PX))


def _quick_look_file(scratch: Path, name: str) -> Path:
    return scratch / f"quick_look_{name}.npz"


def block_sums(value: NDArray[np.float32], tile: TileSpec, side: int) -> tuple[Sums, Sums, tuple[slice, slice]]:
    """Return what a tile's inner box adds to coarse pixels of `side` canvas pixels.

    Parameters
    ----------
    value : ndarray, shape (channels, h, w)
        Pixels of the tile's outer box; NaN where there is no light.
    tile : TileSpec
    side : int

    Returns
    -------
    total : ndarray, shape (channels, rows, columns)
    number : ndarray, shape (rows, columns)
        Pixels that have light.
    place : (slice, slice)
        Rows and columns of the coarse picture.
    """
    (y0, y1, x0, x1), (top, _, left, _) = tile.inner, tile.outer
    part = value[:, y0 - top : y1 - top, x0 - left : x1 - left]
    lit = np.isfinite(part).all(axis=0)
    rows, columns = _starts(y0, y1, side), _starts(x0, x1, side)

    def summed(planes: NDArray[np.float64]) -> Sums:
        return np.asarray(np.add.reduceat(np.add.reduceat(planes, rows, axis=-2), columns, axis=-1))

    place = slice(y0 // side, y0 // side + len(rows)), slice(x0 // side, x0 // side + len(columns))
    light: Sums = np.where(lit, part, np.float32(0)).astype(np.float64)
    there: Sums = np.asarray(lit, np.float64)
    return summed(light), summed(there), place


def _starts(first: int, last: int, side: int) -> NDArray[np.intp]:
    """Return where new coarse pixels begin among the pixels from `first` to `last`."""
    coarse = np.arange(first, last) // side
    return np.flatnonzero(np.diff(coarse, prepend=coarse[0] - 1))
