"""A frame's own trails stay out of the mosaic where another frame shows that sky."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from mosaic_frames import calibrated_of, solved_of, wcs_of

from zemosaic.coadd.trail_mask import trailed_pixels
from zemosaic.model import CalibratedFrame, Trail
from zemosaic.resampling.warp import frame_lattice

SIZE = (400, 300)
CANVAS = wcs_of(80.0, 10.0, size=SIZE)
BOX = (0, 300, 0, 400)


def frame(number: int, trail: Trail | None, shift_deg: float = 0.0) -> CalibratedFrame:
    solved = solved_of(wcs_of(80.0 + shift_deg, 10.0, 12.0, size=SIZE), number, SIZE)
    if trail is not None:
        solved = replace(solved, measured=replace(solved.measured, trails=(trail,)))
    return calibrated_of(solved)


TRAIL = Trail(200.0, 150.0, 35.0, 300.0, 3.0, 90.0)


def mask(number: int, frames: list[CalibratedFrame]) -> np.ndarray | None:
    return trailed_pixels(number, frames, CANVAS, frame_lattice(CANVAS, frames[number].wcs, BOX), BOX)


def test_two_of_three_frames_on_one_track_are_masked():
    frames = [frame(0, TRAIL), frame(1, TRAIL), frame(2, None)]
    for number in (0, 1):
        hit = mask(number, frames)
        assert hit is not None
        row, column = np.nonzero(hit)
        x, y = frames[number].wcs.sky_to_pixel(*CANVAS.pixel_to_sky(column.astype(float), row.astype(float)))
        across = np.abs((x - 200.0) * np.sin(np.radians(35.0)) - (y - 150.0) * np.cos(np.radians(35.0)))
        assert across.max() < 12.1 and len(row) > 5000
    assert mask(2, frames) is None


def test_where_every_frame_is_crossed_the_light_stays():
    frames = [frame(0, TRAIL), frame(1, TRAIL)]
    assert mask(0, frames) is None


def test_beyond_the_others_the_light_stays():
    frames = [frame(0, TRAIL), frame(1, None, shift_deg=0.12)]
    hit = mask(0, frames)
    whole = mask(0, [frame(0, TRAIL), frame(1, None)])
    assert hit is not None and whole is not None and 0 < hit.sum() < 0.8 * whole.sum()


def test_a_tile_is_looked_at_wherever_a_trail_touches_it():
    frames = [frame(0, TRAIL), frame(1, None)]
    whole = mask(0, frames)
    assert whole is not None
    for y0 in range(0, 300, 20):
        for x0 in range(0, 400, 20):
            box = (y0, y0 + 20, x0, x0 + 20)
            part = trailed_pixels(0, frames, CANVAS, frame_lattice(CANVAS, frames[0].wcs, box), box)
            seen = whole[y0 : y0 + 20, x0 : x0 + 20]
            assert seen.any() == (part is not None)
            assert part is None or np.array_equal(part, seen)
