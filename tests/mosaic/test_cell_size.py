"""Cells are small where frames hang together by thin overlaps, and large else."""

from __future__ import annotations

import pytest
from mosaic_frames import solved_of, wcs_of

from zemosaic.model import SolvedFrame
from zemosaic.mosaic.canvas import make_canvas
from zemosaic.mosaic.cell_size import cell_side_px
from zemosaic.wcs import from_tangent_plane

SIZE = (800, 1200)


def panels(step: float) -> list[SolvedFrame]:
    """Return two panels of three frames each, whose centres lie so many widths apart."""
    frames = []
    for k in range(6):
        xi = ((k % 2) * step * SIZE[0] + k) * 2.39 / 3600.0
        centre = from_tangent_plane(xi, k * 2.0 / 3600.0, 100.0, 20.0)
        frames.append(solved_of(wcs_of(*(float(v) for v in centre), 0.0, size=SIZE), k, SIZE))
    return frames


@pytest.mark.parametrize(("step", "least", "most"), [(0.0, 64, 64), (0.75, 64, 64), (0.95, 8, 16), (1.3, 64, 64)])
def test_cells_fit_into_the_overlap(step, least, most):
    frames = panels(step)
    side = cell_side_px(frames, make_canvas(frames, "north_up", "median").wcs)
    assert least <= side <= most
