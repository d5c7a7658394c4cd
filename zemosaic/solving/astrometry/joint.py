"""One astrometric solution for all frames: what their overlaps say counts more than each frame's own match.

Star places come from every frame that sees them, tied to the catalogue; frames get an affine map each and
share one cubic distortion per telescope, camera and session.  Catalogue stars are weak anchors (25 years of
unknown proper motion put them 0.3 arcsec off), yet they alone say how the mosaic as a whole lies on the sky
and keep the distortion from trading places with the mosaic's curvature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zemosaic.arrays import Float64s, Indices
from zemosaic.catalogue import Catalogue
from zemosaic.errors import Message, message
from zemosaic.solving.astrometry.adjust import directions, least_squares_step, residuals
from zemosaic.solving.astrometry.camera_model import (
    Cameras,
    Detections,
    Priors,
    ReferenceStars,
    camera_wcs,
    make_cameras,
    with_fixed_frames,
)
from zemosaic.solving.astrometry.links import link_detections, nearest_reference, reference_directions
from zemosaic.solving.astrometry.scatter import centroid_errors, estimated_priors, initial_priors, reference_error
from zemosaic.solving.fit import fit_wcs
from zemosaic.wcs import FrameWcs, unit_vectors

__all__ = ["JointFrame", "JointSolution", "RefinedFrame", "solve_jointly"]

_INITIAL_REFERENCE_ARCSEC = 0.15
"""Error of a catalogue place as long as the frames have not told it."""
_SEEING_PX = 0.05
"""Error of the best centroids as long as the frames have not told it."""
_LINK_PX = (3.0, 2.0)
_ROUNDS = 3
_MIN_STARS = 6
_MIN_DISAGREEMENT_PX = 1.0
_MAX_STARS_PER_FRAME, _MIN_STARS_PER_FRAME = 300, 40
"""Stars of a frame that count; the fewer, the more frames there are."""
_MAX_DETECTIONS = 2_000_000
"""Stars of all frames that count while each has more than enough, so that memory has an end."""
_ARCSEC = np.radians(1.0 / 3600.0)


@dataclass(frozen=True)
class JointFrame:
    """One frame's part of the joint solution."""

    frame_id: int
    optics: str
    """Frames of one telescope and camera share a distortion."""
    wcs: FrameWcs
    """The frame's own solution, right to about 3 pixels."""
    width: int
    height: int
    x_px: Float64s
    """Columns of the stars, brightest first, shape (n,)."""
    y_px: Float64s
    error_px: Float64s
    """Standard errors of the centroids, shape (n,)."""
    session: int = 0
    """Distortions of one telescope differ a little from session to session."""
    fixed: bool = False
    """Whether `wcs` is the place that a joint solution gave it before, where it stays."""


@dataclass(frozen=True)
class RefinedFrame:
    """One frame's place in the joint solution."""

    frame_id: int
    wcs: FrameWcs
    n_stars: int
    """Stars it shares with other frames or the catalogue."""
    rms_arcsec: float
    """Of its stars against the places all frames agree on; NaN where it shares none."""
    disagreement: Message | None = None
    """Why the frame was left out of the common solution; `wcs` is then its own."""
    mean_residual_px: float = 0.0
    """How far its stars are, on the mean, from where they should be in a frame that is held."""
    undecided: bool = False
    """Whether the disagreement is only that the frame shares too few stars to say where it should be."""


@dataclass(frozen=True)
class JointSolution:
    """The refined frames, in the order they were given, and how well they agree."""

    frames: tuple[RefinedFrame, ...]
    n_stars: int
    n_reference_stars: int
    """Stars that are in the catalogue."""
    rms_arcsec: float
    """Of all sightings against their stars."""


@dataclass(frozen=True)
class _State:
    cameras: Cameras
    detections: Detections
    """All detections; `star` is -1 where a detection belongs to none."""
    photon_px: Float64s
    """Errors of the centroids as the stars' light tells them, shape (n,)."""
    error_px: Float64s
    """As large as the stars of the camera and of the frame really scatter."""
    references: Float64s
    """Catalogue stars as unit vectors."""
    reference_arcsec: float
    """Error of their places."""
    priors: Priors
    excluded: NDArray[np.bool_]
    """Frames that disagree, shape (frames,)."""


def solve_jointly(frames: Sequence[JointFrame], catalogue: Catalogue) -> JointSolution:
    """Return refined solutions of all frames.

    Works over poles, across RA 0, with several cameras and mirrored frames, and on fields that do not touch.
    Time and memory grow linearly with the number of stars seen.

    Parameters
    ----------
    frames : sequence of JointFrame
        Any number, any order.
    catalogue : Catalogue
        Anchors of the solution.
    """
    if not frames:
        return JointSolution((), 0, 0, float("nan"))
    order = sorted(range(len(frames)), key=lambda i: (frames[i].optics, frames[i].session, i))
    max_stars = int(np.clip(_MAX_DETECTIONS // len(frames), _MIN_STARS_PER_FRAME, _MAX_STARS_PER_FRAME))
    sorted_frames = [_brightest(frames[i], max_stars) for i in order]
    state = _start(sorted_frames, catalogue)
    state = _fitted_to_references(state, sorted_frames)
    stars = np.empty((0, 3))
    for radius in _LINK_PX:
        state, stars, anchored = _with_linked_detections(state, radius)
        for _ in range(_ROUNDS):
            state, stars = _least_squares_round(state, stars, anchored)
            state = _with_scatter(state, stars, anchored)
    return _result(state, stars, anchored, sorted_frames, order)


def _brightest(frame: JointFrame, max_stars: int) -> JointFrame:
    return replace(frame, x_px=frame.x_px[:max_stars], y_px=frame.y_px[:max_stars], error_px=frame.error_px[:max_stars])


def _start(frames: list[JointFrame], catalogue: Catalogue) -> _State:
    names = sorted({(f.optics, f.session) for f in frames})
    number = {name: index for index, name in enumerate(names)}
    camera = np.array([number[f.optics, f.session] for f in frames], np.intp)
    _, optics = np.unique([name for name, _ in names], return_inverse=True)
    half = np.array([0.5 * np.hypot(f.width, f.height) for f in frames])
    reach = np.array([half[optics[camera] == telescope].max() for telescope in optics])
    cameras = make_cameras([_centred(f) for f in frames], camera, optics, reach)
    centre = [((f.width - 1) / 2.0, (f.height - 1) / 2.0) for f in frames]
    # A frame that was alone has a solution of its own, about another pixel than its centre.
    about = [f.fixed and (f.wcs.x_ref, f.wcs.y_ref) == c for f, c in zip(frames, centre, strict=True)]
    cameras = with_fixed_frames(cameras, {index: frames[index].wcs for index in np.flatnonzero(about).tolist()})
    stars = [len(f.x_px) for f in frames]
    frame = np.repeat(np.arange(len(frames)), stars)
    u = np.concatenate([(f.x_px - c[0]) / reach[g] for f, c, g in zip(frames, centre, camera, strict=True)])
    v = np.concatenate([(f.y_px - c[1]) / reach[g] for f, c, g in zip(frames, centre, camera, strict=True)])
    photon = np.concatenate([f.error_px for f in frames])
    error = np.hypot(photon, _SEEING_PX)
    detections = Detections(frame, np.full(len(frame), -1, np.intp), u, v, error**-2)
    anchors = reference_directions(catalogue, cameras.axes[:, 2], np.degrees(half * _pixel_rad(cameras)))
    excluded = np.zeros(len(frames), bool)
    return _State(
        cameras, detections, photon, error, anchors, _INITIAL_REFERENCE_ARCSEC, initial_priors(len(names)), excluded
    )


def _centred(frame: JointFrame) -> FrameWcs:
    """Return the frame's solution about its centre, the slope there included, without a distortion."""
    x, y = (frame.width - 1) / 2.0, (frame.height - 1) / 2.0
    ra, dec = frame.wcs.pixel_to_sky(x, y)
    flat = FrameWcs(float(ra), float(dec), x, y, frame.wcs.cd)
    if frame.wcs.distortion is None and (frame.wcs.x_ref, frame.wcs.y_ref) == (x, y):
        return flat
    grid_x, grid_y = (a.ravel() for a in np.meshgrid(np.linspace(0, 2 * x, 9), np.linspace(0, 2 * y, 9)))
    return fit_wcs(flat, grid_x, grid_y, *frame.wcs.pixel_to_sky(grid_x, grid_y), None)


def _pixel_rad(cameras: Cameras) -> Float64s:
    """Return the pixel scale of each frame in radians."""
    return np.asarray(np.sqrt(np.abs(np.linalg.det(cameras.cd))))


def _pixel_arcsec(cameras: Cameras) -> Float64s:
    return np.asarray(_pixel_rad(cameras) / _ARCSEC)


def _fitted_to_references(state: _State, frames: list[JointFrame]) -> _State:
    """Return the state after frames and distortions have been fitted to the catalogue alone.

    This sets the mosaic's large-scale shape right from the start; what the frames then say about each
    other can only change it slowly.
    """
    header_directions = np.concatenate([unit_vectors(*f.wcs.pixel_to_sky(f.x_px, f.y_px)) for f in frames])
    pixel = _pixel_rad(state.cameras)[state.detections.frame]
    current_directions = header_directions
    cameras = state.cameras
    for radius in (4.0, 3.0, 2.5):
        distance, nearest = nearest_reference(current_directions, state.references, radius * pixel + 1.0 * _ARCSEC)
        rows = np.flatnonzero(np.isfinite(distance))
        if len(rows) == 0:
            return state
        detections = _selected(state.detections, rows, nearest[rows])
        fixed = ReferenceStars(np.zeros((len(state.references), 2)), np.full(len(state.references), 1e9))
        for _ in range(2):
            residual_px = np.linalg.norm(residuals(cameras, detections, state.references), axis=1)
            detections = replace(
                detections, weight=_robust_weights(residual_px) / np.hypot(state.error_px[rows], 0.15) ** 2
            )
            cameras, _ = least_squares_step(cameras, detections, state.references, fixed, state.priors, tolerance=1e-7)
        current_directions = directions(cameras, state.detections)
    return replace(state, cameras=cameras)


def _robust_weights(distance: Float64s) -> Float64s:
    """Return weights, 1 to 0, that let misses far beyond the usual count less and less."""
    usual = max(float(np.median(distance)), 1e-3)
    return 1.0 / (1.0 + (distance / (3.0 * usual)) ** 2) * (distance < 8.0 * usual)


def _selected(detections: Detections, which: Indices, star: Indices) -> Detections:
    return Detections(detections.frame[which], star, detections.u[which], detections.v[which], detections.weight[which])


def _with_linked_detections(state: _State, radius_px: float) -> tuple[_State, Float64s, Indices]:
    """Return the state with detections linked to stars, the stars' mean places and each star's anchor (or -1).

    Stars seen once count only where the catalogue has them.
    """
    detection_directions = directions(state.cameras, state.detections)
    pixel = _pixel_rad(state.cameras)
    star = link_detections(
        detection_directions, state.detections.frame, state.error_px, radius_px * float(np.median(pixel))
    )
    star = np.where(state.excluded[state.detections.frame], -1, star)
    member = np.flatnonzero(star >= 0)
    weight = state.error_px[member] ** -2
    count = np.bincount(star[member], minlength=int(star.max(initial=-1)) + 1)
    total = np.stack(
        [np.bincount(star[member], weight * detection_directions[member, k], len(count)) for k in range(3)], axis=1
    )
    length = np.linalg.norm(total, axis=1, keepdims=True)
    star_directions = total / np.where(length > 0.0, length, 1.0)
    separation, reference = nearest_reference(
        star_directions, state.references, 1.5 * _ARCSEC + 1.0 * float(np.median(pixel))
    )
    has_reference = np.isfinite(separation)
    used = (count >= 2) | ((count == 1) & has_reference)
    new_index = np.where(used, np.cumsum(used) - 1, -1)
    star = np.where(star >= 0, new_index[star], -1)
    anchored = np.where(has_reference, reference, -1)[used]
    return replace(state, detections=replace(state.detections, star=star)), star_directions[used], anchored


def _least_squares_round(state: _State, stars: Float64s, anchored: Indices) -> tuple[_State, Float64s]:
    """Return state and star places after one weighted least-squares step; frames that disagree are left out."""
    rows = np.flatnonzero((state.detections.star >= 0) & ~state.excluded[state.detections.frame])
    if len(rows) == 0:
        return state, stars
    detections = _selected(state.detections, rows, state.detections.star[rows])
    distance = np.linalg.norm(residuals(state.cameras, detections, stars), axis=1)
    detections = replace(
        detections, weight=_robust_weights(distance / state.error_px[rows]) / state.error_px[rows] ** 2
    )
    cameras, stars = least_squares_step(
        state.cameras, detections, stars, _reference_stars(state, stars, anchored), state.priors
    )
    distance = np.linalg.norm(residuals(cameras, detections, stars), axis=1)
    median = _median_per_frame(distance, detections.frame, len(state.excluded))
    disagrees = median > max(_MIN_DISAGREEMENT_PX, 4.0 * float(np.nanmedian(median)))
    return replace(state, cameras=cameras, excluded=state.excluded | disagrees), stars


def _with_scatter(state: _State, stars: Float64s, anchored: Indices) -> _State:
    """Return the state with errors and priors as large as the present solution shows them to be."""
    rows = np.flatnonzero((state.detections.star >= 0) & ~state.excluded[state.detections.frame])
    if len(rows) == 0:
        return state
    camera = state.cameras.camera
    detections = _selected(state.detections, rows, state.detections.star[rows])
    distance = np.linalg.norm(residuals(state.cameras, detections, stars), axis=1)
    unknowns = 6 * len(np.unique(detections.frame)) + 2 * len(np.unique(detections.star))
    freedom = max(1.0 - unknowns / (2.0 * len(rows)), 0.25)
    slope, floor, frame = centroid_errors(distance, state.photon_px[rows], detections.frame, camera, freedom)
    group = camera[state.detections.frame]
    error = np.sqrt((slope[group] * state.photon_px**2 + floor[group]) * frame[state.detections.frame])
    detections = replace(detections, weight=error[rows] ** -2)
    has_reference = np.flatnonzero(anchored >= 0)
    pixel = np.bincount(
        detections.star, detections.weight / _pixel_arcsec(state.cameras)[detections.frame] ** 2, len(stars)
    )
    unknown: Float64s = np.reciprocal(pixel[has_reference] + state.reference_arcsec**-2)
    east, north = _catalogue_offsets(state, stars, anchored)[has_reference].T
    return replace(
        state,
        error_px=error,
        reference_arcsec=reference_error(state.reference_arcsec, np.hypot(east, north), unknown),
        priors=estimated_priors(state.priors, state.cameras, detections, state.excluded),
    )


def _catalogue_offsets(state: _State, stars: Float64s, anchored: Indices) -> Float64s:
    """Return where the catalogue has each star, arcsec east and north of its place, 0 where it has not."""
    has_reference = anchored >= 0
    offset = np.zeros((len(stars), 2))
    star_directions = stars[has_reference]
    east = np.column_stack([-star_directions[:, 1], star_directions[:, 0], np.zeros(len(star_directions))])
    east /= np.maximum(np.linalg.norm(east, axis=1, keepdims=True), 1e-12)
    north = np.cross(star_directions, east)
    gap = state.references[anchored[has_reference]] - star_directions
    offset[has_reference] = np.column_stack([(gap * east).sum(axis=1), (gap * north).sum(axis=1)]) / _ARCSEC
    return offset


def _reference_stars(state: _State, stars: Float64s, anchored: Indices) -> ReferenceStars:
    """Return the catalogue's pull on each star."""
    offset = _catalogue_offsets(state, stars, anchored)
    distance = np.linalg.norm(offset, axis=1)
    robust_weight = (anchored >= 0) / (1.0 + (distance / (2.0 * state.reference_arcsec)) ** 2)
    return ReferenceStars(offset, robust_weight / state.reference_arcsec**2)


def _median_per_frame(values: Float64s, frame: Indices, frames: int) -> Float64s:
    """Return the median of each frame's values, NaN for frames without, shape (frames,)."""
    order = np.lexsort((values, frame))
    count = np.bincount(frame, minlength=frames)
    start = np.cumsum(count) - count
    medians = np.full(frames, np.nan)
    some = count > 0
    medians[some] = values[order][start[some] + count[some] // 2]
    return medians


def _result(
    state: _State, stars: Float64s, anchored: Indices, frames: list[JointFrame], order: list[int]
) -> JointSolution:
    rows = np.flatnonzero(state.detections.star >= 0)
    detections = _selected(state.detections, rows, state.detections.star[rows])
    distance = np.linalg.norm(residuals(state.cameras, detections, stars), axis=1) if len(rows) else np.empty(0)
    close = distance < 3.0
    used = np.bincount(detections.frame[close], minlength=len(frames))
    square = np.bincount(detections.frame[close], distance[close] ** 2, len(frames))
    scale = _pixel_arcsec(state.cameras)
    median = _median_per_frame(distance, detections.frame, len(frames))
    mean_residual = _mean_residuals(state.cameras, detections, stars, distance, used)
    refined: list[RefinedFrame | None] = [None] * len(frames)
    for index, frame in enumerate(frames):
        refusal = _refusal(bool(state.excluded[index]), int(used[index]), float(median[index]))
        undecided = bool(not state.excluded[index] and used[index] < _MIN_STARS)
        wcs = frame.wcs
        if refusal is None:
            wcs = camera_wcs(state.cameras, index, (frame.width - 1) / 2.0, (frame.height - 1) / 2.0)
        rms = float(np.sqrt(square[index] / used[index]) * scale[index]) if used[index] else float("nan")
        refined[order[index]] = RefinedFrame(
            frame.frame_id, wcs, int(used[index]), rms, refusal, float(mean_residual[index]), undecided
        )
    total = (
        float(np.sqrt(np.mean((distance[close] * scale[detections.frame[close]]) ** 2)))
        if close.any()
        else float("nan")
    )
    return JointSolution(tuple(r for r in refined if r is not None), len(stars), int((anchored >= 0).sum()), total)


def _mean_residuals(
    cameras: Cameras, detections: Detections, stars: Float64s, distance: Float64s, used: Indices
) -> Float64s:
    """Return the length of the mean miss of each held frame with enough stars, 0 for the others, shape (frames,)."""
    if len(distance) == 0:
        return np.zeros(len(used))
    weight = _robust_weights(distance)
    miss, total = (
        residuals(cameras, detections, stars),
        np.maximum(np.bincount(detections.frame, weight, len(used)), 1e-9),
    )
    mean = [np.bincount(detections.frame, weight * miss[:, k], len(used)) / total for k in range(2)]
    return np.where(cameras.fixed & (used >= _MIN_STARS), np.hypot(*mean), 0.0)


def _refusal(excluded: bool, used: int, median_px: float) -> Message | None:
    if excluded and not np.isfinite(median_px):
        return message("reason.joint_nothing_in_common")
    if excluded:
        return message("reason.joint_disagrees", median_px=round(median_px, 2))
    if used < _MIN_STARS:
        return message("reason.joint_few_stars", found=used, needed=_MIN_STARS)
    return None
