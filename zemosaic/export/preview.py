"""A picture of the mosaic to look at: neutral sky, balanced colour, faint light lifted, stars kept small."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zemosaic.export.files import write_whole
from zemosaic.export.fits import AxisOrder, Box, Pixels
from zemosaic.export.shrink import block_size, shrunk

__all__ = ["coverage_picture", "jpeg_bytes", "midtones", "png_bytes", "stretched_preview", "write_png"]

Picture = NDArray[np.uint8]
Planes = NDArray[np.float32]

SKY_LEVEL = 0.12
"""Brightness of the empty sky in the picture, 0 to 1."""
SHADOW_SIGMAS = 3.5
"""How far below the sky black lies at least, in standard deviations of the sky."""
BROAD_LIGHT = 11.0
"""Brightness of nebulae and galaxies that the stretch leaves room for, in units of that depth."""
WHITE_PERCENTILE = 99.9
COLOUR_KEPT = 0.45
"""Part of a bright pixel's colour that the stretch keeps: 0 is white, 1 is all."""
GAIN_LIMIT = 3.0
DARK_SHARE = 0.25
"""Part of the picture that is taken for sky."""
BAND_ROWS = 128
"""Rows stretched at a time."""
FEWEST_CELLS = 12
"""Dark cells that a plane needs; with fewer the sky is a constant."""


def stretched_preview(
    source: Pixels,
    coverage: Pixels | None = None,
    max_px: int = 3200,
    *,
    axis_order: AxisOrder = "CHW",
    box: Box | None = None,
) -> Picture:
    """Return a stretched picture of a linear image, north up where the image has north upwards.

    Parameters
    ----------
    source : array-like
        1 or 3 planes, linear, row 0 at the bottom; NaN where there is no data.
    coverage : array-like, shape (height, width), or None
        Where it is 0 the picture is black.
    max_px : int
        Longest side of the picture.
    axis_order : {"CHW", "HWC", "HW"}
        Which axis of `source` is which.
    box : (y0, y1, x0, x1) or None
        The part of the source to show.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        Row 0 at the top.
    """
    planes = shrunk(source, max_px, axis_order=axis_order, box=box)
    inside = np.asarray(np.isfinite(planes).all(axis=0))
    if coverage is not None:
        inside &= shrunk(coverage, max_px, axis_order="HW", box=box, empty=0.0)[0] > 0
    if not inside.any():
        return np.zeros((*inside.shape, 3), np.uint8)
    _balance(planes, inside)
    stretch = _Stretch.of(planes, inside)
    picture = np.empty((*inside.shape, 3), np.uint8)
    for top in range(0, len(inside), BAND_ROWS):
        band = np.s_[top : top + BAND_ROWS]
        shown = np.where(inside[band], stretch(planes[:, band]), np.float32(0))
        picture[band] = np.moveaxis(np.rint(255.0 * shown), 0, -1)
    return np.ascontiguousarray(picture[::-1])


def midtones(x: NDArray[np.float32] | float, balance: float) -> NDArray[np.float32]:
    """Return the midtones transfer function: 0 to 0, `balance` to 1/2, 1 to 1."""
    values = np.asarray(x, np.float32)
    return (balance - 1.0) * values / ((2.0 * balance - 1.0) * values - balance)


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture (h, w, 3) as PNG with nothing but its pixels in it; raises OutputError."""
    write_whole(path, png_bytes(picture))


def png_bytes(picture: Picture) -> bytes:
    """Return a picture, shape (h, w, 3) or (h, w, 4), as the bytes of a PNG file."""
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=4)
    return out.getvalue()


def jpeg_bytes(picture: Picture, max_px: int, quality: int = 85) -> bytes:
    """Return a picture, shrunk to `max_px`, as the bytes of a JPEG file."""
    image = Image.fromarray(picture)
    image.thumbnail((max_px, max_px), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def _balance(planes: Planes, inside: NDArray[np.bool_]) -> None:
    """Subtract each channel's sky and scale the channels so that the stars are white on average, in place."""
    height, width = inside.shape
    y, x = ((np.arange(n, dtype=np.float32) + 0.5) / max(height, width) - 0.5 for n in (height, width))
    planes[:, ~inside] = np.nan
    for plane, (level, up, right) in zip(planes, _sky(planes, inside), strict=True):
        plane -= (level + up * y)[:, None] + right * x
    np.nan_to_num(planes, copy=False, nan=0.0)
    planes *= _star_gains(planes, inside)[:, None, None]


def _sky(planes: Planes, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return level and slopes of the sky per channel, shape (channels, 3), over y and x from -1/2 to 1/2.

    The darker cells of the picture decide, the same ones for all channels, so that the sky comes out
    neutral.  Overlaps of frames cannot tell a plane over the whole mosaic from light; a picture is
    better without it.
    """
    height, width = inside.shape
    longest = max(height, width)
    across = max(24, longest // 16)
    cells = shrunk(planes, across)
    known = np.isfinite(cells).all(axis=0)
    side = block_size(height, width, across) / longest
    rows, columns = np.nonzero(known)
    basis = np.stack([np.ones(len(rows)), (rows + 0.5) * side - 0.5, (columns + 0.5) * side - 0.5], axis=1)
    levels = np.asarray(cells[:, known], np.float64)
    total = levels.sum(axis=0)
    above = total - basis @ _quantile_plane(basis, total)
    dark = above <= max(0.0, float(np.quantile(above, DARK_SHARE)))
    chosen = basis[dark] if dark.sum() >= FEWEST_CELLS else basis[dark] * [1.0, 0.0, 0.0]
    return np.linalg.lstsq(chosen, levels[:, dark].T, rcond=None)[0].T.astype(np.float32)


def _quantile_plane(
    basis: NDArray[np.float64], values: NDArray[np.float64], share: float = DARK_SHARE
) -> NDArray[np.float64]:
    """Return coefficients of the plane below which a share of the values lies, in all parts of the picture."""
    spread = float(np.ptp(values)) or 1.0
    start = np.quantile(values, share)
    coefficients = np.array([start, *np.zeros(basis.shape[1] - 1)])
    for _ in range(60):
        left = values - basis @ coefficients
        weight = np.where(left > 0, share, 1.0 - share) / np.maximum(np.abs(left), 1e-4 * spread)
        normal = basis.T @ (basis * weight[:, None]) + 1e-9 * weight.sum() * np.eye(basis.shape[1])
        coefficients = np.linalg.solve(normal, basis.T @ (weight * values))
    return coefficients


def _star_gains(clear: Planes, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return factors that make the median star white; ones where there are too few stars."""
    ones = np.ones(len(clear), np.float32)
    if len(clear) == 1:
        return ones
    peaks = np.stack([plane - cv2.blur(plane, (15, 15)) for plane in clear])
    height = peaks.min(axis=0)
    low, high = np.percentile(height[inside], [99.7, 99.97])
    stars = inside & (height > max(low, 0.0)) & (height < high)
    if stars.sum() < 30:
        return ones
    chosen = peaks[:, stars]
    ratios = np.median(chosen[1] / chosen, axis=1)
    return np.clip(ratios, 1.0 / GAIN_LIMIT, GAIN_LIMIT).astype(np.float32)


@dataclass(frozen=True)
class _Stretch:
    """The stretch of a picture, alike for all channels: sky at `SKY_LEVEL`, the brightest stars at 1."""

    black: float
    white: float
    balance: float

    @classmethod
    def of(cls, clear: Planes, inside: NDArray[np.bool_]) -> _Stretch:
        light = clear.mean(axis=0)
        levels = light[inside]
        depth = _shadow_depth(light, levels, inside)
        white = max(float(np.percentile(levels, WHITE_PERCENTILE)), 10.0 * depth)
        return cls(-depth, white, float(midtones(depth / (white + depth), SKY_LEVEL)))

    def __call__(self, clear: Planes) -> Planes:
        """Return values from 0 to 1."""
        span = self.white - self.black
        scaled = np.clip((clear - self.black) / span, 0.0, 1.0)
        apart = midtones(scaled, self.balance)
        if len(clear) == 1:
            return apart
        level = np.clip((clear.mean(axis=0) - self.black) / span, 1e-6, 1.0)
        together = midtones(level, self.balance) * scaled / level
        peak = np.maximum(together.max(axis=0), 1.0)
        return np.clip(COLOUR_KEPT * together / peak + (1.0 - COLOUR_KEPT) * apart, 0.0, 1.0)


def _shadow_depth(light: Planes, levels: Planes, inside: NDArray[np.bool_]) -> float:
    """Return how far below the sky black lies: beyond the noise, and so that broad light stays below white."""
    below = levels[levels < 0]
    noise = 1.4826 * float(np.median(-below)) if below.size else 0.0
    broad = shrunk(np.where(inside, light, np.nan), max(light.shape) // 8 or 1, axis_order="HW")
    brightest = float(np.nanpercentile(broad, 99.0))
    return max(SHADOW_SIGMAS * noise, brightest / BROAD_LIGHT, 1e-6 * float(np.abs(levels).max()), 1e-30)


COVERAGE_COLOURS = np.array(
    [(13, 14, 30), (38, 40, 92), (38, 90, 130), (40, 140, 130), (110, 188, 96), (224, 214, 80), (255, 250, 205)], float
)


def coverage_picture(coverage: Pixels, max_px: int, box: Box | None = None) -> tuple[Picture, float]:
    """Return a coloured map of the frames per pixel and the number that its brightest colour means.

    Parameters
    ----------
    coverage : array-like, shape (height, width)
        Frames per pixel, row 0 at the bottom.
    max_px : int
        Longest side of the picture.
    box : (y0, y1, x0, x1) or None
        The part to show.

    Returns
    -------
    picture : ndarray, shape (h, w, 4), uint8
        Row 0 at the top, transparent where nothing is covered.
    most : float
        Largest number of frames in the map.
    """
    frames = shrunk(coverage, max_px, axis_order="HW", box=box, empty=0.0)[0][::-1]
    most = float(frames.max()) or 1.0
    place = np.clip(frames / most, 0.0, 1.0) * (len(COVERAGE_COLOURS) - 1)
    steps = np.arange(len(COVERAGE_COLOURS))
    colours = [np.interp(place, steps, COVERAGE_COLOURS[:, channel]) for channel in range(3)]
    alpha = np.where(frames > 0, 255.0, 0.0)
    return np.rint(np.stack([*colours, alpha], axis=-1)).astype(np.uint8), most
