"""What is drawn over a picture: lines, outlines and labels, in pixels of the picture.

Places are those of a picture: (0, 0) is the top left corner of the top left pixel, x to the right, y downwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from PIL import ImageFont

__all__ = ["Annotation", "Box", "Kind", "Label", "Stroke", "font_of", "text_size"]

Kind = Literal["grid", "figure", "object", "star", "frame"]
"""What a mark is about; figures are those of constellations, and the last one is the scale bar and the directions."""
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle along the axes."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, box: Box) -> bool:
        """Return whether two boxes share an area."""
        return self.left < box.right and box.left < self.right and self.top < box.bottom and box.top < self.bottom

    def within(self, width: float, height: float) -> bool:
        """Return whether the box lies in a picture of this size.

        Parameters
        ----------
        width, height : float
            Of the picture, in pixels.
        """
        return self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height

    def wider(self, by: float) -> Box:
        """Return the box with a border around it."""
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)


@dataclass(frozen=True)
class Stroke:
    """A line through points, closed or not."""

    kind: Kind
    points: tuple[Point, ...]
    closed: bool = False


@dataclass(frozen=True)
class Label:
    """A text and the box that it fills."""

    kind: Kind
    text: str
    box: Box
    size: float
    """Of the font, in pixels."""


@dataclass(frozen=True)
class Annotation:
    """All that is drawn over a picture of a size."""

    width: int
    height: int
    strokes: tuple[Stroke, ...]
    labels: tuple[Label, ...]
    line_width: float


@cache
def font_of(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return the font that comes with Pillow, so that every computer draws the same."""
    return ImageFont.load_default(size)


@cache
def text_size(text: str, size: int) -> tuple[float, float]:
    """Return width and height of a line of text in pixels; the height is that of the font, whatever the letters.

    Parameters
    ----------
    text : str
    size : int
        Of the font, in pixels.
    """
    left, _, right, _ = font_of(size).getbbox(text)
    return float(right - left), 1.2 * size
