"""One frame of noise with a place on the sky, for benchmarks."""

from __future__ import annotations

import math

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from zemosaic.model import CalibratedFrame, FrameRef, MeasuredFrame, Solution, SolvedFrame, StarList
from zemosaic.wcs import FrameWcs

__all__ = ["CANVAS", "HEIGHT", "WIDTH", "astropy_wcs", "frame"]

WIDTH, HEIGHT = 1080, 1920
SCALE_DEG = 2.39 / 3600.0
CANVAS = FrameWcs(50.0, 30.0, 1100.0, 1100.0, ((-SCALE_DEG, 0.0), (0.0, SCALE_DEG)))


def frame(turn_deg: float) -> tuple[NDArray[np.uint16], CalibratedFrame]:
    """Return raw pixels and a calibrated frame turned by an angle."""
    raw = np.random.default_rng(0).normal(1000.0, 20.0, (HEIGHT, WIDTH)).astype(np.uint16)
    c, s = SCALE_DEG * math.cos(math.radians(turn_deg)), SCALE_DEG * math.sin(math.radians(turn_deg))
    wcs = FrameWcs(50.0, 30.0, 0.5 * (WIDTH - 1), 0.5 * (HEIGHT - 1), ((-c, s), (s, c)))
    ref = FrameRef(
        0, "", 0, 0, 0, WIDTH, HEIGHT, 1, None, "GRBG", False, 10.0, None, "", "", "", "", None, None, 1, None, None,
        None, None,
    )  # fmt: skip
    none, nothing = np.empty(0), np.empty(0, np.float32)
    stars = StarList(none, none, np.empty((0, 3), np.float32), np.empty((0, 3), np.float32), nothing, none.astype(bool))
    measured = MeasuredFrame(ref, stars, (1000.0,) * 3, (20.0,) * 3, 3.0, 0.3, 0.0)
    solved = SolvedFrame(measured, Solution(wcs, "header", 20, 0.3))
    sky = ((900.0, 3.0, -5.0),) * 3
    return raw, CalibratedFrame(solved, (1.0, 0.9, 1.1), sky, 100.0, (-0.06,), (20.0,) * 3, 1.0)


def astropy_wcs(wcs: FrameWcs) -> fits.Header:
    """Return the cards of a WCS without distortion."""
    cards = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": wcs.ra_deg, "CRVAL2": wcs.dec_deg,
        "CRPIX1": wcs.x_ref + 1, "CRPIX2": wcs.y_ref + 1, "CD1_1": wcs.cd[0][0], "CD1_2": wcs.cd[0][1],
        "CD2_1": wcs.cd[1][0], "CD2_2": wcs.cd[1][1],
    }  # fmt: skip
    return fits.Header(cards)
