"""Which parts of a mosaic are shallow, and how many frames they lack."""

from __future__ import annotations

import numpy as np
import pytest
from star_fields import WCS

from zemosaic.stars.shallow_parts import frames_for, limit_at, shallow_parts


def test_the_square_root_law():
    assert limit_at(15.0, 100.0, np.array([200.0]))[0] == pytest.approx(15.0 + 1.25 * np.log10(2.0))
    assert np.isnan(limit_at(15.0, 100.0, np.array([0.0]))[0])
    assert frames_for(100) == 21 and frames_for(0) == 1


def test_shallow_parts_and_gaps_are_listed_and_the_outside_is_not():
    kept = np.full((480, 600), 100, np.int32)
    kept[:, :50] = 0
    kept[200:250, 300:350] = 30
    kept[100:150, 200:250] = 0
    parts = shallow_parts(kept, WCS, (0, 480, 0, 600), 15.0)
    assert [part.frames for part in parts] == [0.0, 30.0]
    gap, thin = parts
    x, y = WCS.sky_to_pixel(thin.ra_deg, thin.dec_deg)
    assert 300 <= x < 350 and 200 <= y < 250
    assert thin.limit_mag == pytest.approx(15.0 + 1.25 * np.log10(0.3))
    assert (thin.frames_to_gain, thin.frames_to_typical) == (7, 70)
    assert np.isnan(gap.limit_mag) and gap.frames_to_typical == 100


def test_an_even_mosaic_has_no_shallow_part():
    assert shallow_parts(np.full((480, 600), 100, np.int32), WCS, (0, 480, 0, 600), 15.0) == []
