"""How samples of one pixel are judged and combined: the rules both implementations follow."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LINE_FLOOR",
    "MIN_SAMPLES_FOR_SCATTER",
    "Combine",
    "Rejection",
    "StackResult",
    "StackRules",
    "sorting_network",
]

MIN_SAMPLES_FOR_SCATTER = 5
"""Below this many samples the expected noise judges, not the sample's own scatter."""

WINSOR_CUT = 1.5
"""Winsorizing limit in sigma (Huber's)."""

WINSOR_BIAS = 1.134
"""Standard deviation of a normal over that of its winsorized form at 1.5 sigma."""

NOISE_FLOOR = 1.0
"""The scatter is never taken to be less than this part of the expected noise of a raw pixel: small samples
underestimate it, and interpolated ones differ in theirs with their place in the Bayer mask."""

LINE_FLOOR = 0.5
"""As `NOISE_FLOOR`, for the mean deviation from the line through the sorted samples.  Normal samples
deviate by 0.2 sigma in the mean and by more than 1 only at the ends, where good samples would be lost."""

SIGNAL_TOLERANCE = 0.2
"""Part of the signal that seeing and interpolation may change from frame to frame."""


class Rejection(IntEnum):
    """Which samples are thrown out before the combination."""

    NONE = 0
    WINSORIZED = 1
    KAPPA_SIGMA = 2
    LINEAR_FIT = 3
    """A line is fitted through the sorted samples against their rank; the mean deviation from it judges."""


class Combine(IntEnum):
    """How the samples that stay are combined."""

    MEAN = 0
    MEDIAN = 1


@dataclass(frozen=True)
class StackRules:
    """Rejection and combination, complete."""

    rejection: Rejection = Rejection.WINSORIZED
    combine: Combine = Combine.MEAN
    kappa_low: float = 3.0
    kappa_high: float = 3.0
    max_rounds: int = 4
    """Rounds of rejection at most."""
    winsor_rounds: int = 3
    """Winsorizing steps for the scatter within a round."""


@dataclass(frozen=True)
class StackResult:
    """The combined samples, shapes (channels, pixels) and (pixels,)."""

    value: NDArray[np.float32]
    """NaN where no frame has a sample."""
    weight: NDArray[np.float32]
    """Sum of the weights of the samples that stayed."""
    kept: NDArray[np.uint16]
    """Samples that stayed; a sample is a frame's whole colour triple."""
    rejected: NDArray[np.uint16]
    """Samples that were thrown out."""


def sorting_network(n: int) -> NDArray[np.int32]:
    """Return the comparators of Batcher's merge exchange for n items, shape (m, 2).

    Knuth, The Art of Computer Programming 3, section 5.2.2, algorithm M.
    """
    if n < 2:
        return np.empty((0, 2), np.int32)
    steps: list[tuple[int, int]] = []
    top = 1 << (math.ceil(math.log2(n)) - 1)
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            steps.extend((i, i + d) for i in range(n - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return np.array(steps, np.int32)
