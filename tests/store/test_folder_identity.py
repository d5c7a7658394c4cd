"""Folders are compared as the disk sees them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zemosaic.store.folder_identity import is_same_folder, is_within


@pytest.fixture
def disk_without_case(monkeypatch):
    """Paths that differ in upper and lower case alone lead to the same place, as on most Macs."""
    real = Path.exists
    monkeypatch.setattr(Path, "samefile", lambda path, other: str(path).lower() == str(other).lower())
    monkeypatch.setattr(Path, "exists", lambda path: real(path) or real(Path(str(path).lower())))


def test_links_and_dots_are_followed(tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "frames")
    assert is_same_folder(tmp_path / "link", tmp_path / "frames" / ".." / "frames")
    assert is_within(tmp_path / "link" / "new" / "deep", tmp_path / "frames")
    assert not is_within(tmp_path / "frames2", tmp_path / "frames")
    assert not is_within(tmp_path, tmp_path / "frames")


def test_another_case_is_the_same_folder_where_the_disk_says_so(tmp_path, disk_without_case):
    base = tmp_path.parent / tmp_path.name.lower()
    (base / "frames").mkdir(parents=True, exist_ok=True)
    assert is_same_folder(base / "Frames", base / "frames")
    assert is_within(base / "FRAMES" / "mosaic", base / "frames")
    assert not is_same_folder(base / "Frames", base / "other")
