"""Stars whose samples were rejected in large numbers: the frames do not agree on where the stars are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import green_channel
from zemosaic.errors import Message, message
from zemosaic.model import FieldStars, GridPlan

__all__ = ["MAX_REJECTED_SHARE", "MIN_SAMPLES", "MIN_STARS", "rejected_at_stars", "warning_of"]

MAX_REJECTED_SHARE = 0.2
"""Of the samples at the place of a bright star; as a rule less than a twelfth are rejected."""
MAX_STARS_SHARE = 0.15
"""Of the stars, at most this part may have lost more samples than that, for satellites and the like."""
MIN_STARS = 12
"""Fewer stars do not tell."""
MIN_SAMPLES = 3
"""Samples at a star, below which nothing can be rejected with reason."""
MAX_STARS_LOOKED_AT = 150
BAND_ROWS = 1024
"""Rows of the canvas that are read at a time."""


def rejected_at_stars(plan: GridPlan, stars: FieldStars, kept: Any, rejected: Any) -> NDArray[np.float64]:
    """Return the share of samples that were rejected at each of the brightest stars, shape (n,).

    Parameters
    ----------
    plan : GridPlan
        Of the mosaic.
    stars : FieldStars
        Places and light of the stars of the run.
    kept, rejected : array, shape (h, w)
        Numbers of samples on the canvas; anything that is read by slices.
    """
    brightest = np.argsort(-stars.flux[:, green_channel(stars.flux.shape[1])], kind="stable")[:MAX_STARS_LOOKED_AT]
    x, y = plan.wcs.sky_to_pixel(stars.ra_deg[brightest], stars.dec_deg[brightest])
    inside = (x > 1) & (y > 1) & (x < plan.width - 2) & (y < plan.height - 2)
    columns, rows = np.rint(x[inside]).astype(int), np.rint(y[inside]).astype(int)
    good, gone = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    # Band by band: a read of a store is slow, however small.
    for start in range(0, plan.height, BAND_ROWS):
        members = np.flatnonzero((rows >= start) & (rows < start + BAND_ROWS))
        if not len(members):
            continue
        top, left, right = max(0, start - 1), int(columns[members].min()) - 1, int(columns[members].max()) + 2
        for plane, total in ((kept, good), (rejected, gone)):
            band = np.asarray(plane[top : start + BAND_ROWS + 1, left:right])
            for k in members:
                row, column = rows[k] - top, columns[k] - left
                total[k] = band[row - 1 : row + 2, column - 1 : column + 2].sum(dtype=np.int64)
    looked = good + gone >= 9 * MIN_SAMPLES
    return np.asarray(gone[looked] / (good + gone)[looked], np.float64)


def warning_of(shares: NDArray[np.float64]) -> Message | None:
    """Return what to tell of the shares of `rejected_at_stars`; None where they are as usual."""
    if len(shares) < MIN_STARS:
        return None
    poor = float(np.mean(shares > MAX_REJECTED_SHARE))
    if poor <= MAX_STARS_SHARE:
        return None
    return message("warning.stars_rejected", percent=round(100.0 * poor), stars=len(shares))
