"""A drizzled tile: the same in memory, in passes and from disk; trails go; holes are filled; stars stay sharp."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from mosaic_frames import SCALE_DEG, calibrated_of, solved_of, wcs_of
from scipy.ndimage import map_coordinates
from test_tiles import CANVAS, NOISE, SIZE, run, same, stacker_of, survey

from zemosaic.coadd import tile_samples
from zemosaic.coadd.tile_drizzle import DROP_REACH_PX, Drops, drizzled
from zemosaic.model import TileSpec
from zemosaic.resampling.drizzle import DropKernel, DropRules
from zemosaic.stacking.memory_modes import MemoryMode, MemoryRules
from zemosaic.stacking.rules import Rejection, StackRules
from zemosaic.store.canvas_store import TilePixels
from zemosaic.wcs import FrameWcs

FINE = FrameWcs(50.0, 30.0, 200.5, 200.5, ((-SCALE_DEG / 2, 0.0), (0.0, SCALE_DEG / 2)))
MIDDLE = (150, 250, 150, 250)


def level(pixels) -> np.ndarray:
    """Return the difference from the frames' level, in the middle of the tile."""
    return pixels.value[:, 30:100, 30:100] - 1000.0


def test_passes_and_disk_are_exact(monkeypatch, tmp_path):
    task = survey(12, monkeypatch, tmp_path, drops=DropRules(0.9), radial_fraction=0.5)
    whole, answer = run(task)
    assert answer.product.mode == MemoryMode.EXACT
    for changes, mode in (
        ({"task_bytes": 3 << 20}, MemoryMode.PASSES),
        ({"memory": MemoryRules(disk="always"), "task_bytes": 2 << 20}, MemoryMode.DISK),
    ):
        other, answer = run(replace(task, **changes))
        assert answer.product.mode == mode
        assert same(whole, other)
    assert list(tmp_path.iterdir()) == []


def test_a_part_of_a_tile_is_the_same_away_from_its_edges(monkeypatch, tmp_path):
    task = survey(12, monkeypatch, tmp_path, drops=DropRules(0.9))
    whole, _ = run(task)
    (top, _, left, _), reach = task.tile.outer, DROP_REACH_PX
    box = (top + 40, top + 80, left + 30, left + 75)
    part = stacker_of(task)
    samples, present = part.samples.of_frames(box, range(12))
    limits = np.array(part.limits(samples, present, box)).reshape(2, 3, 40, 45)
    result = part.stacked(samples, present, box)
    flat = (result.weight, result.kept, result.rejected)
    stacked = TilePixels(result.value.reshape(3, 40, 45), *(each.reshape(40, 45) for each in flat))
    value, _ = drizzled(part.samples, box, limits, stacked)
    inside = np.s_[:, reach:-reach, reach:-reach]
    assert np.array_equal(value[inside], whole.value[:, 40:80, 30:75][inside])
    assert not np.array_equal(value[inside], stacked.value[inside])


def test_streaming_is_close(monkeypatch, tmp_path):
    task = survey(60, monkeypatch, tmp_path, drops=DropRules())
    exact, _ = run(task)
    rules = MemoryRules(max_frames=40, min_frames=40)
    streamed, answer = run(replace(task, memory=rules, task_bytes=4 << 20))
    assert answer.product.mode == MemoryMode.STREAMING
    assert np.sqrt(np.mean((level(streamed) - level(exact)) ** 2)) < 0.2 * NOISE / np.sqrt(60 / 4)


@pytest.mark.parametrize("kernel", list(DropKernel))
def test_trails_are_thrown_out_and_noise_falls(monkeypatch, tmp_path, kernel):
    rules = DropRules(0.9, kernel)
    pixels, _ = run(survey(30, monkeypatch, tmp_path, drops=rules))
    assert np.isfinite(level(pixels)).all()
    assert abs(level(pixels).mean()) < 0.3
    assert level(pixels).std() < 0.6 * NOISE, "a trail of 300 in every fifth frame would leave 60"
    assert pixels.rejected.sum() > 500


def test_frames_that_hit_few_pixels_are_filled_up_and_told(monkeypatch, tmp_path):
    task = survey(8, monkeypatch, tmp_path, drops=DropRules(0.1), canvas=FINE)
    box = (150, 250, 150, 250)
    task = replace(task, tile=TileSpec(0, box, box, task.tile.frame_ids))
    drizzled, answer = run(task)
    interpolated, _ = run(replace(task, drops=None))
    assert [told.key for told in answer.remarks] == ["warning.drizzle_holes"]
    assert np.array_equal(np.isnan(drizzled.value), np.isnan(interpolated.value))
    alike = (drizzled.value == interpolated.value).mean(axis=(1, 2))
    # A red pixel in four, a green one in two, on pixels of a quarter of their area.
    assert 0.35 < alike[0] < 0.6 and 0.1 < alike[1] < 0.3
    assert same(replace(drizzled, value=interpolated.value), interpolated)


def test_what_hardly_hit_is_taken_from_the_stack():
    frame = calibrated_of(solved_of(wcs_of(50.0, 30.0, size=SIZE, turn_deg=0.0), 0, SIZE))
    stack = np.full((3, 100, 100), 5.0, np.float32)
    drops = Drops(FINE, MIDDLE, DropRules(0.3), stack)
    window, shape = (0, SIZE[1], 0, SIZE[0]), stack.shape[1:]
    drops.add(np.full(SIZE[::-1], 8.0, np.float32), window, frame, 1.0, np.ones(shape, np.float32))
    value, missed = drops.over(np.ones(shape, np.float32), np.full(shape, 9, np.uint16))
    fell = np.isclose(value, 8.0, rtol=1e-4)
    assert np.array_equal(fell, value != 5.0) and 0 < fell.sum() < fell.size
    assert missed == (~fell.all(axis=0)).sum()
    nothing, missed = drops.over(np.zeros(shape, np.float32), np.zeros(shape, np.uint16))
    assert np.array_equal(nothing, stack) and missed == 0


def test_twice_the_scale_splits_a_double_star_that_once_does_not(monkeypatch, tmp_path):
    """Two stars 1.9 px apart through a PSF of 1.5 px FWHM: a dip between them is seen on finer pixels only."""
    rng = np.random.default_rng(4)
    frames, raws = [], {}
    stars = [FINE.pixel_to_sky(200.0 + side, 200.0) for side in (-1.9, 1.9)]
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    offsets = (np.arange(5) - 2) / 5
    for k in range(40):
        wcs = wcs_of(50.0 + rng.normal(0, 0.001), 30.0 + rng.normal(0, 0.001), rng.uniform(0, 90), size=SIZE)
        raw = rng.normal(0.0, NOISE, SIZE[::-1])
        for star in stars:
            at = wcs.sky_to_pixel(*star)
            near = [(y + v - at[1]) ** 2 + (x + u - at[0]) ** 2 for u in offsets for v in offsets]
            raw += 3000.0 * np.mean([np.exp(-r2 / (2 * (1.5 / 2.355) ** 2)) for r2 in near], axis=0)
        frames.append(calibrated_of(solved_of(wcs, k, SIZE)))
        raws[k] = raw.astype(np.float32)
    task = survey(1, monkeypatch, tmp_path)
    monkeypatch.setattr(
        tile_samples, "calibrated_pixels", lambda f, d, s, w: raws[f.frame_id][w[0] : w[1], w[2] : w[3]]
    )
    dips, peaks = {}, {}
    once = (CANVAS, (75, 125, 75, 125))
    for scale, drops, onto, box in ((0, None, *once), (1, DropRules(0.5), *once), (2, DropRules(0.5), FINE, MIDDLE)):
        spec = TileSpec(0, box, box, tuple(range(40)))
        changes = {"tile": spec, "frames": tuple(frames), "defects": (tmp_path,) * 40, "canvas": onto}
        pixels, _ = run(replace(task, rules=StackRules(Rejection.NONE), drops=drops, **changes))
        places = np.array(onto.sky_to_pixel(*np.transpose([*stars, FINE.pixel_to_sky(200.0, 200.0)])))
        one, other, between = map_coordinates(pixels.value[1], places[::-1] - box[0], order=1)
        dips[scale], peaks[scale] = 1.0 - between / min(one, other), one + other
    assert dips[1] < -0.05 and dips[2] > 0.05
    assert peaks[1] > 1.02 * peaks[0], "drops show what the interpolation of each frame smooths"
