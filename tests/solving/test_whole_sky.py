"""Anywhere in the sky: many places for each solver, and as many lies, not one of which may be believed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from star_lists import make_field, true_wcs, worst_offset_px

from zemosaic.catalogue import CellCatalogue, QuadIndex
from zemosaic.model import Solution
from zemosaic.solving.base import NotSolved, StarField
from zemosaic.solving.solvers.blind import BlindSolver
from zemosaic.solving.solvers.embedded import EmbeddedSolver
from zemosaic.wcs import from_tangent_plane, ra_dec

ALL = pytest.param(300, marks=pytest.mark.slow)
TRUE_PX = 4.0
"""A solution of one frame alone is true when it is off by less; a wrong one is off by hundreds of pixels."""
# Orion, Cygnus, Carina, Sagittarius: the plane of the Milky Way.
PLANE = [(83.8, -5.4), (305.6, 40.2), (161.3, -59.9), (270.9, -24.4)]


def places(count: int) -> list[tuple[float, float]]:
    """Return places all over the sky; of ten one lies by a pole, one at RA 0 and one in the plane."""
    rng = np.random.default_rng(77)
    ra, dec = ra_dec(rng.normal(size=(count, 3)))
    by_pole = np.arange(count) % 10 == 3
    dec[by_pole] = np.sign(dec[by_pole]) * (90.0 - 1.5 * rng.random(by_pole.sum()))
    ra[np.arange(count) % 10 == 5] = rng.normal(0.0, 0.3, (np.arange(count) % 10 == 5).sum()) % 360.0
    for k in range(7, count, 10):
        ra[k], dec[k] = PLANE[k // 10 % 4]
    return [(float(a), float(d)) for a, d in zip(ra, dec, strict=True)]


def frame(tycho: CellCatalogue, number: int, ra: float, dec: float) -> tuple[StarField, object]:
    """Return a frame with a hint off by up to 0.8 degrees and a scale off by up to 2.5 %, and its true WCS."""
    rng = np.random.default_rng(number)
    truth = true_wcs(ra, dec, float(rng.uniform(0.0, 360.0)), bool(number % 2))
    hint_off, scale = float(rng.uniform(0.0, 0.8)), float(rng.uniform(0.975, 1.025))
    return make_field(tycho, truth, hint_off_deg=hint_off, scale_factor=scale, seed=number), truth


@pytest.mark.parametrize("count", [30, ALL])
def test_from_a_hint(tycho: CellCatalogue, count: int) -> None:
    solved = 0
    for number, (ra, dec) in enumerate(places(count)):
        field, truth = frame(tycho, number, ra, dec)
        answer = EmbeddedSolver(tycho).solve(field)
        if isinstance(answer, Solution):
            solved += 1
            assert worst_offset_px(answer.wcs, truth) < TRUE_PX, (number, ra, dec)
    assert solved >= 0.98 * count


@pytest.mark.parametrize("count", [30, ALL])
def test_from_nothing(tycho: CellCatalogue, quads: QuadIndex, count: int) -> None:
    solved, solver = 0, BlindSolver(tycho, quads)
    for number, (ra, dec) in enumerate(places(count)):
        field, truth = frame(tycho, number, ra, dec)
        answer = solver.solve(replace(field, ra_deg=None, dec_deg=None))
        if isinstance(answer, Solution):
            solved += 1
            assert answer.how == "blind"
            assert worst_offset_px(answer.wcs, truth) < TRUE_PX, (number, ra, dec)
    assert solved >= 0.98 * count


@pytest.mark.parametrize("count", [10, ALL])
def test_wrong_hints_are_never_believed(tycho: CellCatalogue, count: int) -> None:
    rng = np.random.default_rng(5)
    for number, (ra, dec) in enumerate(places(count)):
        field, _ = frame(tycho, number, ra, dec)
        off, angle = rng.uniform(6.0, 60.0), rng.uniform(0.0, 2.0 * np.pi)
        there = from_tangent_plane(off * np.cos(angle), off * np.sin(angle), ra, dec)
        lie = replace(field, ra_deg=float(there[0]), dec_deg=float(there[1]))
        answer = EmbeddedSolver(tycho).solve(lie)
        assert isinstance(answer, NotSolved), (number, ra, dec, lie.ra_deg, lie.dec_deg)


@pytest.mark.parametrize("count", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_a_made_up_sky_is_nowhere(tycho: CellCatalogue, quads: QuadIndex, count: int) -> None:
    solver = BlindSolver(tycho, quads)
    for number in range(count):
        rng = np.random.default_rng(1000 + number)
        stars = (20, 60, 200)[number % 3]
        width, height = ((1080, 1920), (3000, 2000))[number % 2]
        points = rng.uniform(0.0, (width, height), (stars, 2)).T
        answer = solver.solve(StarField(*points, width, height, scale_arcsec=float(rng.uniform(1.0, 6.0))))
        assert isinstance(answer, NotSolved)
        assert answer.reason.key == "reason.unsolved_nowhere"


@pytest.mark.parametrize(("size", "scale"), [((1936, 1096), 9.3), ((4000, 3000), 2.5), ((1080, 1920), 3.7)])
def test_from_nothing_with_other_cameras(
    tycho: CellCatalogue, quads: QuadIndex, size: tuple[int, int], scale: float
) -> None:
    for number, (ra, dec) in enumerate(places(5)):
        truth = true_wcs(ra, dec, 50.0 * number, bool(number % 2), scale, size)
        field = make_field(tycho, truth, size, seed=number)
        answer = BlindSolver(tycho, quads).solve(replace(field, ra_deg=None, dec_deg=None))
        assert isinstance(answer, Solution), (number, ra, dec, answer)
        assert worst_offset_px(answer.wcs, truth, size) < TRUE_PX


def test_blind_needs_a_scale_and_stars(tycho: CellCatalogue, quads: QuadIndex) -> None:
    solver = BlindSolver(tycho, quads)
    field, _ = frame(tycho, 1, 50.0, 10.0)
    told = solver.solve(replace(field, scale_arcsec=None))
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.unsolved_no_scale"
    told = solver.solve(replace(field, x_px=field.x_px[:5], y_px=field.y_px[:5]))
    assert isinstance(told, NotSolved)
    assert told.reason.key == "reason.unsolved_too_few_stars"
