"""Can the seams of a mosaic be seen?  Steps along coincident edges together, in the noise that the eye is left with.

The eye blends a picture over about half a minute of arc on the sky, or a hundredth of a small picture's width; what
noise is left there, at the mosaic's own depth, hides a step or shows it.  The frames of a session end nearly at the
same places: their edges are one seam, and the pieces along it tell of its step together.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from zemosaic.arrays import Float64s, green_channel

__all__ = ["PooledEdge", "Seam", "eye_scale_px", "is_one_pointing", "pooled_edges", "verdict_of"]

EYE_SCALE_ARCSEC = 30.0
MAX_EYE_SCALE_WIDTHS = 0.01
"""Scale of the eye at most, in widths of the picture."""
MIN_EYE_SCALE_PX = 4.0
MAX_UNSEEN_STEP = 1.0
"""Steps below so many times the noise at the eye's scale cannot be seen."""
SURE_ERRORS = 4.0
"""Standard errors by which a step must stand out from zero to be called visible."""
KNOWN_ERRORS = 2.0
"""Standard errors by which the mean square of all steps must lie below that of a visible step."""
MAX_POOLED_ANGLE_DEG = 2.0
MAX_POOLED_DISTANCE_PX = 20.0
"""Edges nearer to each other than this are one seam."""
BIN_PX = 400.0
"""Pieces of several frames in such a length of a seam look at the same pixels."""
MAX_POINTING_SIDES = 0.1
"""Frames of one pointing lie within so many sides of their middle."""


@dataclass(frozen=True)
class Seam:
    """A piece of one frame's edge."""

    frame: int
    """Index of the footprint."""
    x: tuple[float, float]
    """Where the piece begins and ends, in pixels of the mosaic."""
    y: tuple[float, float]
    step: tuple[float, ...]
    """Inside less outside per channel, in noise of one frame's pixel."""
    error: tuple[float, ...]
    noise: tuple[float, ...] = ()
    """Noise of the mosaic there at the eye's scale, in the same unit; empty where it was not measured."""

    @property
    def level(self) -> float:
        """Step of the green channel, or the only one."""
        return self.step[green_channel(len(self.step))]

    @property
    def colour(self) -> float:
        """Largest difference between the steps of two channels."""
        return max(self.step) - min(self.step)


@dataclass(frozen=True)
class PooledEdge:
    """The edges that are one seam; arrays of shape (channels,), in noise of one frame's pixel."""

    step: Float64s
    error: Float64s
    noise: Float64s
    """Noise of the mosaic at the eye's scale."""

    @property
    def size(self) -> float:
        """Largest certain step of a channel in noise at the eye's scale; 0 where none is certain."""
        size = np.abs(self.step)
        return float(np.where(size > SURE_ERRORS * self.error, size / self.noise, 0.0).max())

    @property
    def visible(self) -> bool:
        """Whether the step of a channel is certain and larger than what noise hides."""
        return self.size > MAX_UNSEEN_STEP


@dataclass
class _Line:
    """Pieces that lie along one line, and where that is."""

    direction: Float64s
    middle: Float64s
    length: float
    pieces: list[Seam] = field(default_factory=list)

    def has(self, other: _Line) -> bool:
        """Whether another edge coincides with this line."""
        across = np.array([-self.direction[1], self.direction[0]])
        apart = other.middle - self.middle
        return (
            float(self.direction @ other.direction) > math.cos(math.radians(MAX_POOLED_ANGLE_DEG))
            and abs(float(across @ apart)) < MAX_POOLED_DISTANCE_PX
            and abs(float(self.direction @ apart)) < 0.5 * max(self.length, other.length)
        )


def eye_scale_px(width_px: float, arcsec_per_px: float | None) -> float:
    """Return the side of what the eye blends, in pixels.

    Parameters
    ----------
    width_px : float
        Longer side of the picture.
    arcsec_per_px : float, optional
        Scale of the mosaic; without it the picture's width counts alone.
    """
    widest = MAX_EYE_SCALE_WIDTHS * width_px
    return max(MIN_EYE_SCALE_PX, widest if arcsec_per_px is None else min(widest, EYE_SCALE_ARCSEC / arcsec_per_px))


def is_one_pointing(footprints: Sequence[tuple[Float64s, Float64s]]) -> bool:
    """Tell whether frames look at one place: their mosaic has edges, but no seams between panels.

    Parameters
    ----------
    footprints : sequence of (x, y)
        Corners of each frame in order round it.
    """
    if not footprints:
        return True
    centres = np.array([[np.mean(x), np.mean(y)] for x, y in footprints])
    sides = [np.hypot(x - np.roll(x, 1), y - np.roll(y, 1)).min() for x, y in footprints]
    away = np.linalg.norm(centres - np.median(centres, axis=0), axis=1)
    return bool(away.max() <= MAX_POINTING_SIDES * np.median(sides))


def pooled_edges(seams: Sequence[Seam]) -> list[PooledEdge]:
    """Return the seams that pieces of edges make together; pieces whose noise is not known are left out."""
    lines: list[_Line] = []
    for edge in _edges([seam for seam in seams if seam.noise]):
        line = next((line for line in lines if line.has(edge)), None)
        if line is None:
            lines.append(edge)
        else:
            line.pieces.extend(edge.pieces)
    return [_pooled(line) for line in lines]


def verdict_of(edges: Sequence[PooledEdge], one_pointing: bool) -> str:
    """Return ``visible``, ``invisible``, ``unknown`` or, for frames that look at one place, ``none``.

    Parameters
    ----------
    edges : sequence of PooledEdge
        All of a mosaic.
    one_pointing : bool
        Whether all frames look at one place.
    """
    if any(edge.visible for edge in edges):
        return "visible"
    if one_pointing:
        return "none"
    return "invisible" if edges and _largest_mean_square(edges) < MAX_UNSEEN_STEP**2 else "unknown"


def _largest_mean_square(edges: Sequence[PooledEdge]) -> float:
    """Return the mean square of all steps beyond their errors that can still be true, in noise at the eye's scale.

    A single edge is seldom known well enough; many of them tell together how large steps are as a rule.  The
    channels of one edge share pixels by interpolation of their colours, and count as one.
    """
    square = np.array([np.mean((edge.step / edge.noise) ** 2) for edge in edges])
    expected = np.array([np.mean((edge.error / edge.noise) ** 2) for edge in edges])
    error = math.sqrt(2.0 * float((expected**2).sum())) / len(edges)
    return max(float((square - expected).mean()), 0.0) + KNOWN_ERRORS * error


def _edges(seams: Sequence[Seam]) -> list[_Line]:
    """Return every frame's edges, each with its pieces."""
    edges: dict[tuple[int, int], _Line] = {}
    for seam in seams:
        vector = np.array([seam.x[1] - seam.x[0], seam.y[1] - seam.y[0]])
        length = float(np.hypot(*vector))
        side = round(math.degrees(math.atan2(vector[1], vector[0])))
        middle = np.array([np.mean(seam.x), np.mean(seam.y)])
        line = edges.setdefault((seam.frame, side), _Line(vector / max(length, 1e-9), middle, 0.0))
        n = len(line.pieces)
        line.middle = (n * line.middle + middle) / (n + 1)
        line.length += length
        line.pieces.append(seam)
    return list(edges.values())


def _pooled(line: _Line) -> PooledEdge:
    """Return the mean step along a line.  Pieces side by side see the same noise; those behind each other do not."""
    bins: dict[int, list[Seam]] = {}
    for piece in line.pieces:
        along = float(line.direction @ (np.array([np.mean(piece.x), np.mean(piece.y)]) - line.middle))
        bins.setdefault(round(along / BIN_PX), []).append(piece)
    steps = np.array([np.mean([piece.step for piece in pieces], axis=0) for pieces in bins.values()])
    errors = np.array([np.sqrt(np.mean(np.square([p.error for p in pieces]), axis=0)) for pieces in bins.values()])
    weight = 1.0 / np.maximum(errors, 1e-12) ** 2
    step = (weight * steps).sum(axis=0) / weight.sum(axis=0)
    error = weight.sum(axis=0) ** -0.5
    if len(steps) > 1:
        error = np.maximum(error, steps.std(axis=0, ddof=1) / math.sqrt(len(steps)))
    return PooledEdge(step, error, np.median([piece.noise for piece in line.pieces], axis=0))
