"""The canvas holds all frames, the tiles divide it, and no tile forgets a frame."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mosaic_frames import calibrated_of, solved_of, wcs_of

from zemosaic.model import CalibratedFrame, SolvedFrame
from zemosaic.mosaic.canvas import Canvas, canvas_shift, connected_fields, extended_canvas, make_canvas, make_plan
from zemosaic.resampling.warp import BORDER, LATTICE, frame_lattice
from zemosaic.wcs import FrameWcs, from_tangent_plane, separation_deg

SMALL = (180, 320)


def survey(
    ra: float, dec: float, turn: float = 0.0, mirrored: bool = False, n: int = 3, size: tuple[int, int] = SMALL
) -> list[SolvedFrame]:
    """Return n x n overlapping frames round a direction, each turned a little more."""
    step = 0.7 * min(size) * 2.39 / 3600.0
    frames = []
    for k in range(n * n):
        xi, eta = (k % n - n // 2) * step, (k // n - n // 2) * step * 1.3
        centre = from_tangent_plane(xi, eta, ra, dec)
        wcs = wcs_of(*(float(v) for v in centre), turn + 3.0 * k, size=size, mirrored=mirrored, bend_px=0.4)
        frames.append(solved_of(wcs, k, size))
    return frames


def edge(frame: SolvedFrame, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return many directions along the edge of a frame's pixel centres."""
    s, zero, one = np.linspace(0, 1, n), np.zeros(n), np.ones(n)
    x = np.concatenate([s, one, s, zero]) * (frame.frame.width - 1)
    y = np.concatenate([zero, s, one, s]) * (frame.frame.height - 1)
    return frame.wcs.pixel_to_sky(x, y)


@pytest.mark.parametrize("orientation", ["north_up", "median_pc"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(
    ("ra", "dec", "turn"), [(314.0, 44.0, 0.0), (0.02, -10.0, 70.0), (33.0, 90.0, 10.0), (5, -89.8, 0)]
)
def test_the_canvas_holds_every_frame_and_no_more(ra, dec, turn, mirrored, orientation):
    frames = survey(ra, dec, turn, mirrored)
    canvas = make_canvas(frames, orientation, "median")
    outlines = [canvas.wcs.sky_to_pixel(*edge(frame)) for frame in frames]
    x, y = (np.concatenate(column) for column in zip(*outlines, strict=True))
    assert x.min() >= -0.5 and x.max() <= canvas.width - 0.5
    assert y.min() >= -0.5 and y.max() <= canvas.height - 0.5
    assert x.min() < 4 and y.min() < 4 and x.max() > canvas.width - 6 and y.max() > canvas.height - 6
    assert canvas.wcs.scale_arcsec == pytest.approx(2.39)
    assert not canvas.wcs.mirrored


def test_scale_of_the_canvas():
    frames = [solved_of(wcs_of(10, 10, scale_deg=s / 3600), k) for k, s in enumerate((2.0, 2.4, 3.9))]
    for mode, scale in (("min", 2.0), ("median", 2.4), ("max", 3.9)):
        assert make_canvas(frames, "north_up", mode).wcs.scale_arcsec == pytest.approx(scale)


def test_of_two_telescopes_with_as_many_frames_the_finer_counts():
    frames = [solved_of(wcs_of(10, 10, scale_deg=s / 3600), k) for k, s in enumerate((2.39, 3.99, 3.99, 2.39))]
    assert make_canvas(frames, "north_up", "median").wcs.scale_arcsec == pytest.approx(2.39)


@pytest.mark.parametrize("turn", [0.0, 37.0, -61.0, 85.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_median_orientation_follows_the_frames(turn, mirrored):
    turns = [turn - 5, turn + 185, turn]  # one frame upside down, as after a meridian flip
    frames = [solved_of(wcs_of(120.0, 33.0, t, mirrored=mirrored), k) for k, t in enumerate(turns)]
    wcs = make_canvas(frames, "median_pc", "median").wcs
    assert math.remainder(wcs.rotation_deg - turn, 180.0) == pytest.approx(0.0, abs=0.3)
    assert make_canvas(frames, "north_up", "median").wcs.rotation_deg == pytest.approx(0.0, abs=1e-9)


def calibrated(frames: list[SolvedFrame]) -> list[CalibratedFrame]:
    return [calibrated_of(frame) for frame in frames]


def reaching(canvas: FrameWcs, frame: SolvedFrame, box: tuple[int, int, int, int]) -> bool:
    """Whether any pixel of a box draws on a frame, pixel by pixel."""
    y, x = np.mgrid[box[0] : box[1], box[2] : box[3]]
    fx, fy = frame.wcs.sky_to_pixel(*canvas.pixel_to_sky(x, y))
    width, height = frame.frame.width, frame.frame.height
    low = BORDER + 0.02
    return bool(((fx > low) & (fx < width - 1 - low) & (fy > low) & (fy < height - 1 - low)).any())


@given(
    centre=st.tuples(st.floats(0, 360), st.sampled_from([0.0, 60.0, 89.9, -90.0])),
    turn=st.floats(0, 360),
    mirrored=st.booleans(),
    tile=st.sampled_from([128, 150, 400]),
    overlap=st.sampled_from([0, 16]),
    size=st.sampled_from([SMALL, (40, 400), (60, 50)]),
)
@settings(max_examples=12)
def test_every_tile_lists_every_frame_that_reaches_it(centre, turn, mirrored, tile, overlap, size):
    frames = survey(*centre, turn, mirrored, 2, size)
    canvas = make_canvas(frames, "north_up", "median")
    plan = make_plan(canvas, calibrated(frames), 3, tile, overlap)
    owner = np.full((canvas.height, canvas.width), -1)
    for tile_spec in plan.tiles:
        y0, y1, x0, x1 = tile_spec.inner
        assert (owner[y0:y1, x0:x1] == -1).all(), "tiles do not overlap in their inner boxes"
        owner[y0:y1, x0:x1] = tile_spec.tile_id
        expected = (
            max(0, y0 - overlap),
            min(canvas.height, y1 + overlap),
            max(0, x0 - overlap),
            min(canvas.width, x1 + overlap),
        )
        assert tile_spec.outer == expected
        members = {frame.frame.frame_id for frame in frames if reaching(canvas.wcs, frame, tile_spec.outer)}
        assert members <= set(tile_spec.frame_ids)
        assert list(tile_spec.frame_ids) == sorted(tile_spec.frame_ids)
    assert [spec.tile_id for spec in plan.tiles] == list(range(len(plan.tiles)))
    y, x = np.mgrid[: canvas.height, : canvas.width]
    ra, dec = canvas.wcs.pixel_to_sky(x, y)
    for frame in frames:
        fx, fy = frame.wcs.sky_to_pixel(ra, dec)
        covered = (fx > BORDER) & (fx < size[0] - 1 - BORDER) & (fy > BORDER) & (fy < size[1] - 1 - BORDER)
        assert (owner[covered] >= 0).all(), "covered sky outside all tiles"


def test_empty_corners_get_no_tile():
    frames = [solved_of(wcs_of(10.0, 0.0, size=SMALL), 0, SMALL), solved_of(wcs_of(10.5, 0.5, size=SMALL), 1, SMALL)]
    canvas = make_canvas(frames, "north_up", "median")
    plan = make_plan(canvas, calibrated(frames), 3, 128, 16)
    cells = math.ceil(canvas.width / 128) * math.ceil(canvas.height / 128)
    assert 0 < len(plan.tiles) < 0.6 * cells
    assert all(spec.frame_ids for spec in plan.tiles)


def test_a_large_canvas_is_not_scanned_in_vain():
    frame = solved_of(wcs_of(10.0, 0.0, size=SMALL), 0, SMALL)
    canvas = Canvas(frame.wcs.shifted(-2050.0, -2050.0), 4000, 4000)
    plan = make_plan(canvas, calibrated([frame]), 3, 500, 16)
    assert len(plan.tiles) == 1 and plan.tiles[0].inner == (2000, 2500, 2000, 2500)


def test_fields_hang_together_by_overlaps():
    near = survey(0.0, 89.5, n=2)
    there = [
        solved_of(wcs_of(200.0, 0.0, size=SMALL), 10, SMALL),
        solved_of(wcs_of(359.99, 40.0, size=SMALL), 11, SMALL),
    ]
    across = solved_of(wcs_of(0.01, 40.0, size=SMALL), 12, SMALL)
    assert connected_fields([*there, *near, across]) == [[2, 3, 4, 5], [1, 6], [0]]
    assert connected_fields(near[:1]) == [[0]]
    assert float(separation_deg(359.99, 40.0, 0.01, 40.0)) < 0.02


def test_a_number_for_the_scale_overrides_the_frames():
    frames = survey(314.0, 44.0)
    coarse = make_canvas(frames, "north_up", "min", scale_arcsec=4.78)
    assert coarse.wcs.scale_arcsec == pytest.approx(4.78)
    assert coarse.width == pytest.approx(make_canvas(frames, "north_up", "min").width / 2, abs=4)


@pytest.mark.parametrize("pole", [0.0, 88.0])
def test_wide_fields_leave_the_tangent_plane(pole):
    def strip(degrees: float) -> list[SolvedFrame]:
        centres = [from_tangent_plane(s, 0.0, 40.0, pole) for s in np.linspace(-degrees / 2, degrees / 2, 5)]
        return [solved_of(wcs_of(float(ra), float(dec), size=SMALL), k, SMALL) for k, (ra, dec) in enumerate(centres)]

    assert make_canvas(strip(13.0), "north_up", "median").wcs.projection == "TAN"
    for orientation in ("north_up", "median_pc"):
        canvas = make_canvas(strip(17.0), orientation, "median")
        assert canvas.wcs.projection == "ZEA"
        for frame in strip(17.0):
            x, y = canvas.wcs.sky_to_pixel(*edge(frame))
            assert x.min() >= -0.5 and x.max() <= canvas.width - 0.5
            assert y.min() >= -0.5 and y.max() <= canvas.height - 0.5
    assert make_canvas(strip(17.0), "north_up", "median", projection="STG").wcs.projection == "STG"
    assert make_canvas(strip(17.0), "north_up", "median", projection="TAN").wcs.projection == "TAN"


@pytest.mark.parametrize("projection", ["TAN", "ZEA", "STG"])
def test_the_lattice_is_fine_enough_at_the_border_of_wide_fields(projection):
    canvas = FrameWcs(10.0, 60.0, 0.0, 0.0, ((-2.39 / 3600, 0.0), (0.0, 2.39 / 3600)), projection=projection)
    ra, dec = from_tangent_plane(12.0, 9.0, 10.0, 60.0)
    frame = wcs_of(float(ra), float(dec), 30.0, size=SMALL)
    x0, y0 = (int(v) for v in canvas.sky_to_pixel(ra, dec))
    lattice = frame_lattice(canvas, frame, (y0, y0 + LATTICE, x0, x0 + LATTICE))
    middle_row, middle_column = lattice.row0 + LATTICE // 2, lattice.column0 + LATTICE // 2
    exact = frame.sky_to_pixel(*canvas.pixel_to_sky(middle_column, middle_row))
    assert math.hypot(exact[0] - lattice.x[:2, :2].mean(), exact[1] - lattice.y[:2, :2].mean()) < 0.005


@settings(max_examples=25, deadline=None)
@given(
    st.floats(0, 360),
    st.floats(-80, 80),
    st.tuples(st.floats(-0.4, 0.4), st.floats(-0.4, 0.4)),
    st.integers(64, 300),
    st.integers(0, 20),
)
def test_a_canvas_that_grows_keeps_its_pixels_and_its_tiles(ra, dec, beside, tile, overlap):
    first = survey(ra, dec)
    there = from_tangent_plane(*beside, ra, dec)
    more = [*first, solved_of(wcs_of(*(float(v) for v in there), size=SMALL), 99, SMALL)]
    before = make_canvas(first, "north_up", "median")
    canvas = extended_canvas(before, more)
    down, right = canvas_shift(canvas, before)
    assert 0 <= down <= canvas.height - before.height and 0 <= right <= canvas.width - before.width
    x, y = before.wcs.sky_to_pixel(*edge(more[-1]))
    assert x.min() + right >= -0.5 and x.max() + right <= canvas.width - 0.5
    assert y.min() + down >= -0.5 and y.max() + down <= canvas.height - 0.5
    ra_deg, dec_deg = before.wcs.pixel_to_sky(10.25, 20.5)
    np.testing.assert_allclose(canvas.wcs.sky_to_pixel(ra_deg, dec_deg), (10.25 + right, 20.5 + down), atol=1e-6)
    old = make_plan(before, calibrated(first), 3, tile, overlap)
    new = make_plan(canvas, calibrated(more), 3, tile, overlap, (old.origin[0] + down, old.origin[1] + right))
    counted = np.zeros((canvas.height, canvas.width), np.uint8)
    for each_tile in new.tiles:
        counted[each_tile.inner[0] : each_tile.inner[1], each_tile.inner[2] : each_tile.inner[3]] += 1
    assert counted.max() == 1
    for each_tile in old.tiles:
        y0, y1, x0, x1 = (side + shift for side, shift in zip(each_tile.inner, (down, down, right, right), strict=True))
        holder = next(t for t in new.tiles if t.inner[0] <= y0 < t.inner[1] and t.inner[2] <= x0 < t.inner[3])
        assert holder.inner[1] >= y1 and holder.inner[3] >= x1, "tiles keep their place, those at the edge may grow"
        assert set(each_tile.frame_ids) <= set(holder.frame_ids)


def test_another_plane_is_no_grown_canvas():
    before, other = (make_canvas(survey(ra, 10.0), "north_up", "median") for ra in (10.0, 10.1))
    assert canvas_shift(other, before) is None
    assert canvas_shift(before.cut((0, 50, 7, 90)), before) == (0, -7)
