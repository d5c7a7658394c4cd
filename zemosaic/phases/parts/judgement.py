"""What the joint calibration says: of frames, whether they are good enough; of cameras; of pieces of the mosaic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import green_channel
from zemosaic.calibration.background import SkySolution
from zemosaic.calibration.obstructions import clear_transparency
from zemosaic.calibration.photometry import Photometry
from zemosaic.errors import Message, message
from zemosaic.model import SolvedFrame
from zemosaic.phases.context import RunContext, quality_limits
from zemosaic.settings.schema import Settings
from zemosaic.wcs import unit_vectors
from zemosaic.zeanalyser.verdicts import judge, sky_ratios, star_ratios

__all__ = ["frame_verdicts", "log_cameras", "warn_of_loose_pieces"]

MAX_LEVEL_ERROR = 0.1
"""Standard error of a piece's level against the rest of the mosaic, in noise of one pixel, above which its colours
cannot be compared."""


def frame_verdicts(
    settings: Settings,
    solved: list[SolvedFrame],
    ids: Sequence[NDArray[np.int64]],
    photometry: Photometry,
    groups: NDArray[np.int64],
) -> list[Message | None]:
    """Return the verdicts on frames once their photometry is known, in the order of the frames; None for a good one.

    Parameters
    ----------
    settings : Settings
        Their limits of quality count, and whether partly hidden frames are judged by their clear part.
    solved : list of SolvedFrame
    ids : sequence of ndarray of int
        For each frame the numbers of its stars, the same in all frames.
    photometry : Photometry
    groups : ndarray of int, shape (frames,)
        Camera of each frame; frames are compared with those of their own.
    """
    green = photometry.transparency[:, green_channel(photometry.transparency.shape[1])]
    if settings.quality_partial_frames:
        green = clear_transparency(solved, ids, photometry, groups)
    measured = [frame.measured for frame in solved]
    middle = [frame.wcs.pixel_to_sky(0.5 * frame.frame.width, 0.5 * frame.frame.height) for frame in solved]
    directions = unit_vectors(np.array([float(ra) for ra, _ in middle]), np.array([float(dec) for _, dec in middle]))
    radius = (
        0.25 * min(min(frame.frame.width, frame.frame.height) * frame.wcs.scale_arcsec for frame in solved) / 3600.0
    )
    stars = star_ratios(photometry.n_stars, groups, directions, radius)
    return judge(measured, green, groups, quality_limits(settings), sky_ratios(measured, groups), stars)


def warn_of_loose_pieces(context: RunContext, sky: SkySolution) -> None:
    """Warn, once, of pieces of the mosaic whose level and colour nothing compares with the rest.

    Parameters
    ----------
    context : RunContext
    sky : SkySolution
    """
    loose = int((sky.level_error_sigma > MAX_LEVEL_ERROR).sum())
    told = message("warning.pieces_not_compared", frames=loose, total=len(sky.level_error_sigma))
    if loose and told not in context.reporter.warnings:
        context.reporter.warn(told)


def log_cameras(context: RunContext, sky: SkySolution, photometry: Photometry) -> None:
    """Log each camera's fall of light and bias, and by what they were determined.

    Parameters
    ----------
    context : RunContext
    sky : SkySolution
    photometry : Photometry
        What the stars alone say.
    """
    for g in range(len(sky.bias_adu)):
        key = "log.camera_calibrated" if sky.fall.determined[g] else "log.camera_fall_undetermined"
        context.log(
            message(
                key,
                vignetting=-round(float(sky.vignetting[g]), 4),
                sigma=_rounded(sky.fall.sigma[g]),
                bias=round(float(sky.bias_adu[g]), 1),
                stars_vignetting=-round(float(photometry.stars_vignetting[g]), 4),
                stars_sigma=_rounded(photometry.vignetting_sigma[g]),
            )
        )


def _rounded(sigma: float) -> float | str:
    """Return a standard error for people; a sign for one without bound."""
    return round(float(sigma), 4) if math.isfinite(sigma) else "\u221e"
