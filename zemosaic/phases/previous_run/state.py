"""What a finished run leaves for the next one, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.calibration.sensor.fixed_pattern import FixedPattern
from zemosaic.model import CalibratedFrame, FrameRef, MeasuredFrame, Solution, SolvedFrame, TileProduct, TileSpec
from zemosaic.mosaic.canvas import Canvas
from zemosaic.store.canvas_store import CanvasStore, TilePixels
from zemosaic.store.codec import from_plain
from zemosaic.store.journal import digest

__all__ = ["CachedField", "CachedTile", "FieldState", "PreviousRun", "frame_digest"]


@dataclass(frozen=True)
class CachedTile:
    """A tile of the last finished run; boxes count from the corner of its cell of the grid."""

    store: str
    """Its store's path below the work folder."""
    row: int
    outer: Box
    product: TileProduct
    """Without the ids of its frames, which the next run numbers anew."""
    frames_used: tuple[str, ...]
    """Their paths."""


@dataclass(frozen=True)
class CachedField:
    """A mosaic of the last finished run."""

    number: int
    canvas: Canvas
    origin: tuple[int, int]
    channels: int
    frames: Mapping[str, Any]
    """By path what turns a frame's numbers into mosaic units: a `CalibratedFrame` as plain values without the frame."""

    def calibrated(self, solved: SolvedFrame) -> CalibratedFrame | None:
        """Return a frame with its earlier calibration; None where it has none."""
        numbers = self.frames.get(solved.frame.path)
        return None if numbers is None else from_plain(CalibratedFrame, numbers, solved=solved)


@dataclass(frozen=True)
class EarlierCamera:
    """What the last finished run found of a camera."""

    defects: NDArray[np.int64]
    """Flat indices of mended pixels."""
    masters: str
    """Fingerprint of its masters."""
    frames: int
    """How many frames were looked at."""


@dataclass(frozen=True)
class EarlierPattern:
    """What the last finished run found to stand still on a camera's sensor."""

    pattern: FixedPattern
    frames: int
    """How many frames were looked at."""
    camera: str
    """Fingerprint of the defects and masters under which it was found."""


@dataclass(frozen=True)
class EarlierPlace:
    """Where the last finished run found a frame."""

    depends_on: str
    solution: Solution


@dataclass(frozen=True)
class FieldState:
    """A field of this run as it will be known to the next one."""

    canvas: Canvas
    origin: tuple[int, int]
    channels: int
    frames: Sequence[CalibratedFrame]


@dataclass(frozen=True)
class FinishedRun:
    """The journal's entry of a finished run; see `PreviousRun` for what its parts are."""

    number: int
    cameras: dict[str, EarlierCamera]
    places: dict[str, EarlierPlace]
    groups: dict[str, str]
    fields: tuple[CachedField, ...]
    tiles: dict[str, CachedTile]
    cells: frozenset[str]
    patterns: dict[str, EarlierPattern]


@dataclass
class PreviousRun:
    """Cached results of the previous run, and the results of this run that the next one may use."""

    number: int = 0
    """How many finished runs there were before."""
    cameras: dict[str, EarlierCamera] = field(default_factory=dict)
    """By `FrameRef.camera_key`, as text."""
    places: dict[str, EarlierPlace] = field(default_factory=dict)
    """By path."""
    fields: list[CachedField] = field(default_factory=list)
    tiles: dict[str, CachedTile] = field(default_factory=dict)
    """By digest of all that their pixels depend on."""
    cells: frozenset[str] = frozenset()
    """Digests of the cells of the grids that had a tile."""
    groups: dict[str, str] = field(default_factory=dict)
    """By path of every frame: the name of its group by hand, empty without one."""
    same: set[str] = field(default_factory=set)
    """Paths of frames that are what they were."""
    patterns: dict[str, EarlierPattern] = field(default_factory=dict)
    """By `FrameRef.camera_key`, as text."""
    next_cameras: dict[str, EarlierCamera] = field(default_factory=dict)
    next_patterns: dict[str, EarlierPattern] = field(default_factory=dict)
    next_tiles: dict[str, tuple[CachedTile, str]] = field(default_factory=dict)
    """With the digest of the cell."""

    def camera(self, group: object, masters: str) -> tuple[NDArray[np.int64], int] | None:
        """Return a camera's defects, as flat indices, and how many frames told them; None where its masters differ.

        Parameters
        ----------
        group : object
            `FrameRef.camera_key`.
        masters : str
            Fingerprint of the masters it has now.
        """
        stored = self.cameras.get(str(group))
        return None if stored is None or stored.masters != masters else (stored.defects, stored.frames)

    def record_camera(self, group: object, defects: NDArray[np.int64], masters: str, frames: int) -> None:
        """Keep what was found of a camera for the next run.

        Parameters
        ----------
        group : object
            `FrameRef.camera_key`.
        defects : ndarray of int
            Flat indices of the mended pixels.
        masters : str
            Fingerprint of its masters.
        frames : int
            How many frames were looked at.
        """
        self.next_cameras[str(group)] = EarlierCamera(defects, masters, frames)

    def pattern(self, group: object, camera: str) -> tuple[FixedPattern, int] | None:
        """Return a camera's fixed pattern, and how many frames told it; None where defects or masters were others.

        Parameters
        ----------
        group : object
            `FrameRef.camera_key`.
        camera : str
            Fingerprint of the defects and masters it has now.
        """
        stored = self.patterns.get(str(group))
        return None if stored is None or stored.camera != camera else (stored.pattern, stored.frames)

    def record_pattern(self, group: object, pattern: FixedPattern, frames: int, camera: str) -> None:
        """Keep what stands still on a camera's sensor for the next run.

        Parameters
        ----------
        group : object
            `FrameRef.camera_key`.
        pattern : FixedPattern
        frames : int
            How many frames were looked at.
        camera : str
            Fingerprint of the defects and masters under which it was found.
        """
        self.next_patterns[str(group)] = EarlierPattern(pattern, frames, camera)

    def place(self, measured: MeasuredFrame, camera: str) -> Solution | None:
        """Return the earlier solution of a frame whose file and camera are the same; None otherwise.

        A frame that has one is in `same` from then on.

        Parameters
        ----------
        measured : MeasuredFrame
        camera : str
            Fingerprint of the defects and masters of its camera now.
        """
        stored = self.places.get(measured.frame.path)
        if stored is None or stored.depends_on != frame_digest(measured.frame, camera):
            return None
        self.same.add(measured.frame.path)
        return stored.solution

    def has_tile(self, depends_on: str, outer: Box) -> bool:
        """Return whether an earlier tile holds, all of it inside a box around its cell.

        Parameters
        ----------
        depends_on : str
            Digest of all that its pixels depend on.
        outer : (y0, y1, x0, x1)
            The box, counted in pixels from the corner of the cell.
        """
        tile = self.tiles.get(depends_on)
        if tile is None:
            return False
        y0, y1, x0, x1 = tile.outer
        return y0 >= outer[0] and y1 <= outer[1] and x0 >= outer[2] and x1 <= outer[3]

    def pixels(self, work_dir: Path, depends_on: str, outer: Box, channels: int) -> TilePixels:
        """Return the pixels of an earlier tile in a box around its cell; beyond the tile there are none.

        Parameters
        ----------
        work_dir : Path
            The work folder, which the tile's store lies in.
        depends_on : str
            Digest of a tile that `has_tile` knows.
        outer : (y0, y1, x0, x1)
            The box, counted in pixels from the corner of the cell.
        channels : int
        """
        tile, shape = self.tiles[depends_on], (channels, outer[1] - outer[0], outer[3] - outer[2])
        y0, y1, x0, x1 = tile.outer
        stored = CanvasStore(work_dir / tile.store).read_tile(TileSpec(0, tile.outer, tile.outer, ()), tile.row)
        _, height, width = shape
        padded = TilePixels(
            np.full(shape, np.nan, np.float32),
            np.zeros((height, width), np.float32),
            np.zeros((height, width), np.uint16),
            np.zeros((height, width), np.uint16),
        )
        rows, columns = slice(y0 - outer[0], y1 - outer[0]), slice(x0 - outer[2], x1 - outer[2])
        padded.value[:, rows, columns] = stored.value
        for name in ("weight", "kept", "rejected"):
            getattr(padded, name)[rows, columns] = getattr(stored, name)
        return padded

    def product(self, depends_on: str, tile_id: int, ids: Mapping[str, int]) -> TileProduct:
        """Return the record of an earlier tile with this run's ids.

        Parameters
        ----------
        depends_on : str
            Digest of a tile that `has_tile` knows.
        tile_id : int
            The tile's number in this run.
        ids : mapping of str to int
            By path, the id of each frame of this run.
        """
        tile = self.tiles[depends_on]
        return replace(tile.product, tile_id=tile_id, frames_used=tuple(sorted(ids[path] for path in tile.frames_used)))

    def record_tile(
        self,
        depends_on: str,
        cell: str,
        store: str,
        row: int,
        outer: Box,
        product: TileProduct,
        paths: Mapping[int, str],
    ) -> None:
        """Keep for the next run where a tile lies and what it was made of.

        Parameters
        ----------
        depends_on : str
            Digest of all that its pixels depend on.
        cell : str
            Digest of its cell of the grid.
        store : str
            Its store's path below the work folder.
        row : int
            Its place in the store.
        outer : (y0, y1, x0, x1)
            Its box, counted in pixels from the corner of the cell.
        product : TileProduct
        paths : mapping of int to str
            By id, the path of each frame.
        """
        used = tuple(paths[i] for i in product.frames_used)
        self.next_tiles[depends_on] = (CachedTile(store, row, outer, replace(product, frames_used=()), used), cell)


def frame_digest(frame: FrameRef, camera: str) -> str:
    """Return the digest of a frame's file and its camera, by which an earlier solution counts.

    Parameters
    ----------
    frame : FrameRef
    camera : str
        Fingerprint of the defects and masters of its camera.
    """
    return digest(frame.identity, camera)
