"""Large pictures of 16 bits per colour, written a band of rows at a time: PNG and TIFF.

References
----------
Portable Network Graphics (ISO/IEC 15948:2004); TIFF revision 6.0 (Adobe 1992) and BigTIFF for large pictures.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from zemosaic.store.whole_files import check_free_disk, replacing

__all__ = ["PictureKind", "write_picture16"]

PictureKind = Literal["png16", "tiff"]
Rows = NDArray[np.uint16]

MAX_TIFF_BYTES = (1 << 32) - (1 << 16)
"""Bytes of pixels that 32-bit addresses reach."""
PNG_LEVEL = 4
SHORT, LONG, LONG8 = 3, 4, 16


def write_picture16(path: Path, bands: Iterable[Rows], width: int, height: int, kind: PictureKind) -> None:
    """Write a picture whose rows come in bands, the top one first.

    Parameters
    ----------
    path : Path
        The file; an older one of that name is replaced once the new one is complete.
    bands : iterable of ndarray, shape (rows, width, 3), uint16
        `height` rows in all.
    width, height : int
    kind : {"png16", "tiff"}
        TIFF is not compressed, so that every program opens it; one beyond 4 GB is a BigTIFF.

    Raises
    ------
    OutputError
        The file cannot be written.
    ResourceError
        The disk has not enough room.
    """
    check_free_disk(path, width * height * 6)
    with replacing(path) as out:
        if kind == "tiff":
            out.write(_tiff_head(width, height))
            for band in bands:
                out.write(np.ascontiguousarray(band, "<u2").tobytes())
            return
        out.write(b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)))
        deflate = zlib.compressobj(PNG_LEVEL)
        for band in bands:
            if packed := deflate.compress(_filtered(band)):
                out.write(_chunk(b"IDAT", packed))
        out.write(_chunk(b"IDAT", deflate.flush()) + _chunk(b"IEND", b""))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _filtered(band: Rows) -> bytes:
    """Return rows as PNG wants them: each with the number of its filter, here the difference to the left."""
    height, width, _ = band.shape
    pixels = np.ascontiguousarray(band, ">u2").view(np.uint8).reshape(height, width, 6)
    rows = np.empty((height, 1 + 6 * width), np.uint8)
    rows[:, 0] = 1
    rows[:, 1:7] = pixels[:, 0]
    rows[:, 7:] = (pixels[:, 1:] - pixels[:, :-1]).reshape(height, -1)
    return rows.tobytes()


def _tiff_head(width: int, height: int) -> bytes:
    """Return header and directory of a TIFF file whose pixels follow in one strip."""
    size = width * height * 6
    big = size > MAX_TIFF_BYTES
    place = LONG8 if big else LONG
    entry, word, count = ("<HHQ", "<Q", "<Q") if big else ("<HHI", "<I", "<H")
    field = 8 if big else 4
    tags = 10
    directory = 16 if big else 8
    beyond = directory + struct.calcsize(count) + tags * (struct.calcsize(entry) + field) + field
    three = (16, 16, 16)
    # Three short numbers fit into an entry of BigTIFF, not into one of TIFF.
    pixels = beyond if big else beyond + 6
    values: list[tuple[int, int, int, bytes]] = [
        (256, LONG, 1, struct.pack("<I", width)),
        (257, LONG, 1, struct.pack("<I", height)),
        (258, SHORT, 3, struct.pack("<3H", *three) if big else struct.pack(word, beyond)),
        (259, SHORT, 1, struct.pack("<H", 1)),
        (262, SHORT, 1, struct.pack("<H", 2)),
        (273, place, 1, struct.pack(word, pixels)),
        (277, SHORT, 1, struct.pack("<H", 3)),
        (278, LONG, 1, struct.pack("<I", height)),
        (279, place, 1, struct.pack(word, size)),
        (284, SHORT, 1, struct.pack("<H", 1)),
    ]
    head = struct.pack("<2sHHHQ", b"II", 43, 8, 0, 16) if big else struct.pack("<2sHI", b"II", 42, 8)
    head += struct.pack(count, tags)
    for tag, kind, number, value in values:
        head += struct.pack(entry, tag, kind, number) + value.ljust(field, b"\0")
    head += struct.pack(word, 0)
    return head if big else head + struct.pack("<3H", *three)
