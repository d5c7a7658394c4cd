"""The dark ground of Tk's pictures, maps and plots: drawn when Tk has time, in the colours of the look."""

from __future__ import annotations

import tkinter as tk
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.tk.theme import Theme

__all__ = ["SkyCanvas"]

_EMPTY_INK = "#aab2c0"


class SkyCanvas(tk.Canvas):
    """A canvas whose `draw` is called once for any number of requests.

    Parameters
    ----------
    parent : tkinter widget
    theme : Theme
    **options
        Of the canvas.
    """

    def __init__(self, parent: tk.Misc, theme: Theme, **options: Any) -> None:
        tk.Canvas.__init__(
            self, parent, highlightthickness=1, borderwidth=0, takefocus=True, cursor="crosshair", **options
        )
        self._theme = theme
        self._drawing: str | None = None
        self._shown: list[tk.PhotoImage] = []
        """What is on the canvas: Tk shows no picture of which Python holds no name."""
        self.bind("<Destroy>", lambda _: self._forget_drawing())
        # Another widget may stand in its place while the look changes.
        for event in ("<<ThemeChanged>>", "<Map>"):
            self.bind(event, lambda _: self.recolour())

    def draw(self) -> None:
        """Draw everything on the canvas, which is empty."""
        raise NotImplementedError

    def redraw(self) -> None:
        """Draw soon, once for any number of requests."""
        if self._drawing is None:
            self._drawing = self.after_idle(self._draw_now)

    def recolour(self) -> None:
        """Take the colours of the look."""
        look = self._theme.palette
        self.configure(background=look.sky, highlightbackground=look.border, highlightcolor=look.accent)
        self.redraw()

    def put_picture(self, picture: NDArray[np.uint8], x: int = 0, y: int = 0, anchor: Any = "nw") -> None:
        """Show a picture.

        Parameters
        ----------
        picture : ndarray, shape (h, w, 3), uint8
        x, y : int
            Where its `anchor` lies.
        anchor : str
            As Tk names corners and the centre.
        """
        height, width = picture.shape[:2]
        # PPM is the one format Tk reads without decompressing anything.
        data = b"P6 %d %d 255\n" % (width, height) + picture.tobytes()
        self._shown.append(tk.PhotoImage(master=self, data=data, format="PPM"))
        self.create_image(x, y, image=self._shown[-1], anchor=anchor)

    def put_empty_text(self, text: str) -> None:
        """Say in the middle why there is nothing to see."""
        width, height = self.winfo_width(), self.winfo_height()
        self.create_text(
            width // 2, height // 2, text=text, fill=_EMPTY_INK, justify="center", width=max(width - 60, 60)
        )

    def _draw_now(self) -> None:
        self._drawing = None
        self.delete("all")
        self._shown.clear()
        self.draw()

    def _forget_drawing(self) -> None:
        if self._drawing is not None:
            self.after_cancel(self._drawing)
            self._drawing = None
