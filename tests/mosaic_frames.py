"""Frames with a place on the sky and no pixels, for tests of the mosaic's geometry."""

from __future__ import annotations

import math

import numpy as np

from zemosaic.model import CalibratedFrame, FrameRef, MeasuredFrame, Solution, SolvedFrame, StarList
from zemosaic.wcs import Distortion, FrameWcs

SCALE_DEG = 2.39 / 3600.0
BENT = (0.6, -0.5, 0.3, 0.2, 0.2, -0.3, 0.6, 0.3, 0.3, -0.3, 0.2)
"""A sky's terms of order 2 to 4, in ADU."""


def bent(width: int, height: int, bend_px: float) -> Distortion | None:
    """Return a radial cubic distortion of `bend_px` in the corners."""
    if not bend_px:
        return None
    k = bend_px / (0.5 * math.hypot(width, height)) ** 3
    return Distortion((0.0, 0.0, 0.0, k, 0.0, k, 0.0), (0.0, 0.0, 0.0, 0.0, k, 0.0, k))


def wcs_of(
    ra: float,
    dec: float,
    turn_deg: float = 0.0,
    *,
    size: tuple[int, int] = (1080, 1920),
    mirrored: bool = False,
    bend_px: float = 0.0,
    scale_deg: float = SCALE_DEG,
) -> FrameWcs:
    """Return the WCS of a frame about its centre; +y lies `turn_deg` east of north."""
    t, sign = math.radians(turn_deg), 1.0 if mirrored else -1.0
    s = scale_deg
    cd = ((sign * s * math.cos(t), s * math.sin(t)), (-sign * s * math.sin(t), s * math.cos(t)))
    return FrameWcs(ra % 360.0, dec, 0.5 * (size[0] - 1), 0.5 * (size[1] - 1), cd, bent(*size, bend_px))


def solved_of(
    wcs: FrameWcs,
    frame_id: int = 0,
    size: tuple[int, int] = (1080, 1920),
    channels: int = 3,
    bayer: str | None = "GRBG",
) -> SolvedFrame:
    """Return a solved frame without stars."""
    frame = FrameRef(
        frame_id=frame_id,
        path=f"frame{frame_id}.fit",
        size_bytes=0,
        mtime_ns=0,
        hdu=0,
        width=size[0],
        height=size[1],
        planes=1,
        colour_axis=None,
        bayer=bayer,
        compressed=False,
        exposure_s=10.0,
        date_obs=None,
        instrument="Seestar S50",
        telescope="",
        filter_name="",
        object_name="",
        gain=80.0,
        temperature_c=None,
        binning=1,
        ra_deg=None,
        dec_deg=None,
        scale_arcsec=None,
        header_wcs=None,
    )
    none, nothing = np.empty(0), np.empty(0, np.float32)
    empty = np.empty((0, channels), np.float32)
    stars = StarList(none, none, empty, empty, nothing, np.empty(0, bool))
    measured = MeasuredFrame(frame, stars, (100.0,) * channels, (5.0,) * channels, 3.0, 0.3, 0.0)
    return SolvedFrame(measured, Solution(wcs, "embedded", 20, 0.5))


def calibrated_of(solved: SolvedFrame, **changes: object) -> CalibratedFrame:
    """Return a frame whose calibration changes nothing, or what is asked for."""
    channels = len(solved.measured.sky_adu)
    values: dict[str, object] = {
        "transparency": (1.0,) * channels,
        "sky_adu": ((0.0, 0.0, 0.0),) * channels,
        "bias_adu": 0.0,
        "illumination": (0.0,),
        "noise": (5.0,) * channels,
        "weight": 1.0,
    }
    return CalibratedFrame(solved=solved, **(values | changes))  # type: ignore[arg-type]
