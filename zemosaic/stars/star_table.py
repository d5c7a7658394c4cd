"""The catalogue of a mosaic's stars as a table: places, magnitudes and colours on Gaia's system, widths, flags."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
from astropy import units
from astropy.table import Column, Table

from zemosaic.arrays import Float64s, green_channel
from zemosaic.stars.detect import Detections
from zemosaic.stars.white import SUN_BP_RP, White, colours_of
from zemosaic.stars.zero_point import ZeroPoint
from zemosaic.store.whole_files import write_whole
from zemosaic.wcs import FrameWcs

__all__ = ["star_table", "write_star_table"]

PLACE_ERROR_FWHM = 1.0 / 2.3548
"""Error of a place in widths of the star, times its S/N."""
MIN_PLACE_ERROR_ARCSEC = 0.05
"""Of the mosaic's own places."""


def star_table(stars: Detections, wcs: FrameWcs, zero: ZeroPoint | None, white: White | None) -> Table:
    """Return the stars as a table, the brightest first.

    Parameters
    ----------
    stars : Detections
    wcs : FrameWcs
        Of the pixels that they were found on.
    zero : ZeroPoint or None
        Without it there are no magnitudes.
    white : White or None
        Without it there are no colours on Gaia's system.
    """
    channel = green_channel(stars.flux.shape[1])
    ra, dec = wcs.pixel_to_sky(stars.x_px, stars.y_px)
    known = stars.fwhm_px[np.isfinite(stars.fwhm_px)]
    usual = float(np.median(known)) if len(known) else math.nan
    width = np.where(np.isfinite(stars.fwhm_px), stars.fwhm_px, usual)
    error_arcsec = np.hypot(
        PLACE_ERROR_FWHM * width * wcs.scale_arcsec / np.maximum(stars.snr, 1.0), MIN_PLACE_ERROR_ARCSEC
    )
    bp_rp, bp_rp_error = _gaia_colours(stars, white)
    g_mag, g_error = _gaia_magnitudes(stars, channel, zero, bp_rp)
    columns = [
        Column(np.round(ra, 7), "ra", unit=units.deg),
        Column(np.round(dec, 7), "dec", unit=units.deg),
        Column(np.round(error_arcsec, 3), "ra_error", unit=units.arcsec),
        Column(np.round(error_arcsec, 3), "dec_error", unit=units.arcsec),
        Column(np.round(stars.x_px + 1.0, 3), "x", unit=units.pix, description="counted from 1 as in FITS"),
        Column(np.round(stars.y_px + 1.0, 3), "y", unit=units.pix, description="counted from 1 as in FITS"),
        Column(np.round(g_mag, 4), "g_mag", unit=units.mag, description="on Gaia's G"),
        Column(np.round(g_error, 4), "g_mag_error", unit=units.mag),
        Column(np.round(bp_rp, 3), "bp_rp", unit=units.mag, description="on Gaia's BP - RP"),
        Column(np.round(bp_rp_error, 3), "bp_rp_error", unit=units.mag),
        Column(np.round(stars.snr, 1), "snr"),
        Column(np.round(stars.fwhm_px * wcs.scale_arcsec, 2), "fwhm", unit=units.arcsec),
        Column(stars.flags, "flags", description="1 saturated, 2 another star near"),
    ]
    names = ("red", "green", "blue") if stars.flux.shape[1] == 3 else ("",)
    for k, name in enumerate(names):
        columns.append(Column(np.round(stars.flux[:, k], 2), f"flux_{name}".rstrip("_"), unit=units.adu))
    table = Table(columns)
    return table[np.lexsort((dec, ra, -stars.flux[:, channel]))]


def write_star_table(path: Path, table: Table) -> None:
    """Write a table as ECSV, which astropy and TOPCAT read with its units.

    Parameters
    ----------
    path : Path
    table : Table

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    write_whole(path, text.getvalue().encode("utf-8"))


def _gaia_colours(stars: Detections, white: White | None) -> tuple[Float64s, Float64s]:
    """Return BP - RP and its error from the camera's two colours, each weighted by what it tells."""
    unknown = np.full(len(stars), np.nan)
    if white is None or stars.flux.shape[1] != 3:
        return unknown, unknown
    red, blue, red_error, blue_error = colours_of(stars.flux, stars.error)
    sums, weights = np.zeros(len(stars)), np.zeros(len(stars))
    for colour, error, line in ((red, red_error, white.red), (blue, blue_error, white.blue)):
        weight = line.slope.value**2 / (error**2 + line.scatter**2)
        sums += weight * (colour - line.at_sun) / line.slope.value
        weights += weight
    return SUN_BP_RP + sums / weights, weights**-0.5


def _gaia_magnitudes(
    stars: Detections, channel: int, zero: ZeroPoint | None, bp_rp: Float64s
) -> tuple[Float64s, Float64s]:
    """Return G and its error; stars of unknown colour count as having that of the Sun."""
    flux = stars.flux[:, channel]
    with np.errstate(invalid="ignore", divide="ignore"):
        error = 2.5 / np.log(10.0) * stars.error[:, channel] / flux
        if zero is None:
            return np.full(len(stars), np.nan), np.full(len(stars), np.nan)
        away = np.where(np.isfinite(bp_rp), bp_rp - SUN_BP_RP, 0.0)
        g_mag = zero.magzpt - 2.5 * np.log10(flux) + zero.colour_term * away
    good = flux > 0
    return np.where(good, g_mag, np.nan), np.where(good, np.hypot(error, zero.error_mag), np.nan)
