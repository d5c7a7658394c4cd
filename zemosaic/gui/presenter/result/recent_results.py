"""The mosaics that were looked at last, with small pictures of them."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.atomic import write_atomic
from zemosaic.text.plain_text import json_value

__all__ = ["MAX_RECENT", "RecentResults", "thumbnail_of"]

MAX_RECENT = 10
THUMBNAIL_PX = 64
"""Longest side of a small picture."""
_FILE = "recent_mosaics.json"
_PICTURES = ("_picture.jpg", "_picture.png", "_preview.png", "_picture.tif")
"""What a run leaves beside a mosaic to look at, the quickest to read first."""


class RecentResults:
    """Remembers the last mosaics from one start to the next; reads their small pictures in a thread.

    Parameters
    ----------
    folder : Path
        The folder of the user's settings.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / _FILE
        self._known = self._read()
        self._thumbnails: dict[str, NDArray[np.uint8] | None] = {}
        self._thread: threading.Thread | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The mosaics that still exist, the last one first."""
        return tuple(path for path in self._known if Path(path).is_file())

    def note(self, path: str) -> None:
        """Put a mosaic at the beginning of the list, and keep the list for the next start."""
        if not path or self._known[:1] == [path]:
            return
        self._known = [path, *(other for other in self._known if other != path)][:MAX_RECENT]
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self._file, (json.dumps(self._known, indent=1) + "\n").encode("utf-8", "surrogateescape"))
        except OSError:
            # The list is a comfort: without a place for it, it holds until the window is closed.
            return

    def thumbnail(self, path: str) -> NDArray[np.uint8] | None:
        """Return the small picture of a mosaic, shape (h, w, 3); None until it was read and where there is none."""
        return self._thumbnails.get(path)

    def look(self) -> None:
        """Begin to read the small pictures that are not known yet."""
        missing = [path for path in self.paths if path not in self._thumbnails]
        if missing and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._load, args=(missing,), name="thumbnails", daemon=True)
            self._thread.start()

    def forget_picture(self, path: str) -> None:
        """Read the small picture of a mosaic again when it is asked for, since a run made it anew."""
        self._thumbnails.pop(path, None)

    def close(self) -> None:
        """Wait for the thread that reads pictures."""
        if self._thread is not None:
            self._thread.join(10)

    def _load(self, paths: list[str]) -> None:
        for path in paths:
            self._thumbnails[path] = thumbnail_of(Path(path))

    def _read(self) -> list[str]:
        try:
            values = json_value(self._file.read_text(encoding="utf-8", errors="surrogateescape"))
        except (OSError, ValueError):
            return []
        return [value for value in values if isinstance(value, str)][:MAX_RECENT] if isinstance(values, list) else []


def thumbnail_of(mosaic: Path) -> NDArray[np.uint8] | None:
    """Return a small picture of a mosaic, shape (h, w, 3), from those that lie beside it; None where none can be read.

    Parameters
    ----------
    mosaic : Path
    """
    # Here, in the thread that reads them: the first window does without.
    from PIL import Image

    stem = mosaic.name.removesuffix(".fz").removesuffix(".fits")
    for ending in _PICTURES:
        try:
            with Image.open(mosaic.with_name(stem + ending)) as opened:
                opened.draft("RGB", (2 * THUMBNAIL_PX, 2 * THUMBNAIL_PX))
                opened.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
                return np.asarray(opened.convert("RGB"))
        except OSError:
            # Not written by that run, or no picture: the next one may be.
            continue
    return None
