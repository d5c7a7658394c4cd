"""A WCS of the header that the catalogue has too few stars to check, and what the other frames say of it.

Fields below 20 arcmin hold a handful of catalogue stars or none.  There a WCS that a solver left in the header is the
best that is known: it is taken as it is, marked as unchecked, and compared with the frames that overlap it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from zemosaic.catalogue import Catalogue, CatalogueStars
from zemosaic.errors import Message, message
from zemosaic.model import UNCHECKED_PLACE, Solution
from zemosaic.solving.base import AFFINE_STARS, NotSolved, StarField, not_solved
from zemosaic.solving.fit import chance_of, one_to_one
from zemosaic.solving.propagate import KnownStars
from zemosaic.solving.verify import match_radius_px, stars_in
from zemosaic.wcs import FrameWcs, separation_deg, unit_vectors

__all__ = ["Claim", "ClaimedStars", "contradicted", "unchecked"]

_MAX_UNCHECKED_SCALE_ERROR = 0.15
"""FOCALLEN is often the maker's number; a reducer or a wrong card is further off than that."""
_FEWEST_TO_CONTRADICT = 3
"""Catalogue stars on the frame that contradict its WCS when none of them is seen there."""
_MAX_CATALOGUE_MISS_ARCSEC = 6.0
"""A WCS of a few arcseconds' error is right; 25 years of proper motion are in it, too."""
_BRIGHTEST = 60
"""Stars of a frame that are looked for in another."""
_FEWEST_SHARED = 6
_MIN_SHARED_PART = 0.25
"""Of the bright stars of two frames at least this part is seen in both where their places are right."""
_MAX_NEIGHBOURS = 24
"""Frames that one frame is compared with, the nearest ones."""
_CHANCE = 1e-4


@dataclass(frozen=True)
class Claim:
    """A frame's stars and where a WCS puts them."""

    name: str
    wcs: FrameWcs
    field: StarField
    settled: bool
    """Whether the place is known by more than the header."""


def unchecked(wcs: FrameWcs, field: StarField, catalogues: Sequence[Catalogue]) -> Solution | NotSolved:
    """Return the header's WCS as it is where the catalogues have too few stars to check it, else what contradicts it.

    Parameters
    ----------
    wcs : FrameWcs
        As found in the header, not confirmed by any of the catalogues.
    field : Field
        The frame's stars.
    catalogues : sequence of Catalogue
        All that could be compared with.
    """
    scale, told = wcs.scale_arcsec, field.scale_arcsec
    if told is not None and abs(scale / told - 1.0) > _MAX_UNCHECKED_SCALE_ERROR:
        return not_solved("reason.unsolved_header_scale", scale=round(scale, 3), expected=round(told, 3))
    reach_px = max(match_radius_px(scale), _MAX_CATALOGUE_MISS_ARCSEC / scale)
    seen = cKDTree(np.column_stack([field.x_px, field.y_px])) if len(field) else None
    for catalogue in catalogues:
        stars = stars_in(wcs, field, catalogue)
        if len(stars) >= AFFINE_STARS:
            return not_solved("reason.header_wcs_contradicted", catalogue=catalogue.name, stars=len(stars))
        if len(stars) < _FEWEST_TO_CONTRADICT or seen is None:
            continue
        places = np.column_stack(wcs.sky_to_pixel(stars.ra_deg, stars.dec_deg))
        if not np.isfinite(seen.query(places, distance_upper_bound=reach_px)[0]).any():
            return not_solved("reason.header_wcs_contradicted", catalogue=catalogue.name, stars=len(stars))
    return Solution(wcs, UNCHECKED_PLACE, 0, float("nan"))


def contradicted(claims: Sequence[Claim]) -> Mapping[str, Message]:
    """Return, by name, the unchecked claims that the stars of overlapping frames contradict.

    Of frames that disagree the one with the most adversaries falls first; where two are left that contradict each
    other and nothing tells which of them is right, both fall.

    Parameters
    ----------
    claims : sequence of Claim
        Unchecked ones, and settled ones near them.
    """
    against: dict[int, set[int]] = {i: set() for i in range(len(claims))}
    support = [0] * len(claims)
    for i, k in _overlapping(claims):
        verdict = _agree(claims[i], claims[k])
        if verdict is False:
            against[i].add(k)
            against[k].add(i)
        elif verdict:
            support[i] += 1
            support[k] += 1
    fallen: dict[str, Message] = {}
    while True:
        score = {
            i: (any(claims[k].settled for k in against[i]), len(against[i]), -support[i])
            for i in against
            if against[i] and not claims[i].settled
        }
        if not score:
            return fallen
        worst = max(score.values())
        for i in [i for i, value in score.items() if value == worst]:
            other = claims[min(against[i])].name if against[i] else ""
            fallen[claims[i].name] = message("reason.header_wcs_disagrees", other=other)
        for i in [i for i, value in score.items() if value == worst]:
            for k in against.pop(i):
                against.get(k, set()).discard(i)


def _overlapping(claims: Sequence[Claim]) -> list[tuple[int, int]]:
    """Return pairs of claims that may overlap, an unchecked one in each: so many that more would tell nothing new."""
    centre = [claim.wcs.pixel_to_sky(*claim.field.centre) for claim in claims]
    vectors = unit_vectors([float(ra) for ra, _ in centre], [float(dec) for _, dec in centre])
    half = np.array([np.radians(claim.field.half_diagonal_px * claim.wcs.scale_arcsec / 3600.0) for claim in claims])
    pairs: set[tuple[int, int]] = set()
    distance, index = cKDTree(vectors).query(vectors, k=min(_MAX_NEIGHBOURS + 1, len(claims)))
    for i, (far, near) in enumerate(zip(np.atleast_2d(distance), np.atleast_2d(index), strict=True)):
        if not claims[i].settled:
            pairs |= {(min(i, int(k)), max(i, int(k))) for d, k in zip(far, near, strict=True) if d < half[i] + half[k]}
    return sorted((i, k) for i, k in pairs if i != k)


def _agree(first: Claim, second: Claim) -> bool | None:
    """Whether two frames see the same stars at the same places; None where they share too little to tell."""
    verdicts = {_sees(*pair) for pair in ((first, second), (second, first))}
    if True in verdicts:
        return True
    return False if False in verdicts else None


def _sees(there: Claim, here: Claim) -> bool | None:
    """Whether the bright stars of one frame are seen in the other where its WCS puts them."""
    field = here.field
    ra, dec = there.wcs.pixel_to_sky(there.field.x_px[:_BRIGHTEST], there.field.y_px[:_BRIGHTEST])
    x, y = here.wcs.sky_to_pixel(ra, dec)
    with np.errstate(invalid="ignore"):
        inside = (x > 4) & (y > 4) & (x < field.width - 5) & (y < field.height - 5)
    expected, seen = np.column_stack([x, y])[inside], np.column_stack([field.x_px, field.y_px])
    if len(expected) < _FEWEST_SHARED or len(seen) < _FEWEST_SHARED:
        return None
    radius = match_radius_px(here.wcs.scale_arcsec)
    matched = len(one_to_one(expected, cKDTree(seen), radius))
    usual = len(expected) * len(seen) * np.pi * radius**2 / (field.width * field.height)
    if chance_of(matched, 0, usual) < _CHANCE:
        return True
    return False if matched < _MIN_SHARED_PART * len(expected) else None


@dataclass(frozen=True)
class ClaimedStars:
    """A catalogue, and the stars of unchecked frames at the places that their headers give them.

    Where the catalogue has nothing, these hold the joint solution where the headers put it.
    """

    catalogue: Catalogue
    claimed: KnownStars

    @property
    def name(self) -> str:
        """How the log calls it."""
        return self.catalogue.name

    def cone(self, ra_deg: float, dec_deg: float, radius_deg: float, limit: int | None = None) -> CatalogueStars:
        """Return the stars of both within a cone, those of the catalogue first, at most `limit` of each.

        Parameters
        ----------
        ra_deg, dec_deg : float
            Centre of the cone.
        radius_deg : float
            Its radius.
        limit : int, optional
            Most stars of either.
        """
        stars = self.catalogue.cone(ra_deg, dec_deg, radius_deg, limit)
        near = separation_deg(self.claimed.ra_deg, self.claimed.dec_deg, ra_deg, dec_deg) <= radius_deg
        index = np.flatnonzero(near)[:limit]
        faint = np.full(len(index), 99.0, np.float32)
        return CatalogueStars(
            np.concatenate([stars.ra_deg, self.claimed.ra_deg[index]]),
            np.concatenate([stars.dec_deg, self.claimed.dec_deg[index]]),
            np.concatenate([stars.mag, faint]),
        )
