"""Reading back what `write_fits` wrote, any part of it without the rest."""

from __future__ import annotations

import mmap
import threading
from pathlib import Path
from typing import Any, cast

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.arrays import Float32s
from zemosaic.errors import OutputError
from zemosaic.wcs import FrameWcs, Projection

__all__ = ["GAIN_CARDS", "MosaicFile", "gains_of", "wcs_of"]

GAIN_CARDS = ("ZMGAINR", "ZMGAING", "ZMGAINB")
"""Factors of red, green and blue."""


class MosaicFile:
    """The pixels of a mosaic or of one of its maps on disk; row 0 is the bottom of the picture.

    It can be shrunk and stretched like an array of order (channels, height, width): it has `shape` and takes slices.
    An uncompressed file is mapped into memory, of which nothing stays with this process between two reads; of a
    compressed one only the tiles that are asked for are decoded.

    Attributes
    ----------
    shape : tuple of int
        (channels, height, width); one channel for mono files and maps.
    header : fits.Header
        The header of the image.
    wcs : FrameWcs or None
        Where its pixels lie on the sky.
    compressed : bool
        Whether reading a part costs decoding.
    colour_gains : tuple of float, or None
        Factors of its channels that make a star like the Sun neutral; ones where they are applied already, None where
        the header does not tell.

    Raises
    ------
    OutputError
        The file cannot be opened or holds no image of one or three planes.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._hdus = fits.open(path, memmap=True, do_not_scale_image_data=True, mode="readonly")
            self._hdu: Any = next(hdu for hdu in self._hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2)
        except (OSError, StopIteration, ValueError) as failure:
            raise OutputError("error.mosaic_unreadable", path=str(path), detail=str(failure)) from failure
        self.compressed = isinstance(self._hdu, fits.CompImageHDU)
        self.header: fits.Header = self._hdu.header
        shape = tuple(int(n) for n in self._hdu.shape)
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] not in (1, 3)):
            self.close()
            raise OutputError("error.mosaic_unreadable", path=str(path), detail=f"NAXIS {shape[::-1]}")
        self.shape: tuple[int, int, int] = cast("tuple[int, int, int]", (1, *shape) if len(shape) == 2 else shape)
        self.wcs = wcs_of(self.header)
        self.colour_gains = gains_of(self.header)
        self._source = self._hdu.section if self.compressed else self._hdu.data
        self._flat = len(shape) == 2
        self._lock = threading.Lock()
        self._scale = float(self.header.get("ZMSCALE", 0.0))
        self._zero = float(self.header.get("ZMZERO", 0.0))
        self._zero_is_empty = self.header.get("ZMEMPTY") == 0.0

    def __getitem__(self, key: Any, /) -> Float32s:
        """Return a part, (channels, rows, columns) by slices, as float32; NaN where there is no data."""
        if self.compressed:
            # One reader at a time: decoding moves the place in the file.
            with self._lock:
                raw = np.asarray(self._source[key[1:] if self._flat else key])
            return self._values(raw[None] if self._flat else raw)
        raw = np.asarray(self._source[key[1:] if self._flat else key])
        values = self._values(raw[None] if self._flat else raw)
        _let_go(self._source)
        return values

    def close(self) -> None:
        """Close the file; views of its memory stay valid as long as they are used."""
        self._hdus.close()

    def _values(self, raw: NDArray[Any]) -> Float32s:
        """Return pixels in physical units; the stored numbers of a 16-bit mosaic are on a scale of their own."""
        if self._scale:
            numbers = raw.astype(np.float64) + float(self.header.get("BZERO", 0.0))
            return np.where(numbers > 0, self._zero + self._scale * numbers, np.nan).astype(np.float32)
        pixels = raw.astype(np.float32)
        if self._zero_is_empty:
            pixels[pixels == 0] = np.nan
        return pixels


def _let_go(pixels: Any) -> None:
    """Give the pages of a memory map back: they stay in the system's cache of files, and count no more as ours."""
    while isinstance(pixels, np.ndarray):
        pixels = pixels.base
    if isinstance(pixels, mmap.mmap) and hasattr(pixels, "madvise"):
        pixels.madvise(mmap.MADV_DONTNEED)


def gains_of(header: fits.Header) -> tuple[float, float, float] | None:
    """Return the factors of the channels that a mosaic's header tells; ones where its pixels are multiplied already."""
    if any(not isinstance(header.get(key), int | float) for key in GAIN_CARDS):
        return None
    if header.get("ZMWHAPP") is True:
        return 1.0, 1.0, 1.0
    red, green, blue = (float(header[key]) for key in GAIN_CARDS)
    return red, green, blue


def wcs_of(header: fits.Header) -> FrameWcs | None:
    """Return the WCS in the header of a mosaic; None where it has none of the kinds that mosaics have."""
    kind = str(header.get("CTYPE1", ""))
    if not kind.startswith("RA---") or kind[5:] not in ("TAN", "ZEA", "STG"):
        return None
    try:
        steps = [float(header[f"CDELT{axis}"]) for axis in (1, 2)]
        (a, b), (c, d) = (
            [step * float(header.get(f"PC{row}_{column}", float(row == column))) for column in (1, 2)]
            for row, step in enumerate(steps, start=1)
        )
        place = [float(header[key]) for key in ("CRVAL1", "CRVAL2", "CRPIX1", "CRPIX2")]
    except (KeyError, ValueError):
        return None
    ra, dec, x, y = place
    return FrameWcs(ra, dec, x - 1.0, y - 1.0, ((a, b), (c, d)), projection=cast("Projection", kind[5:]))
