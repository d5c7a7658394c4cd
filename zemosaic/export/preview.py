"""A picture of the mosaic to look at: neutral sky, balanced colour, faint light lifted, stars kept small."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zemosaic.export.files import write_whole
from zemosaic.export.layout import AxisOrder, Box, Pixels, layout_of
from zemosaic.export.shrink import sampled, shrunk

__all__ = [
    "View",
    "coverage_picture",
    "jpeg_bytes",
    "midtones",
    "png_bytes",
    "stretched_bands",
    "stretched_preview",
    "view_of",
    "write_png",
]

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


@dataclass(frozen=True)
class View:
    """How linear pixels become a picture: the sky taken off, colours balanced, the range stretched."""

    sky: tuple[float, ...]
    """Level of the sky per channel."""
    gains: tuple[float, ...]
    """Factors per channel that make the median star white."""
    stretches: tuple[_Stretch, ...]
    """One for all channels, or one for each."""

    def __call__(self, planes: Planes, inside: NDArray[np.bool_]) -> Planes:
        """Return values from 0 to 1, shape (channels, h, w); 0 outside."""
        clear = (planes - _column(self.sky)) * _column(self.gains)
        if len(self.stretches) == 1:
            shown = self.stretches[0](clear)
        else:
            shown = np.concatenate([one(plane[None]) for one, plane in zip(self.stretches, clear, strict=True)])
        return np.where(inside, shown, np.float32(0))


def view_of(
    source: Pixels,
    coverage: Pixels | None = None,
    max_px: int = 3200,
    *,
    axis_order: AxisOrder = "HWC",
    box: Box | None = None,
    linked: bool = True,
    full_size: bool = False,
) -> View:
    """Return how to show a linear image.

    Parameters
    ----------
    source, coverage, axis_order, box
        As for `stretched_preview`.
    max_px : int
        Longest side of the reduced picture that the view is found on.
    linked : bool
        Whether one stretch serves all channels, so that colours stay; or each channel has its own.
    full_size : bool
        Whether the view is for single pixels, whose noise is larger than that of averaged ones.
    """
    planes = shrunk(source, max_px, axis_order=axis_order, box=box)
    noisy = sampled(source, max_px, axis_order=axis_order, box=box) if full_size else None
    return _view(planes, _inside(planes, coverage, max_px, box), linked, noisy)


def stretched_preview(
    source: Pixels,
    coverage: Pixels | None = None,
    max_px: int = 3200,
    *,
    axis_order: AxisOrder = "HWC",
    box: Box | None = None,
    linked: bool = True,
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
    axis_order : {"HWC", "CHW", "HW"}
        Which axis of `source` is which.
    box : (y0, y1, x0, x1) or None
        The part of the source to show.
    linked : bool
        Whether all channels are stretched alike.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        Row 0 at the top.
    """
    planes = shrunk(source, max_px, axis_order=axis_order, box=box)
    inside = _inside(planes, coverage, max_px, box)
    view = _view(planes, inside, linked)
    picture = np.empty((*inside.shape, 3), np.uint8)
    for top in range(0, len(inside), BAND_ROWS):
        band = np.s_[top : top + BAND_ROWS]
        picture[band] = np.moveaxis(np.rint(255.0 * view(planes[:, band], inside[band])), 0, -1)
    return np.ascontiguousarray(picture[::-1])


def stretched_bands(
    source: Pixels,
    coverage: Pixels | None,
    view: View,
    *,
    axis_order: AxisOrder = "HWC",
    box: Box | None = None,
) -> Iterator[NDArray[np.uint16]]:
    """Yield the stretched image in full size, shape (rows, width, 3), 16 bits, from its top to its bottom.

    Parameters
    ----------
    source, coverage, axis_order, box
        As for `stretched_preview`.
    view : View
        From `view_of`.
    """
    layout = layout_of(source, axis_order)
    y0, y1, x0, x1 = box or (0, layout.height, 0, layout.width)
    for start, stop in reversed(list(layout.bands(y0, y1))):
        rows = layout.rows(start, stop, x0, x1).astype(np.float32)
        inside = np.asarray(np.isfinite(rows).all(axis=0))
        if coverage is not None:
            inside &= np.asarray(coverage[start:stop, x0:x1]) > 0
        for bottom in range(len(inside), 0, -BAND_ROWS):
            band = np.s_[max(0, bottom - BAND_ROWS) : bottom]
            shown = np.rint(65535.0 * view(rows[:, band], inside[band])).astype(np.uint16)
            colour = np.broadcast_to(shown, (3, *shown.shape[1:]))
            yield np.moveaxis(colour, 0, -1)[::-1]


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


def _inside(planes: Planes, coverage: Pixels | None, max_px: int, box: Box | None) -> NDArray[np.bool_]:
    inside = np.asarray(np.isfinite(planes).all(axis=0))
    if coverage is not None:
        inside &= shrunk(coverage, max_px, axis_order="HW", box=box, empty=0.0)[0] > 0
    return inside


def _view(planes: Planes, inside: NDArray[np.bool_], linked: bool, noisy: Planes | None = None) -> View:
    """Return the view of an averaged picture; the stretch is that of the `noisy` pixels where given."""
    ones = np.ones(len(planes), np.float32)
    if not inside.any():
        return View((0.0,) * len(planes), tuple(map(float, ones)), (_Stretch(0.0, 1.0, 0.5),))
    sky = _sky(planes, inside)
    clear = np.where(inside, planes - _column(sky), np.float32(0))
    gains = _star_gains(clear, inside) if linked else ones
    clear *= _column(gains)
    if noisy is not None and np.isfinite(noisy).all(axis=0).any():
        inside = np.asarray(np.isfinite(noisy).all(axis=0))
        clear = np.where(inside, (noisy - _column(sky)) * _column(gains), np.float32(0))
    parts = [clear] if linked else [plane[None] for plane in clear]
    return View(tuple(map(float, sky)), tuple(map(float, gains)), tuple(_Stretch.of(part, inside) for part in parts))


def _column(values: Sequence[float] | NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)[:, None, None]


def _sky(planes: Planes, inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the level of the sky per channel.

    The darker cells of the picture decide, the same ones for all channels, so that the sky comes out neutral.
    """
    cells = shrunk(np.where(inside, planes, np.float32(np.nan)), max(24, max(inside.shape) // 16), axis_order="CHW")
    levels = cells[:, np.isfinite(cells).all(axis=0)]
    total = levels.sum(axis=0)
    dark = total <= np.quantile(total, DARK_SHARE)
    return np.asarray(np.median(levels[:, dark], axis=1), np.float32)


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
