"""Arrays of any size to FITS files, a band of rows at a time.

On disk colour is always three planes, rows counted upwards from the bottom of the picture, as every
viewer reads them.  The same pixels and cards give the same bytes: no time of writing, no folder name.

References
----------
Pence et al. 2010, A&A 524, A42 (FITS 3.0); FITS Standard 4.0, sections 4.4 and 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from astropy.io import fits

from zemosaic.arrays import Box
from zemosaic.export.cards import Card, ascii_text
from zemosaic.export.encoding import DiskType, Empty, Encoder, encoder_for
from zemosaic.export.tile_compression import write_tiled
from zemosaic.store.axis_order import AxisLayout, AxisOrder, Pixels, axis_layout
from zemosaic.store.whole_files import check_free_disk, replacing
from zemosaic.wcs import FrameWcs

__all__ = ["write_fits"]

BLOCK = 2880


def write_fits(
    path: Path,
    source: Pixels,
    *,
    wcs: FrameWcs | None = None,
    cards: Sequence[Card] = (),
    axis_order: AxisOrder = "HWC",
    dtype: DiskType = "float32",
    box: Box | None = None,
    compressed: bool = False,
    empty: Empty = "nan",
) -> None:
    """Write an array to a FITS file without ever holding all of it.

    Parameters
    ----------
    path : Path
        The file; an older one of that name is replaced once the new one is complete.
    source : array-like
        Anything with `shape` and slicing; 1 or 3 planes, row 0 at the bottom of the picture,
        NaN where there is no data.  A 2-D source is taken as "HW" whatever `axis_order` says.
    wcs : FrameWcs or None
        Where the source's pixels lie on the sky.
    cards : sequence of (keyword, value, comment)
        Further header cards, in this order.
    axis_order : {"HWC", "CHW", "HW"}
        Which axis of `source` is which; on disk colour is always planes.
    dtype : {"float32", "int16", "int32", "uint16"}
        Type on disk; signed integers are rounded and clipped, NaN becomes 0.  ``uint16`` brings the pixels of all
        colours to one scale from 1 to 65535, which the header tells, and NaN to 0.
    box : (y0, y1, x0, x1) or None
        The part of the source to write, half open; the WCS is shifted along.
    compressed : bool
        Whether the image is compressed, tile by tile and without loss; such files are named ``.fits.fz``.
    empty : {"nan", "zero"}
        What pixels without data hold in a file of floats. With ``zero``, a pixel that is 0 by chance becomes the
        smallest normal number, and the card ZMEMPTY says so.

    Raises
    ------
    OutputError
        The file cannot be written.
    ResourceError
        The disk has not enough room.
    ValueError
        `source` has neither 1 nor 3 planes, or the box is empty or reaches outside.
    """
    layout = axis_layout(source, axis_order)
    y0, y1, x0, x1 = box or (0, layout.height, 0, layout.width)
    if not (0 <= y0 < y1 <= layout.height and 0 <= x0 < x1 <= layout.width):
        raise ValueError(f"box {box} does not fit into {layout.height} x {layout.width} pixels")
    box = (y0, y1, x0, x1)
    shape = (layout.planes, y1 - y0, x1 - x0)
    encoder = encoder_for(dtype, layout, box, empty)
    header = _header(shape, encoder, None if wcs is None else wcs.shifted(x0, y0), cards)
    check_free_disk(path, len(header.tostring()) + math.prod(shape) * encoder.itemsize)
    with replacing(path) as out:
        if compressed:
            write_tiled(out, header, layout, box, encoder)
        else:
            _write_plain(out, header, layout, box, encoder)


def _write_plain(out: BinaryIO, header: fits.Header, layout: AxisLayout, box: Box, encoder: Encoder) -> None:
    y0, y1, x0, x1 = box
    head = header.tostring().encode("ascii")
    row_bytes = (x1 - x0) * encoder.itemsize
    data_bytes = layout.planes * (y1 - y0) * row_bytes
    out.write(head)
    for start, stop in layout.bands(y0, y1):
        for index, plane in enumerate(layout.rows(start, stop, x0, x1)):
            out.seek(len(head) + (index * (y1 - y0) + start - y0) * row_bytes)
            out.write(encoder(plane).view(np.uint8).data)
    out.seek(len(head) + data_bytes)
    out.write(b"\0" * (-data_bytes % BLOCK))


def _header(shape: tuple[int, int, int], encoder: Encoder, wcs: FrameWcs | None, cards: Sequence[Card]) -> fits.Header:
    planes, height, width = shape
    header = fits.Header()
    header["SIMPLE"] = (True, "conforms to FITS standard")
    header["BITPIX"] = (encoder.bitpix, "32-bit floating point" if encoder.bitpix < 0 else "integers")
    header["NAXIS"] = (2 if planes == 1 else 3, "number of array dimensions")
    header["NAXIS1"] = (width, "columns")
    header["NAXIS2"] = (height, "rows, the first one at the bottom")
    if planes > 1:
        header["NAXIS3"] = (planes, "planes: red, green, blue")
    header["BSCALE"] = (1.0, "physical value = BZERO + BSCALE x array value")
    header["BZERO"] = (encoder.bzero, "physical value = BZERO + BSCALE x array value")
    header["ROWORDER"] = ("BOTTOM-UP", "row 1 is the bottom of the picture")
    if wcs is not None:
        header["WCSAXES"] = (2, "celestial axes only")
        header.update(_wcs_cards(wcs))
        header["EQUINOX"] = (2000.0, "for programs that do not know RADESYS")
    # The unit of the cards is that of the pixels, not of numbers on a scale of their own.
    written = [card for card in cards if not (encoder.dtype == "uint16" and card[0] == "BUNIT")]
    for keyword, value, comment in [*encoder.cards(), *written]:
        header.append((keyword, ascii_text(value) if isinstance(value, str) else value, comment), end=True)
    return header


def _wcs_cards(wcs: FrameWcs) -> dict[str, Any]:
    """Return WCS cards with the linear map as CDELT and PC.

    A CD matrix would have no entry for the planes of a colour file, which readers that count
    three axes take for a matrix of zeros.
    """
    cards = {key: value for key, value in wcs.to_cards().items() if not key.startswith("CD")}
    for axis, row, sign in ((1, wcs.cd[0], -1.0), (2, wcs.cd[1], 1.0)):
        step = sign * math.hypot(*row)
        cards[f"CDELT{axis}"] = step
        for column in (1, 2):
            # Adding 0.0 turns -0.0 into 0.0.
            cards[f"PC{axis}_{column}"] = row[column - 1] / step + 0.0
    return cards
