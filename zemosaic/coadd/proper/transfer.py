"""Point spread functions of frames on the canvas, and their Fourier transforms.

A frame's stars are an elliptical Moffat profile averaged over the pixel's square. Its transform says how much of each
spatial frequency of the sky the frame still shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import fft

from zemosaic.arrays import Float64s
from zemosaic.model import CalibratedFrame
from zemosaic.wcs import FrameWcs

__all__ = ["ShapeOnCanvas", "half_maximum_width", "shape_on_canvas", "transfer_function"]

EXPONENT = 3.0
"""Of the Moffat profile, as in the photometry of the stars."""
MAX_RADIUS_PX = 32
"""The profile is cut off at this distance along rows and columns."""
_SUBPIXEL = 1.0 / math.sqrt(12.0)
"""Offsets of +- this reproduce the second moment of a pixel's square."""


@dataclass(frozen=True)
class ShapeOnCanvas:
    """A Moffat profile ``(1 + q)**-EXPONENT`` with ``q = xx dx**2 + 2 xy dx dy + yy dy**2`` in canvas pixels."""

    xx: float
    xy: float
    yy: float


def shape_on_canvas(canvas: FrameWcs, frame: CalibratedFrame, usual_fwhm_px: float) -> ShapeOnCanvas:
    """Return the shape of a frame's stars on the canvas.

    Parameters
    ----------
    canvas : FrameWcs
    frame : CalibratedFrame
    usual_fwhm_px : float
        Full width at half maximum, in pixels of the frame, that stands for an unknown one.
    """
    measured = frame.solved.measured
    fwhm = measured.fwhm_px if math.isfinite(measured.fwhm_px) and measured.fwhm_px > 0 else usual_fwhm_px
    eccentricity = measured.eccentricity if math.isfinite(measured.eccentricity) else 0.0
    # The width is the geometric mean of those along the axes.
    ratio = (1.0 - min(eccentricity, 0.99) ** 2) ** 0.25
    alpha = np.array([fwhm / ratio, fwhm * ratio]) / (2.0 * math.sqrt(2.0 ** (1.0 / EXPONENT) - 1.0))
    angle = math.radians(measured.position_angle_deg if math.isfinite(measured.position_angle_deg) else 0.0)
    turned = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    square = turned @ np.diag(alpha**2) @ turned.T
    to_canvas = np.linalg.solve(np.array(canvas.cd), np.array(frame.wcs.cd))
    inverse = np.linalg.inv(to_canvas @ square @ to_canvas.T)
    return ShapeOnCanvas(float(inverse[0, 0]), float(inverse[0, 1]), float(inverse[1, 1]))


def transfer_function(shape: ShapeOnCanvas, size: tuple[int, int]) -> Float64s:
    """Return the Fourier transform of a profile whose sum is 1, as `scipy.fft.rfft2` lays it out.

    Parameters
    ----------
    shape : ShapeOnCanvas
    size : (rows, columns)
        Of the picture that is transformed.

    Returns
    -------
    ndarray, shape (rows, columns // 2 + 1), float64
        Real, since the profile is symmetric; 1 at frequency 0.
    """
    reach = min(MAX_RADIUS_PX, (min(size) - 1) // 2)
    steps = np.arange(-reach, reach + 1, dtype=np.float64)
    profile = np.zeros((len(steps), len(steps)))
    for down in (-_SUBPIXEL, _SUBPIXEL):
        for across in (-_SUBPIXEL, _SUBPIXEL):
            dy, dx = (steps + down)[:, None], (steps + across)[None, :]
            profile += (1.0 + shape.xx * dx**2 + 2.0 * shape.xy * dx * dy + shape.yy * dy**2) ** -EXPONENT
    picture = np.zeros(size)
    picture[: len(steps), : len(steps)] = profile / profile.sum()
    return np.asarray(fft.rfft2(np.roll(picture, (-reach, -reach), (0, 1))).real, np.float64)


def half_maximum_width(transfer: Float64s, size: tuple[int, int]) -> float:
    """Return the full width at half maximum of the profile with a transform, in pixels, along the rows.

    Parameters
    ----------
    transfer : ndarray, shape (rows, columns // 2 + 1)
    size : (rows, columns)
    """
    row = fft.irfft2(transfer, size)[0, : size[1] // 2]
    beyond = int(np.argmax(row < 0.5 * row[0]))
    if not beyond:
        return math.nan
    return float(2.0 * (beyond - (0.5 * row[0] - row[beyond]) / (row[beyond - 1] - row[beyond])))
