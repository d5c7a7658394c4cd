"""Half-hidden frames: the hidden part is found, its border is sharp, and good frames are left alone."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from frames_of_sky import frame_of, measured_of

from zemosaic.calibration.background_cells import CellSamples
from zemosaic.calibration.obstructions import blocks_at, clear_cells, clear_transparency, obstructed_blocks
from zemosaic.calibration.photometry import Photometry
from zemosaic.model import (
    OBSTRUCTION_BLOCK_PX,
    MeasuredFrame,
    Solution,
    SolvedFrame,
    StarList,
    Trail,
    detector_coordinates,
)
from zemosaic.wcs import FrameWcs

WIDTH, HEIGHT, N = 1280, 832, 120
FRAME = frame_of(WIDTH, HEIGHT)
SCALE = 2.4 / 3600
WCS = FrameWcs(10.0, 40.0, WIDTH / 2, HEIGHT / 2, ((-SCALE, 0.0), (0.0, SCALE)))


def covered(x: np.ndarray, y: np.ndarray, part: float, soft: float = 25.0) -> np.ndarray:
    """Return how much is hidden, 0 to 1: all to the right of `part` of the width."""
    return 1 / (1 + np.exp(-(x - part * WIDTH) / soft))


def one_frame(
    seed: int, part: float | None, sky_change: float = 0.9, dimmed: float = 0.92
) -> tuple[SolvedFrame, np.ndarray, CellSamples]:
    rng = np.random.default_rng(seed)
    x, y = np.random.default_rng(1).uniform((20, 20), (WIDTH - 20, HEIGHT - 20), (N, 2)).T
    flux = 10 ** np.random.default_rng(2).uniform(4.0, 5.0, N)
    hide = covered(x, y, part) if part is not None else np.zeros(N)
    light = flux * (1 - dimmed * hide) + rng.normal(0, 300, N)
    seen = np.flatnonzero(light > 1800)
    measured: MeasuredFrame = measured_of(
        FRAME,
        x[seen],
        y[seen],
        light[seen, None].repeat(3, 1),
        np.full((len(seen), 3), 300.0),
        sky=(1000.0,) * 3,
        noise=(10.0,) * 3,
    )
    row, column = (a.ravel() for a in np.mgrid[0 : HEIGHT // 64, 0 : WIDTH // 64])
    cx, cy = column * 64 + 31.5, row * 64 + 31.5
    u, v = detector_coordinates(cx, cy, WIDTH, HEIGHT)
    sky = (200 + 20 * u) * (1 + (sky_change * covered(cx, cy, part) if part is not None else 0.0)) + 800
    mean = sky[:, None] + 30 * np.sin(column / 3.0)[:, None] + rng.normal(0, 0.4, (len(u), 3))
    count = np.full(len(u), 1000, np.int32)
    cells = CellSamples(row.astype(np.int32), column.astype(np.int32), mean, count, u, v, (10.0,) * 3)
    return SolvedFrame(measured, Solution(WCS, "header", 50, 0.1)), seen, cells


def found(parts: list[float | None], sky_change: float = 0.9, dimmed: float = 0.92) -> list[tuple[int, ...]]:
    return found_in([one_frame(10 + k, part, sky_change, dimmed) for k, part in enumerate(parts)])


def found_in(frames: list[tuple[SolvedFrame, np.ndarray, CellSamples]]) -> list[tuple[int, ...]]:
    x, y = np.random.default_rng(1).uniform((20, 20), (WIDTH - 20, HEIGHT - 20), (N, 2)).T
    flux = 10 ** np.random.default_rng(2).uniform(4.0, 5.0, N)
    n = len(frames)
    photometry = Photometry(
        np.ones((n, 3)),
        np.full((n, 3), 0.01),
        np.zeros(1),
        np.zeros(1),
        np.full(n, N),
        flux[:, None].repeat(3, 1),
        np.zeros(n),
        np.zeros(1),
    )
    return obstructed_blocks(
        [f[0] for f in frames],
        [f[1] for f in frames],
        WCS.pixel_to_sky(x, y),
        photometry,
        np.zeros(n, int),
        [f[2] for f in frames],
    )


def hidden_part(blocks: tuple[int, ...]) -> tuple[float, float]:
    """Return the parts of the open and of the hidden side (beyond 3 and within 1 widths of the border) left out."""
    x, y = np.meshgrid(np.arange(0, WIDTH, 8.0), np.arange(0, HEIGHT, 8.0))
    out = np.isin(blocks_at(FRAME, x.ravel(), y.ravel()), blocks).reshape(x.shape)
    return float(out[x < 0.6 * WIDTH - 4.5 * OBSTRUCTION_BLOCK_PX].mean()), float(out[x > 0.6 * WIDTH - 75].mean())


@pytest.mark.parametrize("sky_change", [0.9, -0.7, 0.0])
def test_the_hidden_part_is_left_out_and_no_more(sky_change):
    blocks = found([None, 0.6, None, None, None], sky_change)
    lost, out = hidden_part(blocks[1])
    assert lost < 0.05
    assert out > (0.999 if sky_change else 0.9)
    assert [bool(block) for block in blocks] == [False, True, False, False, False]


def test_a_step_of_the_sky_alone_hides_nothing():
    assert found([None, 0.6, None, None], dimmed=0.0) == [()] * 4


def test_good_frames_stay_whole():
    assert found([None] * 6) == [()] * 6


def test_cells_and_blocks_agree():
    _, _, cells = one_frame(0, None)
    blocks = blocks_at(FRAME, np.array([0.0, 63.4, 63.6, WIDTH - 1.0]), np.array([0.0, 0.0, 64.0, HEIGHT - 1.0]))
    assert blocks.tolist() == [0, 0, 21, 259]
    left = clear_cells(cells, FRAME, (0, 1))
    assert len(left.row) == len(cells.row) - 2 and (left.row[:2] == 0).all() and left.column[0] == 2
    assert clear_cells(cells, FRAME, ()) is cells


def test_a_frame_behind_a_roof_is_judged_by_its_open_part_and_one_behind_a_cloud_as_it_is():
    flux = 10 ** np.random.default_rng(2).uniform(4.0, 5.0, N)
    frames = [one_frame(20 + k, part) for k, part in enumerate((None, 0.35, None))]
    clouded, seen, _ = frames[2]
    stars = clouded.measured.stars
    dim = replace(stars, flux_adu=0.3 * stars.flux_adu, flux_error_adu=0.5 * stars.flux_error_adu)
    frames[2] = (replace(clouded, measured=replace(clouded.measured, stars=dim)), seen, frames[2][2])
    zero_points = np.array([1.0, 0.4, 0.3])
    photometry = Photometry(
        zero_points[:, None].repeat(3, 1),
        np.full((3, 3), 0.01),
        np.zeros(1),
        np.zeros(1),
        np.full(3, N),
        flux[:, None].repeat(3, 1),
        np.zeros(3),
        np.zeros(1),
    )
    passed = clear_transparency([f[0] for f in frames], [f[1] for f in frames], photometry, np.zeros(3, int))
    assert passed[0] == 1.0
    assert passed[1] == pytest.approx(1.0, abs=0.08)
    assert passed[2] == 0.3


def without(frame: tuple[SolvedFrame, np.ndarray, CellSamples], lost: np.ndarray, trails: tuple[Trail, ...] = ()):
    """Return a frame in which some of the stars were not found."""
    solved, seen, cells = frame
    stars = solved.measured.stars
    left = StarList(*(getattr(stars, item.name)[~lost] for item in fields(stars)))
    return replace(solved, measured=replace(solved.measured, stars=left, trails=trails)), seen[~lost], cells


def test_a_few_stars_missed_side_by_side_hide_nothing():
    frames = [one_frame(30 + k, None) for k in range(4)]
    stars = frames[1][0].measured.stars
    lost = np.argsort(np.hypot(stars.x_px - 600, stars.y_px - 400)).argsort() < 10
    frames[1] = without(frames[1], lost)
    assert found_in(frames) == [()] * 4


def test_stars_under_a_trail_are_not_hidden():
    frames = [one_frame(40 + k, None) for k in range(4)]
    trail = Trail(640.0, 400.0, 10.0, 1300.0, 30.0, 500.0)
    stars = frames[2][0].measured.stars
    lost = trail.reaches(stars.x_px, stars.y_px)
    assert lost.mean() > 0.1
    frames[2] = without(frames[2], lost, (trail,))
    assert found_in(frames) == [()] * 4


def test_stars_missing_here_and_there_hide_nothing():
    frames = [one_frame(50 + k, None) for k in range(4)]
    lost = np.random.default_rng(8).random(len(frames[1][0].measured.stars)) < 0.25
    frames[1] = without(frames[1], lost)
    assert found_in(frames) == [()] * 4
