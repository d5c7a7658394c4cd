"""The meaning of the colours that are laid over a mosaic, as a bar with numbers in its corner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["draw_legend"]

_BAR = (150, 10)
"""Width and height in screen pixels."""
_MARGIN_PX = 12
_FONT_PX = 12
_MIN_PICTURE_PX = (260, 80)
_SHADE = 0.6


def draw_legend(
    picture: NDArray[np.uint8], colours: NDArray[np.uint8], marks: Sequence[tuple[float, str]]
) -> NDArray[np.uint8]:
    """Return a picture with a legend at its top left; a picture too small for it stays as it is.

    Parameters
    ----------
    picture : ndarray, shape (h, w, 3), uint8
    colours : ndarray, shape (n, 3), uint8
        From the left end of the bar to the right one.
    marks : sequence of (float, str)
        Place along the bar, 0 to 1, and what stands below it.
    """
    # Here, when it is asked for: the first window does without.
    from PIL import Image, ImageDraw

    from zemosaic.picture.annotation.drawing import font_of

    if picture.shape[1] < _MIN_PICTURE_PX[0] or picture.shape[0] < _MIN_PICTURE_PX[1]:
        return picture
    width, height = _BAR
    box = (_MARGIN_PX, _MARGIN_PX, 3 * _MARGIN_PX + width + _FONT_PX, 2 * _MARGIN_PX + height + _FONT_PX)
    shown = picture.copy()
    part = np.s_[box[1] : box[3], box[0] : box[2]]
    shown[part] = np.rint((1 - _SHADE) * shown[part]).astype(np.uint8)
    left, top = box[0] + _MARGIN_PX, box[1] + _MARGIN_PX // 2
    columns = np.linspace(0, len(colours) - 1, width).round().astype(int)
    shown[top : top + height, left : left + width] = colours[columns]
    image = Image.fromarray(shown)
    draw, font = ImageDraw.Draw(image), font_of(_FONT_PX)
    for place, text in marks:
        across = font.getbbox(text)[2]
        x = min(max(left + place * width - across / 2, box[0] + 3), box[2] - across - 3)
        draw.text((x, top + height + 2), text, (235, 235, 235), font)
    return np.array(image)
