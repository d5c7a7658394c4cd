"""The embedded solver: triangles of bright stars against the catalogue round the header's pointing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from zemosaic.arrays import Float64s
from zemosaic.catalogue import Catalogue
from zemosaic.model import Solution
from zemosaic.solving.base import AFFINE_STARS, MIN_MATCHED_STARS, Failure, NotSolved, StarField, lacking, not_solved
from zemosaic.solving.fit import chance_of, refine_affine, wcs_of_affine
from zemosaic.solving.match import Tolerance, candidate_maps
from zemosaic.solving.verify import confirm, match_radius_px
from zemosaic.wcs import FrameWcs, tangent_plane

__all__ = ["EmbeddedSolver"]


_SCALES_ARCSEC = (2.4, 1.7, 3.4, 1.2, 4.8, 0.85, 6.8, 0.6, 9.6, 0.42, 13.6, 0.3)
"""Scales tried where the header tells none, the usual ones first, each good for 20 % around it."""
_UNKNOWN_SCALE = Tolerance(scale=0.19)


@dataclass(frozen=True)
class _Depth:
    """How many stars of each list make triangles."""

    detected: float
    """Detections per catalogue star expected in the frame."""
    catalogue: float
    """Part of the catalogue's stars, the brightest."""
    neighbours: int


_DEPTHS = (_Depth(1.3, 1.0, 8), _Depth(2.2, 1.0, 9), _Depth(1.0, 0.7, 8), _Depth(3.5, 1.0, 10), _Depth(1.0, 0.4, 8))


@dataclass(frozen=True)
class EmbeddedSolver:
    """Solves from the header's pointing with a catalogue and nothing installed."""

    catalogue: Catalogue
    name: str = "embedded"

    def solve(self, field: StarField) -> Solution | NotSolved:
        """Return the verified solution of a frame, or why there is none.

        The catalogue is searched close to the pointing first, then within the field's radius, then
        within three times that.
        """
        lack = lacking(field)
        if lack is not None:
            return lack
        assert field.ra_deg is not None and field.dec_deg is not None
        refusal: NotSolved | None = None
        for wcs in self._candidates(field):
            verdict = confirm(wcs, field, self.catalogue, self.name)
            if isinstance(verdict, Solution):
                return verdict
            refusal = verdict
        if refusal is not None and refusal.failure is Failure.NO_CATALOGUE_STARS:
            return refusal
        if field.scale_arcsec is None:
            return not_solved(
                "reason.unsolved_scales_tried",
                catalogue=self.catalogue.name,
                stars=len(field),
                smallest=min(_SCALES_ARCSEC),
                largest=max(_SCALES_ARCSEC),
            )
        return not_solved(
            "reason.unsolved_no_match",
            catalogue=self.catalogue.name,
            stars=len(field),
            radius_deg=round(3.0 * field.radius_deg, 2),
            ra_deg=round(field.ra_deg, 4),
            dec_deg=round(field.dec_deg, 4),
        )

    def _candidates(self, field: StarField) -> Iterator[FrameWcs]:
        if field.scale_arcsec is not None:
            for radius in (0.3 * field.radius_deg, field.radius_deg, 3.0 * field.radius_deg):
                yield from _matches(field, self.catalogue, field.scale_arcsec, radius, Tolerance(), _DEPTHS)
            return
        for scale in _SCALES_ARCSEC:
            yield from _matches(field, self.catalogue, scale, field.radius_deg, _UNKNOWN_SCALE, _DEPTHS[:2])


def _matches(
    field: StarField,
    catalogue: Catalogue,
    scale_arcsec: float,
    radius_deg: float,
    tolerance: Tolerance,
    depths: tuple[_Depth, ...],
) -> Iterator[FrameWcs]:
    """Yield solutions that enough catalogue stars within `radius_deg` of the pointing agree on."""
    assert field.ra_deg is not None and field.dec_deg is not None
    pixel_deg = scale_arcsec / 3600.0
    reach_deg = min(radius_deg + field.half_diagonal_px * pixel_deg, 30.0)
    frames = np.pi * reach_deg**2 / (field.width * field.height * pixel_deg**2)
    stars = catalogue.cone(field.ra_deg, field.dec_deg, reach_deg, int(400 * frames))
    if len(stars) < MIN_MATCHED_STARS:
        return
    plane = tangent_plane(stars.ra_deg, stars.dec_deg, field.ra_deg, field.dec_deg)
    theirs = np.column_stack(plane) / pixel_deg
    ours = np.column_stack([field.x_px, field.y_px])
    per_frame = len(stars) / frames
    tree = cKDTree(theirs)
    for depth in depths:
        catalogue_stars = float(np.clip(depth.catalogue * per_frame, 1.0, 70.0))
        some = theirs[: max(25, int(catalogue_stars * frames))]
        bright = ours[: max(15, int(depth.detected * catalogue_stars))]
        for affine in candidate_maps(bright, some, (field.width, field.height), depth.neighbours, tolerance):
            result = _tested(ours[: int(20 + 5 * per_frame)], theirs, tree, affine, field, per_frame, scale_arcsec)
            if result is not None:
                yield wcs_of_affine(result, pixel_deg, field.ra_deg, field.dec_deg, *field.centre)


def _tested(
    ours: Float64s,
    theirs: Float64s,
    tree: cKDTree,
    affine: Float64s,
    field: StarField,
    per_frame: float,
    scale_arcsec: float,
) -> Float64s | None:
    """Return the refined map if it matches more stars than chance would, else None."""
    close = match_radius_px(scale_arcsec)
    refined = refine_affine(ours, theirs, tree, affine, (6.0, 2.0 * close, 1.5 * close, close), 4, AFFINE_STARS)
    if refined is None:
        return None
    affine, pairs = refined
    expected = len(ours) * per_frame * np.pi * close**2 / (field.width * field.height)
    if len(pairs) < MIN_MATCHED_STARS or chance_of(len(pairs), 2, expected) > 1e-4:
        return None
    return affine
