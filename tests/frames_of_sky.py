"""Measured frames without files, for tests of the calibration."""

from __future__ import annotations

import numpy as np

from zemosaic.model import FrameRef, MeasuredFrame, StarList


def frame_of(
    width: int = 200, height: int = 160, bayer: str | None = "GRBG", planes: int = 1, frame_id: int = 0
) -> FrameRef:
    return FrameRef(
        frame_id=frame_id,
        path=f"{frame_id}.fit",
        size_bytes=0,
        mtime_ns=0,
        hdu=0,
        width=width,
        height=height,
        planes=planes,
        colour_axis=None,
        bayer=bayer,
        compressed=False,
        exposure_s=10.0,
        date_obs=None,
        instrument="",
        telescope="",
        filter_name="",
        object_name="",
        gain=None,
        temperature_c=None,
        binning=1,
        ra_deg=None,
        dec_deg=None,
        scale_arcsec=None,
        header_wcs=None,
    )


def measured_of(
    frame: FrameRef,
    x: np.ndarray | None = None,
    y: np.ndarray | None = None,
    flux: np.ndarray | None = None,
    error: np.ndarray | None = None,
    *,
    saturated: np.ndarray | None = None,
    sky: tuple[float, ...] = (1000.0,),
    noise: tuple[float, ...] = (10.0,),
) -> MeasuredFrame:
    """Return a measured frame; flux and error have shape (n, channels)."""
    channels = len(sky)
    x = np.empty(0) if x is None else x
    y = np.empty(0) if y is None else y
    flux = np.empty((0, channels)) if flux is None else flux
    error = np.full_like(flux, 1.0) if error is None else error
    stars = StarList(
        x,
        y,
        flux.astype(np.float32),
        error.astype(np.float32),
        np.full(len(x), 3.0, np.float32),
        np.zeros(len(x), bool) if saturated is None else saturated,
    )
    return MeasuredFrame(frame, stars, sky, noise, 3.0, 0.3, 0.0)
