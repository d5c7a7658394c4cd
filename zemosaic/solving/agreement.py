"""Whether stars agree with the place of a frame: those of the catalogue, or those of frames that are believed.

Hot pixels form a pattern that is the same in every frame of a camera.  Two frames matched by it lie upon each
other exactly, whatever the telescope did in between, and the match is as close as any.  What tells it from a match
by stars is the catalogue and, where the catalogue has too few stars, the detections that moved on the sensor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s
from zemosaic.catalogue import Catalogue
from zemosaic.solving.base import AFFINE_STARS, MIN_MATCHED_STARS, StarField
from zemosaic.solving.fit import chance_of, one_to_one
from zemosaic.solving.verify import match_radius_px, stars_in
from zemosaic.wcs import FrameWcs, separation_deg

__all__ = ["Neighbour", "catalogue_agrees", "is_believed", "moved_only", "standing_still"]

Flags = NDArray[np.bool_]

MAX_STILL_PX = 2.5
"""Detections no further apart than this on the sensor stand still: a faint hot pixel is centred to 1 or 2 pixels."""
MAX_NEIGHBOUR_PX = 2.5
"""A star and its place in frames that are believed may differ by so much."""
MAX_CHANCE_CATALOGUE = 1e-7
MAX_CHANCE_NEIGHBOURS = 1e-5
"""Greatest chances that as many stars agree with a wrong place by accident."""
MIN_CATALOGUE_MATCHES = 4
MIN_SHARE_MATCHED = 0.25
"""Of the stars that a frame and its neighbours could have in common, at least this part agrees."""
MAX_HINT_SHIFT = 0.05
"""Headers whose pointings differ by more than this part of the frame's diagonal say that the telescope moved."""


@dataclass(frozen=True)
class Neighbour:
    """A frame whose place is believed, and its detections."""

    wcs: FrameWcs
    x_px: Float64s
    """Columns of the detections, brightest first, shape (n,)."""
    y_px: Float64s
    same_camera: bool
    """Whether the frame's pixels are those of the same sensor."""
    ra_deg: float | None = None
    """Where its header points; None where the header does not tell."""
    dec_deg: float | None = None

    def only(self, keep: Flags) -> Neighbour:
        """Return the neighbour with some of its detections."""
        return replace(self, x_px=self.x_px[keep], y_px=self.y_px[keep])


def is_believed(wcs: FrameWcs, field: StarField, catalogues: Sequence[Catalogue], near: Sequence[Neighbour]) -> bool:
    """Return whether stars confirm the place of a frame that was matched to its neighbours.

    Parameters
    ----------
    wcs : FrameWcs
        The place in question.
    field : Field
        The frame's detections; its hint tells whether the telescope moved.
    catalogues : sequence of Catalogue
        One that agrees is enough.
    near : sequence of Neighbour
        Frames that are believed already.

    Returns
    -------
    bool
        True where a catalogue's stars agree, or the neighbours' stars that moved on the sensor.  Where next to
        nothing moved on the sensor, the telescope may have stood still: then the place is believed if the
        catalogue is too poor to decide and the headers do not say that the telescope moved.
    """
    if any(catalogue_agrees(wcs, field, catalogue) for catalogue in catalogues):
        return True
    moved, moved_near = moved_only(field, near)
    if len(moved) >= MIN_MATCHED_STARS and any(len(one.x_px) >= MIN_MATCHED_STARS for one in moved_near):
        return _neighbours_agree(wcs, moved, moved_near)
    decidable = any(len(stars_in(wcs, field, catalogue)) >= AFFINE_STARS for catalogue in catalogues)
    return not decidable and not _headers_tell_of_motion(wcs, field, near)


def catalogue_agrees(wcs: FrameWcs, field: StarField, catalogue: Catalogue) -> bool:
    """Return whether more of a catalogue's stars stand where `wcs` says than chance would have it.

    Unlike `confirm`, nothing is fitted: a place that was found without the catalogue is right as it is.

    Parameters
    ----------
    wcs : FrameWcs
        The place in question.
    field : Field
        The frame's detections.
    catalogue : Catalogue
        Stars to compare with.
    """
    stars = stars_in(wcs, field, catalogue)
    if len(stars) < MIN_CATALOGUE_MATCHES:
        return False
    seen = np.column_stack([field.x_px, field.y_px])
    there = np.column_stack(wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg))
    radius, area = match_radius_px(wcs.scale_arcsec), float(field.width * field.height)
    # The catalogue's stars are among the brightest detections, unless many hot pixels are brighter.
    for some in (seen[: 20 + 5 * len(stars)], seen):
        matched, expected = _matched(some, there, radius, area)
        if matched >= MIN_CATALOGUE_MATCHES and chance_of(matched, 1, expected) < MAX_CHANCE_CATALOGUE:
            return True
    return False


def standing_still(field: StarField, near: Sequence[Neighbour]) -> Flags:
    """Return which of a frame's detections are at the same place on the sensor in a neighbour, shape (n,).

    Parameters
    ----------
    field : StarField
    near : sequence of Neighbour
        Only those of the same camera count.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    still = np.zeros(len(field), bool)
    for frame in near:
        if frame.same_camera and len(frame.x_px):
            still |= _close_by(field.x_px, field.y_px, frame.x_px, frame.y_px)
    return still


def _without(field: StarField, some: Flags) -> StarField:
    """Return a field without some of its detections, given as flags of shape (n,)."""
    return replace(field, x_px=field.x_px[~some], y_px=field.y_px[~some])


def moved_only(field: StarField, near: Sequence[Neighbour]) -> tuple[StarField, list[Neighbour]]:
    """Return a frame and its neighbours without the detections that stand still on the sensor.

    Parameters
    ----------
    field : StarField
    near : sequence of Neighbour
    """
    return _without(field, standing_still(field, near)), [frame.only(~_still_with(frame, field)) for frame in near]


def _still_with(one: Neighbour, field: StarField) -> Flags:
    if not one.same_camera or not len(field):
        return np.zeros(len(one.x_px), bool)
    return _close_by(one.x_px, one.y_px, field.x_px, field.y_px)


def _close_by(x: Float64s, y: Float64s, other_x: Float64s, other_y: Float64s) -> Flags:
    tree = cKDTree(np.column_stack([other_x, other_y]))
    distance = tree.query(np.column_stack([x, y]), distance_upper_bound=MAX_STILL_PX)[0]
    close: Flags = np.isfinite(distance)
    return close


def _neighbours_agree(wcs: FrameWcs, field: StarField, near: Sequence[Neighbour]) -> bool:
    """Whether the stars of one neighbour at least, those that moved on the sensor, are where `wcs` has them."""
    seen = np.column_stack([field.x_px, field.y_px])
    area = float(field.width * field.height)
    for frame in near:
        x, y = wcs.sky_to_pixel(*frame.wcs.pixel_to_sky(frame.x_px, frame.y_px))
        inside = (x > 0) & (x < field.width - 1) & (y > 0) & (y < field.height - 1)
        there = np.column_stack([x[inside], y[inside]])
        matched, expected = _matched(seen, there, MAX_NEIGHBOUR_PX, area)
        fewest = max(MIN_MATCHED_STARS, MIN_SHARE_MATCHED * min(len(seen), len(there)))
        if matched >= fewest and chance_of(matched, 3, expected) < MAX_CHANCE_NEIGHBOURS:
            return True
    return False


def _matched(seen: Float64s, there: Float64s, radius_px: float, area_px: float) -> tuple[int, float]:
    """Return how many points agree one to one, and how many would by chance."""
    if not len(seen) or not len(there):
        return 0, 0.0
    expected = len(seen) * len(there) * np.pi * radius_px**2 / area_px
    return len(one_to_one(seen, cKDTree(there), radius_px)), float(expected)


def _headers_tell_of_motion(wcs: FrameWcs, field: StarField, near: Sequence[Neighbour]) -> bool:
    """Whether the header's pointing differs from those of all neighbours of the same camera."""
    if field.ra_deg is None or field.dec_deg is None:
        return False
    reach_deg = MAX_HINT_SHIFT * 2.0 * field.half_diagonal_px * wcs.scale_arcsec / 3600.0
    apart = [
        float(separation_deg(field.ra_deg, field.dec_deg, frame.ra_deg, frame.dec_deg))
        for frame in near
        if frame.same_camera and frame.ra_deg is not None and frame.dec_deg is not None
    ]
    return bool(apart) and min(apart) > reach_deg
