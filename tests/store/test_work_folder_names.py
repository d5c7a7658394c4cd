"""Where the work folder lies, and that nothing but the program's own files is ever removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from zemosaic.errors import OutputError
from zemosaic.store.work_folder import (
    JOURNAL_NAME,
    LOCK_NAME,
    WORK_NAME,
    empty_work,
    open_work,
    sweep_scratch,
    work_folder,
)


@pytest.fixture
def precious(tmp_path) -> Path:
    """A folder of somebody's files under the names that a run uses."""
    folder = tmp_path / "precious"
    for name in (JOURNAL_NAME, LOCK_NAME, "letter.txt", "scratch/frame.npy", "canvas_main.zarr/photo.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious", encoding="utf-8")
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_it_lies_in_the_output_folder_or_in_one_of_its_own_elsewhere(tmp_path):
    assert work_folder(tmp_path / "out", "") == tmp_path / "out" / WORK_NAME
    fast = str(tmp_path / "fast")
    one, two = work_folder(tmp_path / "one", fast), work_folder(tmp_path / "two", fast)
    assert one.parent == two.parent == tmp_path / "fast" and one != two
    assert work_folder(tmp_path / "two" / ".." / "one", fast) == one
    open_work(one)
    open_work(one)
    assert one.is_dir()


def test_a_work_folder_that_is_a_link_is_refused(tmp_path, precious):
    before = content(precious)
    work = tmp_path / WORK_NAME
    work.symlink_to(precious)
    with pytest.raises(OutputError, match="work_is_link"):
        open_work(work)
    assert content(precious) == before and work.is_symlink()


def test_links_in_the_place_of_the_runs_own_files_are_removed_and_not_followed(tmp_path, precious):
    before = content(precious)
    work = tmp_path / WORK_NAME
    work.mkdir()
    for name in (JOURNAL_NAME, LOCK_NAME, "scratch", "canvas_main.zarr"):
        (work / name).symlink_to(precious / name)
    (work / "night_1").symlink_to(precious)
    (work / "letter.txt").symlink_to(precious / "letter.txt")
    open_work(work)
    assert [path.name for path in work.iterdir()] == ["letter.txt"]
    sweep_scratch(work)
    empty_work(work, lock_too=True)
    assert content(precious) == before


def test_only_what_the_program_makes_is_removed(tmp_path, precious):
    work = tmp_path / WORK_NAME
    open_work(work)
    made = [
        JOURNAL_NAME,
        f"{JOURNAL_NAME}-wal",
        f"{JOURNAL_NAME}.broken",
        "scratch/masters_0/a.npy",
        "night_2/canvas_a.zarr/zarr.json",
    ]
    theirs = ["notes.txt", "canvas_drawing/picture.png", "journal.txt"]
    for name in (*made, *theirs, LOCK_NAME):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(name, encoding="utf-8")
    (work / "scratch" / "elsewhere").symlink_to(precious)
    before = content(precious)
    empty_work(work)
    assert set(content(work)) == {*theirs, LOCK_NAME}
    empty_work(work, lock_too=True)
    assert set(content(work)) == set(theirs)
    assert content(precious) == before


def test_what_a_killed_run_left_among_its_scratch_files_is_swept(tmp_path):
    work = tmp_path / WORK_NAME
    (work / "scratch" / "masters_0").mkdir(parents=True)
    for name in ("a1.npy", "tmp0.part", "cube_3_77.f4", "camera_0.npz", "masters_0/master_dark.npy"):
        (work / "scratch" / name).write_bytes(b"?")
    sweep_scratch(work)
    assert set(content(work / "scratch")) == {"camera_0.npz", "masters_0/master_dark.npy"}
