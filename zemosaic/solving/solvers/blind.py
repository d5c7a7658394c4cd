"""The blind solver: a frame whose plate scale is known is found anywhere in the sky by quads of its brightest stars."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s
from zemosaic.catalogue import CellCatalogue, QuadIndex, Quads, quads_of
from zemosaic.model import Solution
from zemosaic.solving.base import AFFINE_STARS, Failure, NotSolved, StarField, not_solved
from zemosaic.solving.fit import fit_similarity, wcs_of_affine
from zemosaic.solving.verify import confirm
from zemosaic.wcs import FrameWcs, ra_dec, tangent_plane

__all__ = ["BlindSolver"]


_ROUNDS = ((12, 1.0), (20, 1.0), (32, 0.45), (44, 0.45), (72, 0.32))
"""Stars that make quads, and the quads' greatest width over the frame's diagonal: those of faint stars are small.

Each round adds the quads with the stars that it adds.
"""
_STRETCH = 0.035
_CODE_ERROR_PX = 1.5
"""Error of a star beside the others of its quad, distortion included, over the quad's width: the code's tolerance."""
_TOLERANCE = (0.002, 0.006)
_CHANCE = 1e-14
"""The whole sky is searched, and a frame that is found nowhere costs less than one in the wrong place."""
_MAX_CANDIDATES = 400


@dataclass(frozen=True)
class BlindSolver:
    """Solves frames without a pointing; needs the plate scale to 3 %."""

    catalogue: CellCatalogue
    index: QuadIndex
    name: str = "blind"

    def solve(self, field: StarField) -> Solution | NotSolved:
        """Return the verified solution of a frame, or why there is none; the field's pointing is not looked at."""
        if field.scale_arcsec is None:
            return not_solved("reason.unsolved_no_scale", Failure.NO_SCALE)
        if len(field) < AFFINE_STARS:
            return not_solved("reason.unsolved_too_few_stars", found=len(field), needed=AFFINE_STARS)
        for wcs in self._candidates(field, field.scale_arcsec / 3600.0):
            verdict = confirm(wcs, field, self.catalogue, self.name, chance=_CHANCE)
            if isinstance(verdict, Solution):
                return verdict
        return not_solved("reason.unsolved_nowhere", stars=len(field), catalogue=self.catalogue.name)

    def _candidates(self, field: StarField, pixel_deg: float) -> Iterator[FrameWcs]:
        points = np.column_stack([field.x_px, field.y_px])
        known = 0
        for count, width in _ROUNDS:
            if known >= len(points):
                return
            widest = 2.0 * width * field.half_diagonal_px
            yield from self._matches(field, _combinations(points[:count], known, widest), pixel_deg)
            known = count

    def _matches(self, field: StarField, corners: NDArray[np.intp], pixel_deg: float) -> Iterator[FrameWcs]:
        """Yield what quads of the field's stars, shape (n, 4), say."""
        points = np.column_stack([field.x_px, field.y_px])
        plane = ((points - field.centre) * pixel_deg) @ np.array([1.0, 1.0j])
        corners = corners[np.ptp(points[corners], axis=1).any(axis=1)]  # stars at one place make no figure
        if len(corners) == 0:
            return
        quads = quads_of(plane[corners], corners)
        tolerance = np.clip(_CODE_ERROR_PX * pixel_deg / quads.width, *_TOLERANCE)
        for mirrored in (False, True):
            turned = Quads(quads.corners, quads.codes * (1.0, -1.0, 1.0, -1.0), quads.width) if mirrored else quads
            query, there = self.index.alike(turned, tolerance, _STRETCH)
            for q, t in zip(query[:_MAX_CANDIDATES], there[:_MAX_CANDIDATES], strict=True):
                stars = self.index.stars[self.index.corners[t]]
                yield _wcs_of(points[quads.corners[q]], stars, pixel_deg, mirrored, field.centre)


def _combinations(points: Float64s, known: int, widest: float) -> NDArray[np.intp]:
    """Return the quads, shape (n, 4), of points no two of which are further apart than `widest`.

    Each has one point at least that is not among the first `known`.
    """
    close = np.hypot(*(points[:, None] - points[None, :]).transpose(2, 0, 1)) <= widest
    combinations_found = []
    for last in range(max(known, 3), len(points)):
        near = np.flatnonzero(close[last, :last])
        triples = near[_triples(len(near))]
        a, b, c = triples.T
        triples = triples[close[a, b] & close[a, c] & close[b, c]]
        combinations_found.append(np.column_stack([triples, np.full(len(triples), last)]))
    return np.concatenate(combinations_found) if combinations_found else np.empty((0, 4), np.intp)


@lru_cache(maxsize=128)
def _triples(count: int) -> NDArray[np.intp]:
    """Return all triples of `count` things, shape (n, 3)."""
    return np.array(list(combinations(range(count), 3)), np.intp).reshape(-1, 3)


def _wcs_of(
    pixels: Float64s, stars: Float64s, pixel_deg: float, mirrored: bool, centre: tuple[float, float]
) -> FrameWcs:
    """Return the WCS that takes four pixels, shape (4, 2), closest to four unit vectors, shape (4, 3)."""
    ra0, dec0 = (float(value) for value in ra_dec(stars.sum(axis=0)))
    plane = np.column_stack(tangent_plane(*ra_dec(stars), ra0, dec0)) / pixel_deg
    return wcs_of_affine(fit_similarity(pixels, plane, mirrored), pixel_deg, ra0, dec0, *centre)
