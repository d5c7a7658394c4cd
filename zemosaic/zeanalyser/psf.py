"""Centroids and the shape of the point spread function, from the raw pixels themselves.

Only the pixels that truly carry the colour are used (green on a Bayer sensor, all on a mono one),
so that neither interpolation nor its correlated noise enters positions and widths.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, median

__all__ = ["PsfSamples", "PsfShape", "fit_psf", "psf_samples", "refine_centroids"]


ROUNDS = 4
ROUGH, FINE = 1e-3, 1e-6
"""When a fit has settled, while samples are still sorted out and at the end."""
MIN_SAMPLES = 30
"""Fewer pixels do not determine a shape."""

_SUBPIXEL = 1.0 / math.sqrt(12.0)
"""Offsets of +- this reproduce the second moment of a pixel's square."""


@dataclass(frozen=True)
class PsfShape:
    """An elliptical Moffat profile, freed of the pixel's own width."""

    fwhm_px: float
    """Geometric mean of the widths along the axes."""
    eccentricity: float
    position_angle_deg: float
    """Direction of the long axis, counter-clockwise from +x, in [0, 180)."""


@njit(cache=True, error_model="numpy", nogil=True)
def refine_centroids(image, sites, x, y, background, sigma, rounds=8):  # type: ignore[no-untyped-def]
    """Return windowed centroids (x, y), float64 arrays; NaN where a star cannot be centred.

    Iterated Gaussian-weighted first moments (Stone 1989, AJ 97, 1227; SExtractor's XWIN).

    Parameters
    ----------
    image : ndarray, shape (h, w)
        Raw pixels.
    sites : ndarray, shape (2, 2), bool
        Which pixels of each 2 x 2 block carry the colour.
    x, y : ndarray, shape (n,)
        First guesses.
    background : ndarray, shape (n,)
        Local sky of each star.
    sigma : float
        Width of the window in pixels.
    rounds : int
        Iterations at the most.
    """
    height, width = image.shape
    out_x = np.empty(x.size)
    out_y = np.empty(x.size)
    reach = math.ceil(3.0 * sigma)
    across = np.empty(2 * reach + 1)
    for k in range(x.size):
        cx, cy = x[k], y[k]
        good = True
        for _ in range(rounds):
            x0, y0 = round(cx), round(cy)
            if x0 < reach or y0 < reach or x0 >= width - reach or y0 >= height - reach:
                good = False
                break
            total = 0.0
            mx = 0.0
            my = 0.0
            for i in range(across.size):
                across[i] = math.exp(-0.5 * ((x0 - reach + i - cx) / sigma) ** 2)
            for j in range(y0 - reach, y0 + reach + 1):
                dy = j - cy
                along = math.exp(-0.5 * (dy / sigma) ** 2)
                for i in range(x0 - reach, x0 + reach + 1):
                    if not sites[j & 1, i & 1]:
                        continue
                    light = along * across[i - x0 + reach] * (float(image[j, i]) - background[k])
                    total += light
                    mx += light * (i - cx)
                    my += light * dy
            if total <= 0.0:
                good = False
                break
            step_x, step_y = 2.0 * mx / total, 2.0 * my / total
            cx += step_x
            cy += step_y
            if abs(cx - x[k]) > 3.0 or abs(cy - y[k]) > 3.0:
                good = False
                break
            if step_x * step_x + step_y * step_y < 1e-6:
                break
        out_x[k] = cx if good else np.nan
        out_y[k] = cy if good else np.nan
    return out_x, out_y


@dataclass(frozen=True)
class PsfSamples:
    """Pixels round stars; all arrays have shape (n,)."""

    dx: Float64s
    """Offset from the star's centre."""
    dy: Float64s
    light: Float64s
    """Sky-subtracted value per unit of the star's flux."""
    weight: Float64s
    """The star's flux: noise per unit of it is the less the more it is."""
    star: NDArray[np.int64]
    """Index of the star."""

    def only(self, keep: NDArray[np.bool_]) -> PsfSamples:
        """Return some of the samples."""
        return PsfSamples(self.dx[keep], self.dy[keep], self.light[keep], self.weight[keep], self.star[keep])


def psf_samples(
    image: NDArray[np.generic],
    sites: NDArray[np.bool_],
    x: Float64s,
    y: Float64s,
    background: Float64s,
    flux: Float64s,
    reach: int,
) -> PsfSamples:
    """Return all pixels of the colour within `reach` of the stars.

    Parameters
    ----------
    image : ndarray, shape (h, w)
        Raw pixels.
    sites : ndarray of bool, shape (2, 2)
        Which pixels of each 2 x 2 block carry the colour.
    x, y : ndarray, shape (n,)
        Centres of the stars, in pixels.
    background : ndarray, shape (n,)
        Local sky of each star, ADU.
    flux : ndarray, shape (n,)
        Of each star, ADU.
    reach : int
        Pixels on each side of a star's nearest pixel.

    Returns
    -------
    PsfSamples
    """
    offset = np.arange(-reach, reach + 1)
    column = np.rint(x).astype(int)[:, None, None] + offset[None, None, :]
    row = np.rint(y).astype(int)[:, None, None] + offset[None, :, None]
    column, row = np.broadcast_arrays(column, row)
    inside = (column >= 0) & (row >= 0) & (column < image.shape[1]) & (row < image.shape[0])
    inside &= sites[row & 1, column & 1]
    star = np.broadcast_to(np.arange(len(x))[:, None, None], column.shape)[inside]
    column, row = column[inside], row[inside]
    light = (image[row, column].astype(float) - background[star]) / flux[star]
    return PsfSamples(column - x[star], row - y[star], light, flux[star], star)


def fit_psf(samples: PsfSamples, fwhm_guess: float) -> PsfShape | None:
    """Fit one elliptical Moffat profile, its exponent free, to the light of many stars.

    Levenberg-Marquardt; before each round every star's flux is taken anew from the profile (the flux
    above the detection limit misses half of a faint star's light), and after it stars and then pixels that
    fit badly (blends, trails) are left out.  None when it does not settle on a sensible shape.

    Parameters
    ----------
    samples : PsfSamples
    fwhm_guess : float
        Pixels; where the fit starts from.

    Returns
    -------
    PsfShape or None
    """
    alpha = fwhm_guess / (2.0 * math.sqrt(2.0 ** (1.0 / 3.0) - 1.0))
    parameters = np.array([2.0 / (math.pi * alpha**2), alpha**-2, 0.0, alpha**-2, 3.0, 0.0])
    for turn in range(ROUNDS):
        if len(samples.dx) < MIN_SAMPLES:
            return None
        samples = _rescaled(parameters, samples)
        fitted = _levenberg(parameters, samples, ROUGH if turn < ROUNDS - 1 else FINE)
        if fitted is None:
            return None
        parameters = fitted
        samples = samples.only(_fitting(parameters, samples))
    return _shape(parameters)


def _rescaled(parameters: Float64s, samples: PsfSamples) -> PsfSamples:
    """Return the samples per unit of the flux that the profile finds in each star."""
    profile = _profile(parameters, samples) - parameters[5]
    number = int(samples.star.max()) + 1
    norm = np.bincount(samples.star, profile**2, number)
    found = np.bincount(samples.star, profile * (samples.light - parameters[5]), number)
    scale = np.clip(found / np.maximum(norm, 1e-30), 0.2, 5.0)[samples.star]
    return replace(samples, light=samples.light / scale, weight=samples.weight * scale)


def _fitting(parameters: Float64s, samples: PsfSamples) -> NDArray[np.bool_]:
    """Return which samples belong to stars that follow the profile, and follow it themselves."""
    rest = np.abs(samples.light - _profile(parameters, samples)) * np.sqrt(samples.weight)
    number = np.maximum(np.bincount(samples.star), 1)
    poor = np.sqrt(np.bincount(samples.star, rest**2) / number)
    usual = float(median(poor[poor > 0])) if (poor > 0).any() else 0.0
    spread = 1.4826 * float(median(rest))
    return (poor[samples.star] <= 1.8 * usual) & (rest <= 5.0 * max(spread, 1e-12))


def _profile(p: Float64s, samples: PsfSamples) -> Float64s:
    """Return the pixel-integrated profile, shape (n,)."""
    shape = np.exp(-np.float32(p[4]) * np.log(_quadratic(p, samples.dx, samples.dy)))
    profile: Float64s = p[0] * shape.mean(axis=0, dtype=np.float64) + p[5]
    return profile


@njit(cache=True, error_model="numpy", nogil=True)
def _quadratic(p, dx, dy):  # type: ignore[no-untyped-def]
    """Return the base of the profile's power at four points of each pixel, shape (4, n), float32."""
    out = np.empty((4, dx.size), np.float32)
    xx, xy, yy = p[1], 2.0 * p[2], p[3]
    for part in range(4):
        right, up = _SUBPIXEL * (2 * (part // 2) - 1), _SUBPIXEL * (2 * (part % 2) - 1)
        for k in range(dx.size):
            a, b = dx[k] + right, dy[k] + up
            out[part, k] = max(1.0 + xx * a * a + xy * a * b + yy * b * b, 1e-3)
    return out


def _normal_equations(p: Float64s, samples: PsfSamples, root: Float64s) -> tuple[float, Float64s, Float64s]:
    """Return the weighted sum of squares, and gradient (6,) and matrix (6, 6) of the normal equations."""
    base = _quadratic(p, samples.dx, samples.dy)
    # NumPy's logarithms and powers of 32 bits are vectors; in compiled loops they go one by one.
    log_base = np.log(base)
    shape = np.exp(-np.float32(p[4]) * log_base)
    return _summed_up(p, samples.dx, samples.dy, samples.light, root, base, log_base, shape)  # type: ignore[no-any-return]


@njit(cache=True, error_model="numpy", nogil=True, fastmath={"contract", "nsz"})
def _summed_up(p, dx, dy, light, root, base, log_base, shape):  # type: ignore[no-untyped-def]
    cost, gradient, normal = 0.0, np.zeros(6), np.zeros((6, 6))
    slope = np.empty(6)
    for k in range(dx.size):
        slope[:] = 0.0
        for part in range(4):
            a, b = dx[k] + _SUBPIXEL * (2 * (part // 2) - 1), dy[k] + _SUBPIXEL * (2 * (part % 2) - 1)
            steep = shape[part, k] / base[part, k]
            slope[0] += shape[part, k]
            slope[1] += steep * a * a
            slope[2] += steep * a * b
            slope[3] += steep * b * b
            slope[4] += shape[part, k] * log_base[part, k]
        rest = (light[k] - 0.25 * p[0] * slope[0] - p[5]) * root[k]
        power = -0.25 * p[0] * p[4]
        slope[0] *= 0.25
        slope[1] *= power
        slope[2] *= 2.0 * power
        slope[3] *= power
        slope[4] *= -0.25 * p[0]
        slope[5] = 1.0
        cost += rest * rest
        for i in range(6):
            slope[i] *= root[k]
            gradient[i] += slope[i] * rest
            for j in range(i + 1):
                normal[i, j] += slope[i] * slope[j]
    for i in range(6):
        for j in range(i):
            normal[j, i] = normal[i, j]
    return cost, gradient, normal


def _levenberg(start: Float64s, samples: PsfSamples, settled_below: float) -> Float64s | None:
    """Return the best parameters; a step that takes less than `settled_below` of the misfit away is the last."""
    root = np.sqrt(samples.weight / samples.weight.mean())
    p, damping = start, 1e-2
    cost, gradient, normal = _normal_equations(p, samples, root)
    for _ in range(25):
        try:
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-30), gradient)
        except np.linalg.LinAlgError:
            return None
        trial = p + step
        trial[4] = min(max(trial[4], 1.2), 10.0)
        if trial[0] > 0 and trial[1] > 0 and trial[1] * trial[3] > trial[2] ** 2:
            found = _normal_equations(trial, samples, root)
            if found[0] < cost:
                settled = cost - found[0] < settled_below * cost
                p, (cost, gradient, normal) = trial, found
                damping *= 0.3
                if settled:
                    break
                continue
        damping *= 4.0
        if damping > 1e8:
            break
    return p


def _shape(p: Float64s) -> PsfShape | None:
    values, vectors = np.linalg.eigh(np.array([[p[1], p[2]], [p[2], p[3]]]))
    if values[0] <= 0:
        return None
    width = 2.0 * np.sqrt((2.0 ** (1.0 / p[4]) - 1.0) / values)
    long_axis = vectors[:, 0]
    angle = math.degrees(math.atan2(long_axis[1], long_axis[0])) % 180.0
    fwhm = float(math.sqrt(width[0] * width[1]))
    eccentricity = math.sqrt(max(0.0, 1.0 - float(width[1] / width[0]) ** 2))
    return PsfShape(fwhm, eccentricity, angle)
