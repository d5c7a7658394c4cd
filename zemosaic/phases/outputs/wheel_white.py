"""White of pictures made of red, green and blue mosaics of a filter wheel, from their stars of known colour."""

from __future__ import annotations

import numpy as np

from zemosaic.bands.combined import BandPlanes
from zemosaic.catalogue import load_bundled
from zemosaic.catalogue.star_colours import load_colours
from zemosaic.stars.colour_stars import SaturatedPlaces, colours_for_white, known_stars, measured_colours
from zemosaic.stars.response import ColourResponse, Slope
from zemosaic.stars.white import StarColoursMeasured, white_of_stars
from zemosaic.store.colour_gains import ColourGains
from zemosaic.wcs import FrameWcs

__all__ = ["WHEEL", "white_of_bands"]

REFERENCE = "Gaia DR3"
WHEEL = ColourResponse(Slope(-0.45, 0.25), Slope(0.65, 0.25))
"""Of red, green and blue filters before a mono camera, which pass about 590 to 690, 500 to 580 and 400 to 500 nm."""
MAX_PEAK = 0.5
"""Stars whose peak reaches this part of the highest one of its plane may be cut off in single frames."""
MIN_STARS_TO_DROP = 12


def white_of_bands(planes: BandPlanes, wcs: FrameWcs) -> ColourGains | None:
    """Return the factors that make a star like the Sun neutral; None where too few stars of known colour are there.

    Parameters
    ----------
    planes : BandPlanes
        Red, green and blue.
    wcs : FrameWcs
        Of their pixels.

    Raises
    ------
    InputError
        A bundled catalogue is missing or damaged.
    """
    _, height, width = planes.shape
    box = (0, height, 0, width)
    known = known_stars(load_colours(), wcs, box)
    if not len(known.stars):
        return None
    nowhere = SaturatedPlaces(np.empty(0), np.empty(0))
    measured = measured_colours(planes, None, known, wcs, box, nowhere, load_bundled())
    peaks = measured.fluxes.peak
    with np.errstate(invalid="ignore"):
        safe = (peaks < MAX_PEAK * np.nanmax(peaks, axis=0, initial=0.0)).all(axis=1) & measured.good
    stars: StarColoursMeasured = colours_for_white(measured)
    if safe.sum() >= MIN_STARS_TO_DROP:
        # Which stars single frames cut off is not known any more; without the brightest ones none is among them.
        measured.good[~safe] = False
        stars = colours_for_white(measured)
    white = white_of_stars(stars, WHEEL, REFERENCE)
    return white.colour if white is not None else None
