"""Every field of every record is saved, read and digested, also one that is added tomorrow."""

from __future__ import annotations

import dataclasses
import os
import random
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import numpy as np
import pytest
from record_samples import same, sample
from typing_extensions import TypeAliasType

from zemosaic import errors, model, wcs
from zemosaic.export.grid_file import SavedGrid
from zemosaic.mosaic.star_model import TileStars
from zemosaic.phases import stack
from zemosaic.phases.previous_run import state
from zemosaic.store import pixel_record
from zemosaic.store.codec import _decoder, content_of, from_bytes, from_plain, pack, to_bytes, to_plain, unpack
from zemosaic.store.columns import as_columns, compacted, expanded, row_of
from zemosaic.store.journal import digest

SEEDS = range(12)
MANY = 40


def records_of(*modules: Any) -> list[type]:
    """Return all records that modules define."""
    return [
        item
        for module in modules
        for item in vars(module).values()
        if isinstance(item, type) and dataclasses.is_dataclass(item) and item.__module__.startswith(module.__name__)
    ]


UNSAVED = (state.PreviousRun, state.FieldState)
RECORDS = [kind for kind in records_of(model, wcs, pixel_record, state) if kind not in UNSAVED]
RECORDS += [errors.Message, TileStars, SavedGrid]


def test_the_records_were_found():
    assert {model.CalibratedFrame, model.FrameRef, model.Dropped, wcs.FrameWcs, state.FinishedRun} <= set(RECORDS)
    assert len(RECORDS) >= 25


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_every_field_comes_back_bit_for_bit(kind: type):
    for seed in SEEDS:
        record = sample(kind, random.Random(seed))
        assert same(from_bytes(kind, to_bytes(record)), record), seed
        assert same(from_plain(kind, to_plain(record)), record), seed


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_a_changed_field_changes_the_digest(kind: type):
    rng, hints = random.Random(5), get_type_hints(kind)
    record = sample(kind, rng)
    before = digest(content_of(record))
    assert before == digest(content_of(from_bytes(kind, to_bytes(record))))
    for item in dataclasses.fields(kind):
        samples = (sample(hints[item.name], rng) for _ in range(MANY))
        changed = next(value for value in samples if not same(value, getattr(record, item.name)))
        other = replace(record, **{item.name: changed})
        assert digest(content_of(other)) != before, item.name
        assert digest(content_of(other, [item.name])) == digest(content_of(record, [item.name])), item.name


def calibrated(seed: int = 3) -> model.CalibratedFrame:
    frame: model.CalibratedFrame = sample(model.CalibratedFrame, random.Random(seed))
    return frame


def test_a_tile_depends_on_every_number_of_a_frame_that_is_not_named():
    rng, hints = random.Random(1), get_type_hints(model.CalibratedFrame)
    frame = calibrated()
    before = stack.pixel_digest(frame)
    for item in dataclasses.fields(frame):
        samples = (sample(hints[item.name], rng) for _ in range(MANY))
        changed = next(value for value in samples if not same(value, getattr(frame, item.name)))
        differs = stack.pixel_digest(replace(frame, **{item.name: changed})) != before
        assert differs or item.name in stack.WITHOUT_PIXELS, item.name
    for name in model.FileIdentity._fields:
        samples = (sample(get_type_hints(model.FrameRef)[name], rng) for _ in range(MANY))
        changed = next(value for value in samples if not same(value, getattr(frame.frame, name)))
        measured = replace(frame.solved.measured, frame=replace(frame.frame, **{name: changed}))
        assert stack.pixel_digest(replace(frame, solved=replace(frame.solved, measured=measured))) != before, name
    moved = replace(frame.solved.solution, wcs=replace(frame.wcs, y_ref=0.5))
    assert stack.pixel_digest(replace(frame, solved=replace(frame.solved, solution=moved))) != before
    louder = replace(frame.solved.measured, snr=9.25)
    assert stack.pixel_digest(replace(frame, solved=replace(frame.solved, measured=louder))) == before


def test_a_field_added_to_the_model_needs_no_other_line(tmp_path: Path):
    """In a process of its own, whose model has one line more."""
    script = Path(__file__).with_name("added_field.py")
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, str(script), str(tmp_path)]
    done = subprocess.run(command, env=environ, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["saved", "resumed", "digested", "explained"]


@dataclass(frozen=True)
class Small:
    number: int
    text: str = "usual"


def test_fields_that_are_missing_or_unknown_are_told():
    assert from_plain(Small, {"number": 3}) == Small(3)
    with pytest.raises(ValueError, match=r"Small.*missing fields \['number'\]"):
        from_plain(Small, {"text": "x"})
    with pytest.raises(ValueError, match=r"Small.*unknown fields \['more'\]"):
        from_plain(Small, {"number": 1, "more": 2})
    with pytest.raises(ValueError, match="Small"):
        from_plain(Small, 3)


@pytest.mark.parametrize("path", ["stepps", "solved.measured.starz"])
def test_an_exception_that_names_no_field_is_refused(path: str):
    with pytest.raises(ValueError, match="no fields"):
        to_plain(calibrated(), ["weight", path])


def test_what_has_no_plain_value_is_refused():
    with pytest.raises(TypeError, match="no plain value for object"):
        to_plain({"a": object()})
    with pytest.raises(TypeError, match="no plain value for complex"):
        to_plain([1j])


def test_numbers_of_numpy_become_plain():
    plain = to_plain([np.float64(0.1), np.float32(0.5), np.int64(3), np.bool_(True)])
    assert plain == [0.1, 0.5, 3, True] and [type(item) for item in plain] == [float, float, int, bool]


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 broken", b"{", b"\xff"])
def test_what_was_not_packed_is_refused(data: bytes):
    with pytest.raises(ValueError):
        unpack(data)


def test_the_same_values_are_the_same_bytes():
    value = {"a": np.arange(5.0), "b": [np.array([True, False, True]), None]}
    assert pack(value) == pack(value) and pack(value, compressed=True) == pack(value, compressed=True)
    again = unpack(pack(value, compressed=True))
    assert again["b"][0].dtype == np.bool_ and again["b"][0].tolist() == [True, False, True]


@pytest.mark.parametrize(
    "kind",
    [model.FrameRef, model.TileSpec, model.TileProduct, wcs.FrameWcs, model.EdgeOffsets, model.Dropped, model.Trail],
    ids=lambda kind: kind.__name__,
)
@pytest.mark.parametrize("count", [0, 1, 2, 30])
def test_columns_give_every_row_back(kind: type, count: int):
    few = [to_plain(sample(kind, random.Random(seed))) for seed in range(max(count // 3, 1))]
    rows = [few[k % len(few)] for k in range(count)]
    columns = unpack(pack(as_columns(rows)))
    assert all(same(row_of(columns, k), row) for k, row in enumerate(rows))
    assert same(expanded(unpack(pack(compacted({"rows": rows})))), {"rows": rows})


def test_columns_keep_the_sign_of_zero_and_every_nan():
    rows = [{"a": [0.0, 1.0]}, {"a": [-0.0, 1.0]}, {"a": [0.0, float("nan")]}] * 4
    columns = as_columns(rows)
    assert all(same(row_of(columns, k), row) for k, row in enumerate(rows))


def test_arrays_are_read_where_their_type_is_an_alias():
    """As NDArray is from numpy 2.5 on: on Python 3.12 every frame was left out as unreadable."""
    number = TypeVar("number", bound=np.generic)
    alias = TypeAliasType("alias", np.ndarray[tuple[Any, ...], np.dtype[number]], type_params=(number,))
    read = _decoder(alias[np.int32])
    assert read([1, 2]).dtype == np.int32
    assert list(read([1, 2])) == [1, 2]
    assert _decoder(alias[np.int32] | None)(None) is None
