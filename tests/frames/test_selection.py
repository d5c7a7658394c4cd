"""The table of frames that are left out or grouped by hand."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zemosaic.errors import InputError
from zemosaic.frames.selection import Selection, group_name, read_selection, write_selection


def test_what_is_written_is_read(tmp_path):
    table = tmp_path / "made" / "frames.csv"
    paths = [str(tmp_path / f"a,{i};é.fit") for i in range(4)]
    write_selection(table, ["file_path", "keep"], [[path, i % 2] for i, path in enumerate(paths)])
    selection = read_selection(table, tmp_path)
    assert [selection.leaves_out(path) for path in paths] == [True, False, True, False]
    assert not selection.leaves_out(str(tmp_path / "new.fit")), "a frame that came later is kept"


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
    selection = read_selection(table, tmp_path)
    assert selection.leaves_out(str(tmp_path / "sub" / "a.fit"))
    assert not selection.leaves_out(str(tmp_path / "b.fit"))


def test_a_stack_plan_names_the_frames_to_use(tmp_path):
    table = tmp_path / "plans" / "stack_plan.csv"
    table.parent.mkdir()
    (table.parent / "near.fit").touch()
    table.write_text("order|file_path|exposure\n1|a.fit|10\n2|near.fit|10\n", encoding="utf-8")
    selection = read_selection(table, tmp_path)
    assert not selection.leaves_out(str(tmp_path / "a.fit"))
    assert not selection.leaves_out(str(table.parent / "near.fit")), "beside the plan before the folder of frames"
    assert selection.leaves_out(str(tmp_path / "b.fit"))


@pytest.mark.parametrize("text", ["", "name,keep\na,0\n", "\x00\x00"])
def test_what_is_no_table_is_said(text, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as told:
        read_selection(table, tmp_path)
    assert told.value.message.params["path"] == str(table)


def test_a_missing_table_is_said(tmp_path):
    with pytest.raises(InputError, match="frame_table_unreadable"):
        read_selection(tmp_path / "none.csv", tmp_path)


@given(names=st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=5))
def test_names_of_groups_come_back_whatever_they_are(names, tmp_path_factory):
    folder = tmp_path_factory.mktemp("groups")
    paths = [str(folder / f"{i}.fit") for i in range(len(names))]
    wanted = [group_name(name) for name in names]
    rows = [[path, 1, name] for path, name in zip(paths, wanted, strict=True)]
    write_selection(folder / "t.csv", ["file_path", "keep", "group"], rows)
    selection = read_selection(folder / "t.csv", folder)
    assert [selection.group_of(path) for path in paths] == wanted
    for name in wanted:
        assert group_name(name) == name == unicodedata.normalize("NFC", name.strip())
        assert "\n" not in name


@pytest.mark.parametrize(
    "text",
    [
        "file_path;group;keep\na.fit; North  pier ;1\nb.fit;;1\nc.fit;Süd\n",
        "Path,Group\na.fit,North pier\nb.fit,\nc.fit,Su\u0308d",
    ],
)
def test_a_table_puts_frames_into_groups(text, tmp_path):
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    selection = read_selection(tmp_path / "t.csv", tmp_path)
    assert [selection.group_of(str(tmp_path / f"{n}.fit")) for n in "abcd"] == ["North pier", "", "Süd", ""]


def test_a_table_without_that_column_says_nothing_of_groups(tmp_path):
    (tmp_path / "t.csv").write_text("path,keep\na.fit,1\n", encoding="utf-8")
    assert read_selection(tmp_path / "t.csv", tmp_path).groups is None


def test_a_frame_in_two_groups_is_said(tmp_path):
    (tmp_path / "t.csv").write_text("path,group\na.fit,x\na.fit,\na.fit,x \nsub/../a.fit,y\n", encoding="utf-8")
    with pytest.raises(InputError) as told:
        read_selection(tmp_path / "t.csv", tmp_path)
    assert told.value.message.key == "error.frame_in_two_groups"
    assert told.value.message.params["file"] == str(tmp_path / "a.fit")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("column", ["file_path", "Path", "filename", "raw"])
def test_yes_no_and_nothing(tmp_path, delimiter, column):
    rows = [[column, "note", "pick"], ["a.fit", "", "yes"], ["b.fit", "x", "NO"], ["c.fit", "", ""], ["", "", "no"]]
    table = tmp_path / "list.csv"
    table.write_text("\n".join(delimiter.join(row) for row in rows), "utf-8")
    picks = read_selection(table, tmp_path)
    assert [picks.of(f"/lights/{name}.fit") for name in "abcd"] == [True, False, None, None]


def test_relative_and_absolute_paths(tmp_path):
    table = tmp_path / "list.csv"
    table.write_text(f"path,use\nnight1/a.fit,0\n{tmp_path / 'b.fit'},0\n", "utf-8")
    picks = read_selection(table, tmp_path / "lights")
    assert picks.of(str(tmp_path / "night1" / "a.fit")) is False
    assert picks.of(str(tmp_path / "lights" / "night1" / "a.fit")) is False
    assert picks.of(str(tmp_path / "night2" / "a.fit")) is None, "another night's file of the same name"
    assert picks.of(str(tmp_path / "b.fit")) is False


def test_a_name_alone_is_the_file_in_the_folder_or_else_any_of_that_name(tmp_path):
    (tmp_path / "here.fit").touch()
    table = tmp_path / "list.csv"
    table.write_text("path,keep\nhere.fit,0\nthere.fit,0\n", "utf-8")
    selection = read_selection(table, tmp_path)
    assert selection.leaves_out(str(tmp_path / "here.fit"))
    assert not selection.leaves_out(str(tmp_path / "night2" / "here.fit"))
    assert selection.leaves_out(str(tmp_path / "night2" / "there.fit"))


def test_who_is_wanted_and_unwanted_is_out():
    assert Selection(frozenset({"a.fit"}), frozenset({"a.fit"})).of("/x/a.fit") is False


@pytest.mark.parametrize("text", ["path,note\na.fit,yes\n", "name,pick\na.fit,yes\n"])
def test_tables_without_the_columns_are_refused(tmp_path, text):
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(InputError, match="frame_table_columns"):
        read_selection(tmp_path / "list.csv", tmp_path)


@pytest.mark.parametrize("heading", ["order;file_path;exposure", "batch_id;file_path;x", "Session;file_path;x"])
def test_a_plan_names_the_frames_to_be_used(tmp_path, heading):
    table, lights = tmp_path / "stack_plan.csv", tmp_path / "lights"
    table.write_text(f"{heading}\n1;night1/a.fit;10\n2;b.fit;10\n", "utf-8")
    plan = read_selection(table, lights)
    assert plan.of(str(lights / "night1" / "a.fit")) is None, "left to the verdicts"
    assert plan.of(str(lights / "night2" / "b.fit")) is None
    assert plan.of(str(lights / "night2" / "c.fit")) is False


def test_a_list_of_nothing_but_files_is_a_plan_and_one_with_picks_is_none(tmp_path):
    (tmp_path / "files.csv").write_text("file_path\na.fit\n", "utf-8")
    (tmp_path / "frames.csv").write_text("order,file_path,pick\n1,a.fit,no\n2,b.fit,\n", "utf-8")
    files, frames = (read_selection(tmp_path / name, tmp_path) for name in ("files.csv", "frames.csv"))
    assert [files.of(f"/x/{name}.fit") for name in "ab"] == [None, False]
    assert [frames.of(f"/x/{name}.fit") for name in "abc"] == [False, None, None]
