"""What the user says of all frames of a run, where headers lack it or say something else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from zemosaic.errors import FrameError
from zemosaic.frames.headers.header import find_image
from zemosaic.frames.headers.optics import MAX_SCALE_ARCSEC, MIN_SCALE_ARCSEC, focal_length_mm, pixel_size_um
from zemosaic.model import FrameRef
from zemosaic.settings.region import parse_pointing
from zemosaic.settings.schema import Settings

__all__ = ["with_given_optics"]


def with_given_optics(frames: Sequence[FrameRef], settings: Settings) -> tuple[FrameRef, ...]:
    """Return the frames with the plate scale and the pointing that the settings give.

    Parameters
    ----------
    frames : sequence of FrameRef
        As their headers describe them.
    settings : Settings
        `pixel_scale_arcsec` goes before `focal_length_mm` and `pixel_size_um`.  Scale and size are those of the
        sensor's own pixels, so that binned frames count by their binning.  Of focal length and pixel size, the one
        that is not given comes from each header.

    Returns
    -------
    tuple of FrameRef
        The same frames where nothing is given.
    """
    place = parse_pointing(settings.pointing)
    if place is not None:
        frames = [replace(frame, ra_deg=place[0], dec_deg=place[1]) for frame in frames]
    if settings.pixel_scale_arcsec or settings.focal_length_mm or settings.pixel_size_um:
        frames = [replace(frame, scale_arcsec=_scale(frame, settings)) for frame in frames]
    return tuple(frames)


def _scale(frame: FrameRef, settings: Settings) -> float | None:
    """Return the plate scale of a frame in arcsec; the header's where what is given does not make a scale."""
    if settings.pixel_scale_arcsec:
        scale = settings.pixel_scale_arcsec * frame.binning
    else:
        focal_mm, pixel_um = settings.focal_length_mm, settings.pixel_size_um * frame.binning
        if not (focal_mm and pixel_um):
            focal_mm, pixel_um = _from_header(frame, focal_mm, pixel_um)
        if not (focal_mm > 0.0 and pixel_um > 0.0):
            return frame.scale_arcsec
        scale = math.degrees(math.atan(pixel_um * 1e-3 / focal_mm)) * 3600.0
    return scale if MIN_SCALE_ARCSEC <= scale <= MAX_SCALE_ARCSEC else frame.scale_arcsec


def _from_header(frame: FrameRef, focal_mm: float, pixel_um: float) -> tuple[float, float]:
    """Return focal length and size of a binned pixel, what is 0 filled in from the header as far as it tells."""
    try:
        header = find_image(Path(frame.path)).header
    except FrameError:
        return focal_mm, pixel_um
    focal_mm = focal_mm or focal_length_mm(header) or 0.0
    return focal_mm, pixel_um or pixel_size_um(header, frame.binning) or 0.0
