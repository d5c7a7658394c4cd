"""A finished picture as a file to share: JPEG, PNG or TIFF, no larger than asked for, with its metadata."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from zemosaic.picture.sharing.metadata import PictureInfo, xmp_packet
from zemosaic.store.whole_files import write_whole

__all__ = ["SharedKind", "encoded", "write_shared"]

SharedKind = Literal["jpg", "png", "tiff"]
Picture = NDArray[np.uint8]

QUALITIES = (95, 90, 85, 80, 75, 70)
"""Of JPEG, the best first: the first one that keeps within the limit is taken."""
SHRINKING = 0.85
"""When no quality suffices, the sides are shrunk by this factor, again and again."""
MIN_SIDE_PX = 256
XMP_TAG = 700
XMP_HEADER = b"http://ns.adobe.com/xap/1.0/\0"
START_OF_IMAGE = b"\xff\xd8"
APPLICATION_1 = b"\xff\xe1"


def write_shared(
    path: Path, picture: Picture, kind: SharedKind, info: PictureInfo | None = None, max_bytes: int = 0
) -> None:
    """Write a picture to share.

    Parameters
    ----------
    path : Path
        The file; an older one of that name is replaced.
    picture : ndarray, shape (height, width, 3), uint8
        Row 0 at the top.
    kind : {"jpg", "png", "tiff"}
    info : PictureInfo or None
        What the file's metadata say.
    max_bytes : int
        Size that the file does not exceed; 0 for any.

    Raises
    ------
    OutputError
        The file cannot be written.
    ResourceError
        The disk is full.
    """
    write_whole(path, _within(picture, kind, info, max_bytes))


def encoded(picture: Picture, kind: SharedKind, xmp: bytes = b"", quality: int = QUALITIES[0]) -> bytes:
    """Return a picture as the bytes of a file; see `write_shared`.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3), uint8
    kind : {"jpg", "png", "tiff"}
    xmp : bytes
        XMP packet for the file, or nothing.
    quality : int
        Of JPEG.
    """
    image, out = Image.fromarray(picture), io.BytesIO()
    if kind == "jpg":
        image.save(out, "JPEG", quality=quality, subsampling=0, optimize=True)
        return _with_xmp(out.getvalue(), xmp)
    if kind == "png":
        chunks = PngImagePlugin.PngInfo()
        if xmp:
            chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8"))
        image.save(out, "PNG", compress_level=6, pnginfo=chunks)
    else:
        image.save(out, "TIFF", compression="tiff_adobe_deflate", tiffinfo={XMP_TAG: xmp} if xmp else {})
    return out.getvalue()


def _within(picture: Picture, kind: SharedKind, info: PictureInfo | None, max_bytes: int) -> bytes:
    """Return the file of the largest picture of the best quality that keeps within a size."""
    shown = picture
    while True:
        xmp = xmp_packet(info.resized(shown.shape[1], shown.shape[0])) if info else b""
        for quality in QUALITIES if kind == "jpg" and max_bytes else QUALITIES[:1]:
            content = encoded(shown, kind, xmp, quality)
            if not max_bytes or len(content) <= max_bytes:
                return content
        height, width = (round(side * SHRINKING) for side in shown.shape[:2])
        if max(height, width) < MIN_SIDE_PX:
            return content
        shown = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def _with_xmp(jpeg: bytes, xmp: bytes) -> bytes:
    """Return the bytes of a JPEG file with an XMP packet as its first segment."""
    if not xmp:
        return jpeg
    segment = XMP_HEADER + xmp
    head = START_OF_IMAGE + APPLICATION_1 + (len(segment) + 2).to_bytes(2, "big") + segment
    return head + jpeg.removeprefix(START_OF_IMAGE)
