"""What the pixels of one frame say of its use: overexposed, cut off at 0, of one value, without numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import FrameError

__all__ = ["refuse_unusable"]

_MOST_ALIKE = 0.5
"""Where more than this part of the pixels has one value, neither level nor noise of the sky can be told."""
_MOST_CUT_OFF = 0.85
"""A sky whose level was taken off leaves half of its noise; where less is left it is no sky."""
_MOST_MISSING = 0.9
_SAMPLE_STEP = 7
"""Every so many pixels are looked at; odd, so that all colours of a Bayer mask are among them."""
_FULL_SCALES = (255.0, 4095.0, 4096.0, 16383.0, 16384.0, 65535.0, 65534.0, 65520.0, 65532.0, 1.0)
"""Highest numbers of cameras of 8, 12, 14 and 16 bits, and of normalised pictures."""


def refuse_unusable(pixels: NDArray[Any], name: str) -> None:
    """Raise what is wrong with a frame whose sky cannot be measured; return where it can.

    Parameters
    ----------
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Numbers as read; NaN for pixels without a value.
    name : str
        Name of the file.

    Raises
    ------
    FrameError
        When most pixels have no value or one and the same: cut off at 0, overexposed, or constant.
    """
    sample = pixels[::_SAMPLE_STEP, ::_SAMPLE_STEP].astype(np.float32).ravel()
    if sample.size == 0:
        return
    known = sample[np.isfinite(sample)]
    if known.size <= (1.0 - _MOST_MISSING) * sample.size:
        raise FrameError("reason.no_numbers", file=name, percent=round(100 * (1 - known.size / sample.size)))
    usual = float(np.median(known))
    part = float((known == usual).mean())
    if part <= _MOST_ALIKE:
        return
    percent, shown = round(100 * part), f"{usual:g}"
    if usual >= float(known.max()) and usual in _FULL_SCALES:
        raise FrameError("reason.overexposed", file=name, percent=percent, value=shown)
    if part <= _MOST_CUT_OFF and usual <= float(known.min()) < float(known.max()):
        raise FrameError("reason.cut_off", file=name, percent=percent, value=shown)
    raise FrameError("reason.one_value", file=name, percent=percent, value=shown)
