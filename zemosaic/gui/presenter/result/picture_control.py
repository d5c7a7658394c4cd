"""What a picture in a window can do, whatever draws it: zoom, pan, fit, be pointed at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.result.picture_view import Viewport

__all__ = ["DragTool", "PictureControl", "Source"]


class DragTool(Protocol):
    """What takes the drags of the pointer instead of the picture, which else is moved by them."""

    def grab(self, u: float, v: float, view: Viewport) -> bool:
        """Return whether a press at a window point begins a drag of this tool.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """

    def drag(self, u: float, v: float, view: Viewport) -> None:
        """Follow the pointer to a window point.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """

    def drop(self, u: float, v: float, view: Viewport) -> None:
        """End the drag at a window point.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        view : Viewport
        """


Source = Callable[[Viewport], NDArray[np.uint8] | None]
"""Makes the picture of a view, (h, w, 3), as large as on the screen; None while it cannot."""

ZOOM_STEP = 1.25
"""Zoom of one turn of the wheel or one press of a key."""
PAN_PX = 60
"""Window pixels that an arrow key moves the picture."""


class PictureControl:
    """A picture's place in its window, and what happens to it; a widget of a toolkit inherits it and draws.

    The widget gives `redraw`, and calls `take_window` when its size changes.
    """

    def __init__(self, empty: Callable[[], str]) -> None:
        self.empty_text = empty
        self.source: Source | None = None
        self.has_pixels = False
        """Whether there is a preview to draw where no source is."""
        self.hovered: Callable[[float, float], None] = lambda x, y: None
        """Called with the picture point under the pointer."""
        self.clicked: Callable[[float, float], None] | None = None
        """Called with the picture point that was clicked, or that lies in the middle when Return is pressed."""
        self.mark: tuple[float, float] | None = None
        """A picture point that a cross shows."""
        self.view = Viewport(1, 1, 1, 1)
        self.tool: DragTool | None = None
        """What is offered each drag first."""
        self._dragging: DragTool | None = None

    def redraw(self) -> None:
        """Draw the picture soon."""
        raise NotImplementedError

    def show_size(self, size: tuple[int, int] | None) -> None:
        """Show a preview of some width and height instead of a source; one of the same size keeps its place."""
        self.source, self.has_pixels = None, size is not None
        if size is not None:
            self._take_size(*size)
        self.redraw()

    def look_through(self, source: Source, size: tuple[int, int]) -> None:
        """Show what a source makes of a view, for a picture of some width and height; the same part stays in sight.

        Parameters
        ----------
        source : Source
        size : (int, int)
            Width and height of the whole picture.
        """
        self.source = source
        self._take_size(*size)
        self.redraw()

    def take_window(self, width: int, height: int) -> None:
        """Take the size of the widget; a fitted picture stays fitted.

        Parameters
        ----------
        width, height : int
            In pixels.
        """
        self.view = self.view.resized(width, height)

    def seen(self) -> NDArray[np.uint8] | None:
        """Return what the source makes of the view, shape (h, w, 3), uint8; None where it makes nothing."""
        return None if self.source is None else self.source(self.view)

    def zoom(self, turns: int) -> None:
        """Zoom about the middle."""
        self.zoom_at(ZOOM_STEP**turns, *self._middle)

    def fit(self) -> None:
        """Show the whole picture."""
        self.view = self.view.fit()
        self.redraw()

    def full_size(self) -> None:
        """Show one picture pixel per screen pixel."""
        self.zoom_at(1.0 / max(self.view.scale, 1e-9), *self._middle)

    def toggle(self, u: float, v: float) -> None:
        """Change between the whole picture and full size at a window point.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        if self.view.fitted:
            self.zoom_at(1.0 / max(self.view.scale, 1e-9), u, v)
        else:
            self.fit()

    def zoom_at(self, factor: float, u: float, v: float) -> None:
        """Zoom about a window point.

        Parameters
        ----------
        factor : float
            How much larger the picture becomes.
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        if self._is_shown:
            self.view = self.view.zoomed(factor, u, v)
            self.redraw()

    def turn_at(self, turns: float, u: float, v: float) -> None:
        """Zoom about a window point by a turn of the wheel, in when positive.

        Parameters
        ----------
        turns : float
            Positive to zoom in.
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        self.zoom_at(ZOOM_STEP if turns > 0 else 1 / ZOOM_STEP, u, v)

    def pan(self, du: float, dv: float) -> None:
        """Move the picture by some window pixels.

        Parameters
        ----------
        du, dv : float
            How far it moves, in window pixels.
        """
        if self._is_shown:
            self.view = self.view.panned(du, dv)
            self.redraw()

    def press_at(self, u: float, v: float) -> bool:
        """Offer a press at a window point to the tool; returns whether it took it.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        takes = self.tool is not None and self._is_shown and self.tool.grab(u, v, self.view)
        self._dragging = self.tool if takes else None
        return takes

    def drag_to(self, u: float, v: float) -> bool:
        """Let the tool that took the press follow the pointer; returns whether there is one.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        if self._dragging is None:
            return False
        self._dragging.drag(u, v, self.view)
        self.redraw()
        return True

    def release_at(self, u: float, v: float) -> bool:
        """Let the tool end its drag; returns whether there was one.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        tool, self._dragging = self._dragging, None
        if tool is None:
            return False
        tool.drop(u, v, self.view)
        self.redraw()
        return True

    def hover_at(self, u: float, v: float) -> None:
        """Tell the picture point under a window point.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        if self._is_shown:
            self.hovered(*self.view.to_picture(u, v))

    def click_at(self, u: float, v: float) -> None:
        """Take a window point as clicked.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        if self.clicked is not None and self._is_shown:
            self.clicked(*self.view.to_picture(u, v))

    def click_middle(self) -> None:
        """Take the middle as clicked."""
        self.click_at(*self._middle)

    def mark_lines(self, near: float, far: float) -> list[tuple[float, float, float, float]]:
        """Return the lines (u, v, u, v) of the cross, which begin and end so far from its middle; none unmarked.

        Parameters
        ----------
        near, far : float
            Distances from the middle, in window pixels.
        """
        if self.mark is None:
            return []
        u, v = self.view.to_window(*self.mark)
        ways = ((1, 0), (-1, 0), (0, 1), (0, -1))
        return [(u + near * du, v + near * dv, u + far * du, v + far * dv) for du, dv in ways]

    def buttons(self) -> dict[str, Callable[[], None]]:
        """Return what the buttons beside a picture do, by the key of their text."""
        return {
            "result.fit": self.fit,
            "result.full_size": self.full_size,
            "result.zoom_in": lambda: self.zoom(1),
            "result.zoom_out": lambda: self.zoom(-1),
        }

    @property
    def _is_shown(self) -> bool:
        return self.has_pixels or self.source is not None

    @property
    def _middle(self) -> tuple[float, float]:
        return self.view.width / 2, self.view.height / 2

    def _take_size(self, width: int, height: int) -> None:
        if (width, height) != (self.view.picture_width, self.view.picture_height):
            self.view = self.view.of_picture(width, height)
