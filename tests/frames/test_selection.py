"""The table of frames that are left out by hand."""

from __future__ import annotations

import pytest

from zemosaic.errors import InputError
from zemosaic.frames.selection import left_out, same_file, write_selection


def test_what_is_written_is_read(tmp_path):
    table = tmp_path / "made" / "frames.csv"
    paths = [str(tmp_path / f"a,{i};é.fit") for i in range(4)]
    write_selection(table, ["night"], [[path, i % 2, "2026-01-01"] for i, path in enumerate(paths)])
    assert left_out(table, tmp_path) == {same_file(paths[0]), same_file(paths[2])}


@pytest.mark.parametrize(
    "text",
    [
        "path,keep\nsub/a.fit,0\nb.fit,1\n",
        "﻿Keep;Path\r\nno;sub/a.fit\r\n;b.fit\r\n",
        "path,keep,x\nsub/../sub/a.fit,FALSE,1",
    ],
)
def test_tables_of_other_programs_are_understood(text, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(text, encoding="utf-8", newline="")
    assert left_out(table, tmp_path) == {same_file(str(tmp_path / "sub" / "a.fit"))}


@pytest.mark.parametrize("text", ["", "file,keep\na,0\n", "\x00\x00"])
def test_what_is_no_table_is_said(text, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as told:
        left_out(table, tmp_path)
    assert told.value.message.params["path"] == str(table)


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(InputError, match="frame_table_unreadable"):
        left_out(tmp_path / "none.csv", tmp_path)
