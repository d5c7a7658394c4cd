from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from raw_frames import field_of
from star_lists import SEESTAR, make_field, true_wcs, worst_offset_px

from zemosaic.catalogue import CatalogueStars
from zemosaic.model import Solution
from zemosaic.solving.base import NotSolved, StarField
from zemosaic.solving.solvers.embedded import EmbeddedSolver
from zemosaic.wcs import ra_dec

M94 = Path(__file__).resolve().parents[2] / "../shared/data/seestar_m94"

# Both poles, RA 0, the galactic plane (Cygnus, Carina), the galactic pole, anywhere.
PLACES = [(10.0, 90.0), (200.0, -89.8), (0.01, 12.0), (359.99, -30.0), (305.0, 38.0), (161.0, -59.7), (192.9, 27.1)]


def random_places(count: int, seed: int) -> list[tuple[float, float]]:
    vectors = np.random.default_rng(seed).normal(size=(count, 3))
    return [(float(a), float(d)) for a, d in zip(*ra_dec(vectors), strict=True)]


@pytest.mark.parametrize(("ra", "dec"), PLACES)
@pytest.mark.parametrize("mirrored", [False, True])
def test_known_hard_places(tycho, ra, dec, mirrored):
    truth = true_wcs(ra, dec, 0.7 * ra + 31.0, mirrored)
    solution = EmbeddedSolver(tycho).solve(make_field(tycho, truth, hint_off_deg=0.4, scale_factor=1.01, seed=int(ra)))
    assert isinstance(solution, Solution), solution
    assert solution.how == "embedded"
    assert solution.n_matched >= 8
    assert solution.wcs.mirrored == mirrored
    assert worst_offset_px(solution.wcs, truth) < 3.0


@settings(max_examples=60)
@given(
    turn=st.floats(0, 360),
    mirrored=st.booleans(),
    hint_off=st.floats(0, 1.0),
    scale_factor=st.floats(0.972, 1.028),
    seed=st.integers(0, 500),
)
def test_anywhere(tycho, turn, mirrored, hint_off, scale_factor, seed):
    ra, dec = random_places(1, seed)[0]
    truth = true_wcs(ra, dec, turn, mirrored)
    solution = EmbeddedSolver(tycho).solve(
        make_field(tycho, truth, hint_off_deg=hint_off, scale_factor=scale_factor, seed=seed)
    )
    assert isinstance(solution, Solution), solution
    assert worst_offset_px(solution.wcs, truth) < 3.0


def test_far_hint_is_searched_for(tycho):
    for index, (ra, dec) in enumerate(random_places(4, 8)):
        truth = true_wcs(ra, dec, 40.0 * index)
        solution = EmbeddedSolver(tycho).solve(make_field(tycho, truth, hint_off_deg=2.6, seed=index))
        assert isinstance(solution, Solution), solution
        assert worst_offset_px(solution.wcs, truth) < 3.0


@pytest.mark.parametrize("scale", [1.3, 2.39, 5.2])
def test_unknown_scale(tycho, scale):
    truth = true_wcs(300.0, 35.0, 77.0, scale_arcsec=scale)
    field = replace(make_field(tycho, truth, hint_off_deg=0.2, seed=3), scale_arcsec=None)
    solution = EmbeddedSolver(tycho).solve(field)
    assert isinstance(solution, Solution), solution
    assert abs(solution.wcs.scale_arcsec / scale - 1.0) < 0.01


def test_small_mono_field(tycho):
    """Five to ten catalogue stars in the frame: few matches, and still no doubt."""
    size, solved = (1400, 936), 0
    for index, (ra, dec) in enumerate(random_places(25, 4)):
        truth = true_wcs(ra, dec, 10.0 * index, True, 1.24, size, bend_px=1.0)
        field = make_field(tycho, truth, size, 0.05, seed=index)
        solution = EmbeddedSolver(tycho).solve(field)
        if isinstance(solution, Solution):
            solved += 1
            assert solution.n_matched >= 6
            assert worst_offset_px(solution.wcs, truth, size) < 6.0
    assert solved >= 10


@pytest.mark.parametrize(("size", "scale"), [(SEESTAR, 2.39), ((1400, 936), 1.24), ((650, 500), 5.21)])
def test_a_wrong_hint_is_never_believed(tycho, size, scale):
    solver, accepted = EmbeddedSolver(tycho), 0
    for index, (ra, dec) in enumerate(random_places(12, 21)):
        truth = true_wcs(ra, dec, 29.0 * index, bool(index % 2), scale, size)
        field = make_field(tycho, truth, size, 0.0, seed=index)
        elsewhere = replace(field, ra_deg=(ra + 180.0) % 360.0, dec_deg=-dec, radius_deg=0.5)
        accepted += isinstance(solver.solve(elsewhere), Solution)
    assert accepted == 0


def test_random_stars_are_never_believed(tycho):
    rng = np.random.default_rng(2)
    for index, (ra, dec) in enumerate(random_places(15, 5)):
        count = (40, 120, 250)[index % 3]
        field = StarField(rng.uniform(0, 1080, count), rng.uniform(0, 1920, count), 1080, 1920, ra, dec, 2.39, 0.5)
        answer = EmbeddedSolver(tycho).solve(field)
        assert isinstance(answer, NotSolved)
        assert answer.reason.key == "reason.unsolved_no_match"


def test_reasons(tycho):
    solver = EmbeddedSolver(tycho)
    field = make_field(tycho, true_wcs(50.0, 10.0), seed=1)
    few = replace(field, x_px=field.x_px[:5], y_px=field.y_px[:5])
    told = solver.solve(few)
    assert isinstance(told, NotSolved)
    assert (told.reason.key, told.reason.params["found"]) == ("reason.unsolved_too_few_stars", 5)
    told = solver.solve(replace(field, ra_deg=None))
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.unsolved_no_pointing"


def test_an_empty_catalogue_is_a_reason():
    class Nothing:
        name = "nothing"

        def cone(self, ra_deg: float, dec_deg: float, radius_deg: float, limit: int | None = None) -> CatalogueStars:
            return CatalogueStars(np.empty(0), np.empty(0), np.empty(0, np.float32))

    rng = np.random.default_rng(2)
    field = StarField(rng.uniform(0, 1080, 50), rng.uniform(0, 1920, 50), 1080, 1920, 10.0, 20.0, 2.39)
    assert isinstance(EmbeddedSolver(Nothing()).solve(field), NotSolved)


def test_same_field_same_solution(tycho):
    field = make_field(tycho, true_wcs(120.0, -20.0, 5.0), seed=9)
    assert EmbeddedSolver(tycho).solve(field) == EmbeddedSolver(tycho).solve(field)


@pytest.mark.skipif(not M94.exists(), reason="no real frames at hand")
def test_real_seestar_frames(tycho):
    paths = sorted(p for p in M94.rglob("*") if p.is_file() and ".fit" in p.name)[::6]
    for path in paths:
        solution = EmbeddedSolver(tycho).solve(field_of(path))
        assert isinstance(solution, Solution), (path.name, solution)
        assert solution.n_matched >= 10
        assert 2.370 < solution.wcs.scale_arcsec < 2.378
