"""The user's own choice of frames is read from the lists people have, or refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from zemosaic.errors import InputError
from zemosaic.zeanalyser.picks import Picks, read_picks


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("column", ["file_path", "Path", "filename", "raw"])
def test_yes_no_and_nothing(tmp_path: Path, delimiter: str, column: str):
    rows = [[column, "note", "pick"], ["a.fit", "", "yes"], ["b.fit", "x", "NO"], ["c.fit", "", ""], ["", "", "no"]]
    path = tmp_path / "list.csv"
    path.write_text("\n".join(delimiter.join(row) for row in rows), "utf-8")
    picks = read_picks(path)
    assert [picks.of(f"/lights/{name}.fit") for name in "abcd"] == [True, False, None, None]


def test_relative_and_absolute_paths(tmp_path: Path):
    path = tmp_path / "list.csv"
    path.write_text(f"path,use\nnight1/a.fit,0\n{tmp_path / 'b.fit'},0\n", "utf-8")
    picks = read_picks(path)
    assert picks.of(str(tmp_path / "night1" / "a.fit")) is False
    assert picks.of(str(tmp_path / "night2" / "a.fit")) is None, "another night's file of the same name"
    assert picks.of(str(tmp_path / "b.fit")) is False


def test_who_is_wanted_and_unwanted_is_out():
    assert Picks(frozenset({"a.fit"}), frozenset({"a.fit"})).of("/x/a.fit") is False


@pytest.mark.parametrize("text", ["path,note\na.fit,yes\n", "name,pick\na.fit,yes\n", ""])
def test_lists_without_the_columns_are_refused(tmp_path: Path, text: str):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_picks(path)
    assert caught.value.message.key == "error.picks_columns"


def test_lists_that_are_not_there_are_refused(tmp_path: Path):
    with pytest.raises(InputError) as caught:
        read_picks(tmp_path / "none.csv")
    assert caught.value.message.key == "error.picks_unreadable"


@pytest.mark.parametrize("column", ["order", "batch_id", "Session"])
def test_a_stack_plan_names_the_frames_to_be_used(tmp_path: Path, column: str):
    path = tmp_path / "stack_plan.csv"
    path.write_text(f"{column};file_path;exposure\n1;night1/a.fit;10\n2;b.fit;10\n", "utf-8")
    lights = tmp_path / "lights"
    picks = read_picks(path, lights)
    assert picks.of(str(lights / "night1" / "a.fit")) is None, "left to the verdicts"
    assert picks.of(str(tmp_path / "night1" / "a.fit")) is None
    assert picks.of(str(lights / "night2" / "b.fit")) is None
    assert picks.of(str(lights / "night2" / "c.fit")) is False


def test_a_plan_with_picks_is_a_list_of_picks(tmp_path: Path):
    path = tmp_path / "zemosaic_frames.csv"
    path.write_text("order,file_path,pick\n1,a.fit,no\n2,b.fit,\n", "utf-8")
    picks = read_picks(path)
    assert [picks.of(f"/x/{name}.fit") for name in "abc"] == [False, None, None]
