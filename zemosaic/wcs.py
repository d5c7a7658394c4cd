"""Geometry on the sky: directions, tangent planes and the WCS of one frame.

Pixel coordinates are 0-based with integers at pixel centres; angles are degrees, ICRS.
All functions take scalars or arrays and broadcast.

References
----------
Calabretta & Greisen 2002, A&A 395, 1077 (TAN, ZEA, STG); Shupe et al. 2005, ASP Conf. 347, 491 (SIP).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from zemosaic.arrays import Float64s

__all__ = [
    "SIP_TERMS",
    "Distortion",
    "FrameWcs",
    "Projection",
    "from_tangent_plane",
    "mean_direction",
    "ra_dec",
    "separation_deg",
    "tangent_plane",
    "unit_vectors",
]

Projection = Literal["TAN", "ZEA", "STG"]
"""Onto the plane that touches the sphere: gnomonic, equal areas, true angles (Calabretta & Greisen 2002, 5.1)."""

SIP_TERMS: tuple[tuple[int, int], ...] = ((2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3))
"""Exponents (p, q) of the distortion terms u**p v**q, in the order of the coefficients."""


def unit_vectors(ra_deg: ArrayLike, dec_deg: ArrayLike) -> Float64s:
    """Return unit vectors, shape (..., 3), of directions in degrees.

    Parameters
    ----------
    ra_deg, dec_deg : array_like
        Of shapes that broadcast.

    Returns
    -------
    ndarray, shape (..., 3), float64
    """
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    cos_dec = np.cos(dec)
    return np.stack(np.broadcast_arrays(cos_dec * np.cos(ra), cos_dec * np.sin(ra), np.sin(dec)), axis=-1)


def ra_dec(vectors: ArrayLike) -> tuple[Float64s, Float64s]:
    """Return (ra_deg in [0, 360), dec_deg) of vectors of any length, shape (..., 3)."""
    v = np.asarray(vectors, float)
    ra = np.degrees(np.arctan2(v[..., 1], v[..., 0])) % 360.0
    dec = np.degrees(np.arctan2(v[..., 2], np.hypot(v[..., 0], v[..., 1])))
    return ra, dec


def mean_direction(ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[float, float]:
    """Return the direction of the mean of unit vectors: right across RA 0h and over the pole.

    Parameters
    ----------
    ra_deg, dec_deg : array_like
        At least one direction.

    Returns
    -------
    ra_deg, dec_deg : float
    """
    total = unit_vectors(ra_deg, dec_deg).reshape(-1, 3).mean(axis=0)
    ra, dec = ra_dec(total)
    return float(ra), float(dec)


def separation_deg(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> Float64s:
    """Return the angle between directions in degrees, exact for small and large angles.

    Parameters
    ----------
    ra1, dec1, ra2, dec2 : array_like
        Degrees, of shapes that broadcast.

    Returns
    -------
    ndarray, float64
        0 to 180 degrees.
    """
    a, b = unit_vectors(ra1, dec1), unit_vectors(ra2, dec2)
    cross = np.linalg.norm(np.cross(a, b), axis=-1)
    separation: Float64s = np.degrees(np.arctan2(cross, (a * b).sum(axis=-1)))
    return separation


def tangent_plane(
    ra_deg: ArrayLike, dec_deg: ArrayLike, ra0: float, dec0: float, projection: Projection = "TAN"
) -> tuple[Float64s, Float64s]:
    """Project directions onto the plane that touches the sphere at (ra0, dec0).

    Parameters
    ----------
    ra_deg, dec_deg : array_like
        Of shapes that broadcast.
    ra0, dec0 : float
        Where the plane touches the sphere, in degrees.
    projection : {"TAN", "ZEA", "STG"}
        From the centre of the sphere; with equal areas; or with true angles.

    Returns
    -------
    xi, eta : ndarray
        Degrees, xi to the east and eta to the north; NaN on the far half of the sky ("TAN") or at the point opposite
        to the centre.
    """
    da = np.radians(np.asarray(ra_deg, float) - ra0)
    dec, d0 = np.radians(np.asarray(dec_deg, float)), math.radians(dec0)
    sin_dec, cos_dec = np.sin(dec), np.cos(dec)
    cos_da = np.cos(da)
    depth = math.sin(d0) * sin_dec + math.cos(d0) * cos_dec * cos_da
    if projection == "TAN":
        shrink = np.where(depth > 1e-6, depth, np.nan)
    else:
        half = (1.0 + np.where(depth > -1.0 + 1e-9, depth, np.nan)) / 2.0
        shrink = np.sqrt(half) if projection == "ZEA" else half
    xi = cos_dec * np.sin(da) / shrink
    eta = (math.cos(d0) * sin_dec - math.sin(d0) * cos_dec * cos_da) / shrink
    return np.degrees(xi), np.degrees(eta)


def from_tangent_plane(
    xi_deg: ArrayLike, eta_deg: ArrayLike, ra0: float, dec0: float, projection: Projection = "TAN"
) -> tuple[Float64s, Float64s]:
    """Return (ra_deg, dec_deg) of points of the plane that touches the sphere at (ra0, dec0).

    NaN for points that no direction falls on (beyond the disk of "ZEA").

    Parameters
    ----------
    xi_deg, eta_deg : array_like
        Degrees to the east and to the north.
    ra0, dec0 : float
        Where the plane touches the sphere, in degrees.
    projection : {"TAN", "ZEA", "STG"}
        As for `tangent_plane`.

    Returns
    -------
    ra_deg, dec_deg : ndarray, float64
    """
    xi, eta = np.radians(xi_deg), np.radians(eta_deg)
    d0 = math.radians(dec0)
    depth: Float64s | float = 1.0
    if projection != "TAN":
        quarter = 0.25 * (xi * xi + eta * eta)
        if projection == "ZEA":
            depth, shrink = 1.0 - 2.0 * quarter, np.sqrt(np.where(quarter <= 1.0, 1.0 - quarter, np.nan))
        else:
            depth, shrink = (1.0 - quarter) / (1.0 + quarter), 1.0 / (1.0 + quarter)
        xi, eta = xi * shrink, eta * shrink
    toward = depth * math.cos(d0) - eta * math.sin(d0)
    ra = (ra0 + np.degrees(np.arctan2(xi, toward))) % 360.0
    dec = np.degrees(np.arctan2(depth * math.sin(d0) + eta * math.cos(d0), np.hypot(xi, toward)))
    return ra, dec


@dataclass(frozen=True)
class Distortion:
    """Optical distortion in the SIP convention: undistorted = (u, v) + (A(u, v), B(u, v))."""

    a: tuple[float, ...]
    """Coefficients of `SIP_TERMS` for the first axis, pixels."""
    b: tuple[float, ...]
    """Coefficients of `SIP_TERMS` for the second axis, pixels."""

    def correct(self, u: ArrayLike, v: ArrayLike) -> tuple[Float64s, Float64s]:
        """Return undistorted offsets of detector offsets from the reference pixel.

        Parameters
        ----------
        u, v : array_like
            Columns and rows from the reference pixel, in pixels.

        Returns
        -------
        u, v : ndarray, float64
        """
        u, v = np.asarray(u, float), np.asarray(v, float)
        du, dv = self._terms(u, v)
        return u + du, v + dv

    def distort(self, u: ArrayLike, v: ArrayLike) -> tuple[Float64s, Float64s]:
        """Return detector offsets of undistorted ones (inverse of `correct`, to 1e-6 px).

        Far outside the frame the polynomial means nothing and grows without bound; there its shift is
        held to a part of the distance, lest a far direction seem to lie in the frame.

        Parameters
        ----------
        u, v : array_like
            Columns and rows from the reference pixel, in undistorted pixels.

        Returns
        -------
        u, v : ndarray, float64
        """
        u, v = np.asarray(u, float), np.asarray(v, float)
        most = 0.25 * np.hypot(u, v)
        x, y = u, v
        for _ in range(5):
            dx, dy = self._terms(x, y)
            x, y = u - np.clip(dx, -most, most), v - np.clip(dy, -most, most)
        return x, y

    def _terms(self, u: Float64s, v: Float64s) -> tuple[Float64s, Float64s]:
        uu, uv, vv = u * u, u * v, v * v
        du, dv = (
            (c20 + c30 * u + c21 * v) * uu + (c11 + c12 * v) * uv + (c02 + c03 * v) * vv
            for c20, c11, c02, c30, c21, c12, c03 in (self.a, self.b)
        )
        return du, dv


@dataclass(frozen=True)
class FrameWcs:
    """Where the pixels of one frame lie on the sky: a projection, a linear map and optional distortion."""

    ra_deg: float
    """Right ascension of the reference pixel."""
    dec_deg: float
    """Declination of the reference pixel."""
    x_ref: float
    """Column of the reference pixel, 0-based."""
    y_ref: float
    """Row of the reference pixel, 0-based."""
    cd: tuple[tuple[float, float], tuple[float, float]]
    """Degrees on the tangent plane per undistorted pixel: ((xi_x, xi_y), (eta_x, eta_y))."""
    distortion: Distortion | None = None
    projection: Projection = "TAN"

    def pixel_to_plane(self, x: ArrayLike, y: ArrayLike) -> tuple[Float64s, Float64s]:
        """Return (xi_deg, eta_deg) on this frame's own tangent plane.

        Parameters
        ----------
        x, y : array_like
            Columns and rows, counted from 0 at the centre of the first pixel.

        Returns
        -------
        xi_deg, eta_deg : ndarray, float64
        """
        u, v = np.asarray(x, float) - self.x_ref, np.asarray(y, float) - self.y_ref
        if self.distortion is not None:
            u, v = self.distortion.correct(u, v)
        (a, b), (c, d) = self.cd
        return a * u + b * v, c * u + d * v

    def plane_to_pixel(self, xi_deg: ArrayLike, eta_deg: ArrayLike) -> tuple[Float64s, Float64s]:
        """Return (x, y) of points of this frame's own tangent plane.

        Parameters
        ----------
        xi_deg, eta_deg : array_like
            Degrees to the east and to the north.

        Returns
        -------
        x, y : ndarray, float64
        """
        xi, eta = np.asarray(xi_deg, float), np.asarray(eta_deg, float)
        (a, b), (c, d) = self.cd
        det = a * d - b * c
        u, v = (d * xi - b * eta) / det, (a * eta - c * xi) / det
        if self.distortion is not None:
            u, v = self.distortion.distort(u, v)
        return u + self.x_ref, v + self.y_ref

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Float64s, Float64s]:
        """Return (ra_deg, dec_deg).

        Parameters
        ----------
        x, y : array_like
            Columns and rows, counted from 0 at the centre of the first pixel.

        Returns
        -------
        ra_deg, dec_deg : ndarray, float64
        """
        return from_tangent_plane(*self.pixel_to_plane(x, y), self.ra_deg, self.dec_deg, self.projection)

    def sky_to_pixel(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[Float64s, Float64s]:
        """Return (x, y); NaN for directions on the far half of the sky.

        Parameters
        ----------
        ra_deg, dec_deg : array_like

        Returns
        -------
        x, y : ndarray, float64
        """
        return self.plane_to_pixel(*tangent_plane(ra_deg, dec_deg, self.ra_deg, self.dec_deg, self.projection))

    @property
    def scale_arcsec(self) -> float:
        """Plate scale in arcsec per pixel: the square root of the pixel's area."""
        return 3600.0 * math.sqrt(abs(self._determinant))

    @property
    def mirrored(self) -> bool:
        """Whether the picture is mirrored, rows counted upwards, against the sky as seen."""
        return self._determinant > 0

    @property
    def rotation_deg(self) -> float:
        """Angle of north from the +y axis, towards +x negative, in (-180, 180]."""
        (_, b), (_, d) = self.cd
        return math.degrees(math.atan2(b, d))

    @property
    def _determinant(self) -> float:
        (a, b), (c, d) = self.cd
        return a * d - b * c

    def corners(self, width: int, height: int) -> tuple[Float64s, Float64s]:
        """Return (ra_deg, dec_deg), shape (4,), of the outer corners of a frame's pixels.

        Parameters
        ----------
        width, height : int
            Of the frame, in pixels.
        """
        x = np.array([-0.5, width - 0.5, width - 0.5, -0.5])
        y = np.array([-0.5, -0.5, height - 0.5, height - 0.5])
        return self.pixel_to_sky(x, y)

    def shifted(self, dx: float, dy: float) -> FrameWcs:
        """Return the WCS of the same sky when (dx, dy) pixels are cut at the left and bottom.

        Parameters
        ----------
        dx, dy : float
            Columns at the left and rows at the bottom (the first ones) that are cut.
        """
        return replace(self, x_ref=self.x_ref - dx, y_ref=self.y_ref - dy)

    def to_cards(self) -> dict[str, Any]:
        """Return FITS header cards (1-based CRPIX, CD matrix, SIP where distorted)."""
        sip = "-SIP" if self.distortion is not None else ""
        cards: dict[str, Any] = {
            "CTYPE1": f"RA---{self.projection}{sip}",
            "CTYPE2": f"DEC--{self.projection}{sip}",
            "CUNIT1": "deg",
            "CUNIT2": "deg",
            "CRVAL1": self.ra_deg,
            "CRVAL2": self.dec_deg,
            "CRPIX1": self.x_ref + 1.0,
            "CRPIX2": self.y_ref + 1.0,
            "CD1_1": self.cd[0][0],
            "CD1_2": self.cd[0][1],
            "CD2_1": self.cd[1][0],
            "CD2_2": self.cd[1][1],
            "RADESYS": "ICRS",
            # Without it, a map centred on the very pole is turned by half a circle.
            "LONPOLE": 180.0,
        }
        if self.distortion is not None:
            cards["A_ORDER"] = cards["B_ORDER"] = 3
            for (p, q), a, b in zip(SIP_TERMS, self.distortion.a, self.distortion.b, strict=True):
                cards[f"A_{p}_{q}"], cards[f"B_{p}_{q}"] = a, b
        return cards
