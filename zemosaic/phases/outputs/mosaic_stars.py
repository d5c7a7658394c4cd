"""What the stars of a finished mosaic tell: its white, its zero point, its depth."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from zemosaic.arrays import Box
from zemosaic.catalogue import load_bundled
from zemosaic.catalogue.star_colours import load_colours
from zemosaic.errors import OutputError, message
from zemosaic.model import FrameRef, SolvedFrame
from zemosaic.phases.context import RunContext
from zemosaic.settings.load import user_config_folder
from zemosaic.stars.apertures import windows
from zemosaic.stars.colour_stars import (
    MeasuredMosaicStars,
    colours_for_white,
    known_stars,
    measured_colours,
    saturated_places,
)
from zemosaic.stars.response import FieldResponse, known_response, read_responses, with_response, write_responses
from zemosaic.stars.shallow_parts import ShallowPart, shallow_parts
from zemosaic.stars.white import StarColoursMeasured, White, colours_of, white_of_locus, white_of_stars
from zemosaic.stars.zero_point import MosaicDepth, ZeroPoint, faintest_star, zero_point
from zemosaic.store.axis_order import Pixels
from zemosaic.store.colour_gains import ColourGains
from zemosaic.wcs import FrameWcs

__all__ = ["MosaicStars", "catalogue_of_mosaic", "stars_of_mosaic"]

REFERENCE = "Gaia DR3"
MAX_SAMPLED_WINDOWS = 9
MIN_LOCUS_SNR = 20.0
RESPONSES_FILE = "colour_responses.json"
CUT_OFF_OF_PEAK = 0.8
"""Pixels count as cut off from this part of the saturated stars' peaks on."""


@dataclass(frozen=True)
class MosaicStars:
    """What the stars of a mosaic tell; each None where they do not."""

    white: White | None = None
    zero: ZeroPoint | None = None
    depth: MosaicDepth | None = None
    cut_off: tuple[float, ...] | None = None
    """Level per channel from which on pixels are cut off; None where no star is."""
    fwhm_px: float = 3.0
    shallow: tuple[ShallowPart, ...] = ()
    """Where more frames would help most."""

    @property
    def colour(self) -> ColourGains | None:
        return self.white.colour if self.white is not None else None


def stars_of_mosaic(
    context: RunContext, frames: Sequence[SolvedFrame], wcs: FrameWcs, value: Pixels, kept: Pixels, box: Box
) -> MosaicStars:
    """Measure the stars of a mosaic.

    Parameters
    ----------
    context : RunContext
    frames : sequence of SolvedFrame
        Those whose pixels are in the mosaic.
    wcs : FrameWcs
        Of the canvas.
    value : array-like, shape (channels, h, w)
        The canvas; NaN where no data is.
    kept : array-like, shape (h, w)
        Frames per pixel.
    box : (y0, y1, x0, x1)
        The part that goes into the files.

    Raises
    ------
    InputError
        The bundled catalogue is missing or damaged.
    """
    known = known_stars(load_colours(), wcs, box)
    measured = measured_colours(value, kept, known, wcs, box, saturated_places(frames), load_bundled())
    zero = zero_point(measured)
    depth = faintest_star(value, kept, box, zero) if zero is not None else None
    white, cut_off = None, _cut_off(measured)
    if value.shape[0] == 3:
        sample = partial(_sample_of_all_stars, value, box, measured.fwhm_px, cut_off)
        white = _white(context, [frame.frame for frame in frames], measured, wcs, box, sample)
        if white is None:
            context.log(message("log.no_white", stars=len(colours_for_white(measured))))
        else:
            _tell(context, white.colour)
    shallow = shallow_parts(kept, wcs, box, depth.limit_mag if depth is not None else math.nan)
    return MosaicStars(white, zero, depth, cut_off, measured.fwhm_px, tuple(shallow))


def catalogue_of_mosaic(path: Path, stars: MosaicStars, value: Pixels, kept: Pixels, wcs: FrameWcs, box: Box) -> int:
    """Find all stars of a mosaic and write them as a table, and the PSFs that they show; returns how many there are.

    Parameters
    ----------
    path : Path
        Of the table, ``..._stars.ecsv``; the PSFs are written beside it as ``..._psf.fits``.
    stars : MosaicStars
        What `stars_of_mosaic` learnt.
    value : array-like, shape (channels, h, w)
        The canvas.
    kept : array-like, shape (h, w)
        Frames per pixel.
    wcs : FrameWcs
        Of the canvas.
    box : (y0, y1, x0, x1)
        The part that goes into the files; places in pixels are those of the file.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    # Imported here: they take half a second, and most runs write no table.
    from zemosaic.stars.detect import find_stars, joined
    from zemosaic.stars.effective_psf import psfs_of_parts, write_psfs
    from zemosaic.stars.star_table import star_table, write_star_table

    found = joined(find_stars(value, windows(box), stars.fwhm_px, stars.cut_off, kept), value.shape[0])
    moved = replace(found, x_px=found.x_px - box[2], y_px=found.y_px - box[0])
    write_star_table(path, star_table(moved, wcs.shifted(box[2], box[0]), stars.zero, stars.white))
    psfs = [psf.shifted(box[2], box[0]) for psf in psfs_of_parts(value, found, stars.fwhm_px, box)]
    write_psfs(path.with_name(path.name.replace("_stars.ecsv", "_psf.fits")), psfs, wcs.scale_arcsec)
    return len(found)


def _sample_of_all_stars(
    value: Pixels, box: Box, fwhm_px: float, cut_off: tuple[float, ...] | None
) -> StarColoursMeasured:
    """Return the colours of well measured stars of any kind, from an even choice of windows."""
    # Imported here: it takes half a second, and most runs have enough stars of known colour.
    from zemosaic.stars.detect import find_stars, joined

    every = list(windows(box))
    chosen = [every[k] for k in np.unique(np.linspace(0, len(every) - 1, MAX_SAMPLED_WINDOWS).astype(int))]
    stars = joined(find_stars(value, chosen, fwhm_px, cut_off), value.shape[0])
    good = (stars.flags == 0) & (stars.flux > MIN_LOCUS_SNR * stars.error).all(axis=1)
    colours = colours_of(stars.flux[good], stars.error[good])
    return StarColoursMeasured(np.full(int(good.sum()), np.nan), *colours)


def _white(
    context: RunContext,
    frames: Sequence[FrameRef],
    measured: MeasuredMosaicStars,
    wcs: FrameWcs,
    box: Box,
    sample: Callable[[], StarColoursMeasured],
) -> White | None:
    """Return the white of the mosaic, and keep what it teaches of the camera."""
    camera = _joined(frame.instrument or frame.telescope for frame in frames)
    filter_name = _joined(frame.filter_name for frame in frames)
    ra, dec = wcs.pixel_to_sky(0.5 * (box[2] + box[3] - 1), 0.5 * (box[0] + box[1] - 1))
    path = user_config_folder(os.environ) / RESPONSES_FILE
    learnt = read_responses(path)
    response = known_response(learnt, camera, filter_name, float(ra), float(dec))
    white = white_of_stars(colours_for_white(measured), response, REFERENCE)
    if white is None:
        return white_of_locus(sample(), response, REFERENCE)
    if not camera:
        return white
    taught = FieldResponse(
        camera,
        filter_name,
        round(float(ra), 3),
        round(float(dec), 3),
        white.red.slope,
        white.blue.slope,
        white.colour.stars,
    )
    fields = with_response(learnt, taught)
    if fields != learnt:
        try:
            write_responses(path, fields)
        except (OutputError, OSError) as failure:
            context.log(message("log.responses_not_kept", path=str(path), detail=str(failure)), "WARNING")
    return white


def _tell(context: RunContext, colour: ColourGains) -> None:
    red, _, blue = colour.gains
    context.log(message("log.white", stars=colour.stars, red=red, blue=blue, error=colour.error_mag))


def _cut_off(measured: MeasuredMosaicStars) -> tuple[float, ...] | None:
    """Return from which level on pixels are cut off, from the peaks of saturated stars."""
    peaks = measured.fluxes.peak[measured.saturated]
    peaks = peaks[np.isfinite(peaks).all(axis=1)]
    return tuple(float(v) for v in CUT_OFF_OF_PEAK * peaks.max(axis=0)) if len(peaks) else None


def _joined(names: Iterable[str]) -> str:
    return ", ".join(sorted({name.strip() for name in names if name.strip()}))
