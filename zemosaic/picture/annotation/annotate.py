"""What a picture of the sky shows: names, outlines, grid, scale and directions, laid out so that all can be read."""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import pairwise
from typing import get_args

import numpy as np

from zemosaic.arrays import Float64s
from zemosaic.catalogue.deep_sky import DeepSkyObject, deep_sky_objects
from zemosaic.catalogue.named_stars import NamedStar, constellation_lines, named_stars
from zemosaic.picture.annotation.drawing import Annotation, Box, Kind, Stroke
from zemosaic.picture.annotation.grid import compass, grid_lines, inside_parts, scale_bar
from zemosaic.picture.annotation.placing import LabelPlaces
from zemosaic.picture.annotation.projection import PictureWcs

__all__ = ["ALL_KINDS", "annotate"]

ALL_KINDS: tuple[Kind, ...] = get_args(Kind)

MIN_FONT_PX = 11
FONT_PART = 95.0
"""The font is so small a part of the picture's diagonal."""
MAX_OBJECT_LABELS = 80
MIN_OUTLINE_FONTS = 0.5
"""An outline that is smaller, in sizes of the font, is drawn as a circle of that size."""
MAX_KEPT_CLEAR_FONTS = 3.0
"""Outlines smaller than this, in sizes of the font, are not covered by labels."""
MAX_UNNAMED_MAGNITUDE = 14.5
"""Fainter objects of the catalogue without a common name are left out, unless they are large."""
MIN_FIGURES_DEG = 4.0
"""Lines of constellations are drawn where it is so far from the middle of the picture to its corners."""
POINTS_OF_LINE = 65
MIN_UNNAMED_PX = 24.0
"""Apparent length from which on an unnamed object of unknown or faint magnitude is shown."""


def annotate(sky: PictureWcs, kinds: Collection[Kind] = ALL_KINDS) -> Annotation:
    """Return what is drawn over a picture.

    Parameters
    ----------
    sky : PictureWcs
        Size of the picture and where it lies on the sky.
    kinds : collection of Kind
        What is to be drawn; what is not leaves its place to the labels of the rest.

    Raises
    ------
    InputError
        The database of deep-sky objects cannot be read.
    """
    size = max(MIN_FONT_PX, round(math.hypot(sky.width, sky.height) / FONT_PART))
    labels = LabelPlaces(sky.width, sky.height)
    strokes = [*scale_bar(sky, labels, size), *compass(sky, labels, size)] if "frame" in kinds else []
    marks: list[tuple[str, Box]] = []
    for item in deep_sky_objects(*sky.centre, sky.radius_deg) if "object" in kinds else ():
        if len(marks) == MAX_OBJECT_LABELS:
            break
        mark = _outline(sky, item, size) if _worth_showing(sky, item) else None
        if mark is not None:
            marks.append((item.label, mark[1]))
            strokes += mark[0]
    stars = []
    for star in named_stars(*sky.centre, sky.radius_deg) if "star" in kinds else ():
        x, y = (float(value) for value in sky.place(star.ra_deg, star.dec_deg))
        if 0 <= x <= sky.width and 0 <= y <= sky.height:
            stars.append((star.name, Box(x, y, x, y).wider(0.6 * size)))
    for _, box in marks:
        if max(box.right - box.left, box.bottom - box.top) < MAX_KEPT_CLEAR_FONTS * size:
            labels.reserve(box)
    # Names of stars are short and few, and the stars are what the eye meets first.
    for text, box in stars:
        labels.put_beside("star", text, box, size)
    for text, box in marks:
        labels.put_beside("object", text, box, size)
    lines = grid_lines(sky, labels, max(MIN_FONT_PX - 1, round(0.8 * size))) if "grid" in kinds else []
    if "figure" in kinds and sky.radius_deg >= MIN_FIGURES_DEG:
        lines = [*lines, *_figures(sky)]
    return Annotation(sky.width, sky.height, (*lines, *strokes), tuple(labels.labels), max(1.0, size / 12.0))


def _figures(sky: PictureWcs) -> list[Stroke]:
    """Return the lines of constellations, along great circles."""
    strokes = []
    for line in constellation_lines():
        for one, other in pairwise(line):
            first, last = (_direction(star) for star in (one, other))
            # A chord through the sphere, seen from its middle, lies over the great circle.
            chord = first + np.linspace(0.0, 1.0, POINTS_OF_LINE)[:, None] * (last - first)
            ra = np.degrees(np.arctan2(chord[:, 1], chord[:, 0]))
            dec = np.degrees(np.arctan2(chord[:, 2], np.hypot(chord[:, 0], chord[:, 1])))
            strokes += [Stroke("figure", part) for part in inside_parts(sky, *sky.place(ra, dec))]
    return strokes


def _direction(star: NamedStar) -> Float64s:
    ra, dec = math.radians(star.ra_deg), math.radians(star.dec_deg)
    return np.array([math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)])


def _worth_showing(sky: PictureWcs, item: DeepSkyObject) -> bool:
    if item.messier or item.common_name:
        return True
    length_px = item.major_arcmin / 60.0 / sky.degrees_per_pixel
    return length_px >= MIN_UNNAMED_PX or item.magnitude <= MAX_UNNAMED_MAGNITUDE


def _outline(sky: PictureWcs, item: DeepSkyObject, size: int) -> tuple[list[Stroke], Box] | None:
    """Return the lines of an object's outline and the box around it; None where its centre is not in the picture."""
    x, y = (float(value) for value in sky.place(item.ra_deg, item.dec_deg))
    if not (0 <= x <= sky.width and 0 <= y <= sky.height):
        return None
    smallest = MIN_OUTLINE_FONTS * size * 2.0 * sky.degrees_per_pixel
    major, minor = item.major_arcmin / 60.0, item.minor_arcmin / 60.0
    if major < smallest:
        major = minor = smallest
    xs, ys = sky.outline(item.ra_deg, item.dec_deg, major, minor, item.position_angle_deg)
    box = Box(float(xs.min()), float(ys.min()), float(xs.max()), float(ys.max()))
    if box.within(sky.width, sky.height):
        points = tuple((float(a), float(b)) for a, b in zip(xs, ys, strict=True))
        return [Stroke("object", points, closed=True)], box
    return [Stroke("object", part) for part in inside_parts(sky, xs, ys)], box
