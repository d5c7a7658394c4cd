"""A strip with words under a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from zemosaic.picture.annotation.drawing import font_of

__all__ = ["with_caption"]

FONT_PART = 60.0
"""The font is so small a part of the picture's width."""
MIN_FONT_PX = 12
STRIP_COLOUR, TITLE_COLOUR, TEXT_COLOUR = (12, 12, 14), (240, 240, 240), (176, 178, 184)


def with_caption(picture: NDArray[np.uint8], title: str, lines: Sequence[str]) -> NDArray[np.uint8]:
    """Return a picture with a strip beneath it: a title, and smaller lines.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3), uint8
        Row 0 at the top.
    title : str
    lines : sequence of str
        Each is made smaller where it would not fit the width.
    """
    height, width = picture.shape[:2]
    size = max(MIN_FONT_PX, round(width / FONT_PART))
    margin = size
    texts = [(title, round(1.4 * size), TITLE_COLOUR), *((line, size, TEXT_COLOUR) for line in lines if line)]
    fitted = [(text, _fitting(text, wanted, width - 2 * margin), colour) for text, wanted, colour in texts if text]
    strip = 2 * margin + sum(round(1.4 * font) for _, font, _ in fitted)
    image = Image.new("RGB", (width, height + strip), STRIP_COLOUR)
    image.paste(Image.fromarray(picture), (0, 0))
    draw = ImageDraw.Draw(image)
    top = height + margin
    for text, font, colour in fitted:
        draw.text((margin, top), text, colour, font_of(font))
        top += round(1.4 * font)
    return np.asarray(image)


def _fitting(text: str, size: int, width: int) -> int:
    """Return the largest size of the font, up to the wanted one, at which a text fits a width."""
    while size > MIN_FONT_PX // 2 and font_of(size).getlength(text) > width:
        size -= 1
    return size
