"""From directions on the sky to places of a picture of the mosaic."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from zemosaic.arrays import Float64s
from zemosaic.wcs import FrameWcs, from_tangent_plane, separation_deg

__all__ = ["PictureWcs"]


@dataclass(frozen=True)
class PictureWcs:
    """Where the pixels of a picture lie on the sky; its rows are counted from the top."""

    mosaic: FrameWcs
    """Of the mosaic's pixels, rows from the bottom."""
    mosaic_height: float
    """Rows of the mosaic from its bottom up to the top of the picture."""
    step: float
    """Pixels of the mosaic along one of the picture."""
    width: int
    """Of the picture, in pixels."""
    height: int

    def place(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[Float64s, Float64s]:
        """Return the places (x, y) of directions; NaN on the far half of the sky.

        Parameters
        ----------
        ra_deg, dec_deg : array_like
        """
        x, y = self.mosaic.sky_to_pixel(ra_deg, dec_deg)
        return (x + 0.5) / self.step, (self.mosaic_height - 0.5 - y) / self.step

    def direction(self, x: ArrayLike, y: ArrayLike) -> tuple[Float64s, Float64s]:
        """Return (ra_deg, dec_deg) of places.

        Parameters
        ----------
        x, y : array_like
            Places in pixels of the picture, from its top left corner.
        """
        column = np.asarray(x, float) * self.step - 0.5
        row = self.mosaic_height - 0.5 - np.asarray(y, float) * self.step
        return self.mosaic.pixel_to_sky(column, row)

    @property
    def centre(self) -> tuple[float, float]:
        """Direction of the middle of the picture."""
        ra, dec = self.direction(self.width / 2, self.height / 2)
        return float(ra), float(dec)

    @property
    def radius_deg(self) -> float:
        """Angle from the middle to the farthest corner."""
        x, y = np.array([0, self.width, self.width, 0]), np.array([0, 0, self.height, self.height])
        return float(np.nanmax(separation_deg(*self.direction(x, y), *self.centre), initial=0.0)) or 90.0

    @property
    def degrees_per_pixel(self) -> float:
        """Scale of the picture."""
        return self.mosaic.scale_arcsec * self.step / 3600.0

    def picture_wcs(self) -> FrameWcs:
        """Return the WCS of the picture's own pixels, rows from the bottom, 0-based."""
        (a, b), (c, d) = self.mosaic.cd
        step = self.step
        x_ref = (self.mosaic.x_ref + 0.5) / step - 0.5
        y_ref = self.height - (self.mosaic_height - 0.5 - self.mosaic.y_ref) / step - 0.5
        cd = ((a * step, b * step), (c * step, d * step))
        return FrameWcs(self.mosaic.ra_deg, self.mosaic.dec_deg, x_ref, y_ref, cd, projection=self.mosaic.projection)

    def outline(
        self, ra_deg: float, dec_deg: float, major_deg: float, minor_deg: float, angle_deg: float, points: int = 72
    ) -> tuple[Float64s, Float64s]:
        """Return places along an ellipse on the sky.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Its centre.
        major_deg, minor_deg : float
            Its axes, full length.
        angle_deg : float
            Of the major axis, from north to east.
        points : int
            How many places.
        """
        turn = np.linspace(0.0, 2.0 * math.pi, points, endpoint=False)
        along, across = 0.5 * major_deg * np.cos(turn), 0.5 * minor_deg * np.sin(turn)
        sine, cosine = math.sin(math.radians(angle_deg)), math.cos(math.radians(angle_deg))
        east, north = along * sine + across * cosine, along * cosine - across * sine
        return self.place(*from_tangent_plane(east, north, ra_deg, dec_deg))
