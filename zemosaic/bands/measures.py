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
MAX_NOISE_RATIO = 4.0
"""A line is not lifted so far that its noise exceeds that of the quietest plane by more."""


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
    floor = [MIN_LIGHT_SIGMAS * max(_spread(values[there]), 1e-30) if there.any() else 0.0 for values in (light, other)]
    lit = there & (light > floor[0]) & (other > floor[1])
    if lit.sum() < MIN_LIT_PIXELS:
        return None
    return float(np.median(other[lit] / light[lit]))


def line_gains(planes: Float32s, sky: Sequence[float]) -> tuple[float, ...]:
    """Return the factors that bring the planes of lines to one brightness; that of the brightest line is 1.

    Lines differ in brightness by far; a picture of them shows where each one glows, not their ratio.  The broad light
    of nebulae decides, on averaged pixels.  A plane that shows little but noise is not lifted beyond
    `MAX_NOISE_RATIO`.

    Parameters
    ----------
    planes : ndarray, shape (n, h, w), float32
        Averaged pixels; NaN where no data is.
    sky : sequence of n float
        Level of the sky per plane.
    """
    clear = [plane[np.isfinite(plane)] - level for plane, level in zip(planes, sky, strict=True)]
    light = [max(float(np.percentile(values, BRIGHTEST_PERCENT)) if values.size else 0.0, 1e-30) for values in clear]
    noise = [max(_spread(values), 1e-30) for values in clear]
    wanted = [max(light) / amount for amount in light]
    most = MAX_NOISE_RATIO * min(gain * sigma for gain, sigma in zip(wanted, noise, strict=True))
    return tuple(min(gain, most / sigma) for gain, sigma in zip(wanted, noise, strict=True))


def _spread(clear: Float32s) -> float:
    """Return the standard deviation of values about 0 from those below: light only adds."""
    below = clear[clear < 0]
    return median_sigma(below) if below.size else 0.0
