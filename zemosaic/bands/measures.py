"""What mosaics of bands tell of themselves: sky, noise, and how bright one band is against another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zemosaic.arrays import Float32s, median_sigma

__all__ = ["line_gains", "luminance_scale", "pixel_noise"]

MIN_LIGHT_SIGMAS = 10.0
"""Light of pixels that tell how bright a luminance is against the colours."""
MIN_LIT_PIXELS = 30
BRIGHTEST_PERCENT = 99.5
"""The faint end of the light that palettes of lines are balanced by."""
MIN_GLOW_SIGMAS = 20.0
"""A line whose brightest glow stands out less is not lifted as if it were all there is: that would show its noise."""


def pixel_noise(plane: Float32s) -> float:
    """Return the noise of a plane's pixels, blind to stars and smooth light; 0 of a plane without neighbours.

    Parameters
    ----------
    plane : ndarray, shape (h, w), float32
        Single pixels in full size, or equal steps of them; NaN where no data is.
    """
    steps = plane[:, 2:] - plane[:, :-2]
    steps = steps[np.isfinite(steps)]
    return median_sigma(steps) / 2**0.5 if steps.size else 0.0


def luminance_scale(mean: Float32s, luminance: Float32s) -> float | None:
    """Return how much light of a luminance goes with the mean of balanced colours; None where nothing is bright.

    Parameters
    ----------
    mean, luminance : ndarray, shape (h, w), float32
        Above the sky; NaN where no data is.

    Returns
    -------
    float or None
        The median ratio of pixels that are bright in both.
    """
    there = np.isfinite(mean) & np.isfinite(luminance)
    light, other = np.where(there, mean, 0), np.where(there, luminance, 0)
    floor = [MIN_LIGHT_SIGMAS * max(pixel_noise(values), 1e-30) for values in (mean, luminance)]
    lit = there & (light > floor[0]) & (other > floor[1])
    if lit.sum() < MIN_LIT_PIXELS:
        return None
    return float(np.median(other[lit] / light[lit]))


def line_gains(planes: Float32s, sky: Sequence[float]) -> tuple[float, ...]:
    """Return the factors that bring the planes of lines to one brightness; that of the brightest line is 1.

    Lines differ in brightness by far; a picture of them shows where each one glows, not their ratio.  The broad light
    of nebulae decides, on averaged pixels.  A plane that shows little but noise counts as one with a glow of
    `MIN_GLOW_SIGMAS`.

    Parameters
    ----------
    planes : ndarray, shape (n, h, w), float32
        Averaged pixels; NaN where no data is.
    sky : sequence of n float
        Level of the sky per plane.
    """
    light = []
    for plane, level in zip(planes, sky, strict=True):
        clear = plane[np.isfinite(plane)] - level
        glow = float(np.percentile(clear, BRIGHTEST_PERCENT)) if clear.size else 0.0
        light.append(max(glow, MIN_GLOW_SIGMAS * pixel_noise(plane), 1e-30))
    return tuple(max(light) / amount for amount in light)
