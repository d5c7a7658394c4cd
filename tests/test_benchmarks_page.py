"""The benchmarks' page: one command writes its part and leaves the others."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import BEGIN, END, PAGE, with_part


def test_only_the_part_between_the_marks_changes():
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\n## By hand\n"
    once = with_part(page, ["new", "lines"])
    assert once == f"# Title\n\n{BEGIN}\nnew\nlines\n{END}\n\n## By hand\n"
    assert with_part(once, ["old"]) == page


@pytest.mark.parametrize("page", ["", f"{BEGIN}\n", f"{END}\n", f"{END}\n{BEGIN}\n"])
def test_a_page_without_its_marks_is_left_alone(page):
    with pytest.raises(ValueError, match="lacks"):
        with_part(page, ["new"])


def test_the_page_has_its_marks_once():
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1 and with_part(page, ["x"]) != page
