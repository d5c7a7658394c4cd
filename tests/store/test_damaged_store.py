"""Damage to what a run keeps on the disk is seen, said and undone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from test_canvas_store import pixels_of, plan_of, same

from zemosaic.errors import OutputError
from zemosaic.store.canvas_store import LAYOUT_NAME, CanvasStore, TilePixels
from zemosaic.store.journal import BROKEN_SUFFIX, Journal

PLAN = plan_of()
EMPTY = {"value": np.nan, "weight": 0, "kept": 0, "rejected": 0}


def missing(file: Path) -> None:
    file.unlink()


def zeros(file: Path) -> None:
    file.write_bytes(bytes(file.stat().st_size))


def scribbled(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0x40
    file.write_bytes(content)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-7])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def longer(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\0")


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES = [missing, zeros, scribbled, cut, empty, longer, a_folder]


@pytest.fixture
def stored(tmp_path):
    """A store with all tiles of a plan, and their marks."""
    store = CanvasStore(tmp_path / "store.zarr")
    assert store.create(PLAN, "plan") is False
    marks = {row: store.write_tile(tile, row, pixels_of(tile.outer, seed=row)) for row, tile in enumerate(PLAN.tiles)}
    return store, marks


def chunks(store: CanvasStore, row: int) -> list[Path]:
    return store._chunk_files(row)


def test_a_tile_that_is_what_was_written_agrees_with_its_mark(stored):
    store, marks = stored
    again = CanvasStore(store.path)
    assert again.create(PLAN, "plan") is False
    assert all(again.holds_tile(row, mark) for row, mark in marks.items())
    assert not again.holds_tile(0, marks[1]) and not again.holds_tile(0, "")
    assert len(set(marks.values())) == len(marks)


def test_a_tile_without_light_is_on_the_disk_too(stored):
    """What holds nothing but the fill value could be left out, and could then not be told from what is missing."""
    store, _ = stored
    whole = pixels_of(PLAN.tiles[2].outer)
    dark = TilePixels(*(np.full_like(getattr(whole, name), fill) for name, fill in EMPTY.items()))
    mark = store.write_tile(PLAN.tiles[2], 2, dark)
    assert store.holds_tile(2, mark) and same(store.read_tile(PLAN.tiles[2], 2), dark)
    chunks(store, 2)[3].unlink()
    assert not store.holds_tile(2, mark)


@pytest.mark.parametrize("plane", range(4))
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_tile_is_seen_and_can_be_made_again(stored, damage, plane):
    store, marks = stored
    damage(chunks(store, 1)[plane])
    later = CanvasStore(store.path, marks)
    assert later.create(PLAN, "plan") is False, "the others stay"
    assert not later.holds_tile(1, marks[1]) and later.holds_tile(0, marks[0])
    with pytest.raises(OutputError, match="tile_damaged"):
        later.read_tile(PLAN.tiles[1], 1)
    later.forget_tile(1)
    assert later.write_tile(PLAN.tiles[1], 1, pixels_of(PLAN.tiles[1].outer, seed=1)) == marks[1]
    assert same(later.read_tile(PLAN.tiles[1], 1), pixels_of(PLAN.tiles[1].outer, seed=1))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("where", [".", "tile_value", "tile_kept", "canvas_weight"])
def test_a_store_whose_description_is_damaged_is_begun_anew(stored, where, damage):
    store, marks = stored
    names = ("zarr.json", ".zgroup", ".zarray")
    described = next(store.path / where / name for name in names if (store.path / where / name).is_file())
    damage(described)
    later = CanvasStore(store.path)
    assert not later.sound() and not later.holds_tile(0, marks[0])
    assert later.create(PLAN, "plan") is True
    assert later.sound() and not later.holds_tile(0, marks[0])
    assert later.write_tile(PLAN.tiles[0], 0, pixels_of(PLAN.tiles[0].outer)) == marks[0]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_store_that_cannot_tell_its_plan_is_begun_anew(stored, damage):
    store, marks = stored
    damage(store.path / LAYOUT_NAME)
    later = CanvasStore(store.path)
    later.create(PLAN, "plan")
    assert later.sound() and not later.holds_tile(0, marks[0])


def test_a_file_or_a_link_in_the_place_of_a_store_makes_way(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "letter.txt").write_text("dear", encoding="utf-8")
    (tmp_path / "file.zarr").write_bytes(b"?")
    (tmp_path / "link.zarr").symlink_to(elsewhere)
    for name in ("file.zarr", "link.zarr"):
        store = CanvasStore(tmp_path / name)
        store.create(PLAN, "plan")
        assert store.sound()
    assert [path.name for path in elsewhere.iterdir()] == ["letter.txt"]


def test_without_its_canvas_a_store_still_holds_its_tiles(stored):
    store, marks = stored
    store.drop_canvas()
    later = CanvasStore(store.path)
    assert later.sound() and later.holds_tile(0, marks[0])
    later.create(PLAN, "plan")
    assert not later.holds_tile(0, marks[0]), "what is made for a plan begins anew"


def filled(path: Path) -> None:
    journal = Journal(path)
    for number in range(200):
        journal.put("tile", str(number), "d", bytes([number % 251]) * 3000)
    journal.close()


@pytest.mark.parametrize("damage", [zeros, cut, a_folder, longer])
def test_a_broken_journal_is_set_aside_and_a_new_one_begun(tmp_path, damage):
    path = tmp_path / "journal.sqlite"
    filled(path)
    damage(path)
    told = []
    for _ in range(2):
        journal = Journal(path, told.append)
        right = [journal.get("tile", str(n), "d") in (None, bytes([n % 251]) * 3000) for n in range(200)]
        assert all(right)
        journal.put("tile", "new", "d", b"x")
        journal.close()
    journal = Journal(path)
    assert journal.get("tile", "new", "d") == b"x"
    journal.close()
    keys = [text.key for text in told]
    if damage in (zeros, a_folder):
        assert keys == ["warning.journal_broken"] and Path(f"{path}{BROKEN_SUFFIX}").exists()


def test_a_journal_scribbled_over_anywhere_gives_what_was_put_or_nothing(tmp_path):
    path = tmp_path / "journal.sqlite"
    filled(path)
    whole = path.read_bytes()
    told: list[str] = []
    for place in range(0, len(whole), len(whole) // 40):
        content = bytearray(whole)
        content[place : place + 300] = bytes((7 * k + place) % 256 for k in range(len(content[place : place + 300])))
        path.write_bytes(content)
        journal = Journal(path, lambda text: told.append(text.key))
        for number in range(200):
            assert journal.get("tile", str(number), "d") in (None, bytes([number % 251]) * 3000)
        journal.put("tile", "1", "e", b"new")
        assert journal.get("tile", "1", "e") == b"new"
        journal.close()
        for left in tmp_path.iterdir():
            left.unlink()
    assert {"warning.journal_broken", "warning.journal_entry_damaged"} == set(told)


def test_an_entry_in_another_ones_place_is_none(tmp_path):
    path = tmp_path / "journal.sqlite"
    filled(path)
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE entries SET payload=(SELECT payload FROM entries WHERE key=?) WHERE key=?", (b"2", b"1")
        )
    database.close()
    journal = Journal(path)
    assert journal.get("tile", "1", "d") is None and journal.get("tile", "2", "d") is not None
    assert [text.key for text in journal.untold] == ["warning.journal_entry_damaged"]
    told = []
    journal.listen(told.append)
    assert len(told) == 1 and not journal.untold
    journal.close()
