"""Find the picture in a FITS file by its header blocks alone.

Only what a scan needs is read: the 2880-byte header blocks, never the pixels.  Fifty thousand
headers take seconds this way, and a strange card costs a value, not the frame.

References
----------
Pence et al. 2010, A&A 524, A42 (FITS 3.0); section 10 of FITS 4.0 for tile-compressed images.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import re
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from zemosaic.errors import FrameError
from zemosaic.frames.patient_reading import patiently, regular_file

__all__ = ["MIN_SIDE_PX", "FitsImage", "Header", "Layout", "find_image", "layout", "read_header"]

BLOCK = 2880
MAX_HEADER_BLOCKS = 1000
MIN_SIDE_PX = 64
"""Smaller pictures hold too few stars to be placed."""
MIN_PART = 0.25
"""Of a file that was not copied completely at least this part of the rows is worth using."""
MAX_PIXELS = 1_000_000_000
"""Above this a size is taken for a damaged card."""
MAX_FILE_BYTES = 1 << 44
MAX_UNZIPPED_START_BYTES = 1 << 31
"""A picture that begins later in a zipped file is not looked for: all before it would have to be unzipped."""
BITPIX_VALUES = (8, 16, 32, 64, -32, -64)

Value = str | int | float | bool

_COMMENTARY = ("HISTORY", "COMMENT")
_NO_PICTURE = ("reason.no_image", "reason.table_only")
_STRING = re.compile(r"'((?:[^']|'')*)'?")
_LEADING_NUMBER = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d+)?)")


@dataclass(frozen=True)
class Header:
    """The cards of one HDU; values are parsed when asked for, the first of equal keys counts."""

    cards: Mapping[str, str]
    """Text behind the value indicator by keyword."""
    history: tuple[str, ...] = ()
    """Lines of HISTORY and COMMENT that are not blank."""

    def value(self, key: str) -> Value | None:
        """Return the value of a card; None where it is absent or empty."""
        field = self.cards.get(key)
        if field is None:
            return None
        field = field.strip()
        if field.startswith("'"):
            match = _STRING.match(field)
            return match.group(1).replace("''", "'").rstrip() if match else None
        return _plain_value(field.split("/", 1)[0].strip())

    def comment(self, key: str) -> str:
        """Return the comment of a card, empty where there is none."""
        rest = _STRING.sub("", self.cards.get(key, ""), count=1)
        return rest.partition("/")[2].strip()

    def number(self, *keys: str) -> float | None:
        """Return the first finite number among the keys; a text may carry a unit behind it."""
        for key in keys:
            value = self.value(key)
            if isinstance(value, str):
                match = _LEADING_NUMBER.match(value.replace(",", "."))
                value = float(match.group(1).upper().replace("D", "E")) if match else None
            if value is not None and not isinstance(value, bool) and math.isfinite(value):
                return float(value)
        return None

    def integer(self, key: str) -> int | None:
        """Return a whole number, None where the card holds anything else."""
        value = self.value(key)
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def text(self, *keys: str) -> str:
        """Return the first text that is not blank, stripped; empty where there is none."""
        for key in keys:
            value = self.value(key)
            if isinstance(value, str) and value.strip():
                return value.strip()
        return ""

    def over(self, primary: Header) -> Header:
        """Return a header in which the other one fills in what this one lacks."""
        return Header({**primary.cards, **self.cards}, (*self.history, *primary.history))


def _plain_value(word: str) -> Value | None:
    if not word:
        return None
    if word in ("T", "F"):
        return word == "T"
    for kind in (int, float):
        try:
            return kind(word.replace("D", "E").replace("d", "e"))
        except ValueError:
            continue  # not a number of this kind
    return word


@dataclass(frozen=True)
class Layout:
    """How the axes of a file make a picture."""

    width: int
    height: int
    planes: int
    colour_axis: int | None
    """Where the 3 planes lie in the array as read: 0, 2 or None."""


@dataclass(frozen=True)
class FitsImage:
    """The HDU of a file that holds its picture."""

    path: str
    size_bytes: int
    mtime_ns: int
    hdu: int
    header: Header
    """Cards of the HDU; what it lacks of the observation comes from the primary header."""
    own: Header
    """Cards of the HDU alone: what tells how to read its pixels."""
    layout: Layout
    bitpix: int
    data_offset: int
    """First byte of the pixels in the (unzipped) file."""
    gzipped: bool
    tiled: bool
    """Whether the pixels are a tile-compressed table (``.fz``)."""
    identity: bytes
    """Digest of the header bytes."""
    rows: int
    """Complete rows that the file holds: fewer than the picture has where it was not copied completely."""


def find_image(path: Path) -> FitsImage:
    """Return the first usable picture of a FITS file, by its headers.

    Raises
    ------
    FrameError
        When the file cannot be read, is no FITS file, is shorter than its header says or
        holds no picture of a usable shape.
    """
    name = path.name
    try:
        return patiently(lambda: _find(path))
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise FrameError("reason.corrupt_compression", file=name, detail=str(problem)) from None
    except PermissionError:
        raise FrameError("reason.no_permission", file=name) from None
    except FileNotFoundError:
        raise FrameError("reason.vanished", file=name) from None
    except OSError as problem:
        raise FrameError("reason.io_error", file=name, detail=problem.strerror or str(problem)) from None


def _find(path: Path) -> FitsImage:
    """Do what `find_image` does once; raises OSError where the system cannot read the file."""
    # A pipe would block for ever, and a device is no frame.
    if not stat.S_ISREG(path.stat().st_mode):
        raise FrameError("reason.not_a_file", file=path.name)
    with io.BufferedReader(regular_file(path)) as raw:
        status = os.fstat(raw.fileno())
        if status.st_size == 0:
            raise FrameError("reason.empty_file", file=path.name)
        gzipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        if not gzipped:
            return _search(raw, path, status, gzipped=False)
        with gzip.open(raw, "rb") as stream:
            return _search(stream, path, status, gzipped=True)  # type: ignore[arg-type]


def _search(stream: BinaryIO, path: Path, status: os.stat_result, *, gzipped: bool) -> FitsImage:
    """Walk the HDUs to the first usable picture; say of the first unusable one why."""
    primary: Header | None = None
    refusal: FrameError | None = None
    start, index, end_of_file = 0, 0, MAX_UNZIPPED_START_BYTES if gzipped else status.st_size
    while start < end_of_file:
        stream.seek(start)
        header_parts = read_header(stream, path.name, first=index == 0)
        if header_parts is None:
            break
        hdu_header, digest, length = header_parts
        primary = primary or hdu_header
        data_bytes = _data_bytes(hdu_header)
        try:
            shape, bitpix = _picture(hdu_header, path.name)
        except FrameError as problem:
            refusal = problem if refusal is None or refusal.reason.key in _NO_PICTURE else refusal
        else:
            end = start + length + data_bytes
            rows = shape.height
            if not gzipped and end > end_of_file:
                rows = _complete_rows(hdu_header, shape, bitpix, end_of_file - start - length)
                if rows < MIN_PART * shape.height:
                    raise FrameError("reason.truncated", file=path.name, bytes=end_of_file, expected=end)
            return FitsImage(
                path=str(path),
                size_bytes=status.st_size,
                mtime_ns=status.st_mtime_ns,
                hdu=index,
                header=hdu_header if index == 0 else hdu_header.over(primary),
                own=hdu_header,
                layout=shape,
                bitpix=bitpix,
                data_offset=start + length,
                gzipped=gzipped,
                tiled=hdu_header.value("ZIMAGE") is True,
                identity=digest,
                rows=rows,
            )
        start += length + -(-data_bytes // BLOCK) * BLOCK
        index += 1
    raise refusal or FrameError("reason.no_image", file=path.name)


def _complete_rows(hdu_header: Header, shape: Layout, bitpix: int, stored_bytes: int) -> int:
    """Return how many rows of a file that ends too early can be used; 0 where its colours come one after another."""
    if hdu_header.value("ZIMAGE") is True or shape.colour_axis == 0:
        return 0
    return max(stored_bytes, 0) // (shape.width * shape.planes * abs(bitpix) // 8)


def _picture(hdu_header: Header, name: str) -> tuple[Layout, int]:
    """Return the layout and BITPIX of an HDU, or say why it is no usable picture."""
    tiled = hdu_header.value("ZIMAGE") is True
    if not tiled and hdu_header.text("XTENSION") not in ("", "IMAGE"):
        raise FrameError("reason.table_only", file=name)
    shape = layout(_axes(hdu_header, tiled=tiled), name)
    bitpix = hdu_header.integer("ZBITPIX" if tiled else "BITPIX")
    if bitpix not in BITPIX_VALUES:
        raise FrameError("reason.bad_bitpix", file=name, bitpix=str(bitpix))
    return shape, bitpix


def read_header(stream: BinaryIO, name: str, *, first: bool) -> tuple[Header, bytes, int] | None:
    """Read one header from where the stream stands.

    Parameters
    ----------
    stream : file object, binary
    name : str
        Of the file, for messages.
    first : bool
        Whether this is the header of the primary HDU.

    Returns
    -------
    (header, digest, length_bytes), or None where no further HDU begins.

    Raises
    ------
    FrameError
        When a first header does not begin as FITS, or a header has no end.
    """
    block = stream.read(BLOCK)
    if first and not block.startswith(b"SIMPLE  ="):
        raise FrameError("reason.not_fits", file=name)
    if not first and not block.startswith(b"XTENSION="):
        return None
    cards: dict[str, str] = {}
    history: list[str] = []
    digest = hashlib.blake2b(digest_size=16)
    for count in range(1, MAX_HEADER_BLOCKS + 1):
        digest.update(block)
        text = block.decode("latin-1")
        for at in range(0, len(text) - 79, 80):
            key = text[at : at + 8].rstrip()
            if key == "END":
                return Header(cards, tuple(history)), digest.digest(), count * BLOCK
            if key in _COMMENTARY and (line := text[at + 8 : at + 80].strip()):
                history.append(line)
            elif text[at + 8] == "=":
                cards.setdefault(key, text[at + 9 : at + 80])
        block = stream.read(BLOCK)
        if not block:
            break
    raise FrameError("reason.header_without_end", file=name)


def _axes(hdu_header: Header, *, tiled: bool) -> tuple[int, ...]:
    prefix = "Z" if tiled else ""
    count = hdu_header.integer(f"{prefix}NAXIS") or 0
    return tuple(hdu_header.integer(f"{prefix}NAXIS{i}") or 0 for i in range(1, min(count, 999) + 1))


def layout(axes: tuple[int, ...], name: str) -> Layout:
    """Return how axes (NAXIS1 first) make a picture.

    Parameters
    ----------
    axes : tuple of int
        NAXIS1 first.
    name : str
        Of the file, for messages.

    Returns
    -------
    Layout

    Raises
    ------
    FrameError
        When they make none: no axes, one, a cube, too small, too large.
    """
    if not axes or min(axes) <= 0:
        raise FrameError("reason.no_image", file=name)
    while len(axes) > 2 and axes[-1] == 1:
        axes = axes[:-1]
    if len(axes) == 2:
        shape = Layout(axes[0], axes[1], 1, None)
    elif len(axes) == 3 and axes[2] == 3:
        shape = Layout(axes[0], axes[1], 3, 0)
    elif len(axes) == 3 and axes[0] == 3:
        shape = Layout(axes[1], axes[2], 3, 2)
    else:
        raise FrameError("reason.wrong_dimensions", file=name, shape=" x ".join(map(str, axes)))
    if min(shape.width, shape.height) < MIN_SIDE_PX:
        raise FrameError("reason.too_small", file=name, width=shape.width, height=shape.height, minimum=MIN_SIDE_PX)
    if math.prod(axes) > MAX_PIXELS:
        raise FrameError("reason.too_large", file=name, width=shape.width, height=shape.height)
    return shape


def _data_bytes(hdu_header: Header) -> int:
    """Size of an HDU's data without padding (equation 2 of FITS 4.0, random groups included)."""
    axes = _axes(hdu_header, tiled=False)
    if not axes:
        return 0
    if axes[0] == 0 and hdu_header.value("GROUPS") is True:
        axes = axes[1:]
    count = math.prod(axes) + max(hdu_header.integer("PCOUNT") or 0, 0)
    groups = hdu_header.integer("GCOUNT")
    return abs(hdu_header.integer("BITPIX") or 0) // 8 * max(1 if groups is None else groups, 0) * max(count, 0)
