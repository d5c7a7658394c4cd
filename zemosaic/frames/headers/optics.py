"""How many arcseconds one pixel covers, from the optics or a scale card."""

from __future__ import annotations

import math
from dataclasses import dataclass

from zemosaic.errors import Message, message
from zemosaic.frames.headers.header import Header

__all__ = ["MAX_SCALE_ARCSEC", "MIN_SCALE_ARCSEC", "Optics", "focal_length_mm", "optics", "pixel_size_um"]

MIN_SCALE_ARCSEC = 0.05
MAX_SCALE_ARCSEC = 120.0
_MAX_SCALE_RATIO = 1.1

_SCALE_CARDS = ("IM_SCALE", "SECPIX", "SECPIX1", "PIXSCALE", "PIXSCAL1", "IMSCALE", "SCALE")


@dataclass(frozen=True)
class Optics:
    """Plate scale and what is odd about it."""

    scale_arcsec: float | None
    notes: tuple[Message, ...] = ()


def optics(header: Header, binning: int) -> Optics:
    """Return the plate scale; a scale card goes before focal length and pixel size.

    Parameters
    ----------
    header : Header
        Header of the frame.
    binning : int
        Sensor pixels across one pixel of the picture.
    """
    card = _sane(next((s for key in _SCALE_CARDS if (s := _sane(header.number(key))) is not None), None))
    drawn = _sane(_from_lengths(header, binning))
    if card is None or drawn is None:
        return Optics(drawn if card is None else card)
    if 1 / _MAX_SCALE_RATIO < card / drawn < _MAX_SCALE_RATIO:
        return Optics(card)
    return Optics(card, (message("note.scale_conflict", card=round(card, 3), optics=round(drawn, 3)),))


def _from_lengths(header: Header, binning: int) -> float | None:
    focal_mm = focal_length_mm(header)
    pixel_um = pixel_size_um(header, binning)
    if not focal_mm or not pixel_um or focal_mm < 0 or pixel_um < 0:
        return None
    return math.degrees(math.atan(pixel_um * 1e-3 / focal_mm)) * 3600.0


def focal_length_mm(header: Header) -> float | None:
    """Return the focal length that the header tells, None where it does not."""
    return header.number("FOCALLEN", "FOCAL", "FOCLEN")


def pixel_size_um(header: Header, binning: int) -> float | None:
    """Return the side of a pixel of the picture in micrometres, None where the header does not tell.

    XPIXSZ is the pixel after binning (SBFITSEXT; so do MaxIm, N.I.N.A., APT, ASIAIR, Seestar,
    SharpCap, KStars), PIXSIZE1 the sensor's own.  A program that fills XPIXSZ with the sensor's
    shows it by both being equal under binning, or says so in the comment.

    Parameters
    ----------
    header : Header
        Header of the frame.
    binning : int
        Sensor pixels across one pixel of the picture.
    """
    binned = header.number("XPIXSZ", "YPIXSZ")
    single = header.number("PIXSIZE1", "PIXSIZE", "PIXSIZEX")
    if not binned:
        return single * binning if single else None
    unbinned = any(word in header.comment("XPIXSZ").lower() for word in ("unbinned", "before bin", "without bin"))
    if binning > 1 and (unbinned or (single and math.isclose(single, binned, rel_tol=0.02))):
        return binned * binning
    return binned


def _sane(scale_arcsec: float | None) -> float | None:
    if scale_arcsec is None or not MIN_SCALE_ARCSEC <= scale_arcsec <= MAX_SCALE_ARCSEC:
        return None
    return scale_arcsec
