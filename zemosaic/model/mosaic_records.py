"""Records of what becomes a mosaic: its canvas, its tiles and its files."""

from __future__ import annotations

from dataclasses import dataclass

from zemosaic.wcs import FrameWcs

__all__ = ["CombinedProduct", "GridPlan", "LineProduct", "MosaicProduct", "TileProduct", "TileSpec"]


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


@dataclass(frozen=True)
class LineProduct:
    """A plane of one emission line that was taken out of a colour mosaic behind a dual-band filter."""

    band: str
    """``Ha`` or ``OIII``."""
    mosaic: str
    """Name of its file."""
    source: str
    """Name of the colour mosaic's file."""
    weight: str
    sigma: str
    """Name of its noise map; empty where the colour mosaic has none."""
    weights: tuple[float, float, float]
    """By what red, green and blue were multiplied."""
    other_line: float
    """Standard error of the part of the other line's light that is left in it."""
    response: tuple[float, float, float, float]
    """H alpha in green and blue where red sees 1; OIII in red and blue where green sees 1."""
    response_errors: tuple[float, float, float, float]
    response_from_data: bool
    """Whether the mosaic's own light had a say about the response."""


@dataclass(frozen=True)
class CombinedProduct:
    """A colour picture made of mosaics of single bands."""

    palette: str
    mosaic: str
    preview: str
    picture: str
    coverage: str
    width: int
    height: int
    wcs: FrameWcs
    planes: tuple[str, str, str]
    """What red, green and blue are made of: files, with their factors where several make one plane."""
    luminance: str = ""
    luminance_weight: float | None = None
    """Part of the brightness that comes from the luminance; None where there is none."""
    gains: tuple[float, ...] | None = None
    """Factors of the planes in the picture; None where nothing tells them."""
    error_mag: float | None = None
    """Standard error of white, where stars of known colour tell it."""
    white_stars: int = 0
    """Stars that decided about white."""
