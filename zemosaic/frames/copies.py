"""The same exposure in two files that are not equal byte for byte: saved again with another card, or compressed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from zemosaic.errors import FrameError
from zemosaic.frames.pixels import open_pixels
from zemosaic.model import FrameRef

__all__ = ["same_exposures"]

_ROWS = 64
"""Rows in the middle of the picture that are compared: noise makes them unlike those of any other exposure."""


def same_exposures(frames: Sequence[FrameRef]) -> dict[int, str]:
    """Return, by frame id, the path of the first file with the same exposure; frames that are the first are left out.

    Only frames that began at the same moment are opened.  Their numbers are compared as they are meant, so that
    compression and the type of the numbers make no difference.

    Parameters
    ----------
    frames : sequence of FrameRef
        In the order in which the first of equal ones is kept.
    """
    alike: dict[tuple[object, ...], list[FrameRef]] = {}
    for frame in frames:
        if frame.date_obs is not None:
            key = (frame.date_obs, frame.exposure_s, frame.width, frame.height, frame.planes)
            alike.setdefault(key, []).append(frame)
    copies: dict[int, str] = {}
    for group in alike.values():
        first: dict[bytes, str] = {}
        # A file that was not copied completely may lie beside the complete one, which is kept.
        rows = min(_stored_rows(frame) for frame in group)
        for frame in sorted(group, key=lambda frame: -_stored_rows(frame)) if len(group) > 1 else ():
            digest = _digest(frame, rows)
            if digest is not None and first.setdefault(digest, frame.path) != frame.path:
                copies[frame.frame_id] = first[digest]
    return copies


def _stored_rows(frame: FrameRef) -> int:
    """Return how many rows a file holds, fewer than the height where it was not copied completely."""
    return next((int(note.params["rows"]) for note in frame.notes if note.key == "note.cut_short"), frame.height)


def _digest(frame: FrameRef, rows: int) -> bytes | None:
    """Return what tells the first `rows` of a frame from all others; None where they are unreadable or all alike."""
    middle, half = rows // 2, _ROWS // 2
    try:
        pixels = open_pixels(frame, None).read(max(middle - half, 0), min(middle + half, rows), 0, frame.width)
    except FrameError:
        return None  # measuring that frame will say why
    values = np.ascontiguousarray(pixels, np.float32)
    if not (values != values.flat[0]).any():
        return None
    return hashlib.blake2b(values.tobytes(), digest_size=16).digest()
