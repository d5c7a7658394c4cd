"""The plane over the whole mosaic, which overlaps cannot know.

Adding ``g(X) = a + b . X`` to the light of every cell and taking ``t g`` from the sky of every frame
changes no observation.  By convention the slopes of the frames' skies average to zero, as gradients
of moon and towns turn with the sky, and the dark part of the mosaic lies at zero light.  (Flattening
the mosaic's dark parts instead was tried: in fields full of nebulosity it tilts the nebula away.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["settle_plane"]

Floats = NDArray[np.float64]

DARK_PART = 0.1
"""Part of the mosaic that is taken to be without light of its own."""


def settle_plane(
    sky: Floats,
    light: Floats,
    transparency: Floats,
    cell: NDArray[np.int64],
    frame: NDArray[np.int64],
    basis: Floats,
    position: Floats,
) -> Floats:
    """Return one channel's skies after the mosaic's plane is fixed.

    Parameters
    ----------
    sky : ndarray, shape (frames, 3)
        Level and slopes along u and v.
    light : ndarray, shape (cells,)
        Light of the cells.
    transparency : ndarray, shape (frames,)
    cell, frame : ndarray of int, shape (n,)
        Of each observation.
    basis : ndarray, shape (n, 3)
        (1, u, v) of each observation.
    position : ndarray, shape (cells, 2)
        Place of each cell on the mosaic.
    """
    centred = position - position.mean(axis=0)
    place = _places(frame, basis, centred[cell], len(sky))
    pull = transparency[:, None, None] * place[:, 1:, :]
    slope = -np.linalg.lstsq(pull.reshape(-1, 2), sky[:, 1:].reshape(-1), rcond=None)[0]
    level = float(np.quantile(light - centred @ slope, DARK_PART))
    shift = place @ slope
    shift[:, 0] += level
    return sky + transparency[:, None] * shift


def _places(frame: NDArray[np.int64], basis: Floats, position: Floats, n_frames: int) -> Floats:
    """Return per frame the linear map from (1, u, v) to the mosaic, shape (frames, 3, 2)."""
    normal = np.empty((n_frames, 3, 3))
    right = np.empty((n_frames, 3, 2))
    for a in range(3):
        for b in range(3):
            normal[:, a, b] = np.bincount(frame, basis[:, a] * basis[:, b], n_frames)
        for b in range(2):
            right[:, a, b] = np.bincount(frame, basis[:, a] * position[:, b], n_frames)
    normal[:, range(3), range(3)] += 1e-9
    return np.linalg.solve(normal, right)
