"""What a run would do, told from headers alone, before anything is started."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zemosaic.compute.budget import make_budget, worthwhile_workers
from zemosaic.compute.machine_resources import disk_free
from zemosaic.errors import Message, ResourceError
from zemosaic.frames.inventory import nights_of
from zemosaic.model import FrameRef, MeasuredFrame, Solution, SolvedFrame, StarList
from zemosaic.mosaic.canvas import Canvas, canvas_reaches, connected_fields, make_canvas, region_of
from zemosaic.mosaic.mosaic_mode import mode_of
from zemosaic.settings.region import parse_region
from zemosaic.settings.schema import Settings
from zemosaic.store.work_folder import JOURNAL_NAME, work_folder
from zemosaic.wcs import FrameWcs

__all__ = ["CPU_S_PER_FRAME", "Forecast", "forecast"]

CPU_S_PER_FRAME = 0.35
"""Before anything is known of this computer."""
START_S = 12.0
"""CPU seconds that a run takes whatever its frames: starting, reading libraries, writing files."""
PLACE_DEG = 0.05
"""Frames that point within this of each other are taken for one when fields are looked for."""
MAX_PLACES = 2000
"""Of more places than these coarser ones are made, for a window waits for the answer."""
BYTES_PER_PIXEL_AND_CHANNEL = 4
TILES_TO_CANVAS = 1.1
"""Tiles with their overlaps take so many times the room of the canvas."""


@dataclass(frozen=True)
class Forecast:
    """What will be made, and what it will take."""

    frames: int
    unplaced: int
    """Frames whose header does not tell where they point; the solver has to find them."""
    left_out: int
    """Files of the folder that are not used, copies aside."""
    copies: int
    """Files that hold the same exposure as another one."""
    resumes: bool
    """Whether an earlier run left finished work in the output folder."""
    nights: int
    cameras: tuple[str, ...]
    hours: float
    fields: int
    filters: int
    """So many mosaics are made of each field, on one grid."""
    width: int
    """Of the largest mosaic, pixels; 0 where no header tells a place and a scale."""
    height: int
    depth: float
    """Frames over a typical covered pixel."""
    memory_bytes: int
    disk_bytes: int
    disk_free_bytes: int
    seconds: float
    mode: Message
    """Which way is taken, and why."""
    problem: Message | None = None
    """Why such a run would be refused."""


def forecast(
    settings: Settings,
    frames: Sequence[FrameRef],
    left_out: int = 0,
    cpu_s_per_frame: float = CPU_S_PER_FRAME,
    copies: int = 0,
) -> Forecast:
    """Return what a run with these settings would do with these frames.

    Parameters
    ----------
    settings : Settings
    frames : sequence of FrameRef
        Frames that are to be used.
    left_out : int
        Files of the folder that are not, copies aside.
    cpu_s_per_frame : float
        What earlier runs took.
    copies : int
        Files that hold the same exposure as another one.
    """
    placed = [frame for frame in frames if frame.ra_deg is not None and frame.scale_arcsec]
    canvases = _canvases(settings, placed)
    filters = len({frame.filter_name for frame in placed}) if settings.mosaic_per_filter else 1
    channels = 3 if any(frame.bayer or frame.planes == 3 for frame in frames) else 1
    area = max(filters, 1) * sum(canvas.width * canvas.height for canvas in canvases)
    per_pixel = BYTES_PER_PIXEL_AND_CHANNEL * channels + 8
    written = channels + 2 + channels * (settings.save_sigma_map + settings.save_proper_coadd)
    stores = 2 if settings.save_proper_coadd else 1
    needed = round(area * (stores * per_pixel * (1.0 + TILES_TO_CANVAS) + BYTES_PER_PIXEL_AND_CHANNEL * written))
    free = disk_free(_existing(Path(settings.output_dir or ".")))
    problem: Message | None = None
    memory, workers = 0, 1
    try:
        numbers = sum(frame.width * frame.height * frame.planes for frame in frames)
        asked = worthwhile_workers(settings.num_processing_workers, numbers)
        budget = make_budget(settings.memory_limit_gb, asked, frames=len(frames))
        memory, workers = budget.planned_bytes, budget.workers
    except ResourceError as failure:
        problem = failure.message
    largest = canvases[0] if canvases else None
    if placed and not canvases and settings.region_of_interest:
        problem = Message("error.nothing_in_region", {"region": settings.region_of_interest})
    if largest is not None and largest.megapixels > settings.max_canvas_megapixels:
        values = {"width": largest.width, "height": largest.height, "megapixels": round(largest.megapixels)}
        problem = Message("error.canvas_too_large", values | {"limit": settings.max_canvas_megapixels})
    elif needed > free:
        told_disk = {"needed_gb": round(needed / 1e9, 1), "free_gb": round(free / 1e9, 1)}
        problem = Message("error.disk_too_small", {"folder": settings.output_dir} | told_disk)
    light = _light_px(settings, placed, largest) if largest is not None else 0.0
    return Forecast(
        frames=len(frames),
        unplaced=len(frames) - len(placed),
        left_out=left_out,
        copies=copies,
        resumes=_resumes(settings),
        nights=len(nights_of(frames)),
        cameras=tuple(sorted({frame.instrument or frame.telescope for frame in frames} - {""})),
        hours=sum(frame.exposure_s or 0.0 for frame in frames) / 3600.0,
        fields=len(canvases),
        filters=filters,
        width=largest.width if largest else 0,
        height=largest.height if largest else 0,
        depth=light / area if area else 0.0,
        memory_bytes=memory,
        disk_bytes=needed,
        disk_free_bytes=free,
        seconds=(START_S + cpu_s_per_frame * len(frames)) / workers,
        mode=mode_of(settings, frames).reason,
        problem=problem,
    )


def _canvases(settings: Settings, frames: Sequence[FrameRef]) -> list[Canvas]:
    """Return the canvas of each field, the largest first, cut to the region of interest.

    Frames of one place stand for each other.
    """
    region = parse_region(settings.region_of_interest)
    size_deg, places = PLACE_DEG, _places(frames, PLACE_DEG)
    while len(places) > MAX_PLACES:
        size_deg *= 2
        places = _places(places, size_deg)
    solved = [_as_solved(frame) for frame in places]
    if not solved:
        return []
    canvases = []
    for members in connected_fields(solved):
        try:
            canvas = make_canvas(
                [solved[k] for k in members],
                settings.global_wcs_orientation,
                settings.global_wcs_pixelscale_mode,
                scale_arcsec=settings.global_wcs_pixelscale_arcsec,
                projection=settings.global_wcs_projection,
                finer=settings.drizzle_scale if settings.stacking_drizzle else 1.0,
            )
        except ResourceError:
            continue  # wider than half of the sky: hints that no run would believe either
        box = None if region is None else region_of(canvas, *region)
        if region is None:
            canvases.append(canvas)
        elif box is not None:
            canvases.append(canvas.cut(box))
    return sorted(canvases, key=lambda canvas: -canvas.width * canvas.height)


def _places(frames: Sequence[FrameRef], size_deg: float) -> list[FrameRef]:
    """Return the first frame of each place of a size, and of each group."""
    seen: dict[tuple[object, ...], FrameRef] = {}
    for frame in frames:
        assert frame.ra_deg is not None and frame.dec_deg is not None
        stretch = max(math.cos(math.radians(frame.dec_deg)), 0.01)
        place = round(frame.ra_deg * stretch / size_deg), round(frame.dec_deg / size_deg)
        seen.setdefault((frame.camera_key, *place), frame)
    return list(seen.values())


def _as_solved(frame: FrameRef) -> SolvedFrame:
    """Return a frame as if its header told its place exactly, north up."""
    assert frame.ra_deg is not None and frame.dec_deg is not None and frame.scale_arcsec is not None
    step = frame.scale_arcsec / 3600.0
    middle = (frame.width - 1) / 2, (frame.height - 1) / 2
    wcs = frame.header_wcs or FrameWcs(frame.ra_deg, frame.dec_deg, *middle, ((-step, 0.0), (0.0, step)))
    none, nothing = np.empty(0), np.empty(0, np.float32)
    stars = StarList(none, none, np.empty((0, 1), np.float32), np.empty((0, 1), np.float32), nothing, np.empty(0, bool))
    measured = MeasuredFrame(frame, stars, (0.0,), (1.0,), math.nan, math.nan, 0.0)
    return SolvedFrame(measured, Solution(wcs, "header", 0, math.nan))


def _light_px(settings: Settings, frames: Sequence[FrameRef], canvas: Canvas) -> float:
    """Return how many of the canvas's pixels all frames together fill; those beside a region of interest fill none."""
    if not settings.region_of_interest:
        return sum(_area_px(frame, canvas) for frame in frames)
    area = float(canvas.width * canvas.height)
    return sum(min(_area_px(frame, canvas), area) for frame in frames if canvas_reaches(canvas, _as_solved(frame)))


def _resumes(settings: Settings) -> bool:
    work = work_folder(Path(settings.output_dir or "."), settings.work_dir)
    return settings.resume != "off" and bool(settings.output_dir) and (work / JOURNAL_NAME).is_file()


def _area_px(frame: FrameRef, canvas: Canvas) -> float:
    assert frame.scale_arcsec is not None
    return frame.width * frame.height * (frame.scale_arcsec / canvas.wcs.scale_arcsec) ** 2


def _existing(folder: Path) -> Path:
    """Return a folder or the nearest one above it that exists."""
    folder = folder.absolute()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder
