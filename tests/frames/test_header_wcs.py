"""A header's WCS is read as astropy reads it, or not at all."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from fits_files import DATA, header_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from zemosaic.errors import FrameError
from zemosaic.frames.headers.header import find_image, read_header
from zemosaic.frames.headers.header_wcs import header_wcs
from zemosaic.wcs import FrameWcs, separation_deg

CRPIX = "CRPIX1  = 320.5\nCRPIX2  = 241.0\n"
AXES = "CTYPE1  = 'RA---TAN{sip}'\nCTYPE2  = 'DEC--TAN{sip}'\nCRVAL1  = 210.5\nCRVAL2  = -54.25\n" + CRPIX
PLAIN = AXES.format(sip="")
CD = "CD1_1   = -5.0E-04\nCD1_2   = 4.0E-04\nCD2_1   = 4.0E-04\nCD2_2   = 5.0E-04\n"
SIP = (
    "A_ORDER = 3\nB_ORDER = 3\nA_2_0   = 2.0E-06\nA_0_3   = 1.0E-09\nB_1_1   = -3.0E-06\nB_3_0   = 2.0E-09\n"
    "A_0_0   = 0.2\nA_1_0   = 1.0E-03\nB_0_1   = -2.0E-03\nB_0_0   = -0.1\n"
)


def parse(text: str) -> FrameWcs | None:
    found = read_header(io.BytesIO(header_bytes(f"SIMPLE  = T\n{text}")), "test", first=True)
    assert found is not None
    return header_wcs(found[0], 640, 480)


def far_from(wcs: FrameWcs, reference: WCS, width: int = 640, height: int = 480) -> float:
    """Return the greatest distance of both over a frame, arcsec."""
    x, y = (c.ravel() for c in np.meshgrid(np.linspace(0, width - 1, 9), np.linspace(0, height - 1, 7)))
    ra, dec = wcs.pixel_to_sky(x, y)
    return float(separation_deg(ra, dec, *reference.all_pix2world(x, y, 0)).max()) * 3600.0


@pytest.mark.parametrize(
    ("text", "tolerance"),
    [
        (PLAIN + CD, 1e-6),
        (PLAIN + "CDELT1  = -6.4E-04\nCDELT2  = 6.4E-04\nCROTA2  = 33.0\n", 1e-6),
        (
            PLAIN
            + "CDELT1  = -6.4E-04\nCDELT2  = 6.5E-04\nPC1_1   = 0.8\nPC1_2   = 0.6\nPC2_1   = -0.6\nPC2_2   = 0.8\n",
            1e-6,
        ),
        (PLAIN + "CDELT1  = -6.4E-04\nCDELT2  = 6.4E-04\nPC1_2   = 0.1\nPC2_1   = -0.1\n", 1e-6),
        (AXES.format(sip="-SIP") + CD + SIP, 2e-3),
    ],
)
def test_agrees_with_astropy(text: str, tolerance: float) -> None:
    wcs = parse(text)
    assert wcs is not None
    assert far_from(wcs, WCS(fits.Header.fromstring(text, sep="\n"))) < tolerance


def test_axes_the_other_way_round() -> None:
    text = CD + CRPIX + "CTYPE2  = 'RA---TAN'\nCTYPE1  = 'DEC--TAN'\nCRVAL2  = 210.5\nCRVAL1  = -54.25\n"
    wcs = parse(text)
    assert wcs is not None
    dec, ra = WCS(fits.Header.fromstring(text, sep="\n")).all_pix2world(100.0, 50.0, 0)
    assert separation_deg(*wcs.pixel_to_sky(100.0, 50.0), ra, dec) * 3600 < 1e-6


@pytest.mark.parametrize(
    "text",
    [
        "",
        CD,
        PLAIN,
        PLAIN + "CD1_1   = 0.0\nCD2_2   = 0.0\n",
        PLAIN + "CD1_1   = 6.0E-04\nCD2_2   = 9.0E-04\n",
        PLAIN + "CDELT1  = 1.0\nCDELT2  = 1.0\n",
        PLAIN + "CDELT1  = 1.0E-06\nCDELT2  = 1.0E-06\n",
        PLAIN + CD + "CUNIT1  = 'arcsec'\n",
        PLAIN + CD + "RADESYS = 'FK4'\n",
        PLAIN + CD + "EQUINOX = 1950.0\n",
        PLAIN + CD + "LONPOLE = 90.0\n",
        PLAIN + CD + "PV2_1   = 1.0\n",
        PLAIN + CD + "CPDIS1  = 'LOOKUP'\n",
        PLAIN + CD + "PLTSOLVD= F\n",
        PLAIN.replace("-54.25", "94.25") + CD,
        PLAIN.replace("TAN", "SIN") + CD,
        PLAIN.replace("RA--", "GLON") + CD,
        PLAIN.replace("320.5", "1.0E9") + CD,
        PLAIN.replace("CRVAL1", "CRVALX") + CD,
        AXES.format(sip="-SIP") + CD + "A_ORDER = 4\nB_ORDER = 4\n",
        AXES.format(sip="-SIP") + CD + "A_ORDER = 2\nB_ORDER = 2\nA_0_0   = 50.0\n",
    ],
)
def test_unusable(text: str) -> None:
    assert parse(text) is None


@given(
    ra=st.floats(0, 359.99), dec=st.floats(-89.9, 89.9), angle=st.floats(-180, 180),
    scale=st.floats(0.1, 60.0), mirror=st.sampled_from([-1, 1]), a=st.floats(-1e-6, 1e-6),
)  # fmt: skip
@settings(max_examples=50)
def test_cards_come_back(ra: float, dec: float, angle: float, scale: float, mirror: int, a: float) -> None:
    sin, cos = np.sin(np.radians(angle)) * scale / 3600, np.cos(np.radians(angle)) * scale / 3600
    cards = fits.Header(FrameWcs(ra, dec, 319.5, 239.5, ((mirror * cos, -sin), (mirror * sin, cos))).to_cards())
    cards["A_ORDER"], cards["B_ORDER"], cards["A_2_0"] = 2, 2, a
    cards["CTYPE1"], cards["CTYPE2"] = "RA---TAN-SIP", "DEC--TAN-SIP"
    wcs = parse(cards.tostring(sep="\n", endcard=False, padding=False))
    assert wcs is not None
    assert far_from(wcs, WCS(cards)) < 1e-4


@pytest.mark.skipif(not DATA.exists(), reason="needs the shared data")
def test_real_headers_agree_with_astropy() -> None:
    agreeing = set()
    for path in sorted(p for p in DATA.rglob("*") if p.is_file() and p.suffix != ".zip"):
        try:
            image = find_image(path)
        except FrameError:
            continue
        size = image.layout.width, image.layout.height
        wcs = header_wcs(image.header, *size)
        # wcslib takes the plate solution of the DSS instead of the TAN cards beside it.
        if wcs is None or path.name.startswith("dss"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reference = WCS(fits.getheader(path, image.hdu), naxis=2)
        assert far_from(wcs, reference, *size) < 5e-3, path.name
        agreeing.add(path.name.split(".")[0])
    assert {"nina_320_atr585m_astap_solved", "sharpcap_aij_asi290mm", "panoptes_pole_crop", "m13"} <= agreeing
