"""Which frames are unusable: each compared with the others of its camera, not with a fixed ideal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zemosaic.errors import Message, message
from zemosaic.model import MeasuredFrame

__all__ = ["QualityLimits", "judge"]

ECCENTRICITY_MARGIN = 0.1
"""A set that is elongated as a whole is judged by its own median plus this."""


@dataclass(frozen=True)
class QualityLimits:
    """What is still good, see the settings of the same names."""

    max_fwhm_ratio: float
    max_eccentricity: float
    min_transparency: float


def judge(
    frames: Sequence[MeasuredFrame],
    transparency: NDArray[np.float64],
    groups: NDArray[np.int64],
    limits: QualityLimits,
) -> list[Message | None]:
    """Return per frame why it is rejected, None for the good ones.

    Parameters
    ----------
    frames : sequence of MeasuredFrame
    transparency : ndarray, shape (frames,)
        Light let through, relative to the median frame.
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    limits : QualityLimits
    """
    fwhm = np.array([frame.fwhm_px for frame in frames])
    eccentricity = np.array([frame.eccentricity for frame in frames])
    verdicts: list[Message | None] = []
    for index, group in enumerate(groups):
        peers = groups == group
        verdicts.append(
            _verdict(
                float(fwhm[index]),
                _median(fwhm[peers]),
                float(eccentricity[index]),
                max(limits.max_eccentricity, _median(eccentricity[peers]) + ECCENTRICITY_MARGIN),
                float(transparency[index] / np.median(transparency[peers])),
                limits,
            )
        )
    return verdicts


def _verdict(
    fwhm: float, usual_fwhm: float, eccentricity: float, most: float, transparency: float, limits: QualityLimits
) -> Message | None:
    if transparency < limits.min_transparency:
        return message("reason.cloudy", percent=round(100 * transparency), limit=round(100 * limits.min_transparency))
    if math.isfinite(eccentricity) and eccentricity > most:
        return message("reason.trailed", eccentricity=round(eccentricity, 2), limit=round(most, 2))
    if math.isfinite(fwhm) and math.isfinite(usual_fwhm) and fwhm > limits.max_fwhm_ratio * usual_fwhm:
        return message("reason.blurred", fwhm=round(fwhm, 2), usual=round(usual_fwhm, 2))
    return None


def _median(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else -math.inf
