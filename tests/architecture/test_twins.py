"""What Tk and Qt decide alike is decided once: the views of the two toolkits share few lines."""

from __future__ import annotations

import ast
from difflib import SequenceMatcher

import pytest
from package_source import PACKAGE

MAX_SHARED = 0.15
MIN_LINES = 40
"""Of shorter files a few lines that must be alike would be a large part."""
TWINS = sorted(
    path.relative_to(PACKAGE / "gui" / "tk").as_posix()
    for path in (PACKAGE / "gui" / "tk").rglob("*.py")
    if (PACKAGE / "gui" / "qt" / path.relative_to(PACKAGE / "gui" / "tk")).is_file() and path.name != "__init__.py"
)


def acting_lines(source: str) -> list[str]:
    """Return the stripped lines that do something.

    Imports, documentation and the heads of classes and functions are left out: both toolkits import the same
    presenters and answer to the same protocols.
    """
    silent: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if text or isinstance(node, ast.Import | ast.ImportFrom):
            silent |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(item.lineno for item in node.decorator_list)])
            silent |= set(range(first, node.body[0].lineno))
    stripped = [(number, line.strip()) for number, line in enumerate(source.splitlines(), 1)]
    return [
        line for number, line in stripped if line and number not in silent and not line.startswith(("#", "__all__"))
    ]


def shared(first: str, second: str) -> float:
    """Return the part of the lines of two sources that is the same in both, in the same order."""
    return SequenceMatcher(None, acting_lines(first), acting_lines(second), autojunk=False).ratio()


@pytest.mark.parametrize("name", TWINS)
def test_twins_share_few_lines(name):
    tk, qt = ((PACKAGE / "gui" / toolkit / name).read_text(encoding="utf-8") for toolkit in ("tk", "qt"))
    assert shared(tk, qt) < MAX_SHARED or max(len(acting_lines(tk)), len(acting_lines(qt))) < MIN_LINES


def test_lines_decided_twice_are_seen():
    body = "\n".join(f"    values[{number}] = decided({number})" for number in range(40))
    assert shared(f"def tk():\n{body}\n    tk()\n", f"def qt():\n{body}\n    qt()\n") > MAX_SHARED
