"""What every star catalogue answers: the stars around a direction, brightest first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from zemosaic.wcs import separation_deg

__all__ = ["Catalogue", "CatalogueStars", "brightest_within", "half_width_deg"]


@dataclass(frozen=True)
class CatalogueStars:
    """Stars of a catalogue, brightest first; all arrays have shape (n,)."""

    ra_deg: NDArray[np.float64]
    """ICRS right ascension in [0, 360)."""
    dec_deg: NDArray[np.float64]
    mag: NDArray[np.float32]
    """In the catalogue's own band."""

    def __len__(self) -> int:
        return len(self.ra_deg)

    def __getitem__(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> CatalogueStars:
        return CatalogueStars(self.ra_deg[which], self.dec_deg[which], self.mag[which])


class Catalogue(Protocol):
    """A star catalogue of the whole sky."""

    @property
    def name(self) -> str:
        """How the log and the report call it."""
        ...

    def cone(self, ra_deg: float, dec_deg: float, radius_deg: float, limit: int | None = None) -> CatalogueStars:
        """Return the stars within `radius_deg` of a direction, brightest first, at most `limit`.

        Parameters
        ----------
        ra_deg, dec_deg : float
            The direction.
        radius_deg : float
        limit : int, optional
            Most stars; all by default.

        Returns
        -------
        CatalogueStars
        """
        ...


def brightest_within(
    stars: CatalogueStars, ra_deg: float, dec_deg: float, radius_deg: float, limit: int | None
) -> CatalogueStars:
    """Return those of `stars` inside the cone, brightest first, at most `limit`.

    Parameters
    ----------
    stars : CatalogueStars
    ra_deg, dec_deg : float
        Centre of the cone.
    radius_deg : float
    limit : int or None
        Most stars; None for all.

    Returns
    -------
    CatalogueStars
    """
    inside = np.flatnonzero(separation_deg(stars.ra_deg, stars.dec_deg, ra_deg, dec_deg) <= radius_deg)
    order = np.argsort(stars.mag[inside], kind="stable")
    return stars[inside[order[:limit]]]


def half_width_deg(dec_deg: float, radius_deg: float) -> float:
    """Return how far the cone reaches from its centre in right ascension; 180 where it holds a pole.

    Parameters
    ----------
    dec_deg : float
        Declination of the centre.
    radius_deg : float

    Returns
    -------
    float
        Degrees.
    """
    if abs(dec_deg) + radius_deg >= 90.0:
        return 180.0
    sine = math.sin(math.radians(radius_deg)) / math.cos(math.radians(dec_deg))
    return math.degrees(math.asin(min(sine, 1.0))) + 1e-9
