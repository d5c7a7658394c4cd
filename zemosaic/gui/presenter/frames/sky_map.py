"""The map of the sky as the user handles it: zoom, pan, click, rectangle; no toolkit needed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.frames.footprints import MapView
from zemosaic.gui.presenter.frames.frame_table import FrameTable
from zemosaic.gui.presenter.frames.frames_presenter import FramesPresenter
from zemosaic.gui.presenter.frames.map_picture import Legend, MapPainter, legend
from zemosaic.gui.presenter.frames.region_outline import region_outline, region_text
from zemosaic.i18n import Translator

__all__ = ["SkyMap"]

_STEP = 1.25
"""Zoom of one turn of the wheel or one press of a key."""
_CLICK_PX = 4
"""The pointer may move so far in a click."""


class SkyMap:
    """What the map shows and what the pointer does with it."""

    def __init__(self, desk: FramesPresenter) -> None:
        self.view = MapView(1, 1)
        self.rectangle: tuple[float, float, float, float] | None = None
        """(u0, v0, u1, v1) of the rectangle that is being drawn."""
        self._desk = desk
        self._painter = MapPainter()
        self._colouring = "night"
        self._metric = "fwhm"
        self._region = ""
        self.marking_region = False
        """Whether the next rectangle is the part of the sky that is made."""
        self._fitted = True
        self._seen_version = -1
        self._begun: tuple[float, float] | None = None
        self._last = (0.0, 0.0)
        self._moved = False
        self._painted: tuple[object, NDArray[np.uint8]] | None = None

    @property
    def table(self) -> FrameTable | None:
        """The frames on the map."""
        return self._desk.table

    @property
    def colouring(self) -> str:
        """What the colours mean."""
        return self._colouring

    @property
    def metric(self) -> str:
        """What the colouring by quality shows."""
        return self._metric

    def colour_by(self, colouring: str, metric: str | None = None) -> None:
        """Choose what the colours mean; `metric` is what the colouring by quality shows.

        Parameters
        ----------
        colouring : str
            One of `COLOURINGS`.
        metric : str, optional
        """
        self._colouring = colouring
        self._metric = metric or self._metric

    def show_region(self, text: str) -> None:
        """Show the part of the sky that the setting names."""
        self._region = text

    def resize(self, width: int, height: int) -> None:
        """Tell the size of the window; a fitted map stays fitted.

        Parameters
        ----------
        width, height : int
            In window pixels; less than 1 counts as 1.
        """
        self.view = replace(self.view, width=max(width, 1), height=max(height, 1))
        if self._fitted:
            self.fit()

    def fit(self) -> None:
        """Show all frames."""
        self._fitted = True
        if self.table is not None:
            self.view = self.view.fitted(self.table.footprints.bounds())

    def zoom(self, turns: int, u: float | None = None, v: float | None = None) -> None:
        """Zoom about a window point; about the middle by default.

        Parameters
        ----------
        turns : int
            Steps inwards; outwards where negative.
        u, v : float, optional
            Window pixels from the top left corner, v downwards.
        """
        at = (self.view.width / 2, self.view.height / 2) if u is None or v is None else (u, v)
        self._fitted = False
        self.view = self.view.zoomed(_STEP**turns, *at)

    def pan(self, du: float, dv: float) -> None:
        """Drag the map by so many window pixels.

        Parameters
        ----------
        du, dv : float
            Window pixels, dv downwards.
        """
        self._fitted = False
        self.view = self.view.panned(du, dv)

    def press(self, u: float, v: float, selecting: bool) -> None:
        """Begin to drag the map, or a rectangle where `selecting`.

        Parameters
        ----------
        u, v : float
            Window pixels from the top left corner, v downwards.
        selecting : bool
            While a region is marked a rectangle begins in any case.
        """
        self._begun, self._last, self._moved = (u, v), (u, v), False
        self.rectangle = (u, v, u, v) if selecting or self.marking_region else None

    def drag(self, u: float, v: float) -> None:
        """Go on dragging.

        Parameters
        ----------
        u, v : float
            Window pixels from the top left corner, v downwards.
        """
        if self._begun is None:
            return
        self._moved = self._moved or max(abs(u - self._begun[0]), abs(v - self._begun[1])) > _CLICK_PX
        if self.rectangle is not None:
            self.rectangle = (*self._begun, u, v)
        elif self._moved:
            self.pan(u - self._last[0], v - self._last[1])
        self._last = (u, v)

    def release(self, u: float, v: float, add: bool) -> str | None:
        """End dragging: select what the rectangle holds, or what lies under a click.

        Parameters
        ----------
        u, v : float
            Window pixels from the top left corner, v downwards.
        add : bool
            Whether what was selected stays selected.

        Returns
        -------
        str or None
            The region that was marked, as the setting spells it; None where none was to be.
        """
        rectangle, self.rectangle = self.rectangle, None
        begun, self._begun = self._begun, None
        marking, self.marking_region = self.marking_region, False
        if self.table is None or begun is None:
            return None
        if marking and rectangle is not None:
            corners = (*self.view.to_map(*rectangle[:2]), *self.view.to_map(*rectangle[2:]))
            return region_text(self.table.footprints, *corners) if self._moved else None
        if rectangle is not None and self._moved:
            corners = (*self.view.to_map(*rectangle[:2]), *self.view.to_map(*rectangle[2:]))
            self.table.select(self.table.footprints.inside(*corners), add)
        elif not self._moved:
            self.table.select(self.table.footprints.at(*self.view.to_map(u, v))[:1], add)
        return None

    def picture(self) -> NDArray[np.uint8] | None:
        """Return the map, shape (height, width, 3), RGB; None where there are no frames."""
        table = self.table
        if table is None:
            return None
        if self._seen_version != self._desk.version:
            self._seen_version = self._desk.version
            self.fit()
        key = (self._desk.version, table.version, self.view, self._colouring, self._metric, self._region)
        if self._painted is None or self._painted[0] != key:
            region = region_outline(table.footprints, self._region) if self._region else None
            self._painted = (key, self._painter.paint(table, self.view, self._colouring, self._metric, region))
        return self._painted[1]

    def legend(self, words: Translator) -> list[Legend]:
        """Return what the colours mean."""
        table = self.table
        if table is None:
            return []
        most = self._painter.most(table) if self._colouring == "coverage" else 0
        return legend(table, self._colouring, most, words, self._metric)
