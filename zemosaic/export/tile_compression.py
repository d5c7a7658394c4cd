"""Images compressed tile by tile inside a FITS table (`.fits.fz`), without any loss.

Every tile is a few whole rows of one plane, its bytes sorted by significance and deflated (GZIP_2), which
every reader that builds on cfitsio or astropy opens as an image.  The same pixels give the same bytes.

References
----------
FITS Standard 4.0, section 10 (representations of compressed data).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.export.encoding import Encoder
from zemosaic.store.axis_order import AxisLayout

__all__ = ["TILE_ROWS", "gzip_tile", "tiles_of", "write_tiled"]

TILE_ROWS = 16
LEVEL = 4
"""Effort of the compression: higher gains little on noise."""
BLOCK = 2880
DESCRIPTOR_BYTES = 16
GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
IMAGE_KEYS = ("SIMPLE", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3")


def write_tiled(out: BinaryIO, header: fits.Header, layout: AxisLayout, box: Box, encoder: Encoder) -> None:
    """Write a compressed image, a band of rows at a time.

    Parameters
    ----------
    out : file open for writing, able to seek
    header : Header
        The image's header as it would stand in a plain file.
    layout : Layout
        The pixels.
    box : (y0, y1, x0, x1)
        The part to write.
    encoder : Encoder
    """
    height = box[1] - box[0]
    across = -(-height // TILE_ROWS)
    descriptors = np.zeros((layout.planes * across, 2), ">i8")
    primary = _primary()
    table_at = len(primary) + len(_table_header(header, len(descriptors), 0, 0))
    heap_at = table_at + descriptors.nbytes
    out.seek(heap_at)
    size = 0
    for plane, number, rows in tiles_of(layout, box):
        packed = gzip_tile(encoder(rows))
        descriptors[plane * across + number] = len(packed), size
        out.write(packed)
        size += len(packed)
    out.write(b"\0" * (-(descriptors.nbytes + size) % BLOCK))
    out.seek(0)
    out.write(primary)
    out.write(_table_header(header, len(descriptors), size, int(descriptors[:, 0].max())))
    out.write(descriptors.tobytes())


def tiles_of(layout: AxisLayout, box: Box) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Yield (plane, number of the tile, rows) of all tiles; every row of the source is read once.

    Parameters
    ----------
    layout : AxisLayout
        The pixels.
    box : (y0, y1, x0, x1)
        Part of them that is written.

    Returns
    -------
    iterator of (int, int, ndarray of shape (rows, columns))
    """
    y0, y1, x0, x1 = box
    left: NDArray[Any] | None = None
    number = 0
    for start, stop in layout.bands(y0, y1):
        rows = layout.rows(start, stop, x0, x1)
        if left is not None and left.shape[1]:
            rows = np.concatenate([left, rows], axis=1)
        whole = rows.shape[1] if stop == y1 else rows.shape[1] // TILE_ROWS * TILE_ROWS
        for first in range(0, whole, TILE_ROWS):
            for plane in range(layout.planes):
                yield plane, number, rows[plane, first : min(first + TILE_ROWS, whole)]
            number += 1
        left = rows[:, whole:]


def gzip_tile(values: NDArray[Any]) -> bytes:
    """Return the bytes of a tile, the most significant ones of all pixels first, as a gzip stream without a date."""
    sorted_bytes = values.view(np.uint8).reshape(-1, values.itemsize).T.tobytes()
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = deflate.compress(sorted_bytes) + deflate.flush()
    return GZIP_HEAD + packed + struct.pack("<II", zlib.crc32(sorted_bytes), len(sorted_bytes))


def _primary() -> bytes:
    header = fits.Header()
    header["SIMPLE"] = (True, "conforms to FITS standard")
    header["BITPIX"] = (8, "no data here")
    header["NAXIS"] = (0, "the image follows, compressed")
    header["EXTEND"] = (True, "there is an extension")
    cards: bytes = header.tostring().encode("ascii")
    return cards


def _table_header(image: fits.Header, tiles: int, heap_bytes: int, longest: int) -> bytes:
    header = fits.Header()
    header["XTENSION"] = ("BINTABLE", "a table that holds a compressed image")
    header["BITPIX"] = (8, "bytes")
    header["NAXIS"] = (2, "a table")
    header["NAXIS1"] = (DESCRIPTOR_BYTES, "bytes in a row")
    header["NAXIS2"] = (tiles, "rows, one for each tile")
    header["PCOUNT"] = (heap_bytes, "bytes of compressed data")
    header["GCOUNT"] = (1, "one group")
    header["TFIELDS"] = (1, "one column")
    header["TTYPE1"] = ("COMPRESSED_DATA", "place of a tile")
    header["TFORM1"] = (f"1QB({longest})", "64-bit descriptor")
    header["ZIMAGE"] = (True, "this is a compressed image")
    header["ZSIMPLE"] = (True, "the image was a file of its own")
    header["ZBITPIX"] = (image["BITPIX"], "BITPIX of the image")
    header["ZNAXIS"] = (image["NAXIS"], "NAXIS of the image")
    for axis in range(1, int(image["NAXIS"]) + 1):
        header[f"ZNAXIS{axis}"] = (image[f"NAXIS{axis}"], f"NAXIS{axis} of the image")
    for axis, side in enumerate((image["NAXIS1"], TILE_ROWS, 1)[: int(image["NAXIS"])], start=1):
        header[f"ZTILE{axis}"] = (side, "size of a tile")
    header["ZCMPTYPE"] = ("GZIP_2", "compression without loss")
    if image["BITPIX"] < 0:
        header["ZQUANTIZ"] = ("NONE", "floating-point numbers are kept as they are")
    for card in image.cards:
        if card.keyword not in IMAGE_KEYS:
            header.append(card, end=True)
    cards: bytes = header.tostring().encode("ascii")
    return cards
