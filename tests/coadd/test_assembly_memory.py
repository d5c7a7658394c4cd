"""The incremental assembly's memory does not grow with the canvas."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from benchmarks.canvas import LEVEL, OVERLAP, TILE, Peak, assemble, assemble_masters
from zemosaic.model import TileSpec
from zemosaic.store.canvas_store import CanvasStore


def test_a_canvas_of_tiles_has_no_gap_and_the_level(tmp_path):
    side = 2 * TILE + 70
    store = assemble(side, tmp_path)
    value = store.canvas("value")[:]
    assert np.isfinite(value).all()
    assert np.allclose(value.mean(axis=(1, 2)), LEVEL, atol=1.0)
    assert (store.canvas("kept")[:] == 20).all() and (store.canvas("weight")[:] == 1).all()
    box = (0, TILE + 2 * OVERLAP, 0, TILE + 2 * OVERLAP)
    tile = CanvasStore(tmp_path / "tile.zarr").read_tile(TileSpec(0, box, box, (0,)), 0).value
    alone = np.s_[:, : TILE - OVERLAP, : TILE - OVERLAP]
    assert np.array_equal(value[alone], tile[alone] + np.array(LEVEL, np.float32)[:, None, None])


def test_a_canvas_of_master_tiles_has_no_gap_and_the_level(tmp_path):
    store = assemble_masters(TILE + 200, tmp_path)
    value = store.canvas("value")[:]
    assert np.isfinite(value).all()
    assert np.allclose(value.mean(axis=(1, 2)), LEVEL, atol=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("made", [assemble, assemble_masters])
def test_memory_is_that_of_the_blocks(made, tmp_path):
    peaks = []
    for side in (2048, 6144):
        with Peak() as peak:
            made(side, tmp_path / str(side))
        peaks.append(peak.rss_bytes)
    canvas_bytes = 6144 * 6144 * 20
    assert peaks[1] - peaks[0] < 0.2 * canvas_bytes, "0.75 GB would be the canvas itself"
    assert peaks[1] < 3e9
