"""What an earlier night's solution says of frames and cameras: it stays, and new frames are fitted to it.

Frames that were solved before are no unknowns any more, only observations of stars and sky.  So new frames
take over the scale, the plane and the illumination of the earlier solution, and meet it without a seam; what
no observation knows (see `zemosaic.calibration.gauge`) is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.calibration.joint import JointProblem
from zemosaic.model import SKY_BENDS

__all__ = ["Held", "with_known_frames"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Held:
    """Known numbers of frames and cameras; those of the others mean nothing."""

    frames: NDArray[np.bool_]
    """Which frames are held, shape (frames,)."""
    transparency: Floats
    """Shape (frames, channels)."""
    sky_adu: Floats
    """Level, slopes and bends, shape (frames, channels, terms)."""
    cameras: NDArray[np.bool_]
    """Which cameras are held, shape (groups,)."""
    vignetting: Floats
    """Coefficient of r**2, shape (groups,)."""
    bias_adu: Floats
    """Shape (groups,)."""

    @classmethod
    def nothing(cls, frames: int, channels: int, groups: int) -> Held:
        """Return what is known where nothing is."""
        return cls(
            np.zeros(frames, bool),
            np.ones((frames, channels)),
            np.zeros((frames, channels, 3 + SKY_BENDS)),
            np.zeros(groups, bool),
            np.zeros(groups),
            np.zeros(groups),
        )


def with_known_frames(problem: JointProblem, known: NDArray[np.bool_], model: Floats) -> JointProblem:
    """Return a problem in which some frames are no unknowns: what they say goes to the items alone.

    Parameters
    ----------
    problem : JointProblem
    known : ndarray of bool, shape (n_frames,)
        The terms of these come out as zero.
    model : ndarray, shape (n,)
        What known terms make of each observation; taken off its value where its frame is known.
    """
    fixed = known[problem.frame]
    return replace(
        problem,
        frame_basis=problem.frame_basis * ~fixed[:, None],
        value=problem.value - np.where(fixed, model, 0.0),
    )
