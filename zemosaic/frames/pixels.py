"""Pixels of one frame: windows of a file, read when asked for and not kept."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import stat
import zlib
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.atomic import atomic_file
from zemosaic.errors import FrameError, ResourceError
from zemosaic.frames.borders import data_box
from zemosaic.frames.headers.header import FitsImage, find_image
from zemosaic.frames.patient_reading import patiently, regular_file
from zemosaic.frames.tile_decoder import decoded_tiles
from zemosaic.model import FrameRef

__all__ = ["PixelSource", "open_pixels", "stack_pixels"]

Pixels = NDArray[Any]

_UNSIGNED_ZERO = 32768.0
_MAX_BOXES = 20_000
_BOXES: dict[tuple[str, int, int, int], Box] = {}
"""The part with data of each file that this process has opened; it depends on the file alone."""


@dataclass(frozen=True)
class PixelSource:
    """Windowed access to the pixels of one frame; holds no file open between reads."""

    frame: FrameRef
    dtype: np.dtype[Any]
    """uint16 where the file holds 16-bit unsigned numbers, else float32."""
    _image: FitsImage
    _decoded: Path | Pixels | None
    """The decoded picture of a compressed file: a .npy file or the array itself."""
    _box: Box | None = None
    """The part with data, where constant borders surround it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(height, width) or (height, width, 3)."""
        size = (self.frame.height, self.frame.width)
        return size if self.frame.planes == 1 else (*size, 3)

    def read(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """Return the pixels of rows y0 to y1 and columns x0 to x1, ends excluded.

        Parameters
        ----------
        y0, y1, x0, x1 : int
            Window inside the picture, 0 <= y0 <= y1 <= height and 0 <= x0 <= x1 <= width.

        Returns
        -------
        ndarray, shape (y1 - y0, x1 - x0) or (y1 - y0, x1 - x0, 3)
            A copy of its own: uint16, or float32 with NaN for pixels without a value.

        Raises
        ------
        FrameError
            When the file cannot be read or has changed since it was opened.
        ValueError
            When the window is not inside the picture.
        """
        height, width = self.shape[:2]
        if not (0 <= y0 <= y1 <= height and 0 <= x0 <= x1 <= width):
            raise ValueError(f"window {(y0, y1, x0, x1)} is not inside {height} x {width}")
        window = self._window(y0, y1, x0, x1)
        return window if self._box is None else _inside(window, (y0, y1, x0, x1), self._box)

    def _window(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """Return a window with the numbers of borders as they are stored."""
        if isinstance(self._decoded, np.ndarray):
            window = self._decoded[y0:y1, x0:x1].copy()
        elif self._decoded is not None:
            window = _read_npy(self._decoded, self.frame)[y0:y1, x0:x1].copy()
        else:
            stored = np.dtype(np.float32) if _is_mended(self.frame) else self.dtype
            window = np.ascontiguousarray(_read_window(self._image, stored, y0, y1, x0, x1))
        return _on_scale(window, self.frame, self.dtype)

    def read_all(self) -> Pixels:
        """Return the whole picture, see `read`."""
        height, width = self.shape[:2]
        return self.read(0, height, 0, width)


def open_pixels(frame: FrameRef, scratch: Path | None, *, borders: bool = False) -> PixelSource:
    """Open the pixels of a frame.

    Parameters
    ----------
    frame : FrameRef
        Frame as scanned.
    scratch : Path or None
        Folder for decoded copies of compressed frames, made when missing; with None they are
        kept in memory as long as the source lives.
    borders : bool
        Whether borders of one constant value count as numbers; else they are read as NaN.

    Raises
    ------
    FrameError
        When the file is gone, has changed since the scan or cannot be decoded.
    ResourceError
        When the scratch folder cannot be written.
    """
    path = Path(frame.path)
    image = _image_of(path, empty_for_now=frame.size_bytes > 0)
    identity = (image.size_bytes, image.mtime_ns, image.hdu, image.layout.width, image.layout.height)
    if identity != (frame.size_bytes, frame.mtime_ns, frame.hdu, frame.width, frame.height):
        raise FrameError("reason.changed", file=path.name)
    stored = _dtype(image)
    unsigned = image.bitpix == 16 and (frame.number_scale, frame.number_zero) == (1.0, _UNSIGNED_ZERO)
    unsigned = unsigned and image.rows == image.layout.height
    dtype = np.dtype(np.uint16) if unsigned else stored
    decoded: Path | Pixels | None = None
    if frame.compressed and scratch is None:
        decoded = _decode(image, stored)
    elif frame.compressed and scratch is not None:
        decoded = scratch / f"{_copy_name(image)}.npy"
        if not decoded.exists():
            _save(decoded, _decode(image, stored))
    source = PixelSource(frame, dtype, image, decoded)
    return source if borders else _without_borders(source)


def _without_borders(source: PixelSource) -> PixelSource:
    """Return a source that reads constant borders as NaN; the very source where there are none."""
    frame = source.frame
    key = (frame.path, frame.size_bytes, frame.mtime_ns, frame.hdu)
    if key not in _BOXES:
        if len(_BOXES) >= _MAX_BOXES:
            _BOXES.clear()
        _BOXES[key] = data_box(source.read, frame.height, frame.width)
    box = _BOXES[key]
    whole = box == (0, frame.height, 0, frame.width)
    return source if whole else replace(source, dtype=np.dtype(np.float32), _box=box)


def _inside(window: Pixels, at: tuple[int, int, int, int], box: Box) -> Pixels:
    """Return a window at (y0, y1, x0, x1) as float32, NaN outside the part with data."""
    values = window.astype(np.float32)
    (y0, _, x0, _), (top, bottom, left, right) = at, box
    values[: max(top - y0, 0)] = np.nan
    values[max(bottom - y0, 0) :] = np.nan
    values[:, : max(left - x0, 0)] = np.nan
    values[:, max(right - x0, 0) :] = np.nan
    return values


def _is_mended(frame: FrameRef) -> bool:
    return (frame.number_scale, frame.number_zero) != (1.0, 0.0)


def _on_scale(window: Pixels, frame: FrameRef, dtype: np.dtype[Any]) -> Pixels:
    """Return numbers on the scale of the camera's other frames."""
    if not _is_mended(frame):
        return window
    values = window * np.float32(frame.number_scale) + np.float32(frame.number_zero)
    return np.clip(values, 0, 65535).astype(np.uint16) if dtype == np.uint16 else values.astype(np.float32, copy=False)


def _image_of(path: Path, *, empty_for_now: bool) -> FitsImage:
    """Return where a file's picture lies; the headers are read once for many windows.

    A file that is empty for now is waited for.
    """

    def status() -> os.stat_result:
        seen = path.stat()
        if empty_for_now and seen.st_size == 0 and stat.S_ISREG(seen.st_mode):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
        return seen

    try:
        seen = patiently(status)
    except OSError:
        return find_image(path)  # which says what is wrong
    return _find_once(path, seen.st_size, seen.st_mtime_ns)


@lru_cache(maxsize=256)
def _find_once(path: Path, _size_bytes: int, _mtime_ns: int) -> FitsImage:
    return find_image(path)


def stack_pixels(pixels: Pixels) -> NDArray[np.float32]:
    """Return the pixels of a stack as float32, NaN where all colours are 0: programs write that where no frame lay."""
    known = np.array(pixels, np.float32)
    known[(known == 0).all(axis=2) if known.ndim == 3 else known == 0] = np.nan
    return known


def _dtype(image: FitsImage) -> np.dtype[Any]:
    unsigned = image.bitpix == 16 and _scale(image) == (1.0, _UNSIGNED_ZERO) and _blank(image) is None
    unsigned = unsigned and image.rows == image.layout.height
    return np.dtype(np.uint16 if unsigned else np.float32)


def _scale(image: FitsImage) -> tuple[float, float]:
    """BSCALE and BZERO."""
    scale, zero = image.own.number("BSCALE"), image.own.number("BZERO")
    return (1.0 if scale is None else scale), (0.0 if zero is None else zero)


def _blank(image: FitsImage) -> int | None:
    """The stored number of pixels without a value, of pictures of whole numbers."""
    if image.bitpix < 0:
        return None
    blank = image.own.integer("BLANK")
    return image.own.integer("ZBLANK") if blank is None and image.tiled else blank


def _read_window(image: FitsImage, dtype: np.dtype[Any], y0: int, y1: int, x0: int, x1: int) -> Pixels:
    """Return a window of an uncompressed file.

    The file is read, not mapped: a mapped file that shrinks or a drive that is pulled kills the
    process without a word, a failed read is an error that drops one frame.
    """
    if y1 > image.rows:
        return _cut_short(image, dtype, y0, y1, x0, x1)
    name = Path(image.path).name
    try:
        raw = patiently(lambda: _stored_rows(image, y0, y1))
    except FileNotFoundError:
        raise FrameError("reason.vanished", file=name) from None
    except BlockingIOError:
        raise FrameError("reason.changed", file=name) from None
    except OSError as problem:
        raise FrameError("reason.io_error", file=name, detail=problem.strerror or str(problem)) from None
    per_column = raw.shape[2] // image.layout.width
    window = raw[:, :, x0 * per_column : x1 * per_column]
    return _arranged(_physical(window, image, dtype), image)


def _stored_rows(image: FitsImage, y0: int, y1: int) -> Pixels:
    """Return rows as stored, shape (planes, rows, numbers of a row); raises BlockingIOError where a file was emptied.

    Folders that are kept in a cloud show a file as empty until it has been fetched.
    """
    raw = _empty(image, y1 - y0)
    planes, _, row = raw.shape
    name = Path(image.path).name
    with regular_file(Path(image.path)) as stream:
        status = os.fstat(stream.fileno())
        if status.st_size == 0 < image.size_bytes and stat.S_ISREG(status.st_mode):
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), image.path)
        if (status.st_size, status.st_mtime_ns) != (image.size_bytes, image.mtime_ns):
            raise FrameError("reason.changed", file=name)
        for plane in range(planes):
            first = (plane * image.layout.height + y0) * row
            stream.seek(image.data_offset + first * raw.itemsize)
            _fill(stream, raw[plane], name)
    return raw


def _cut_short(image: FitsImage, dtype: np.dtype[Any], y0: int, y1: int, x0: int, x1: int) -> Pixels:
    """Return a window of a file that ends too early, NaN where it holds nothing."""
    last = max(image.rows, y0)
    stored = _read_window(image, dtype, min(y0, image.rows), min(last, image.rows), x0, x1)
    missing = np.full((y1 - last, *stored.shape[1:]), np.nan, stored.dtype)
    return np.concatenate([stored, missing])


def _empty(image: FitsImage, rows: int) -> Pixels:
    """Return an array for rows as stored, shape (planes, rows, numbers of a row)."""
    kind = "u1" if image.bitpix == 8 else f">{'f' if image.bitpix < 0 else 'i'}{abs(image.bitpix) // 8}"
    axis, width = image.layout.colour_axis, image.layout.width
    return np.empty((3 if axis == 0 else 1, rows, 3 * width if axis == 2 else width), kind)


def _fill(stream: Any, target: Pixels, name: str) -> None:
    """Read until a contiguous array is full; one call may return less."""
    bytes_of = target.reshape(-1).view(np.uint8)
    done = 0
    while done < bytes_of.size:
        count = stream.readinto(bytes_of[done:].data)
        if not count:
            raise FrameError("reason.short_read", file=name)
        done += count


def _physical(raw: Pixels, image: FitsImage, dtype: np.dtype[Any]) -> Pixels:
    """Return a new array of the numbers that stored ones stand for."""
    if dtype == np.uint16:
        # Adding 32768 to a signed 16-bit number is flipping its highest bit.
        words = raw.astype(np.int16).view(np.uint16)
        return np.bitwise_xor(words, np.uint16(0x8000), out=words)
    scale, zero = _scale(image)
    blank = _blank(image)
    wide = np.dtype(np.float32 if abs(image.bitpix) <= 16 or image.bitpix == -32 else np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        values = raw.astype(wide)
        if (scale, zero) != (1.0, 0.0):
            values *= scale
            values += zero
        values = values.astype(np.float32, copy=False)
    if blank is not None:
        values[raw == blank] = np.nan
    if image.bitpix < 0 or (scale, zero) != (1.0, 0.0):
        values[~np.isfinite(values)] = np.nan
    return values


def _arranged(planes: Pixels, image: FitsImage) -> Pixels:
    """Return (planes, rows, numbers of a row) as (rows, width) or (rows, width, 3)."""
    if image.layout.colour_axis == 0:
        return np.moveaxis(planes, 0, -1)
    rows = planes[0]
    arranged: Pixels = rows if image.layout.planes == 1 else rows.reshape(rows.shape[0], rows.shape[1] // 3, 3)
    return arranged


def _decode(image: FitsImage, dtype: np.dtype[Any]) -> Pixels:
    """Return the whole picture of a compressed file."""
    name = Path(image.path).name
    if image.tiled:
        return _decode_tiles(image, dtype)
    try:
        return patiently(lambda: _gunzip(image, dtype))
    except (OSError, EOFError, zlib.error) as problem:
        raise FrameError("reason.corrupt_compression", file=name, detail=_short(problem)) from None


def _short(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}".splitlines()[0][:200]


def _gunzip(image: FitsImage, dtype: np.dtype[Any]) -> Pixels:
    raw = _empty(image, image.layout.height)
    with gzip.open(image.path, "rb") as stream:
        stream.seek(image.data_offset)
        _fill(stream, raw, Path(image.path).name)
    return np.ascontiguousarray(_arranged(_physical(raw, image, dtype), image))


def _decode_tiles(image: FitsImage, dtype: np.dtype[Any]) -> Pixels:
    try:
        pixels = patiently(lambda: decoded_tiles(image))
        if dtype == np.uint16 and pixels.dtype != np.uint16:
            raise ValueError(f"decoded numbers are {pixels.dtype}")
    except FileNotFoundError:
        raise FrameError("reason.vanished", file=Path(image.path).name) from None
    except (ValueError, OSError) as problem:
        name = Path(image.path).name
        raise FrameError("reason.corrupt_compression", file=name, detail=_short(problem)) from None
    with np.errstate(over="ignore", invalid="ignore"):
        pixels = np.ascontiguousarray(pixels, dtype=dtype)
    if dtype == np.float32:
        pixels[~np.isfinite(pixels)] = np.nan
    return pixels


def _copy_name(image: FitsImage) -> str:
    identity = f"{image.path}|{image.size_bytes}|{image.mtime_ns}|{image.hdu}"
    return hashlib.blake2b(identity.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()


def _save(copy: Path, pixels: Pixels) -> None:
    """Write a decoded picture so that it is there whole or not at all."""
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            with atomic_file(copy, durable=False) as stream:
                np.save(stream, pixels, allow_pickle=False)
        except OSError:
            # Another worker's copy, opened there, cannot be replaced on Windows: it is as good.
            if not copy.exists():
                raise
    except OSError as problem:
        detail = problem.strerror or str(problem)
        raise ResourceError("error.scratch_write", path=str(copy.parent), detail=detail) from None


def _read_npy(copy: Path, frame: FrameRef) -> Pixels:
    try:
        array: Pixels = np.load(copy, mmap_mode="r", allow_pickle=False)
        return array
    except (OSError, ValueError, EOFError) as problem:
        raise FrameError("reason.scratch_lost", file=Path(frame.path).name, detail=_short(problem)) from None
