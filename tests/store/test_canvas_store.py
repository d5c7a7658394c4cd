"""The pixels of a run on disk."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from zemosaic.model import GridPlan, TileSpec
from zemosaic.store.canvas_store import CanvasStore, TilePixels
from zemosaic.store.store_size import bytes_needed
from zemosaic.wcs import FrameWcs

WCS = FrameWcs(0.0, 0.0, 0.0, 0.0, ((-1e-3, 0.0), (0.0, 1e-3)))


def plan_of(height: int = 50, width: int = 70, tile: int = 32, overlap: int = 4, channels: int = 3) -> GridPlan:
    tiles = []
    for y0 in range(0, height, tile):
        for x0 in range(0, width, tile):
            inner = (y0, min(y0 + tile, height), x0, min(x0 + tile, width))
            outer = (
                max(0, inner[0] - overlap),
                min(height, inner[1] + overlap),
                max(0, inner[2] - overlap),
                min(width, inner[3] + overlap),
            )
            tiles.append(TileSpec(len(tiles), inner, outer, (0,)))
    return GridPlan(WCS, width, height, channels, tuple(tiles))


def pixels_of(box: tuple[int, int, int, int], channels: int = 3, seed: int = 0) -> TilePixels:
    rng = np.random.default_rng(seed)
    shape = (box[1] - box[0], box[3] - box[2])
    value = rng.normal(0, 100, (channels, *shape)).astype(np.float32)
    value[:, 0, 0] = np.nan
    return TilePixels(
        value,
        rng.random(shape).astype(np.float32),
        rng.integers(0, 60000, shape, dtype=np.uint16),
        rng.integers(0, 9, shape, dtype=np.uint16),
    )


def same(one: TilePixels, two: TilePixels) -> bool:
    names = ("value", "weight", "kept", "rejected")
    return all(
        getattr(one, n).dtype == getattr(two, n).dtype and getattr(one, n).tobytes() == getattr(two, n).tobytes()
        for n in names
    )


@pytest.mark.parametrize("channels", [1, 3])
def test_tiles_and_canvas_come_back_bit_for_bit(tmp_path: Path, channels: int):
    plan = plan_of(channels=channels)
    store = CanvasStore(tmp_path / "store.zarr")
    store.create(plan, "f")
    for row, tile in enumerate(plan.tiles):
        store.write_tile(tile, row, pixels_of(tile.outer, channels, row))
        store.write_canvas(tile.inner, pixels_of(tile.inner, channels, 100 + row))
    again = pickle.loads(pickle.dumps(store))
    for row, tile in enumerate(plan.tiles):
        assert same(again.read_tile(tile, row), pixels_of(tile.outer, channels, row))
        y0, y1, x0, x1 = tile.inner
        here = TilePixels(
            np.asarray(again.canvas("value")[:, y0:y1, x0:x1]),
            *(np.asarray(again.canvas(name)[y0:y1, x0:x1]) for name in ("weight", "kept", "rejected")),
        )
        assert same(here, pixels_of(tile.inner, channels, 100 + row))


def test_what_was_never_written_is_empty(tmp_path: Path):
    plan = plan_of()
    store = CanvasStore(tmp_path / "store.zarr")
    store.create(plan, "f")
    tile = store.read_tile(plan.tiles[0], 0)
    assert np.isnan(tile.value).all() and not tile.weight.any() and not tile.kept.any()
    assert np.isnan(store.canvas("value")[:]).all() and not store.canvas("rejected")[:].any()


def test_the_same_plan_keeps_its_pixels_and_another_replaces_them(tmp_path: Path):
    plan = plan_of()
    store = CanvasStore(tmp_path / "store.zarr")
    store.create(plan, "one")
    store.write_tile(plan.tiles[1], 1, pixels_of(plan.tiles[1].outer))
    later = CanvasStore(tmp_path / "store.zarr")
    later.create(plan, "one")
    assert same(later.read_tile(plan.tiles[1], 1), pixels_of(plan.tiles[1].outer))
    other = plan_of(90, 100, 40, 8)
    later.create(other, "two")
    assert np.isnan(later.read_tile(other.tiles[1], 1).value).all()
    assert later.canvas("value").shape == (3, 90, 100)


def test_a_store_whose_making_was_cut_short_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = plan_of()
    store = CanvasStore(tmp_path / "store.zarr")
    make = CanvasStore._make

    def dying(self: CanvasStore, name: str, *rest: object) -> None:
        if name == "canvas_kept":
            raise KeyboardInterrupt
        make(self, name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(CanvasStore, "_make", dying)
    with pytest.raises(KeyboardInterrupt):
        store.create(plan, "f")
    monkeypatch.undo()
    again = CanvasStore(tmp_path / "store.zarr")
    again.create(plan, "f")
    assert again.canvas("rejected").shape == (50, 70)


def test_one_tile_is_one_file_per_array(tmp_path: Path):
    """Workers write side by side because no two tiles share a chunk."""
    plan = plan_of()
    store = CanvasStore(tmp_path / "store.zarr")
    store.create(plan, "f")

    def files() -> set[Path]:
        skip = {"zarr.json", ".zarray", ".zgroup", ".zattrs"}
        return {path for path in (tmp_path / "store.zarr").rglob("*") if path.is_file() and path.name not in skip}

    seen = files()
    for row, tile in enumerate(plan.tiles):
        store.write_tile(tile, row, pixels_of(tile.outer, seed=row))
        store.write_canvas(tile.inner, pixels_of(tile.inner, seed=row))
        fresh = files() - seen
        assert len(fresh) == 8
        seen |= fresh


def test_the_store_takes_no_more_disk_than_announced(tmp_path: Path):
    plan = plan_of(200, 300, 64, 8)
    store = CanvasStore(tmp_path / "store.zarr")
    store.create(plan, "f")
    for row, tile in enumerate(plan.tiles):
        store.write_tile(tile, row, pixels_of(tile.outer, seed=row))
        store.write_canvas(tile.inner, pixels_of(tile.inner, seed=row))
    used = sum(path.stat().st_size for path in (tmp_path / "store.zarr").rglob("*") if path.is_file())
    assert 0.5 * bytes_needed(plan) < used < 1.2 * bytes_needed(plan) + 20_000
