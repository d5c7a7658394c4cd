"""Arrays of any size to FITS files, a band of rows at a time.

On disk colour is always three planes, rows counted upwards from the bottom of the picture, as every
viewer reads them.  The same pixels and cards give the same bytes: no time of writing, no folder name.

References
----------
Pence et al. 2010, A&A 524, A42 (FITS 3.0); FITS Standard 4.0, sections 4.4 and 8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.export.cards import Card, ascii_text
from zemosaic.export.files import check_free_disk, replacing
from zemosaic.sky import FrameWcs

__all__ = ["AxisOrder", "Box", "DiskType", "Layout", "Pixels", "layout_of", "write_fits"]

AxisOrder = Literal["CHW", "HWC", "HW"]
DiskType = Literal["float32", "int16", "int32"]
Box = tuple[int, int, int, int]

BAND_BYTES = 48 << 20
BLOCK = 2880
BITPIX = {"float32": -32, "int16": 16, "int32": 32}


class Pixels(Protocol):
    """What is asked of an array: a shape and slices of it (NumPy, zarr, a memory map)."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, key: Any, /) -> Any: ...


@dataclass(frozen=True)
class Layout:
    """How a source lies: its numbers of planes, rows and columns, and how to read some rows."""

    source: Pixels
    axis_order: AxisOrder
    planes: int
    height: int
    width: int

    def rows(self, y0: int, y1: int, x0: int, x1: int) -> NDArray[Any]:
        """Return shape (planes, y1 - y0, x1 - x0)."""
        if self.axis_order == "HW":
            return np.asarray(self.source[y0:y1, x0:x1])[None]
        if self.axis_order == "HWC":
            return np.moveaxis(np.asarray(self.source[y0:y1, x0:x1, :]), -1, 0)
        return np.asarray(self.source[:, y0:y1, x0:x1])

    def bands(self, y0: int, y1: int) -> Iterator[tuple[int, int]]:
        """Yield (start, stop) of the rows from `y0` to `y1`, little memory at a time.

        No band ends inside a chunk of a zarr array, so that each chunk is decoded once.
        """
        chunks: tuple[int, ...] | None = getattr(self.source, "chunks", None)
        whole = chunks[self.axis_order.index("H")] if chunks else 1
        step = whole * max(1, BAND_BYTES // (whole * self.planes * self.width * 4))
        for start in range(y0 // step * step, y1, step):
            yield max(y0, start), min(y1, start + step)


def write_fits(
    path: Path,
    source: Pixels,
    *,
    wcs: FrameWcs | None = None,
    cards: Sequence[Card] = (),
    axis_order: AxisOrder = "CHW",
    dtype: DiskType = "float32",
    box: Box | None = None,
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
    axis_order : {"CHW", "HWC", "HW"}
        Which axis of `source` is which.
    dtype : {"float32", "int16", "int32"}
        Type on disk; integers are rounded and clipped, NaN becomes 0.
    box : (y0, y1, x0, x1) or None
        The part of the source to write, half open; the WCS is shifted along.

    Raises
    ------
    OutputError
        The file cannot be written.
    ResourceError
        The disk has not enough room.
    ValueError
        `source` has neither 1 nor 3 planes, or the box is empty or reaches outside.
    """
    layout = layout_of(source, axis_order)
    y0, y1, x0, x1 = box or (0, layout.height, 0, layout.width)
    if not (0 <= y0 < y1 <= layout.height and 0 <= x0 < x1 <= layout.width):
        raise ValueError(f"box {box} does not fit into {layout.height} x {layout.width} pixels")
    shape = (layout.planes, y1 - y0, x1 - x0)
    placed = None if wcs is None else wcs.shifted(x0, y0)
    head = _header(shape, dtype, placed, cards).tostring().encode("ascii")
    itemsize = np.dtype(dtype).itemsize
    data_bytes = shape[0] * shape[1] * shape[2] * itemsize
    check_free_disk(path, len(head) + data_bytes)
    with replacing(path) as out:
        out.write(head)
        for start, stop in layout.bands(y0, y1):
            for index, plane in enumerate(layout.rows(start, stop, x0, x1)):
                out.seek(len(head) + (index * shape[1] + start - y0) * shape[2] * itemsize)
                out.write(_disk_values(plane, dtype).view(np.uint8).data)
        out.seek(len(head) + data_bytes)
        out.write(b"\0" * (-data_bytes % BLOCK))


def layout_of(source: Pixels, axis_order: AxisOrder) -> Layout:
    """Return how `source` lies; ValueError where it has neither 1 nor 3 planes."""
    shape = tuple(int(n) for n in source.shape)
    if len(shape) == 2:
        return Layout(source, "HW", 1, *shape)
    if len(shape) == 3 and axis_order == "HWC" and shape[2] in (1, 3):
        return Layout(source, "HWC", shape[2], shape[0], shape[1])
    if len(shape) == 3 and axis_order == "CHW" and shape[0] in (1, 3):
        return Layout(source, "CHW", *shape)
    raise ValueError(f"expected 1 or 3 planes in order {axis_order}, got shape {shape}")


def _disk_values(plane: NDArray[Any], dtype: DiskType) -> NDArray[Any]:
    big_endian = np.dtype(dtype).newbyteorder(">")
    if dtype == "float32":
        return np.ascontiguousarray(plane, big_endian)
    limits = np.iinfo(dtype)
    whole = np.rint(np.nan_to_num(plane, nan=0.0))
    return np.clip(whole, limits.min, limits.max, out=whole).astype(big_endian, order="C")


def _header(shape: tuple[int, int, int], dtype: DiskType, wcs: FrameWcs | None, cards: Sequence[Card]) -> fits.Header:
    planes, height, width = shape
    header = fits.Header()
    header["SIMPLE"] = (True, "conforms to FITS standard")
    header["BITPIX"] = (BITPIX[dtype], "32-bit floating point" if dtype == "float32" else "integers")
    header["NAXIS"] = (2 if planes == 1 else 3, "number of array dimensions")
    header["NAXIS1"] = (width, "columns")
    header["NAXIS2"] = (height, "rows, the first one at the bottom")
    if planes > 1:
        header["NAXIS3"] = (planes, "planes: red, green, blue")
    header["BSCALE"] = (1.0, "physical value = BZERO + BSCALE x array value")
    header["BZERO"] = (0.0, "physical value = BZERO + BSCALE x array value")
    header["ROWORDER"] = ("BOTTOM-UP", "row 1 is the bottom of the picture")
    if wcs is not None:
        header["WCSAXES"] = (2, "celestial axes only")
        header.update(_wcs_cards(wcs))
        header["EQUINOX"] = (2000.0, "for programs that do not know RADESYS")
    for keyword, value, comment in cards:
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
