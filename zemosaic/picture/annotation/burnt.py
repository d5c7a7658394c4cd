"""The annotation drawn into a copy of the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from zemosaic.picture.annotation.drawing import Annotation, font_of
from zemosaic.picture.annotation.svg import COLOURS, KINDS

__all__ = ["burnt_in"]

SHADE = (0, 0, 0)
"""Around letters, so that they are read on bright nebulae."""


def burnt_in(picture: NDArray[np.uint8], annotation: Annotation) -> NDArray[np.uint8]:
    """Return a copy of a picture with its annotation.

    Parameters
    ----------
    picture : ndarray, shape (height, width, 3), uint8
        Row 0 at the top.
    annotation : Annotation
        For a picture of this size.
    """
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    width = max(1, round(annotation.line_width))
    for kind in KINDS:
        for stroke in annotation.strokes:
            if stroke.kind == kind:
                points = [*stroke.points, stroke.points[0]] if stroke.closed else list(stroke.points)
                draw.line(points, fill=COLOURS[kind], width=width, joint="curve")
        for label in annotation.labels:
            if label.kind == kind:
                size = int(label.size)
                left = font_of(size).getbbox(label.text)[0]
                place = (label.box.left - left, label.box.top)
                draw.text(place, label.text, COLOURS[kind], font_of(size), stroke_width=width, stroke_fill=SHADE)
    return np.asarray(image)
