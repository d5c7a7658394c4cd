"""The outlines of the frames that a finished mosaic is made of, drawn over it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.gui.presenter.frames.frames_files import REPORT_NAME
from zemosaic.gui.presenter.result.picture_view import Viewport
from zemosaic.text.plain_text import json_value
from zemosaic.wcs import FrameWcs

__all__ = ["Outlines", "draw_outlines", "outlines_of"]

Outlines = NDArray[np.float64]
"""Corners of frames in picture places, shape (frames, 4, 2)."""

_INK = (255, 176, 64)
_CORNERS = 4
_SINGLE_OPACITY = 0.9
_MANY = 30
"""From so many frames on each outline is drawn fainter, so that the picture beneath stays in sight."""
_MIN_OPACITY = 0.2


def outlines_of(mosaic: Path, wcs: FrameWcs | None, height: int) -> Outlines:
    """Return the outlines of the used frames that the report beside a mosaic tells of.

    Parameters
    ----------
    mosaic : Path
    wcs : FrameWcs or None
        Of the mosaic's pixels; without it there are no outlines.
    height : int
        Rows of the mosaic.

    Returns
    -------
    ndarray, shape (frames, 4, 2)
        Places (x, y) of the corners, y from the top; no frames where there is no report.
    """
    none = np.empty((0, _CORNERS, 2))
    if wcs is None:
        return none
    try:
        report = json_value(mosaic.with_name(REPORT_NAME).read_text(encoding="utf-8", errors="replace"))
        corners = [
            (frame["corners_ra_deg"], frame["corners_dec_deg"])
            for frame in report["frames"]
            if frame["status"] == "used" and len(frame["corners_ra_deg"]) == _CORNERS
        ]
        sky = np.array(corners, float).reshape(-1, 2, _CORNERS)
    except (OSError, ValueError, KeyError, TypeError):
        return none
    x, y = wcs.sky_to_pixel(sky[:, 0], sky[:, 1])
    places = np.stack([np.asarray(x) + 0.5, height - 0.5 - np.asarray(y)], axis=-1)
    return np.asarray(places[np.isfinite(places).all(axis=(1, 2))])


def draw_outlines(picture: NDArray[np.uint8], view: Viewport, outlines: Outlines) -> None:
    """Draw outlines into what a view shows, shape (h, w, 3).

    Parameters
    ----------
    picture : ndarray, shape (h, w, 3), uint8
        What the view shows; it is drawn into.
    view : Viewport
    outlines : ndarray, shape (frames, 4, 2)
        From `outlines_of`.
    """
    import cv2

    left, top, _, _ = view.box()
    points = np.rint((outlines - (left, top)) * view.scale)
    height, width = picture.shape[:2]
    seen = (points.max(axis=1) >= 0).all(axis=1) & (points.min(axis=1) <= (width, height)).all(axis=1)
    chosen = points[seen].astype(np.int32)
    if not len(chosen):
        return
    drawn = picture.copy()
    cv2.polylines(drawn, list(chosen), True, _INK, 1, cv2.LINE_AA)
    opacity = max(_SINGLE_OPACITY * min(1.0, _MANY / len(chosen)), _MIN_OPACITY)
    picture[:] = cv2.addWeighted(drawn, opacity, picture, 1.0 - opacity, 0.0)
