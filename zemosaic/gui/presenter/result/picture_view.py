"""Where a picture lies in its window: fit, zoom about a point, pan."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Viewport"]

_MAX_ZOOM = 8.0
"""Window pixels per picture pixel."""


@dataclass(frozen=True)
class Viewport:
    """A window of some size looking at a picture; (x, y) are picture pixels, (u, v) window pixels."""

    picture_width: int
    picture_height: int
    width: int
    """Of the window."""
    height: int
    scale: float = 0.0
    """Window pixels per picture pixel."""
    centre_x: float = 0.0
    """Picture pixel in the middle of the window."""
    centre_y: float = 0.0

    @property
    def fit_scale(self) -> float:
        """The scale at which the whole picture is seen; never above 1."""
        scales = (self.width / max(self.picture_width, 1), self.height / max(self.picture_height, 1), 1.0)
        return max(min(scales), 1e-6)

    @property
    def fitted(self) -> bool:
        """Whether the whole picture is seen."""
        return self.scale <= self.fit_scale * (1 + 1e-9)

    def fit(self) -> Viewport:
        """Return the view of the whole picture."""
        return replace(self, scale=self.fit_scale, centre_x=self.picture_width / 2, centre_y=self.picture_height / 2)

    def of_picture(self, picture_width: int, picture_height: int) -> Viewport:
        """Return the view of another picture: the same part of it, or all of it where all was seen.

        Parameters
        ----------
        picture_width, picture_height : int
            In pixels.
        """
        resized = replace(self, picture_width=picture_width, picture_height=picture_height)
        if self.fitted or self.scale <= 0 or self.picture_width <= 1:
            return resized.fit()
        grown = picture_width / self.picture_width
        same_part = replace(
            resized, scale=self.scale / grown, centre_x=self.centre_x * grown, centre_y=self.centre_y * grown
        )
        return same_part._kept_inside() if same_part.scale > same_part.fit_scale else resized.fit()

    def resized(self, width: int, height: int) -> Viewport:
        """Return the view after its window changed; a fitted picture stays fitted.

        Parameters
        ----------
        width, height : int
            Of the window, in pixels.
        """
        view = replace(self, width=max(width, 1), height=max(height, 1))
        return view.fit() if self.fitted or view.fitted else view._kept_inside()

    def zoomed(self, factor: float, u: float, v: float) -> Viewport:
        """Return the view zoomed so that the picture under a window point stays there, as far as borders allow.

        Parameters
        ----------
        factor : float
            How much larger the picture becomes.
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        x, y = self.to_picture(u, v)
        scale = min(max(self.scale * factor, self.fit_scale), max(_MAX_ZOOM, self.fit_scale))
        centre_x = x - (u - self.width / 2) / scale
        centre_y = y - (v - self.height / 2) / scale
        return replace(self, scale=scale, centre_x=centre_x, centre_y=centre_y)._kept_inside()

    def panned(self, du: float, dv: float) -> Viewport:
        """Return the view after the picture was dragged by so many window pixels.

        Parameters
        ----------
        du, dv : float
            In window pixels.
        """
        moved = replace(self, centre_x=self.centre_x - du / self.scale, centre_y=self.centre_y - dv / self.scale)
        return moved._kept_inside()

    def to_picture(self, u: float, v: float) -> tuple[float, float]:
        """Return the picture point (x, y) under a window point.

        Parameters
        ----------
        u, v : float
            Place in the window, in pixels from its top left corner.
        """
        return (
            self.centre_x + (u - self.width / 2) / self.scale,
            self.centre_y + (v - self.height / 2) / self.scale,
        )

    def to_window(self, x: float, y: float) -> tuple[float, float]:
        """Return the window point (u, v) of a picture point.

        Parameters
        ----------
        x, y : float
            Place in the picture, in pixels from its top left corner.
        """
        return (x - self.centre_x) * self.scale + self.width / 2, (y - self.centre_y) * self.scale + self.height / 2

    def box(self) -> tuple[float, float, float, float]:
        """Return the part of the picture that is seen: (left, top, right, bottom) in picture pixels."""
        left, top = self.to_picture(0, 0)
        right, bottom = self.to_picture(self.width, self.height)
        return (
            max(left, 0.0),
            max(top, 0.0),
            min(right, float(self.picture_width)),
            min(bottom, float(self.picture_height)),
        )

    def size_on_screen(self) -> tuple[int, int]:
        """Return width and height, in window pixels, that the seen part takes."""
        left, top, right, bottom = self.box()
        return max(round((right - left) * self.scale), 1), max(round((bottom - top) * self.scale), 1)

    def _kept_inside(self) -> Viewport:
        """Return the view moved so that no border is shown that need not be."""
        return replace(
            self,
            centre_x=_kept(self.centre_x, self.width / self.scale / 2, self.picture_width),
            centre_y=_kept(self.centre_y, self.height / self.scale / 2, self.picture_height),
        )


def _kept(centre: float, half: float, length: int) -> float:
    return length / 2 if 2 * half >= length else min(max(centre, half), length - half)
