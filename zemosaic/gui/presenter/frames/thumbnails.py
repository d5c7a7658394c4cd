"""Small stretched pictures of single frames, read in the background when asked for."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import FrameError, Message, ZeMosaicError, message
from zemosaic.model import FrameRef

__all__ = ["Thumbnail", "ThumbnailLoader", "fitted_picture", "thumbnail"]

MAX_SIDE_PX = 360


@dataclass(frozen=True)
class Thumbnail:
    """A frame's small picture, or why there is none."""

    path: str
    picture: NDArray[np.uint8] | None
    """Shape (h, w, 3), RGB, as stored."""
    problem: Message | None = None


class ThumbnailLoader:
    """Reads one picture at a time; of several asked for meanwhile only the last is read."""

    def __init__(self) -> None:
        self.shown: Thumbnail | None = None
        self._wanted: queue.SimpleQueue[FrameRef | None] = queue.SimpleQueue()
        self._made: queue.SimpleQueue[Thumbnail] = queue.SimpleQueue()
        self._asked = ""
        self._thread: threading.Thread | None = None

    def ask(self, frame: FrameRef | None) -> None:
        """Ask for the picture of a frame; None for none."""
        path = "" if frame is None else frame.path
        if path == self._asked:
            return
        self._asked = path
        if frame is None:
            self.shown = None
            return
        self._wanted.put(frame)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="thumbnails", daemon=True)
            self._thread.start()

    def pump(self) -> bool:
        """Take in what was read; return whether there is a new picture."""
        has_changed = False
        while not self._made.empty():
            made = self._made.get()
            if made.path == self._asked:
                self.shown, has_changed = made, True
        return has_changed

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._wanted.put(None)
            self._thread.join(5)
            self._thread = None

    def _work(self) -> None:
        while True:
            frame = self._wanted.get()
            while not self._wanted.empty():
                frame = self._wanted.get()
            if frame is None:
                return
            self._made.put(thumbnail(frame))


def thumbnail(frame: FrameRef) -> Thumbnail:
    """Return a frame's picture, reduced to `MAX_SIDE_PX` and stretched."""
    # Here, in the thread: it loads what the first window does not need.
    from zemosaic.frames.pixels import open_pixels, stack_pixels
    from zemosaic.picture.preview import stretched_preview

    try:
        pixels = open_pixels(frame, None, borders=True).read_all()
        planes = _planes(pixels if frame.bayer else stack_pixels(pixels), frame.bayer)
        picture = stretched_preview(planes, max_px=MAX_SIDE_PX, axis_order="CHW")
    except FrameError as fault:
        return Thumbnail(frame.path, None, fault.reason)
    except ZeMosaicError as fault:
        return Thumbnail(frame.path, None, fault.message)
    except OSError as fault:
        return Thumbnail(frame.path, None, message("error.input_unreadable", path=frame.path, detail=str(fault)))
    # The preview turns pictures upright; a frame is shown as its pixels lie.
    return Thumbnail(frame.path, np.ascontiguousarray(picture[::-1]))


def fitted_picture(picture: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture at the largest size that fits into a box, shape (h, w, 3).

    Parameters
    ----------
    picture : ndarray, shape (h, w, 3), uint8
    width, height : int
        Of the box, in pixels.  A smaller picture is enlarged to it.
    """
    import cv2

    scale = min(width / picture.shape[1], height / picture.shape[0])
    size = (max(round(picture.shape[1] * scale), 1), max(round(picture.shape[0] * scale), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def _planes(pixels: NDArray[np.generic], bayer: str | None) -> NDArray[np.float32]:
    """Return colour planes, shape (1 or 3, h, w); of raw frames at half the size, one value per 2 x 2 pixels."""
    if pixels.ndim == 3:
        return np.moveaxis(pixels, -1, 0).astype(np.float32)
    if bayer is None:
        return pixels.astype(np.float32)[None]
    height, width = (side // 2 * 2 for side in pixels.shape)
    sites = [pixels[place // 2 : height : 2, place % 2 : width : 2].astype(np.float32) for place in range(4)]
    planes = [
        [site for site, colour in zip(sites, bayer, strict=True) if colour == plane_colour] for plane_colour in "RGB"
    ]
    return np.stack([np.mean(same, axis=0) for same in planes])
