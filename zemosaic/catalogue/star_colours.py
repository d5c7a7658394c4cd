"""The bundled colours of stars: Gaia's G magnitudes and BP - RP of the stars brighter than G = 10.

The file is a catalogue of `zemosaic.catalogue.sky_cells` with a header before it and two columns after it, in the same
order of stars.  Layout, little endian:

=========  ==========================================================================
bytes      content
=========  ==========================================================================
16         `MAGIC`
u4 x 2     bytes of the catalogue of places, unused
...        the catalogue of places; its magnitudes are coarse
u2 x n     G magnitude: thousandths above `FAINTEST_OFFSET`
u1 x n     BP - RP: steps of `COLOUR_STEP` above `BLUEST`
=========  ==========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zemosaic.catalogue.sky_cells import CellCatalogue, cell_order, encode
from zemosaic.errors import InputError
from zemosaic.wcs import separation_deg

__all__ = ["ColouredStars", "StarColours", "encode_colours", "load_colours"]

MAGIC = b"ZeMosaic colour1"
FAINTEST_OFFSET = -3.0
MAG_STEP = 0.001
BLUEST, COLOUR_STEP = -0.7, 0.02
_HEADER_BYTES = 24


@dataclass(frozen=True)
class ColouredStars:
    """Stars with their colours, brightest first; all arrays have shape (n,)."""

    ra_deg: NDArray[np.float64]
    """ICRS, epoch 2016."""
    dec_deg: NDArray[np.float64]
    g_mag: NDArray[np.float64]
    """Gaia's G."""
    bp_rp: NDArray[np.float64]
    """Gaia's BP - RP, magnitudes."""

    def __len__(self) -> int:
        return len(self.ra_deg)

    def __getitem__(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> ColouredStars:
        return ColouredStars(self.ra_deg[which], self.dec_deg[which], self.g_mag[which], self.bp_rp[which])


def encode_colours(ra_deg: ArrayLike, dec_deg: ArrayLike, g_mag: ArrayLike, bp_rp: ArrayLike) -> bytes:
    """Return the file's content for stars given in any order.

    Parameters
    ----------
    ra_deg, dec_deg, g_mag, bp_rp : array_like
        Shape (n,), float; ICRS degrees and magnitudes.
    """
    ra, dec, mags, colours = (np.asarray(column, float) for column in (ra_deg, dec_deg, g_mag, bp_rp))
    order = cell_order(ra, dec, mags)
    places = encode(ra, dec, mags)
    fine = np.clip(np.round((mags[order] - FAINTEST_OFFSET) / MAG_STEP), 0, 65535).astype("<u2")
    codes = np.clip(np.round((colours[order] - BLUEST) / COLOUR_STEP), 0, 255).astype("u1")
    header = MAGIC + np.array([len(places), 0], "<u4").tobytes()
    return header + places + fine.tobytes() + codes.tobytes()


@dataclass(frozen=True)
class StarColours:
    """A file in the layout of this module, mapped into memory."""

    places: CellCatalogue
    magnitudes: NDArray[np.uint16]
    colours: NDArray[np.uint8]

    @classmethod
    def open(cls, path: Path, name: str) -> StarColours:
        """Map the file.

        Parameters
        ----------
        path : Path
        name : str
            How the report calls it.

        Raises
        ------
        InputError
            The file is missing, truncated or something else.
        """
        try:
            raw = np.memmap(path, np.uint8, mode="r")
        except (OSError, ValueError) as exc:
            raise InputError("error.catalogue_unreadable", path=str(path), detail=str(exc)) from exc
        if len(raw) < _HEADER_BYTES or raw[:16].tobytes() != MAGIC:
            raise InputError("error.catalogue_unreadable", path=str(path), detail="unknown layout")
        end = _HEADER_BYTES + int(raw[16:20].view("<u4")[0])
        places = CellCatalogue.of_bytes(raw[_HEADER_BYTES:end], path, name)
        count = len(places)
        if len(raw) != end + 3 * count:
            raise InputError("error.catalogue_unreadable", path=str(path), detail="truncated")
        fine = np.frombuffer(raw[end : end + 2 * count].tobytes(), "<u2")
        return cls(places, fine, raw[end + 2 * count :])

    @property
    def name(self) -> str:
        return self.places.name

    def __len__(self) -> int:
        return len(self.places)

    def cone(self, ra_deg: float, dec_deg: float, radius_deg: float) -> ColouredStars:
        """Return the stars within `radius_deg` of a direction, brightest first.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Centre, ICRS degrees.
        radius_deg : float
            Greatest angle from the centre.
        """
        numbers = self.places.numbers_near(ra_deg, dec_deg, radius_deg)
        ra, dec = self.places.directions_near(ra_deg, dec_deg, radius_deg)
        g_mag = FAINTEST_OFFSET + MAG_STEP * self.magnitudes[numbers].astype(float)
        bp_rp = BLUEST + COLOUR_STEP * self.colours[numbers].astype(float)
        inside = np.flatnonzero(separation_deg(ra, dec, ra_deg, dec_deg) <= radius_deg)
        order = inside[np.argsort(g_mag[inside], kind="stable")]
        return ColouredStars(ra, dec, g_mag, bp_rp)[order]


def load_colours() -> StarColours:
    """Return the bundled colours of Gaia's stars.

    Raises
    ------
    InputError
        The data file is missing from the installation or damaged.
    """
    return StarColours.open(Path(str(files("zemosaic") / "data" / "gaia_colours.bin")), "Gaia DR3")
