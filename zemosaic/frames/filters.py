"""The filter of each frame: one spelling for one filter, and the usual one where a card is empty."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from zemosaic.errors import message
from zemosaic.model import FrameRef

__all__ = ["filter_key", "settled_filters"]

_NO_FILTER = frozenset(
    ("", "nan", "none", "null", "nofilter", "unknown", "undefined", "na", "empty", "rggb", "bggr", "grbg", "gbrg")
)
"""What cards hold that name no filter, letters and digits only; PANOPTES writes the Bayer pattern there."""
_SAME_FILTER = {
    **dict.fromkeys(("ircut", "uvircut", "uvir", "irblock", "uvirblock", "ircutfilter"), "ircut"),
    **dict.fromkeys(("ha", "halpha", "hydrogenalpha"), "ha"),
    **dict.fromkeys(("oiii", "o3"), "oiii"),
    **dict.fromkeys(("sii", "s2"), "sii"),
    **dict.fromkeys(("l", "lum", "luminance"), "l"),
    **dict.fromkeys(("r", "red"), "r"),
    **dict.fromkeys(("g", "green"), "g"),
    **dict.fromkeys(("b", "blue"), "b"),
}


def filter_key(name: str) -> str:
    """Return a filter's name in the one spelling in which equal filters compare equal; empty for none."""
    plain = re.sub(r"[^a-z0-9]", "", name.casefold())
    return "" if plain in _NO_FILTER else _SAME_FILTER.get(plain, plain)


def settled_filters(frames: Sequence[FrameRef]) -> tuple[FrameRef, ...]:
    """Return the frames, each filter spelled alike; a frame whose card is empty has its camera's usual filter.

    A camera of which no frame names a filter has none.  What was filled in is a note of the frame.

    Parameters
    ----------
    frames : sequence of FrameRef
        All frames of the run.
    """
    spellings: dict[str, Counter[str]] = {}
    used: dict[tuple[object, ...], Counter[str]] = {}
    for frame in frames:
        key = filter_key(frame.filter_name)
        if key:
            spellings.setdefault(key, Counter())[frame.filter_name.strip()] += 1
            used.setdefault(_camera(frame), Counter())[key] += 1
    names = {key: _commonest(counts) for key, counts in spellings.items()}
    settled = []
    for frame in frames:
        key = filter_key(frame.filter_name)
        if key:
            settled.append(replace(frame, filter_name=names[key]))
            continue
        counts = used.get(_camera(frame))
        name = names[_commonest(counts)] if counts else ""
        notes = (*frame.notes, message("note.filter_assumed", filter=name)) if name else frame.notes
        settled.append(replace(frame, filter_name=name, notes=notes))
    return tuple(settled)


def _camera(frame: FrameRef) -> tuple[object, ...]:
    return frame.instrument, frame.telescope, frame.width, frame.height


def _commonest(counts: Counter[str]) -> str:
    """Return the name with the highest count, the first in the alphabet of equal ones."""
    return min(counts, key=lambda name: (-counts[name], name))
