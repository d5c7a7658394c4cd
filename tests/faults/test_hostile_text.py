"""What files, headers and names say is text: it steers no terminal, begins no formula and runs no code."""

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from zemosaic import app
from zemosaic.errors import OutputError, message
from zemosaic.frames.selection import read_selection, write_selection
from zemosaic.gui.cli.console import Console
from zemosaic.i18n import Translator
from zemosaic.settings.load import load_settings
from zemosaic.solving.solvers.astap_find import find_astap
from zemosaic.solving.solvers.slots import AstapSlots
from zemosaic.store.canvas_store import LAYOUT_NAME, CanvasStore
from zemosaic.store.plain_arrays import holds_plain_numbers
from zemosaic.text.plain_text import json_value, plain_cell, printable, typed_cell

DEEP = "[" * 100_000


def test_control_characters_of_names_are_shown_and_not_obeyed() -> None:
    told = Translator("en").message(message("reason.vanished", file="a\x1b[2J\x07\nfake line\u202e.fit"))
    assert told.isprintable() and "a\\x1b[2J\\x07\\nfake line\\u202e.fit" in told
    assert printable("a\u00adb\u200dc é 日本") == "a\u00adb\u200dc é 日本"


def test_the_console_lets_no_escape_through() -> None:
    stream = io.StringIO()
    Console(stream, None).out("one\x1b]0;title\x07\ntwo\x9b31m")
    assert stream.getvalue() == "one\\x1b]0;title\\x07\ntwo\\x9b31m\n"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(1)", "\t=1"])
def test_cells_that_would_be_formulas_are_text_and_read_back(text: str) -> None:
    cell = plain_cell(text)
    assert isinstance(cell, str) and cell.startswith("'") and typed_cell(cell) == text
    assert plain_cell(-1.5) == -1.5 and typed_cell("'quoted'") == "'quoted'"


def test_a_group_named_like_a_formula_survives_its_table(tmp_path: Path) -> None:
    table, frame = tmp_path / "groups.csv", tmp_path / "a.fit"
    frame.touch()
    write_selection(table, ("file_path", "keep", "group"), [(str(frame), 1, "=north")])
    assert next(csv.DictReader(table.read_text().splitlines()))["group"] == "'=north"
    assert read_selection(table, tmp_path).group_of(str(frame)) == "=north"


def test_deeply_nested_json_is_an_error_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        json_value(DEEP)
    (tmp_path / "settings.json").write_text(DEEP)
    from zemosaic.errors import SettingsError

    with pytest.raises(SettingsError):
        load_settings({}, {}, tmp_path / "settings.json")


def test_the_rate_is_not_written_through_a_link(tmp_path: Path) -> None:
    victim, folder = tmp_path / "victim", tmp_path / "slots"
    victim.write_text("mine")
    folder.mkdir()
    try:
        (folder / "rate.json").symlink_to(victim)
    except OSError:
        pytest.skip("links cannot be made here")
    with AstapSlots(1, folder, rate_s=60.0, burst=5)():
        pass
    assert victim.read_text() == "mine" and not (folder / "rate.json").is_symlink()
    assert len(json.loads((folder / "rate.json").read_text())) == 1


@pytest.mark.parametrize(
    "description",
    [
        {"dtype": "|O", "filters": [{"id": "pickle"}], "compressor": None},
        {"dtype": "<f4", "filters": None, "compressor": {"id": "blosc"}},
        {"node_type": "array", "data_type": "float32", "codecs": [{"name": "bytes"}, {"name": "gzip"}]},
        {"node_type": "array", "data_type": "string", "codecs": [{"name": "bytes"}]},
        "[" * 100_000,
    ],
)
def test_arrays_in_wrappings_are_not_opened(tmp_path: Path, description: object) -> None:
    folder = tmp_path / "tile_value"
    folder.mkdir()
    text = description if isinstance(description, str) else json.dumps(description)
    (folder / ("zarr.json" if "node_type" in text else ".zarray")).write_text(text)
    assert not holds_plain_numbers(tmp_path)


def test_a_store_whose_description_was_exchanged_is_begun_anew(tmp_path: Path) -> None:
    store = CanvasStore(tmp_path / "canvas.zarr")
    store.create_canvas(1, 100, 100, 64, "plan")
    assert store.sound() and holds_plain_numbers(store.path)
    (store.path / "canvas_value" / ".zarray").write_text(
        json.dumps({"dtype": "|O", "filters": [{"id": "pickle"}], "compressor": None})
    )
    hostile = CanvasStore(store.path)
    # Whoever exchanges the description can make the checksum agree as well.
    (store.path / LAYOUT_NAME).write_bytes(hostile._layout("plan"))
    assert not hostile.sound()
    with pytest.raises(OutputError):
        hostile.canvas("value")
    hostile.create_canvas(1, 100, 100, 64, "plan")
    assert np.isnan(np.asarray(hostile.canvas("value")[:])).all()


def test_a_relative_path_of_astap_leads_to_the_same_program_from_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "tools" / "astap"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    installation = find_astap("tools/astap", "", environ={"HOME": str(tmp_path)}, platform="linux", root=tmp_path)
    assert installation is not None and installation.executable == program


def test_the_crash_log_has_a_new_name_where_everybody_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a file"
    blocked.touch()
    monkeypatch.setattr(app.platformdirs, "user_log_dir", lambda *_, **__: str(blocked / "logs"))
    monkeypatch.setattr(app.tempfile, "tempdir", str(tmp_path))
    paths = {app._write_crash_log("trace\n") for _ in range(2)}
    assert len(paths) == 2 and all(Path(path).read_text() == "trace\n" for path in paths)


def test_the_log_of_a_run_keeps_each_event_on_one_line(tmp_path: Path) -> None:
    from zemosaic.events import FrameDropped
    from zemosaic.worker_process import _Outbox

    log, stream = logging.getLogger("zemosaic.test_hostile_text"), io.StringIO()
    log.addHandler(logging.StreamHandler(stream))
    log.setLevel("DEBUG")
    log.propagate = False
    event = FrameDropped(1, "/in/a\nERROR fake\x1b[31m.fit", "scan", "unreadable", message("reason.vanished", file="x"))
    _Outbox._write_log(type("Box", (), {"_log": log, "_english": Translator("en")})(), event)
    assert stream.getvalue().count("\n") == 1 and "\x1b" not in stream.getvalue()
