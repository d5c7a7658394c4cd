"""Many rejected samples at the places of stars are told."""

from __future__ import annotations

import numpy as np

from zemosaic.model import FieldStars, GridPlan
from zemosaic.phases.parts.star_samples import MIN_STARS, rejected_at_stars, warning_of
from zemosaic.wcs import FrameWcs


def looked_at(spoilt: int) -> np.ndarray:
    """Return the shares at 40 stars, `spoilt` of which lost four of ten samples."""
    wcs = FrameWcs(30.0, 20.0, 199.5, 149.5, ((-6e-4, 0.0), (0.0, 6e-4)))
    plan = GridPlan(wcs, 400, 300, 3, ())
    column, row = np.meshgrid(np.arange(30, 350, 40), np.arange(30, 280, 50))
    x, y = column.ravel().astype(float), row.ravel().astype(float)
    kept, rejected = np.full((300, 400), 10, np.uint16), np.zeros((300, 400), np.uint16)
    for a, b in zip(x[:spoilt].astype(int), y[:spoilt].astype(int), strict=True):
        kept[b - 1 : b + 2, a - 1 : a + 2], rejected[b - 1 : b + 2, a - 1 : a + 2] = 6, 4
    ra, dec = wcs.pixel_to_sky(x, y)
    return rejected_at_stars(plan, FieldStars(ra, dec, np.ones((len(x), 3)), 3.0, 6.0), kept, rejected)


def test_usual_mosaics_are_not_told():
    assert len(looked_at(0)) == 40
    assert warning_of(looked_at(0)) is None
    assert warning_of(looked_at(5)) is None


def test_stars_that_frames_put_elsewhere_are_told():
    told = warning_of(looked_at(12))
    assert told is not None and told.key == "warning.stars_rejected"
    assert told.params == {"percent": 30, "stars": 40}
    assert warning_of(looked_at(40)[: MIN_STARS - 1]) is None
