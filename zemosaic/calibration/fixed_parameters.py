"""Parameters of frames and cameras that are held fixed at an earlier solution, to which new frames are fitted.

Frames of the earlier solution have no unknowns of their own; they only contribute observations of stars and sky.  New
frames therefore take over its scale, its plane and its illumination and join it without a seam.  Quantities that no
observation constrains (see `zemosaic.calibration.gauge`) keep their earlier values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float32s, Float64s
from zemosaic.calibration.least_squares import JointProblem
from zemosaic.model import N_HIGHER_ORDER_TERMS

__all__ = ["FixedParameters", "with_fixed_frames", "with_shared_terms"]


@dataclass(frozen=True)
class FixedParameters:
    """Fixed parameters of frames and cameras; the values of frames and cameras that are not fixed are ignored."""

    frames: NDArray[np.bool_]
    """Which frames are held, shape (frames,)."""
    transparency: Float64s
    """Shape (frames, channels)."""
    sky_adu: Float64s
    """Level, slopes and bends, shape (frames, channels, terms)."""
    cameras: NDArray[np.bool_]
    """Which cameras are held, shape (groups,)."""
    vignetting: Float64s
    """Coefficient of r**2, shape (groups,)."""
    bias_adu: Float64s
    """Shape (groups,)."""

    @classmethod
    def none(cls, frames: int, channels: int, groups: int) -> FixedParameters:
        """Return a record in which nothing is fixed.

        Parameters
        ----------
        frames, channels, groups : int
            Numbers of frames, of their channels and of cameras.
        """
        return cls(
            np.zeros(frames, bool),
            np.ones((frames, channels)),
            np.zeros((frames, channels, 3 + N_HIGHER_ORDER_TERMS)),
            np.zeros(groups, bool),
            np.zeros(groups),
            np.zeros(groups),
        )

    def higher_order(self, groups: NDArray[np.int64]) -> Float64s:
        """Return the bends of the held cameras, shape (groups, bends): those of their held frames.

        Parameters
        ----------
        groups : ndarray of int, shape (frames,)
            Camera of each frame.
        """
        bends, squares = np.zeros((len(self.cameras), N_HIGHER_ORDER_TERMS)), np.zeros((len(self.cameras), 1))
        for k in np.flatnonzero(self.frames):
            level = self.sky_adu[k, :, 0]
            bends[groups[k]] += level @ self.sky_adu[k, :, 3:]
            squares[groups[k]] += level @ level
        return np.asarray(bends / np.where(squares > 0, squares, 1.0), np.float64)


def with_fixed_frames(problem: JointProblem, is_fixed: NDArray[np.bool_], model: Float64s) -> JointProblem:
    """Return a problem in which some frames are fixed, so that their observations only constrain the items.

    Parameters
    ----------
    problem : JointProblem
    is_fixed : ndarray of bool, shape (n_frames,)
        The terms of these frames come out as zero.
    model : ndarray, shape (n,)
        What the fixed terms make of each observation; taken off its value where its frame is fixed.
    """
    of_fixed_frame = is_fixed[problem.frame]
    return replace(
        problem,
        frame_basis=problem.frame_basis * ~of_fixed_frame[:, None],
        value=problem.value - np.where(of_fixed_frame, model, 0.0),
    )


def with_shared_terms(
    problem: JointProblem, basis: Float32s, precision: Float64s, free: NDArray[np.bool_]
) -> JointProblem:
    """Return a problem with further terms that cameras share, expected to be 0; held cameras have no shared terms.

    Parameters
    ----------
    problem : JointProblem
    basis : ndarray, shape (n, terms), float32
    precision : ndarray, shape (groups, terms)
        Inverse variance expected of each.
    free : ndarray of bool, shape (groups,)
        Which cameras are not held.
    """
    return replace(
        problem,
        shared_basis=np.concatenate([problem.shared_basis, basis], axis=1) * free[problem.group, None],
        shared_prior=np.concatenate([problem.shared_prior, np.zeros_like(precision)], axis=1),
        shared_precision=np.concatenate([problem.shared_precision, precision], axis=1),
    )
