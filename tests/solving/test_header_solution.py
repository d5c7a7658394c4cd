from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from star_lists import make_field, true_wcs, worst_offset_px

from zemosaic.model import Solution
from zemosaic.solving.base import NotSolved
from zemosaic.solving.solvers.header_solution import verify
from zemosaic.wcs import Distortion

PLACES = [(10.0, 89.9), (0.01, 12.0), (305.0, 38.0), (192.9, 27.1)]


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_right_header_is_refined(tycho, ra, dec, mirrored):
    truth = true_wcs(ra, dec, 33.0, mirrored)
    field = make_field(tycho, truth, seed=3)
    told = replace(truth, distortion=None).shifted(6.0, -9.0)
    solution = verify(told, field, tycho)
    assert isinstance(solution, Solution), solution
    assert solution.how == "header"
    assert worst_offset_px(solution.wcs, truth) < 2.5


def test_the_headers_distortion_is_kept_where_stars_are_few(tycho):
    truth = true_wcs(192.9, 27.1, 10.0, bend_px=6.0)
    field = make_field(tycho, truth, seed=4)
    solution = verify(truth, field, tycho)
    assert isinstance(solution, Solution), solution
    assert solution.n_matched < 25
    assert solution.wcs.distortion == truth.distortion
    assert worst_offset_px(solution.wcs, truth) < 1.5


def test_a_header_from_another_field_is_refused(tycho):
    for k in range(20):
        field = make_field(tycho, true_wcs(17.0 * k, -60.0 + 6 * k), seed=k)
        told = verify(true_wcs(17.0 * k + 40.0, -60.0 + 6 * k, 15.0 * k), field, tycho)
        assert isinstance(told, NotSolved)
        assert told.reason.key == "reason.unsolved_not_confirmed"


def test_a_slightly_turned_or_far_shifted_header_is_refused_or_put_right(tycho):
    truth = true_wcs(80.0, 20.0, 10.0)
    field = make_field(tycho, truth, seed=5)
    for wrong in (true_wcs(80.0, 20.0, 12.0), truth.shifted(200.0, 0.0), true_wcs(80.0, 20.0, 10.0, True)):
        answer = verify(wrong, field, tycho)
        assert isinstance(answer, NotSolved) or worst_offset_px(answer.wcs, truth) < 2.5


@pytest.mark.parametrize("factor", [0.97, 1.03])
def test_a_scale_that_contradicts_the_optics_is_refused(tycho, factor):
    truth = true_wcs(80.0, 20.0)
    field = replace(make_field(tycho, truth, seed=5), scale_arcsec=2.39 * factor)
    told = verify(truth, field, tycho)
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.unsolved_header_scale"
    assert isinstance(verify(truth, replace(field, scale_arcsec=None), tycho), Solution)


def test_nonsense_is_refused(tycho):
    field = make_field(tycho, true_wcs(80.0, 20.0), seed=5)
    good = true_wcs(80.0, 20.0)
    sheared = replace(good, cd=((good.cd[0][0], 0.4 * good.cd[0][0]), good.cd[1]))
    wild = replace(good, distortion=Distortion((1e-2,) * 7, (1e-2,) * 7))
    unknown_scale = replace(field, scale_arcsec=None)
    for wcs in (sheared, wild, replace(good, ra_deg=float("nan")), replace(good, cd=((0.0, 0.0), (0.0, 0.0)))):
        with np.errstate(all="ignore"):
            assert isinstance(verify(wcs, unknown_scale, tycho), NotSolved)
