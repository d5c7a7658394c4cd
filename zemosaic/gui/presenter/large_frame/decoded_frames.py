"""Pictures of frames, decoded ahead by a few threads and kept as long as there is room."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from zemosaic.gui.presenter.large_frame.frame_pixels import FramePicture, FrameStretch, frame_picture
from zemosaic.model import FrameRef

__all__ = ["DecodedFrames", "room_bytes"]

MAX_ROOM_BYTES = 400_000_000
_PART_OF_MEMORY = 8
_THREADS = 2
_LEAST_AHEAD = 2
"""So many pictures are kept beside the one that is looked at, however little room there is."""

Decode = Callable[[FrameRef, FrameStretch | None, float], tuple[FramePicture, FrameStretch | None]]


def room_bytes(available_bytes: int, memory_limit_gb: float) -> int:
    """Return the memory for pictures that are kept.

    Parameters
    ----------
    available_bytes : int
        Memory that is free at present.
    memory_limit_gb : float
        What the user gives the program; 0 where he does not say.
    """
    given = [available_bytes, *([int(memory_limit_gb * 1e9)] if memory_limit_gb > 0 else [])]
    return min(MAX_ROOM_BYTES, min(given) // _PART_OF_MEMORY)


class DecodedFrames:
    """Decodes what is wanted, the most wanted first, and forgets what is wanted least; no method blocks.

    Parameters
    ----------
    room : int
        Bytes that the pictures may take.
    decode : callable
        Returns a frame's picture and the stretch it is shown with, as `frame_picture`.
    """

    def __init__(self, room: int, decode: Decode = frame_picture) -> None:
        self._room = room
        self._decode = decode
        self._changed = threading.Condition()
        self._wanted: Sequence[FrameRef] = ()
        self._done: dict[str, FramePicture] = {}
        self._under_way: set[str] = set()
        self._stretch: FrameStretch | None = None
        self._sets_stretch: FrameRef | None = None
        self._darker_adu = 0.0
        self._begun = 0
        """Counts the beginnings; what was decoded for an earlier one is thrown away."""
        self._news = 0
        self._told = 0
        self._closed = False
        self._threads: list[threading.Thread] = []

    @property
    def kept_bytes(self) -> int:
        """Memory that the pictures take now."""
        with self._changed:
            return self._used()

    def begin(self, sets_stretch: FrameRef, darker_adu: float = 0.0) -> None:
        """Begin anew with the stretch that a frame sets, or where it cannot be read the first one that can.

        Parameters
        ----------
        sets_stretch : FrameRef
        darker_adu : float
            How much darker the sky of other frames is that shall not be black.
        """
        self._darker_adu = darker_adu
        self._forget_all(sets_stretch)
        if not self._threads:
            self._closed = False
            made = [threading.Thread(target=self._work, name="large frames", daemon=True) for _ in range(_THREADS)]
            self._threads = made
            for thread in made:
                thread.start()

    def end(self) -> None:
        """Forget all pictures; the threads wait for the next beginning."""
        self._forget_all(None)

    def _forget_all(self, sets_stretch: FrameRef | None) -> None:
        with self._changed:
            self._begun += 1
            self._stretch, self._sets_stretch, self._wanted = None, sets_stretch, ()
            self._done.clear()

    def want(self, frames: Sequence[FrameRef]) -> None:
        """Tell which frames are wanted, the most wanted first; what was wanted before is forgotten."""
        with self._changed:
            self._wanted = frames
            self._forget()
            self._changed.notify_all()

    def get(self, path: str) -> FramePicture | None:
        """Return the picture of a frame; None where it is not decoded."""
        with self._changed:
            return self._done.get(path)

    def pump(self) -> bool:
        """Return whether pictures came since this was last asked."""
        with self._changed:
            has_news, self._told = self._news != self._told, self._news
        return has_news

    def close(self) -> None:
        """End the threads and forget all pictures."""
        self._forget_all(None)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(5)
        self._threads = []

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next() is not None)
                frame = self._next()
                if self._closed or frame is None:
                    return
                self._under_way.add(frame.path)
                stretch, begun = self._stretch, self._begun
            picture, stretch = self._decode(frame, stretch, self._darker_adu)
            with self._changed:
                self._under_way.discard(frame.path)
                if begun == self._begun:
                    self._stretch = self._stretch or stretch
                    self._done[frame.path] = picture
                    self._news += 1
                    self._forget()
                self._changed.notify_all()

    def _next(self) -> FrameRef | None:
        """Return what is to be decoded next; until there is a stretch one frame at a time, since the first sets it."""
        first = self._sets_stretch
        if self._stretch is None:
            if self._under_way:
                return None
            if first is not None and first.path not in self._done:
                return first
        missing = (frame for frame in self._affordable() if frame.path not in self._done)
        return next((frame for frame in missing if frame.path not in self._under_way), None)

    def _affordable(self) -> Sequence[FrameRef]:
        """Return the wanted frames that there is room for."""
        largest = max((picture.size_bytes for picture in self._done.values()), default=0)
        count = len(self._wanted) if not largest else max(self._room // largest, 1 + _LEAST_AHEAD)
        return self._wanted[:count]

    def _forget(self) -> None:
        """Forget pictures where they take too much room: first those not wanted, then those wanted least."""
        order = {frame.path: place for place, frame in enumerate(self._wanted)}
        keep = {frame.path for frame in self._wanted[: 1 + _LEAST_AHEAD]}
        for path in sorted(self._done, key=lambda path: -order.get(path, len(order))):
            if self._used() <= self._room:
                return
            if path not in keep:
                del self._done[path]

    def _used(self) -> int:
        return sum(picture.size_bytes for picture in self._done.values())
