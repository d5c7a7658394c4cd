"""Records of what becomes a mosaic: its canvas, its tiles and its files."""

from __future__ import annotations

from dataclasses import dataclass

from zemosaic.wcs import FrameWcs

__all__ = ["GridPlan", "MosaicProduct", "TileProduct", "TileSpec"]


@dataclass(frozen=True)
class TileSpec:
    """One piece of the canvas: boxes are (y0, y1, x0, x1) in canvas pixels, half open."""

    tile_id: int
    inner: tuple[int, int, int, int]
    """The part that is this tile's alone."""
    outer: tuple[int, int, int, int]
    """What is stacked: the inner box and the overlap with the neighbours."""
    frame_ids: tuple[int, ...]
    """Frames whose pixels reach the outer box, in order of frame_id."""


@dataclass(frozen=True)
class GridPlan:
    """The canvas and its tiles."""

    wcs: FrameWcs
    width: int
    height: int
    channels: int
    tiles: tuple[TileSpec, ...]
    name: str = ""
    """Name of the field where one folder holds several."""
    origin: tuple[int, int] = (0, 0)
    """Row and column of a corner of a cell of the tiles' grid; the first row and column of tiles may be cut."""


@dataclass(frozen=True)
class TileProduct:
    """A stacked tile; its pixels are in the store under its id."""

    tile_id: int
    frames_used: tuple[int, ...]
    rejected_fraction: float
    """Part of all samples that rejection took out."""
    mode: str
    """How it was stacked: ``exact`` or ``exact in passes``."""
    empty: bool = False
    mark: str = ""
    """Lengths and checksum of its pixels in the store (`zemosaic.store.canvas_store`); empty where there are none."""


@dataclass(frozen=True)
class MosaicProduct:
    """The finished files of one mosaic; `stretched` (in full size) and `picture` (to share) only where asked for."""

    mosaic: str
    coverage: str
    weight: str
    preview: str
    width: int
    height: int
    frames_used: int
    exposure_s: float
    wcs: FrameWcs
    box: tuple[int, int, int, int] | None = None
    """The part of the canvas that the files hold, (y0, y1, x0, x1), half open; None for all of it."""
    stretched: str = ""
    sigma: str = ""
    """The noise of every pixel where its map was asked for."""
    picture: str = ""
