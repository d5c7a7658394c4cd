"""Which parts of a mosaic are shallow, and how many frames they lack."""

from __future__ import annotations

import numpy as np
import pytest
from star_fields import WCS

from zemosaic.picture.preview import COVERAGE_COLOURS
from zemosaic.stars.depth_picture import DEPTH_RANGE_MAG, depth_picture
from zemosaic.stars.shallow_parts import frames_for, limit_at, shallow_parts
from zemosaic.stars.zero_point import MosaicDepth


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


def test_the_depth_is_drawn_from_the_deepest_part_to_what_has_no_frame():
    kept = np.full((40, 60), 400, np.int32)
    kept[:, 20:40] = 100
    kept[:, 40:50] = 1
    kept[:, 50:] = 0
    picture, deepest = depth_picture(kept, (0, 40, 0, 60), MosaicDepth(17.0, 100.0), 60)
    assert deepest == pytest.approx(17.0 + 1.25 * np.log10(4.0))
    deep, typical, thin, none = (picture[20, column] for column in (10, 30, 45, 55))
    assert deep[:3].tolist() == COVERAGE_COLOURS[-1].tolist() and thin[:3].tolist() == COVERAGE_COLOURS[0].tolist()
    # A quarter of the frames is 0.75 magnitudes, half of the range of the colours.
    assert DEPTH_RANGE_MAG == 1.5 and np.allclose(typical[:3], COVERAGE_COLOURS[2:4].mean(axis=0), atol=2)
    assert (deep[3], typical[3], thin[3], none[3]) == (255, 255, 255, 0)
