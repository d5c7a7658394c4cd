"""The part of the canvas that holds data."""

from __future__ import annotations

import numpy as np

from zemosaic.export.layout import Box, Pixels, layout_of

__all__ = ["coverage_box"]


def coverage_box(coverage: Pixels, margin_px: int) -> Box | None:
    """Return the smallest box around the covered pixels, widened by a margin.

    Parameters
    ----------
    coverage : array-like, shape (height, width)
        Frames per pixel; 0 or NaN where there are none.
    margin_px : int
        Pixels to leave on each side, as far as the canvas has them.

    Returns
    -------
    (y0, y1, x0, x1) or None
        Half open; None where nothing is covered.
    """
    layout = layout_of(coverage, "HW")
    height, width = layout.height, layout.width
    columns = np.zeros(width, bool)
    first, last = height, -1
    for start, stop in layout.bands(0, height):
        covered = layout.rows(start, stop, 0, width)[0] > 0
        columns |= covered.any(axis=0)
        rows = np.flatnonzero(covered.any(axis=1))
        if rows.size:
            first, last = min(first, start + int(rows[0])), start + int(rows[-1])
    if last < 0:
        return None
    left, right = np.flatnonzero(columns)[[0, -1]]
    return (
        max(0, first - margin_px),
        min(height, last + 1 + margin_px),
        max(0, int(left) - margin_px),
        min(width, int(right) + 1 + margin_px),
    )
