"""The pictures that a user shares: a finished one beside the mosaic, its annotation, and a page to zoom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Box
from zemosaic.errors import message
from zemosaic.export.cards import Provenance
from zemosaic.i18n import Translator
from zemosaic.phases.context import RunContext
from zemosaic.picture.annotation.annotate import annotate
from zemosaic.picture.annotation.burnt import burnt_in
from zemosaic.picture.annotation.drawing import Annotation
from zemosaic.picture.annotation.projection import PictureWcs
from zemosaic.picture.annotation.svg import svg_text
from zemosaic.picture.downsample import block_size
from zemosaic.picture.preview import shown_bands, stretched_preview
from zemosaic.picture.sharing.caption import with_caption
from zemosaic.picture.sharing.good_depth import deep_box
from zemosaic.picture.sharing.hips import write_hips
from zemosaic.picture.sharing.metadata import PictureInfo
from zemosaic.picture.sharing.page import PageTexts, write_page
from zemosaic.picture.sharing.shared_file import SharedKind, write_shared
from zemosaic.picture.stretch import PictureLook, display_stretch
from zemosaic.settings.schema import Settings
from zemosaic.store.axis_order import Pixels
from zemosaic.store.whole_files import write_whole
from zemosaic.wcs import FrameWcs

__all__ = ["CanvasPixels", "StretchedPicture", "look_of", "write_shared_pictures"]

PICTURE_BYTES = 95
"""Memory that a pixel of a finished picture takes while it is made."""
MEMORY_PART = 0.25
"""Part of the memory limit that a finished picture may take; the workers have ended their tasks then."""
MAX_ANNOTATION_PX = 3000
"""Longest side, in pixels, of the annotation of a page; it is scaled with the mosaic."""
EXTENSIONS: dict[SharedKind, str] = {"jpg": "jpg", "png": "png", "tiff": "tif"}


@dataclass(frozen=True)
class CanvasPixels:
    """The mosaic as it lies in the store."""

    value: Pixels
    """Linear, shape (channels, height, width)."""
    kept: Pixels
    """Frames per pixel, shape (height, width)."""
    wcs: FrameWcs
    """Of the whole canvas."""
    box: Box
    """The part of the canvas that the mosaic's files hold."""


@dataclass(frozen=True)
class StretchedPicture:
    """A picture that has been made already."""

    pixels: NDArray[np.uint8]
    """Shape (h, w, 3)."""
    box: Box
    """The part of the canvas that it shows."""
    max_px: int
    """The longest side that it was made for."""

    def shows(self, box: Box, max_px: int) -> bool:
        """Return whether it is what a picture of a part of the canvas would be.

        Parameters
        ----------
        box : (y0, y1, x0, x1)
            Part of the canvas.
        max_px : int
            Longest side of the picture.
        """
        height, width = box[1] - box[0], box[3] - box[2]
        return box == self.box and block_size(height, width, max_px) == block_size(height, width, self.max_px)


def look_of(settings: Settings, gains: tuple[float, ...] | None = None) -> PictureLook:
    """Return what the settings ask of a stretch.

    Parameters
    ----------
    settings : Settings
    gains : tuple of float or None
        Measured factors per channel that make white stars white.
    """
    return PictureLook(settings.preview_linked, settings.picture_strength, settings.picture_sky_level, gains)


def write_shared_pictures(
    context: RunContext,
    stem: str,
    origin: Provenance,
    canvas: CanvasPixels,
    look: PictureLook,
    preview: StretchedPicture | None = None,
) -> str:
    """Write the finished picture, its annotation, the page and the HiPS, as far as the settings ask for them.

    Parameters
    ----------
    context : RunContext
    stem : str
        What the names of the mosaic's files begin with.
    origin : Provenance
        What the mosaic is made of, for the caption.
    canvas : CanvasPixels
    look : PictureLook
    preview : StretchedPicture, optional
        Of the same look; taken where it is what the finished picture would be.

    Returns
    -------
    str
        Name of the finished picture's file, empty where none was asked for.

    Raises
    ------
    InputError
        The objects to be named cannot be read.
    OutputError, ResourceError
        The files cannot be written.
    """
    settings = context.settings
    if settings.save_picture_page:
        _write_page(context, stem, origin, canvas, look)
    if settings.save_picture == "none" and settings.picture_annotation == "none" and not settings.save_hips:
        return ""
    box = deep_box(canvas.kept, canvas.box) if settings.picture_crop else canvas.box
    most_px = _longest_side(context, box)
    if preview is not None and preview.shows(box, most_px):
        picture = preview.pixels
    else:
        picture = stretched_preview(canvas.value, canvas.kept, most_px, axis_order="CHW", box=box, look=look)
    sky = _picture_sky(canvas.wcs, box, most_px)
    annotation = None if settings.picture_annotation == "none" else annotate(sky)
    kind: SharedKind = "jpg" if settings.save_picture == "none" else settings.save_picture
    end = EXTENSIONS[kind]
    name = "" if settings.save_picture == "none" else f"{stem}_picture.{end}"
    if name:
        _write(context, name, picture, sky, origin)
    if annotation and settings.picture_annotation in ("layer", "both"):
        layer = svg_text(annotation, name if not settings.picture_max_mb else "")
        write_whole(context.output_dir / f"{stem}_annotation.svg", layer.encode("utf-8"))
    if annotation and settings.picture_annotation in ("burnt", "both"):
        _write(context, f"{stem}_annotated.{end}", burnt_in(picture, annotation), sky, origin)
    if settings.save_hips:
        _write_hips(context, f"{stem}_hips", picture, sky, origin)
    return name


def _write(context: RunContext, name: str, picture: NDArray[np.uint8], sky: PictureWcs, origin: Provenance) -> None:
    """Write a picture with what is asked to stand in and under it."""
    settings, words = context.settings, Translator(context.settings.language)
    lines = _caption(origin, settings.picture_author, words)
    shown = picture
    wcs = sky.picture_wcs()
    if settings.picture_caption:
        shown = with_caption(picture, _title(origin, name), lines)
        # Rows of the WCS are counted from the bottom, which the strip moves down.
        wcs = wcs.shifted(0, picture.shape[0] - shown.shape[0])
    info = _info(settings, name, shown, wcs, origin, lines)
    kind: SharedKind = "jpg" if settings.save_picture == "none" else settings.save_picture
    write_shared(context.output_dir / name, shown, kind, info, round(settings.picture_max_mb * 1e6))


def _write_hips(
    context: RunContext, name: str, picture: NDArray[np.uint8], sky: PictureWcs, origin: Provenance
) -> None:
    """Write a picture as tiles on the sphere, dated by the last frame, so that a second run makes the same."""
    settings = context.settings
    lines = _caption(origin, settings.picture_author, Translator(settings.language))
    info = _info(settings, name, picture, sky.picture_wcs(), origin, lines)
    released = f"{origin.last_end:%Y-%m-%dT%H:%MZ}" if origin.last_end is not None else ""
    context.log(message("log.hips", name=name))
    write_hips(context.output_dir / name, picture, info, released)


def _info(
    settings: Settings,
    name: str,
    picture: NDArray[np.uint8],
    wcs: FrameWcs,
    origin: Provenance,
    lines: Sequence[str],
) -> PictureInfo:
    """Return what a picture's file says of it."""
    height, width = picture.shape[:2]
    title, author = _title(origin, name), settings.picture_author
    return PictureInfo(title, "\n".join(lines), author, origin.telescope, wcs, width, height)


def _write_page(context: RunContext, stem: str, origin: Provenance, canvas: CanvasPixels, look: PictureLook) -> None:
    """Write the page to zoom, with its annotation where one is asked for."""
    y0, y1, x0, x1 = canvas.box
    view = display_stretch(canvas.value, canvas.kept, axis_order="CHW", box=canvas.box, look=look, full_size=True)
    annotation: Annotation | None = None
    width, height, wcs = x1 - x0, y1 - y0, canvas.wcs.shifted(x0, y0)
    step = max(max(width, height) / MAX_ANNOTATION_PX, 1.0)
    sky = PictureWcs(wcs, height, step, round(width / step), round(height / step))
    if context.settings.picture_annotation != "none":
        annotation = annotate(sky)
    path = context.output_dir / f"{stem}_page.html"
    texts = PageTexts(_title(origin, stem), wcs, annotation, step)
    bands = shown_bands(canvas.value, canvas.kept, view, axis_order="CHW", box=canvas.box)
    write_page(path, bands, width, height, texts, Translator(context.settings.language))


def _longest_side(context: RunContext, box: Box) -> int:
    """Return the longest side of the finished picture, as asked for and as the memory allows."""
    height, width = box[1] - box[0], box[3] - box[2]
    wanted = context.settings.picture_max_px
    most_pixels = MEMORY_PART * context.workers.budget.limit_bytes / PICTURE_BYTES
    allowed = int(max(height, width) * math.sqrt(most_pixels / (height * width)))
    if allowed >= min(wanted, max(height, width)):
        return wanted
    side = block_size(height, width, allowed)
    context.log(message("log.picture_reduced", width=-(-width // side), height=-(-height // side)))
    return allowed


def _picture_sky(canvas_wcs: FrameWcs, box: Box, most_px: int) -> PictureWcs:
    """Return where a picture of a part of the canvas lies on the sky."""
    y0, y1, x0, x1 = box
    height, width = y1 - y0, x1 - x0
    side = block_size(height, width, most_px)
    rows, columns = -(-height // side), -(-width // side)
    # Blocks are counted from the bottom row, so that the picture's top row may stand for fewer rows.
    return PictureWcs(canvas_wcs.shifted(x0, y0), rows * side, float(side), columns, rows)


def _title(origin: Provenance, name: str) -> str:
    return origin.object_name or Path(name).stem


def _caption(origin: Provenance, author: str, words: Translator) -> list[str]:
    """Return the lines under the title: telescope, frames and exposure; dates; author."""
    minutes = round(origin.exposure_s / 60.0)
    exposure = (
        words.text("caption.hours", hours=minutes // 60, minutes=minutes % 60)
        if minutes >= 60
        else words.text("caption.minutes", minutes=minutes)
    )
    device = origin.telescope or origin.instrument
    lines = [words.text("caption.frames", telescope=device, frames=origin.frames_used, exposure=exposure).lstrip(" ·")]
    if origin.first_start is not None and origin.last_end is not None:
        first, last = (f"{moment:%Y-%m-%d}" for moment in (origin.first_start, origin.last_end))
        lines.append(first if first == last else words.text("caption.dates", first=first, last=last))
    return [*lines, words.text("caption.author", author=author)] if author else lines
