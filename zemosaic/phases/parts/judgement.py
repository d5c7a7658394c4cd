"""Which frames are good enough, once their photometry is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import green_channel
from zemosaic.calibration.obstructions import clear_transparency
from zemosaic.calibration.photometry import Photometry
from zemosaic.errors import Message
from zemosaic.model import SolvedFrame
from zemosaic.phases.context import quality_limits
from zemosaic.settings.schema import Settings
from zemosaic.wcs import unit_vectors
from zemosaic.zeanalyser.verdicts import judge, sky_ratios, star_ratios

__all__ = ["frame_verdicts"]


def frame_verdicts(
    settings: Settings,
    solved: list[SolvedFrame],
    ids: Sequence[NDArray[np.int64]],
    photometry: Photometry,
    groups: NDArray[np.int64],
) -> list[Message | None]:
    """Return the verdicts on frames once their photometry is known, in the order of the frames."""
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
