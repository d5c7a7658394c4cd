"""The brightness of what is seen, as a picture of a histogram."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["histogram_picture"]

Picture = NDArray[np.uint8]

_LEVELS = 256
_INKS = ((255, 84, 84), (84, 214, 110), (92, 140, 255))
_GREY = (200, 200, 200)
_GROUND = (17, 20, 27)
_STRENGTH = 0.75


def histogram_picture(seen: Picture, width: int, height: int) -> Picture:
    """Return how often each brightness is seen, per colour, on a logarithmic scale.

    Parameters
    ----------
    seen : ndarray, shape (h, w, 3), uint8
        Black, which is also what lies outside of a mosaic, is not counted.
    width, height : int
        Of the result, in pixels.

    Returns
    -------
    ndarray, shape (height, width, 3), uint8
        Black at the left, white at the right; the rarest brightness that is seen at all is one pixel high.
    """
    drawn = np.empty((height, width, 3), np.float64)
    drawn[:] = _GROUND
    pixels = seen.reshape(-1, 3)
    pixels = pixels[pixels.any(axis=1)]
    if not len(pixels):
        return drawn.astype(np.uint8)
    is_grey = bool((pixels[:, 0] == pixels[:, 1]).all() and (pixels[:, 1] == pixels[:, 2]).all())
    columns = np.minimum(np.arange(_LEVELS) * width // _LEVELS, width - 1)
    channels = [0] if is_grey else [0, 1, 2]
    counts = np.zeros((len(channels), width))
    for row, channel in enumerate(channels):
        np.add.at(counts[row], columns, np.bincount(pixels[:, channel], minlength=_LEVELS))
    # Columns that no level falls on, in a picture wider than the levels, take their left neighbour's.
    counts = counts[:, np.maximum.accumulate(np.where(np.isin(np.arange(width), columns), np.arange(width), 0))]
    heights = np.ceil(height * np.log1p(counts) / np.log1p(counts.max()))
    rows = height - np.arange(height)[:, None]
    for bar, ink in zip(heights, (_GREY,) if is_grey else _INKS, strict=True):
        under = rows <= bar[None, :]
        drawn += _STRENGTH * under[..., None] * (np.array(ink) - _GROUND) * (1.0 if is_grey else 0.75)
    return np.clip(np.rint(drawn), 0, 255).astype(np.uint8)
