"""Samples of the background in cells of every frame, for the joint calibration."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zemosaic.arrays import Float64s, green_channel
from zemosaic.calibration.background_cells import CellSamples, mask_radius_px, sample_cells
from zemosaic.calibration.detector import calibrated_pixels
from zemosaic.frames.debayer import half_size
from zemosaic.frames.planes import colour_planes
from zemosaic.model import FieldStars, SolvedFrame
from zemosaic.mosaic.canvas import make_canvas
from zemosaic.phases.context import RunContext
from zemosaic.phases.measure import DetectorCalibrations
from zemosaic.phases.parts.unreadable import all_read
from zemosaic.wcs import FrameWcs

__all__ = ["cell_side_px", "sample_cells_of_frames", "star_discs"]

WIDE_SEEING = 1.15
"""Stars are masked as in seeing this much worse than the median."""
CELL_PX = 64
MAX_CELL_SAMPLES = 1_200_000
"""Cells grow with the number of frames so that their samples stay below this; a sample takes 700 bytes to solve."""


@dataclass(frozen=True)
class _CellTask:
    solved: SolvedFrame
    defects: Path
    scratch: Path
    reference: FrameWcs
    cell_px: int
    stars: Path
    """Discs to leave out (ra_deg, dec_deg, radius_px), shape (3, n)."""


def star_discs(solved: Sequence[SolvedFrame], stars: FieldStars) -> Float64s:
    """Return (ra_deg, dec_deg, radius_px) of what the background must not see of the stars, shape (3, n)."""
    noise = float(np.median([frame.measured.noise_adu[-1] for frame in solved]))
    flux = stars.flux[:, green_channel(stars.flux.shape[1])]
    return np.stack([stars.ra_deg, stars.dec_deg, mask_radius_px(flux, WIDE_SEEING * stars.fwhm_px, noise)])


def cell_side_px(solved: Sequence[SolvedFrame]) -> int:
    """Return the side of the cells, larger for many frames."""
    area = sum(frame.frame.width * frame.frame.height for frame in solved)
    return max(CELL_PX, CELL_PX * math.ceil(math.sqrt(area / CELL_PX**2 / MAX_CELL_SAMPLES)))


def sample_cells_of_frames(
    context: RunContext,
    solved: Sequence[SolvedFrame],
    defects: DetectorCalibrations,
    discs: Float64s,
    cell_px: int,
    advance: Callable[[int], None],
) -> list[CellSamples]:
    """Return the samples of the background of every frame, in the order of the frames."""
    reference = make_canvas(solved, "north_up", "median").wcs
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
    return samples


def sample_frame(task: _CellTask) -> CellSamples:
    """Average one frame's background over the cells."""
    frame = task.solved.frame
    pixels = calibrated_pixels(frame, task.defects, task.scratch)
    if frame.bayer is not None:
        planes, step = half_size(pixels, frame.bayer), 2
    else:
        planes, step = colour_planes(pixels, None), 1
    ra, dec, radius = np.load(task.stars)
    return sample_cells(
        task.solved.measured,
        list(planes) * (len(task.solved.measured.noise_adu) // len(planes)),
        step,
        task.solved.wcs,
        task.reference,
        task.cell_px,
        (ra, dec, radius),
    )
