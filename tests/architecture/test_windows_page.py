"""The page of the windows: the tests and the pictures that it names are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")


def test_the_tests_that_the_page_names_exist():
    named = re.findall(r"`([\w/]+\.py)::(test_\w+)`", PAGE)
    assert len(named) > 17
    sources = {path: (ROOT / "tests" / path).read_text(encoding="utf-8") for path, _ in named}
    assert [f"{path}::{name}" for path, name in named if f"def {name}(" not in sources[path]] == []


def test_each_of_the_faults_has_a_line_and_something_that_catches_it():
    lines = re.findall(r"^\| (\d+)\. .*::test_", PAGE, re.MULTILINE)
    assert [int(number) for number in lines] == list(range(1, 18))


def test_the_pictures_of_the_page_are_there():
    shown = re.findall(r"\((screenshots/[\w.-]+)\)", PAGE)
    assert shown and [path for path in shown if not (ROOT / "docs" / path).is_file()] == []
