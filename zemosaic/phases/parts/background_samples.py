"""Samples of the background in cells of every frame, for the joint calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from zemosaic.arrays import Float64s, green_channel
from zemosaic.calibration.background_cells import CellSamples, mask_radius_px, sample_cells
from zemosaic.calibration.detector import calibrated_pixels, load_camera
from zemosaic.calibration.sensor.fixed_pattern import smooth_error_adu
from zemosaic.frames.debayer import half_size
from zemosaic.frames.planes import colour_planes
from zemosaic.model import FieldStars, SolvedFrame
from zemosaic.mosaic.canvas import make_canvas
from zemosaic.mosaic.cell_size import cell_side_px
from zemosaic.phases.context import RunContext, camera_groups
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.parts.unreadable import all_read
from zemosaic.wcs import FrameWcs

__all__ = ["sample_cells_of_frames", "star_discs"]

WIDE_SEEING = 1.15
"""Stars are masked as in seeing this much worse than the median."""


@dataclass(frozen=True)
class _CellTask:
    solved: SolvedFrame
    defects: Path
    scratch: Path
    reference: FrameWcs
    cell_px: int
    stars: Path
    """Discs to leave out (ra_deg, dec_deg, radius_arcsec), shape (3, n)."""


def star_discs(solved: Sequence[SolvedFrame], stars: FieldStars, transparency: Float64s) -> Float64s:
    """Return (ra_deg, dec_deg, radius_arcsec) of what the background must not see of the stars, shape (3, n).

    A star is covered as far as its wings stand out in the frames of any camera.

    Parameters
    ----------
    solved : sequence of SolvedFrame
    stars : FieldStars
        Their flux is that in a frame of transparency 1.
    transparency : ndarray, shape (frames, channels)
    """
    green = green_channel(stars.flux.shape[1])
    flux, radius = stars.flux[:, green], np.zeros(len(stars.flux))
    groups = np.array(camera_groups([frame.frame for frame in solved]))
    for camera in range(int(groups.max()) + 1):
        members = [frame for frame, group in zip(solved, groups, strict=True) if group == camera]
        noise = float(np.median([frame.measured.noise_adu[-1] for frame in members]))
        fwhm = [frame.measured.fwhm_px for frame in members if math.isfinite(frame.measured.fwhm_px)]
        fwhm_px = float(np.median(fwhm)) if fwhm else stars.fwhm_px
        scale = float(np.median([frame.wcs.scale_arcsec for frame in members]))
        of_camera = flux * float(np.median(transparency[groups == camera, green]))
        radius = np.maximum(radius, scale * mask_radius_px(of_camera, WIDE_SEEING * fwhm_px, noise))
    return np.stack([stars.ra_deg, stars.dec_deg, radius])


def sample_cells_of_frames(
    context: RunContext,
    solved: Sequence[SolvedFrame],
    defects: DetectorCalibrations,
    discs: Float64s,
    advance: Callable[[int], None],
) -> tuple[list[CellSamples], int]:
    """Return the samples of the background of every frame, in the order of the frames, and the side of the cells.

    Parameters
    ----------
    context : RunContext
    solved : sequence of SolvedFrame
        Each has to be readable; see `zemosaic.phases.parts.unreadable`.
    defects : DetectorCalibrations
    discs : ndarray, shape (3, n)
        What to leave out, (ra_deg, dec_deg, radius_arcsec) from `star_discs`.
    advance : callable
        Takes the number of frames that are done.
    """
    reference = make_canvas(solved, "north_up", "median").wcs
    cell_px = cell_side_px(solved, reference)
    path = context.scratch / "discs.npy"
    np.save(path, discs)
    tasks = (
        _CellTask(frame, defects[frame.frame.camera_key].path, context.scratch, reference, cell_px, path)
        for frame in solved
    )
    samples = []
    answers = context.workers.map_frames(sample_frame, tasks, lambda task: task.solved.frame)
    for done, sample in enumerate(all_read("calibrate", solved, answers), 1):
        samples.append(sample)
        advance(done)
    return samples, cell_px


def sample_frame(task: _CellTask) -> CellSamples:
    """Average one frame's background over the cells."""
    frame = task.solved.frame
    pixels = calibrated_pixels(frame, task.defects, task.scratch)
    if frame.bayer is not None:
        planes, step = half_size(pixels, frame.bayer), 2
    else:
        planes, step = colour_planes(pixels, None), 1
    ra, dec, radius = np.load(task.stars)
    pattern = load_camera(task.defects).pattern
    samples = sample_cells(
        task.solved.measured,
        list(planes) * (len(task.solved.measured.noise_adu) // len(planes)),
        step,
        task.solved.wcs,
        task.reference,
        task.cell_px,
        (ra, dec, radius),
        pattern,
    )
    x, y = samples.u * frame.height + 0.5 * frame.width, (samples.v + 0.5) * frame.height
    level = float(np.mean(task.solved.measured.sky_adu)) - pattern.bias_adu
    return replace(samples, extra_adu=smooth_error_adu(pattern, x, y, max(level, 0.0)))
