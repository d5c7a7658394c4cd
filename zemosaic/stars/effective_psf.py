"""The effective point spread function of each part of a mosaic, built by `photutils.psf` from its stars.

References
----------
Anderson & King 2000, PASP 112, 1360.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from astropy.io import fits

from zemosaic.arrays import Box, Float32s, Float64s, green_channel
from zemosaic.stars.detect import Detections
from zemosaic.store.axis_order import Pixels
from zemosaic.store.whole_files import write_whole

__all__ = ["OVERSAMPLING", "PartPsf", "psfs_of_parts", "write_psfs"]

PARTS = 3
"""Parts along each side of a mosaic."""
OVERSAMPLING = 2
MIN_SNR = 50.0
MIN_STARS, MAX_STARS = 8, 32
"""Fewer stars do not fill the PSF's grid, and more add nothing."""
HALF_STAMP_FWHM = 3.5
RIM_PX = 2
"""Width of the rim of a stamp that tells its background."""
ITERATIONS = 4
FINER = 8
"""Factor by which a PSF is interpolated before its width is measured."""


@dataclass(frozen=True)
class PartPsf:
    """The PSF of a part of a mosaic."""

    box: Box
    """The part (y0, y1, x0, x1) in pixels of the mosaic."""
    image: Float32s
    """Sum 1, `OVERSAMPLING` samples for a pixel, the star in the middle."""
    stars: int

    def shifted(self, x: int, y: int) -> PartPsf:
        """Return the PSF with its part counted from another pixel.

        Parameters
        ----------
        x, y : int
            The new first pixel.
        """
        y0, y1, x0, x1 = self.box
        return replace(self, box=(y0 - y, y1 - y, x0 - x, x1 - x))

    @property
    def fwhm_px(self) -> float:
        """Diameter of the circle that holds as much as lies above half of the peak, in pixels of the mosaic."""
        finer = cv2.resize(self.image, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_CUBIC)
        above = float((finer >= 0.5 * finer.max()).sum())
        return 2.0 * math.sqrt(above / math.pi) / (FINER * OVERSAMPLING)


def psfs_of_parts(pixels: Pixels, stars: Detections, fwhm_px: float, box: Box) -> list[PartPsf]:
    """Build the PSF of each part of a mosaic that has stars enough, in green.

    Parameters
    ----------
    pixels : array-like, shape (channels, h, w)
        The mosaic; NaN where no data is. Stamps around stars are read, and nothing else.
    stars : Detections
        In pixels of `pixels`.
    fwhm_px : float
        Width of the mosaic's stars.
    box : (y0, y1, x0, x1)
        The part of the canvas that counts.
    """
    half = math.ceil(HALF_STAMP_FWHM * fwhm_px)
    y0, y1, x0, x1 = box
    inside = (stars.x_px >= x0 + half) & (stars.x_px < x1 - half - 1)
    inside &= (stars.y_px >= y0 + half) & (stars.y_px < y1 - half - 1)
    good = inside & (stars.flags == 0) & (stars.snr >= MIN_SNR)
    found = []
    for part in _parts(box):
        here = good & (stars.y_px >= part[0]) & (stars.y_px < part[1]) & (stars.x_px >= part[2])
        members = np.flatnonzero(here & (stars.x_px < part[3]))
        brightest = members[np.argsort(-stars.snr[members], kind="stable")][:MAX_STARS]
        stamps = _stamps(pixels, stars.x_px[brightest], stars.y_px[brightest], half)
        if len(stamps) >= MIN_STARS:
            found.append(PartPsf(part, _built(stamps), len(stamps)))
    return found


def write_psfs(path: Path, psfs: Sequence[PartPsf], scale_arcsec: float) -> None:
    """Write PSFs as a FITS file with an image for each part.

    Parameters
    ----------
    path : Path
    psfs : sequence of PartPsf
    scale_arcsec : float
        Side of a pixel of the mosaic.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    images = [fits.PrimaryHDU()]
    images[0].header["COMMENT"] = "Effective PSF in green of each part of the mosaic, sum 1."
    for psf in psfs:
        y0, y1, x0, x1 = psf.box
        image = fits.ImageHDU(psf.image)
        image.header["OVERSAMP"] = (OVERSAMPLING, "samples along a pixel of the mosaic")
        image.header["PARTX"] = (f"{x0 + 1}:{x1}", "columns of the part, from 1 as in FITS")
        image.header["PARTY"] = (f"{y0 + 1}:{y1}", "rows of the part")
        image.header["NSTARS"] = (psf.stars, "stars that it is made of")
        image.header["FWHM"] = (round(psf.fwhm_px * scale_arcsec, 3), "[arcsec] width at half of the peak")
        images.append(image)
    content = io.BytesIO()
    fits.HDUList(images).writeto(content)
    write_whole(path, content.getvalue())


def _parts(box: Box) -> list[Box]:
    rows = np.linspace(box[0], box[1], PARTS + 1).astype(int)
    columns = np.linspace(box[2], box[3], PARTS + 1).astype(int)
    return [
        (int(rows[i]), int(rows[i + 1]), int(columns[j]), int(columns[j + 1]))
        for i in range(PARTS)
        for j in range(PARTS)
    ]


def _stamps(pixels: Pixels, x: Float64s, y: Float64s, half: int) -> list[tuple[Float64s, float, float]]:
    """Return the stars' stamps above the medians of their rims, and the stars' places on them."""
    channel = green_channel(pixels.shape[0])
    rim = np.ones((2 * half + 1, 2 * half + 1), bool)
    rim[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX] = False
    found = []
    for column, row in zip(x, y, strict=True):
        left, bottom = round(column) - half, round(row) - half
        window = np.s_[channel : channel + 1, bottom : bottom + 2 * half + 1, left : left + 2 * half + 1]
        stamp = np.asarray(pixels[window], np.float64)[0]
        if np.isfinite(stamp).all():
            found.append((stamp - np.median(stamp[rim]), float(column - left), float(row - bottom)))
    return found


def _built(stamps: Sequence[tuple[Float64s, float, float]]) -> Float32s:
    from photutils.psf import EPSFBuilder, EPSFStar, EPSFStars  # slow to import, and few runs come here

    stars = EPSFStars([EPSFStar(stamp, cutout_center=(x, y)) for stamp, x, y in stamps])
    psf, _ = EPSFBuilder(oversampling=OVERSAMPLING, maxiters=ITERATIONS, progress_bar=False)(stars)
    image = np.asarray(psf.data, np.float64)
    return np.asarray(image / image.sum(), np.float32)
