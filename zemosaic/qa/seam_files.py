"""Seams of any mosaic on disk: footprints from a run's report or from frames with a WCS, a map as a picture."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from astropy.io import fits
from astropy.wcs import WCS, FITSFixedWarning
from astropy.wcs.utils import proj_plane_pixel_scales
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, median
from zemosaic.errors import FrameError, InputError
from zemosaic.frames.frame_files import fits_files, read_frame
from zemosaic.picture.preview import write_png
from zemosaic.qa.seams import SeamReport, measure_seams
from zemosaic.text.plain_text import json_value

__all__ = ["MeasuredSeams", "measure_seams_of_file"]

Footprints = list[tuple[Float64s, Float64s]]

MAX_FRAMES = 400
FULL_COLOUR = 0.2
"""Step that is drawn in the strongest colour."""
MAP_PX = 1600
BLOCK_PX = 32
"""Side of the blocks in which noise and depth of a foreign mosaic are compared."""
APART_PX = 4
"""Pixels this far apart share no light by interpolation."""


@dataclass(frozen=True)
class MeasuredSeams:
    """Seams of one file and where they are drawn."""

    report: SeamReport
    frames: int
    map: Path


def measure_seams_of_file(mosaic: Path, footprints: Path | None = None) -> MeasuredSeams:
    """Measure the steps across the edges of the frames that a mosaic was made of; a map is written beside it.

    Steps are in noise of one frame's pixel: as the report of the run that made the mosaic tells it, else from
    the noise of the mosaic and the number of frames that cover each place.

    Parameters
    ----------
    mosaic : Path
        FITS file with a celestial WCS, one or three planes.
    footprints : Path, optional
        A `run_report.json`, or a folder of frames whose headers hold a WCS; by default the report beside the
        mosaic.

    Raises
    ------
    InputError
        When a file cannot be read, or no footprint is known.
    OutputError
        When the map cannot be written.
    """
    data, wcs = _read_mosaic(mosaic)
    source = footprints or mosaic.parent / "run_report.json"
    corners, noise = _from_frames(source) if source.is_dir() else _from_report(source, mosaic.name)
    chosen = np.unique(np.linspace(0, len(corners) - 1, min(len(corners), MAX_FRAMES)).astype(int))
    every = [_on_mosaic(wcs, *corner) for corner in corners]
    sigma = noise if noise is not None and len(noise) == len(data) else _noise_of_one(data, every)
    scale = float(np.mean(proj_plane_pixel_scales(wcs))) * 3600.0
    report = measure_seams(data, [every[k] for k in chosen], sigma, scale)
    drawn = mosaic.with_name(f"{mosaic.name.partition('.fit')[0]}_seams.png")
    write_png(drawn, _map(data, report))
    return MeasuredSeams(report, len(chosen), drawn)


def _read_mosaic(path: Path) -> tuple[NDArray[np.float32], WCS]:
    """Return planes, shape (channels, h, w), NaN where nothing is, and the WCS."""
    try:
        with fits.open(path) as hdus:
            hdu = next(hdu for hdu in hdus if hdu.data is not None and hdu.data.ndim >= 2)
            data = np.array(hdu.data, np.float32)
            with warnings.catch_warnings():
                # Dates in old spellings and the like, which do not move a pixel.
                warnings.simplefilter("ignore", FITSFixedWarning)
                wcs = WCS(hdu.header).celestial
    except (OSError, StopIteration, ValueError) as fault:
        raise InputError("error.seams_unreadable", file=str(path), detail=str(fault)) from fault
    if not wcs.has_celestial:
        raise InputError("error.seams_no_wcs", file=str(path))
    if data.ndim == 2:
        data = data[None]
    elif data.shape[0] not in (1, 3):
        data = np.ascontiguousarray(np.moveaxis(data, -1, 0)[:3])
    empty = ~np.isfinite(data).all(axis=0) | (data == 0).all(axis=0)
    data[:, empty] = np.nan
    return data, wcs


def _from_report(path: Path, mosaic: str) -> tuple[list[tuple[Any, Any]], list[float] | None]:
    """Return corners (ra_deg, dec_deg) of the used frames, and one's noise where the report is the mosaic's own."""
    try:
        report = json_value(path.read_text("utf-8"))
        used = [entry for entry in report["frames"] if entry["status"] == "used" and entry["corners_ra_deg"]]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise InputError("error.seams_no_footprints", file=str(path)) from fault
    corners = [(entry["corners_ra_deg"], entry["corners_dec_deg"]) for entry in used]
    if not corners:
        raise InputError("error.seams_no_footprints", file=str(path))
    known = [entry["metrics"] for entry in used if entry["metrics"]["noise_adu"] and entry["metrics"]["transparency"]]
    if report["mosaic"] != mosaic or not known:
        return corners, None
    noise = [np.array(entry["noise_adu"]) / np.array(entry["transparency"]) for entry in known]
    return corners, [float(value) for value in median(noise, axis=0)]


def _from_frames(folder: Path) -> tuple[list[tuple[Any, Any]], None]:
    corners = []
    for file in fits_files(folder):
        try:
            frame = read_frame(file)
        except FrameError:
            continue  # a folder of frames may hold other files, too
        if frame.header_wcs is not None:
            corners.append(frame.header_wcs.corners(frame.width, frame.height))
    if not corners:
        raise InputError("error.seams_no_footprints", file=str(folder))
    return corners, None


def _on_mosaic(wcs: WCS, ra: Any, dec: Any) -> tuple[Float64s, Float64s]:
    x, y = wcs.all_world2pix(ra, dec, 0)
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


def _noise_of_one(data: NDArray[np.float32], footprints: Footprints) -> list[float]:
    """Return the noise of one frame's pixel per channel: that of the mosaic times the root of the depth there."""
    rows, columns = data.shape[1] // BLOCK_PX, data.shape[2] // BLOCK_PX
    depth = np.zeros((rows, columns), np.float32)
    for x, y in footprints:
        frame = np.zeros_like(depth)
        cv2.fillConvexPoly(frame, np.rint(np.stack([x, y], axis=1) / BLOCK_PX - 0.5).astype(np.int32), 1.0)
        depth += frame
    noise = []
    for plane in data:
        step = plane[:, APART_PX:] - plane[:, :-APART_PX]
        whole = step[: rows * BLOCK_PX, : (columns - 1) * BLOCK_PX]
        blocks = np.abs(whole).reshape(rows, BLOCK_PX, columns - 1, BLOCK_PX).swapaxes(1, 2)
        typical = 1.4826 / np.sqrt(2.0) * median(blocks.reshape(rows, columns - 1, -1), axis=2)
        scaled = (typical * np.sqrt(depth[:, : columns - 1]))[depth[:, : columns - 1] > 0]
        scaled = scaled[np.isfinite(scaled) & (scaled > 0)]
        noise.append(float(median(scaled)) if len(scaled) else float("nan"))
    return noise


def _map(data: NDArray[np.float32], report: SeamReport) -> NDArray[np.uint8]:
    """Return the mosaic's outline with steps: red where brighter inside, blue where darker; rows from the top."""
    shrink = max(1, max(data.shape[1:]) // MAP_PX)
    picture = np.where(np.isfinite(data[0, ::shrink, ::shrink, None]), 40, 0).repeat(3, axis=2).astype(np.uint8)
    for seam in sorted(report.trusted, key=lambda seam_: abs(seam_.level)):
        strength = int(np.clip(215 * abs(seam.level) / FULL_COLOUR, 0, 215))
        colour = (40 + strength, 40, 40) if seam.level > 0 else (40, 40, 40 + strength)
        ends = [(int(x / shrink), int(y / shrink)) for x, y in zip(seam.x, seam.y, strict=True)]
        cv2.line(picture, ends[0], ends[1], colour, 2)
    return np.ascontiguousarray(picture[::-1])
