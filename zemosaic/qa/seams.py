"""Steps across the footprint edges of frames, measured on the finished mosaic.

Wherever a frame ends, the mosaic loses one of its samples; if that frame's level or colour was wrong,
a step stands there.  Along each edge the mosaic is averaged at equal distances from it, so that its
noise and its stars fade while the step stays, and a smooth curve with a step is fitted across.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from zemosaic.arrays import Float64s, green_channel, median, median_sigma
from zemosaic.qa.seam_verdict import PooledEdge, Seam, eye_scale_px, is_one_pointing, pooled_edges, verdict_of

__all__ = ["LIMIT", "Seam", "SeamReport", "joined_seams", "measure_seams"]


MAX_DISTANCE_PX = 40
"""Pixels on both sides of an edge that are looked at."""
GAP_PX = 4
"""Pixels next to the edge that are not: footprints are a little curved, interpolation reaches across."""
POWER = 3
"""Degree of the smooth curve."""
MIN_EDGE_PX = 100
"""Edges of which less lies in the mosaic are not measured."""
PIECE_PX = 400
"""Edges are measured in pieces of this length: a step may change its sign along an edge."""
ALONG_PX = 4
"""Every so many pixels along an edge are looked at: those between share light with them by interpolation."""
STAR_SIGMA = 4.0
LIMIT = 0.1
"""Step between frames, as a part of one frame's pixel noise, that the report counts as small."""
MAX_TRUSTED_ERROR = 0.05
"""Edges count whose step is known better than this, in noise of a frame's pixel."""


@dataclass(frozen=True)
class SeamReport:
    """All seams of a mosaic."""

    seams: tuple[Seam, ...]
    edges: tuple[PooledEdge, ...] = ()
    """What coincident pieces tell together."""
    one_pointing: bool = False
    """Whether all frames look at one place."""

    @property
    def trusted(self) -> list[Seam]:
        """Seams that are known well enough to judge."""
        return [seam for seam in self.seams if max(seam.error) <= MAX_TRUSTED_ERROR]

    @property
    def level_rms(self) -> float:
        """Typical step beyond what noise alone makes; NaN without trusted seams."""
        return self._rms([(seam.level, seam.error[green_channel(len(seam.error))]) for seam in self.trusted])

    @property
    def worst(self) -> float:
        """95th percentile of the steps' sizes, all channels; NaN without trusted seams."""
        sizes = [abs(step) for seam in self.trusted for step in seam.step]
        return float(np.percentile(sizes, 95)) if sizes else float("nan")

    @property
    def verdict(self) -> str:
        """``visible``, ``invisible``, ``unknown`` or ``none``, as `verdict_of` tells."""
        return verdict_of(self.edges, self.one_pointing)

    @staticmethod
    def _rms(pairs: Sequence[tuple[float, float]]) -> float:
        if not pairs:
            return float("nan")
        step, error = np.array(pairs).T
        return float(np.sqrt(max(np.mean(step**2 - error**2), 0.0)))


def joined_seams(reports: Sequence[SeamReport]) -> SeamReport | None:
    """Return the seams of all mosaics of a run, None where none was measured."""
    if not reports:
        return None
    seams = tuple(seam for report in reports for seam in report.seams)
    edges = tuple(edge for report in reports for edge in report.edges)
    return SeamReport(seams, edges, all(report.one_pointing for report in reports))


def measure_seams(
    mosaic: Any,
    footprints: Sequence[tuple[Float64s, Float64s]],
    sigma: Sequence[float],
    arcsec_per_px: float | None = None,
) -> SeamReport:
    """Measure the steps across the edges of footprints.

    Parameters
    ----------
    mosaic : ndarray or array that is read by slices, shape (channels, h, w)
        NaN where nothing is.
    footprints : sequence of (x, y)
        Corners of each frame in order round it, in pixels of the mosaic.
    sigma : sequence of float
        Noise of one frame's pixel per channel, in units of the mosaic.
    arcsec_per_px : float, optional
        Scale of the mosaic, for the scale of the eye.

    Returns
    -------
    SeamReport
    """
    eye_px = eye_scale_px(max(mosaic.shape[1:]), arcsec_per_px)
    seams: list[Seam] = []
    for index, (x, y) in enumerate(footprints):
        centre = float(np.mean(x)), float(np.mean(y))
        for k in range(len(x)):
            start = np.array([x[k], y[k]])
            end = np.array([x[(k + 1) % len(x)], y[(k + 1) % len(x)]])
            seams.extend(_edge(mosaic, index, start, end, centre, sigma, eye_px))
    return SeamReport(tuple(seams), tuple(pooled_edges(seams)), is_one_pointing(footprints))


def _edge(
    mosaic: Any,
    index: int,
    start: Float64s,
    end: Float64s,
    centre: tuple[float, float],
    sigma: Sequence[float],
    eye_px: float,
) -> list[Seam]:
    length = float(np.hypot(*(end - start)))
    pieces = max(1, round(length / PIECE_PX))
    along = (end - start) / max(length, 1e-9)
    normal = np.array([-along[1], along[0]])
    if float(normal @ (np.array(centre) - start)) < 0:
        normal = -normal
    marks = np.linspace(0.0, length, pieces + 1)
    seams = []
    for a, b in pairwise(marks):
        seam = _piece(mosaic, index, start + along * a, start + along * b, normal, sigma, eye_px)
        if seam is not None:
            seams.append(seam)
    return seams


def _piece(
    mosaic: Any,
    index: int,
    start: Float64s,
    end: Float64s,
    normal: Float64s,
    sigma: Sequence[float],
    eye_px: float,
) -> Seam | None:
    length = float(np.hypot(*(end - start)))
    s = np.arange(0.5, length, ALONG_PX)
    distance = _across()[0]
    along = (end - start) / max(length, 1e-9)
    x = np.rint(start[0] + along[0] * s[None, :] + normal[0] * distance[:, None]).astype(np.int64)
    y = np.rint(start[1] + along[1] * s[None, :] + normal[1] * distance[:, None]).astype(np.int64)
    inside = (x >= 0) & (y >= 0) & (x < mosaic.shape[2]) & (y < mosaic.shape[1])
    columns = inside.all(axis=0)
    if ALONG_PX * columns.sum() < MIN_EDGE_PX:
        return None
    x, y = x[:, columns], y[:, columns]
    x0, y0 = int(x.min()), int(y.min())
    window = np.asarray(mosaic[:, y0 : int(y.max()) + 1, x0 : int(x.max()) + 1])
    values = window[:, y - y0, x - x0].astype(np.float64)
    values = values[:, :, np.isfinite(values).all(axis=(0, 1))]
    if ALONG_PX * values.shape[2] < MIN_EDGE_PX:
        return None
    steps = [_step(value, noise, eye_px) for value, noise in zip(values, sigma, strict=True)]
    if any(step is None for step in steps):
        return None
    known = [step for step in steps if step is not None]
    return Seam(
        frame=index,
        x=(float(start[0]), float(end[0])),
        y=(float(start[1]), float(end[1])),
        step=tuple(step for step, _, _ in known),
        error=tuple(error for _, error, _ in known),
        noise=tuple(noise for _, _, noise in known),
    )


@cache
def _across() -> tuple[Float64s, Float64s, Float64s, Float64s]:
    """Return distances from an edge, smooth curves across it, their inverse, and what no such curve has of a step."""
    distance: Float64s = np.concatenate(
        [np.arange(-MAX_DISTANCE_PX, -GAP_PX + 1), np.arange(GAP_PX, MAX_DISTANCE_PX + 1)]
    ).astype(np.float64)
    smooth: Float64s = np.stack([(distance / MAX_DISTANCE_PX) ** power for power in range(POWER + 1)], axis=1)
    inverse = np.asarray(np.linalg.pinv(smooth), np.float64)
    step = 0.5 * np.sign(distance)
    return distance, smooth, inverse, np.asarray(step - smooth @ (inverse @ step), np.float64)


def _step(values: Float64s, sigma: float, eye_px: float) -> tuple[float, float, float] | None:
    """Return the step at distance 0, its error and the noise at the eye's scale, all in units of `sigma`.

    `values` are of shape (distances, along).
    """
    _, smooth, inverse, shape = _across()
    # Every line across the edge has its own smooth light (nebulae); only the step is common to all.
    rest = values - smooth @ (inverse @ values)
    spread = median_sigma(rest) + 1e-12
    calm = (np.abs(rest) < STAR_SIGMA * spread).all(axis=0)
    if ALONG_PX * calm.sum() < MIN_EDGE_PX // 2:
        return None
    single = shape @ rest[:, calm] / float(shape @ shape)
    middle = float(median(single))
    keep = np.abs(single - middle) < 3.0 * 1.4826 * float(median(np.abs(single - middle))) + 1e-12
    error = float(np.std(single[keep])) / np.sqrt(max(keep.sum(), 1))
    noise = _noise_at_scale(rest[:, calm], eye_px)
    return float(np.mean(single[keep])) / sigma, float(error) / sigma, noise / sigma


def _noise_at_scale(rest: Float64s, scale_px: float) -> float:
    """Return the noise of squares of a side, from what is left of lines across an edge, shape (distances, along).

    The noise of a mean of pixels falls with the side of the square, less so by what neighbours share by interpolation;
    they are taken to share as much along the edge as across it.
    """
    centred = rest - rest.mean()
    variance = float(np.mean(centred**2))
    half = len(rest) // 2
    shared = [
        float(np.mean([np.mean(side[lag:] * side[:-lag]) for side in (centred[:half], centred[half:])]))
        for lag in range(1, ALONG_PX)
    ]
    lost = len(rest) / (len(rest) - POWER - 1)
    # The smooth curves that were taken off took a part of each neighbour's share, too.
    share = np.array(shared) / max(variance, 1e-300) / lost + (1.0 - 1.0 / lost)
    correlated = max(1.0 + 2.0 * float(share.sum()), 1.0)
    return float(np.sqrt(variance * lost)) * correlated / scale_px
