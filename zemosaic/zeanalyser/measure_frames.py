"""One look at a frame's pixels: sky, noise, stars, their light and their shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import sep
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, median, median_sigma
from zemosaic.errors import FrameError
from zemosaic.frames.debayer import half_size
from zemosaic.model import FrameRef, MeasuredFrame, StarList, Trail
from zemosaic.zeanalyser.flux import star_fluxes
from zemosaic.zeanalyser.psf import fit_psf, psf_samples, refine_centroids
from zemosaic.zeanalyser.trails import find_trails

__all__ = ["colour_sites", "cut_off_level", "measure"]


MAX_STARS = 250
"""Brightest stars kept per frame."""
DETECTION_SIGMA = 6.0
"""In noise of the smoothed image."""
DEBLENDING_LEVELS = 16
"""Twice as many take twice the time and part no more stars."""
MIN_NARROW_STARS = 12
"""Where fewer stars are found, wider kernels are tried too: out of focus, or finely sampled, stars are wide."""
WIDE_SIGMAS = (1.3, 3.0)
"""Of those kernels, in pixels at half size."""
MIN_WIDE_GAIN = 1.5
"""Nebulae have knots as wide: what such a kernel finds must be this many times more."""
MAX_NEIGHBOUR_SHARE = 0.12
"""Light of the nearest pixels of the same colour, relative to that of the brightest, up to which a detection is a
single bright pixel; of a star that is 1.6 pixels wide they have more, wherever on the pixel it lies."""
PSF_STARS = 32
SNR_STARS = 50
"""Stars whose signal to noise is the frame's: as many in every frame."""
EDGE_PX = 8
WINDOW_PER_FWHM = 1.2 / 2.3548
WINDOW_PX = 0.45
"""Sigma of the window in which stars are centred: of the stars' width, and of the spacing of its pixels' colour."""
MAX_WIDTH_FWHM = 2.5
"""Detections wider than this many FWHM are no stars that could tell how much light a window misses."""
CLIPPED_STD = 0.9866
"""Standard deviation of a unit normal cut off at 3 sigma."""
_KERNEL = np.array([[1, 3, 1], [3, 10, 3], [1, 3, 1]], np.float32)
SKY_PIXELS = 30_000
"""So many of a plane's pixels, at least, tell its sky and noise."""
PIXEL_STACK = 300_000
"""Size of sep's table of bright pixels; it is cleared at each call, so that more costs time."""


@dataclass(frozen=True)
class _View:
    """A frame as it is looked at: colour planes for sky and noise, and the image in which stars are found."""

    planes: tuple[Float32s, ...]
    green: int
    finding: Float32s
    """Green or mono at half size: wide stars stand out better, and a quarter of the pixels is soon searched."""
    bayer: bool

    step = 2
    """Raw pixels to one of `finding`."""

    def to_raw(self, position: NDArray[np.float64]) -> NDArray[np.float64]:
        return (position + 0.5) * self.step - 0.5


def colour_sites(frame: FrameRef) -> NDArray[np.bool_]:
    """Return which pixels of each 2 x 2 block are green, shape (2, 2); all where there is no Bayer mask."""
    if frame.bayer is None:
        return np.ones((2, 2), np.bool_)
    return np.array([letter == "G" for letter in frame.bayer]).reshape(2, 2)


def measure(frame: FrameRef, pixels: NDArray[np.generic], cut_off: float | None = None) -> MeasuredFrame:
    """Measure a frame whose defects are mended.

    Parameters
    ----------
    frame : FrameRef
    pixels : ndarray, shape (h, w) or (h, w, 3)
        Raw values, as `zemosaic.frames.pixels` reads them, or calibrated ones.
    cut_off : float, optional
        Level above which peaks may be cut off, where the pixels no longer tell it (`cut_off_level`).

    Raises
    ------
    FrameError
        When the frame holds no light that could be measured: blank, or not a number.
    """
    view = _view(frame, pixels)
    sky, noise = zip(*(_sky_and_noise(plane) for plane in view.planes), strict=True)
    if not all(math.isfinite(value) for value in sky) or max(noise) <= 0:
        raise FrameError("reason.blank", path=frame.path)
    green = view.finding
    base = sep.Background(green, bw=32, bh=32, fw=3, fh=3, mask=_mask(green))
    back = base.back()
    light = green - back
    trails = find_trails(light, base.globalrms, view.step)
    detections = _detect(light, base.globalrms, _mask(green))
    x, y = view.to_raw(detections["x"]), view.to_raw(detections["y"])
    local = back[np.rint(detections["y"]).astype(int), np.rint(detections["x"]).astype(int)].astype(float)
    image = pixels if pixels.ndim == 2 else pixels[..., 1]
    sites = colour_sites(frame)
    stars = ~_on_trails(x, y, trails) & ~_single_pixels(image, sites, detections, local, view)
    more = int(stars[2 * MAX_STARS :].sum())
    stars[2 * MAX_STARS :] = False  # counted, but too faint to be among those that are kept
    detections, x, y, local = detections[stars], x[stars], y[stars], local[stars]
    raw_sigma = _typical_sigma(detections) * view.step
    x, y = refine_centroids(image, sites, x, y, local, raw_sigma)
    good = np.isfinite(x) & (x > EDGE_PX) & (y > EDGE_PX) & (x < frame.width - EDGE_PX) & (y < frame.height - EDGE_PX)
    good = np.flatnonzero(good)
    more += max(len(good) - MAX_STARS, 0)
    good = good[:MAX_STARS]
    detections, x, y, local = detections[good], x[good], y[good], local[good]
    peaks = detections["peak"] + local if view.bayer else _peaks(view.planes[view.green], x, y)
    saturated = peaks > (cut_off_level(pixels) if cut_off is None else cut_off)
    shape = _shape(image, sites, (x, y, local), detections, saturated, raw_sigma)
    if math.isfinite(shape[0]):
        window = math.hypot(WINDOW_PER_FWHM * shape[0], WINDOW_PX * view.step)
        x, y = _refined_centroids(image, sites, (x, y, local), window)
    moments = 2.3548 * np.sqrt(0.5 * (detections["a"] ** 2 + detections["b"] ** 2)) * view.step
    fwhm = shape[0] if math.isfinite(shape[0]) else float(median(moments)) if len(moments) else math.nan
    flux, error = star_fluxes(frame, pixels, x, y, fwhm, ~saturated & (moments < MAX_WIDTH_FWHM * fwhm))
    known = np.flatnonzero(np.isfinite(flux).all(axis=1))
    order = known[np.argsort(-flux[known, view.green], kind="stable")]
    star_list = StarList(
        x_px=x[order],
        y_px=y[order],
        flux_adu=flux[order].astype(np.float32),
        flux_error_adu=error[order].astype(np.float32),
        fwhm_px=moments[order].astype(np.float32),
        saturated=saturated[order],
    )
    return MeasuredFrame(
        frame=frame,
        stars=star_list,
        sky_adu=tuple(float(value) for value in sky),
        noise_adu=tuple(_raw_noise(noise, view)),
        fwhm_px=fwhm,
        eccentricity=shape[1],
        position_angle_deg=shape[2],
        sharpness=_sharpness(peaks[order] - local[order], flux[order, view.green], saturated[order]),
        gradient_adu=_gradient(back),
        snr=_signal_to_noise(flux[order, view.green], error[order, view.green]),
        trails=trails,
        more_stars=more,
    )


def _view(frame: FrameRef, pixels: NDArray[Any]) -> _View:
    if frame.bayer is not None:
        planes = tuple(half_size(pixels, frame.bayer))
        return _View(planes, 1, planes[1], bayer=True)
    if pixels.ndim == 3:
        planes = tuple(np.ascontiguousarray(pixels[..., c], np.float32) for c in range(3))
        return _View(planes, 1, _halved(planes[1]), bayer=False)
    planes = (np.ascontiguousarray(pixels, np.float32),)
    return _View(planes, 0, _halved(planes[0]), bayer=False)


def _halved(plane: Float32s) -> Float32s:
    """Return the means of 2 x 2 pixels; an odd last row or column is left out."""
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    halved: Float32s = cv2.resize(plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
    return halved


def _mask(plane: Float32s) -> NDArray[np.bool_] | None:
    bad = ~np.isfinite(plane)
    return bad if bad.any() else None


def _sky_and_noise(plane: Float32s) -> tuple[float, float]:
    """Return the sky level and the noise of a plane's pixel, both blind to stars and gradients."""
    apart = max(1, math.isqrt(plane.size // SKY_PIXELS))
    sample = plane[::apart, ::apart]
    sample = sample[np.isfinite(sample)]
    if sample.size < 100:
        return math.nan, 0.0
    level = float(median(sample))
    spread = median_sigma(sample - level)
    level = float(median(sample[np.abs(sample - level) <= 3.0 * spread]))
    steps = plane[:: apart**2, 2:] - plane[:: apart**2, :-2]
    steps = steps[np.isfinite(steps)]
    limit = 3.0 * 1.4826 * float(median(np.abs(steps)))
    inner = steps[np.abs(steps) <= limit]
    return level, float(np.std(inner)) / (CLIPPED_STD * math.sqrt(2.0)) if inner.size else 0.0


def _raw_noise(noise: tuple[float, ...], view: _View) -> list[float]:
    """Return the noise of one raw pixel per channel: a half-size green one is the mean of two."""
    return [value * (math.sqrt(2.0) if view.bayer and c == view.green else 1.0) for c, value in enumerate(noise)]


def _detect(plane: Float32s, noise: float, mask: NDArray[np.bool_] | None) -> NDArray[np.void]:
    """Return what stands out, the brightest first; where that is little, wide stars are looked for as well."""
    detections = _extract(plane, noise, mask, _KERNEL)
    for sigma in WIDE_SIGMAS:
        if len(detections) >= MIN_NARROW_STARS:
            break
        wide = _extract(plane, noise, mask, _gaussian(sigma))
        if len(wide) > MIN_WIDE_GAIN * len(detections):
            detections = wide
    return detections[np.argsort(-detections["flux"], kind="stable")]


def _extract(plane: Float32s, noise: float, mask: NDArray[np.bool_] | None, kernel: Float32s) -> NDArray[np.void]:
    sep.set_extract_pixstack(max(PIXEL_STACK, plane.size // 2))
    sep.set_sub_object_limit(8192)
    smoothed = noise * math.sqrt(float((kernel**2).sum())) / float(kernel.sum())
    detections: NDArray[np.void] = sep.extract(
        plane,
        DETECTION_SIGMA * smoothed,
        filter_kernel=kernel,
        filter_type="conv",
        minarea=2,
        mask=mask,
        deblend_nthresh=DEBLENDING_LEVELS,
    )
    return detections


def _gaussian(sigma: float) -> Float32s:
    """Return a round kernel that reaches to 2 sigma, peak 1."""
    d = np.arange(-math.ceil(2.0 * sigma), math.ceil(2.0 * sigma) + 1)
    kernel: Float32s = np.exp(-0.5 * (d[:, None] ** 2 + d[None, :] ** 2) / sigma**2).astype(np.float32)
    return kernel


def _single_pixels(
    image: NDArray[Any], sites: NDArray[np.bool_], detections: NDArray[np.void], local: NDArray[np.float64], view: _View
) -> NDArray[np.bool_]:
    """Return which detections are the light of a single raw pixel, shape (n,): hot pixels and cosmic rays.

    Looked at are the nearest pixels of the same colour round the brightest: on a Bayer mask the four green ones at
    its corners, else the four beside it.
    """
    row = view.step * detections["ypeak"].astype(int)[:, None] + np.array([0, 0, 1, 1])
    column = view.step * detections["xpeak"].astype(int)[:, None] + np.array([0, 1, 0, 1])
    light = np.where(sites[row & 1, column & 1], image[row, column].astype(float), -np.inf)
    each, best = np.arange(len(detections)), light.argmax(axis=1)
    dy, dx = np.array([(-1, -1, 1, 1), (-1, 1, -1, 1)] if view.bayer else [(-1, 0, 0, 1), (0, -1, 1, 0)])
    around_row = np.clip(row[each, best][:, None] + dy, 0, image.shape[0] - 1)
    around_column = np.clip(column[each, best][:, None] + dx, 0, image.shape[1] - 1)
    around = image[around_row, around_column].astype(float).mean(axis=1) - local
    return np.asarray(around < MAX_NEIGHBOUR_SHARE * (light[each, best] - local), np.bool_)


def _on_trails(x: NDArray[np.float64], y: NDArray[np.float64], trails: Sequence[Trail]) -> NDArray[np.bool_]:
    """Return which detections lie on a trail: pieces of it, or stars whose light it changes."""
    on = np.zeros(len(x), bool)
    for trail in trails:
        on |= trail.reaches(x, y)
    return on


def _peaks(plane: Float32s, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the brightest of the 3 x 3 pixels at each star, which lie inside the edges."""
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    d = np.arange(-1, 2)
    around = plane[row[:, None, None] + d[None, :, None], column[:, None, None] + d[None, None, :]]
    return np.asarray(around.max(axis=(1, 2)), np.float64)


def _typical_sigma(detections: NDArray[np.void]) -> float:
    bright = detections[: max(5, len(detections) // 3)]
    if not len(bright):
        return 1.0
    return float(np.clip(median(np.sqrt(bright["a"] * bright["b"])), 0.6, 4.0))


def cut_off_level(pixels: NDArray[np.generic]) -> float:
    """Return the level of raw pixels above which a star's peak is cut off; inf where none is."""
    if pixels.dtype == np.uint16:
        top = int(pixels.max())
        clipped = top > 30000 or int((pixels == top).sum()) > 20
        return 0.9 * top if clipped else math.inf
    return 0.95 * float(np.nanmax(pixels))


def _sharpness(peak: NDArray[np.floating], flux: NDArray[np.floating], saturated: NDArray[np.bool_]) -> float:
    """Return the part of a typical star's light that falls on its brightest pixel, NaN for fewer than 3 stars."""
    bright = np.flatnonzero(~saturated & (flux > 0))[:PSF_STARS]
    return float(median(peak[bright] / flux[bright])) if len(bright) >= 3 else math.nan


def _signal_to_noise(flux: NDArray[np.floating], error: NDArray[np.floating]) -> float:
    """Return the median flux over error of the `SNR_STARS` brightest stars, NaN without stars."""
    top = slice(0, SNR_STARS)
    return float(median(flux[top] / error[top])) if len(flux) else math.nan


def _gradient(background: Float32s) -> float:
    """Return how much a plane laid through the sky rises from corner to corner."""
    coarse = background[8::16, 8::16].astype(float)
    v, u = (np.linspace(-0.5, 0.5, n) for n in coarse.shape)
    if min(coarse.shape) < 2:
        return 0.0
    middle = coarse - float(median(coarse))
    spread = median_sigma(middle) + 1e-9
    middle = np.clip(middle, -3.0 * spread, 3.0 * spread)
    across = float((middle * u[None, :]).sum() / (u**2).sum() / len(v))
    down = float((middle * v[:, None]).sum() / (v**2).sum() / len(u))
    return abs(across) + abs(down)


def _refined_centroids(
    image: NDArray[np.generic],
    sites: NDArray[np.bool_],
    places: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    window: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the stars' places by a window as wide as the stars; where that fails, as they were.

    The first window followed isophotes, which depend on sky and binning; one a fifth wider than the stars
    is as good as fitting their profile (tried from S/N 6 to 90, FWHM 2.4 to 4.3 px, Bayer and mono).
    """
    x, y, local = places
    new_x, new_y = refine_centroids(image, sites, x, y, local, window)
    good = np.isfinite(new_x)
    return np.where(good, new_x, x), np.where(good, new_y, y)


def _shape(
    image: NDArray[np.generic],
    sites: NDArray[np.bool_],
    places: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    detections: NDArray[np.void],
    saturated: NDArray[np.bool_],
    sigma: float,
) -> tuple[float, float, float]:
    """Return FWHM (px), eccentricity and direction (deg) of the frame's stars, NaN where unknown."""
    bright = np.flatnonzero(~saturated & (detections["flux"] > 0) & (detections["flag"] == 0))[:PSF_STARS]
    if len(bright) < 3:
        return math.nan, math.nan, math.nan
    guess = 2.3548 * sigma
    long_axis = float(median(detections["a"][bright] / np.maximum(detections["b"][bright], 0.1)))
    reach = int(np.clip(math.ceil(2.2 * guess * max(1.0, 0.7 * long_axis)), 5, 24))
    x, y, local = (column[bright] for column in places)
    samples = psf_samples(image, sites, x, y, local, detections["flux"][bright].astype(float), reach)
    shape = fit_psf(samples, fwhm_guess=guess)
    if shape is None or not 0.5 < shape.fwhm_px < 40.0:
        return math.nan, math.nan, math.nan
    return shape.fwhm_px, shape.eccentricity, shape.position_angle_deg
