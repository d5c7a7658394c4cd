"""Lines of equal right ascension and declination, the scale bar and the directions of north and east."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from zemosaic.arrays import Float64s
from zemosaic.picture.annotation.drawing import Box, Stroke
from zemosaic.picture.annotation.placing import LabelPlaces
from zemosaic.picture.annotation.projection import PictureWcs

__all__ = ["compass", "grid_lines", "inside_parts", "scale_bar"]

RA_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600)
"""Seconds of time between two lines of right ascension."""
DEC_STEPS_ARCSEC = (5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 72000)
BAR_ARCSEC = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 18000, 36000, 72000)
GRID_LINES = 5
"""About so many lines cross the shorter side of a picture."""
LINE_POINTS = 160
POLE_DEG = 89.5


def grid_lines(sky: PictureWcs, labels: LabelPlaces, size: int) -> list[Stroke]:
    """Return the grid's lines and put their labels along the borders.

    Parameters
    ----------
    sky : PictureWcs
    labels : LabelPlaces
        What is labelled already.
    size : int
        Of the font, pixels.
    """
    rim_x, rim_y = _rim(sky)
    ra, dec = sky.direction(rim_x, rim_y)
    pole = _pole_inside(sky)
    low, high = float(np.nanmin(dec)), float(np.nanmax(dec))
    low, high = (-90.0 if pole < 0 else low), (90.0 if pole > 0 else high)
    middle = sky.centre[0]
    offsets = (ra - middle + 180.0) % 360.0 - 180.0
    west, east = (-180.0, 180.0) if pole else (float(np.nanmin(offsets)), float(np.nanmax(offsets)))
    span_deg = min(sky.width, sky.height) * sky.degrees_per_pixel
    dec_step = _step(DEC_STEPS_ARCSEC, span_deg * 3600.0 / GRID_LINES) / 3600.0
    stretch = max(math.cos(math.radians(min(abs(sky.centre[1]), 85.0))), 0.05)
    ra_step = _step(RA_STEPS_S, span_deg / stretch * 240.0 / GRID_LINES) / 240.0
    strokes = []
    for value in _multiples(middle + west, middle + east - (1e-6 if pole else 0.0), ra_step):
        line = np.linspace(max(low, -POLE_DEG), min(high, POLE_DEG), LINE_POINTS)
        parts = list(inside_parts(sky, *sky.place(np.full_like(line, value), line)))
        strokes += [Stroke("grid", part) for part in parts]
        _label_line(labels, parts, _ra_label(value % 360.0, ra_step), size)
    for value in _multiples(low, high, dec_step):
        line = middle + np.linspace(west, east, LINE_POINTS)
        parts = list(inside_parts(sky, *sky.place(line, np.full_like(line, value))))
        strokes += [Stroke("grid", part) for part in parts]
        _label_line(labels, parts, _dec_label(value, dec_step), size)
    return strokes


def scale_bar(sky: PictureWcs, labels: LabelPlaces, size: int) -> list[Stroke]:
    """Return a bar of a round length at the bottom left, its label above it; nothing where that place is taken.

    Parameters
    ----------
    sky : PictureWcs
    labels : LabelPlaces
        What is labelled already; the bar and its label are added.
    size : int
        Of the font, pixels; the bar's distance from the edges follows it.
    """
    arcsec_per_px = 3600.0 * sky.degrees_per_pixel
    length = max((step for step in BAR_ARCSEC if step <= 0.25 * sky.width * arcsec_per_px), default=BAR_ARCSEC[0])
    left, bottom = 1.5 * size, sky.height - 1.5 * size
    right, tick = left + length / arcsec_per_px, 0.35 * size
    if not labels.put("frame", _angle(length), left, bottom - tick - 1.4 * size, size):
        return []
    labels.reserve(Box(left, bottom - tick, right, bottom + tick))
    ends = [Stroke("frame", ((x, bottom - tick), (x, bottom + tick))) for x in (left, right)]
    return [Stroke("frame", ((left, bottom), (right, bottom))), *ends]


def compass(sky: PictureWcs, labels: LabelPlaces, size: int) -> list[Stroke]:
    """Return arrows to north and east at the bottom right, with their letters; nothing beside a pole and off the sky.

    Parameters
    ----------
    sky : PictureWcs
    labels : LabelPlaces
        What is labelled already; the letters and the place of the arrows are added.
    size : int
        Of the font, pixels; the length of the arrows follows it.
    """
    length = 2.6 * size
    x, y = sky.width - 5.0 * size, sky.height - 5.0 * size
    ra, dec = (float(value) for value in sky.direction(x, y))
    if not math.isfinite(ra + dec) or abs(dec) > POLE_DEG:
        return []
    small = 10.0 * sky.degrees_per_pixel
    strokes = []
    targets = {"N": (ra, dec + small), "E": (ra + small / math.cos(math.radians(dec)), dec)}
    for letter, (there_ra, there_dec) in targets.items():
        to_x, to_y = (float(value) for value in sky.place(there_ra, there_dec))
        away = math.hypot(to_x - x, to_y - y)
        dx, dy = (to_x - x) / away, (to_y - y) / away
        tip = (x + length * dx, y + length * dy)
        strokes.append(Stroke("frame", ((x, y), tip)))
        barb = 0.3 * size
        for side in (-1, 1):
            end = (tip[0] - barb * (dx + side * 0.6 * dy), tip[1] - barb * (dy - side * 0.6 * dx))
            strokes.append(Stroke("frame", (tip, end)))
        # The letter's own box is about as wide as its font.
        labels.put("frame", letter, tip[0] + 0.8 * size * dx - 0.33 * size, tip[1] + 0.8 * size * dy - 0.6 * size, size)
    labels.reserve(Box(x - length, y - length, x + length, y + length))
    return strokes


def inside_parts(sky: PictureWcs, x: Float64s, y: Float64s) -> Iterator[tuple[tuple[float, float], ...]]:
    """Yield the parts of a line that lie in the picture, each with the points just outside that it comes from.

    Parameters
    ----------
    sky : PictureWcs
    x, y : ndarray, shape (points,)
        Places along the line.
    """
    inside = np.isfinite(x + y) & (x >= 0) & (y >= 0) & (x <= sky.width) & (y <= sky.height)
    wide = inside.copy()
    wide[1:] |= inside[:-1]
    wide[:-1] |= inside[1:]
    wide &= np.isfinite(x + y)
    edges = np.flatnonzero(np.diff(wide.astype(np.int8), prepend=0, append=0))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start >= 2:
            yield tuple((float(a), float(b)) for a, b in zip(x[start:stop], y[start:stop], strict=True))


def _label_line(labels: LabelPlaces, parts: list[tuple[tuple[float, float], ...]], text: str, size: int) -> None:
    """Put a line's label where it meets the border of the picture, at one end or the other."""
    for part in parts:
        for x, y in (part[0], part[-1]):
            left = min(max(x + 0.3 * size, 0.3 * size), labels.width - 0.65 * size * len(text))
            top = min(max(y + 0.2 * size, 0.3 * size), labels.height - 1.5 * size)
            if labels.put("grid", text, left, top, size):
                return


def _rim(sky: PictureWcs) -> tuple[Float64s, Float64s]:
    """Return places along the border of a picture."""
    part = np.linspace(0.0, 1.0, 64)
    zero, unity = np.zeros_like(part), np.ones_like(part)
    x = np.concatenate([part, unity, part, zero]) * sky.width
    y = np.concatenate([zero, part, unity, part]) * sky.height
    return x, y


def _pole_inside(sky: PictureWcs) -> int:
    """Return 1 or -1 where the north or the south pole lies in the picture, else 0."""
    for sign in (1, -1):
        x, y = (float(value) for value in sky.place(0.0, 90.0 * sign))
        if 0 <= x <= sky.width and 0 <= y <= sky.height:
            return sign
    return 0


def _step(steps: tuple[int, ...], wanted: float) -> float:
    return float(min(steps, key=lambda step: abs(math.log(step / max(wanted, 1e-9)))))


def _multiples(low: float, high: float, step: float) -> list[float]:
    return [step * k for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _ra_label(ra_deg: float, step_deg: float) -> str:
    total = round(ra_deg * 240.0) % 86400
    hours, minutes, seconds = total // 3600, total // 60 % 60, total % 60
    if step_deg >= 15.0 and not minutes and not seconds:
        return f"{hours}h"
    return f"{hours}h {minutes:02d}m" + (f" {seconds:02d}s" if step_deg * 240.0 % 60 else "")


def _dec_label(dec_deg: float, step_deg: float) -> str:
    total = round(abs(dec_deg) * 3600.0)
    # The font has neither a minus sign nor primes.
    sign = ("-" if dec_deg < 0 else "+") if total else ""
    degrees, minutes, seconds = total // 3600, total // 60 % 60, total % 60
    text = f"{sign}{degrees}°"
    if step_deg * 3600.0 % 3600:
        text += f" {minutes:02d}'"
    return text + (f' {seconds:02d}"' if step_deg * 3600.0 % 60 else "")


def _angle(arcsec: float) -> str:
    if arcsec >= 3600:
        return f"{arcsec / 3600:g}°"
    return f"{arcsec / 60:g}'" if arcsec >= 60 else f'{arcsec:g}"'
