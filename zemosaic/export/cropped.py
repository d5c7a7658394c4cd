"""A part of a finished mosaic and of its maps as files of their own, pixel by pixel and with an exact WCS."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
from astropy.io import fits

from zemosaic.arrays import Box
from zemosaic.errors import OutputError
from zemosaic.export.cards import MapKind
from zemosaic.store.whole_files import check_free_disk, replacing

__all__ = ["stem_of", "write_crop", "write_crop_with_maps"]

BLOCK = 2880
BAND_ROWS = 256
ENDINGS = (".fits.fz", ".fits", ".fit", ".fts")
OF_EXTENSIONS = ("XTENSION", "PCOUNT", "GCOUNT", "EXTNAME", "EXTVER", "CHECKSUM", "DATASUM", "ZDATASUM", "ZHECKSUM")
"""Cards that say nothing of the pixels, or would not be true of a part of them."""


def stem_of(path: Path) -> str:
    """Return the name of a mosaic's file without its ending."""
    return next((path.name.removesuffix(end) for end in ENDINGS if path.name.endswith(end)), path.name)


def write_crop_with_maps(mosaic: Path, target: Path, box: Box) -> list[Path]:
    """Write a part of a mosaic, and the same part of each map that lies beside it.

    Parameters
    ----------
    mosaic : Path
        As ZeMosaic wrote it, compressed or not.
    target : Path
        The new file; its maps are named after it.
    box : (y0, y1, x0, x1)
        The part, half open, rows from the bottom.

    Returns
    -------
    list of Path
        The new files, the mosaic first.

    Raises
    ------
    OutputError
        A file cannot be read or written, or `target` is one of the files that are read.
    ResourceError
        The disk has not enough room.
    """
    pairs = [(mosaic, target)]
    end = mosaic.name.removeprefix(stem_of(mosaic))
    for kind in get_args(MapKind):
        beside = mosaic.with_name(f"{stem_of(mosaic)}_{kind}{end}")
        if beside.is_file():
            pairs.append((beside, target.with_name(f"{stem_of(target)}_{kind}.fits")))
    sources = {source.resolve() for source, _ in pairs}
    for _, new in pairs:
        if new.resolve() in sources:
            raise OutputError("error.crop_over_source", path=str(new))
    for source, new in pairs:
        write_crop(source, new, box)
    return [new for _, new in pairs]


def write_crop(source: Path, target: Path, box: Box) -> None:
    """Write a part of a FITS image; its pixels keep their bits, and its header all that is true of the part.

    Parameters
    ----------
    source, target : Path
    box : (y0, y1, x0, x1)
        The part, half open, rows from the bottom.

    Raises
    ------
    OutputError
        A file cannot be read or written, or the part does not lie in the image.
    ResourceError
        The disk has not enough room.
    """
    try:
        with fits.open(source, memmap=True, do_not_scale_image_data=True) as hdus:
            hdu: Any = next(hdu for hdu in hdus if hdu.is_image and hdu.header.get("NAXIS", 0) >= 2)
            y0, y1, x0, x1 = box
            height, width = hdu.shape[-2:]
            if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
                raise OutputError("error.crop_outside", path=str(source), width=width, height=height)
            head = cropped_header(hdu.header, source.name, box).tostring().encode("ascii")
            item = np.dtype(f">{'f' if hdu.header['BITPIX'] < 0 else 'i'}{abs(hdu.header['BITPIX']) // 8}")
            planes = list(np.ndindex(*hdu.shape[:-2]))
            size = len(planes) * (y1 - y0) * (x1 - x0) * item.itemsize
            check_free_disk(target, len(head) + size)
            with replacing(target) as out:
                out.write(head)
                for plane in planes:
                    for row in range(y0, y1, BAND_ROWS):
                        part = (*plane, slice(row, min(row + BAND_ROWS, y1)), slice(x0, x1))
                        out.write(np.ascontiguousarray(hdu.section[part], item).tobytes())
                out.write(b"\0" * (-size % BLOCK))
    except (OSError, StopIteration, ValueError) as failure:
        raise OutputError("error.mosaic_unreadable", path=str(source), detail=str(failure)) from failure


def cropped_header(header: fits.Header, name: str, box: Box) -> fits.Header:
    """Return the header of a part of an image.

    Parameters
    ----------
    header : fits.Header
        Of the whole image.
    name : str
        Of the file that the part is taken from.
    box : (y0, y1, x0, x1)
    """
    y0, y1, x0, x1 = box
    cards = [card for card in header.cards if card.keyword not in (*OF_EXTENSIONS, "SIMPLE", "")]
    cropped = fits.Header([fits.Card("SIMPLE", True, "conforms to FITS standard"), *cards])
    cropped["NAXIS1"], cropped["NAXIS2"] = x1 - x0, y1 - y0
    for key, shift in (("CRPIX1", x0), ("CRPIX2", y0)):
        if key in cropped:
            cropped[key] = cropped[key] - shift
    for key, value, comment in (
        ("ZMCROPX", x0 + 1, "column of the whole mosaic that column 1 was"),
        ("ZMCROPY", y0 + 1, "row of the whole mosaic that row 1 was"),
    ):
        # A part of a part is told by its place in the whole.
        cropped[key] = (value + int(cropped.get(key, 1)) - 1, comment)
    shown = name.encode("ascii", "replace").decode("ascii")
    cropped.add_history(f"Part of {shown}: columns {x0 + 1} to {x1}, rows {y0 + 1} to {y1}")
    return cropped
