"""The celestial WCS of a header, where it is one that a frame of a camera can have.

References
----------
Calabretta & Greisen 2002, A&A 395, 1077; Shupe et al. 2005, ASP Conf. 347, 491.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from zemosaic.frames.headers.header import Header
from zemosaic.frames.headers.optics import MAX_SCALE_ARCSEC, MIN_SCALE_ARCSEC
from zemosaic.wcs import SIP_TERMS, Distortion, FrameWcs

__all__ = ["header_wcs"]

Matrix = NDArray[np.float64]

_MAX_SIP_ORDER = 3
_MAX_ANISOTROPY = 1.3
_MAX_REFERENCE_FRAMES = 20.0
"""How many frames away from the picture the reference pixel may lie."""
_MAX_SIP_SHIFT_PX = 2.0
_TABLES = ("CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2", "CQDIS1", "CQDIS2")


def header_wcs(header: Header, width: int, height: int) -> FrameWcs | None:
    """Return the TAN or TAN-SIP (order up to 3) WCS of a header, None where there is no usable one.

    A WCS is usable when it is ICRS or FK5 of equinox 2000, has nothing beyond TAN and SIP, square
    pixels of 0.05 to 120 arcsec and a reference pixel not far from the picture.  It is a claim
    of the header: programs write the mount's position that way, too.

    Parameters
    ----------
    header : Header
        Header of the frame.
    width, height : int
        Size of the picture in pixels.
    """
    swapped = _swapped(header)
    if swapped is None or not _plain(header):
        return None
    crval, crpix = _pair(header, "CRVAL1", "CRVAL2"), _pair(header, "CRPIX1", "CRPIX2")
    matrix = _matrix(header)
    if crval is None or crpix is None or matrix is None:
        return None
    if swapped:
        crval, matrix = crval[::-1], matrix[::-1]
    far = (abs(crpix[0]) > _MAX_REFERENCE_FRAMES * width) or (abs(crpix[1]) > _MAX_REFERENCE_FRAMES * height)
    if far or not _square(matrix) or abs(crval[1]) >= 90.0 or abs(crval[0]) > 360.0:
        return None
    return _with_sip(header, matrix, crval[0] % 360.0, crval[1], crpix[0] - 1.0, crpix[1] - 1.0)


def _swapped(header: Header) -> bool | None:
    """Whether the first axis is the declination; None where the axes are no TAN sky."""
    kinds = [header.text(key).upper().removesuffix("-SIP") for key in ("CTYPE1", "CTYPE2")]
    if kinds == ["RA---TAN", "DEC--TAN"]:
        return False
    return True if kinds == ["DEC--TAN", "RA---TAN"] else None


def _plain(header: Header) -> bool:
    """Whether the header holds nothing that `FrameWcs` could not say."""
    if any(header.text(key).lower() not in ("", "deg", "degree", "degrees") for key in ("CUNIT1", "CUNIT2")):
        return False
    if header.text("RADESYS", "RADECSYS").upper() not in ("", "ICRS", "FK5"):
        return False
    if abs((header.number("EQUINOX", "EPOCH") or 2000.0) - 2000.0) > 0.5 or header.value("PLTSOLVD") is False:
        return False
    pole = header.number("LONPOLE")
    if (pole is not None and pole != 180.0) or any(key in header.cards for key in _TABLES):
        return False
    # SCAMP and others hide a distortion in PV cards of a projection that has none; PV1_m only repeat the pole.
    return not any(key.startswith("PV2_") and header.number(key) for key in header.cards)


def _pair(header: Header, first: str, second: str) -> tuple[float, float] | None:
    first_value, second_value = header.number(first), header.number(second)
    return None if first_value is None or second_value is None else (first_value, second_value)


def _matrix(header: Header) -> Matrix | None:
    """Degrees per pixel: CD, or PC with CDELT, or CDELT with CROTA."""
    names = ("1_1", "1_2", "2_1", "2_2")
    if any(f"CD{name}" in header.cards for name in names):
        return np.array([header.number(f"CD{name}") or 0.0 for name in names]).reshape(2, 2)
    steps = _pair(header, "CDELT1", "CDELT2")
    if steps is None:
        return None
    if any(f"PC{name}" in header.cards for name in names):
        unit = (1.0, 0.0, 0.0, 1.0)
        cards = [header.number(f"PC{name}") for name in names]
        turn = np.array([u if c is None else c for u, c in zip(unit, cards, strict=True)]).reshape(2, 2)
        matrix: Matrix = np.array(steps)[:, None] * turn
        return matrix
    angle = np.radians(header.number("CROTA2", "CROTA1") or 0.0)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[steps[0] * cos, -steps[1] * sin], [steps[0] * sin, steps[1] * cos]])


def _square(matrix: Matrix) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(matrix @ matrix.T).all():
            return False
    large, small = np.linalg.svd(matrix, compute_uv=False) * 3600.0
    plausible: bool = small >= MIN_SCALE_ARCSEC and large <= MAX_SCALE_ARCSEC and large <= _MAX_ANISOTROPY * small
    return plausible


def _with_sip(header: Header, matrix: Matrix, ra: float, dec: float, x_ref: float, y_ref: float) -> FrameWcs | None:
    """Add the distortion; its constant and linear terms go into the reference pixel and the matrix."""
    orders = (header.number("A_ORDER") or 0.0, header.number("B_ORDER") or 0.0)
    if max(orders) > _MAX_SIP_ORDER:
        return None
    distortion = None
    if max(orders) > 0:
        low = np.array([[_sip(header, axis, p, q) for p, q in ((0, 0), (1, 0), (0, 1))] for axis in "AB"])
        high = np.array([[_sip(header, axis, p, q) for p, q in SIP_TERMS] for axis in "AB"])
        linear = np.eye(2) + low[:, 1:]
        if not np.isfinite(linear).all() or abs(np.linalg.det(linear) - 1.0) > 0.1:
            return None
        shift, high = np.linalg.solve(linear, low[:, 0]), np.linalg.solve(linear, high)
        if np.abs(shift).max() > _MAX_SIP_SHIFT_PX:
            return None
        matrix, x_ref, y_ref = matrix @ linear, x_ref - float(shift[0]), y_ref - float(shift[1])
        distortion = Distortion(tuple(map(float, high[0])), tuple(map(float, high[1])))
    (a, b), (c, d) = matrix.tolist()
    return FrameWcs(ra, dec, x_ref, y_ref, ((a, b), (c, d)), distortion)


def _sip(header: Header, axis: str, p: int, q: int) -> float:
    if p + q > (header.number(f"{axis}_ORDER") or 0.0):
        return 0.0
    return header.number(f"{axis}_{p}_{q}") or 0.0
