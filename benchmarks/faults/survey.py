"""A very small survey: cuttings of the demo's frames with their true WCS, of which a run takes a few CPU seconds."""

from __future__ import annotations

import math
from pathlib import Path

from astropy.io import fits

from zemosaic import demo

__all__ = ["FRAMES", "make_survey"]

FRAMES = 6
WIDTH, HEIGHT = 384, 480
CORNERS = ((160, 300), (160, 540))
"""Columns and rows of the demo's frames where the two pointings begin; they share half of their sky."""


def make_survey(folder: Path) -> Path:
    """Write the frames of the survey into a new folder; the same bytes every time.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    Path
        The folder.
    """
    folder.mkdir(parents=True)
    sky = demo.true_sky()
    for shot in demo.exposures()[:FRAMES]:
        x0, y0 = CORNERS[shot.number % len(CORNERS)]
        raw = demo.render(shot, sky)[y0 : y0 + HEIGHT, x0 : x0 + WIDTH]
        header = fits.Header.fromstring(CARDS, sep="\n")
        header["DATE-OBS"] = shot.begin.isoformat(timespec="milliseconds")
        wcs = shot.wcs.shifted(x0, y0)
        header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
        header["CRVAL1"], header["CRVAL2"] = wcs.ra_deg, wcs.dec_deg
        header["CRPIX1"], header["CRPIX2"] = wcs.x_ref + 1, wcs.y_ref + 1
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            header[f"CD{row + 1}_{column + 1}"] = wcs.cd[row][column]
        ra, dec = wcs.pixel_to_sky(WIDTH / 2, HEIGHT / 2)
        header["RA"], header["DEC"] = math.fmod(float(ra), 360.0), float(dec)
        fits.PrimaryHDU(raw, header).writeto(folder / shot.file_name)
    return folder


CARDS = f"""\
CREATOR = 'ZWO Seestar S50'
FOCALLEN=                {demo.FOCAL_MM}
XPIXSZ  =                 {demo.PIXEL_UM}
IMAGETYP= 'Light   '
EXPTIME =                  10.
CCD-TEMP=                 24.5
GAIN    =                   80
FILTER  = 'IRCUT   '
INSTRUME= 'Seestar S50'
BAYERPAT= 'GRBG    '
"""
