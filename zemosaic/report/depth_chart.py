"""The chart of noise against the number of frames, as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from markupsafe import Markup, escape

from zemosaic.arrays import Float64s as Floats
from zemosaic.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, svg_element

__all__ = ["depth_chart"]


def depth_chart(
    frames: Floats, noise: Floats, single: float, label: str, number: Callable[[float, int], str]
) -> Markup:
    """Return measured noise against the number of frames, both logarithmic, and the square-root line.

    Parameters
    ----------
    frames, noise : ndarray, shape (n,)
        What was measured.
    single : float
        Noise of one frame.
    label : str
    number : callable(value, digits)
    """
    line = single / np.sqrt(frames)
    low, high = math.log10(0.8 * min(noise.min(), line.min())), math.log10(1.25 * max(noise.max(), line.max()))
    left, right = math.log10(0.8 * frames.min()), math.log10(1.25 * frames.max())

    def place(n: Floats, value: Floats) -> tuple[Floats, Floats]:
        x = LEFT + (np.log10(n) - left) / (right - left) * (WIDTH - LEFT - RIGHT)
        return x, HEIGHT - BOTTOM - (np.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = []
    for value in _log_ticks(low, high):
        y = float(place(frames[:1], np.array([value]))[1][0])
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(
            f'<text class="end" x="{LEFT - 6}" y="{y + 4:.1f}">{escape(number(value, 0 if value >= 1 else 2))}</text>'
        )
    for n in _log_ticks(left, right):
        x = float(place(np.array([n]), noise[:1])[0][0])
        parts.append(f'<text class="mid" x="{x:.1f}" y="{HEIGHT - 6}">{escape(number(n, 0))}</text>')
    ends = np.array([frames.min(), frames.max()])
    (x0, x1), (y0, y1) = place(ends, single / np.sqrt(ends))
    parts.append(f'<path class="night" d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}"/>')
    marks = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(*place(frames, noise), strict=True))
    parts.append(f'<path class="dot used" d="{marks}"/>')
    return svg_element(WIDTH, HEIGHT, label, parts)


def _log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2, 5, 10 ... between two powers of ten."""
    values = [base * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for base in (1.0, 2.0, 5.0)]
    return [value for value in values if low <= math.log10(value) <= high]
