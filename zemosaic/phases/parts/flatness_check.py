"""After the mosaic is written: its rings and stars are compared with those of a few of its raw frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, green_channel
from zemosaic.calibration.detector import calibrated_pixels
from zemosaic.coadd.tile_task import pixel_area_ratio
from zemosaic.errors import message
from zemosaic.frames.debayer import green_image
from zemosaic.frames.planes import colour_planes
from zemosaic.model import CalibratedFrame, detector_coordinates, sky_level
from zemosaic.phases.context import RunContext
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.run.reporter import Reporter
from zemosaic.qa.flatness import Flatness, RingProfile, aperture_light, judge, ring_profile
from zemosaic.store.axis_order import Pixels
from zemosaic.wcs import FrameWcs

__all__ = ["check_flatness"]

MAX_FRAMES_CHECKED = 5
STEP_PX = 4
"""Every so many pixels of a frame are looked at along both sides."""
MIN_STAR_SNR = 20.0
MIN_SESSION_GAP = timedelta(hours=2)
"""After so long a pause the sky has another gradient."""


def check_flatness(
    context: RunContext, frames: Sequence[CalibratedFrame], value: Pixels, wcs: FrameWcs, defects: DetectorCalibrations
) -> Flatness | None:
    """Compare a finished mosaic with some of its raw frames and warn of what the program added.

    Parameters
    ----------
    context : RunContext
    frames : sequence of CalibratedFrame
        Those in the mosaic.
    value : array, shape (channels, h, w)
        The mosaic before crops.
    wcs : FrameWcs
        Of these pixels.
    defects : DefectMaps
        Of the frames' cameras.

    Returns
    -------
    Flatness or None
        None where no frame is whole.
    """
    whole = [frame for frame in frames if not frame.obstructed]
    if not whole:
        return None
    chosen = [whole[k] for k in np.unique(np.linspace(0, len(whole) - 1, MAX_FRAMES_CHECKED).astype(int))]
    sessions = _sessions([frame.frame.date_obs for frame in chosen])
    looks = [
        _look(context, frame, value, wcs, defects, session) for frame, session in zip(chosen, sessions, strict=True)
    ]
    stars = [np.concatenate(parts) for parts in zip(*(of_stars for _, of_stars in looks), strict=True)]
    level = float(np.median([frame.sky_adu[green_channel(len(frame.sky_adu))][0] for frame in chosen]))
    flatness = judge(level, [profile for profile, _ in looks], (stars[0], stars[1], stars[2]))
    _tell(context.reporter, flatness)
    return flatness


def _tell(reporter: Reporter, flatness: Flatness) -> None:
    """Log what the comparison told, and warn of a disagreement."""
    told: dict[str, str | int | float] = {
        "frames": len(flatness.profile),
        "bowl": _number(flatness.bowl_adu),
        "error": _number(flatness.bowl_error_adu),
        "level": round(flatness.level_adu),
        "difference": _number(100.0 * flatness.star_difference),
        "star_error": _number(100.0 * flatness.star_error),
    }
    reporter.log(message("log.flatness", **told))
    if flatness.bowl_found:
        reporter.warn(message("warning.bowl_in_mosaic", **told))
    if flatness.star_fault_found:
        reporter.warn(message("warning.stars_fall_in_mosaic", **told))


def _number(value: float) -> float | str:
    """Return a number for people; a question mark for one that is not known."""
    return round(value, 1) if math.isfinite(value) else "?"


def _sessions(dates: Sequence[str | None]) -> list[int]:
    """Return the number of each frame's session, by pauses in time; frames without a date are of the first one."""
    dated = sorted((datetime.fromisoformat(text), place) for place, text in enumerate(dates) if text)
    sessions, number = [0] * len(dates), 0
    for (before, _), (moment, place) in pairwise(dated):
        number += moment - before > MIN_SESSION_GAP
        sessions[place] = number
    return sessions


def _look(
    context: RunContext,
    one: CalibratedFrame,
    value: Pixels,
    wcs: FrameWcs,
    defects: DetectorCalibrations,
    session: int,
) -> tuple[RingProfile, tuple[Float64s, Float64s, Float64s]]:
    """Return the rings of a frame, and the light of its stars in it and in the mosaic, with their distances."""
    frame = one.frame
    pixels = calibrated_pixels(frame, defects[frame.camera_key].path, context.scratch)
    if frame.bayer is not None:
        raw = green_image(pixels, frame.bayer)
    else:
        planes = colour_planes(pixels, None)
        raw = planes[green_channel(len(planes))]
    channel = green_channel(value.shape[0])
    passed = one.transparency[green_channel(len(one.transparency))]
    window, x0, y0 = _window(one, value, wcs, channel)

    def on_mosaic(x: Float64s, y: Float64s) -> tuple[Float64s, Float64s]:
        across, along = wcs.sky_to_pixel(*one.wcs.pixel_to_sky(x, y))
        return across - x0, along - y0

    def place_on_detector(x: Float64s, y: Float64s) -> tuple[Float64s, Float64s]:
        return detector_coordinates(x, y, frame.width, frame.height)

    def fall(x: Float64s, y: Float64s) -> tuple[Float64s, Float64s]:
        u, v = place_on_detector(x, y)
        r2 = u * u + v * v
        light = sum((c * r2 ** (k + 1) for k, c in enumerate(one.illumination)), np.ones_like(r2))
        return light, np.sqrt(r2) / (0.5 * np.hypot(frame.width, frame.height) / frame.height)

    rows, columns = np.mgrid[STEP_PX : frame.height - STEP_PX : STEP_PX, STEP_PX : frame.width - STEP_PX : STEP_PX]
    x, y = columns.ravel().astype(float), rows.ravel().astype(float)
    light, radius = fall(x, y)
    seen = _nearest(window, *on_mosaic(x, y)) * (passed / pixel_area_ratio(wcs, one.wcs))
    # The slope of a frame's own sky; its bends stay, as a bend that all frames share would be a bowl in the mosaic.
    sky = sky_level(one.sky_adu[green_channel(len(one.sky_adu))][:3], *place_on_detector(x, y))
    dark = one.bias_adu + one.level_jump_adu
    profile = ring_profile((raw[rows, columns].ravel() - dark) / light - sky, seen, radius, session)
    stars = one.solved.measured.stars
    green = green_channel(stars.flux_adu.shape[1])
    clear = ~stars.saturated & (stars.flux_adu[:, green] > MIN_STAR_SNR * stars.flux_error_adu[:, green])
    x, y = stars.x_px[clear].astype(float), stars.y_px[clear].astype(float)
    light, radius = fall(x, y)
    fwhm = one.solved.measured.fwhm_px
    fwhm = fwhm if np.isfinite(fwhm) else 2.0
    in_raw = aperture_light(raw, x, y, fwhm) / light
    in_mosaic = aperture_light(window, *on_mosaic(x, y), fwhm * one.wcs.scale_arcsec / wcs.scale_arcsec)
    return profile, (in_raw, in_mosaic, radius)


def _window(one: CalibratedFrame, value: Pixels, wcs: FrameWcs, channel: int) -> tuple[NDArray[np.float32], int, int]:
    """Return the part of the mosaic under a frame and the column and row where it begins."""
    x, y = wcs.sky_to_pixel(*one.wcs.corners(one.frame.width, one.frame.height))
    x0, y0 = max(0, int(np.floor(x.min()))), max(0, int(np.floor(y.min())))
    x1, y1 = int(np.ceil(x.max())) + 1, int(np.ceil(y.max())) + 1
    return np.asarray(value[channel, y0:y1, x0:x1], np.float32), x0, y0


def _nearest(image: NDArray[np.float32], x: Float64s, y: Float64s) -> Float64s:
    """Return the pixels nearest to places, NaN outside."""
    column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    inside = (column >= 0) & (row >= 0) & (column < image.shape[1]) & (row < image.shape[0])
    seen = np.full(len(x), np.nan)
    seen[inside] = image[row[inside], column[inside]]
    return seen
