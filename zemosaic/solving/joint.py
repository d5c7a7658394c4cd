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

from zemosaic.catalogue import Catalogue
from zemosaic.errors import Message, message
from zemosaic.sky import FrameWcs, unit_vectors
from zemosaic.solving.adjust import (
    Anchors,
    Cameras,
    Priors,
    Sightings,
    adjusted,
    camera_wcs,
    cameras_of,
    directions,
    held_cameras,
    misses,
)
from zemosaic.solving.fit import fit_wcs
from zemosaic.solving.links import anchor_stars, linked, nearest_anchor
from zemosaic.solving.scatter import anchor_error, centroid_errors, usual_priors, with_learnt

__all__ = ["JointFrame", "JointSolution", "RefinedFrame", "solve_jointly"]

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_ANCHOR_ARCSEC = 0.15
"""Error of a catalogue place as long as the frames have not told it."""
_SEEING_PX = 0.05
"""Error of the best centroids as long as the frames have not told it."""
_LINK_PX = (3.0, 2.0)
_ROUNDS = 3
_FEWEST = 6
_DISAGREES_PX = 1.0
_MOST_STARS, _ENOUGH_STARS = 300, 40
"""Stars of a frame that count; the fewer, the more frames there are."""
_MOST_SIGHTINGS = 2_000_000
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
    x_px: Floats
    """Columns of the stars, brightest first, shape (n,)."""
    y_px: Floats
    error_px: Floats
    """Standard errors of the centroids, shape (n,)."""
    session: int = 0
    """Distortions of one telescope differ a little from session to session."""
    held: bool = False
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
    pull_px: float = 0.0
    """How far its stars are, on the mean, from where they should be in a frame that is held."""


@dataclass(frozen=True)
class JointSolution:
    """The refined frames, in the order they were given, and how well they agree."""

    frames: tuple[RefinedFrame, ...]
    n_stars: int
    n_anchors: int
    """Stars that are in the catalogue."""
    rms_arcsec: float
    """Of all sightings against their stars."""


@dataclass(frozen=True)
class _State:
    cameras: Cameras
    seen: Sightings
    """All detections; `star` is -1 where a detection belongs to none."""
    photon_px: Floats
    """Errors of the centroids as the stars' light tells them, shape (n,)."""
    error_px: Floats
    """As large as the stars of the camera and of the frame really scatter."""
    anchors: Floats
    """Catalogue stars as unit vectors."""
    anchor_arcsec: float
    """Error of their places."""
    priors: Priors
    left_out: NDArray[np.bool_]
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
    most = int(np.clip(_MOST_SIGHTINGS // len(frames), _ENOUGH_STARS, _MOST_STARS))
    sorted_frames = [_brightest(frames[i], most) for i in order]
    state = _start(sorted_frames, catalogue)
    state = _fitted_to_anchors(state, sorted_frames)
    stars = np.empty((0, 3))
    for radius in _LINK_PX:
        state, stars, anchored = _linked(state, radius)
        for _ in range(_ROUNDS):
            state, stars = _round(state, stars, anchored)
            state = _with_scatter(state, stars, anchored)
    return _result(state, stars, anchored, sorted_frames, order)


def _brightest(frame: JointFrame, most: int) -> JointFrame:
    return replace(frame, x_px=frame.x_px[:most], y_px=frame.y_px[:most], error_px=frame.error_px[:most])


def _start(frames: list[JointFrame], catalogue: Catalogue) -> _State:
    names = sorted({(f.optics, f.session) for f in frames})
    number = {name: index for index, name in enumerate(names)}
    camera = np.array([number[f.optics, f.session] for f in frames], np.intp)
    _, optics = np.unique([name for name, _ in names], return_inverse=True)
    half = np.array([0.5 * np.hypot(f.width, f.height) for f in frames])
    reach = np.array([half[optics[camera] == telescope].max() for telescope in optics])
    cameras = cameras_of([_centred(f) for f in frames], camera, optics, reach)
    centre = [((f.width - 1) / 2.0, (f.height - 1) / 2.0) for f in frames]
    # A frame that was alone has a solution of its own, about another pixel than its centre.
    about = [f.held and (f.wcs.x_ref, f.wcs.y_ref) == c for f, c in zip(frames, centre, strict=True)]
    cameras = held_cameras(cameras, {index: frames[index].wcs for index in np.flatnonzero(about).tolist()})
    stars = [len(f.x_px) for f in frames]
    frame = np.repeat(np.arange(len(frames)), stars)
    u = np.concatenate([(f.x_px - c[0]) / reach[g] for f, c, g in zip(frames, centre, camera, strict=True)])
    v = np.concatenate([(f.y_px - c[1]) / reach[g] for f, c, g in zip(frames, centre, camera, strict=True)])
    photon = np.concatenate([f.error_px for f in frames])
    error = np.hypot(photon, _SEEING_PX)
    seen = Sightings(frame, np.full(len(frame), -1, np.intp), u, v, error**-2)
    radii = np.degrees(half * _pixel_rad(cameras))
    anchors = anchor_stars(catalogue, cameras.axes[:, 2], radii)
    left_out = np.zeros(len(frames), bool)
    return _State(cameras, seen, photon, error, anchors, _ANCHOR_ARCSEC, usual_priors(len(names)), left_out)


def _centred(frame: JointFrame) -> FrameWcs:
    """Return the frame's solution about its centre, the slope there included, without a distortion."""
    x, y = (frame.width - 1) / 2.0, (frame.height - 1) / 2.0
    ra, dec = frame.wcs.pixel_to_sky(x, y)
    flat = FrameWcs(float(ra), float(dec), x, y, frame.wcs.cd)
    if frame.wcs.distortion is None and (frame.wcs.x_ref, frame.wcs.y_ref) == (x, y):
        return flat
    grid_x, grid_y = (a.ravel() for a in np.meshgrid(np.linspace(0, 2 * x, 9), np.linspace(0, 2 * y, 9)))
    return fit_wcs(flat, grid_x, grid_y, *frame.wcs.pixel_to_sky(grid_x, grid_y), None)


def _pixel_rad(cameras: Cameras) -> Floats:
    """Return the pixel scale of each frame in radians."""
    return np.sqrt(np.abs(np.linalg.det(cameras.cd)))


def _pixel_arcsec(cameras: Cameras) -> Floats:
    return _pixel_rad(cameras) / _ARCSEC


def _fitted_to_anchors(state: _State, frames: list[JointFrame]) -> _State:
    """Return the state after frames and distortions have been fitted to the catalogue alone.

    This sets the mosaic's large-scale shape right from the start; what the frames then say about each
    other can only change it slowly.
    """
    own = np.concatenate([unit_vectors(*f.wcs.pixel_to_sky(f.x_px, f.y_px)) for f in frames])
    pixel = _pixel_rad(state.cameras)[state.seen.frame]
    seen_from = own
    cameras = state.cameras
    for radius in (4.0, 3.0, 2.5):
        distance, nearest = nearest_anchor(seen_from, state.anchors, radius * pixel + 1.0 * _ARCSEC)
        near = np.flatnonzero(np.isfinite(distance))
        if len(near) == 0:
            return state
        seen = _some(state.seen, near, nearest[near])
        fixed = Anchors(np.zeros((len(state.anchors), 2)), np.full(len(state.anchors), 1e9))
        for _ in range(2):
            off = np.linalg.norm(misses(cameras, seen, state.anchors), axis=1)
            seen = replace(seen, weight=_trust(off) / np.hypot(state.error_px[near], 0.15) ** 2)
            cameras, _ = adjusted(cameras, seen, state.anchors, fixed, state.priors, tolerance=1e-7)
        seen_from = directions(cameras, state.seen)
    return replace(state, cameras=cameras)


def _trust(off: Floats) -> Floats:
    """Return weights, 1 to 0, that let misses far beyond the usual count less and less."""
    usual = max(float(np.median(off)), 1e-3)
    return 1.0 / (1.0 + (off / (3.0 * usual)) ** 2) * (off < 8.0 * usual)


def _some(seen: Sightings, which: Indices, star: Indices) -> Sightings:
    return Sightings(seen.frame[which], star, seen.u[which], seen.v[which], seen.weight[which])


def _linked(state: _State, radius_px: float) -> tuple[_State, Floats, Indices]:
    """Return the state with detections linked to stars, the stars' mean places and each star's anchor (or -1).

    Stars seen once count only where the catalogue has them.
    """
    toward = directions(state.cameras, state.seen)
    pixel = _pixel_rad(state.cameras)
    star = linked(toward, state.seen.frame, state.error_px, radius_px * float(np.median(pixel)))
    star = np.where(state.left_out[state.seen.frame], -1, star)
    member = np.flatnonzero(star >= 0)
    weight = state.error_px[member] ** -2
    count = np.bincount(star[member], minlength=int(star.max(initial=-1)) + 1)
    total = np.stack([np.bincount(star[member], weight * toward[member, k], len(count)) for k in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    place = total / np.where(length > 0.0, length, 1.0)
    distance, anchor = nearest_anchor(place, state.anchors, 1.5 * _ARCSEC + 1.0 * float(np.median(pixel)))
    has_anchor = np.isfinite(distance)
    used = (count >= 2) | ((count == 1) & has_anchor)
    new_index = np.where(used, np.cumsum(used) - 1, -1)
    star = np.where(star >= 0, new_index[star], -1)
    anchored = np.where(has_anchor, anchor, -1)[used]
    return replace(state, seen=replace(state.seen, star=star)), place[used], anchored


def _round(state: _State, stars: Floats, anchored: Indices) -> tuple[_State, Floats]:
    """Return state and star places after one weighted least-squares step; frames that disagree are left out."""
    near = np.flatnonzero((state.seen.star >= 0) & ~state.left_out[state.seen.frame])
    if len(near) == 0:
        return state, stars
    seen = _some(state.seen, near, state.seen.star[near])
    off = np.linalg.norm(misses(state.cameras, seen, stars), axis=1)
    seen = replace(seen, weight=_trust(off / state.error_px[near]) / state.error_px[near] ** 2)
    cameras, stars = adjusted(state.cameras, seen, stars, _anchors(state, stars, anchored), state.priors)
    off = np.linalg.norm(misses(cameras, seen, stars), axis=1)
    median = _median_per_frame(off, seen.frame, len(state.left_out))
    disagrees = median > max(_DISAGREES_PX, 4.0 * float(np.nanmedian(median)))
    return replace(state, cameras=cameras, left_out=state.left_out | disagrees), stars


def _with_scatter(state: _State, stars: Floats, anchored: Indices) -> _State:
    """Return the state with errors and priors as large as the present solution shows them to be."""
    near = np.flatnonzero((state.seen.star >= 0) & ~state.left_out[state.seen.frame])
    if len(near) == 0:
        return state
    camera = state.cameras.camera
    seen = _some(state.seen, near, state.seen.star[near])
    off = np.linalg.norm(misses(state.cameras, seen, stars), axis=1)
    unknowns = 6 * len(np.unique(seen.frame)) + 2 * len(np.unique(seen.star))
    freedom = max(1.0 - unknowns / (2.0 * len(near)), 0.25)
    slope, floor, frame = centroid_errors(off, state.photon_px[near], seen.frame, camera, freedom)
    group = camera[state.seen.frame]
    error = np.sqrt((slope[group] * state.photon_px**2 + floor[group]) * frame[state.seen.frame])
    seen = replace(seen, weight=error[near] ** -2)
    known = np.flatnonzero(anchored >= 0)
    pixel = np.bincount(seen.star, seen.weight / _pixel_arcsec(state.cameras)[seen.frame] ** 2, len(stars))
    unknown: Floats = np.reciprocal(pixel[known] + state.anchor_arcsec**-2)
    east, north = _gaps(state, stars, anchored)[known].T
    return replace(
        state,
        error_px=error,
        anchor_arcsec=anchor_error(state.anchor_arcsec, np.hypot(east, north), unknown),
        priors=with_learnt(state.priors, state.cameras, seen, state.left_out),
    )


def _gaps(state: _State, stars: Floats, anchored: Indices) -> Floats:
    """Return where the catalogue has each star, arcsec east and north of its place, 0 where it has not."""
    known = anchored >= 0
    offset = np.zeros((len(stars), 2))
    place = stars[known]
    east = np.column_stack([-place[:, 1], place[:, 0], np.zeros(len(place))])
    east /= np.maximum(np.linalg.norm(east, axis=1, keepdims=True), 1e-12)
    north = np.cross(place, east)
    gap = state.anchors[anchored[known]] - place
    offset[known] = np.column_stack([(gap * east).sum(axis=1), (gap * north).sum(axis=1)]) / _ARCSEC
    return offset


def _anchors(state: _State, stars: Floats, anchored: Indices) -> Anchors:
    """Return the catalogue's pull on each star."""
    offset = _gaps(state, stars, anchored)
    off = np.linalg.norm(offset, axis=1)
    trust = (anchored >= 0) / (1.0 + (off / (2.0 * state.anchor_arcsec)) ** 2)
    return Anchors(offset, trust / state.anchor_arcsec**2)


def _median_per_frame(values: Floats, frame: Indices, frames: int) -> Floats:
    """Return the median of each frame's values, NaN for frames without, shape (frames,)."""
    order = np.lexsort((values, frame))
    count = np.bincount(frame, minlength=frames)
    start = np.cumsum(count) - count
    medians = np.full(frames, np.nan)
    some = count > 0
    medians[some] = values[order][start[some] + count[some] // 2]
    return medians


def _result(
    state: _State, stars: Floats, anchored: Indices, frames: list[JointFrame], order: list[int]
) -> JointSolution:
    near = np.flatnonzero(state.seen.star >= 0)
    seen = _some(state.seen, near, state.seen.star[near])
    off = np.linalg.norm(misses(state.cameras, seen, stars), axis=1) if len(near) else np.empty(0)
    close = off < 3.0
    used = np.bincount(seen.frame[close], minlength=len(frames))
    square = np.bincount(seen.frame[close], off[close] ** 2, len(frames))
    scale = _pixel_arcsec(state.cameras)
    median = _median_per_frame(off, seen.frame, len(frames))
    pull = _pulls(state.cameras, seen, stars, off, used)
    refined: list[RefinedFrame | None] = [None] * len(frames)
    for index, frame in enumerate(frames):
        refusal = _refusal(bool(state.left_out[index]), int(used[index]), float(median[index]))
        wcs = frame.wcs
        if refusal is None:
            wcs = camera_wcs(state.cameras, index, (frame.width - 1) / 2.0, (frame.height - 1) / 2.0)
        rms = float(np.sqrt(square[index] / used[index]) * scale[index]) if used[index] else float("nan")
        refined[order[index]] = RefinedFrame(frame.frame_id, wcs, int(used[index]), rms, refusal, float(pull[index]))
    total = float(np.sqrt(np.mean((off[close] * scale[seen.frame[close]]) ** 2))) if close.any() else float("nan")
    return JointSolution(tuple(r for r in refined if r is not None), len(stars), int((anchored >= 0).sum()), total)


def _pulls(cameras: Cameras, seen: Sightings, stars: Floats, off: Floats, used: Indices) -> Floats:
    """Return the length of the mean miss of each held frame with enough stars, 0 for the others, shape (frames,)."""
    if len(off) == 0:
        return np.zeros(len(used))
    weight = _trust(off)
    miss, total = misses(cameras, seen, stars), np.maximum(np.bincount(seen.frame, weight, len(used)), 1e-9)
    mean = [np.bincount(seen.frame, weight * miss[:, k], len(used)) / total for k in range(2)]
    return np.where(cameras.held & (used >= _FEWEST), np.hypot(*mean), 0.0)


def _refusal(left_out: bool, used: int, median_px: float) -> Message | None:
    if left_out and not np.isfinite(median_px):
        return message("reason.joint_nothing_in_common")
    if left_out:
        return message("reason.joint_disagrees", median_px=round(median_px, 2))
    if used < _FEWEST:
        return message("reason.joint_few_stars", found=used, needed=_FEWEST)
    return None
