"""Less noise in a picture to look at: grain fades where nothing stands out of it, and colour more than light."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import median

__all__ = ["denoise"]

Plane = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE_PX = 5
"""Details are what differs from the mean of a square of so many pixels, taken twice ..."""
SIZES = 5
"""... in the picture and, so many sizes in all, in it at a half, a quarter ... of its size."""
LIGHT_KEPT = 0.6
"""Part of the grain that stays where the picture is as deep as usual: without any, it would look painted."""
COLOUR_KEPT = 0.15
"""Part of the coloured grain that stays: the eye sees colour less sharply than light."""
STANDS_OUT = 3.0
"""Details are taken for more than noise from so many times its variance on."""
NOISE_FALLS = 0.5
"""Noise of the next larger details, at most, as a part of that before: what exceeds it is nebulosity."""
STAR_SIGMAS = 4.0
"""From so many times the noise on a pixel's light is that of a star ..."""
BESIDE_PX = 15
"""... above the mean of a square of so many pixels ..."""
STAR_WEIGHT = 1e-4
"""... of which those of stars hardly count."""
MEASURED_STEP = 2
"""Of how many rows and columns one serves to measure the noise."""
STRIP_ROWS = 128
"""Rows of which everything is made at a time: what is needed in between stays small, and in the processor's cache."""
STARLESS_REACH, SMOOTH_REACH, POWER_REACH = BESIDE_PX // 2 + 1, BESIDE_PX // 2 + 5, SIDE_PX // 2
"""Rows on both sides of a strip that tell its pixels without stars, its smooth part (an even number), its power."""


def denoise(planes: NDArray[np.float32], frames: Plane, inside: Mask) -> None:
    """Fade the noise of a picture, to the same strength wherever it has fewer frames than usual.

    Light and colour are divided into details of growing size (the starlet transform; Starck & Murtagh 2002,
    Astronomical Image and Data Analysis).  Each is multiplied by the part of its power that is not noise, as far as the
    pixels round it say (cf. Lee 1980, IEEE Trans. PAMI 2, 165), but not by less than a part that keeps some grain.  So
    nebulae and their edges stay, and no large patches appear in place of the grain.  Stars are lifted off meanwhile:
    with a part of their details gone they would stand in dark rings.

    Parameters
    ----------
    planes : ndarray, shape (1 or 3, h, w)
        Linear, changed in place.
    frames : ndarray, shape (h, w)
        Frames per pixel, to whose root the noise is inverse; changed in place where it is 0.
    inside : ndarray, shape (h, w)
        Where there is data; elsewhere the picture becomes 0.
    """
    np.copyto(planes, np.float32(0), where=~inside)
    if not inside.any():
        return
    depth = np.maximum(frames, np.float32(1e-6), out=frames)
    np.copyto(depth, np.float32(1), where=~inside)
    usual = depth / median(depth[inside])
    np.minimum(np.sqrt(usual, out=usual), np.float32(1), out=usual)
    ground = _Ground(inside, depth, usual)
    if len(planes) == 1:
        _fade(planes[0], _stars(planes[0], ground), ground, LIGHT_KEPT)
        return
    red, green, blue = planes
    light = green  # From here on, until the end: a large picture has no room for more planes than it must have.
    light += red
    light += blue
    light /= np.float32(3)
    stars = _stars(light, ground)
    red -= light
    blue -= light
    _fade(light, stars, ground, LIGHT_KEPT)
    # The colour of a star reaches as far as its flanks.
    stars = np.asarray(cv2.dilate(stars, np.ones((3, 3), np.uint8)), np.float32)
    stars *= np.float32(2)
    np.minimum(stars, np.float32(1), out=stars)
    _fade(red, stars, ground, COLOUR_KEPT)
    _fade(blue, stars, ground, COLOUR_KEPT)
    for rows, _, _ in _strips(len(light), 0):
        mean = light[rows].copy()
        green[rows] = mean - red[rows] - blue[rows]
        red[rows] += mean
        blue[rows] += mean


@dataclass(frozen=True)
class _Ground:
    """What the pixels of a picture rest on."""

    known: Mask
    """Where there is data."""
    depth: Plane
    """Frames per pixel; 1 where there is no data."""
    usual: Plane
    """Signal to noise of a pixel's depth as a part of the usual one, 1 at most."""

    @cached_property
    def halved(self) -> _Ground:
        """The ground of planes at half the size."""
        height, width = ((side + 1) // 2 for side in self.known.shape)
        known = np.empty((height, width), np.bool_)
        depth, usual = np.empty((height, width), np.float32), np.empty((height, width), np.float32)
        for rows, _, _ in _strips(len(self.known), 0):
            half = _half_rows(rows)
            known[half] = _halved(self.known[rows].astype(np.float32)) > 0
            depth[half] = np.maximum(_half_of(self.depth[rows], self.known[rows]), np.float32(1e-6))
            usual[half] = _half_of(self.usual[rows], self.known[rows])
        return _Ground(known, depth, usual)

    def noise(self, detail: Plane) -> float:
        """Return the noise of one frame in details, blind to stars."""
        some = np.s_[::MEASURED_STEP, ::MEASURED_STEP]
        size = np.sqrt(self.depth[some])
        size *= np.abs(detail[some])
        known = size[self.known[some]]
        return 1.4826 * float(median(known)) if known.size else 0.0


def _strips(height: int, reach: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield strips of rows, which begin at even ones, each with the window around it and its place in there."""
    for first in range(0, height, STRIP_ROWS):
        last = min(first + STRIP_ROWS, height)
        top, bottom = max(0, first - reach), min(height, last + reach)
        yield slice(first, last), slice(top, bottom), slice(first - top, last - top)


def _half_rows(rows: slice) -> slice:
    """Return the rows at half the size that a strip becomes."""
    return slice(rows.start // 2, (rows.stop + 1) // 2)


def _stars(light: Plane, ground: _Ground) -> Plane:
    """Return what part of each pixel's light, measured from that of its neighbours, stands above their noise."""
    stars, away = np.zeros_like(light), np.empty_like(light)
    for _ in range(2):
        for rows, window, inner in _strips(len(light), STARLESS_REACH):
            beside = _beside(light[window], ground.known[window], stars[window])
            np.subtract(light[rows], beside[inner], out=away[rows])
        noise = np.float32(STAR_SIGMAS * ground.noise(away))
        for rows, _, _ in _strips(len(light), 0):
            limit = noise / np.sqrt(ground.depth[rows])
            limit /= np.maximum(away[rows], np.float32(1e-30))
            stars[rows] = np.maximum(np.float32(1) - limit, np.float32(0)) * ground.known[rows]
    return stars


def _beside(plane: Plane, known: Mask, stars: Plane) -> Plane:
    """Return the means of the pixels round each one without stars; of stars where there is nothing else."""
    weight = np.where(stars > 0, np.float32(STAR_WEIGHT), np.float32(1))
    weight *= known
    total = _blurred(plane * weight, BESIDE_PX)
    total /= np.maximum(_blurred(weight, BESIDE_PX), np.float32(0.01 * STAR_WEIGHT))
    return total


def _starless(plane: Plane, known: Mask, stars: Plane) -> Plane:
    """Return a plane without the light of stars."""
    light = plane - _beside(plane, known, stars)
    light *= stars
    return np.asarray(np.subtract(plane, light, out=light))


def _fade(plane: Plane, stars: Plane, ground: _Ground, kept: float) -> None:
    """Fade the noise of each size of details, down to the part that is kept at usual depth; stars stay as they are."""
    for rows, off in _noise_of(plane, stars, ground, kept, SIZES, np.inf):
        plane[rows] -= off
        plane[rows] *= ground.known[rows]


def _noise_of(
    plane: Plane, stars: Plane | None, ground: _Ground, kept: float, sizes: int, most: float
) -> Iterator[tuple[slice, Plane]]:
    """Yield, strip by strip, what is to be taken off the details of a plane, of `sizes` sizes.

    Their noise is `most` at most.  The plane may be changed where it has been yielded.
    """
    detail = np.empty_like(plane)
    small = np.empty(ground.halved.known.shape, np.float32) if sizes > 1 and min(plane.shape) >= 2 else None
    for rows, window, inner in _strips(len(plane), SMOOTH_REACH):
        known = ground.known[window]
        calm = plane[window] if stars is None else _starless(plane[window], known, stars[window])
        smooth = _around(calm, known)
        np.subtract(calm[inner], smooth[inner], out=detail[rows])
        if small is not None:
            small[_half_rows(rows)] = _half_of(smooth[inner], known[inner])
    noise = min(ground.noise(detail), most)
    if small is not None:
        for rows, off in _noise_of(small, None, ground.halved, kept, sizes - 1, NOISE_FALLS * noise):
            small[rows] = off
    for rows, window, inner in _strips(len(plane), POWER_REACH):
        power = _blurred(detail[window] * detail[window], SIDE_PX)[inner] * ground.depth[rows]
        off = np.float32(STANDS_OUT * noise**2) / np.maximum(power, np.float32(1e-30), out=power)
        off = np.minimum(off, 1.0 - np.float32(kept) * ground.usual[rows], out=off)
        off *= detail[rows]
        if small is not None:
            off += _doubled(small, rows, plane.shape[1])
        yield rows, off


def _doubled(small: Plane, rows: slice, width: int) -> Plane:
    """Return rows of a plane at twice its size."""
    half = _half_rows(rows)
    top, bottom = max(0, half.start - 1), min(len(small), half.stop + 1)
    wide = cv2.resize(small[top:bottom], None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    return np.asarray(wide[rows.start - 2 * top : rows.stop - 2 * top, :width], np.float32)


def _around(plane: Plane, known: Mask) -> Plane:
    """Return the mean of the known pixels round each known one; 0 elsewhere."""
    if known.all():
        return _twice(plane)
    total, share = _twice(plane * known), _twice(known.astype(np.float32))
    total /= np.maximum(share, np.float32(1e-6), out=share)
    total *= known
    return total


def _half_of(plane: Plane, known: Mask) -> Plane:
    """Return a plane at half the size, the mean of the known pixels; 0 where there are none."""
    if known.all():
        return _halved(plane)
    total = _halved(plane * known)
    total /= np.maximum(_halved(known.astype(np.float32)), np.float32(1e-6))
    return total


def _blurred(plane: Plane, side: int) -> Plane:
    return np.asarray(cv2.blur(plane, (side, side)), np.float32)


def _twice(plane: Plane) -> Plane:
    return _blurred(_blurred(plane, SIDE_PX), SIDE_PX)


def _halved(plane: Plane) -> Plane:
    """Return the means of 2 x 2 pixels; a last odd row or column counts twice."""
    height, width = plane.shape
    even = cv2.copyMakeBorder(plane, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
