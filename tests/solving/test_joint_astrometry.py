from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from star_lists import SEESTAR, Sky, make_sky, observe, true_wcs, worst_offset_px

from zemosaic.model import FrameRef, MeasuredFrame, Solution, SolvedFrame, StarList
from zemosaic.solving.astrometry.joint import JointFrame, solve_jointly
from zemosaic.solving.astrometry.links import link_detections
from zemosaic.solving.astrometry.sessions import joint_frames
from zemosaic.solving.fit import fit_wcs
from zemosaic.wcs import Distortion, FrameWcs, unit_vectors

WIDTH, HEIGHT = (n * 2.39 / 3600.0 for n in SEESTAR)


def survey(
    catalogue, ra, dec, columns, rows, per_pointing, seed=0, cameras=1, flips=False, step=0.6
) -> tuple[list[JointFrame], list[FrameWcs]]:
    """Return frames of a mosaic, each with an affine solution of its own, and the truth."""
    rng = np.random.default_rng(seed)
    local = FrameWcs(ra, dec, 0, 0, ((1, 0), (0, 1)))
    sky = make_sky(catalogue, ra, dec, 0.5 * step * math.hypot(columns * WIDTH, rows * HEIGHT) + HEIGHT, seed, 100.0)
    vectors = unit_vectors(sky.ra, sky.dec)
    frames, truth = [], []
    for k in range(columns * rows * per_pointing):
        column, row = (k // per_pointing) % columns, k // per_pointing // columns
        there = local.pixel_to_sky(
            (column - (columns - 1) / 2) * WIDTH * step + rng.normal(0, 0.01),
            (row - (rows - 1) / 2) * HEIGHT * step + rng.normal(0, 0.01),
        )
        camera = k % cameras
        turn = rng.uniform(0, 20) + (180.0 if flips and k % 2 else 0.0)
        wcs = true_wcs(
            float(there[0]), float(there[1]), turn, camera == 1, 2.39 * (1 + 0.01 * camera), bend_px=1.5 - 2.5 * camera
        )
        near = vectors @ unit_vectors(*map(float, there)) > math.cos(math.radians(0.65 * math.hypot(WIDTH, HEIGHT)))
        x, y = observe(Sky(sky.ra[near], sky.dec[near], sky.mag[near]), wcs, noise_px=0.1, seed=1000 + k, lost=0.15)
        error = 0.1 * (1.0 + 2.0 * np.linspace(0.0, 1.0, len(x)))
        frames.append(JointFrame(k, f"camera {camera}", own_solution(wcs, x, y, rng), *SEESTAR, x, y, error))
        truth.append(wcs)
    return frames, truth


def own_solution(wcs: FrameWcs, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> FrameWcs:
    """Return the affine solution of the 30 brightest stars against a catalogue 0.25 arcsec off."""
    x, y = x[:30], y[:30]
    local = FrameWcs(wcs.ra_deg, wcs.dec_deg, 0, 0, ((1, 0), (0, 1)))
    xi, eta = local.sky_to_pixel(*wcs.pixel_to_sky(x, y))
    ra, dec = local.pixel_to_sky(*(np.array([xi, eta]) + rng.normal(0, 0.25 / 3600, (2, len(x)))))
    return fit_wcs(replace(wcs, distortion=None), x, y, ra, dec, None)


def offsets(frames, truth) -> np.ndarray:
    return np.array([worst_offset_px(f.wcs, t) for f, t in zip(frames, truth, strict=True)])


def overlap_error_px(frames, truth) -> float:
    """Return the rms of how two frames disagree on the place of the same sky, in pixels."""
    x, y = (a.ravel() for a in np.meshgrid(np.linspace(0, 1079, 9), np.linspace(0, 1919, 9)))
    off = []
    for a, ta in zip(frames[::5], truth[::5], strict=True):
        for b, tb in zip(frames[::5], truth[::5], strict=True):
            there = np.array(tb.sky_to_pixel(*ta.pixel_to_sky(x, y)))
            inside = (there > 0).all(axis=0) & (there[0] < 1079) & (there[1] < 1919)
            if a is b or inside.sum() < 5:
                continue
            told = np.array(b.wcs.sky_to_pixel(*a.wcs.pixel_to_sky(x[inside], y[inside])))
            off.append(np.linalg.norm(told - there[:, inside], axis=0))
    return float(np.sqrt(np.mean(np.concatenate(off) ** 2)))


@pytest.mark.parametrize(
    ("ra", "dec", "cameras", "flips"),
    [
        (314.0, 44.0, 1, False),
        (0.05, 10.0, 2, True),
        (20.0, 89.7, 1, False),
        (200.0, -89.9, 2, False),
        (83.0, 0.0, 1, True),
    ],
)
def test_all_frames_come_within_half_a_pixel(tycho, ra, dec, cameras, flips):
    frames, truth = survey(tycho, ra, dec, 3, 2, 8, cameras=cameras, flips=flips)
    solution = solve_jointly(frames, tycho)
    assert [f.frame_id for f in solution.frames] == [f.frame_id for f in frames]
    assert all(f.disagreement is None for f in solution.frames)
    after = offsets(solution.frames, truth)
    assert after.max() < 0.5
    assert np.median(after) < 0.3 * np.median(offsets(frames, truth))
    assert overlap_error_px(solution.frames, truth) < 0.1
    assert solution.n_reference_stars > 20


def test_of_many_frames_the_brightest_stars_are_enough(tycho, monkeypatch):
    frames, truth = survey(tycho, 314.0, 44.0, 3, 2, 8)
    most = max(len(f.x_px) for f in frames)
    monkeypatch.setattr("zemosaic.solving.astrometry.joint._MAX_DETECTIONS", 1000)
    solution = solve_jointly(frames, tycho)
    assert most > max(f.n_stars for f in solution.frames)
    assert max(f.n_stars for f in solution.frames) <= 40
    assert overlap_error_px(solution.frames, truth) < 0.15


def test_order_does_not_matter(tycho):
    frames, _ = survey(tycho, 100.0, 30.0, 2, 1, 6, cameras=2)
    forward, backward = solve_jointly(frames, tycho), solve_jointly(frames[::-1], tycho)
    assert [f.frame_id for f in backward.frames] == [f.frame_id for f in frames[::-1]]
    for a, b in zip(forward.frames, backward.frames[::-1], strict=True):
        assert worst_offset_px(a.wcs, b.wcs) < 0.05
    assert solve_jointly(frames, tycho) == forward


def test_fields_that_do_not_touch(tycho):
    here, truth_here = survey(tycho, 100.0, 30.0, 2, 1, 5)
    there, truth_there = survey(tycho, 280.0, -50.0, 2, 1, 5, seed=1)
    there = [replace(f, frame_id=f.frame_id + 100) for f in there]
    solution = solve_jointly(here + there, tycho)
    assert offsets(solution.frames, truth_here + truth_there).max() < 0.6


def test_frames_that_disagree_are_told_and_harm_nobody(tycho):
    frames, truth = survey(tycho, 314.0, 44.0, 3, 1, 8, seed=4)
    rng = np.random.default_rng(1)
    frames[5] = replace(frames[5], wcs=frames[5].wcs.shifted(12.0, -20.0))
    frames[9] = replace(
        frames[9], x_px=rng.uniform(0, 1080, 60), y_px=rng.uniform(0, 1920, 60), error_px=np.full(60, 0.1)
    )
    solution = solve_jointly(frames, tycho)
    assert [f.frame_id for f in solution.frames if f.disagreement] == [5, 9]
    assert solution.frames[5].wcs == frames[5].wcs
    sound = [k for k in range(len(frames)) if k not in (5, 9)]
    assert offsets([solution.frames[k] for k in sound], [truth[k] for k in sound]).max() < 0.5


def test_a_single_frame_and_none(tycho):
    frames, truth = survey(tycho, 305.0, 38.0, 1, 1, 1)
    solution = solve_jointly(frames, tycho)
    assert solution.frames[0].disagreement is None
    assert worst_offset_px(solution.frames[0].wcs, truth[0]) < 1.5
    assert solve_jointly([], tycho).frames == ()
    empty = replace(frames[0], x_px=np.empty(0), y_px=np.empty(0), error_px=np.empty(0))
    told = solve_jointly([empty], tycho).frames[0]
    assert told.wcs == empty.wcs
    assert told.disagreement is not None
    assert told.disagreement.key == "reason.joint_few_stars"


def test_links_gather_sightings_and_drop_doubles():
    rng = np.random.default_rng(3)
    stars = unit_vectors(np.append(rng.uniform(-1, 1, 200), 0.0), np.append(rng.uniform(-1, 1, 200), 90.0))
    frame = np.repeat(np.arange(12), len(stars))
    seen = np.tile(stars, (12, 1)) + rng.normal(0, 1e-6, (12 * len(stars), 3))
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    star = link_detections(seen, frame, rng.random(len(seen)), 1e-5)
    by_star = star.reshape(12, -1)
    kept = np.where(by_star < 0, -1, by_star)
    assert (kept == kept[0]).mean() > 0.97
    pairs = star[star >= 0] * 100 + frame[star >= 0]
    assert len(np.unique(pairs)) == len(pairs)


@pytest.mark.slow
def test_cost_grows_with_the_number_of_frames_only(tycho):
    import time

    seconds = []
    for rows in (3, 6):
        frames, _ = survey(tycho, 314.0, 44.0, 6, rows, 10)
        started = time.process_time()
        solve_jointly(frames, tycho)
        seconds.append(time.process_time() - started)
    assert seconds[1] < 4.0 * seconds[0]


@pytest.mark.parametrize("apart_px", [0.0, 1.5])
def test_sessions_may_bend_differently(tycho, apart_px):
    """Told apart, sessions that bend differently come right; told apart for nothing, nobody suffers."""
    frames, truth = survey(tycho, 314.0, 44.0, 3, 1, 10, seed=2)
    half = 0.5 * math.hypot(*SEESTAR)
    for k in range(1, len(frames), 2):
        bend = truth[k].distortion
        extra = (apart_px / half**2, 0.0, -apart_px / half**2, *bend.a[3:])
        wcs = replace(truth[k], distortion=Distortion(extra, bend.b))
        x, y = wcs.sky_to_pixel(*truth[k].pixel_to_sky(frames[k].x_px, frames[k].y_px))
        frames[k], truth[k] = replace(frames[k], x_px=x, y_px=y, session=1), wcs
    told, untold = (
        solve_jointly(some, tycho).frames for some in (frames, [replace(frame, session=0) for frame in frames])
    )
    assert offsets(told, truth).max() < 0.5
    assert overlap_error_px(told, truth) < 0.1
    if apart_px:
        assert overlap_error_px(told, truth) < 0.5 * overlap_error_px(untold, truth)
    else:
        assert overlap_error_px(told, truth) < 1.2 * overlap_error_px(untold, truth)


def solved_frame(**changes: object) -> SolvedFrame:
    """Return a frame of the Seestar with four stars, the brightest cut off."""
    frame = FrameRef(
        7, "a.fit", 1, 1, 0, 1080, 1920, 1, None, "GRBG", False, 10.0, None, "Seestar S50", "", "", "", None, None, 1,
        None, None, None, None,
    )  # fmt: skip
    count = 4
    stars = StarList(
        np.arange(4.0),
        np.arange(4.0) * 2,
        np.outer([400.0, 100.0, 40.0, 10.0], [1.0, 1.0, 1.0]).astype(np.float32),
        np.full((count, 3), 4.0, np.float32),
        np.array([3.0, 3.0, np.nan, 3.0], np.float32),
        np.array([True, False, False, False]),
    )
    measured = MeasuredFrame(replace(frame, **changes), stars, (0.0,), (1.0,), 3.0, 0.1, 0.0)
    return SolvedFrame(measured, Solution(true_wcs(10.0, 20.0), "embedded", 20, 0.3))


def test_the_part_of_a_solved_frame():
    solved = solved_frame()
    (part,) = joint_frames([solved])
    assert part.frame_id == 7
    np.testing.assert_array_equal(part.x_px, [1.0, 2.0, 3.0])
    assert np.isfinite(part.error_px).all()
    assert (np.diff(part.error_px) > 0).all()
    wider = replace(solved, solution=replace(solved.solution, wcs=true_wcs(10, 20, scale_arcsec=1.2)))
    assert joint_frames([wider])[0].optics != part.optics


def test_sessions_are_told_by_long_pauses():
    evening = [f"2025-08-12T21:{k:02d}:00" for k in range(8)] + ["2025-08-13T02:00:00"]
    next_night = [f"2025-08-13T22:{k:02d}:00" for k in range(9)]
    stragglers = ["2025-08-20T22:00:00", None, "2025-08-01T22:00:00"]
    started = [*next_night, *stragglers, *evening]
    frames = [solved_frame(frame_id=k, date_obs=text) for k, text in enumerate(started)]
    wanted = [1] * 9 + [1, 0, 0] + [0] * 9
    assert [part.session for part in joint_frames(frames)] == wanted
    other = [solved_frame(frame_id=21 + k, date_obs=text, telescope="S30") for k, text in enumerate(next_night)]
    parts = joint_frames([*frames, *other])
    assert [part.session for part in parts[:21]] == wanted
    assert {part.session for part in parts[21:]} == {0}, "each telescope has sessions of its own"
    assert [part.frame_id for part in parts] == list(range(30))


def test_held_frames_stay_and_new_ones_join_them(tycho):
    frames, truth = survey(tycho, 314.0, 44.0, 3, 2, 8)
    night = [k for k in range(len(frames)) if k % 24 < 16]
    first = {frame.frame_id: frame.wcs for frame in solve_jointly([frames[k] for k in night], tycho).frames}
    both = [replace(f, wcs=first.get(f.frame_id, f.wcs), fixed=f.frame_id in first) for f in frames]
    solution = solve_jointly(both, tycho)
    for refined in solution.frames:
        if refined.frame_id in first:
            assert worst_offset_px(refined.wcs, first[refined.frame_id]) < 1e-5
            assert refined.mean_residual_px < 0.05
    assert overlap_error_px(solution.frames, truth) < 0.1
    wrong = both[night[3]]
    moved = replace(wrong, wcs=replace(wrong.wcs, dec_deg=wrong.wcs.dec_deg + 1.5 / 3600.0))
    pulls = [
        frame.mean_residual_px for frame in solve_jointly([moved if f is wrong else f for f in both], tycho).frames
    ]
    assert pulls[night[3]] > 0.2 and int(np.argmax(pulls)) == night[3]
