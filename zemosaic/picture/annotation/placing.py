"""Labels beside what they name, none over another."""

from __future__ import annotations

from dataclasses import dataclass, field

from zemosaic.picture.annotation.drawing import Box, Kind, Label, text_size

__all__ = ["LabelPlaces"]

GAP = 0.35
"""Room around a label, in sizes of its font."""
DIRECTIONS = ((1, 0), (-1, 0), (0, -1), (0, 1), (1, -1), (-1, -1), (1, 1), (-1, 1))
"""Where a label stands of what it names, the best first: at the right, at the left, above ..."""


@dataclass
class LabelPlaces:
    """The labels of a picture so far, and whatever else they must not cover."""

    width: int
    height: int
    labels: list[Label] = field(default_factory=list)
    taken: list[Box] = field(default_factory=list)

    def is_free(self, box: Box) -> bool:
        """Return whether a box lies in the picture and over nothing that is taken."""
        return box.within(self.width, self.height) and not any(box.overlaps(taken) for taken in self.taken)

    def reserve(self, box: Box) -> None:
        """Keep labels away from a box."""
        self.taken.append(box)

    def put(self, kind: Kind, text: str, left: float, top: float, size: int) -> bool:
        """Put a label with its top left corner at a place; returns whether the place was free.

        Parameters
        ----------
        kind : Kind
        text : str
        left, top : float
            Pixels of the picture.
        size : int
            Of the font, pixels.
        """
        width, height = text_size(text, size)
        box = Box(left, top, left + width, top + height)
        if not self.is_free(box):
            return False
        self.labels.append(Label(kind, text, box, size))
        self.taken.append(box.wider(GAP * size))
        return True

    def put_beside(self, kind: Kind, text: str, thing: Box, size: int) -> bool:
        """Put a label beside a thing, at the first free one of several places; returns whether there was one.

        Parameters
        ----------
        kind : Kind
        text : str
        thing : Box
            What is named; it may reach beyond the picture.
        size : int
            Of the font, pixels.
        """
        width, height = text_size(text, size)
        gap = GAP * size
        x, y = 0.5 * (thing.left + thing.right), 0.5 * (thing.top + thing.bottom)
        half_width = 0.5 * (thing.right - thing.left) + gap
        half_height = 0.5 * (thing.bottom - thing.top) + gap
        for across, down in DIRECTIONS:
            # On a diagonal the label starts where the outline of an ellipse is.
            part = 0.75 if across and down else 1.0
            left = x + across * (part * half_width + 0.5 * width) - 0.5 * width
            top = y + down * (part * half_height + 0.5 * height) - 0.5 * height
            if self.put(kind, text, left, top, size):
                return True
        # Of what fills the picture, the name stands in its middle.
        return self.put(kind, text, x - 0.5 * width, y - 0.5 * height, size)
