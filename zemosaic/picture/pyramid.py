"""A finished mosaic to look at: any part at any zoom, fast enough to drag.

Beside the file lie levels of halves, quarters, eighths ..., each pixel the mean of four of the level before.  They
are made in a thread while the first windows are already served from the file itself, and lie in memory, or, for a
large mosaic, in a nameless file of the user's cache folder that is gone with the process whatever ends it.

Places are those of a picture: (0, 0) is the top left corner of the top left pixel, x to the right, y downwards, and
the pixel in column i and row j covers i to i + 1 and j to j + 1.  All calls are safe from any thread.
"""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path

import numpy as np
import platformdirs
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.arrays import Float32s
from zemosaic.picture.overview import Overview
from zemosaic.picture.pyramid_kernel import Raster, averaged, halved, shown
from zemosaic.picture.star_cores import WING_PX, with_hue_of_wings
from zemosaic.picture.stretch import AUTOMATIC_LOOK, DisplayStretch, PictureLook
from zemosaic.store.mosaic_file import MosaicFile
from zemosaic.wcs import FrameWcs

__all__ = ["MosaicView", "Pyramid"]

Picture = NDArray[np.uint8]

MIN_LEVEL_PX = 256
"""Longest side of the last level."""
MEMORY_BYTES = 256 << 20
"""Levels up to this size lie in memory."""
BAND_BYTES = 32 << 20


class Pyramid:
    """The levels of one file.  Level k has pixels of 2**k of the file's; level 0 is the file.

    Parameters
    ----------
    path : Path
        A mosaic or one of its maps.
    """

    def __init__(self, path: Path) -> None:
        self.file = MosaicFile(path)
        self.channels, self.height, self.width = self.file.shape
        self._sizes = [(self.height, self.width)]
        while max(self._sizes[-1]) > MIN_LEVEL_PX:
            h, w = self._sizes[-1]
            self._sizes.append(((h + 1) // 2, (w + 1) // 2))
        # Of a compressed file the pixels themselves are kept too, since decoding is slow.
        self._first = 0 if self.file.compressed else 1
        self._levels: list[Float32s | None] = [None] * len(self._sizes)
        self._done_rows = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._build, name="mosaic-levels", daemon=True)
        self._thread.start()

    @property
    def progress(self) -> float:
        """How much of the levels is made, 0 to 1; windows get faster, and finer in their averages, until then."""
        return self._done_rows / self.height

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the levels are made; returns whether they are."""
        self._thread.join(timeout_s)
        return self._done_rows >= self.height

    def close(self) -> None:
        """Stop making levels and let go of file and memory."""
        self._stop.set()
        self._thread.join()
        self._levels = []
        self.file.close()

    def part(
        self, x0: float, y0: float, x1: float, y1: float, out_w: int, out_h: int, margin: int = 0
    ) -> tuple[Float32s, Raster]:
        """Return pixels that cover a window, and where the window's pixels lie among them.

        Parameters
        ----------
        x0, y0, x1, y1 : float
            The window, in picture places.
        out_w, out_h : int
            Pixels it is to be shown with.
        margin : int
            Pixels around the window, of those that are returned, to return as well.

        Returns
        -------
        pixels : ndarray, shape (channels, h, w), float32
        grid : Grid
            Output pixel (i, j) is at column ``grid.x + i * grid.dx`` and row ``grid.y + j * grid.dy``.
        """
        step = max((x1 - x0) / out_w, (y1 - y0) / out_h)
        level = min(max(0, int(np.floor(np.log2(max(step, 1.0))))), len(self._sizes) - 1)
        stored = self._level(level)
        if stored is None and level > 0:
            return self._from_file(x0, y0, x1, y1, out_w, out_h, step)
        unit = 2.0**level
        height, width = self._sizes[level]
        source = self.file if stored is None else stored
        # Rows are stored from the bottom, and a level's last row may stand for less than `unit` rows.
        top = self.height / unit
        grid = Raster(
            ((x1 - x0) * 0.5 / out_w + x0) / unit - 0.5,
            top - ((y1 - y0) * 0.5 / out_h + y0) / unit - 0.5,
            (x1 - x0) / out_w / unit,
            -(y1 - y0) / out_h / unit,
        )
        left, right = _reach(grid.x, grid.dx, out_w, width, margin)
        low, high = _reach(grid.y, grid.dy, out_h, height, margin)
        pixels = np.asarray(source[:, low:high, left:right], np.float32)
        return pixels, Raster(grid.x - left, grid.y - low, grid.dx, grid.dy)

    def _from_file(
        self, x0: float, y0: float, x1: float, y1: float, out_w: int, out_h: int, step: float
    ) -> tuple[Float32s, Raster]:
        """Return single pixels in equal steps, until the levels are made."""
        side = max(1, int(step))
        bottom, top = self.height - y1, self.height - y0
        low, high = max(0, int(bottom)), min(self.height, int(np.ceil(top)))
        left, right = max(0, int(x0)), min(self.width, int(np.ceil(x1)))
        if low >= high or left >= right:
            return np.full((self.channels, 1, 1), np.nan, np.float32), Raster(-9.0, -9.0, 0.0, 0.0)
        pixels = np.asarray(self.file[:, low:high:side, left:right:side], np.float32)
        dx, dy = (x1 - x0) / out_w, (y1 - y0) / out_h
        grid = Raster((x0 + 0.5 * dx - 0.5 - left) / side, (top - 0.5 * dy - 0.5 - low) / side, dx / side, -dy / side)
        return pixels, grid

    def _level(self, level: int) -> Float32s | None:
        if level < self._first or self._done_rows < self.height:
            return None
        return self._levels[level]

    def _build(self) -> None:
        sizes = self._sizes[self._first :]
        levels: list[Float32s | None] = [None] * self._first
        if sizes:
            levels += self._room(sizes)
        # Bands begin where the pixels of every level begin.
        whole = 2 ** (len(self._sizes) - 1)
        rows = whole * max(1, BAND_BYTES // (whole * self.channels * self.width * 4))
        for start in range(0, self.height, rows):
            if self._stop.is_set():
                return
            band = self.file[:, start : start + rows, :]
            for level in range(self._first, len(self._sizes)):
                if level:
                    band = halved(band)
                stored = levels[level]
                assert stored is not None
                first = start >> level
                stored[:, first : first + band.shape[1]] = band
            if start + rows < self.height:
                self._done_rows = start + rows
        self._levels = levels
        self._done_rows = self.height

    def _room(self, sizes: list[tuple[int, int]]) -> list[Float32s]:
        """Return arrays for levels, in memory or in a nameless file."""
        shapes = [(self.channels, h, w) for h, w in sizes]
        numbers = [int(np.prod(shape)) for shape in shapes]
        if 4 * sum(numbers) <= MEMORY_BYTES:
            return [np.empty(shape, np.float32) for shape in shapes]
        cache = Path(platformdirs.user_cache_dir("zemosaic", appauthor=False))
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache) as stream:
            stream.truncate(4 * sum(numbers))
            places = np.cumsum([0, *numbers[:-1]]) * 4
            return [
                np.memmap(stream, np.float32, "r+", int(place), shape)
                for place, shape in zip(places, shapes, strict=True)
            ]


class MosaicView:
    """A finished mosaic with its sky, its stretch and its coverage."""

    def __init__(self, mosaic: Pyramid, coverage: Pyramid | None) -> None:
        self._mosaic, self._coverage = mosaic, coverage
        self._most: float | None = None
        self._overview: Overview | None = None

    @classmethod
    def open(cls, path: Path, coverage: Path | None = None) -> MosaicView:
        """Open a mosaic as ZeMosaic wrote it, plain or compressed, float or 16-bit, colour or mono.

        Parameters
        ----------
        path : Path
            The mosaic.
        coverage : Path or None
            Its coverage map; None: the file beside it that has its name with ``_coverage``, where there is one.

        Raises
        ------
        OutputError
            The file cannot be read or is no picture.
        """
        if coverage is None:
            end = ".fits.fz" if path.name.endswith(".fits.fz") else path.suffix
            beside = path.with_name(f"{path.name.removesuffix(end)}_coverage{end}")
            coverage = beside if beside.is_file() else None
        return cls(Pyramid(path), None if coverage is None else Pyramid(coverage))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self._mosaic.width, self._mosaic.height

    @property
    def channels(self) -> int:
        """1 or 3."""
        return self._mosaic.channels

    @property
    def has_coverage(self) -> bool:
        """Whether a coverage map is at hand."""
        return self._coverage is not None

    @property
    def wcs(self) -> FrameWcs | None:
        """Where the pixels lie on the sky, rows counted from the bottom; `sky_at` and `place_of` count from the top."""
        return self._mosaic.file.wcs

    @property
    def header(self) -> fits.Header:
        """The header of the mosaic's file."""
        return self._mosaic.file.header

    @property
    def progress(self) -> float:
        """How much of the smaller levels is made, 0 to 1; ask for the window again when it is 1."""
        return self._mosaic.progress

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the levels are made; returns whether they are."""
        others = self._coverage is None or self._coverage.wait(timeout_s)
        return self._mosaic.wait(timeout_s) and others

    def close(self) -> None:
        """Let go of files and memory."""
        self._mosaic.close()
        if self._coverage is not None:
            self._coverage.close()

    def auto_stretch(self, linked: bool = True, look: PictureLook = AUTOMATIC_LOOK) -> DisplayStretch:
        """Return the stretch of the preview.

        The first call reads the whole file: make it in a thread.  From then on windows that show the mosaic from afar
        show it with less noise, like the preview, and those that show single pixels are stretched more gently.

        Parameters
        ----------
        linked : bool
            Whether all colours share one stretch and stars are balanced, or each colour has its own.
        look : PictureLook
            What else is wanted of it; that of the first call counts.
        """
        if self._overview is None:
            coverage = None if self._coverage is None else self._coverage.file
            self._overview = Overview.of(self._mosaic.file, coverage, look=look)
        return self._overview.views[0 if linked else 1]

    def window(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        out_w: int,
        out_h: int,
        stretch: DisplayStretch,
        channel: int | None = None,
    ) -> Picture:
        """Return a part of the stretched picture.

        Parameters
        ----------
        x0, y0, x1, y1 : float
            The part, in picture places; what lies outside is black.
        out_w, out_h : int
            Size of the result.
        stretch : View
            From `auto_stretch`, perhaps `View.adjusted` or with another `colour`.
        channel : int or None
            Only this channel, in grey.

        Returns
        -------
        ndarray, shape (out_h, out_w, 3), uint8
            Row 0 at the top.  Larger than life, single pixels are seen; smaller, means of those that fall together.
        """
        if self._overview is not None:
            if afar := self._overview.part(x0, y0, x1, y1, out_w, out_h):
                return shown(*afar, out_w, out_h, stretch, channel)
            stretch = self._overview.near(stretch, (x1 - x0) / out_w)
        pixels, grid = self._mosaic.part(x0, y0, x1, y1, out_w, out_h, WING_PX if stretch.clipped else 0)
        pixels = with_hue_of_wings(pixels, stretch.sky, stretch.clipped)
        return shown(pixels, grid, out_w, out_h, stretch, channel)

    def frames(self, x0: float, y0: float, x1: float, y1: float, out_w: int, out_h: int) -> Float32s | None:
        """Return the number of frames in a part, shape (out_h, out_w); None where there is no coverage map.

        Parameters
        ----------
        x0, y0, x1, y1 : float
            The part, in picture places.
        out_w, out_h : int
            Size of the result.
        """
        if self._coverage is None:
            return None
        pixels, grid = self._coverage.part(x0, y0, x1, y1, out_w, out_h)
        return np.asarray(averaged(pixels, grid, out_w, out_h)[0])

    @property
    def most_frames(self) -> float:
        """The largest number of frames that a pixel of the coverage map has, in the coarsest picture of it."""
        if self._coverage is None:
            return 0.0
        if self._most is None:
            _, height, width = self._coverage.file.shape
            pixels, _ = self._coverage.part(0, 0, width, height, MIN_LEVEL_PX, MIN_LEVEL_PX)
            self._most = float(np.nanmax(pixels, initial=0.0))
        return self._most

    def value_at(self, x: float, y: float) -> tuple[float, ...] | None:
        """Return the linear values of the pixel at a place, one per channel; None outside and without data.

        Parameters
        ----------
        x, y : float
            Place in pixels from the top left corner.
        """
        return self._pixel(self._mosaic, x, y)

    def frames_at(self, x: float, y: float) -> int | None:
        """Return how many frames the pixel at a place is made of; None outside and without a coverage map.

        Parameters
        ----------
        x, y : float
            Place in pixels from the top left corner.
        """
        count = None if self._coverage is None else self._pixel(self._coverage, x, y)
        return None if count is None else round(count[0])

    def sky_at(self, x: float, y: float) -> tuple[float, float] | None:
        """Return (ra_deg, dec_deg), ICRS, of a place; None without a WCS and off the sky.

        Parameters
        ----------
        x, y : float
            Place in pixels from the top left corner.
        """
        if self.wcs is None:
            return None
        ra, dec = self.wcs.pixel_to_sky(x - 0.5, self._mosaic.height - 0.5 - y)
        return (float(ra), float(dec)) if np.isfinite(ra) and np.isfinite(dec) else None

    def place_of(self, ra_deg: float, dec_deg: float) -> tuple[float, float] | None:
        """Return the place (x, y) of a direction, perhaps outside; None without a WCS and beyond its half sphere.

        Parameters
        ----------
        ra_deg, dec_deg : float
        """
        if self.wcs is None:
            return None
        x, y = self.wcs.sky_to_pixel(ra_deg, dec_deg)
        return (float(x) + 0.5, self._mosaic.height - 0.5 - float(y)) if np.isfinite(x) and np.isfinite(y) else None

    @staticmethod
    def _pixel(pyramid: Pyramid, x: float, y: float) -> tuple[float, ...] | None:
        column, row = int(np.floor(x)), pyramid.height - 1 - int(np.floor(y))
        if not (0 <= column < pyramid.width and 0 <= row < pyramid.height):
            return None
        values = pyramid.file[:, row : row + 1, column : column + 1].ravel()
        return tuple(float(v) for v in values) if np.isfinite(values).all() else None


def _reach(first: float, step: float, number: int, size: int, margin: int = 0) -> tuple[int, int]:
    """Return the range of pixels round a row of places, at least one pixel, inside an array of a size."""
    ends = (first, first + step * (number - 1))
    low, high = int(np.floor(min(ends))) - 1 - margin, int(np.ceil(max(ends))) + 2 + margin
    low = min(max(low, 0), size - 1)
    return low, max(min(high, size), low + 1)
