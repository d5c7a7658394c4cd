"""Which bands a colour picture is made of, and which band a filter lets through."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from zemosaic.frames.filters import filter_key

__all__ = [
    "BANDS",
    "PALETTE_NAMES",
    "Band",
    "Palette",
    "band_of_filter",
    "is_dual_band",
    "missing_bands",
    "palette_named",
]

Band = Literal["L", "R", "G", "B", "Ha", "OIII", "SII"]
BANDS: tuple[Band, ...] = get_args(Band)

_BAND_OF_KEY: dict[str, Band] = {"l": "L", "r": "R", "g": "G", "b": "B", "ha": "Ha", "oiii": "OIII", "sii": "SII"}
_DUAL_BAND = frozenset(
    (
        *("lp", "dualband", "duoband", "duonarrowband", "dualnarrowband", "haoiii", "hao3", "halphaoiii"),
        *("lextreme", "lultimate", "lenhance", "optolonglextreme", "optolonglultimate", "optolonglenhance"),
        *("alpt", "antliaalpt", "nbz", "idasnbz", "svbonysv220", "sv220"),
    )
)
"""Filters that pass H alpha and OIII only, letters and digits; LP is the name that Seestar telescopes write."""
_WIDTH = re.compile(r"\d+(?:[.,]\d+)?\s*nm\b", re.IGNORECASE)
"""Of a filter's pass band, as names tell it."""


@dataclass(frozen=True)
class Palette:
    """A colour picture: the bands of its planes, each with its share of the plane."""

    name: str
    planes: tuple[tuple[tuple[Band, float], ...], ...]
    """Of red, green and blue: bands and their shares, which sum to 1."""
    luminance: Band | None = None
    """The band that gives the picture's brightness, where that is not the mean of the planes."""

    @property
    def bands(self) -> tuple[Band, ...]:
        """All bands that it needs, each once, in the order of `BANDS`."""
        needed = {band for plane in self.planes for band, _ in plane} | ({self.luminance} - {None})
        return tuple(band for band in BANDS if band in needed)

    @property
    def is_broad_band(self) -> bool:
        """Whether its planes hold the continuum, so that stars of known colour tell what is white."""
        return self.name in ("rgb", "lrgb")


_RGB: tuple[tuple[tuple[Band, float], ...], ...] = ((("R", 1.0),), (("G", 1.0),), (("B", 1.0),))
_PALETTES = {
    palette.name: palette
    for palette in (
        Palette("rgb", _RGB),
        Palette("lrgb", _RGB, "L"),
        Palette("hoo", ((("Ha", 1.0),), (("OIII", 1.0),), (("OIII", 1.0),))),
        Palette("sho", ((("SII", 1.0),), (("Ha", 1.0),), (("OIII", 1.0),))),
        # Of two lines only: green lies between them, so that no third line is made up.
        Palette("pseudo_sho", ((("Ha", 1.0),), (("Ha", 0.5), ("OIII", 0.5)), (("OIII", 1.0),))),
    )
}


PALETTE_NAMES = tuple(_PALETTES)


def palette_named(name: str) -> Palette:
    """Return the palette of a setting's value; KeyError of a name that is none.

    Parameters
    ----------
    name : {"rgb", "lrgb", "hoo", "sho", "pseudo_sho"}
    """
    return _PALETTES[name]


def band_of_filter(name: str) -> Band | None:
    """Return the band that a filter is named after; None where its name is that of no single band.

    Widths do not count, nor do the makers' names before the band: ``Ha 7nm``, ``Baader R``.
    """
    plain = _WIDTH.sub(" ", name)
    if is_dual_band(plain):
        return None
    whole = _BAND_OF_KEY.get(filter_key(plain))
    named = {band for word in re.split(r"[\s_]+", plain) if (band := _BAND_OF_KEY.get(filter_key(word)))}
    return whole or (named.pop() if len(named) == 1 else None)


def is_dual_band(name: str) -> bool:
    """Return whether a filter is known to pass H alpha and OIII and nothing else."""
    return filter_key(name) in _DUAL_BAND


def missing_bands(palette: Palette, there: Iterable[Band]) -> tuple[Band, ...]:
    """Return the bands that a palette needs and that are not there, in the order of `BANDS`.

    Parameters
    ----------
    palette : Palette
    there : iterable of Band
    """
    have = set(there)
    return tuple(band for band in palette.bands if band not in have)
