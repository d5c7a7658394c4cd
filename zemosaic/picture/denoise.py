"""Less noise in a picture to look at: grain fades where nothing stands out of it, and colour more than light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import median

__all__ = ["denoise"]

Plane = NDArray[np.float32]

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


def denoise(planes: NDArray[np.float32], frames: Plane, inside: NDArray[np.bool_]) -> None:
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
        Frames per pixel, to whose root the noise is inverse.
    inside : ndarray, shape (h, w)
        Where there is data; elsewhere the picture becomes 0.
    """
    np.copyto(planes, np.float32(0), where=~inside)
    if not inside.any():
        return
    depth = np.where(inside, np.maximum(frames, np.float32(1e-6)), np.float32(1))
    ground = _Ground(inside.astype(np.float32), depth)
    usual = np.minimum(np.sqrt(depth / median(depth[inside])), np.float32(1))
    if len(planes) == 1:
        planes[0] = _denoised(planes[0], ground, _Beside(ground, _stars(planes[0], ground)), LIGHT_KEPT * usual)
        return
    red, green, blue = planes
    light = planes.mean(axis=0)
    stars = _stars(light, ground)
    red -= light
    blue -= light
    light = _denoised(light, ground, _Beside(ground, stars), LIGHT_KEPT * usual)
    # The colour of a star reaches as far as its flanks.
    stars = np.minimum(2.0 * cv2.dilate(stars, np.ones((3, 3), np.uint8)), np.float32(1))
    beside = _Beside(ground, stars)
    for colour in red, blue:
        colour[:] = _denoised(colour, ground, beside, COLOUR_KEPT * usual)
    green[:] = light - red - blue
    red += light
    blue += light


@dataclass(frozen=True)
class _Ground:
    """What the pixels of a picture rest on."""

    known: Plane
    """1 where there is data, else 0."""
    depth: Plane
    """Frames per pixel; 1 where there is no data."""

    def around(self, plane: Plane) -> Plane:
        """Return the mean of the known pixels round each known one; 0 elsewhere."""
        total = _twice(plane * self.known)
        total *= self._per_known
        return total

    def half(self, plane: Plane) -> Plane:
        """Return a plane at half the size, the mean of the known pixels; 0 where there are none."""
        total = _halved(plane * self.known)
        total *= self._per_known_half
        return total

    @cached_property
    def halved(self) -> _Ground:
        """The ground of planes at half the size."""
        return _Ground(np.ceil(_halved(self.known)), np.maximum(self.half(self.depth), np.float32(1e-6)))

    @cached_property
    def _per_known(self) -> Plane:
        """1 over the part of the pixels round each one that is known; 0 where it is not known itself."""
        return np.asarray(self.known / np.maximum(_twice(self.known), np.float32(1e-6)))

    @cached_property
    def _per_known_half(self) -> Plane:
        return np.asarray(np.float32(1) / np.maximum(_halved(self.known), np.float32(1e-6)))

    def noise(self, detail: Plane) -> float:
        """Return the noise of one frame in details, blind to stars."""
        some = np.s_[::MEASURED_STEP, ::MEASURED_STEP]
        size = (np.abs(detail[some]) * np.sqrt(self.depth[some]))[self.known[some] > 0]
        return 1.4826 * float(median(size)) if size.size else 0.0


def _stars(light: Plane, ground: _Ground) -> Plane:
    """Return what part of each pixel's light, measured from that of its neighbours, stands above their noise."""
    stars = np.zeros_like(light)
    for _ in range(2):
        away = light - _Beside(ground, stars)(light)
        limit = np.float32(STAR_SIGMAS * ground.noise(away)) / np.sqrt(ground.depth)
        stars = np.maximum(1.0 - limit / np.maximum(away, np.float32(1e-30)), np.float32(0)) * ground.known
    return stars


class _Beside:
    """Means of the pixels round each one without stars; of stars where there is nothing else."""

    def __init__(self, ground: _Ground, stars: Plane) -> None:
        self._stars = stars
        self._weight = ground.known * np.where(stars > 0, np.float32(STAR_WEIGHT), np.float32(1))
        self._share = np.maximum(_blurred(self._weight, BESIDE_PX), np.float32(0.01 * STAR_WEIGHT))

    def __call__(self, plane: Plane) -> Plane:
        total = _blurred(plane * self._weight, BESIDE_PX)
        total /= self._share
        return total

    def starless(self, plane: Plane) -> Plane:
        """Return a plane without the light of stars."""
        light = plane - self(plane)
        light *= self._stars
        return np.asarray(np.subtract(plane, light, out=light))


def _denoised(plane: Plane, ground: _Ground, beside: _Beside, least: Plane) -> Plane:
    """Return a plane with the noise of each size of details faded, down to a part of `least`; stars as they are."""
    calm = plane - _noise_of(beside.starless(plane), ground, least, SIZES, np.inf)
    calm *= ground.known
    return np.asarray(calm)


def _noise_of(plane: Plane, ground: _Ground, least: Plane, sizes: int, most: float) -> Plane:
    """Return what is to be taken off the details of a plane, of `sizes` sizes, whose noise is `most` at most."""
    smooth = ground.around(plane)
    detail = plane - smooth
    noise = min(ground.noise(detail), most)
    power = _blurred(detail * detail, SIDE_PX)
    power *= ground.depth
    off = np.float32(STANDS_OUT * noise**2) / np.maximum(power, np.float32(1e-30), out=power)
    off = np.minimum(off, 1.0 - least, out=off) * detail
    if sizes > 1 and min(plane.shape) >= 2:
        small = _noise_of(ground.half(smooth), ground.halved, ground.half(least), sizes - 1, NOISE_FALLS * noise)
        wide = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        off += wide[: len(off), : off.shape[1]]
    return np.asarray(off)


def _blurred(plane: Plane, side: int) -> Plane:
    return np.asarray(cv2.blur(plane, (side, side)), np.float32)


def _twice(plane: Plane) -> Plane:
    return _blurred(_blurred(plane, SIDE_PX), SIDE_PX)


def _halved(plane: Plane) -> Plane:
    """Return the means of 2 x 2 pixels; a last odd row or column counts twice."""
    height, width = plane.shape
    even = cv2.copyMakeBorder(plane, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(even, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.float32)
