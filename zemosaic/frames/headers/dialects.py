"""What the headers of the capture programs say, in one language.

Seestar, ASIAIR, N.I.N.A., SGP, MaxIm, APT, SharpCap, DWARF, KStars, Siril, ASTAP and Astro Pixel
Processor name and count the same things differently.  The rules below are about cards, not about
programs, so that a program nobody has thought of is read as well as its cards allow.
"""

from __future__ import annotations

import re

from zemosaic.errors import FrameError, Message, message
from zemosaic.frames.headers.dates import date_obs
from zemosaic.frames.headers.header import FitsImage, Header
from zemosaic.frames.headers.header_wcs import header_wcs
from zemosaic.frames.headers.optics import Optics, optics
from zemosaic.frames.headers.pointing import pointing
from zemosaic.model import FrameRef
from zemosaic.wcs import FrameWcs

__all__ = ["bayer_pattern", "binning", "exposure_s", "frame_ref", "is_seestar", "temperature_c"]

BAYER_PATTERNS = ("RGGB", "BGGR", "GRBG", "GBRG")

# FILTER holds the pattern in frames of PANOPTES, where a colour camera has no other filter.
_BAYER_CARDS = ("BAYERPAT", "COLORTYP", "CFATYPE", "BAYER", "FILTER")
_NO_LIGHT = re.compile(r"dark|flat|bias|offset|zero|\bmap\b", re.IGNORECASE)
_COLOUR_CAMERA = re.compile(r"\d{3}\s?MC\b|\d{3}C\b", re.IGNORECASE)
_SEESTAR = re.compile(r"seestar|(?<![A-Z0-9])S[35]0(?![A-Z0-9])", re.IGNORECASE)
_UNIT_BEHIND = re.compile(r"^[\s\d.,+eEdD-]+")
_UNITS_S = (
    (re.compile(r"\[ms\]|\bms\b|\bmsecs?\b|millisec", re.IGNORECASE), 1e-3),
    (re.compile(r"\[[uµ]s\]|\b[uµ]s\b|\busecs?\b|microsec", re.IGNORECASE), 1e-6),
)
_BINNING_PAIR = re.compile(r"(\d+)")


def frame_ref(image: FitsImage, frame_id: int, *, light: bool = True) -> FrameRef:
    """Return the record of a frame; unless `light` is false, only of a light frame.

    Parameters
    ----------
    image : FitsImage
    frame_id : int
        Number that the record gets.
    light : bool
        Whether dark, flat and bias frames are refused.

    Returns
    -------
    FrameRef

    Raises
    ------
    FrameError
        When the header says that this is no light frame (dark, flat, bias).
    """
    header, shape = image.header, image.layout
    kind = header.text("IMAGETYP", "FRAMETYP", "FRAME")
    if light and _NO_LIGHT.search(kind):
        raise FrameError("reason.not_a_light", kind=kind)
    bayer, bayer_notes = bayer_pattern(header, shape.height) if shape.planes == 1 else (None, ())
    wcs = header_wcs(header, shape.width, shape.height)
    optics_values = optics(header, binning(header))
    exposure, started = exposure_s(header), date_obs(header)
    aim = _aim(header, wcs, shape.width, shape.height)
    lacking = _lacking(optics_values, wcs, aim, started, exposure)
    return FrameRef(
        frame_id=frame_id,
        path=image.path,
        size_bytes=image.size_bytes,
        mtime_ns=image.mtime_ns,
        hdu=image.hdu,
        width=shape.width,
        height=shape.height,
        planes=shape.planes,
        colour_axis=shape.colour_axis,
        bayer=bayer,
        compressed=image.gzipped or image.tiled,
        exposure_s=exposure,
        date_obs=started,
        instrument=header.text("INSTRUME", "CAMERA", "CAMMODEL"),
        telescope=header.text("TELESCOP"),
        filter_name=header.text("FILTER", "FILTER1", "FILTERS"),
        object_name=header.text("OBJECT", "OBJNAME"),
        gain=header.number("GAIN", "ISOSPEED", "ISO"),
        temperature_c=temperature_c(header),
        binning=binning(header),
        ra_deg=None if aim is None else aim[0],
        dec_deg=None if aim is None else aim[1],
        scale_arcsec=optics_values.scale_arcsec
        if optics_values.scale_arcsec is not None or wcs is None
        else wcs.scale_arcsec,
        header_wcs=wcs,
        is_seestar=is_seestar(header),
        notes=(*_cut_short(image), *bayer_notes, *optics_values.notes, *lacking),
    )


def _cut_short(image: FitsImage) -> tuple[Message, ...]:
    """Return the note of a file that ends before its last row."""
    complete = image.rows >= image.layout.height
    return () if complete else (message("note.cut_short", rows=image.rows, height=image.layout.height),)


def _aim(header: Header, wcs: FrameWcs | None, width: int, height: int) -> tuple[float, float] | None:
    """The mount's word, or the middle of the picture where only a WCS tells."""
    aim = pointing(header)
    if aim is None and wcs is not None:
        ra, dec = wcs.pixel_to_sky((width - 1) / 2, (height - 1) / 2)
        aim = float(ra), float(dec)
    return aim


def _lacking(
    optics_values: Optics,
    wcs: FrameWcs | None,
    aim: tuple[float, float] | None,
    started: str | None,
    exposure: float | None,
) -> tuple[Message, ...]:
    lacks = (
        (optics_values.scale_arcsec is None and wcs is None, "note.no_optics"),
        (aim is None, "note.no_pointing"),
        (started is None, "note.no_date"),
        (exposure is None, "note.no_exposure"),
    )
    return tuple(message(key) for lack, key in lacks if lack)


def exposure_s(header: Header) -> float | None:
    """Return the exposure in seconds; of a stack the sum of its frames'."""
    single = _single_s(header)
    stacked = header.number("STACKCNT", "NCOMBINE") or 1.0
    total = header.number("TOTALEXP", "LIVETIME") if stacked > 1 else None
    seconds = total or single
    return seconds if seconds is not None and seconds > 0 else None


def _single_s(header: Header) -> float | None:
    """Return the exposure card in seconds; its comment tells where it counts milliseconds or microseconds."""
    for key in ("EXPTIME", "EXPOSURE", "EXP"):
        value = header.number(key)
        if value is not None:
            unit = header.comment(key) + " " + _UNIT_BEHIND.sub("", header.text(key))
            return value * next((factor for pattern, factor in _UNITS_S if pattern.search(unit)), 1.0)
    return None


def temperature_c(header: Header) -> float | None:
    """Return the sensor temperature; what only makes sense in kelvins is taken as such."""
    value = header.number("CCD-TEMP", "DET-TEMP", "CAMTEMP", "SET-TEMP")
    if value is not None and value > 150:
        value -= 273.15
    return value if value is not None and -150 < value < 100 else None


def binning(header: Header) -> int:
    """Return how many sensor pixels across make one pixel of the picture (at least 1)."""
    value = header.number("XBINNING", "CCDXBIN", "BINX")
    if value is None:
        # "2*2", "2x2", 2
        match = _BINNING_PAIR.search(str(header.value("BINNING") or ""))
        value = float(match.group(1)) if match else None
    return int(value) if value is not None and 1 <= value <= 16 else 1


def bayer_pattern(header: Header, height: int) -> tuple[str | None, tuple[Message, ...]]:
    """Return the colours of the top left 2 x 2 pixels of the array as read, and notes.

    The cards describe the picture as shown.  With ``ROWORDER = 'BOTTOM-UP'`` the first stored row
    is the lowest one shown; without that card the first stored row is the first one meant.

    Parameters
    ----------
    header : Header
        Header of a picture with one plane.
    height : int
        Rows of the picture.
    """
    for key in _BAYER_CARDS:
        pattern = re.sub(r"[^A-Z]", "", header.text(key).upper())
        if pattern in BAYER_PATTERNS:
            break
    else:
        return None, _missing_pattern(header)
    dx = int(header.number("XBAYROFF") or 0) % 2
    dy = int(header.number("YBAYROFF") or 0) % 2
    if header.text("ROWORDER").upper() == "BOTTOM-UP":
        dy += height - 1
    rows = (pattern[:2], pattern[2:])
    return "".join(rows[(y + dy) % 2][(x + dx) % 2] for y in (0, 1) for x in (0, 1)), ()


def _missing_pattern(header: Header) -> tuple[Message, ...]:
    pattern = header.text("BAYERPAT")
    if pattern:
        return (message("note.bayer_unknown", pattern=pattern),)
    camera = header.text("INSTRUME", "CAMERA")
    if _COLOUR_CAMERA.search(camera):
        return (message("note.bayer_missing", camera=camera),)
    return ()


def is_seestar(header: Header) -> bool:
    """Return whether a card of the camera, the program or the telescope says Seestar, S50 or S30."""
    # The S30 Pro names itself in TELESCOP alone: 'S30 Pro_<serial>'.
    return any(_SEESTAR.search(header.text(key)) for key in ("INSTRUME", "CREATOR", "TELESCOP"))
