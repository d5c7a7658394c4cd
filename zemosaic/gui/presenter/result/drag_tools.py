"""What the pointer can drag on the result's picture besides the picture itself: a part to cut out, a line to wipe."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.gui.presenter.result.picture_view import Viewport

__all__ = ["CropTool", "WipeTool"]

GRAB_PX = 10
"""So near to the line it is grabbed."""
MIN_CROP_PX = 4
"""Smaller rectangles, in pixels of the mosaic, are taken for a click that was not meant."""
_SHADE = 0.45


class WipeTool:
    """Moves the line between two mosaics.

    Parameters
    ----------
    split : callable
        Returns where the line stands, 0 to 1 across the picture on the screen; None where there is none.
    moved : callable
        Takes the new place.
    """

    def __init__(self, split: Callable[[], float | None], moved: Callable[[float], None]) -> None:
        self._split, self._moved = split, moved

    def grab(self, u: float, v: float, view: Viewport) -> bool:
        """Return whether a window point lies on the line.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """
        split, (first, width) = self._split(), _across(view)
        return split is not None and abs(first + split * width - u) <= GRAB_PX

    def drag(self, u: float, v: float, view: Viewport) -> None:
        """Put the line under the pointer.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """
        first, width = _across(view)
        self._moved(min(max((u - first) / width, 0.0), 1.0))

    def drop(self, u: float, v: float, view: Viewport) -> None:
        """Leave the line where it is.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """
        self.drag(u, v, view)


class CropTool:
    """Lets a rectangle be drawn.

    Parameters
    ----------
    chosen : callable
        Takes the rectangle once it is drawn: (y0, y1, x0, x1) in the mosaic's pixels, rows from the bottom; None where
        nothing was drawn.
    """

    def __init__(self, chosen: Callable[[Box | None], None]) -> None:
        self._chosen = chosen
        self._corners: tuple[float, float, float, float] | None = None
        """Of the rectangle, (x, y, x, y) in picture places."""

    def grab(self, u: float, v: float, view: Viewport) -> bool:
        """Begin a rectangle, wherever the press is.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """
        x, y = view.to_picture(u, v)
        self._corners = (x, y, x, y)
        return True

    def drag(self, u: float, v: float, view: Viewport) -> None:
        """Draw the rectangle up to the pointer.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """
        if self._corners is not None:
            self._corners = (*self._corners[:2], *view.to_picture(u, v))

    def drop(self, u: float, v: float, view: Viewport) -> None:
        """Take the rectangle.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """
        self.drag(u, v, view)
        self._chosen(self.box(view))

    def box(self, view: Viewport) -> Box | None:
        """Return the rectangle in whole pixels of the mosaic, cut at its borders; None where it is too small."""
        if self._corners is None:
            return None
        x0, y0, x1, y1 = self._corners
        left, right = (round(min(max(x, 0.0), view.picture_width)) for x in sorted((x0, x1)))
        top, bottom = (round(min(max(y, 0.0), view.picture_height)) for y in sorted((y0, y1)))
        if min(right - left, bottom - top) < MIN_CROP_PX:
            return None
        return view.picture_height - bottom, view.picture_height - top, left, right

    def drawn(self, seen: NDArray[np.uint8], view: Viewport) -> NDArray[np.uint8]:
        """Return what a view shows with all but the rectangle in the shade.

        Parameters
        ----------
        seen : ndarray, shape (h, w, 3), uint8
            What the view shows.
        view : Viewport
        """
        box = self.box(view)
        if box is None:
            return seen
        left, top, _, _ = view.box()
        rows = [round((view.picture_height - y - top) * view.scale) for y in (box[1], box[0])]
        columns = [round((x - left) * view.scale) for x in box[2:]]
        part = np.s_[max(rows[0], 0) : max(rows[1], 0), max(columns[0], 0) : max(columns[1], 0)]
        shown: NDArray[np.uint8] = np.rint(_SHADE * seen).astype(np.uint8)
        shown[part] = seen[part]
        return shown


def _across(view: Viewport) -> tuple[float, int]:
    """Return where the picture begins in the window, and its width there."""
    width = view.size_on_screen()[0]
    return (view.width - width) / 2, width
