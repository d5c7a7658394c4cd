"""Where a frame that is seen large stands on the screen: at its place of the sky where that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.gui.presenter.frames.footprints import Footprints, MapView
from zemosaic.gui.presenter.frames.map_picture import SKY
from zemosaic.model import FrameRef

__all__ = ["Outline", "SkyPlace", "painted"]

_EXCLUDED = (240, 80, 80)
_NEAREST_FROM = 3.0
"""Screen pixels per pixel of a frame from which on pixels are shown as squares."""
_SEEN = 0.3
"""The view stays where it is as long as this part of it, or of the frame, is seen."""
_FITTED = 0.98
"""Part of the window that a fitted frame takes."""
_DEFAULT_SCALE_ARCSEC = 2.0
"""Of a frame without a place of which nothing is known."""


@dataclass(frozen=True)
class Outline:
    """Where a frame is shown on the map."""

    corners: Float64s
    """Map points of the outer corners of its pixels, shape (4, 2), in the order of `FrameWcs.corners`."""
    is_located: bool
    """Whether it lies there on the sky."""
    width_px: int


class SkyPlace:
    """A view of the map of the sky through which frames are looked at, one after another."""

    def __init__(self) -> None:
        self.view = MapView(1, 1)
        self.is_fitted = True
        """Whether the whole frame is shown, with the window's size as it changes."""
        self._footprints: Footprints | None = None
        self._home = (0.0, 0.0)
        """Where frames without a place are shown: at that of the last one which has one."""

    def begin(self, footprints: Footprints) -> None:
        """Take the outlines of the frames."""
        self._footprints, self._home = footprints, (0.0, 0.0)

    def is_located(self, row: int) -> bool:
        """Return whether place and rotation of a frame are known, by solving or by the WCS of its header."""
        return self._footprints is not None and bool(self._footprints.oriented[row])

    def outline(self, row: int, frame: FrameRef) -> Outline:
        """Return where a frame is shown: without a known place as its rows are stored, about that of the last one.

        Parameters
        ----------
        row : int
            Of the frame, among the outlines that `begin` took.
        frame : FrameRef
            That of the row; its size and scale are used where its place is not known.
        """
        assert self._footprints is not None
        if self.is_located(row):
            return Outline(self._footprints.quads[row], True, frame.width)
        scale = (frame.scale_arcsec or _DEFAULT_SCALE_ARCSEC) / 3600.0
        half = np.array((frame.width * scale / 2, frame.height * scale / 2))
        # Rows go down on the screen, the map's y goes up.
        corners = np.array(self._home) + half * np.array([(-1, 1), (1, 1), (1, -1), (-1, -1)], float)
        return Outline(corners, False, frame.width)

    def rows_here(self) -> NDArray[np.intp]:
        """Return the rows of located frames that show the middle of the view."""
        assert self._footprints is not None
        rows = self._footprints.at(self.view.x, self.view.y)
        return rows[self._footprints.oriented[rows]]

    def resize(self, width: int, height: int) -> None:
        """Take the size of the picture on the screen.

        Parameters
        ----------
        width, height : int
            In screen pixels; less than 1 counts as 1.
        """
        self.view = replace(self.view, width=max(width, 1), height=max(height, 1))

    def fit(self, outline: Outline) -> None:
        """Show a whole frame."""
        self.is_fitted = True
        self._take_home(outline)
        low, high = outline.corners.min(axis=0), outline.corners.max(axis=0)
        across, up = np.maximum(high - low, 1e-9)
        x, y = (low + high) / 2
        scale = _FITTED * min(self.view.width / across, self.view.height / up)
        self.view = replace(self.view, x=float(x), y=float(y), scale=float(scale))

    def full_size(self, outline: Outline) -> None:
        """Show one pixel of a frame per screen pixel, about the middle of the view."""
        self.is_fitted = False
        side = float(np.hypot(*(outline.corners[1] - outline.corners[0])))
        self.view = replace(self.view, scale=outline.width_px / max(side, 1e-9))

    def follow(self, outline: Outline) -> None:
        """Stay where the view is, unless too little of a frame is seen there: then go to its place."""
        self._take_home(outline)
        shown = self.view.to_window(outline.corners)
        low, high = shown.min(axis=0), shown.max(axis=0)
        room = np.array((self.view.width, self.view.height), float)
        seen = np.prod(np.clip(np.minimum(high, room) - np.maximum(low, 0.0), 0.0, None))
        if seen >= _SEEN * min(float(np.prod(room)), float(np.prod(high - low))):
            return
        if self.is_fitted:
            self.fit(outline)
        else:
            x, y = outline.corners.mean(axis=0)
            self.view = replace(self.view, x=float(x), y=float(y))

    def zoom(self, factor: float, u: float | None, v: float | None) -> None:
        """Zoom about a screen point; about the middle by default.

        Parameters
        ----------
        factor : float
        u, v : float or None
            Screen pixels, v downwards.
        """
        self.is_fitted = False
        at = (self.view.width / 2, self.view.height / 2) if u is None or v is None else (u, v)
        self.view = self.view.zoomed(factor, *at)

    def pan(self, du: float, dv: float) -> None:
        """Drag the sky by so many screen pixels.

        Parameters
        ----------
        du, dv : float
            Screen pixels, dv downwards.
        """
        self.is_fitted = False
        self.view = self.view.panned(du, dv)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture on the screen."""
        return self.view.height, self.view.width

    def blank(self) -> NDArray[np.uint8]:
        """Return a picture of nothing, shape (height, width, 3)."""
        return np.full((self.view.height, self.view.width, 3), SKY, np.uint8)

    def _take_home(self, outline: Outline) -> None:
        if outline.is_located:
            x, y = outline.corners.mean(axis=0)
            self._home = (float(x), float(y))


def painted(
    levels: Sequence[NDArray[np.uint8]], view: MapView, outline: Outline, is_excluded: bool
) -> NDArray[np.uint8]:
    """Return a frame at its place on the screen, shape (view.height, view.width, 3), RGB.

    Parameters
    ----------
    levels : sequence of ndarray, each of shape (h, w, 3)
        The frame and smaller copies of it.
    view : MapView
    outline : Outline
        Where the frame lies on the map; straight lines of the frame stay straight.
    is_excluded : bool
        Whether a red line goes round it.
    """
    # OpenCV is not needed before a frame is looked at, and takes a while to load.
    import cv2

    corners = view.to_window(outline.corners)
    width = float(np.hypot(*(corners[1] - corners[0])))
    # The smallest copy that still has a pixel for every pixel of the screen.
    level = next((level for level in reversed(levels) if level.shape[1] >= width), levels[0])
    height, across = level.shape[:2]
    pixels = np.array([(-0.5, -0.5), (across - 0.5, -0.5), (across - 0.5, height - 0.5), (-0.5, height - 0.5)])
    matrix = cv2.getPerspectiveTransform(pixels.astype(np.float32), (corners - 0.5).astype(np.float32))
    picture = np.full((view.height, view.width, 3), SKY, np.uint8)
    how = cv2.INTER_NEAREST if width > _NEAREST_FROM * across else cv2.INTER_LINEAR
    cv2.warpPerspective(level, matrix, (view.width, view.height), picture, how, cv2.BORDER_TRANSPARENT)
    if is_excluded:
        points = np.rint(np.clip(corners, -30000, 30000)).astype(np.int32)
        cv2.polylines(picture, [points], True, _EXCLUDED, 2, cv2.LINE_AA)
    return picture
