"""A WCS of the header where the catalogue has too few stars: believed, marked, and compared between frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from astropy.io import fits
from sky_frames import Survey, offsets_px, solved
from star_lists import make_field, true_wcs

from zemosaic.catalogue import CatalogueStars, load_bundled
from zemosaic.events import Logged, Warned
from zemosaic.model import UNCHECKED_PLACE, Solution
from zemosaic.solving.base import NotSolved, StarField
from zemosaic.solving.claims import Claim, contradicted, unchecked


class FewStars:
    """A catalogue of the brightest stars of a cone only."""

    name = "few"

    def __init__(self, stars: int) -> None:
        self.stars, self.whole = stars, load_bundled()

    def cone(self, ra_deg: float, dec_deg: float, radius_deg: float, limit: int | None = None) -> CatalogueStars:
        return self.whole.cone(ra_deg, dec_deg, radius_deg, self.stars)


def test_too_few_stars_are_told_from_a_contradiction(tycho):
    truth = true_wcs(80.0, 20.0, 10.0)
    field = make_field(tycho, truth, seed=5)
    wrong = true_wcs(80.4, 20.3, 10.0)
    few = unchecked(truth, field, [FewStars(2)])
    assert isinstance(few, Solution) and (few.how, few.wcs) == (UNCHECKED_PLACE, truth)
    for answer in (unchecked(wrong, field, [tycho]), unchecked(wrong, field, [FewStars(2), tycho])):
        assert isinstance(answer, NotSolved) and answer.reason.key == "reason.header_wcs_contradicted"
    optics = unchecked(truth, replace(field, scale_arcsec=3.5), [FewStars(2)])
    assert isinstance(optics, NotSolved) and optics.reason.key == "reason.unsolved_header_scale"


def claims_of(tycho, shifts: list[float], settled: int = 0) -> list[Claim]:
    """Return overlapping frames of one field whose WCS is wrong by so many pixels."""
    truth = [true_wcs(80.0 + 0.05 * k, 20.0, 10.0) for k in range(len(shifts))]
    return [
        Claim(f"frame {k}", wcs.shifted(shift, 0.0), make_field(tycho, wcs, seed=k), settled=k < settled)
        for k, (wcs, shift) in enumerate(zip(truth, shifts, strict=True))
    ]


def test_frames_that_overlap_check_each_other(tycho):
    assert contradicted(claims_of(tycho, [0.0, 0.0, 0.0])) == {}
    assert set(contradicted(claims_of(tycho, [0.0, 90.0, 0.0]))) == {"frame 1"}
    # Nothing tells which of two is right, unless one of them is known.
    assert set(contradicted(claims_of(tycho, [0.0, 90.0]))) == {"frame 0", "frame 1"}
    assert set(contradicted(claims_of(tycho, [0.0, 90.0], settled=1))) == {"frame 1"}
    assert contradicted(claims_of(tycho, [90.0])) == {}


def test_frames_without_stars_contradict_nothing(tycho):
    first, second = claims_of(tycho, [0.0, 90.0])
    none = StarField(np.empty(0), np.empty(0), first.field.width, first.field.height)
    assert contradicted([first, replace(second, field=none)]) == {}


def test_a_run_believes_headers_where_the_catalogue_is_empty(tmp_path, monkeypatch):
    survey = Survey(load_bundled(), tmp_path / "frames", 80.0, 20.0)
    survey.add(4, optics=False, RA=None, DEC=None)
    for name, wcs in survey.truth.items():
        off = 80.0 if name == "light_002.fit" else 0.0
        with fits.open(survey.folder / name, mode="update") as hdus:
            hdus[0].header.update(wcs.shifted(off, 0.0).to_cards())
    monkeypatch.setattr("zemosaic.phases.solve.load_bundled", lambda: FewStars(1))
    with solved(survey.folder) as found:
        assert found.how == [UNCHECKED_PLACE] * 4
        assert "warning.positions_unchecked" in found.told(Warned)
        assert found.told(Logged).count("log.header_wcs_refused") == 1
        assert max(offsets_px(found.frames, survey.truth)) < 0.6
