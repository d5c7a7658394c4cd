"""Which frames are unusable: each compared with the others of its camera, not with a fixed ideal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from zemosaic.arrays import green_channel
from zemosaic.errors import Message, message
from zemosaic.model import MeasuredFrame

__all__ = ["QualityLimits", "judge", "shape_reason", "sky_ratios", "star_ratios"]

MIN_PEERS = 4
MIN_SHAPE_STARS = 5
"""The shape of fewer stars is chance where nothing else is known of a frame."""

ECCENTRICITY_MARGIN = 0.1
"""A set that is elongated as a whole is judged by its own median plus this, or plus ..."""
SPREADS = 2.5
"""... this many times its own scatter, where tracking is uneven throughout, ..."""
MIN_TRAILED_ECCENTRICITY = 0.9
"""... up to this eccentricity: the long axis more than twice the short one."""


@dataclass(frozen=True)
class QualityLimits:
    """What is still good, see the settings of the same names."""

    max_fwhm_ratio: float
    max_eccentricity: float
    min_transparency: float
    max_sky_ratio: float = math.inf
    min_star_ratio: float = 0.0


def shape_reason(frame: MeasuredFrame, peers: Sequence[MeasuredFrame], limits: QualityLimits) -> Message | None:
    """Return what the shape of its stars says against a frame, None for nothing.

    For frames of which nothing but their pixels is known, such as those that could not be located.

    Parameters
    ----------
    frame : MeasuredFrame
    peers : sequence of MeasuredFrame
        All frames of its camera.
    limits : QualityLimits
    """
    if len(frame.stars) < MIN_SHAPE_STARS:
        return None
    fwhm = np.array([peer.fwhm_px for peer in peers])
    eccentricity = np.array([peer.eccentricity for peer in peers])
    most = _most_eccentric(eccentricity, limits)
    return _verdict(frame.fwhm_px, _median(fwhm), frame.eccentricity, most, math.inf, limits)


def judge(
    frames: Sequence[MeasuredFrame],
    transparency: NDArray[np.float64],
    groups: NDArray[np.int64],
    limits: QualityLimits,
    sky_ratio: NDArray[np.float64] | None = None,
    star_ratio: NDArray[np.float64] | None = None,
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
    sky_ratio : ndarray, shape (frames,), optional
        Light of the sky relative to what is usual for the camera (`sky_ratios`).
    star_ratio : ndarray, shape (frames,), optional
        Stars in common relative to what is usual for the pointing (`star_ratios`); NaN where nothing is usual.
    """
    fwhm = np.array([frame.fwhm_px for frame in frames])
    eccentricity = np.array([frame.eccentricity for frame in frames])
    bright = np.ones(len(frames)) if sky_ratio is None else sky_ratio
    full = np.ones(len(frames)) if star_ratio is None else star_ratio
    verdicts: list[Message | None] = []
    for index, group in enumerate(groups):
        peers = groups == group
        verdict = _crowd_verdict(float(bright[index]), float(full[index]), limits)
        verdicts.append(
            _verdict(
                float(fwhm[index]),
                _median(fwhm[peers]),
                float(eccentricity[index]),
                _most_eccentric(eccentricity[peers], limits),
                float(transparency[index] / np.median(transparency[peers])),
                limits,
            )
            or verdict
        )
    return verdicts


def sky_ratios(frames: Sequence[MeasuredFrame], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return how bright each frame's sky is for its camera, shape (frames,).

    By the variance of its pixels, which grows with the light and knows no bias.

    Parameters
    ----------
    frames : sequence of MeasuredFrame
    groups : ndarray of int, shape (frames,)
        Camera of each frame.
    """
    light = np.array([frame.noise_adu[green_channel(len(frame.noise_adu))] ** 2 for frame in frames])
    usual = np.array([np.median(light[groups == group]) for group in groups])
    return np.asarray(light / np.maximum(usual, 1e-12), np.float64)


def star_ratios(
    n_stars: NDArray[np.int64], groups: NDArray[np.int64], directions: NDArray[np.float64], radius_deg: float
) -> NDArray[np.float64]:
    """Return each frame's stars in common relative to the frames near by, shape (frames,).

    NaN where fewer than `MIN_PEERS` frames of the camera look at the same place: a star-poor field is no fault.

    Parameters
    ----------
    n_stars : ndarray of int, shape (frames,)
        Stars that other frames see too.
    groups : ndarray of int, shape (frames,)
    directions : ndarray, shape (frames, 3)
        Unit vectors to the frames' centres.
    radius_deg : float
        Frames this near look at the same place.
    """
    ratio = np.full(len(n_stars), math.nan)
    near = cKDTree(directions).query_ball_point(directions, 2.0 * math.sin(math.radians(radius_deg) / 2.0))
    for index, neighbours in enumerate(near):
        peers = [neighbour for neighbour in neighbours if groups[neighbour] == groups[index] and neighbour != index]
        if len(peers) >= MIN_PEERS:
            ratio[index] = n_stars[index] / max(float(np.median(n_stars[peers])), 1.0)
    return ratio


def _crowd_verdict(sky_ratio: float, star_ratio: float, limits: QualityLimits) -> Message | None:
    if sky_ratio > limits.max_sky_ratio:
        return message("reason.too_bright", ratio=round(sky_ratio, 1), limit=round(limits.max_sky_ratio, 1))
    if star_ratio < limits.min_star_ratio:
        return message("reason.few_stars", percent=round(100 * star_ratio), limit=round(100 * limits.min_star_ratio))
    return None


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


def _most_eccentric(peers: NDArray[np.float64], limits: QualityLimits) -> float:
    usual = _median(peers)
    spread = 1.4826 * _median(np.abs(peers - usual))
    margin = max(ECCENTRICITY_MARGIN, min(SPREADS * spread, MIN_TRAILED_ECCENTRICITY - usual))
    return max(limits.max_eccentricity, usual + margin)


def _median(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else -math.inf
