"""A picture of the mosaic to look at: neutral sky, balanced colour, faint light lifted, stars kept small."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zemosaic.arrays import Box
from zemosaic.picture.denoise import denoise
from zemosaic.picture.downsample import downsampled
from zemosaic.picture.pyramid_kernel import Raster, shown
from zemosaic.picture.star_cores import WING_PX, with_hue_of_wings
from zemosaic.picture.stretch import AUTOMATIC_LOOK, DisplayStretch, PictureLook, fit_display_stretch, inside_of
from zemosaic.store.axis_order import AxisOrder, Pixels, axis_layout
from zemosaic.store.whole_files import write_whole

__all__ = [
    "coverage_colours",
    "coverage_picture",
    "jpeg_bytes",
    "png_bytes",
    "shown_bands",
    "stretched_bands",
    "stretched_preview",
    "write_png",
]

Picture = NDArray[np.uint8]

BAND_ROWS = 128
"""Rows stretched at a time."""


def stretched_preview(
    source: Pixels,
    coverage: Pixels | None = None,
    max_px: int = 3200,
    *,
    axis_order: AxisOrder = "HWC",
    box: Box | None = None,
    look: PictureLook = AUTOMATIC_LOOK,
) -> Picture:
    """Return a stretched picture of a linear image, north up where the image has north upwards.

    Parameters
    ----------
    source : array-like
        1 or 3 planes, linear, row 0 at the bottom; NaN where there is no data.
    coverage : array-like, shape (height, width), or None
        Frames per pixel: where it is 0 the picture is black, and thin parts show no more noise than the others.
    max_px : int
        Longest side of the picture.
    axis_order : {"HWC", "CHW", "HW"}
        Which axis of `source` is which.
    box : (y0, y1, x0, x1) or None
        The part of the source to show.
    look : PictureLook
        What is wanted of the stretch.

    Returns
    -------
    ndarray, shape (h, w, 3), uint8
        Row 0 at the top.
    """
    planes = downsampled(source, max_px, axis_order=axis_order, box=box)
    inside = inside_of(planes, None, max_px, box)
    frames = np.ones(inside.shape, np.float32)
    if coverage is not None:
        frames = downsampled(coverage, max_px, axis_order="HW", box=box, empty=0.0)[0]
        inside &= frames > 0
    view = fit_display_stretch(planes, inside, look)
    denoise(planes, frames, inside)
    del frames  # Of a large picture each plane counts.
    view = view.fitted(planes, inside)  # To calm pixels a stronger stretch does no harm.
    planes = with_hue_of_wings(planes, view.sky, view.clipped)
    picture = np.empty((*inside.shape, 3), np.uint8)
    for top in range(0, len(inside), BAND_ROWS):
        band = np.s_[top : top + BAND_ROWS]
        picture[band] = np.moveaxis(np.rint(255.0 * view(planes[:, band], inside[band])), 0, -1)
    return np.ascontiguousarray(picture[::-1])


def stretched_bands(
    source: Pixels,
    coverage: Pixels | None,
    view: DisplayStretch,
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
        From `display_stretch`.
    """
    for rows, inside in _bands(source, coverage, view, axis_order, box):
        for bottom in range(len(inside), 0, -BAND_ROWS):
            band = np.s_[max(0, bottom - BAND_ROWS) : bottom]
            levels = np.rint(65535.0 * view(rows[:, band], inside[band])).astype(np.uint16)
            colour = np.broadcast_to(levels, (3, *levels.shape[1:]))
            yield np.moveaxis(colour, 0, -1)[::-1]


def _bands(
    source: Pixels, coverage: Pixels | None, view: DisplayStretch, axis_order: AxisOrder, box: Box | None
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield rows of the source, the upper ones first, with the cores of stars repaired, and where they show data."""
    layout = axis_layout(source, axis_order)
    y0, y1, x0, x1 = box or (0, layout.height, 0, layout.width)
    for start, stop in reversed(list(layout.bands(y0, y1))):
        low, high = max(y0, start - WING_PX), min(y1, stop + WING_PX)
        rows = layout.rows(low, high, x0, x1).astype(np.float32)
        rows = with_hue_of_wings(rows, view.sky, view.clipped)[:, start - low : stop - low]
        inside = np.asarray(np.isfinite(rows).all(axis=0))
        if coverage is not None:
            inside &= np.asarray(coverage[start:stop, x0:x1]) > 0
        yield rows, inside


def shown_bands(
    source: Pixels,
    coverage: Pixels | None,
    view: DisplayStretch,
    *,
    axis_order: AxisOrder = "HWC",
    box: Box | None = None,
) -> Iterator[Picture]:
    """Yield the stretched image in full size, shape (rows, width, 3), 8 bits, from its top to its bottom.

    This is the fast form of `stretched_bands` for the screen.

    Parameters
    ----------
    source : array-like
        1 or 3 planes, linear, row 0 at the bottom; NaN where there is no data.
    coverage : array-like, shape (height, width), or None
        What is 0 here is black.
    view : DisplayStretch
    axis_order : {"HWC", "CHW", "HW"}
        Which axis of `source` is which.
    box : (y0, y1, x0, x1) or None
        The part of the source to show; None for all.
    """
    for rows, inside in _bands(source, coverage, view, axis_order, box):
        height, width = inside.shape
        yield shown(
            np.where(inside, rows, np.float32(np.nan)), Raster(0.0, height - 1.0, 1.0, -1.0), width, height, view
        )


def write_png(path: Path, picture: Picture) -> None:
    """Write a picture (h, w, 3) as PNG with nothing but its pixels in it; raises OutputError.

    Parameters
    ----------
    path : Path
    picture : ndarray, shape (h, w, 3), uint8
    """
    write_whole(path, png_bytes(picture))


def png_bytes(picture: Picture) -> bytes:
    """Return a picture, shape (h, w, 3) or (h, w, 4), as the bytes of a PNG file."""
    out = io.BytesIO()
    # Run lengths alone pack filtered noise as tightly as a search for repetitions, in half the time.
    Image.fromarray(picture).save(out, "PNG", compress_type=Image.core.RLE)
    return out.getvalue()


def jpeg_bytes(picture: Picture, max_px: int, quality: int = 85) -> bytes:
    """Return a picture, shrunk to `max_px`, as the bytes of a JPEG file.

    Parameters
    ----------
    picture : ndarray, shape (h, w, 3), uint8
    max_px : int
        Longest side; smaller pictures keep their size.
    quality : int
        Of the JPEG encoder, up to 95.
    """
    image = Image.fromarray(picture)
    image.thumbnail((max_px, max_px), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


COVERAGE_COLOURS = np.array(
    [(52, 46, 112), (40, 84, 136), (40, 140, 130), (110, 188, 96), (224, 214, 80), (255, 250, 205)], float
)
"""From few frames to many; the first one is seen on a dark page as well as on a light one."""


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
    frames = downsampled(coverage, max_px, axis_order="HW", box=box, empty=0.0)[0][::-1]
    most = float(frames.max()) or 1.0
    return coverage_colours(frames, most), most


def coverage_colours(frames: NDArray[np.float32], most: float) -> Picture:
    """Return the colours, shape (h, w, 4), of numbers of frames, transparent where there are none.

    Parameters
    ----------
    frames : ndarray, shape (h, w), float32
        Numbers of frames.
    most : float
        The number that gets the last colour.
    """
    place = np.clip(np.nan_to_num(frames) / most, 0.0, 1.0) * (len(COVERAGE_COLOURS) - 1)
    steps = np.arange(len(COVERAGE_COLOURS))
    colours = [np.interp(place, steps, COVERAGE_COLOURS[:, channel]) for channel in range(3)]
    alpha = np.where(frames > 0, 255.0, 0.0)
    picture: Picture = np.rint(np.stack([*colours, alpha], axis=-1)).astype(np.uint8)
    return picture
