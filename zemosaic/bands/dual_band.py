"""H alpha and OIII from a colour camera behind a filter that passes these two lines.

Light of the lines ``x = (H alpha, OIII)`` gives red, green and blue ``y = A x``: H alpha reaches mostly the red
pixels, OIII the green and the blue ones, and each a little of the others.  The best estimate of the lines is the
weighted least-squares solution ``x = (A' C^-1 A)^-1 A' C^-1 y`` with the variances of the colours on the diagonal of
``C`` (Gauss-Markov).

What the data tell of ``A``: whatever the mixture of lines and of starlight that passes both windows, y lies in the
plane that the two columns of A span.  The normal of that plane can be measured from the diffuse light where both lines
vary.  Where in the plane the two columns lie cannot be: any mixture of the two lines that is the same everywhere looks
like another response.  So two combinations of the four numbers come from the data, the rest from what is known of such
sensors, and the errors say so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zemosaic.arrays import Box, Float32s, Float64s
from zemosaic.store.axis_order import Pixels

__all__ = [
    "NOMINAL",
    "DualBandResponse",
    "LinePlane",
    "LineSigma",
    "LineWeights",
    "cell_levels",
    "line_weights",
    "refined_response",
]

MIN_CELLS = 60
MIN_SECOND_POWER = 4.0
"""Variance of the second independent light, in units of the noise, from which on it tells the plane."""
MAX_INNOVATION = 3.0
"""In standard errors: a plane that contradicts what is known of sensors by more is something else's light."""
CLIP_SIGMAS = 6.0


@dataclass(frozen=True)
class DualBandResponse:
    """What red, green and blue pixels see of the lines, relative to the colour that sees most of each."""

    ha_green: float
    ha_blue: float
    """Of H alpha, where red sees 1."""
    oiii_red: float
    oiii_blue: float
    """Of OIII, where green sees 1."""
    covariance: tuple[tuple[float, ...], ...]
    """Of these four numbers in this order."""
    from_data: bool = False
    """Whether the mosaic's own light had a say."""

    @property
    def matrix(self) -> Float64s:
        """A, shape (3, 2): rows are red, green and blue; columns are H alpha and OIII."""
        return np.array([[1.0, self.oiii_red], [self.ha_green, 1.0], [self.ha_blue, self.oiii_blue]])

    @property
    def errors(self) -> tuple[float, ...]:
        """Standard errors of the four numbers."""
        return tuple(math.sqrt(self.covariance[k][k]) for k in range(4))


NOMINAL = DualBandResponse(
    ha_green=0.15,
    ha_blue=0.08,
    oiii_red=0.09,
    oiii_blue=0.62,
    covariance=(
        (0.08**2, 0.0, 0.0, 0.0),
        (0.0, 0.06**2, 0.0, 0.0),
        (0.0, 0.0, 0.06**2, 0.0),
        (0.0, 0.0, 0.0, 0.15**2),
    ),
)
"""Estimates for the colour sensors in smart telescopes and planetary cameras (Sony IMX462, IMX662, IMX585 and their
kin): relative responses at 656 and 501 nm, measured on none of them. The errors are wide for that reason."""


@dataclass(frozen=True)
class LineWeights:
    """By what red, green and blue are multiplied to give each line, and what of the other line may be left in it."""

    ha: tuple[float, float, float]
    oiii: tuple[float, float, float]
    oiii_in_ha: float
    """Standard error of the part of OIII's light that stands in the H alpha plane, from the response's errors."""
    ha_in_oiii: float


def line_weights(response: DualBandResponse, sigma: Sequence[float]) -> LineWeights:
    """Return the weighted least-squares solution for the lines.

    Parameters
    ----------
    response : DualBandResponse
    sigma : sequence of 3 float
        Noise of a pixel in red, green and blue.
    """
    matrix = response.matrix
    inverse = np.diag(1.0 / np.square(np.asarray(sigma, float)))
    solution = np.linalg.solve(matrix.T @ inverse @ matrix, matrix.T @ inverse)
    covariance = np.array(response.covariance)
    # The columns' free entries: H alpha in green and blue, OIII in red and blue.
    ha_left = math.sqrt(float(solution[1, 1:] @ covariance[:2, :2] @ solution[1, 1:]))
    oiii_part = solution[0, [0, 2]]
    oiii_left = math.sqrt(float(oiii_part @ covariance[2:, 2:] @ oiii_part))
    ha, oiii = (tuple(float(weight) for weight in row) for row in solution)
    return LineWeights(_three(ha), _three(oiii), oiii_left, ha_left)


def refined_response(prior: DualBandResponse, cells: Float64s, sigma: Sequence[float]) -> DualBandResponse:
    """Return the response with what diffuse light tells of it; the prior itself where that is nothing.

    The principal components of the light, in units of its noise, tell the plane in which all light lies: the third
    one is its normal.  Its uncertainty is that of a principal direction (Anderson 1963, Ann. Math. Stat. 34, 122).
    That H alpha and OIII lie in the plane are two linear conditions on the four numbers, which are combined with the
    prior (Kalman 1960).

    Parameters
    ----------
    prior : DualBandResponse
    cells : ndarray, shape (n, 3)
        Levels of red, green and blue in cells without stars.
    sigma : sequence of 3 float
        Noise of the colours, of pixels or of cells: only its ratios count.
    """
    scale = np.asarray(sigma, float)
    good = cells[np.isfinite(cells).all(axis=1)]
    if len(good) < MIN_CELLS:
        return prior
    light = _clipped(good / scale)
    n = len(light)
    power, axes = np.linalg.eigh(np.cov(light, rowvar=False))
    if n < MIN_CELLS or power[1] < MIN_SECOND_POWER * power[0]:
        return prior
    normal = axes[:, 0]
    turn = [power[0] * power[k] / (power[k] - power[0]) ** 2 / n for k in (1, 2)]
    columns = prior.matrix / scale[:, None]
    offsets = normal @ columns
    spread = np.zeros((2, 2))
    for variance, axis in zip(turn, (axes[:, 1], axes[:, 2]), strict=True):
        along = axis @ columns
        spread += variance * np.outer(along, along)
    slopes = np.zeros((2, 4))
    slopes[0, 0], slopes[0, 1] = normal[1] / scale[1], normal[2] / scale[2]
    slopes[1, 2], slopes[1, 3] = normal[0] / scale[0], normal[2] / scale[2]
    before = np.array(prior.covariance)
    innovation = slopes @ before @ slopes.T + spread
    if float(offsets @ np.linalg.solve(innovation, offsets)) > 2.0 * MAX_INNOVATION**2:
        return prior
    gain = before @ slopes.T @ np.linalg.inv(innovation)
    known = np.array([prior.ha_green, prior.ha_blue, prior.oiii_red, prior.oiii_blue])
    ha_green, ha_blue, oiii_red, oiii_blue = (float(v) for v in known - gain @ offsets)
    rest = np.eye(4) - gain @ slopes
    after = rest @ before @ rest.T + gain @ spread @ gain.T
    covariance = tuple(tuple(float(v) for v in row) for row in after)
    return replace(DualBandResponse(ha_green, ha_blue, oiii_red, oiii_blue, covariance), from_data=True)


def _clipped(light: Float64s) -> Float64s:
    """Return the rows without those that stand far out of their plane: cores of stars, edges."""
    for _ in range(2):
        middle = np.median(light, axis=0)
        _, axes = np.linalg.eigh(np.cov(light, rowvar=False))
        away = (light - middle) @ axes[:, 0]
        spread = 1.4826 * float(np.median(np.abs(away)))
        light = light[np.abs(away) <= CLIP_SIGMAS * spread] if spread > 0 else light
    return light


@dataclass(frozen=True)
class LinePlane:
    """One line, read by slices like a mosaic of one channel; NaN where no data is."""

    source: Pixels
    """Shape (3, h, w)."""
    weights: tuple[float, float, float]
    sky: tuple[float, float, float]
    """Taken off each colour first."""
    pedestal: float
    """Level of the line's sky."""

    @property
    def shape(self) -> tuple[int, int, int]:
        _, height, width = (int(n) for n in self.source.shape)
        return 1, height, width

    def __getitem__(self, key: Any, /) -> Float32s:
        channels, rows, columns = key
        colours = np.asarray(self.source[:, rows, columns], np.float32)
        plane = np.full(colours.shape[1:], np.float32(self.pedestal))
        for weight, sky, colour in zip(self.weights, self.sky, colours, strict=True):
            plane += np.float32(weight) * (colour - np.float32(sky))
        line: Float32s = plane[None][channels]
        return line


@dataclass(frozen=True)
class LineSigma:
    """The noise of a line's plane from that of the colours, read by slices; the colours' noises are independent."""

    sigma: Pixels
    """Shape (3, h, w)."""
    weights: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        _, height, width = (int(n) for n in self.sigma.shape)
        return 1, height, width

    def __getitem__(self, key: Any, /) -> Float32s:
        channels, rows, columns = key
        colours = np.asarray(self.sigma[:, rows, columns], np.float32)
        weights = np.asarray(self.weights, np.float32)[:, None, None]
        sigma: Float32s = np.sqrt(((weights * colours) ** 2).sum(axis=0), dtype=np.float32)[None][channels]
        return sigma


def cell_levels(pixels: Pixels, box: Box, side: int = 32) -> Float64s:
    """Return the median levels of whole cells of a mosaic, shape (n, channels); medians pass over stars.

    Parameters
    ----------
    pixels : array-like, shape (channels, h, w)
    box : (y0, y1, x0, x1)
        The part that is looked at.
    side : int
        Of the square cells, in pixels.
    """
    y0, y1, x0, x1 = box
    across = (x1 - x0) // side
    levels = []
    for top in range(y0, y1 - side + 1, side):
        rows = np.asarray(pixels[:, top : top + side, x0 : x0 + across * side], np.float32)
        cells = rows.reshape(len(rows), side, across, side).transpose(2, 0, 1, 3).reshape(across, len(rows), -1)
        levels.append(np.median(cells, axis=2))
    return np.concatenate(levels).astype(np.float64) if levels and across else np.empty((0, int(pixels.shape[0])))


def _three(values: tuple[float, ...]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third
