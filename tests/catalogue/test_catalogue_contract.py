"""What every star catalogue promises, in whichever files its stars lie."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from zemosaic.catalogue import Catalogue, CatalogueStars, load_bundled, open_astap
from zemosaic.wcs import separation_deg

ASTAP_DATABASE = Path(__file__).resolve().parents[2] / "../shared/data/astap_h18_tycho2.zip"
EQUATOR, WRAP, NORTH, SOUTH, PLANE = (83.8, -5.4), (359.97, 12.0), (40.0, 89.6), (200.0, -89.7), (305.6, 40.2)
PLACES = [EQUATOR, WRAP, NORTH, SOUTH, PLANE]


class CatalogueContract:
    """Tests that every `Catalogue` passes."""

    @pytest.mark.parametrize("place", PLACES)
    def test_stars_lie_inside_the_cone(self, catalogue: Catalogue, place: tuple[float, float]) -> None:
        stars = catalogue.cone(*place, 1.2)
        assert len(stars) > 10
        assert separation_deg(stars.ra_deg, stars.dec_deg, *place).max() <= 1.2 + 1e-9
        assert ((stars.ra_deg >= 0.0) & (stars.ra_deg < 360.0)).all()
        assert np.isfinite(stars.mag).all()

    @pytest.mark.parametrize("place", PLACES)
    def test_the_brightest_come_first(self, catalogue: Catalogue, place: tuple[float, float]) -> None:
        stars = catalogue.cone(*place, 1.2)
        assert (np.diff(stars.mag) >= 0.0).all()
        first = catalogue.cone(*place, 1.2, limit=7)
        assert len(first) == 7
        np.testing.assert_array_equal(first.mag, stars.mag[:7])

    @pytest.mark.parametrize("place", PLACES)
    def test_a_larger_cone_holds_the_smaller_one(self, catalogue: Catalogue, place: tuple[float, float]) -> None:
        small, large = catalogue.cone(*place, 0.6), catalogue.cone(*place, 1.3)
        near = separation_deg(large.ra_deg, large.dec_deg, *place) <= 0.6
        assert as_rows(large[near]) == as_rows(small)

    @pytest.mark.parametrize("place", PLACES)
    def test_whoever_asks_gets_the_same_stars(self, catalogue: Catalogue, place: tuple[float, float]) -> None:
        """A star stands in the cone of every direction that is near enough, across a pole and right ascension 0."""
        stars = catalogue.cone(*place, 0.8)
        for k in (0, len(stars) // 2, len(stars) - 1):
            round_it = catalogue.cone(float(stars.ra_deg[k]), float(stars.dec_deg[k]), 0.02)
            assert as_rows(stars[k : k + 1]) <= as_rows(round_it)

    def test_right_ascension_may_be_given_with_a_turn_more(self, catalogue: Catalogue) -> None:
        assert as_rows(catalogue.cone(WRAP[0] - 360.0, WRAP[1], 1.0)) == as_rows(catalogue.cone(*WRAP, 1.0))

    def test_nothing_may_be_asked_for(self, catalogue: Catalogue) -> None:
        assert len(catalogue.cone(*PLANE, 0.0)) <= 1
        assert len(catalogue.cone(*PLANE, 1.0, limit=0)) == 0

    def test_the_log_can_name_it(self, catalogue: Catalogue) -> None:
        assert catalogue.name


def as_rows(stars: CatalogueStars) -> set[tuple[float, float, float]]:
    rows = zip(stars.ra_deg.tolist(), stars.dec_deg.tolist(), stars.mag.tolist(), strict=True)
    return {(round(ra, 7), round(dec, 7), round(mag, 3)) for ra, dec, mag in rows}


@pytest.fixture(scope="module")
def astap_catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    if not ASTAP_DATABASE.exists():
        pytest.skip("no ../shared")
    folder = tmp_path_factory.mktemp("astap")
    with zipfile.ZipFile(ASTAP_DATABASE) as archive:
        archive.extractall(folder)
    found = open_astap(next(folder.rglob("*_0101.*")).parent)
    assert found is not None
    return found


class TestBundledCatalogue(CatalogueContract):
    @pytest.fixture
    def catalogue(self) -> Catalogue:
        return load_bundled()


class TestAstapCatalogue(CatalogueContract):
    @pytest.fixture
    def catalogue(self, astap_catalogue: Catalogue) -> Catalogue:
        return astap_catalogue
