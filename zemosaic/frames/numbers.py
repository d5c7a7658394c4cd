"""The scale of the numbers: frames of one camera whose files hold them otherwise than most.

Other programs save frames as fractions of the full scale, or lose the BZERO card of unsigned numbers.  The levels of
a few frames of each kind tell which it is; what fits neither is left as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from zemosaic.errors import FrameError, Message, message
from zemosaic.frames.headers.header import FitsImage
from zemosaic.frames.pixels import open_pixels
from zemosaic.model import FrameRef

__all__ = ["NumberKind", "number_kind", "on_one_scale"]

NumberKind = tuple[int, float, float]
"""BITPIX, BSCALE and BZERO."""

_UNSIGNED_ZERO = 32768.0
_FULL_SCALES = (65535.0, 255.0)
_MAX_FRACTION = 1.5
"""A fraction of the full scale is no larger, bright stars and rounding included."""
_MAX_LEVEL_RATIO = 3.0
"""Skies of one camera differ by less than this, twilight and the moon aside."""
_SAMPLED_FRAMES = 5
_SAMPLED_ROWS = 32


def number_kind(image: FitsImage) -> NumberKind:
    """Return how a file holds its numbers."""
    scale, zero = image.own.number("BSCALE"), image.own.number("BZERO")
    return image.bitpix, 1.0 if scale is None else scale, 0.0 if zero is None else zero


def on_one_scale(frames: Sequence[FrameRef], kinds: Mapping[str, NumberKind]) -> list[FrameRef]:
    """Return the frames, those that hold their numbers otherwise than most of their camera with what mends it.

    Parameters
    ----------
    frames : sequence of FrameRef
        All frames of the run.
    kinds : mapping of str to NumberKind
        How each file holds its numbers, by path.
    """
    cameras: dict[tuple[object, ...], list[FrameRef]] = {}
    for frame in frames:
        cameras.setdefault(frame.camera_key, []).append(frame)
    mended: dict[str, tuple[float, float, Message]] = {}
    for members in cameras.values():
        counts = Counter(kinds[frame.path] for frame in members)
        if len(counts) > 1:
            usual = min(counts, key=lambda kind: (*_oddity(kind), -counts[kind], kind))
            levels = {kind: _level([frame for frame in members if kinds[frame.path] == kind]) for kind in counts}
            mends = {kind: _mend(kind, levels[kind], levels[usual]) for kind in counts if kind != usual}
            for frame in members:
                mend = mends.get(kinds[frame.path])
                if mend is not None:
                    mended[frame.path] = mend
    return [_with(frame, mended.get(frame.path)) for frame in frames]


def _oddity(kind: NumberKind) -> tuple[bool, bool]:
    """Return what sorts whole unsigned numbers, as cameras give them, before all others."""
    return kind[0] < 0, kind == (16, 1.0, 0.0)


def _with(frame: FrameRef, mend: tuple[float, float, Message] | None) -> FrameRef:
    if mend is None:
        return frame
    scale, zero, note = mend
    return replace(frame, number_scale=scale, number_zero=zero, notes=(*frame.notes, note))


def _level(frames: Sequence[FrameRef]) -> tuple[float, float]:
    """Return the median level and the highest number of a few frames; NaN where none can be read."""
    levels, tops = [], []
    for frame in frames[:: max(len(frames) // _SAMPLED_FRAMES, 1)][:_SAMPLED_FRAMES]:
        middle = frame.height // 2
        try:
            rows = open_pixels(frame, None).read(middle, min(middle + _SAMPLED_ROWS, frame.height), 0, frame.width)
        except FrameError:
            continue  # measuring that frame will say why
        values = np.asarray(rows, np.float64)
        if np.isfinite(values).any():
            levels.append(float(np.nanmedian(values)))
            tops.append(float(np.nanmax(values)))
    return (float(np.median(levels)), max(tops)) if levels else (float("nan"), float("nan"))


def _mend(
    kind: NumberKind, level: tuple[float, float], usual: tuple[float, float]
) -> tuple[float, float, Message] | None:
    """Return scale, zero and note that bring one kind of file to the scale of the usual one; None where none does."""
    bitpix, scale, zero = kind
    if (bitpix, scale, zero) == (16, 1.0, 0.0) and level[0] < 0 and _alike(level[0] + _UNSIGNED_ZERO, usual[0]):
        return 1.0, _UNSIGNED_ZERO, message("note.bzero_missing")
    if bitpix < 0 and level[0] > 0 and level[1] <= _MAX_FRACTION and usual[1] > 10 * _MAX_FRACTION:
        ratio = {full: abs(np.log(level[0] * full / usual[0])) for full in _FULL_SCALES if usual[0] > 0}
        best = min(ratio, key=lambda full: ratio[full], default=None)
        if best is not None and _alike(level[0] * best, usual[0]):
            return best, 0.0, message("note.fraction_scale", full=best)
    return None


def _alike(level: float, usual: float) -> bool:
    return level > 0 and usual > 0 and 1 / _MAX_LEVEL_RATIO < level / usual < _MAX_LEVEL_RATIO
