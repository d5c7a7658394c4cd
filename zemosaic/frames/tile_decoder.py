"""Tile-compressed pictures (``.fz``), decoded where a decoder that dies or never ends costs one file.

Damaged tiles make the native decoders read outside their memory, divide by zero or go round for ever.  A worker of
the pool may die of that: it is replaced, and its task is given up the second time.  Everywhere else, in the process of
the run, with a single worker and in the windows, a process of its own decodes.  The time limit counts the CPU time of
the process, so that a slow disk, a pause or a suspended computer does not use it up.
"""

from __future__ import annotations

import atexit
import contextlib
import gzip
import io
import multiprocessing
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import FrameError
from zemosaic.frames.headers.header import FitsImage

__all__ = ["decoded_tiles"]

Pixels = NDArray[Any]

MAX_DECODE_S = 20.0
"""CPU seconds that decoding may take, and `MAX_DECODE_S_PER_PIXEL` more for each pixel."""
MAX_DECODE_S_PER_PIXEL = 2e-6
MAX_WALL_RATIO = 20.0
"""Where CPU time cannot be limited, or nothing is computed at all, a decoder ends after so many times that."""
MAX_DEATHS = 2
MAX_TRAILING_BYTES = 1 << 28
"""What may follow the picture in a file that is zipped as a whole; more is not unzipped."""
LOOK_S = 5.0
MAX_DETAIL_CHARS = 200


def decoded_tiles(image: FitsImage) -> Pixels:
    """Return the picture of a tile-compressed HDU, colours last, as numbers of any kind.

    Raises
    ------
    FrameError
        When the decoder died of it twice, or did not end in time.
    ValueError
        When the tiles cannot be decoded.
    OSError
        When the file cannot be read.
    """
    if multiprocessing.current_process().daemon:  # a worker that is replaced when it dies
        with _limited_cpu(image):
            return _decoded_or_refused(image)
    return _HELPER.decoded(image)


def _decoded_or_refused(image: FitsImage) -> Pixels:
    try:
        return _decode(image)
    except FileNotFoundError:
        raise
    # A border: fed damaged tiles, the decoder fails in any way, one of them a class of its own
    # that is private and not in the same place in all versions.
    except Exception as problem:  # noqa: BLE001
        raise ValueError(f"{type(problem).__name__}: {problem}".splitlines()[0][:MAX_DETAIL_CHARS]) from None


def _decode(image: FitsImage) -> Pixels:
    from astropy.io import fits  # slow to import, and most frames are not compressed

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # From memory: astropy leaves a file open when it stumbles over its bytes.
        with fits.open(io.BytesIO(_content(image))) as hdus:
            data = np.asarray(hdus[image.hdu].data)
    shape = image.layout
    if shape.planes == 1:
        return data.reshape(shape.height, shape.width)
    if shape.colour_axis == 2:
        return data.reshape(shape.height, shape.width, 3)
    return np.moveaxis(data.reshape(3, shape.height, shape.width), 0, -1)


def _content(image: FitsImage) -> bytes:
    """Return the bytes of a file; of one that is zipped no more than its picture can need."""
    if not image.gzipped:
        return Path(image.path).read_bytes()
    numbers = image.layout.width * image.layout.height * image.layout.planes
    with gzip.open(image.path, "rb") as stream:
        return stream.read(image.data_offset + 2 * numbers * abs(image.bitpix) // 8 + MAX_TRAILING_BYTES)


def _limit_s(image: FitsImage) -> float:
    return MAX_DECODE_S + image.layout.width * image.layout.height * image.layout.planes * MAX_DECODE_S_PER_PIXEL


@contextlib.contextmanager
def _limited_cpu(image: FitsImage) -> Iterator[None]:
    """Have the system end this process when the block takes too much CPU time; native code hears nothing else."""
    if not hasattr(signal, "setitimer"):  # Windows
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, _limit_s(image))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)


class _Helper:
    """A process that decodes for this one; started when it is needed, and again after it died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: BaseProcess | None = None
        self._connection: Connection | None = None

    def decoded(self, image: FitsImage) -> Pixels:
        """Return what `_decode` does in the other process; raises what is raised there."""
        detail = ""
        with self._lock:
            for _ in range(MAX_DEATHS):
                try:
                    return self._asked(image)
                except (EOFError, OSError) as gone:
                    if isinstance(gone, OSError) and gone.filename is not None:
                        raise  # the file of the picture cannot be read
                    detail = self._buried()
        raise FrameError("reason.decoder_killed", file=Path(image.path).name, detail=detail)

    def close(self) -> None:
        """Let the other process go."""
        with self._lock:
            if self._process is not None:
                self._buried()

    def _asked(self, image: FitsImage) -> Pixels:
        connection = self._started()
        connection.send(image)
        until = time.monotonic() + MAX_WALL_RATIO * _limit_s(image)
        while not connection.poll(LOOK_S):
            if time.monotonic() > until:
                raise EOFError
        answer = connection.recv()
        if isinstance(answer, BaseException):
            raise answer
        dtype, shape = answer
        pixels = np.empty(shape, dtype)
        if pixels.nbytes:
            connection.recv_bytes_into(pixels.reshape(-1).view(np.uint8).data)
        return pixels

    def _started(self) -> Connection:
        if self._connection is None or self._process is None or not self._process.is_alive():
            spawn = multiprocessing.get_context("spawn")
            self._connection, theirs = spawn.Pipe()
            self._process = spawn.Process(target=_serve, args=(theirs,), name="tile-decoder", daemon=True)
            self._process.start()
            theirs.close()
        return self._connection

    def _buried(self) -> str:
        """End the other process; returns how it ended."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is None:
            return ""
        process.join(0.5)
        was_running = process.is_alive()
        process.kill()
        process.join()
        return "no answer" if was_running else f"exit code {process.exitcode}"


def _serve(connection: Connection) -> None:
    """Decode one picture after the other, until the process that asks is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            image = connection.recv()
            try:
                with _limited_cpu(image):
                    pixels = np.ascontiguousarray(_decoded_or_refused(image))
            except (ValueError, FileNotFoundError) as problem:
                connection.send(problem)
                continue
            connection.send((pixels.dtype, pixels.shape))
            if pixels.nbytes:
                connection.send_bytes(pixels.reshape(-1).view(np.uint8).data)


_HELPER = _Helper()
atexit.register(_HELPER.close)
