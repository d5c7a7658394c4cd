"""Header cards that tell white, zero point and depth of a mosaic."""

from __future__ import annotations

from zemosaic.export.cards import Card
from zemosaic.stars.zero_point import MosaicDepth, ZeroPoint
from zemosaic.store.colour_gains import ColourGains
from zemosaic.store.mosaic_file import GAIN_CARDS

__all__ = ["star_cards"]


def star_cards(
    colour: ColourGains | None, applied: bool, zero: ZeroPoint | None, depth: MosaicDepth | None
) -> list[Card]:
    """Return the cards of what the stars of a mosaic told.

    Parameters
    ----------
    colour : ColourGains or None
    applied : bool
        Whether the pixels of the file are multiplied by the gains already.
    zero : ZeroPoint or None
    depth : MosaicDepth or None
    """
    cards: list[Card] = []
    if colour is not None:
        names = zip(GAIN_CARDS, ("red", "green", "blue"), colour.gains, strict=True)
        cards += [(key, round(gain, 6), f"factor of {name} that makes the Sun neutral") for key, name, gain in names]
        cards += [
            ("ZMWHERR", round(colour.error_mag, 4), "[mag] standard error of these factors"),
            ("ZMWHNUM", colour.stars, "stars that decided about them"),
            ("ZMWHMET", colour.method, "how they were found"),
            ("ZMWHREF", colour.reference, "catalogue and neutral colour"),
            ("ZMWHAPP", applied, "whether the pixels are multiplied by them"),
        ]
    if zero is not None:
        cards += [
            ("MAGZPT", round(zero.magzpt, 4), "[mag] G = MAGZPT - 2.5 log10(green flux)"),
            ("MAGZERR", round(zero.error_mag, 4), "[mag] standard error of MAGZPT"),
            ("MAGZRMS", round(zero.scatter_mag, 4), "[mag] scatter of stars about MAGZPT"),
            ("MAGZNUM", zero.stars, "stars that decided about MAGZPT"),
            ("MAGCTERM", round(zero.colour_term, 4), "added to G, times BP - RP - 0.82"),
            ("MAGAPER", round(zero.aperture_px, 3), "[pixel] radius that fluxes are summed in"),
        ]
    if depth is not None:
        cards += [
            ("MAGLIM5", round(depth.limit_mag, 3), "[mag] star at S/N 5 where MAGLIMN frames are"),
            ("MAGLIMN", round(depth.typical_frames, 2), "frames per pixel, typical of this mosaic"),
        ]
    return cards
