"""The picture of the mosaic while it grows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from zemosaic.model import GridPlan, TileSpec
from zemosaic.phases.live_preview import partial_mosaic as growing
from zemosaic.phases.live_preview.partial_mosaic import LivePicture, block_sums, keep_quick_look
from zemosaic.phases.run.reporter import Reporter
from zemosaic.wcs import FrameWcs

WCS = FrameWcs(0.0, 0.0, 0.0, 0.0, ((-1e-3, 0.0), (0.0, 1e-3)))


def tiles_of(height: int, width: int, side: int, overlap: int) -> tuple[TileSpec, ...]:
    tiles = []
    for y in range(0, height, side):
        for x in range(0, width, side):
            bottom, right = min(y + side, height), min(x + side, width)
            outer = max(0, y - overlap), min(height, bottom + overlap), max(0, x - overlap), min(width, right + overlap)
            tiles.append(TileSpec(len(tiles), (y, bottom, x, right), outer, (0,)))
    return tuple(tiles)


@given(st.integers(20, 70), st.integers(20, 70), st.integers(9, 40), st.integers(0, 5), st.integers(1, 8))
def test_tiles_add_up_to_the_means_of_the_whole(height, width, side, overlap, coarse):
    image = np.random.default_rng(1).normal(size=(3, height, width)).astype(np.float32)
    image[:, 5:9, 3:7] = np.nan
    shape = -(-height // coarse), -(-width // coarse)
    total, number = np.zeros((3, *shape)), np.zeros(shape)
    for tile in tiles_of(height, width, side, overlap):
        y0, y1, x0, x1 = tile.outer
        sums, count, (rows, columns) = block_sums(image[:, y0:y1, x0:x1], tile, coarse)
        total[:, rows, columns] += sums
        number[rows, columns] += count
    for j, i in ((0, 0), (shape[0] - 1, shape[1] - 1), (5 // coarse, 3 // coarse)):
        block = image[:, j * coarse : (j + 1) * coarse, i * coarse : (i + 1) * coarse]
        assert number[j, i] == np.isfinite(block[0]).sum()
        assert total[:, j, i] == pytest.approx(np.nansum(block, axis=(1, 2)), abs=1e-4)


def test_the_picture_grows_from_the_first_tile_and_costs_little(tmp_path, monkeypatch):
    plan = GridPlan(WCS, 300, 200, 3, tiles_of(200, 300, 100, 8))
    image = np.random.default_rng(2).normal(100.0, 3.0, (3, 200, 300)).astype(np.float32)

    class Store:
        def read_tile_value(self, tile, row):
            y0, y1, x0, x1 = tile.outer
            return image[:, y0:y1, x0:x1]

    now = [0.0]
    monkeypatch.setattr(growing.time, "monotonic", lambda: now[0])
    told = []
    picture = LivePicture(Reporter(told.append), tmp_path, plan, Store(), "field")
    shown = []
    for row in range(6):
        picture.add(row)
        shown.append(len(told))
        now[0] += 1.0
    assert shown == [1, 1, 2, 2, 3, 4], "at once, then every two seconds, and after the last tile"
    assert not told[-1].final
    lit = []
    for event in told[-1:]:
        with Image.open(event.path) as opened:
            lit.append(np.asarray(opened).any(axis=2).mean())
            assert opened.size == (event.width, event.height)
    assert lit[-1] > 0.95, "all six tiles are seen"
    assert len(list(Path(tmp_path).iterdir())) == 1, "earlier pictures are gone"


def test_single_frames_are_seen_below_until_tiles_cover_them(tmp_path, monkeypatch):
    plan = GridPlan(WCS, 300, 200, 3, tiles_of(200, 300, 100, 8))
    rng = np.random.default_rng(2)
    monkeypatch.setattr(growing, "MIN_INTERVAL_S", 0.0)
    monkeypatch.setattr(growing, "IDLE_SHARE", 0.0)

    class Store:
        def read_tile_value(self, tile, row):
            y0, y1, x0, x1 = tile.outer
            return rng.normal(100.0, 3.0, (3, y1 - y0, x1 - x0)).astype(np.float32)

    keep_quick_look(tmp_path, "field", plan, rng.normal(100.0, 9.0, (3, 200, 300)).astype(np.float32), 5)
    told = []
    picture = LivePicture(Reporter(told.append), tmp_path, plan, Store(), "field")
    for row in range(6):
        picture.add(row)
    assert [event.quick_frames for event in told] == [5, 5, 5, 5, 5, 0]
    other = replace(plan, wcs=replace(WCS, ra_deg=1.0))
    LivePicture(Reporter(told.append), tmp_path, other, Store(), "field").add(0)
    assert told[-1].quick_frames == 0, "single frames of another canvas are of no use"
